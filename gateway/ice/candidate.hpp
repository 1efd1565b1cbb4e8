#pragma once
#include "base/net_address.hpp"

#include <cstdint>
#include <string>

/// The numbers of an ICE candidate line (RFC 8445 §5.1). Its text is the sdp layer's business.
namespace trunkline::ice {

enum class CandidateType : std::uint8_t { host, peer_reflexive, server_reflexive, relayed };

/// RFC 8445 §5.1.2.1: (2^24)·type preference + (2^8)·local preference + (256 − component). The type
/// preferences are those that RFC 8445 §5.1.2.2 recommends: 126, 110, 100, 0. `component` is 1
/// (RTP, or both with rtcp-mux) to 256.
std::uint32_t candidate_priority(CandidateType type, std::uint16_t local_preference,
                                 std::uint16_t component = 1);

/// The priority of our host candidate number `index` (0 is the one we like best). RFC 8421: list
/// IPv6 first when both families are bound. TCP candidates rank below all UDP ones (RFC 6544 §4.2).
std::uint32_t host_priority(std::uint16_t index, bool tcp = false, std::uint16_t component = 1);

/// RFC 8445 §5.1.1.3: equal for candidates of one type, base address and transport, different
/// otherwise; 1 to 10 digits. `base` must be the address that we advertise, so that a private one
/// doesn't show through.
std::string candidate_foundation(CandidateType type, const IpAddress& base, bool tcp = false);

}  // namespace trunkline::ice
