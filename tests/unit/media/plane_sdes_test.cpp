// Trunk legs whose media is encrypted with the keys of their descriptions (RFC 4568).
#include "media/sdes.hpp"

#include "plane_world.hpp"

namespace trunkline::media {
namespace {

using namespace test;
using testing::IsEmpty;
using testing::SizeIs;

const std::vector<std::uint8_t> kAudio(160, 0x2a);

Secret secret(SrtpProfile profile, std::uint8_t fill) {
  return Secret(std::vector<std::uint8_t>(traits(profile).key + traits(profile).salt, fill));
}
SrtpMasterKey master(SrtpProfile profile, const Secret& secret) {
  SrtpMasterKey key;
  const auto bytes = secret.bytes();
  std::copy_n(bytes.begin(), traits(profile).key, key.key.begin());
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(traits(profile).key),
              traits(profile).salt, key.salt.begin());
  return key;
}

class PlaneSdes : public PlaneWorld, public testing::WithParamInterface<SrtpProfile> {
 protected:
  static constexpr std::uint8_t kOurs = 1, kTheirs = 2, kNext = 3;
  static SrtpProfile profile() { return GetParam(); }

  static SrtpKeys keys(std::uint8_t theirs = kTheirs, std::uint8_t ours = kOurs) {
    return {profile(), secret(profile(), ours), secret(profile(), theirs)};
  }
  TrunkRemote remote(std::optional<SrtpKeys> srtp) {
    return {carrier_.address, at("198.51.100.9:5001"), false, {}, std::move(srtp)};
  }
  void SetUp() override { use_key(kTheirs); }
  /// The carrier seals with this key from now on.
  void use_key(std::uint8_t fill) {
    sender_ = make_srtp_sender(SrtpEngineKind::openssl, profile(),
                               master(profile(), secret(profile(), fill)), carrier_.ssrc);
  }
  void connect(SourcePolicy policy = SourcePolicy::pinned) {
    execute(browser_order(*browser_));
    AddTrunkLeg order = trunk_order(kTrunk, policy);
    order.remote = remote(keys());
    execute(order);
    route_both();
    browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
    run(milliseconds{100});
  }
  void describe(std::optional<SrtpKeys> srtp) {
    execute(UpdateTrunkLeg{kTrunk, remote(std::move(srtp))});
  }
  std::vector<std::uint8_t> sealed() {
    OwnedPacket packet(carrier_.packet(kAudio));
    EXPECT_EQ(sender_->protect_rtp(packet.packet), SrtpVerdict::ok);
    return packet.copy();
  }
  /// How many packets the browser gets of what `send` does.
  template <class Send>
  std::size_t reach_browser(const Send& send) {
    const std::size_t before = browser_->received().rtp;
    send();
    run(milliseconds{10});
    return browser_->received().rtp - before;
  }

  std::unique_ptr<SrtpSender> sender_;
};

// RFC 4568 §7: what comes from it is opened first [sdes-recrypted]
TEST_P(PlaneSdes, OpensWhatTheCarrierSealed) {
  connect();
  EXPECT_EQ(reach_browser([&] { from_carrier(sealed()); }), 1u);
  EXPECT_THAT(events<FirstPacket>(), SizeIs(1));
}

// RFC 4568 §7: what goes to the trunk is sealed with our key [sdes-recrypted]
TEST_P(PlaneSdes, SealsWhatGoesToTheCarrier) {
  connect();
  browser_->send_rtp(kAudio, 0, 160);
  run(milliseconds{5});
  ASSERT_THAT(audio_to_carrier(), SizeIs(1));
  const auto receiver = make_srtp_receiver(SrtpEngineKind::openssl, profile(),
                                           master(profile(), secret(profile(), kOurs)));
  OwnedPacket packet(audio_to_carrier()[0].bytes);
  EXPECT_EQ(packet.packet.size, 12 + kAudio.size() + traits(profile()).rtp_tag);
  ASSERT_EQ(receiver->unprotect_rtp(packet.packet), SrtpVerdict::ok);
  EXPECT_THAT(packet.bytes().subspan(12), testing::ElementsAreArray(kAudio));
}

// RFC 4568 §6.1: RTCP has the same master key [sdes]
TEST_P(PlaneSdes, SealsAndOpensRtcpToo) {
  connect();
  from_carrier(sealed());
  run(seconds{12});
  const auto reports = sent_to(at("198.51.100.9:5001"));
  ASSERT_FALSE(reports.empty());
  const auto receiver = make_srtp_receiver(SrtpEngineKind::openssl, profile(),
                                           master(profile(), secret(profile(), kOurs)));
  OwnedPacket packet(reports[0].bytes);
  ASSERT_EQ(receiver->unprotect_rtcp(packet.packet), SrtpVerdict::ok);
  EXPECT_EQ(packet.bytes()[0] >> 6, 2);

  SeededRandom random(1);
  OwnedPacket report = random_rtcp(random, carrier_.ssrc);
  ASSERT_EQ(sender_->protect_rtcp(report.packet), SrtpVerdict::ok);
  receive(kRtcp1, at("198.51.100.9:5001"), report.bytes());
  receive(kRtcp1, at("198.51.100.9:5001"), report.bytes());
  EXPECT_EQ(metric("trunkline_srtp_errors_total,sip,replay"), 1);
}

// RFC 3711 §3.3: what is not authentic is dropped and counted; the call goes on [srtp-authentic]
TEST_P(PlaneSdes, DropsWhatIsPlainForgedOrReplayed) {
  connect();
  const auto good = sealed();
  auto forged = sealed();
  forged.back() ^= 1;
  EXPECT_EQ(reach_browser([&] {
              from_carrier(carrier_.packet(kAudio));
              from_carrier(forged);
              from_carrier(good);
              from_carrier(good);
            }),
            1u);
  EXPECT_EQ(metric("trunkline_srtp_errors_total,sip,replay"), 1);
  EXPECT_GE(metric("trunkline_srtp_errors_total,sip,auth"), 1);
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
}

// RFC 3711 §3.3: nothing is learned from a packet without a right tag [srtp-authentic]
TEST_P(PlaneSdes, LearnsNothingFromWhatIsNotSealed) {
  connect(SourcePolicy::learn);
  const SocketAddress elsewhere = at("198.51.100.66:9999");
  for (int i = 0; i < 10; ++i)
    receive(kRtp1, elsewhere, carrier_.packet(kAudio));
  browser_->send_rtp(kAudio, 0, 160);
  run(milliseconds{5});
  EXPECT_THAT(sent_to(elsewhere), IsEmpty());
  for (int i = 0; i < 5; ++i)
    receive(kRtp1, elsewhere, sealed());
  browser_->send_rtp(kAudio, 0, 160);
  run(milliseconds{5});
  EXPECT_THAT(sent_to(elsewhere), SizeIs(1));
}

// RFC 3711 §3.3.1: the roll-over counter goes on over a description with the same key
// [srtp-rollover]
// RFC 3711 §3.3.1: and after it an old packet is still one [race-srtp-state]
// RFC 4568 §7.1.4: the same key keeps its context [sdes-rekey]
TEST_P(PlaneSdes, TheSameKeyKeepsItsContext) {
  connect();
  carrier_.sequence = 65535;
  const auto last = sealed(), first = sealed();
  EXPECT_EQ(reach_browser([&] { from_carrier(last); }), 1u);
  EXPECT_EQ(reach_browser([&] { from_carrier(first); }), 1u);
  describe(keys());
  EXPECT_EQ(reach_browser([&] { from_carrier(first); }), 0u) << "a replay";
  EXPECT_EQ(reach_browser([&] { from_carrier(sealed()); }), 1u);
}

// RFC 4568 §7.1.4: what was sealed before the new key is still opened [sdes-rekey]
TEST_P(PlaneSdes, AnOldKeyIsTakenForTwoSecondsMore) {
  connect();
  EXPECT_EQ(reach_browser([&] { from_carrier(sealed()); }), 1u);
  const auto on_the_way = sealed(), late = sealed();
  describe(keys(kNext));
  EXPECT_EQ(reach_browser([&] { from_carrier(on_the_way); }), 1u);
  use_key(kNext);
  EXPECT_EQ(reach_browser([&] { from_carrier(sealed()); }), 1u);
  run(Sdes::kOldKey);
  EXPECT_EQ(reach_browser([&] { from_carrier(late); }), 0u);
  EXPECT_EQ(reach_browser([&] { from_carrier(sealed()); }), 1u);
}

TEST_P(PlaneSdes, AKeyThatComesBackFindsItsContext) {
  connect();
  const auto before = sealed();
  EXPECT_EQ(reach_browser([&] { from_carrier(before); }), 1u);
  describe(keys(kNext));
  describe(keys());
  EXPECT_EQ(reach_browser([&] { from_carrier(before); }), 0u) << "a replay";
  EXPECT_EQ(reach_browser([&] { from_carrier(sealed()); }), 1u);
}

// RFC 3711 §3.3.1: a sequence that begins anew is a replay, unless it is allowed [srtp-begins-anew]
TEST_P(PlaneSdes, ASequenceThatBeginsAnewUnderTheSameKeyIsTakenOnlyIfAskedFor) {
  connect();
  carrier_.sequence = 5000;
  EXPECT_EQ(reach_browser([&] { from_carrier(sealed()); }), 1u);
  carrier_.sequence = 100;
  use_key(kTheirs);
  describe(keys());
  const auto three = [&] {
    for (int i = 0; i < 3; ++i)
      from_carrier(sealed());
  };
  EXPECT_EQ(reach_browser(three), 0u);
  EXPECT_EQ(metric("trunkline_srtp_errors_total,sip,replay"), 3);
  SrtpKeys asked = keys();
  asked.begins_anew = true;
  describe(asked);
  // The first packet behind such a jump may be a stray: the second confirms it (RFC 3550 A.1).
  EXPECT_GE(reach_browser(three), 1u);
  EXPECT_EQ(metric("trunkline_srtp_errors_total,sip,replay"), 3);
}

TEST_P(PlaneSdes, GoesToPlainAndBackAsTheDescriptionsSay) {
  connect();
  describe(std::nullopt);
  EXPECT_EQ(reach_browser([&] { from_carrier(carrier_.packet(kAudio)); }), 1u);
  browser_->send_rtp(kAudio, 0, 160);
  run(milliseconds{5});
  EXPECT_EQ(audio_to_carrier().back().bytes.size(), 12 + kAudio.size());
  describe(keys());
  EXPECT_EQ(reach_browser([&] { from_carrier(carrier_.packet(kAudio)); }), 0u);
  EXPECT_EQ(reach_browser([&] { from_carrier(sealed()); }), 1u);
}

// RFC 3711 §9.1: an index is never used twice under one key [srtp-index-once]
TEST_P(PlaneSdes, NoIndexServesTwiceUnderOneKey) {
  Sdes srtp(SrtpEngines(SrtpEngineKind::openssl), 7);
  const auto seal = [&](std::uint16_t sequence) {
    OwnedPacket packet = rtp(7, sequence);
    return srtp.protect(packet.packet, false);
  };
  srtp.describe(keys(), now_);
  EXPECT_EQ(seal(100), SrtpVerdict::ok);
  for (const std::uint8_t other : {4, 5, 6}) {
    srtp.describe(keys(kTheirs, other), now_);
    EXPECT_EQ(seal(100), SrtpVerdict::ok);
  }
  srtp.describe(std::nullopt, now_);
  srtp.describe(keys(), now_);
  EXPECT_EQ(seal(100), SrtpVerdict::replayed);
  EXPECT_EQ(seal(101), SrtpVerdict::ok);
}

TEST_P(PlaneSdes, AKeyOfTheWrongLengthOpensAndSealsNothing) {
  Sdes srtp(SrtpEngines(SrtpEngineKind::openssl), 7);
  OwnedPacket packet = rtp(7, 100);
  srtp.describe(SrtpKeys{profile(), {}, {}}, now_);
  EXPECT_EQ(srtp.protect(packet.packet, false), SrtpVerdict::refused);
  EXPECT_EQ(srtp.unprotect(packet.packet, false, now_), SrtpVerdict::authentication);
}

INSTANTIATE_TEST_SUITE_P(Profiles, PlaneSdes, testing::ValuesIn(kProfiles));

}  // namespace
}  // namespace trunkline::media
