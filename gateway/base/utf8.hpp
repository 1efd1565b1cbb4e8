#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace trunkline {

/// Well-formed UTF-8 (RFC 3629): what a WebSocket text message may hold (RFC 6455 §5.6).
bool is_utf8(std::string_view text);

/// The text with U+FFFD in place of each octet that is no part of well-formed UTF-8.
std::string to_utf8(std::string_view text);

/// The text cut to at most so many octets, without tearing a UTF-8 sequence apart.
std::string cut_text(std::string text, std::size_t octets);

}  // namespace trunkline
