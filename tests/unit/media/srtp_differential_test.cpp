// All engines, one truth: whatever is sent and whatever is done to it on the way, they must produce
// the same octets and the same verdicts.
#include "support/srtp_differential.hpp"

#include "srtp_packets.hpp"
#include <cstdlib>
#include <gmock/gmock.h>

namespace trunkline::media {
namespace {

using test::OwnedPacket;

class SrtpEnginesTogether : public testing::TestWithParam<SrtpProfile> {};

/// Packets of a profile; TRUNKLINE_SRTP_PACKETS makes it more of all together.
std::uint64_t packets() {
  const char* wanted = std::getenv("TRUNKLINE_SRTP_PACKETS");
  if (wanted != nullptr) return std::strtoull(wanted, nullptr, 10) / test::kProfiles.size();
  return 40'000;
}

// RFC 3711 §3.3: every engine seals to the same octets and comes to the same verdict
TEST_P(SrtpEnginesTogether, AgreeOnEveryOctetAndVerdict) {
  SeededRandom choices(20261121), filler(7);
  test::SrtpDifferential differential(test::engines_here(), GetParam(), choices, filler);
  for (std::uint64_t i = 0; i < packets(); ++i) {
    const auto difference = differential.step();
    ASSERT_FALSE(difference) << "packet " << i << ": " << *difference;
  }
  // The run really met every case.
  const auto times = [&](SrtpVerdict verdict) {
    return differential.opened()[static_cast<std::size_t>(verdict)];
  };
  EXPECT_GT(times(SrtpVerdict::ok), packets() / 2);
  EXPECT_GT(times(SrtpVerdict::authentication), packets() / 100);
  EXPECT_GT(times(SrtpVerdict::replayed), packets() / 100);
  EXPECT_GT(times(SrtpVerdict::malformed), packets() / 500);
  EXPECT_GT(differential.sealed()[static_cast<std::size_t>(SrtpVerdict::replayed)],
            packets() / 500);
  EXPECT_GT(differential.late_streams(), packets() / 4000);
}

// RFC 3711 §3.2.3: a ninth SSRC takes the place of one of eight [srtp-ssrc-limit]
TEST_P(SrtpEnginesTogether, ForgetTheSameSsrcWhenTheNinthSpeaks) {
  SeededRandom random(3);
  const SrtpMasterKey key = test::random_key(random);
  std::vector<OwnedPacket> first;
  for (std::uint32_t ssrc = 100; ssrc < 109; ++ssrc) {
    const auto sender = make_srtp_sender(SrtpEngineKind::openssl, GetParam(), key, ssrc);
    first.push_back(test::rtp(ssrc, 2000));
    ASSERT_EQ(sender->protect_rtp(first.back().packet), SrtpVerdict::ok);
  }
  for (const SrtpEngineKind engine : test::engines_here()) {
    SCOPED_TRACE(srtp_engine_name(engine));
    const auto receiver = make_srtp_receiver(engine, GetParam(), key);
    const auto open = [&](OwnedPacket packet) { return receiver->unprotect_rtp(packet.packet); };
    for (const OwnedPacket& packet : first)
      EXPECT_EQ(open(packet), SrtpVerdict::ok);
    EXPECT_EQ(open(first[8]), SrtpVerdict::replayed);
    EXPECT_EQ(open(first[1]), SrtpVerdict::replayed);
    EXPECT_EQ(open(first[0]), SrtpVerdict::ok) << "forgotten, so it is new again";
  }
}

INSTANTIATE_TEST_SUITE_P(Profiles, SrtpEnginesTogether, testing::ValuesIn(test::kProfiles));

}  // namespace
}  // namespace trunkline::media
