// The browser leg's transport: ICE, DTLS in both roles, their timers, and what changes while the
// call runs.
#include "openssl_clock.hpp"
#include "plane_world.hpp"

namespace trunkline::media {
namespace {

using test::at;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using trunkline::test::BrowserMedia;
using trunkline::test::BrowserMediaSettings;

class PlaneBrowser : public test::PlaneWorld {
 protected:
  void connect(bool client = true) {
    browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), client,
                      now_);
  }
  void add(const AddBrowserLeg& order) {
    execute(order);
    execute(trunk_order());
    route_both();
  }
  MediaFailure failure() const {
    const auto failed = events<LegFailed>();
    EXPECT_THAT(failed, SizeIs(1));
    return failed.empty() ? MediaFailure::count_ : failed[0].failure;
  }
};

TEST_F(PlaneBrowser, FailsWithoutACheckWithin30Seconds) {
  add(browser_order(*browser_));
  run(milliseconds{29990});
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
  run(milliseconds{20});
  EXPECT_EQ(failure(), MediaFailure::ice_timeout);
  EXPECT_EQ(metric("trunkline_ice_sessions_total,timeout"), 1);
}

TEST_F(PlaneBrowser, FailsWhenConsentRunsOut) {
  connect_call();
  browser_->send_tone(440, now_);
  run(seconds{1});
  browser_->pause_checks(true);
  run(seconds{32});
  EXPECT_EQ(failure(), MediaFailure::consent_expired);
  const auto before = audio_to_carrier().size();
  run(seconds{1});
  EXPECT_EQ(audio_to_carrier().size(), before) << "a dead leg takes nothing more";
}

// RFC 7675 §5.1: without consent nothing is sent [ice-consent]
TEST_F(PlaneBrowser, SendsNothingMoreAfterConsentRanOut) {
  connect_call();
  browser_->pause_checks(true);
  run(seconds{32});
  const auto before = sent_to(browser_address_).size();
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(seconds{10});
  EXPECT_EQ(sent_to(browser_address_).size(), before);
}

// RFC 8842 §5.1: a restart needs no handshake [ice-restart-association]
TEST_F(PlaneBrowser, AnIceRestartRevivesALegWhoseConsentRanOut) {
  connect_call();
  browser_->pause_checks(true);
  run(seconds{32});
  BrowserRemote restart;
  restart.local_ice = IceCredentials{"fresh1", "anotherpasswordofours000"};
  restart.ice = browser_->ice();
  execute(UpdateBrowserLeg{kBrowser, restart});
  browser_->pause_checks(false);
  browser_->connect(*restart.local_ice, identity_->fingerprint(), true, now_);
  run(milliseconds{100});
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{10});
  EXPECT_EQ(browser_->received().rtp, 1u) << "without a new DTLS handshake";
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(1));
}

// RFC 8445 §9: media go on meanwhile [ice-restart-kept]
TEST_F(PlaneBrowser, KeepsMediaDuringAnIceRestart) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{200});
  BrowserRemote restart;
  restart.local_ice = IceCredentials{"fresh1", "anotherpasswordofours000"};
  execute(UpdateBrowserLeg{kBrowser, restart});
  run(milliseconds{200});
  const auto before = audio_to_carrier().size();
  EXPECT_GE(before, 18u);
  browser_->connect(*restart.local_ice, identity_->fingerprint(), true, now_);
  run(milliseconds{600});
  EXPECT_GE(audio_to_carrier().size(), before + 28);
}

TEST_F(PlaneBrowser, TakesChecksWithEitherUfragUntilTheNewOneIsUsed) {
  connect_call();
  BrowserRemote restart;
  restart.local_ice = IceCredentials{"fresh1", "anotherpasswordofours000"};
  execute(UpdateBrowserLeg{kBrowser, restart});
  const double before = dropped("webrtc", "stun");
  run(milliseconds{600});
  EXPECT_EQ(dropped("webrtc", "stun"), before) << "old credentials still good";
  const BrowserMedia& same = *browser_;
  BrowserMedia late({}, random_);
  browser_->connect(*restart.local_ice, identity_->fingerprint(), true, now_);
  run(milliseconds{600});
  EXPECT_TRUE(same.ice_connected());
  late.connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  late.on_deadline(now_);
  for (const auto& datagram : late.take_datagrams()) {
    receive(kBrowserSocket, browser_address_, datagram);
  }
  EXPECT_EQ(dropped("webrtc", "stun"), before + 1) << "old credentials are void now";
}

// RFC 8445 §7.3.1.3: an address that was not signalled is learnt [ice-peer-reflexive]
TEST_F(PlaneBrowser, FollowsABrowserToItsNewAddress) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{200});
  browser_address_ = at("192.0.2.99:7777");
  run(seconds{3});
  for (int i = 0; i < 10; ++i)
    from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{20});
  EXPECT_EQ(browser_->received().rtp, 10u);
}

TEST_F(PlaneBrowser, IsDtlsClientWhenThePeerIsPassive) {
  AddBrowserLeg order = browser_order(*browser_);
  order.remote.role = DtlsRole::client;
  add(order);
  connect(false);
  run(milliseconds{100});
  EXPECT_TRUE(browser_->dtls_connected());
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(1));
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{10});
  EXPECT_EQ(browser_->received().rtp, 1u);
}

// RFC 5764 §5: before all is settled [dtls-any-pair]
TEST_F(PlaneBrowser, TakesAHelloAsServerWhileTheRoleIsOpen) {
  AddBrowserLeg order = browser_order(*browser_);
  order.remote.role = DtlsRole::undecided;
  add(order);
  connect();
  run(milliseconds{100});
  EXPECT_TRUE(browser_->dtls_connected());
}

TEST_F(PlaneBrowser, KeepsTheHandshakeThatBeganBeforeTheAnswerMadeUsServer) {
  AddBrowserLeg order = browser_order(*browser_);
  order.remote = {};
  add(order);
  connect();
  run(milliseconds{100});
  ASSERT_TRUE(browser_->dtls_connected()) << "a called browser starts before its 200 arrives";
  execute(UpdateBrowserLeg{kBrowser,
                           {browser_->ice(), {}, {browser_->fingerprint()}, DtlsRole::server}});
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(1));
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{10});
  EXPECT_EQ(browser_->received().rtp, 1u);
}

TEST_F(PlaneBrowser, MayRingForMinutesAndMustConnectOnlyOnceAnswered) {
  AddBrowserLeg order = browser_order(*browser_);
  order.remote = {};
  add(order);
  run(seconds{180});
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
  execute(UpdateBrowserLeg{kBrowser,
                           {browser_->ice(), {}, {browser_->fingerprint()}, DtlsRole::server}});
  run(seconds{29});
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
  run(seconds{2});
  EXPECT_EQ(failure(), MediaFailure::ice_timeout);
}

TEST_F(PlaneBrowser, StartsAsClientWhenTheAnswerSaysPassive) {
  AddBrowserLeg order = browser_order(*browser_);
  order.remote = {};
  add(order);
  connect(false);
  run(milliseconds{100});
  EXPECT_THAT(events<IceConnected>(), SizeIs(1));
  EXPECT_FALSE(browser_->dtls_connected());
  execute(UpdateBrowserLeg{kBrowser,
                           {browser_->ice(), {}, {browser_->fingerprint()}, DtlsRole::client}});
  run(milliseconds{100});
  EXPECT_TRUE(browser_->dtls_connected());
}

// RFC 8122 §6.2: held until the fingerprint is known [dtls-held]
TEST_F(PlaneBrowser, HoldsAllMediaUntilTheFingerprintIsKnown) {
  AddBrowserLeg order = browser_order(*browser_);
  order.remote.fingerprints.clear();
  add(order);
  connect();
  run(seconds{20});
  EXPECT_TRUE(browser_->dtls_connected()) << "the browser knows ours";
  browser_->send_tone(440, now_);
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{100});
  EXPECT_THAT(audio_to_carrier(), IsEmpty());
  EXPECT_EQ(browser_->received().rtp, 0u);
  EXPECT_GT(dropped("webrtc", "not_ready"), 4);
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
  execute(UpdateBrowserLeg{kBrowser, {{}, {}, {browser_->fingerprint()}, DtlsRole::server}});
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(1));
  run(milliseconds{100});
  EXPECT_THAT(audio_to_carrier(), Not(IsEmpty()));
}

TEST_F(PlaneBrowser, ALateFingerprintThatIsWrongFailsTheLeg) {
  AddBrowserLeg order = browser_order(*browser_);
  order.remote.fingerprints.clear();
  add(order);
  connect();
  run(milliseconds{100});
  execute(UpdateBrowserLeg{kBrowser, {{}, {}, {identity_->fingerprint()}, DtlsRole::server}});
  EXPECT_EQ(failure(), MediaFailure::dtls_fingerprint);
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  EXPECT_THAT(audio_to_carrier(), IsEmpty());
}

// RFC 6347 §4.2.4.1: for 15 s [dtls-timer]
TEST_F(PlaneBrowser, FailsWhenNoHandshakeComesWithin15Seconds) {
  add(browser_order(*browser_));
  connect(false);
  run(milliseconds{14980});
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
  run(milliseconds{100});
  EXPECT_EQ(failure(), MediaFailure::dtls_timeout);
  EXPECT_EQ(metric("trunkline_dtls_handshakes_total,failed,timeout"), 1);
}

TEST_F(PlaneBrowser, RepeatsItsHelloByTheDeadline) {
  test::OpensslClock clock;
  AddBrowserLeg order = browser_order(*browser_);
  order.remote.role = DtlsRole::client;
  add(order);
  browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), false, now_);
  browser_->on_deadline(now_);
  for (const auto& datagram : browser_->take_datagrams()) {
    receive(kBrowserSocket, browser_address_, datagram);
  }
  const auto hellos = [this] {
    auto sent = sent_to(browser_address_);
    std::erase_if(sent, [](const test::Sent& one) {
      return rtp::classify(one.bytes) != rtp::DatagramKind::dtls;
    });
    return sent.size();
  };
  EXPECT_EQ(hellos(), 1u);
  const auto pass = [&](Duration time) {
    clock.advance(time);
    deadline_at(now_ + time);
  };
  EXPECT_LE(plane_->deadline(), now_ + milliseconds{200});
  pass(milliseconds{100});
  EXPECT_EQ(hellos(), 1u);
  pass(milliseconds{100});
  EXPECT_EQ(hellos(), 2u);
  pass(milliseconds{300});
  EXPECT_EQ(hellos(), 2u);
  pass(milliseconds{100});
  EXPECT_EQ(hellos(), 3u);
}

TEST_F(PlaneBrowser, ConnectsThoughTheWallClockIsPutBackWhenAFlightIsLost) {
  for (const bool client : {true, false}) {
    make_plane({});
    events_.clear();
    sent_.clear();
    browser_ = std::make_unique<BrowserMedia>(BrowserMediaSettings{}, random_);
    test::OpensslClock clock;
    AddBrowserLeg order = browser_order(*browser_);
    order.remote.role = client ? DtlsRole::client : DtlsRole::server;
    add(order);
    connect(!client);
    // Its first check is answered, and what else comes back is lost.
    browser_->on_deadline(now_);
    for (const auto& datagram : browser_->take_datagrams())
      receive(kBrowserSocket, browser_address_, datagram);
    browser_->receive(sent_to(browser_address_).front().bytes, now_);
    for (const auto& datagram : browser_->take_datagrams())
      receive(kBrowserSocket, browser_address_, datagram);
    end_turn();
    delivered_ = sent_.size();
    clock.advance(-std::chrono::hours{1});
    run(milliseconds{300});
    if (!client) browser_->begin_association(true, now_);  // as its own timer would
    run(seconds{1});
    EXPECT_TRUE(browser_->dtls_connected()) << (client ? "as client" : "as server");
  }
}

TEST_F(PlaneBrowser, FailsWhenTheBrowserCloses) {
  connect_call();
  browser_->close();
  exchange();
  EXPECT_EQ(failure(), MediaFailure::dtls_closed);
}

// RFC 8842 §5.1: other fingerprints [new-association]
TEST_F(PlaneBrowser, TakesANewBrowserWithItsOwnCertificate) {
  connect_call();
  const std::uint32_t first_ssrc = 0xb0000001;
  auto other = std::make_unique<BrowserMedia>(BrowserMediaSettings{}, random_);
  BrowserRemote remote;
  remote.local_ice = IceCredentials{"fresh1", "anotherpasswordofours000"};
  remote.ice = other->ice();
  remote.fingerprints = {other->fingerprint()};
  remote.role = DtlsRole::server;
  execute(UpdateBrowserLeg{kBrowser, remote});
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  EXPECT_GE(audio_to_carrier().size(), 4u)
      << "the old keys serve until the new browser is verified";
  browser_ = std::move(other);
  browser_address_ = at("192.0.2.51:61001");
  browser_->connect(*remote.local_ice, identity_->fingerprint(), true, now_);
  run(seconds{3});
  EXPECT_TRUE(browser_->dtls_connected());
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(2));
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{10});
  EXPECT_EQ(browser_->received().rtp, 1u);
  EXPECT_EQ(browser_->received().ssrc, first_ssrc);
}

// RFC 3711 §3.3.1: a repeated description keeps the keys [srtp-rollover]
// RFC 3711 §3.3.1: SRTP goes on over a refresh [race-srtp-state]
TEST_F(PlaneBrowser, ARepeatedDescriptionKeepsTheAssociation) {
  connect_call();
  execute(UpdateBrowserLeg{kBrowser,
                           {browser_->ice(), {}, {browser_->fingerprint()}, DtlsRole::server}});
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  EXPECT_GE(audio_to_carrier().size(), 4u);
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(1));
}

// RFC 8842 §5.1: another tls-id is another association, though the certificate stays
// [new-association]
TEST_F(PlaneBrowser, AnotherTlsIdBeginsANewAssociation) {
  connect_call();
  BrowserRemote remote{browser_->ice(), {}, {browser_->fingerprint()}, DtlsRole::server};
  remote.tls_id = "another";
  execute(UpdateBrowserLeg{kBrowser, remote});
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  EXPECT_GE(audio_to_carrier().size(), 4u) << "the old keys serve until the new are there";
  browser_->begin_association(true, now_);
  run(milliseconds{200});
  ASSERT_THAT(events<DtlsConnected>(), SizeIs(2));
  const auto before = audio_to_carrier().size();
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{100});
  EXPECT_EQ(browser_->received().rtp, 1u);
  EXPECT_GE(audio_to_carrier().size(), before + 4);
  execute(UpdateBrowserLeg{kBrowser, remote});
  run(milliseconds{100});
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(2)) << "the same description again changes nothing";
}

// RFC 8842 §5.1: another role [new-association]
TEST_F(PlaneBrowser, AnotherRoleBeginsANewAssociation) {
  connect_call();
  execute(UpdateBrowserLeg{kBrowser,
                           {browser_->ice(), {}, {browser_->fingerprint()}, DtlsRole::client}});
  browser_->begin_association(false, now_);
  run(seconds{1});
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(2));
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  run(milliseconds{10});
  EXPECT_EQ(browser_->received().rtp, 1u);
}

TEST_F(PlaneBrowser, TheSameFingerprintsInAnotherOrderAreNoNewAssociation) {
  AddBrowserLeg order = browser_order(*browser_);
  const Fingerprint other{"sha-512", "00:11"};
  order.remote.fingerprints = {browser_->fingerprint(), other};
  add(order);
  connect();
  run(milliseconds{100});
  execute(UpdateBrowserLeg{
      kBrowser, {browser_->ice(), {}, {other, browser_->fingerprint()}, DtlsRole::server}});
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  EXPECT_GE(audio_to_carrier().size(), 4u);
}

TEST_F(PlaneBrowser, ANewAssociationThatNobodyBeginsFailsTheLeg) {
  connect_call();
  BrowserRemote remote{browser_->ice(), {}, {browser_->fingerprint()}, DtlsRole::server};
  remote.tls_id = "another";
  execute(UpdateBrowserLeg{kBrowser, remote});
  run(seconds{16});
  EXPECT_EQ(failure(), MediaFailure::dtls_timeout);
}

TEST_F(PlaneBrowser, ANewAssociationRevivesALegThatTheBrowserHasClosed) {
  connect_call();
  browser_->close();
  exchange();
  EXPECT_EQ(failure(), MediaFailure::dtls_closed);
  BrowserRemote remote{browser_->ice(), {}, {browser_->fingerprint()}, DtlsRole::server};
  execute(UpdateBrowserLeg{kBrowser, remote});
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  EXPECT_THAT(audio_to_carrier(), IsEmpty()) << "the same one is over";
  remote.tls_id = "another";
  execute(UpdateBrowserLeg{kBrowser, remote});
  browser_->begin_association(true, now_);
  run(milliseconds{200});
  EXPECT_THAT(audio_to_carrier(), Not(IsEmpty()));
}

// RFC 8827 §6.5: the one that was shown [dtls-renewal]
TEST_F(PlaneBrowser, LegsShowTheCertificateThatTheirDescriptionHas) {
  const auto renewed = DtlsIdentity::make();
  execute(AddIdentity{std::make_shared<const DtlsIdentity>(*renewed)});
  AddBrowserLeg old = browser_order(*browser_);
  old.certificate = identity_->fingerprint().value;
  add(old);
  connect();
  run(milliseconds{100});
  EXPECT_TRUE(browser_->dtls_connected()) << "described before the renewal";
  execute(RemoveLeg{kBrowser});
  browser_ = std::make_unique<BrowserMedia>(BrowserMediaSettings{}, random_);
  AddBrowserLeg fresh = browser_order(*browser_);
  fresh.certificate = renewed->fingerprint().value;
  execute(fresh);
  browser_->connect({"ufrag1", "thepasswordthatisours000"}, renewed->fingerprint(), true, now_);
  run(milliseconds{100});
  EXPECT_TRUE(browser_->dtls_connected());
}

// RFC 5764 §4.1.2: our order [srtp-profile]
TEST_F(PlaneBrowser, ChoosesTheProfileByItsOwnOrder) {
  struct Case {
    const char* offered;
    const char* chosen;
  };
  for (const auto& [offered, chosen] :
       {Case{"SRTP_AES128_CM_SHA1_80", "SRTP_AES128_CM_HMAC_SHA1_80"},
        Case{"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM", "AEAD_AES_256_GCM"},
        Case{"SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM", "AEAD_AES_128_GCM"}}) {
    make_plane({});
    events_.clear();
    BrowserMediaSettings settings;
    settings.srtp_profiles = offered;
    browser_ = std::make_unique<BrowserMedia>(settings, random_);
    connect_call();
    ASSERT_THAT(events<DtlsConnected>(), SizeIs(1)) << offered;
    EXPECT_EQ(events<DtlsConnected>()[0].profile, chosen);
    browser_->send_tone(440, now_);
    from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
    run(milliseconds{100});
    EXPECT_EQ(browser_->received().rtp, 1u) << offered;
    EXPECT_GE(audio_to_carrier().size(), 4u) << offered;
    sent_.clear();
    delivered_ = 0;
  }
}

TEST_F(PlaneBrowser, RefusesAnUfragThatIsTaken) {
  execute(browser_order(*browser_));
  AddBrowserLeg twin = browser_order(*browser_, kSecondBrowser);
  twin.local_ice.ufrag = "ufrag1";
  execute(twin);
  EXPECT_EQ(plane_->legs(), 1u);
}

TEST_F(PlaneBrowser, IgnoresCommandsForLegsItDoesNotHave) {
  execute(UpdateBrowserLeg{LegId{9}, {}});
  execute(UpdateTrunkLeg{LegId{9}, {}});
  execute(SetRoute{LegId{9}, LegId{8}, {}});
  execute(ClearRoute{LegId{9}, LegId{8}});
  execute(StartTone{LegId{9}});
  execute(StopTone{LegId{9}});
  execute(SendDigit{LegId{9}});
  EXPECT_EQ(plane_->legs(), 0u);
  EXPECT_EQ(plane_->deadline(), kNever);
}

}  // namespace
}  // namespace trunkline::media
