// A call through the plane: a browser with ICE, DTLS and SRTP on one side, a carrier with plain RTP
// on the other.
#include "plane_world.hpp"

namespace trunkline::media {
namespace {

using test::at;
using test::Sent;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class PlaneCall : public test::PlaneWorld {};

TEST_F(PlaneCall, ConnectsIceThenDtls) {
  connect_call();
  ASSERT_THAT(events<IceConnected>(), SizeIs(1));
  EXPECT_EQ(events<IceConnected>()[0].remote, browser_address_);
  ASSERT_THAT(events<DtlsConnected>(), SizeIs(1));
  EXPECT_EQ(events<DtlsConnected>()[0].profile, "AEAD_AES_128_GCM");
  EXPECT_TRUE(browser_->dtls_connected());
}

TEST_F(PlaneCall, AnswersChecksWithTheMappedAddress) {
  connect_call();
  EXPECT_EQ(browser_->mapped_address(), browser_address_);
}

TEST_F(PlaneCall, CarriesAudioFromTheBrowserToTheCarrier) {
  connect_call();
  browser_->send_tone(440, now_);
  run(seconds{1});
  const auto audio = audio_to_carrier();
  ASSERT_GE(audio.size(), 49u);
  EXPECT_EQ(audio[0].socket, kRtp1);
  trunkline::test::ToneMeter meter(440);
  for (const Sent& one : audio)
    meter.add(ByteView(one.bytes).subspan(12));
  EXPECT_GE(meter.heard(), 9u);
}

TEST_F(PlaneCall, CarriesAudioFromTheCarrierToTheBrowser) {
  connect_call();
  for (std::uint64_t i = 0; i < 50; ++i) {
    from_carrier(carrier_.packet(trunkline::test::ulaw_tone(440, i * 160)));
    run(milliseconds{20});
  }
  EXPECT_EQ(browser_->received().rtp, 50u);
  EXPECT_EQ(browser_->received().srtp_errors, 0u);
  EXPECT_GE(browser_->tone().heard(), 9u);
}

// RFC 3550 §8: one SSRC [own-ssrc]
TEST_F(PlaneCall, SendsWithItsOwnSsrcAndContinuousSequence) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{200});
  const auto audio = audio_to_carrier();
  ASSERT_GE(audio.size(), 5u);
  for (std::size_t i = 0; i < audio.size(); ++i) {
    EXPECT_EQ(header(audio[i]).ssrc, 0xc0000002u);
    EXPECT_EQ(header(audio[i]).sequence, static_cast<std::uint16_t>(header(audio[0]).sequence + i));
    EXPECT_EQ(header(audio[i]).timestamp, header(audio[0]).timestamp + 160 * i);
  }
  EXPECT_TRUE(header(audio[0]).marker);
  EXPECT_FALSE(header(audio[1]).marker);
}

// RFC 3264 §6.1: each side has its own [payload-types-mapped]
TEST_F(PlaneCall, MapsPayloadTypes) {
  connect_call();
  execute(SetRoute{kBrowser, kTrunk, {{111, 96, 48000, 48000, false}}});
  browser_->send_rtp(std::vector<std::uint8_t>(40, 1), 111, 960);
  run(milliseconds{10});
  ASSERT_THAT(audio_to_carrier(), SizeIs(1));
  EXPECT_EQ(header(audio_to_carrier()[0]).payload_type, 96);
}

// RFC 3550 §5.1: nothing of it is sent on [payload-type-unknown]
TEST_F(PlaneCall, DropsAndCountsAPayloadTypeThatNoRouteLists) {
  connect_call();
  browser_->send_rtp(std::vector<std::uint8_t>(40, 1), 63, 960);
  run(milliseconds{10});
  EXPECT_THAT(audio_to_carrier(), IsEmpty());
  EXPECT_EQ(dropped("webrtc", "unknown_payload"), 1);
}

// RFC 3550 §5.3.1: they are not sent on [extensions-stripped]
TEST_F(PlaneCall, StripsExtensionsContributorsAndPadding) {
  connect_call();
  auto packet = carrier_.packet(std::vector<std::uint8_t>(160, 0x33));
  packet[0] = 0x80 | 0x20 | 0x10 | 2;
  const std::vector<std::uint8_t> middle{0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 1, 2, 3, 4};
  packet.insert(packet.begin() + 12, middle.begin(), middle.end());
  packet.insert(packet.end(), {0, 0, 0, 4});
  from_carrier(packet);
  run(milliseconds{10});
  ASSERT_EQ(browser_->received().rtp, 1u);
  EXPECT_THAT(browser_->received().payload, SizeIs(160));
}

// RFC 3550 §5.1: they are kept [sequence-mapped]
TEST_F(PlaneCall, KeepsLossAndReorderingOfTheSource) {
  connect_call();
  std::vector<std::vector<std::uint8_t>> packets;
  for (int i = 0; i < 6; ++i)
    packets.push_back(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  for (const int i : {0, 1, 3, 2, 5})
    from_carrier(packets[static_cast<std::size_t>(i)]);
  run(milliseconds{10});
  EXPECT_EQ(browser_->received().rtp, 5u);
  EXPECT_EQ(browser_->received().sequence_gaps, 3u) << "1-3, 3-2, 2-5";
}

TEST_F(PlaneCall, ReportsTheFirstPacketOfEachLegOnce) {
  connect_call();
  browser_->send_tone(440, now_);
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{100});
  const auto first = events<FirstPacket>();
  ASSERT_THAT(first, SizeIs(2));
  EXPECT_EQ(first[0].leg, kTrunk);
  EXPECT_EQ(first[0].remote, carrier_.address);
  EXPECT_EQ(first[1].leg, kBrowser);
}

TEST_F(PlaneCall, EchoesALegThatIsRoutedToItself) {
  execute(browser_order(*browser_));
  execute(SetRoute{kBrowser, kBrowser, {{0, 0, 8000, 8000, false}}});
  browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  run(milliseconds{100});
  browser_->send_tone(440, now_);
  run(seconds{1});
  EXPECT_GE(browser_->tone().heard(), 8u);
  EXPECT_EQ(browser_->received().ssrc, 0xb0000001u);
}

TEST_F(PlaneCall, StopsWhenTheRouteIsCleared) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  const auto before = audio_to_carrier().size();
  execute(ClearRoute{kBrowser, kTrunk});
  run(milliseconds{200});
  EXPECT_EQ(audio_to_carrier().size(), before);
  EXPECT_GT(dropped("webrtc", "no_route"), 5);
}

// RFC 3550 §8: another source does not either [own-ssrc]
TEST_F(PlaneCall, ContinuesTheLineWhenAnotherSourceTakesOver) {
  connect_call();
  for (int i = 0; i < 5; ++i) {
    from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
    run(milliseconds{20});
  }
  const auto last = browser_->received();
  test::TrunkPeer other{at("198.51.100.77:7000"), 0x1234, 60000, 5};
  AddTrunkLeg order = trunk_order(kSecondTrunk);
  order.remote = {other.address, at("198.51.100.77:7001"), false};
  execute(order);
  execute(ClearRoute{kTrunk, kBrowser});
  execute(SetRoute{kSecondTrunk, kBrowser, {{0, 0, 8000, 8000, false}}});
  run(milliseconds{980});
  receive(kRtp2, other.address, other.packet(std::vector<std::uint8_t>(160, 2)));
  run(milliseconds{5});
  const auto& now = browser_->received();
  EXPECT_EQ(now.rtp, last.rtp + 1);
  EXPECT_EQ(now.ssrc, last.ssrc);
  EXPECT_EQ(now.sequence, static_cast<std::uint16_t>(last.sequence + 1));
  EXPECT_NEAR(now.timestamp - last.timestamp, 8000, 200) << "a second by the wall clock";
  EXPECT_TRUE(now.marker);
}

TEST_F(PlaneCall, GivesOneSourceToSeveralLegs) {
  connect_call();
  AddTrunkLeg order = trunk_order(kSecondTrunk);
  order.remote = {at("198.51.100.77:7000"), at("198.51.100.77:7001"), false};
  execute(order);
  execute(SetRoute{kBrowser, kSecondTrunk, {{0, 8, 8000, 8000, false}}});
  browser_->send_rtp(std::vector<std::uint8_t>(160, 9), 0, 160);
  run(milliseconds{5});
  ASSERT_THAT(audio_to_carrier(), SizeIs(1));
  ASSERT_THAT(sent_to(at("198.51.100.77:7000")), SizeIs(1));
  EXPECT_EQ(header(sent_to(at("198.51.100.77:7000"))[0]).payload_type, 8);
  EXPECT_EQ(sent_to(at("198.51.100.77:7000"))[0].socket, kRtp2);
  EXPECT_THAT(ByteView(audio_to_carrier()[0].bytes).subspan(12),
              ElementsAreArray(std::vector<std::uint8_t>(160, 9)));
}

TEST_F(PlaneCall, WorksWithTheLibsrtpEngineToo) {
  make_plane({.srtp_engines = SrtpEngineKind::libsrtp});
  connect_call();
  browser_->send_tone(440, now_);
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{200});
  EXPECT_GE(audio_to_carrier().size(), 9u);
  EXPECT_EQ(browser_->received().rtp, 1u);
}

TEST_F(PlaneCall, CountsWhatItCarried) {
  connect_call();
  browser_->send_rtp(std::vector<std::uint8_t>(160, 1), 0, 160);
  run(milliseconds{5});
  EXPECT_EQ(metric("trunkline_rtp_packets_total,webrtc,in"), 1);
  EXPECT_EQ(metric("trunkline_rtp_packets_total,sip,out"), 1);
  EXPECT_EQ(metric("trunkline_rtp_bytes_total,sip,out"), 160);
  EXPECT_EQ(metric("trunkline_media_sessions,webrtc"), 1);
  EXPECT_EQ(metric("trunkline_ice_sessions_total,connected"), 1);
  EXPECT_EQ(metric("trunkline_dtls_handshakes_total,connected,none"), 1);
}

TEST_F(PlaneCall, EndsWithByeCloseNotifyAndStatistics) {
  connect_call();
  browser_->send_tone(440, now_);
  for (int i = 0; i < 10; ++i) {
    from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
    run(milliseconds{20});
  }
  execute(RemoveLeg{kBrowser});
  exchange();
  EXPECT_EQ(browser_->received().byes, 1u);
  EXPECT_TRUE(browser_->closed());
  ASSERT_THAT(events<LegClosed>(), SizeIs(1));
  const LegStatistics statistics = events<LegClosed>()[0].statistics;
  EXPECT_EQ(statistics.packets_received, 10u);
  EXPECT_EQ(statistics.bytes_received, 1600u);
  EXPECT_EQ(statistics.packets_sent, 10u);
  EXPECT_EQ(statistics.packets_lost, 0u);
  EXPECT_EQ(plane_->legs(), 1u);
  EXPECT_EQ(metric("trunkline_media_sessions,webrtc"), 0);
}

TEST_F(PlaneCall, ForgetsARemovedLegEntirely) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  execute(RemoveLeg{kBrowser});
  execute(RemoveLeg{kTrunk});
  const auto before = sent_.size();
  run(seconds{1});
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  EXPECT_EQ(sent_.size(), before);
  EXPECT_EQ(plane_->deadline(), kNever);
  EXPECT_EQ(dropped("sip", "unknown_source"), 1);
}

// RFC 3264 §8.3.1: the leg goes to another port pair, and its line goes on
TEST_F(PlaneCall, MovesATrunkLegToAnotherPair) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  const auto before = audio_to_carrier();
  ASSERT_FALSE(before.empty());
  const SocketAddress there = at("198.51.100.77:6000");
  execute(
      UpdateTrunkLeg{kTrunk, {there, at("198.51.100.77:6001"), false}, at("203.0.113.1:20002")});
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  auto after = sent_to(there);
  std::erase_if(after, [](const Sent& one) { return rtp::is_rtcp(one.bytes); });
  ASSERT_FALSE(after.empty());
  EXPECT_EQ(after.front().socket, kRtp2);
  EXPECT_EQ(header(after.front()).ssrc, header(before.back()).ssrc);
  EXPECT_EQ(header(after.front()).sequence,
            static_cast<std::uint16_t>(header(before.back()).sequence + 1));
  EXPECT_EQ(audio_to_carrier().size(), before.size()) << "nothing goes to where it was";

  const auto heard = browser_->received().rtp;
  const std::vector<std::uint8_t> sound(160, 1);
  receive(kRtp2, there, carrier_.packet(sound));
  run(milliseconds{20});
  EXPECT_EQ(browser_->received().rtp, heard + 1);
  receive(kRtp1, there, carrier_.packet(sound));
  EXPECT_EQ(dropped("sip", "unknown_source"), 1) << "the old pair is nobody's";
  execute(RemoveLeg{kTrunk});
  execute(trunk_order(kSecondTrunk));
  EXPECT_EQ(plane_->legs(), 2u) << "and both can be had again";
}

TEST_F(PlaneCall, StaysWhereItIsIfTheOtherPairIsTaken) {
  execute(trunk_order());
  execute(trunk_order(kSecondTrunk));
  const SocketAddress there = at("198.51.100.77:6000");
  execute(UpdateTrunkLeg{kTrunk, {there, there, false}, at("203.0.113.1:20002")});
  execute(UpdateTrunkLeg{kTrunk, {there, there, false}, at("203.0.113.9:20000")});
  execute(StartTone{kTrunk});
  run(milliseconds{100});
  EXPECT_FALSE(audio_to_carrier().empty());
  EXPECT_TRUE(sent_to(there).empty());
}

// RFC 3264 §5.1: RTP of the host that was called passes before it is described [receive-early]
TEST_F(PlaneCall, LetsEarlyMediaPass) {
  AddTrunkLeg order = trunk_order();
  order.remote = {};
  order.remote.host = carrier_.address.ip;
  execute(browser_order(*browser_));
  execute(order);
  execute(SetRoute{kTrunk, kBrowser, {{0, 0, 8000, 8000, false}}});
  browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  run(milliseconds{100});
  const std::vector<std::uint8_t> sound(160, 1);
  from_carrier(carrier_.packet(sound));
  receive(kRtp1, at("198.51.100.66:5000"), carrier_.packet(sound));
  run(milliseconds{20});
  EXPECT_EQ(browser_->received().rtp, 1u);
  EXPECT_EQ(dropped("sip", "unknown_source"), 1);
  EXPECT_TRUE(audio_to_carrier().empty());
}

TEST_F(PlaneCall, ClosesALegThatItNeverHad) {
  execute(RemoveLeg{LegId{99}});
  ASSERT_THAT(events<LegClosed>(), SizeIs(1));
  EXPECT_EQ(events<LegClosed>()[0].leg, LegId{99});
}

// RFC 3261 §21.5.4: legs of a worker [media-limits]
TEST_F(PlaneCall, RefusesMoreLegsThanAllowed) {
  make_plane({.max_legs = 1});
  execute(browser_order(*browser_));
  execute(trunk_order());
  EXPECT_EQ(plane_->legs(), 1u);
}

}  // namespace
}  // namespace trunkline::media
