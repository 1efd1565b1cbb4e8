#pragma once
#include "call/control.hpp"

#include "call_control/validation.hpp"
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <tuple>

/// Pages of lists (AIP-158): a size that is capped rather than refused, and a token that clients
/// pass on unread.
namespace trunkline::call_control {

inline constexpr std::size_t kDefaultPage = 100;
inline constexpr std::size_t kMaxPage = 1000;

struct Page {
  std::size_t size = kDefaultPage;
  std::uint64_t begin = 0;  ///< where the page begins, as in the token of the one before
};

/// As all who show registrations do: the pages of a list need one order.
inline void put_in_order(call::Registrations& found) {
  std::ranges::sort(found.all, {}, [](const call::Registration& one) {
    return std::tie(one.user, one.node, one.id);
  });
}

template <class Request>
Page read_page(const Request& request, Violations& wrong) {
  Page page;
  if (request.page_size() < 0) wrong.add("page_size", "is negative");
  if (request.page_size() > 0)
    page.size = std::min(static_cast<std::size_t>(request.page_size()), kMaxPage);
  const std::string& token = request.page_token();
  if (token.empty()) return page;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), page.begin);
  if (error != std::errc{} || end != token.data() + token.size())
    wrong.add("page_token", "is none of this method's");
  return page;
}

/// The part of a list that the page shows: calls `write(item)` for each, and returns the next
/// token.
template <class List, class Write>
std::string write_page(const List& all, const Page& page, Write&& write) {
  const std::size_t begin = std::min<std::size_t>(page.begin, all.size());
  const std::size_t end = std::min(all.size(), begin + page.size);
  for (std::size_t i = begin; i < end; ++i)
    write(all[i]);
  return end < all.size() ? std::to_string(end) : std::string{};
}

}  // namespace trunkline::call_control
