#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::io {

/// What a browser sends on the wire, right or wrong (RFC 6455 §5.2).
enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

inline std::string client_frame(Opcode opcode, std::string_view payload, bool final = true,
                                bool masked = true) {
  std::string frame;
  frame += static_cast<char>((final ? 0x80 : 0) | static_cast<int>(opcode));
  const char mask_bit = masked ? '\x80' : '\0';
  const std::size_t size = payload.size();
  if (size < 126) {
    frame += static_cast<char>(static_cast<int>(size) | mask_bit);
  } else if (size < 65536) {
    frame += static_cast<char>(126 | mask_bit);
    frame += static_cast<char>(size >> 8);
    frame += static_cast<char>(size);
  } else {
    frame += static_cast<char>(127 | mask_bit);
    for (int shift = 56; shift >= 0; shift -= 8)
      frame += static_cast<char>(size >> shift);
  }
  constexpr std::string_view kMask = "\x12\x34\x56\x78";
  if (masked) frame += kMask;
  for (std::size_t i = 0; i < size; ++i) {
    frame += masked ? static_cast<char>(payload[i] ^ kMask[i % 4]) : payload[i];
  }
  return frame;
}

struct ServerFrame {
  Opcode opcode;
  std::string payload;
  /// Of a close frame.
  int close_code() const {
    if (payload.size() < 2) return 0;
    return (static_cast<std::uint8_t>(payload[0]) << 8) | static_cast<std::uint8_t>(payload[1]);
  }
};

/// Takes the first whole frame out of `bytes`.
inline std::optional<ServerFrame> take_frame(std::string& bytes) {
  const auto octet = [&](std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); };
  if (bytes.size() < 2) return std::nullopt;
  std::size_t size = octet(1) & 0x7fu;
  std::size_t begin = 2;
  if (size >= 126) {
    begin += size == 126 ? 2 : 8;
    if (bytes.size() < begin) return std::nullopt;
    size = 0;
    for (std::size_t at = 2; at < begin; ++at)
      size = size << 8 | octet(at);
  }
  if (bytes.size() < begin + size) return std::nullopt;
  ServerFrame frame{static_cast<Opcode>(octet(0) & 0x0fu), bytes.substr(begin, size)};
  bytes.erase(0, begin + size);
  return frame;
}

inline std::string upgrade_request(std::string_view more = "Sec-WebSocket-Protocol: sip\r\n",
                                   std::string_view version = "13") {
  return "GET /ws HTTP/1.1\r\nHost: gw.example.test\r\nUpgrade: websocket\r\nConnection: "
         "keep-alive, Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: " +
         std::string(version) + "\r\n" + std::string(more) + "\r\n";
}

}  // namespace trunkline::io
