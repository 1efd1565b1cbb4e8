#pragma once
#include "base/bytes.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace trunkline {

/// Base 64 with the URL and filename safe alphabet, without padding (RFC 4648 §5).
std::string base64url(ByteView bytes);
/// What was encoded; nothing if a character is not of the alphabet or bits are left over.
std::optional<std::string> parse_base64url(std::string_view text);

}  // namespace trunkline
