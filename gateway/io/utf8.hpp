#pragma once
#include <string_view>

namespace trunkline::io {

/// Well-formed UTF-8 (RFC 3629): what a WebSocket text message may hold (RFC 6455 §5.6).
bool is_utf8(std::string_view text);

}  // namespace trunkline::io
