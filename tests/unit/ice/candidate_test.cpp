#include "ice/candidate.hpp"

#include <gtest/gtest.h>

namespace trunkline::ice {
namespace {

TEST(CandidatePriority, FollowsTheFormula) {
  // RFC 8445 §5.1.2.1 with 126, 65535 and 1.
  EXPECT_EQ(candidate_priority(CandidateType::host, 65535, 1), 2130706431U);
  EXPECT_EQ(candidate_priority(CandidateType::host, 65535, 2), 2130706430U);
  EXPECT_EQ(candidate_priority(CandidateType::relayed, 0, 256), 0U);
  EXPECT_EQ(candidate_priority(CandidateType::peer_reflexive, 0), (110U << 24) + 255);
}

TEST(CandidatePriority, RanksTypesAsRecommended) {
  EXPECT_GT(candidate_priority(CandidateType::host, 0),
            candidate_priority(CandidateType::peer_reflexive, 65535));
  EXPECT_GT(candidate_priority(CandidateType::peer_reflexive, 0),
            candidate_priority(CandidateType::server_reflexive, 65535));
  EXPECT_GT(candidate_priority(CandidateType::server_reflexive, 0),
            candidate_priority(CandidateType::relayed, 65535));
}

TEST(HostPriority, FallsWithTheIndex) {
  EXPECT_EQ(host_priority(0), 2130706431U);
  EXPECT_GT(host_priority(0), host_priority(1));
  EXPECT_GT(host_priority(0, true), host_priority(1, true));
}

TEST(HostPriority, PutsEveryUdpCandidateAboveTcp) {
  EXPECT_GT(host_priority(65535), host_priority(0, true));
}

TEST(HostPriority, StaysWithinThirtyOneBits) {
  EXPECT_LT(host_priority(0), 0x80000000U);
  EXPECT_GT(host_priority(65535, true, 256), 0U);
}

TEST(Foundation, IsEqualForTheSameBaseTypeAndTransport) {
  const IpAddress ip = *IpAddress::parse("192.0.2.1");
  EXPECT_EQ(candidate_foundation(CandidateType::host, ip),
            candidate_foundation(CandidateType::host, ip));
}

TEST(Foundation, DiffersByAddressTypeAndTransport) {
  const IpAddress ip = *IpAddress::parse("192.0.2.1");
  const std::string one = candidate_foundation(CandidateType::host, ip);
  EXPECT_NE(one, candidate_foundation(CandidateType::host, *IpAddress::parse("192.0.2.2")));
  EXPECT_NE(one, candidate_foundation(CandidateType::host, *IpAddress::parse("2001:db8::1")));
  EXPECT_NE(one, candidate_foundation(CandidateType::relayed, ip));
  EXPECT_NE(one, candidate_foundation(CandidateType::host, ip, true));
}

TEST(Foundation, IsAtMostThirtyTwoIceChars) {
  const std::string foundation =
      candidate_foundation(CandidateType::host, *IpAddress::parse("2001:db8::1"));
  EXPECT_GE(foundation.size(), 1U);
  EXPECT_LE(foundation.size(), 10U);
  EXPECT_EQ(foundation.find_first_not_of("0123456789"), std::string::npos);
}

}  // namespace
}  // namespace trunkline::ice
