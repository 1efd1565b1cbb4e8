#include "descriptions.hpp"

namespace trunkline::sdp {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

RemoteMedia offered(OfferAnswer& leg, const std::string& offer) {
  auto remote = leg.receive_offer(offer);
  EXPECT_TRUE(remote) << (remote ? "" : remote.error().detail);
  return remote.value_or(RemoteMedia{});
}

RejectionReason refusal(const std::string& offer) {
  OfferAnswer one = browser_leg();
  const auto remote = one.receive_offer(offer);
  EXPECT_FALSE(remote);
  return remote ? RejectionReason{} : remote.error().reason;
}

std::string with_setup(std::string_view setup) {
  return replaced(corpus("chromium_audio.sdp"), "a=setup:actpass", "a=setup:" + std::string(setup));
}

/// The same browser after an ICE restart.
std::string restarted() {
  return replaced(replaced(corpus("chromium_audio.sdp"), "a=ice-ufrag:hT7k", "a=ice-ufrag:new1"),
                  "9Q2mXc4vB7nL1sD8fG3hJ6kP", "newpasswordnewpassword01");
}

// RFC 9143 §7.3: the answer bundles, with mid and rtcp-mux [bundle]
// RFC 8839 §5.3: a=ice-lite at session level, and host candidates [ice-lite]
// RFC 2198 §1: red is offered and not answered [no-red]
TEST(WebrtcAnswerTest, AnswersAChromiumOfferLineForLine) {
  OfferAnswer one = browser_leg();
  offered(one, corpus("chromium_audio.sdp"));
  const auto lines = lines_of(one.answer({opus(), event(48000, 110)}, Direction::sendrecv));
  EXPECT_THAT(
      std::vector<std::string>(lines.begin() + 2, lines.end()),
      ElementsAre("s=-", "c=IN IP4 203.0.113.7", "t=0 0", "a=ice-lite", "a=group:BUNDLE 0",
                  "m=audio 19000 UDP/TLS/RTP/SAVPF 111 110", "a=mid:0", "a=rtpmap:111 opus/48000/2",
                  "a=fmtp:111 minptime=10;useinbandfec=1", "a=rtpmap:110 telephone-event/48000",
                  "a=fmtp:110 0-16", "a=ptime:20", "a=sendrecv", "a=rtcp-mux",
                  "a=ice-ufrag:ourufrag", "a=ice-pwd:ourpasswordourpassword24",
                  "a=fingerprint:" + std::string(kOurFingerprint), "a=setup:passive",
                  "a=candidate:1 1 UDP 2130706431 203.0.113.7 19000 typ host",
                  "a=candidate:2 1 UDP 2130706175 2001:db8::7 19000 typ host",
                  "a=end-of-candidates", "a=msid:stream track", "a=ssrc:4242 cname:ourcname"));
}

// RFC 3264 §6: a line that is not taken keeps its place with port 0
TEST(WebrtcAnswerTest, RefusesVideoInItsPlaceAndLeavesItOutOfTheBundle) {
  OfferAnswer one = browser_leg();
  offered(one, corpus("chromium_audio_video.sdp"));
  const std::string text = one.answer({pcmu()}, Direction::sendrecv);
  const auto answer = parse_session(text);
  ASSERT_TRUE(answer);
  ASSERT_THAT(answer->media, SizeIs(2));
  EXPECT_EQ(answer->media[1].port, 0);
  EXPECT_EQ(answer->media[1].mid, "1");
  EXPECT_EQ(answer->media[1].protocol, "UDP/TLS/RTP/SAVPF");
  EXPECT_THAT(answer->media[1].formats, ElementsAre("96", "97", "102", "103"));
  EXPECT_TRUE(has_line(text, "a=group:BUNDLE 0"));
}

// RFC 3264 §6: each line is answered in its place [m-lines]
// RFC 3264 §6: the audio behind another line is found [race-m-line-order]
TEST(WebrtcAnswerTest, FindsTheAudioBehindADataChannel) {
  OfferAnswer one = browser_leg();
  offered(one, corpus("webrtc_data_channel.sdp"));
  const std::string text = one.answer({pcma()}, Direction::sendrecv);
  EXPECT_TRUE(has_line(text, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"));
  EXPECT_TRUE(has_line(text, "a=mid:data"));
  EXPECT_TRUE(has_line(text, "m=audio 19000 UDP/TLS/RTP/SAVPF 8"));
  EXPECT_TRUE(has_line(text, "a=group:BUNDLE audio"));
}

// RFC 9143 §7.3: a bundle is answered only where it is offered [bundle]
TEST(WebrtcAnswerTest, BundlesOnlyWhenOffered) {
  OfferAnswer one = browser_leg();
  offered(one, replaced(corpus("chromium_audio.sdp"), "a=group:BUNDLE 0\r\n", ""));
  EXPECT_THAT(one.answer({pcmu()}, Direction::sendrecv), Not(HasSubstr("BUNDLE")));
}

TEST(WebrtcAnswerTest, NamesNoMidWhenThereWasNone) {
  OfferAnswer one = browser_leg();
  offered(one, replaced(corpus("chromium_audio.sdp"), "a=mid:0\r\n", ""));
  const std::string text = one.answer({pcmu()}, Direction::sendrecv);
  EXPECT_THAT(text, AllOf(Not(HasSubstr("a=mid")), Not(HasSubstr("BUNDLE"))));
}

// RFC 8285 §5: neither a=extmap nor a=rtcp-fb [extensions-not-agreed]
TEST(WebrtcAnswerTest, OffersNoExtensionsOrFeedback) {
  OfferAnswer one = browser_leg();
  const auto remote = offered(one, corpus("chromium_audio_video.sdp"));
  const std::string text = one.answer(remote.codecs, Direction::sendrecv);
  for (const std::string_view unwanted : {"extmap", "rtcp-fb", "rtcp-rsize", "ice-options",
                                          "192.0.2.40", "hT7k", "Yp3kVt8QmZr1LxWa"}) {
    EXPECT_THAT(text, Not(HasSubstr(std::string(unwanted))));
  }
}

// RFC 3264 §8.4: 0.0.0.0 of a browser is no hold [race-hold-spellings]
// RFC 3264 §8.4: from a browser the address says nothing [hold-by-address]
TEST(WebrtcAnswerTest, TakesABrowserWithoutPermissionOrAddress) {
  OfferAnswer one = browser_leg();
  const auto remote = offered(one, corpus("chromium_no_permission.sdp"));
  EXPECT_FALSE(remote.held_by_address);
  EXPECT_TRUE(remote.rtp.empty());
  EXPECT_EQ(remote.ice_ufrag, "Zk1Q");
  EXPECT_TRUE(has_line(one.answer({opus()}, Direction::sendrecv), "a=sendrecv"));
}

TEST(WebrtcAnswerTest, TakesAFirefoxOffer) {
  OfferAnswer one = browser_leg();
  const auto remote = offered(one, corpus("firefox_audio.sdp"));
  ASSERT_THAT(remote.fingerprints, SizeIs(1));
  EXPECT_EQ(remote.setup, Setup::actpass);
  const auto codecs = codecs_to_answer(remote.codecs, {opus(), event(48000, 110)});
  EXPECT_THAT(payload_types(codecs), ElementsAre(109, 101));
  EXPECT_EQ(line_of(one.answer(codecs, Direction::sendrecv), "m="),
            "m=audio 19000 UDP/TLS/RTP/SAVPF 109 101");
}

TEST(WebrtcAnswerTest, AHoldOfJsSipIsAnsweredRecvonly) {
  OfferAnswer one = browser_leg();
  offered(one, corpus("chromium_audio.sdp"));
  one.answer({opus()}, Direction::sendrecv);
  offered(one, corpus("jssip_hold.sdp"));
  EXPECT_TRUE(has_line(one.answer({opus()}, Direction::sendrecv), "a=recvonly"));
}

// RFC 8834 §4.2: the answer has the protocol of the offer [profile-of-leg]
TEST(WebrtcAnswerTest, RepeatsTheProtocolOfTheOffer) {
  OfferAnswer one = browser_leg();
  offered(one, replaced(corpus("chromium_audio.sdp"), "UDP/TLS/RTP/SAVPF", "RTP/SAVPF"));
  EXPECT_EQ(line_of(one.answer({pcmu()}, Direction::sendrecv), "m="), "m=audio 19000 RTP/SAVPF 0");
}

// RFC 8827 §6.5: what a browser leg needs [ice-required]
// RFC 8834 §4.5: without rtcp-mux there is no browser leg [rtcp-mux-browser]
TEST(WebrtcAnswerTest, RefusesOffersWithoutWhatABrowserLegNeeds) {
  const std::string good = corpus("chromium_audio.sdp");
  EXPECT_EQ(refusal(phone()), RejectionReason::transport);
  EXPECT_EQ(refusal(replaced(good, "a=ice-ufrag:hT7k\r\n", "")), RejectionReason::transport);
  EXPECT_EQ(refusal(replaced(good, "a=ice-pwd:9Q2mXc4vB7nL1sD8fG3hJ6kP\r\n", "")),
            RejectionReason::transport);
  EXPECT_EQ(refusal(replaced(good, "a=rtcp-mux\r\n", "")), RejectionReason::transport);
  EXPECT_EQ(refusal(replaced(good, "a=fingerprint:sha-256", "a=x:sha-256")),
            RejectionReason::transport);
  EXPECT_EQ(refusal(replaced(good, "c=IN IP4 192.0.2.40\r\n", "")), RejectionReason::syntax);
  EXPECT_EQ(refusal(replaced(good, "m=audio", "m=text")), RejectionReason::no_audio);
}

TEST(WebrtcAnswerTest, AShaOneFingerprintAloneIsNotEnough) {
  const std::string good = corpus("chromium_audio.sdp");
  EXPECT_EQ(refusal(replaced(good, "sha-256", "sha-1")), RejectionReason::transport);
}

// RFC 8122 §5: all strong ones [fingerprints]
TEST(WebrtcAnswerTest, AllStrongFingerprintsAreHandedOn) {
  OfferAnswer one = browser_leg();
  const auto remote = offered(one, replaced(corpus("chromium_audio.sdp"), "a=setup:",
                                            "a=fingerprint:SHA-512 ab:cd\r\n"
                                            "a=fingerprint:sha-1 ab:cd\r\na=setup:"));
  ASSERT_THAT(remote.fingerprints, SizeIs(2));
  EXPECT_EQ(remote.fingerprints[1].first, "sha-512");
  EXPECT_EQ(remote.fingerprints[1].second, "AB:CD");
}

struct Role {
  std::string_view offered, answered;
  bool client;
};
class DtlsRoleTest : public ::testing::TestWithParam<Role> {};

// RFC 5763 §5: we answer with the role that is left [dtls-setup]
TEST_P(DtlsRoleTest, FollowsTheOffer) {
  OfferAnswer one = browser_leg();
  offered(one, with_setup(GetParam().offered));
  EXPECT_TRUE(has_line(one.answer({pcmu()}, Direction::sendrecv),
                       "a=setup:" + std::string(GetParam().answered)));
  EXPECT_EQ(one.dtls_client(), GetParam().client);
}
INSTANTIATE_TEST_SUITE_P(Offers, DtlsRoleTest,
                         ::testing::Values(Role{"actpass", "passive", false},
                                           Role{"active", "passive", false},
                                           Role{"passive", "active", true},
                                           Role{"holdconn", "passive", false},
                                           Role{"nonsense", "passive", false}));

class AnsweredRoleTest : public ::testing::TestWithParam<Role> {};

// RFC 5763 §5: we offer actpass and follow the answer [dtls-setup]
// RFC 8842 §5.4: an answer that says actpass is taken as active [dtls-actpass-answer]
TEST_P(AnsweredRoleTest, FollowsTheAnswer) {
  OfferAnswer one = browser_leg();
  EXPECT_TRUE(has_line(one.offer({opus()}, Direction::sendrecv), "a=setup:actpass"));
  ASSERT_TRUE(one.receive_answer(browser_answer(GetParam().answered)));
  EXPECT_EQ(one.dtls_client(), GetParam().client);
}
INSTANTIATE_TEST_SUITE_P(Answers, AnsweredRoleTest,
                         ::testing::Values(Role{"actpass", "active", false},
                                           Role{"actpass", "passive", true},
                                           Role{"actpass", "actpass", false},
                                           Role{"actpass", "nonsense", false}));

// RFC 8842 §5.3: the DTLS role is kept over a later offer [dtls-role-kept]
TEST(DtlsRoleKeptTest, AReofferWithActpassKeepsTheClient) {
  OfferAnswer one = browser_leg();
  offered(one, with_setup("passive"));
  one.answer({pcmu()}, Direction::sendrecv);
  const auto again = offered(one, with_setup("actpass"));
  EXPECT_FALSE(again.new_association);
  EXPECT_TRUE(has_line(one.answer({pcmu()}, Direction::sendrecv), "a=setup:active"));
  EXPECT_TRUE(one.dtls_client());
}

// RFC 8842 §5.3: our next offer repeats the role [race-dtls-role]
TEST(DtlsRoleKeptTest, AReofferOfOursRepeatsTheRole) {
  OfferAnswer one = browser_leg();
  offered(one, with_setup("actpass"));
  one.answer({opus()}, Direction::sendrecv);
  EXPECT_TRUE(has_line(one.offer({opus()}, Direction::sendonly), "a=setup:passive"));
  const auto answer = one.receive_answer(
      replaced(replaced(browser_answer("active"), "a=ice-ufrag:peer", "a=ice-ufrag:hT7k"),
               "peerpasswordpeerpassword", "9Q2mXc4vB7nL1sD8fG3hJ6kP"));
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->ice_restart);
  EXPECT_FALSE(one.dtls_client());
}

/// Our media on another worker: an address, credentials and a certificate of their own.
LocalMedia elsewhere() {
  LocalMedia local = browser_media();
  local.candidates = {*SocketAddress::parse("203.0.113.7:19001")};
  local.ice_ufrag = "otherufrag";
  local.ice_pwd = "otherpasswordotherpass24";
  local.fingerprint = "sha-256 AB:CD:EF:01";
  return local;
}

TEST(RelocationTest, TheNextOfferNamesTheNewPlaceAndLeavesTheRoleOpen) {
  OfferAnswer one = browser_leg();
  offered(one, with_setup("actpass"));
  one.answer({opus()}, Direction::sendrecv);
  one.relocate(elsewhere());
  const std::string offer = one.offer({opus()}, Direction::sendrecv);
  EXPECT_TRUE(has_line(offer, "a=ice-ufrag:otherufrag"));
  EXPECT_TRUE(has_line(offer, "a=fingerprint:sha-256 AB:CD:EF:01"));
  EXPECT_TRUE(has_line(offer, "a=setup:actpass"));
  EXPECT_THAT(offer, HasSubstr("203.0.113.7 19001 typ host"));
  ASSERT_TRUE(one.receive_answer(browser_answer("active")));
  EXPECT_FALSE(one.dtls_client());
}

TEST(RelocationTest, AMoveThatIsRefusedIsTakenBack) {
  OfferAnswer one = browser_leg();
  offered(one, with_setup("actpass"));
  const std::string before = one.answer({opus()}, Direction::sendrecv);
  const LocalMedia place = one.local();
  one.relocate(elsewhere());
  one.offer({opus()}, Direction::sendrecv);
  one.relocate(place);
  one.rollback();
  EXPECT_TRUE(has_line(one.local_text(), "a=ice-ufrag:ourufrag"));
  const std::string next = one.offer({opus()}, Direction::sendonly);
  EXPECT_TRUE(has_line(next, "a=ice-ufrag:ourufrag"));
  EXPECT_TRUE(has_line(next, "a=fingerprint:" + std::string(kOurFingerprint)));
  EXPECT_TRUE(has_line(next, "a=setup:passive"));
  EXPECT_NE(line_of(next, "o="), line_of(before, "o="));
}

// RFC 8842 §5.3: a role that is turned is a new association [race-dtls-role]
TEST(DtlsRoleKeptTest, ARoleThatIsTurnedIsANewAssociation) {
  OfferAnswer one = browser_leg();
  offered(one, with_setup("active"));
  one.answer({pcmu()}, Direction::sendrecv);
  EXPECT_TRUE(offered(one, with_setup("passive")).new_association);
  EXPECT_TRUE(has_line(one.answer({pcmu()}, Direction::sendrecv), "a=setup:active"));
  EXPECT_TRUE(one.dtls_client());
}

// RFC 8842 §5.3: a new fingerprint is a new association [race-dtls-role]
TEST(DtlsRoleKeptTest, ANewFingerprintOrTlsIdIsANewAssociation) {
  for (const std::string& moved :
       {replaced(corpus("chromium_audio.sdp"), "7B:8B:F0", "7B:8B:F1"),
        replaced(corpus("chromium_audio.sdp"), "a=mid:0", "a=tls-id:abc\r\na=mid:0")}) {
    OfferAnswer one = browser_leg();
    EXPECT_FALSE(offered(one, corpus("chromium_audio.sdp")).new_association);
    one.answer({pcmu()}, Direction::sendrecv);
    EXPECT_FALSE(offered(one, corpus("chromium_audio.sdp")).new_association);
    one.answer({pcmu()}, Direction::sendrecv);
    const auto remote = offered(one, moved);
    EXPECT_TRUE(remote.new_association);
    EXPECT_FALSE(remote.ice_restart);
  }
}

// RFC 8839 §4.4.1.1.1: ICE restarts when both credentials change [ice-restart]
TEST(IceRestartTest, IsBothCredentialsChanged) {
  OfferAnswer one = browser_leg();
  EXPECT_FALSE(offered(one, corpus("chromium_audio.sdp")).ice_restart);
  one.answer({pcmu()}, Direction::sendrecv);
  EXPECT_FALSE(offered(one, corpus("jssip_hold.sdp")).ice_restart);
  one.answer({pcmu()}, Direction::sendrecv);
  const auto remote = offered(one, restarted());
  EXPECT_TRUE(remote.ice_restart);
  EXPECT_FALSE(remote.new_association);
}

// RFC 8839 §4.4.1.1.1: one credential alone is no restart [ice-restart-both]
TEST(IceRestartTest, OneCredentialAloneIsRefused) {
  OfferAnswer one = browser_leg();
  offered(one, corpus("chromium_audio.sdp"));
  one.answer({pcmu()}, Direction::sendrecv);
  const auto remote = one.receive_offer(
      replaced(corpus("chromium_audio.sdp"), "a=ice-ufrag:hT7k", "a=ice-ufrag:new1"));
  ASSERT_FALSE(remote);
  EXPECT_EQ(remote.error().reason, RejectionReason::transport);
  EXPECT_EQ(one.state(), OfferAnswer::State::stable);
}

TEST(IceRestartTest, IsAnsweredWithOurNewCredentials) {
  OfferAnswer one = browser_leg();
  offered(one, corpus("chromium_audio.sdp"));
  one.answer({pcmu()}, Direction::sendrecv);
  offered(one, restarted());
  one.set_ice("fresh123", "freshpasswordfreshpassword");
  const std::string text = one.answer({pcmu()}, Direction::sendrecv);
  EXPECT_TRUE(has_line(text, "a=ice-ufrag:fresh123"));
  EXPECT_TRUE(has_line(text, "a=ice-pwd:freshpasswordfreshpassword"));
  EXPECT_TRUE(has_line(text, "a=setup:passive"));
  EXPECT_EQ(version_of(text), 2);
}

TEST(IceRestartTest, ThatIsRolledBackRestoresOurCredentials) {
  OfferAnswer one = browser_leg();
  offered(one, corpus("chromium_audio.sdp"));
  const std::string before = one.answer({pcmu()}, Direction::sendrecv);
  offered(one, restarted());
  one.set_ice("fresh123", "freshpasswordfreshpassword");
  one.rollback();
  EXPECT_EQ(one.local().ice_ufrag, "ourufrag");
  EXPECT_EQ(one.remote()->ice_ufrag, "hT7k");
  EXPECT_EQ(one.local_text(), before);
  EXPECT_TRUE(offered(one, restarted()).ice_restart);
}

TEST(WebrtcOfferTest, OffersABundleOfOne) {
  OfferAnswer one = browser_leg();
  const std::string text = one.offer({opus(), pcmu(), event(48000, 110)}, Direction::sendrecv);
  EXPECT_THAT(lines_of(text),
              AllOf(Contains("a=group:BUNDLE 0"), Contains("a=mid:0"), Contains("a=rtcp-mux"),
                    Contains("a=ice-lite"), Contains("m=audio 19000 UDP/TLS/RTP/SAVPF 111 0 110")));
  const auto remote = one.receive_answer(browser_answer());
  ASSERT_TRUE(remote);
  EXPECT_EQ(remote->ice_ufrag, "peer");
  EXPECT_THAT(payload_types(one.agreed_codecs()), ElementsAre(111, 110));
}

TEST(WebrtcOfferTest, RefusesAnswersWithoutWhatABrowserLegNeeds) {
  OfferAnswer one = browser_leg();
  one.offer({opus()}, Direction::sendrecv);
  for (const std::string_view line :
       {"a=rtcp-mux\r\n", "a=ice-ufrag:peer\r\n", "a=ice-pwd:peerpasswordpeerpassword\r\n"}) {
    const auto remote = one.receive_answer(replaced(browser_answer(), line, ""));
    ASSERT_FALSE(remote) << line;
    EXPECT_EQ(remote.error().reason, RejectionReason::transport);
  }
  const auto other_mid = one.receive_answer(replaced(browser_answer(), "a=mid:0", "a=mid:9"));
  ASSERT_FALSE(other_mid);
  EXPECT_EQ(other_mid.error().reason, RejectionReason::changed_lines);
  EXPECT_TRUE(one.receive_answer(browser_answer()));
}

// RFC 8445 §5.1.2.1: priority and foundation [ice-priority]
TEST(WebrtcOfferTest, CandidatesOfOneAddressShareTheirFoundation) {
  LocalMedia local = browser_media();
  local.candidates.insert(local.candidates.begin() + 1, *SocketAddress::parse("203.0.113.7:19001"));
  OfferAnswer one = leg(local);
  const std::string text = one.offer({opus()}, Direction::sendrecv);
  EXPECT_TRUE(has_line(text, "a=candidate:1 1 UDP 2130706175 203.0.113.7 19001 typ host"));
  EXPECT_TRUE(has_line(text, "a=candidate:3 1 UDP 2130705919 2001:db8::7 19000 typ host"));
}

// RFC 6544 §4.2: TCP candidates stand below those of UDP, with a foundation of their own
// [ice-tcp-candidates]
TEST(WebrtcOfferTest, TellsOfTcpOnTheSamePortsBehindUdp) {
  LocalMedia local = browser_media();
  local.ice_tcp = true;
  OfferAnswer one = leg(local);
  const auto lines = lines_of(one.offer({opus()}, Direction::sendrecv));
  std::vector<std::string> candidates;
  std::copy_if(lines.begin(), lines.end(), std::back_inserter(candidates),
               [](const std::string& line) { return line.starts_with("a=candidate:"); });
  EXPECT_THAT(
      candidates,
      ElementsAre("a=candidate:1 1 UDP 2130706431 203.0.113.7 19000 typ host",
                  "a=candidate:2 1 UDP 2130706175 2001:db8::7 19000 typ host",
                  "a=candidate:3 1 TCP 1520435199 203.0.113.7 19000 typ host tcptype passive",
                  "a=candidate:4 1 TCP 1520434943 2001:db8::7 19000 typ host tcptype passive"));
}

// RFC 8445 §8.1.1: the option is echoed [ice-renomination]
TEST(WebrtcAnswerTest, TakesRenominationWhereItIsOffered) {
  const std::string offer = corpus("chromium_audio.sdp");
  OfferAnswer plain = browser_leg();
  offered(plain, offer);
  EXPECT_FALSE(has_line(plain.answer({opus()}, Direction::sendrecv), "a=ice-options:renomination"));
  OfferAnswer one = browser_leg();
  offered(one, replaced(offer, "a=ice-options:trickle", "a=ice-options:trickle renomination"));
  EXPECT_TRUE(has_line(one.answer({opus()}, Direction::sendrecv), "a=ice-options:renomination"));
  EXPECT_TRUE(has_line(one.offer({opus()}, Direction::sendrecv), "a=ice-options:renomination"))
      << "as long as the peer has it";
}

TEST(WebrtcOfferTest, OneWordOfMsidServesStreamAndTrack) {
  LocalMedia local = browser_media();
  local.msid = "word";
  OfferAnswer one = leg(local);
  EXPECT_TRUE(has_line(one.offer({opus()}, Direction::sendrecv), "a=msid:word word"));
}

}  // namespace
}  // namespace trunkline::sdp
