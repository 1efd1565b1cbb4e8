#include "sip/uri_header.hpp"

#include "sip/syntax.hpp"

#include <algorithm>

namespace trunkline::sip {

std::optional<std::string> uri_header(const Uri& uri, std::string_view name) {
  std::string_view left = uri.headers;
  while (!left.empty()) {
    const std::string_view one = left.substr(0, left.find('&'));
    left.remove_prefix(std::min(one.size() + 1, left.size()));
    const std::size_t equals = std::min(one.find('='), one.size());
    if (!equals_ignoring_case(unescape(one.substr(0, equals)), name)) continue;
    return unescape(one.substr(std::min(equals + 1, one.size())));
  }
  return std::nullopt;
}

}  // namespace trunkline::sip
