#include "base/utf8.hpp"

#include <cstdint>

namespace trunkline {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

struct Sequence {
  std::size_t length;
  std::uint32_t least;  ///< a smaller code point is overlong
  std::uint32_t bits;   ///< of the first octet
};

/// Length 0: no sequence begins so.
Sequence begin(std::uint8_t first) {
  if (first < 0x80) return {1, 0, first};
  if ((first & 0xe0) == 0xc0) return {2, 0x80, first & 0x1fu};
  if ((first & 0xf0) == 0xe0) return {3, 0x800, first & 0x0fu};
  if ((first & 0xf8) == 0xf0) return {4, 0x10000, first & 0x07u};
  return {0, 0, 0};
}

/// Octets of the well-formed sequence that the text begins with; 0 if none does.
std::size_t sequence_length(std::string_view text) {
  const auto [length, least, bits] = begin(static_cast<std::uint8_t>(text[0]));
  if (length == 0 || text.size() < length) return 0;
  std::uint32_t point = bits;
  for (std::size_t i = 1; i < length; ++i) {
    const auto octet = static_cast<std::uint8_t>(text[i]);
    if ((octet & 0xc0) != 0x80) return 0;
    point = (point << 6) | (octet & 0x3fu);
  }
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < least || point > 0x10ffff || surrogate) return 0;
  return length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string to_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    out += length == 0 ? kReplacement : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string cut_text(std::string text, std::size_t octets) {
  if (text.size() <= octets) return text;
  std::size_t size = octets;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
    --size;
  text.resize(size);
  return text;
}

}  // namespace trunkline
