#include "rtp/g711.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

namespace trunkline::rtp {
namespace {

// ITU-T G.711 in its usual 16-bit form: a code is sign, three bits of segment, four bits of step.
constexpr int kPcmuBias = 0x84, kPcmuClip = 32635;

constexpr std::int16_t decode_pcmu(std::uint8_t code) {
  const int bits = code ^ 0xff;
  const int segment = (bits >> 4) & 7;
  const int magnitude = ((((bits & 0x0f) << 3) + kPcmuBias) << segment) - kPcmuBias;
  return static_cast<std::int16_t>((bits & 0x80) != 0 ? -magnitude : magnitude);
}

constexpr std::int16_t decode_pcma(std::uint8_t code) {
  const int bits = code ^ 0x55;
  const int segment = (bits >> 4) & 7;
  int magnitude = ((bits & 0x0f) << 4) + 8;
  if (segment != 0) magnitude = (magnitude + 0x100) << (segment - 1);
  return static_cast<std::int16_t>((bits & 0x80) != 0 ? magnitude : -magnitude);
}

template <class Decode>
constexpr std::array<std::int16_t, 256> make_table(Decode decode) {
  std::array<std::int16_t, 256> table{};
  for (std::size_t code = 0; code < table.size(); ++code)
    table[code] = decode(static_cast<std::uint8_t>(code));
  return table;
}
constexpr auto kPcmu = make_table(decode_pcmu);
constexpr auto kPcma = make_table(decode_pcma);

/// Each segment is twice as long as the one before; the lowest has eight bits.
constexpr unsigned segment_of(unsigned magnitude) {
  const auto width = static_cast<unsigned>(std::bit_width(magnitude));
  return width > 8 ? width - 8 : 0;
}

}  // namespace

std::uint8_t pcmu_encode(std::int16_t sample) {
  const bool negative = sample < 0;
  const int clipped = std::min(negative ? -int{sample} : int{sample}, kPcmuClip);
  const auto magnitude = static_cast<unsigned>(clipped + kPcmuBias);
  const unsigned segment = segment_of(magnitude);
  const unsigned step = (magnitude >> (segment + 3)) & 0x0f;
  return static_cast<std::uint8_t>(((negative ? 0x80U : 0U) | (segment << 4) | step) ^ 0xff);
}

std::int16_t pcmu_decode(std::uint8_t code) {
  return kPcmu[code];
}

std::uint8_t pcma_encode(std::int16_t sample) {
  const bool negative = sample < 0;
  const auto magnitude = static_cast<unsigned>(negative ? -int{sample} - 1 : int{sample});
  const unsigned segment = segment_of(magnitude);
  const unsigned step = (magnitude >> (segment == 0 ? 4 : segment + 3)) & 0x0f;
  return static_cast<std::uint8_t>(((negative ? 0U : 0x80U) | (segment << 4) | step) ^ 0x55);
}

std::int16_t pcma_decode(std::uint8_t code) {
  return kPcma[code];
}

}  // namespace trunkline::rtp
