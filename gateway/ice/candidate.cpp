#include "ice/candidate.hpp"

#include "ice/stun.hpp"

#include <algorithm>
#include <array>

namespace trunkline::ice {
namespace {

constexpr std::uint32_t type_preference(CandidateType type) {
  switch (type) {
    case CandidateType::host:
      return 126;
    case CandidateType::peer_reflexive:
      return 110;
    case CandidateType::server_reflexive:
      return 100;
    case CandidateType::relayed:
      return 0;
  }
  return 0;
}

// RFC 6544 §4.2 splits the local preference of TCP into a direction, passive 4 of 7, and the rest;
// the type preference is lowered so that every UDP candidate stands above.
constexpr std::uint32_t kTcpTypePreference = 90, kTcpPassive = 4;

}  // namespace

std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference,
                                 std::uint16_t component) {
  const std::uint32_t rank = 256U - std::clamp<std::uint32_t>(component, 1, 256);
  return (type_preference(type) << 24) | (std::uint32_t{local_preference} << 8) | rank;
}

std::uint32_t host_priority(std::uint16_t index, bool tcp, std::uint16_t component) {
  if (!tcp)
    return candidate_priority(CandidateType::host, static_cast<std::uint16_t>(0xffff - index),
                              component);
  const std::uint32_t rank = 256U - std::clamp<std::uint32_t>(component, 1, 256);
  const std::uint32_t other = 0x1fffU - std::min<std::uint32_t>(index, 0x1fff);
  return (kTcpTypePreference << 24) | (((kTcpPassive << 13) | other) << 8) | rank;
}

std::string candidate_foundation(CandidateType type, const IpAddress& base, bool tcp) {
  std::array<std::uint8_t, 19> identity{};
  identity[0] = static_cast<std::uint8_t>(type);
  identity[1] = tcp ? 1 : 0;
  identity[2] = base.is_v4() ? 4 : 6;
  std::copy(base.bytes().begin(), base.bytes().end(), identity.begin() + 3);
  return std::to_string(crc32(identity));
}

}  // namespace trunkline::ice
