#pragma once
#include "base/random.hpp"
#include "media/srtp.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace trunkline::media::test {

inline constexpr auto kProfiles = kSrtpProfiles;

/// The engines that this machine has.
inline std::vector<SrtpEngineKind> engines_here() {
  std::vector<SrtpEngineKind> here(kSrtpEngines.begin(), kSrtpEngines.end());
  std::erase_if(here, [](SrtpEngineKind kind) { return !srtp_engine_available(kind); });
  return here;
}

inline std::vector<std::uint8_t> from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high * 16 + digit));
      high = -1;
    }
  }
  return bytes;
}

/// A packet with its own buffer and the room that `Packet` promises.
struct OwnedPacket {
  std::array<std::uint8_t, kHeadRoom + kMaxDatagram + kTailRoom> buffer{};
  Packet packet{buffer.data() + kHeadRoom, 0};

  OwnedPacket() = default;
  explicit OwnedPacket(ByteView bytes) { assign(bytes); }
  OwnedPacket(const OwnedPacket& other) { assign(other.bytes()); }
  OwnedPacket& operator=(const OwnedPacket& other) {
    assign(other.bytes());
    return *this;
  }
  void assign(ByteView bytes) {
    std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
    packet = {buffer.data() + kHeadRoom, copy.size()};
    std::copy(copy.begin(), copy.end(), packet.data);
  }
  ByteView bytes() const { return {packet.data, packet.size}; }
  std::vector<std::uint8_t> copy() const { return {packet.data, packet.data + packet.size}; }
};

inline SrtpMasterKey random_key(Random& random) {
  SrtpMasterKey key;
  random.fill(key.key);
  random.fill(key.salt);
  return key;
}

inline OwnedPacket rtp(std::uint32_t ssrc, std::uint16_t sequence, std::size_t payload = 160) {
  std::vector<std::uint8_t> bytes(12 + payload, 0x55);
  bytes[0] = 0x80;
  bytes[1] = 0;
  store16(bytes, 2, sequence);
  store32(bytes, 4, sequence * 160u);
  store32(bytes, 8, ssrc);
  return OwnedPacket(bytes);
}

/// Random CSRCs, extension, marker, payload type and payload.
inline OwnedPacket random_rtp(Random& random, std::uint32_t ssrc, std::uint16_t sequence) {
  std::vector<std::uint8_t> bytes(12 + 4 * 3 + 4 + 4 * 4 + random.below(400));
  random.fill(bytes);
  const std::uint32_t csrcs = random.below(4);
  const bool extension = random.below(3) == 0;
  bytes[0] = static_cast<std::uint8_t>(0x80 | csrcs | (extension ? 0x10 : 0));
  bytes[1] &= 0x9f;
  store16(bytes, 2, sequence);
  store32(bytes, 8, ssrc);
  if (extension) store16(bytes, 12 + 4 * csrcs + 2, static_cast<std::uint16_t>(random.below(4)));
  return OwnedPacket(bytes);
}

inline OwnedPacket random_rtcp(Random& random, std::uint32_t ssrc) {
  std::vector<std::uint8_t> bytes(8 + 4 * random.below(40));
  random.fill(bytes);
  bytes[0] = 0x80;
  bytes[1] = 200;
  store16(bytes, 2, static_cast<std::uint16_t>(bytes.size() / 4 - 1));
  store32(bytes, 4, ssrc);
  return OwnedPacket(bytes);
}

}  // namespace trunkline::media::test
