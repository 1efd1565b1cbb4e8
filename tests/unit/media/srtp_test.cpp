#include "media/srtp.hpp"

#include "media/srtp_index.hpp"
#include "media/srtp_keys.hpp"
#include "media/srtp_stream.hpp"

#include "srtp_packets.hpp"
#include <gmock/gmock.h>

namespace trunkline::media {
namespace {

using test::OwnedPacket;

constexpr std::uint32_t kSsrc = 0xcafe0001;

class Srtp : public testing::TestWithParam<std::tuple<SrtpEngineKind, SrtpProfile>> {
 protected:
  void SetUp() override {
    SeededRandom random(5);
    key_ = test::random_key(random);
    sender_ = make_srtp_sender(engine(), profile(), key_, kSsrc);
    receiver_ = make_srtp_receiver(engine(), profile(), key_);
  }
  SrtpEngineKind engine() const { return std::get<0>(GetParam()); }
  SrtpProfile profile() const { return std::get<1>(GetParam()); }
  OwnedPacket sealed(std::uint16_t sequence) {
    OwnedPacket packet = test::rtp(kSsrc, sequence);
    EXPECT_EQ(sender_->protect_rtp(packet.packet), SrtpVerdict::ok);
    return packet;
  }
  SrtpVerdict open(OwnedPacket packet) { return receiver_->unprotect_rtp(packet.packet); }

  SrtpMasterKey key_;
  std::unique_ptr<SrtpSender> sender_;
  std::unique_ptr<SrtpReceiver> receiver_;
};

TEST_P(Srtp, OpensWhatItSealed) {
  OwnedPacket packet = sealed(1000);
  EXPECT_EQ(packet.packet.size, 172 + traits(profile()).rtp_tag);
  ASSERT_EQ(receiver_->unprotect_rtp(packet.packet), SrtpVerdict::ok);
  EXPECT_EQ(packet.copy(), test::rtp(kSsrc, 1000).copy());
}

TEST_P(Srtp, HidesThePayload) {
  const OwnedPacket packet = sealed(1000);
  EXPECT_NE(packet.packet.data[12], test::rtp(kSsrc, 1000).packet.data[12]);
}

// RFC 3711 §3.4: the index stands in the packet [srtcp-index]
TEST_P(Srtp, OpensRtcpThatItSealed) {
  SeededRandom random(1);
  OwnedPacket packet = test::random_rtcp(random, kSsrc);
  const auto clear = packet.copy();
  ASSERT_EQ(sender_->protect_rtcp(packet.packet), SrtpVerdict::ok);
  EXPECT_EQ(packet.packet.size, clear.size() + 4 + traits(profile()).rtcp_tag);
  ASSERT_EQ(receiver_->unprotect_rtcp(packet.packet), SrtpVerdict::ok);
  EXPECT_EQ(packet.copy(), clear);
}

TEST_P(Srtp, RefusesAWrongTagAndForgetsIt) {
  const OwnedPacket good = sealed(1000);
  OwnedPacket bad = good;
  bad.packet.data[bad.packet.size - 1] ^= 1;
  EXPECT_EQ(open(bad), SrtpVerdict::authentication);
  EXPECT_EQ(open(good), SrtpVerdict::ok);
}

// RFC 3711 §3.3.2: a packet is taken once [srtp-replay]
TEST_P(Srtp, RefusesAReplayedPacket) {
  const OwnedPacket packet = sealed(1000);
  EXPECT_EQ(open(packet), SrtpVerdict::ok);
  EXPECT_EQ(open(packet), SrtpVerdict::replayed);
}

// RFC 3711 §3.4: an index is taken once [srtcp-index]
TEST_P(Srtp, RefusesAReplayedRtcpPacket) {
  SeededRandom random(1);
  OwnedPacket packet = test::random_rtcp(random, kSsrc);
  ASSERT_EQ(sender_->protect_rtcp(packet.packet), SrtpVerdict::ok);
  OwnedPacket again = packet;
  EXPECT_EQ(receiver_->unprotect_rtcp(packet.packet), SrtpVerdict::ok);
  EXPECT_EQ(receiver_->unprotect_rtcp(again.packet), SrtpVerdict::replayed);
}

TEST_P(Srtp, RefusesRtcpThatClaimsToBeClear) {
  SeededRandom random(1);
  OwnedPacket packet = test::random_rtcp(random, kSsrc);
  ASSERT_EQ(sender_->protect_rtcp(packet.packet), SrtpVerdict::ok);
  const std::size_t behind = traits(profile()).aead ? 0 : traits(profile()).rtcp_tag;
  packet.packet.data[packet.packet.size - behind - 4] &= 0x7f;
  EXPECT_EQ(receiver_->unprotect_rtcp(packet.packet), SrtpVerdict::malformed);
}

// RFC 3711 §3.3.2: a late packet within the window is taken [srtp-replay]
TEST_P(Srtp, TakesALatePacketWithinTheWindowOf1024) {
  const OwnedPacket late = sealed(2000);
  for (std::uint16_t sequence = 2001; sequence <= 2000 + 1023; ++sequence) {
    ASSERT_EQ(open(sealed(sequence)), SrtpVerdict::ok);
  }
  EXPECT_EQ(open(late), SrtpVerdict::ok);
}

TEST_P(Srtp, RefusesAPacketBeforeTheWindow) {
  const OwnedPacket late = sealed(2000);
  for (std::uint16_t sequence = 2001; sequence <= 2000 + 1024; ++sequence) {
    ASSERT_EQ(open(sealed(sequence)), SrtpVerdict::ok);
  }
  EXPECT_EQ(open(late), SrtpVerdict::replayed);
}

// RFC 3711 §3.3.1: the roll-over is followed [srtp-rollover]
TEST_P(Srtp, FollowsTheRollOverAndAStragglerFromBeforeIt) {
  for (std::uint32_t sequence = 30000; sequence < 65530; sequence += 500) {
    ASSERT_EQ(open(sealed(static_cast<std::uint16_t>(sequence))), SrtpVerdict::ok);
  }
  const OwnedPacket straggler = sealed(65534);
  EXPECT_EQ(open(sealed(65535)), SrtpVerdict::ok);
  EXPECT_EQ(open(sealed(0)), SrtpVerdict::ok);
  EXPECT_EQ(open(sealed(1)), SrtpVerdict::ok);
  EXPECT_EQ(open(straggler), SrtpVerdict::ok);
}

// RFC 3711 §9.1: an index is sealed once [srtp-index-once]
TEST_P(Srtp, NeverSealsTheSameIndexTwice) {
  sealed(1000);
  sealed(1001);
  OwnedPacket again = test::rtp(kSsrc, 1000);
  EXPECT_EQ(sender_->protect_rtp(again.packet), SrtpVerdict::replayed);
}

TEST_P(Srtp, SealsForItsOwnSsrcOnly) {
  OwnedPacket foreign = test::rtp(kSsrc + 1, 1000);
  EXPECT_EQ(sender_->protect_rtp(foreign.packet), SrtpVerdict::refused);
}

TEST_P(Srtp, RefusesWhatIsTooShort) {
  for (std::size_t size = 0; size < 12 + traits(profile()).rtp_tag; ++size) {
    OwnedPacket packet = sealed(static_cast<std::uint16_t>(1000 + size));
    packet.packet.size = size;
    EXPECT_EQ(open(packet), SrtpVerdict::malformed) << size;
  }
}

TEST_P(Srtp, RefusesAnExtensionThatRunsPastTheEnd) {
  OwnedPacket packet = sealed(1000);
  packet.packet.data[0] |= 0x10;
  store16({packet.packet.data, packet.packet.size}, 14, 0xffff);
  EXPECT_EQ(open(packet), SrtpVerdict::malformed);
}

// A sender whose first packets, before its first roll-over, were lost.
// RFC 3711 §3.3.1: the index of the first packet may be one roll-over ahead [srtp-wrapped-before]
TEST_P(Srtp, UnderstandsASenderThatWrappedBeforeItsFirstPacketArrived) {
  const OwnedPacket lost = sealed(65535), first = sealed(0), next = sealed(1);
  OwnedPacket packet = first;
  EXPECT_EQ(receiver_->unprotect_rtp(packet.packet), SrtpVerdict::ok);
  EXPECT_EQ(packet.copy(), test::rtp(kSsrc, 0).copy());
  EXPECT_EQ(open(next), SrtpVerdict::ok);
  EXPECT_EQ(open(lost), SrtpVerdict::ok);
  EXPECT_EQ(open(first), SrtpVerdict::replayed);
}

TEST_P(Srtp, UnderstandsASenderThatWrappedWhoseRtcpCameFirst) {
  sealed(65535);
  OwnedPacket first = sealed(0);
  SeededRandom random(1);
  OwnedPacket report = test::random_rtcp(random, kSsrc);
  ASSERT_EQ(sender_->protect_rtcp(report.packet), SrtpVerdict::ok);
  EXPECT_EQ(receiver_->unprotect_rtcp(report.packet), SrtpVerdict::ok);
  OwnedPacket forged = first;
  forged.packet.data[forged.packet.size - 1] ^= 1;
  EXPECT_EQ(open(forged), SrtpVerdict::authentication);
  EXPECT_EQ(open(first), SrtpVerdict::ok);
  EXPECT_EQ(open(sealed(1)), SrtpVerdict::ok);
}

// RFC 3711 §3.3.1: an SSRC that comes back finds its roll-over counter [srtp-wrapped-before]
TEST_P(Srtp, KeepsTheRollOverOfAnSsrcThatComesBack) {
  const auto other = make_srtp_sender(engine(), profile(), key_, kSsrc + 1);
  ASSERT_EQ(open(sealed(65535)), SrtpVerdict::ok);
  ASSERT_EQ(open(sealed(0)), SrtpVerdict::ok);
  OwnedPacket between = test::rtp(kSsrc + 1, 4000);
  ASSERT_EQ(other->protect_rtp(between.packet), SrtpVerdict::ok);
  EXPECT_EQ(open(between), SrtpVerdict::ok);
  EXPECT_EQ(open(sealed(1)), SrtpVerdict::ok);
}

// RFC 3711 §3.3.1: a new key does not set the roll-over counter back; RFC 4568 §7.1.4: with a new
// address it begins at 0
TEST_P(Srtp, UnderstandsANewKeyWithTheOldRollOverAndWithNone) {
  for (std::uint32_t sequence = 40000; sequence <= 65535 + 3000; sequence += 500)
    ASSERT_EQ(open(sealed(static_cast<std::uint16_t>(sequence))), SrtpVerdict::ok);
  SeededRandom random(6);
  const SrtpMasterKey next = test::random_key(random);
  for (const std::uint64_t last : {(std::uint64_t{1} << 16) | 3000, std::uint64_t{3000}}) {
    const auto sender =
        make_stream_sender(SrtpEngineKind::openssl, profile(), next, kSsrc, {last, 0});
    const auto receiver = make_srtp_receiver(engine(), profile(), next);
    receiver->follow(receiver_->indices());
    for (const int sequence : {3001, 3002}) {
      OwnedPacket packet = test::rtp(kSsrc, sequence);
      ASSERT_EQ(sender->protect_rtp(packet.packet), SrtpVerdict::ok);
      OwnedPacket forged = packet;
      forged.packet.data[20] ^= 1;
      EXPECT_EQ(receiver->unprotect_rtp(forged.packet), SrtpVerdict::authentication);
      EXPECT_EQ(receiver->unprotect_rtp(packet.packet), SrtpVerdict::ok);
    }
  }
}

TEST_P(Srtp, SealsAnEmptyPayload) {
  OwnedPacket packet = test::rtp(kSsrc, 1000, 0);
  ASSERT_EQ(sender_->protect_rtp(packet.packet), SrtpVerdict::ok);
  ASSERT_EQ(receiver_->unprotect_rtp(packet.packet), SrtpVerdict::ok);
  EXPECT_EQ(packet.packet.size, 12u);
}

std::string name(const testing::TestParamInfo<std::tuple<SrtpEngineKind, SrtpProfile>>& info) {
  std::string engine(srtp_engine_name(std::get<0>(info.param)));
  std::erase(engine, '-');
  return engine + "_" + std::string(traits(std::get<1>(info.param)).name);
}
INSTANTIATE_TEST_SUITE_P(Engines, Srtp,
                         testing::Combine(testing::ValuesIn(test::engines_here()),
                                          testing::ValuesIn(test::kProfiles)),
                         name);

// RFC 3711 §9.2: a key ends after 2^48 packets of RTP and 2^31 of RTCP [srtp-lifetime]
TEST(SrtpLifetime, EndsWithTheLastIndex) {
  SeededRandom random(2);
  const SrtpMasterKey key = test::random_key(random);
  for (const SrtpProfile profile : test::kProfiles) {
    const auto sender = make_stream_sender(SrtpEngineKind::openssl, profile, key, kSsrc,
                                           {kMaxRtpIndex - 1, kMaxRtcpIndex - 1});
    const auto seal = [&](std::uint16_t sequence) {
      OwnedPacket packet = test::rtp(kSsrc, sequence);
      return sender->protect_rtp(packet.packet);
    };
    const auto report = [&] {
      OwnedPacket packet = test::random_rtcp(random, kSsrc);
      return sender->protect_rtcp(packet.packet);
    };
    EXPECT_EQ(seal(65535), SrtpVerdict::ok);
    EXPECT_EQ(seal(0), SrtpVerdict::refused);
    EXPECT_EQ(seal(1), SrtpVerdict::refused);
    EXPECT_EQ(report(), SrtpVerdict::ok);
    EXPECT_EQ(report(), SrtpVerdict::refused);
    EXPECT_EQ(report(), SrtpVerdict::refused);
  }
}

// RFC 3711 §9.1: no index is used twice under one key, also not by a context that takes over
// [srtp-index-once]
TEST(SrtpLifetime, GoesOnWhereAnEarlierContextStopped) {
  SeededRandom random(2);
  const SrtpMasterKey key = test::random_key(random);
  const auto sender = make_stream_sender(SrtpEngineKind::openssl, test::kProfiles[0], key, kSsrc,
                                         {(std::uint64_t{3} << 16) | 200, 7});
  OwnedPacket again = test::rtp(kSsrc, 200), next = test::rtp(kSsrc, 201);
  EXPECT_EQ(sender->protect_rtp(again.packet), SrtpVerdict::replayed);
  EXPECT_EQ(sender->protect_rtp(next.packet), SrtpVerdict::ok);
}

// RFC 3711 §9.2: nothing of a key stays in memory [srtp-keys-wiped]
TEST(SrtpKeys, AreWipedWhenTheyDie) {
  alignas(SrtpMasterKey) std::array<std::uint8_t, sizeof(SrtpMasterKey)> room{};
  auto* key = new (room.data()) SrtpMasterKey;
  key->key.fill(0xaa);
  key->salt.fill(0xbb);
  key->~SrtpMasterKey();
  EXPECT_THAT(room, testing::Each(0));
  alignas(SrtpSessionKeys) std::array<std::uint8_t, sizeof(SrtpSessionKeys)> more{};
  auto* session = new (more.data()) SrtpSessionKeys;
  session->cipher.fill(0xaa);
  session->salt.fill(0xbb);
  session->authentication.fill(0xcc);
  session->~SrtpSessionKeys();
  EXPECT_THAT(more, testing::Each(0));
}

TEST(RtpIndex, IsGuessedAsRfc3711Appendix) {
  EXPECT_EQ(estimate_rtp_index(0, 1000), 1000u);
  EXPECT_EQ(estimate_rtp_index(100, 65535), 65535u) << "no roll-over counter below 0";
  EXPECT_EQ(estimate_rtp_index(65535, 0), 65536u);
  EXPECT_EQ(estimate_rtp_index(65536, 65535), 65535u);
  EXPECT_EQ(estimate_rtp_index((5u << 16) | 40000, 100), (6u << 16) | 100);
  EXPECT_EQ(estimate_rtp_index((5u << 16) | 100, 40000), (4u << 16) | 40000);
}

TEST(ReplayWindow, ForgetsWhatLiesBehindALongJump) {
  ReplayWindow<128> window;
  window.add(1);
  window.add(1000);
  EXPECT_FALSE(window.acceptable(1));
  EXPECT_TRUE(window.acceptable(1000 - 127));
  EXPECT_FALSE(window.acceptable(1000 - 128));
  EXPECT_FALSE(window.acceptable(1000));
}

TEST(ReplayWindow, TakesEverySkippedIndexOnce) {
  ReplayWindow<128> window;
  window.add(10);
  window.add(100);
  for (std::uint64_t index = 11; index < 100; ++index)
    EXPECT_TRUE(window.acceptable(index));
  window.add(50);
  EXPECT_FALSE(window.acceptable(50));
}

}  // namespace
}  // namespace trunkline::media
