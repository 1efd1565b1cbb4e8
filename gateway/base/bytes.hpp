#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace trunkline {

using ByteView = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Network byte order at `at`. The caller has checked that the bytes are there.
inline std::uint16_t load16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>((bytes[at] << 8) | bytes[at + 1]);
}
inline std::uint32_t load32(ByteView bytes, std::size_t at) {
  return (static_cast<std::uint32_t>(load16(bytes, at)) << 16) | load16(bytes, at + 2);
}
inline std::uint64_t load64(ByteView bytes, std::size_t at) {
  return (static_cast<std::uint64_t>(load32(bytes, at)) << 32) | load32(bytes, at + 4);
}
inline void store16(MutableBytes bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}
inline void store32(MutableBytes bytes, std::size_t at, std::uint32_t value) {
  store16(bytes, at, static_cast<std::uint16_t>(value >> 16));
  store16(bytes, at + 2, static_cast<std::uint16_t>(value));
}
inline void store64(MutableBytes bytes, std::size_t at, std::uint64_t value) {
  store32(bytes, at, static_cast<std::uint32_t>(value >> 32));
  store32(bytes, at + 4, static_cast<std::uint32_t>(value));
}

}  // namespace trunkline
