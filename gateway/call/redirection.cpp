#include "call/redirection.hpp"

#include "sip/header.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace trunkline::call {
namespace {

constexpr std::size_t kMaxContacts = 16;
constexpr std::size_t kMaxContact = 512;  ///< octets

}  // namespace

void Redirection::add(const sip::Message& response, const sip::Uri& asked) {
  if (!known(asked)) tried_.push_back(asked);
  std::vector<std::pair<int, sip::Uri>> named;
  for (const auto value : response.headers(sip::HeaderName::contact)) {
    auto contact = sip::NameAddress::parse(value);
    if (!contact || contact->wildcard || value.size() > kMaxContact) continue;
    if (named.size() >= kMaxContacts) break;
    // What a peer writes behind the '?' would become header fields of ours.
    contact->uri.headers.clear();
    contact->uri.password.reset();
    if (known(contact->uri)) continue;
    named.emplace_back(sip::parse_qvalue(contact->parameter("q")), std::move(contact->uri));
  }
  std::ranges::stable_sort(named, std::greater{}, [](const auto& one) { return one.first; });
  std::vector<sip::Uri> first;
  for (auto& [preference, uri] : named) {
    const auto same = [&wanted = uri](const sip::Uri& other) { return other.equivalent(wanted); };
    if (std::ranges::none_of(first, same)) first.push_back(std::move(uri));
  }
  std::ranges::move(waiting_, std::back_inserter(first));
  waiting_ = std::move(first);
  if (waiting_.size() > kMaxContacts) waiting_.resize(kMaxContacts);
}

std::optional<sip::Uri> Redirection::next(std::uint32_t limit) {
  if (waiting_.empty() || followed_ >= limit) return std::nullopt;
  tried_.push_back(std::move(waiting_.front()));
  waiting_.erase(waiting_.begin());
  return tried_.back();
}

bool Redirection::known(const sip::Uri& uri) const {
  const auto same = [&](const sip::Uri& other) { return other.equivalent(uri); };
  return std::ranges::any_of(tried_, same) || std::ranges::any_of(waiting_, same);
}

}  // namespace trunkline::call
