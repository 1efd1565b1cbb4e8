// What strangers and dishonest peers may try. The rules: octets without proof change no
// destination, no state, no timer; a failed proof is only a counter; nobody without proof gets an
// answer.
#include "plane_world.hpp"

namespace trunkline::media {
namespace {

using test::at;
using test::OwnedPacket;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using trunkline::test::BrowserMedia;
using trunkline::test::BrowserMediaSettings;

class PlaneAttack : public test::PlaneWorld {
 protected:
  const SocketAddress stranger = at("203.0.113.66:4444");

  void begin_call(BrowserMediaSettings settings = {}) {
    browser_ = std::make_unique<BrowserMedia>(std::move(settings), random_);
    execute(browser_order(*browser_));
    execute(trunk_order());
    route_both();
  }
  void connect(bool client = true) {
    browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), client,
                      now_);
  }
  std::vector<std::uint8_t> client_hello() {
    BrowserMedia other({}, random_);
    // The hello of a browser that believes its check succeeded, sent by somebody else.
    std::vector<std::uint8_t> hello(60, 0);
    hello[0] = 22;
    hello[1] = 254;
    hello[2] = 253;
    store16(hello, 11, 47);
    hello[13] = 1;
    return hello;
  }
};

// RFC 5763 §6.7.1: no handshake with strangers [dtls-checked-source]
TEST_F(PlaneAttack, NeverAnswersAHelloFromAnAddressThatIceDoesNotKnow) {
  begin_call();
  receive(kBrowserSocket, stranger, client_hello());
  EXPECT_THAT(sent_to(stranger), IsEmpty());
  EXPECT_EQ(dropped("webrtc", "unknown_source"), 1);
}

// RFC 5763 §6.7.1: strangers disturb no handshake [dtls-checked-source]
TEST_F(PlaneAttack, ConnectsUnderASprayOfForeignHellosAndAlerts) {
  begin_call();
  connect();
  const std::vector<std::uint8_t> alert{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40};
  for (int i = 0; i < 20; ++i) {
    receive(kBrowserSocket, stranger, client_hello());
    receive(kBrowserSocket, stranger, alert);
    browser_->on_deadline(now_);
    auto datagrams = browser_->take_datagrams();
    for (const auto& datagram : datagrams) {
      receive(kBrowserSocket, stranger, client_hello());
      receive(kBrowserSocket, browser_address_, datagram);
      receive(kBrowserSocket, stranger, alert);
    }
    end_turn();
    exchange();
  }
  EXPECT_TRUE(browser_->dtls_connected());
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(1));
  EXPECT_THAT(sent_to(stranger), IsEmpty());
}

// RFC 6347 §4.1.2.7: a forged alert [dtls-noise]
TEST_F(PlaneAttack, SurvivesAForgedAlertFromTheRightAddressDuringTheHandshake) {
  begin_call();
  connect();
  browser_->on_deadline(now_);
  const auto check = browser_->take_datagrams();
  receive(kBrowserSocket, browser_address_, check.at(0));
  const std::vector<std::uint8_t> alert{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40};
  receive(kBrowserSocket, browser_address_, alert);
  run(milliseconds{500});
  EXPECT_TRUE(browser_->dtls_connected());
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
}

TEST_F(PlaneAttack, AForgedAlertAfterTheHandshakeEndsNothing) {
  connect_call();
  const std::vector<std::uint8_t> alert{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40};
  receive(kBrowserSocket, browser_address_, alert);
  browser_->send_tone(440, now_);
  run(milliseconds{200});
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
  EXPECT_GE(audio_to_carrier().size(), 8u);
}

// RFC 5763 §5: as server [dtls-certificate-checked]
TEST_F(PlaneAttack, AWrongCertificateGetsNoMediaAndFailsTheLeg) {
  begin_call();
  execute(RemoveLeg{kBrowser});
  AddBrowserLeg order = browser_order(*browser_);
  order.remote.fingerprints = {identity_->fingerprint()};
  execute(order);
  route_both();
  connect();
  run(milliseconds{300});
  for (int i = 0; i < 5; ++i)
    from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{100});
  ASSERT_THAT(events<LegFailed>(), SizeIs(1));
  EXPECT_EQ(events<LegFailed>()[0].failure, MediaFailure::dtls_fingerprint);
  EXPECT_THAT(events<DtlsConnected>(), IsEmpty());
  EXPECT_EQ(browser_->received().rtp + browser_->received().srtp_errors, 0u);
  EXPECT_TRUE(browser_->dtls_failed());
  EXPECT_EQ(metric("trunkline_dtls_handshakes_total,failed,fingerprint"), 1);
}

// RFC 5763 §5: as client [dtls-certificate-checked]
TEST_F(PlaneAttack, AWrongCertificateAsDtlsServerFailsTheLegToo) {
  begin_call();
  execute(RemoveLeg{kBrowser});
  AddBrowserLeg order = browser_order(*browser_);
  order.remote.fingerprints = {identity_->fingerprint()};
  order.remote.role = DtlsRole::client;
  execute(order);
  connect(false);
  run(milliseconds{300});
  ASSERT_THAT(events<LegFailed>(), SizeIs(1));
  EXPECT_EQ(events<LegFailed>()[0].failure, MediaFailure::dtls_fingerprint);
}

// RFC 5763 §5: none is not enough [dtls-certificate-checked]
TEST_F(PlaneAttack, AClientWithoutCertificateGetsNothing) {
  BrowserMediaSettings settings;
  settings.send_certificate = false;
  begin_call(settings);
  connect();
  run(seconds{16});
  EXPECT_THAT(events<DtlsConnected>(), IsEmpty());
  ASSERT_THAT(events<LegFailed>(), SizeIs(1));
  EXPECT_EQ(events<LegFailed>()[0].failure, MediaFailure::dtls_alert);
}

// RFC 5764 §4.1.2: none [srtp-profile]
TEST_F(PlaneAttack, AClientWithoutUseSrtpFailsTheLeg) {
  BrowserMediaSettings settings;
  settings.srtp_profiles = "SRTP_AES128_CM_SHA1_32";
  begin_call(settings);
  connect();
  run(milliseconds{300});
  EXPECT_THAT(events<DtlsConnected>(), IsEmpty());
  ASSERT_THAT(events<LegFailed>(), SizeIs(1));
  EXPECT_EQ(events<LegFailed>()[0].failure, MediaFailure::dtls_profile);
}

// RFC 5763 §6.7.1: nor is their RTP media [dtls-checked-source]
// RFC 3711 §3.3: what is not sealed is no media [srtp-authentic]
TEST_F(PlaneAttack, PlainRtpOnTheBrowserPortIsNotMedia) {
  connect_call();
  receive(kBrowserSocket, browser_address_, carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  EXPECT_THAT(audio_to_carrier(), IsEmpty());
  EXPECT_EQ(dropped("webrtc", "srtp"), 1);
}

// RFC 3711 §3.3: bad packets are counted, and end no call [srtp-authentic]
TEST_F(PlaneAttack, AThousandsOfBadPacketsEndNoCall) {
  connect_call();
  std::vector<std::uint8_t> garbage(182);
  for (std::uint32_t i = 0; i < 5000; ++i) {
    random_.fill(garbage);
    garbage[0] = 0x80;
    garbage[1] = 0;
    receive(kBrowserSocket, browser_address_, garbage);
    now_ += milliseconds{3};
  }
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
  EXPECT_EQ(metric("trunkline_srtp_errors_total,webrtc,auth"), 5000);
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  EXPECT_THAT(audio_to_carrier(), Not(IsEmpty()));
}

// RFC 3711 §3.3.2: a replayed packet goes nowhere [srtp-replay]
TEST_F(PlaneAttack, ReplayedSrtpIsForwardedOnce) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{200});
  browser_->send_tone(0, now_);
  run(milliseconds{20});
  const auto before = audio_to_carrier().size();
  for (const auto& packet : browser_->sent_srtp()) {
    receive(kBrowserSocket, browser_address_, packet);
    receive(kBrowserSocket, stranger, packet);
  }
  EXPECT_EQ(audio_to_carrier().size(), before);
  EXPECT_GT(metric("trunkline_srtp_errors_total,webrtc,replay"), 5);
  EXPECT_THAT(sent_to(stranger), IsEmpty());
}

// RFC 8445 §19.2: a replayed check moves no media [ice-stolen-nomination]
TEST_F(PlaneAttack, AReplayedCheckFromElsewhereMovesNoMedia) {
  begin_call();
  connect();
  browser_->on_deadline(now_);
  const auto checks = browser_->take_datagrams();
  receive(kBrowserSocket, browser_address_, checks.at(0));
  run(milliseconds{100});
  for (int i = 0; i < 50; ++i) {
    receive(kBrowserSocket, stranger, checks.at(0));
    from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
    run(milliseconds{20});
  }
  EXPECT_GE(browser_->received().rtp, 50u);
  for (const auto& one : sent_to(stranger)) {
    EXPECT_NE(rtp::classify(one.bytes), rtp::DatagramKind::rtp);
  }
}

// RFC 8489 §9.1.3: a wrong password makes nothing known [stun-authentic]
TEST_F(PlaneAttack, ACheckWithTheWrongPasswordGetsNoAnswer) {
  begin_call();
  browser_->connect({"ufrag1", "notthepasswordatall00000"}, identity_->fingerprint(), true, now_);
  run(seconds{1});
  EXPECT_THAT(sent_to(browser_address_), IsEmpty());
  EXPECT_GE(dropped("webrtc", "stun"), 2);
}

// RFC 8489 §9.1.3: nor to one for nobody [stun-silent]
TEST_F(PlaneAttack, ACheckForAnUnknownUfragGetsNoAnswer) {
  begin_call();
  browser_->connect({"nobody", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  run(seconds{1});
  EXPECT_THAT(sent_to(browser_address_), IsEmpty());
}

TEST_F(PlaneAttack, ACallOfOnesOwnDoesNotTakeAnothersAddress) {
  connect_call();
  BrowserMedia thief({}, random_);
  execute(browser_order(thief, kSecondBrowser));
  thief.connect({"ufrag4", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  const auto before = audio_to_carrier().size();
  thief.on_deadline(now_);
  for (const auto& datagram : thief.take_datagrams()) {
    receive(kBrowserSocket, browser_address_, datagram);
  }
  run(milliseconds{200});
  EXPECT_GE(audio_to_carrier().size(), before + 9);
}

// RFC 7362 §5: a sprayer is not heard [media-not-bled]
TEST_F(PlaneAttack, RtpSprayedAtATrunkPortReachesNobody) {
  for (const SourcePolicy policy :
       {SourcePolicy::pinned, SourcePolicy::same_host, SourcePolicy::subnet}) {
    make_plane({});
    sent_.clear();
    delivered_ = 0;
    execute(browser_order(*browser_));
    execute(trunk_order(kTrunk, policy));
    route_both();
    for (std::uint16_t i = 0; i < 100; ++i) {
      auto packet = carrier_.packet(std::vector<std::uint8_t>(160, 1));
      receive(kRtp1, stranger, packet);
      receive(kRtcp1, stranger, std::vector<std::uint8_t>{0x80, 200, 0, 0});
      receive(kRtcp1, stranger, std::vector<std::uint8_t>{0x81, 203, 0, 1, 0, 0, 0, 1});
    }
    EXPECT_EQ(dropped("sip", "unknown_source"), 300);
    EXPECT_THAT(sent_to(stranger), IsEmpty());
    EXPECT_THAT(events<FirstPacket>(), IsEmpty());
  }
}

// RFC 7362 §5: and hears nothing [media-not-bled]
TEST_F(PlaneAttack, ALockedTrunkLegSendsNothingToASprayer) {
  execute(browser_order(*browser_));
  execute(trunk_order(kTrunk, SourcePolicy::learn));
  route_both();
  browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  run(milliseconds{100});
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  browser_->send_tone(440, now_);
  for (int i = 0; i < 50; ++i) {
    receive(kRtp1, stranger, carrier_.packet(std::vector<std::uint8_t>(160, 1)));
    run(milliseconds{20});
  }
  EXPECT_THAT(sent_to(stranger), IsEmpty());
  EXPECT_EQ(browser_->received().rtp, 1u);
  EXPECT_GE(audio_to_carrier().size(), 48u);
}

TEST_F(PlaneAttack, AForgedByeEndsNothing) {
  connect_call();
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  std::vector<std::uint8_t> bye{0x80, 201, 0, 1, 0x77, 0x77, 0, 0,
                                0x81, 203, 0, 1, 0x77, 0x77, 0, 0};
  receive(kRtcp1, at("198.51.100.9:5001"), bye);
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{20});
  EXPECT_EQ(browser_->received().rtp, 2u);
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
}

// RFC 3550 §9: what is more is dropped before it costs [rate-limit]
TEST_F(PlaneAttack, AFloodOnOneLegIsCutBeforeItCosts) {
  connect_call();
  for (int i = 0; i < 2000; ++i) {
    from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  }
  EXPECT_EQ(dropped("sip", "rate"), 1600);
  now_ += seconds{1};
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  EXPECT_EQ(dropped("sip", "rate"), 1600) << "the next second is good again";
}

// RFC 3550 §9: what others send does not count [rate-limit]
TEST_F(PlaneAttack, StrangersDoNotUseUpThePeersRate) {
  connect_call();
  for (int i = 0; i < 2000; ++i)
    receive(kRtp1, stranger, carrier_.packet({}));
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{5});
  EXPECT_EQ(browser_->received().rtp, 1u);
}

// RFC 6347 §4.2.4: limited in number [dtls-portions]
TEST_F(PlaneAttack, HandshakesBeyondTheBudgetWait) {
  make_plane({.dtls_handshakes = 0});
  begin_call();
  connect();
  run(milliseconds{100});
  EXPECT_TRUE(browser_->ice_connected());
  EXPECT_FALSE(browser_->dtls_connected());
  EXPECT_GE(dropped("webrtc", "dtls_limit"), 1);
}

// RFC 6347 §4.2.4: two steps a turn [dtls-portions]
TEST_F(PlaneAttack, ABurstOfHandshakesIsTakenInSmallPortionsBehindTheSound) {
  connect_call();
  constexpr std::uint64_t kBurst = 20;
  std::vector<std::vector<std::uint8_t>> hellos;
  std::vector<SocketAddress> from;
  for (std::uint64_t i = 0; i < kBurst; ++i) {
    BrowserMedia other({}, random_);
    const LegId leg{100 + i};
    from.push_back({*IpAddress::parse("192.0.2.60"), static_cast<std::uint16_t>(1000 + i)});
    execute(browser_order(other, leg));
    other.connect({"ufrag" + std::to_string(leg.value), "thepasswordthatisours000"},
                  identity_->fingerprint(), true, now_);
    other.on_deadline(now_);
    for (const auto& check : other.take_datagrams())
      receive(kBrowserSocket, from.back(), check);
    other.receive(sent_to(from.back()).front().bytes, now_);
    for (auto& hello : other.take_datagrams())
      hellos.push_back(std::move(hello));
  }
  ASSERT_EQ(hellos.size(), kBurst);
  sent_.clear();
  delivered_ = 0;
  for (std::uint64_t i = 0; i < kBurst; ++i)
    receive(kBrowserSocket, from[i], hellos[i]);
  EXPECT_THAT(sent_, IsEmpty());
  const auto answered = [&] {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(from, [this](const auto& one) { return !sent_to(one).empty(); }));
  };
  for (std::uint64_t turn = 1; turn <= kBurst / 2; ++turn) {
    EXPECT_LE(plane_->deadline(), now_) << "it goes on at once";
    from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
    EXPECT_THAT(sent_to(browser_address_), SizeIs(turn)) << "sound does not wait";
    end_turn();
    EXPECT_EQ(answered(), 2 * turn);
  }
  EXPECT_GT(plane_->deadline(), now_);
}

// RFC 6347 §4.2.4: in turn [dtls-portions]
TEST_F(PlaneAttack, OneBrowsersFloodOfHandshakeDatagramsDelaysNoOther) {
  execute(browser_order(*browser_));
  browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  browser_->on_deadline(now_);
  for (const auto& check : browser_->take_datagrams())
    receive(kBrowserSocket, browser_address_, check);
  browser_->receive(sent_to(browser_address_).front().bytes, now_);
  const auto hello = browser_->take_datagrams().front();
  for (int i = 0; i < 50; ++i)
    receive(kBrowserSocket, browser_address_, hello);
  EXPECT_GT(dropped("webrtc", "dtls_limit"), 40);
  BrowserMedia other({}, random_);
  const auto elsewhere = at("192.0.2.61:61");
  execute(browser_order(other, kSecondBrowser));
  other.connect({"ufrag4", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  other.on_deadline(now_);
  for (const auto& check : other.take_datagrams())
    receive(kBrowserSocket, elsewhere, check);
  other.receive(sent_to(elsewhere).front().bytes, now_);
  receive(kBrowserSocket, elsewhere, other.take_datagrams().front());
  end_turn();
  EXPECT_GT(sent_to(elsewhere).size(), 1u) << "its turn is the second";
}

TEST_F(PlaneAttack, AFinishedHandshakeGivesItsPlaceBack) {
  make_plane({.dtls_handshakes = 1});
  begin_call();
  connect();
  run(milliseconds{100});
  ASSERT_TRUE(browser_->dtls_connected());
  execute(RemoveLeg{kBrowser});
  browser_ = std::make_unique<BrowserMedia>(BrowserMediaSettings{}, random_);
  execute(browser_order(*browser_));
  connect();
  run(milliseconds{100});
  EXPECT_TRUE(browser_->dtls_connected());
}

// RFC 6347 §4.2.4: limited in time [dtls-portions]
TEST_F(PlaneAttack, AHandshakeThatStallsGivesItsPlaceBackInTime) {
  make_plane({.dtls_handshakes = 1});
  BrowserMedia stalling({}, random_);
  AddBrowserLeg order = browser_order(stalling, kSecondBrowser);
  order.remote.fingerprints.clear();
  execute(order);
  stalling.connect({"ufrag4", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  const SocketAddress its_address = at("192.0.2.77:1234");
  for (int i = 0; i < 2; ++i) {
    stalling.on_deadline(now_);
    for (const auto& datagram : stalling.take_datagrams()) {
      receive(kBrowserSocket, its_address, datagram);
    }
    for (; delivered_ < sent_.size() && i == 0; ++delivered_) {
      stalling.receive(sent_[delivered_].bytes, now_);
    }
  }
  begin_call();
  connect();
  run(seconds{1});
  EXPECT_FALSE(browser_->dtls_connected());
  run(seconds{15});
  execute(RemoveLeg{kBrowser});
  browser_ = std::make_unique<BrowserMedia>(BrowserMediaSettings{}, random_);
  execute(browser_order(*browser_));
  connect();
  run(milliseconds{100});
  EXPECT_TRUE(browser_->dtls_connected());
}

// RFC 8445 §12.2: whatever it is [datagram-size]
TEST_F(PlaneAttack, EveryStrangeDatagramIsDroppedQuietly) {
  connect_call();
  const auto before = sent_.size();
  for (std::size_t size = 0; size < 80; ++size) {
    for (const std::uint32_t first :
         {0u, 1u, 3u, 16u, 20u, 22u, 63u, 64u, 79u, 127u, 128u, 144u, 191u, 192u, 255u}) {
      std::vector<std::uint8_t> bytes(size);
      random_.fill(bytes);
      if (size > 0) bytes[0] = static_cast<std::uint8_t>(first);
      receive(kBrowserSocket, stranger, bytes);
      receive(kBrowserSocket, browser_address_, bytes);
      receive(kRtp1, carrier_.address, bytes);
      receive(kRtcp1, carrier_.address, bytes);
      now_ += milliseconds{10};
    }
  }
  EXPECT_EQ(sent_.size(), before);
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
}

// RFC 8445 §12.2: size [datagram-size]
TEST_F(PlaneAttack, OversizedAndEmptyDatagramsAreDropped) {
  std::vector<std::uint8_t> big(kMaxDatagram + 1, 0x80);
  Packet packet{big.data(), big.size()};
  plane_->receive(kRtp1, carrier_.address, packet, now_, *outbox_, events_);
  plane_->receive(kRtp1, carrier_.address, Packet{big.data(), 0}, now_, *outbox_, events_);
  plane_->receive(99, carrier_.address, Packet{big.data(), 100}, now_, *outbox_, events_);
  EXPECT_EQ(dropped("sip", "size"), 2);
}

}  // namespace
}  // namespace trunkline::media
