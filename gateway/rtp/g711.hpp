#pragma once
#include <cstdint>

/// One sample of ITU-T G.711 (PCMU, payload type 0, and PCMA, payload type 8; 8000 Hz). Linear
/// samples are 16 bits.
namespace trunkline::rtp {

std::uint8_t pcmu_encode(std::int16_t sample);
std::int16_t pcmu_decode(std::uint8_t code);
std::uint8_t pcma_encode(std::int16_t sample);
std::int16_t pcma_decode(std::uint8_t code);

inline constexpr std::uint8_t kPcmuSilence = 0xff, kPcmaSilence = 0xd5;

}  // namespace trunkline::rtp
