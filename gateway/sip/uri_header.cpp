#include "sip/uri_header.hpp"

#include "sip/syntax.hpp"

#include <algorithm>

namespace trunkline::sip {

std::string unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
                        hex_value(text[i + 2]) >= 0;
    if (!escape) {
      plain.push_back(text[i]);
      continue;
    }
    plain.push_back(static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
    i += 2;
  }
  return plain;
}

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
