#include "descriptions.hpp"

namespace trunkline::sdp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Session parsed(const std::string& text) {
  auto session = parse_session(text);
  EXPECT_TRUE(session) << (session ? "" : session.error().message);
  return session.value_or(Session{});
}

TEST(SessionParserTest, ReadsAChromiumOffer) {
  const Session session = parsed(corpus("chromium_audio_video.sdp"));
  ASSERT_THAT(session.media, SizeIs(2));
  EXPECT_THAT(session.bundles, ElementsAre(ElementsAre("0", "1")));
  const Media& audio = session.media[0];
  EXPECT_EQ(audio.kind, "audio");
  EXPECT_EQ(audio.port, 52811);
  EXPECT_EQ(audio.protocol, "UDP/TLS/RTP/SAVPF");
  EXPECT_EQ(audio.connection, "192.0.2.40");
  EXPECT_EQ(audio.mid, "0");
  EXPECT_TRUE(audio.rtcp_mux);
  EXPECT_EQ(audio.ice_ufrag, "hT7k");
  EXPECT_EQ(audio.setup, Setup::actpass);
  EXPECT_THAT(audio.candidates, SizeIs(3));
  ASSERT_THAT(audio.fingerprints, SizeIs(1));
  EXPECT_EQ(audio.fingerprints[0].first, "sha-256");
  EXPECT_THAT(payload_types(audio.codecs), ElementsAre(111, 63, 9, 0, 8, 13, 110, 126));
  EXPECT_EQ(audio.codecs[0].name, "opus");
  EXPECT_EQ(audio.codecs[0].clock_rate, 48000U);
  EXPECT_EQ(audio.codecs[0].channels, 2);
  EXPECT_EQ(audio.codecs[0].fmtp, "minptime=10;useinbandfec=1");
  EXPECT_EQ(session.media[1].kind, "video");
}

// RFC 8866 §5.7: c= and attributes of the session hold for each medium without its own
// [session-level]
TEST(SessionParserTest, SectionsInheritWhatTheSessionSays) {
  const Session session = parsed(corpus("webrtc_data_channel.sdp"));
  ASSERT_THAT(session.media, SizeIs(2));
  EXPECT_EQ(session.media[1].ice_ufrag, "sess");
  EXPECT_EQ(session.media[1].ice_pwd, "sessionlevelpassword0123");
  EXPECT_EQ(session.media[1].setup, Setup::actpass);
  EXPECT_THAT(session.media[1].fingerprints, SizeIs(1));
}

// RFC 8866 §5: odd order and unknown lines are taken [connection-missing]
TEST(SessionParserTest, TakesLinesInOddOrderAndPassesOverUnknownOnes) {
  const Session session = parsed(corpus("odd_order.sdp"));
  EXPECT_EQ(session.origin.session_id, "12");
  ASSERT_THAT(session.media, SizeIs(1));
  EXPECT_EQ(session.media[0].connection, "203.0.113.10");
  EXPECT_EQ(session.media[0].direction, Direction::sendonly);
  EXPECT_THAT(session.media[0].codecs, SizeIs(2));
}

// RFC 8866 §6.7: a direction of the medium overrides that of the session [session-level]
TEST(SessionParserTest, AMediaDirectionOverridesTheSessionsOne) {
  const Session session =
      parsed(replaced(phone("a=recvonly\r\n"), "t=0 0\r\n", "t=0 0\r\na=inactive\r\n"));
  EXPECT_EQ(session.media[0].direction, Direction::recvonly);
}

TEST(SessionParserTest, AMediaFingerprintReplacesTheSessionsOnes) {
  const Session session =
      parsed(replaced(phone("a=fingerprint:SHA-256 aa:bb\r\na=fingerprint:sha-512 cc:dd\r\n"),
                      "t=0 0\r\n", "t=0 0\r\na=fingerprint:sha-1 11:22\r\n"));
  EXPECT_THAT(session.media[0].fingerprints,
              ElementsAre(std::pair<std::string, std::string>("sha-256", "AA:BB"),
                          std::pair<std::string, std::string>("sha-512", "CC:DD")));
}

TEST(SessionParserTest, LineEndsMayBeBareLineFeeds) {
  EXPECT_EQ(parsed(replaced_all(phone(), "\r\n", "\n")).media[0].codecs,
            parsed(phone()).media[0].codecs);
}

TEST(SessionParserTest, StaticPayloadTypesNeedNoRtpmap) {
  const Session session = parsed(corpus("carrier_missing_rtpmap.sdp"));
  const auto& codecs = session.media[0].codecs;
  EXPECT_THAT(payload_types(codecs), ElementsAre(0, 8, 9, 18));
  EXPECT_EQ(codecs[1].name, "PCMA");
  EXPECT_EQ(codecs[2].name, "G722");
  EXPECT_EQ(codecs[2].clock_rate, 8000U);
  EXPECT_THAT(session.media[0].formats, ElementsAre("0", "8", "9", "18", "96"));
}

TEST(SessionParserTest, AnRtpmapForATypeThatIsNotListedIsPassedOver) {
  EXPECT_THAT(payload_types(parsed(phone("a=rtpmap:96 opus/48000/2\r\n")).media[0].codecs),
              ElementsAre(0, 101));
}

TEST(SessionParserTest, ReadsRtcpPortAndAddress) {
  const Session session = parsed(corpus("carrier_ipv6.sdp"));
  EXPECT_EQ(session.media[0].rtcp_port, 30005);
  EXPECT_EQ(session.media[0].rtcp_address, "2001:db8::99");
  EXPECT_EQ(session.media[0].connection, "2001:db8::21");
}

// RFC 4566 §6: what the peer says of it is read [packet-time]
TEST(SessionParserTest, ReadsPacketTimes) {
  const Session session = parsed(phone("a=ptime:30.0\r\na=maxptime:60\r\n"));
  EXPECT_EQ(session.media[0].ptime_ms, 30U);
  EXPECT_EQ(session.media[0].maxptime_ms, 60U);
}

TEST(SessionParserTest, AMulticastTimeToLiveIsNoPartOfTheAddress) {
  EXPECT_EQ(parsed(phone("", "224.2.1.1/127/3")).media[0].connection, "224.2.1.1");
}

TEST(SessionParserTest, TheFirstConnectionOfASectionCounts) {
  EXPECT_EQ(parsed(phone("c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\n")).media[0].connection,
            "192.0.2.1");
}

TEST(SessionParserTest, AnUnreadableConnectionIsNone) {
  for (const std::string_view line : {"c=IN", "c=IN IP4", "c=ATM NSAP x", "c=IN IP5 1.2.3.4"}) {
    const Session session = parsed(phone(std::string(line) + "\r\n"));
    EXPECT_EQ(session.media[0].connection, "") << line;
  }
}

TEST(SessionParserTest, KeepsCryptoLines) {
  EXPECT_THAT(parsed(corpus("carrier_savp.sdp")).media[0].crypto, SizeIs(2));
}

TEST(SessionParserTest, ReadsIceLite) {
  EXPECT_TRUE(parsed(replaced(phone(), "t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n")).ice_lite);
  EXPECT_FALSE(parsed(phone()).ice_lite);
}

TEST(SessionParserTest, ReadsTlsIdAndEverySetup) {
  EXPECT_EQ(parsed(phone("a=tls-id:abc\r\n")).media[0].tls_id, "abc");
  EXPECT_EQ(parsed(phone("a=setup:active\r\n")).media[0].setup, Setup::active);
  EXPECT_EQ(parsed(phone("a=setup:passive\r\n")).media[0].setup, Setup::passive);
  EXPECT_EQ(parsed(phone("a=setup:holdconn\r\n")).media[0].setup, Setup::holdconn);
  EXPECT_EQ(parsed(phone("a=setup:other\r\n")).media[0].setup, Setup::none);
}

// RFC 8839 §5.4: credentials that are too short are none [ice-credentials]
TEST(SessionParserTest, ShortIceCredentialsAreNone) {
  const Session session = parsed(phone("a=ice-ufrag:abc\r\na=ice-pwd:short\r\n"));
  EXPECT_EQ(session.media[0].ice_ufrag, "");
  EXPECT_EQ(session.media[0].ice_pwd, "");
}

TEST(SessionParserTest, RefusesWhatIsNoDescription) {
  EXPECT_FALSE(parse_session(""));
  EXPECT_FALSE(parse_session("hello"));
  EXPECT_FALSE(parse_session(replaced(phone(), "v=0", "v=1")));
  EXPECT_FALSE(parse_session(replaced(phone(), "v=0\r\n", "")));
}

TEST(SessionParserTest, RefusesMalformedMediaLines) {
  for (const std::string_view line :
       {"m=", "m=audio", "m=audio 7078", "m=audio x RTP/AVP 0", "m=audio -1 RTP/AVP 0",
        "m=audio 65536 RTP/AVP 0", "m=audio 99999999999 RTP/AVP 0", "m=au(dio 1 RTP/AVP 0",
        "m=audio 1 RTP@AVP 0"}) {
    EXPECT_FALSE(parse_session(replaced(phone(), "m=audio 7078 RTP/AVP 0 101", line))) << line;
  }
}

TEST(SessionParserTest, ACountOfPortsIsPassedOver) {
  EXPECT_EQ(parsed(replaced(phone(), "7078", "7078/2")).media[0].port, 7078);
}

TEST(SessionParserTest, TheEdgesOfPortsAreTaken) {
  EXPECT_EQ(parsed(replaced(phone(), "7078", "65535")).media[0].port, 65535);
  EXPECT_EQ(parsed(replaced(phone(), "7078", "0")).media[0].port, 0);
}

TEST(SessionParserTest, RefusesControlCharactersInALine) {
  EXPECT_FALSE(parse_session(corpus("hostile_bare_cr.sdp")));
  EXPECT_FALSE(parse_session(corpus("hostile_nul.sdp")));
}

TEST(SessionParserTest, NumbersOutOfRangeAreNotTaken) {
  const Session session = parsed(corpus("hostile_numbers.sdp"));
  const Media& media = session.media[0];
  EXPECT_EQ(media.port, 17000);
  EXPECT_THAT(payload_types(media.codecs), ElementsAre(0));
  EXPECT_EQ(media.codecs[0].clock_rate, 8000U);
  EXPECT_EQ(media.ptime_ms, std::nullopt);
  EXPECT_EQ(media.maxptime_ms, std::nullopt);
  EXPECT_EQ(media.rtcp_port, std::nullopt);
}

TEST(SessionParserTest, EmptyValuesAreHarmless) {
  const Session session = parsed(corpus("hostile_empty_values.sdp"));
  ASSERT_THAT(session.media, SizeIs(1));
  EXPECT_THAT(session.media[0].codecs, IsEmpty());
}

TEST(SessionParserTest, RefusesTooMuchText) {
  const std::string padding(kMaxText, '\n');
  EXPECT_FALSE(parse_session(phone() + padding));
  EXPECT_TRUE(parse_session(phone() + padding.substr(0, kMaxText - phone().size())));
}

TEST(SessionParserTest, RefusesTooManyLines) {
  std::string text = phone();
  for (std::size_t line = lines_of(text).size(); line < kMaxLines; ++line)
    text += "a=x\r\n";
  EXPECT_TRUE(parse_session(text));
  EXPECT_FALSE(parse_session(text + "a=x\r\n"));
}

TEST(SessionParserTest, RefusesTooLongALine) {
  EXPECT_TRUE(parse_session(phone("a=" + std::string(kMaxLine - 2, 'x') + "\r\n")));
  EXPECT_FALSE(parse_session(phone("a=" + std::string(kMaxLine - 1, 'x') + "\r\n")));
}

TEST(SessionParserTest, RefusesTooManyMediaLines) {
  std::string text = phone();
  for (std::size_t line = 1; line < kMaxMedia; ++line)
    text += "m=video 0 RTP/AVP 31\r\n";
  EXPECT_TRUE(parse_session(text));
  EXPECT_FALSE(parse_session(text + "m=video 0 RTP/AVP 31\r\n"));
}

// RFC 8445 §6.1.2.5: at most forty candidates are read [ice-limits]
TEST(SessionParserTest, MoreOfAListThanItsLimitIsPassedOver) {
  std::string extra;
  for (int i = 0; i < 100; ++i) {
    extra += "a=candidate:" + std::to_string(i) + " 1 UDP 1 192.0.2.1 9 typ host\r\n";
    extra += "a=fingerprint:sha-256 AA\r\na=crypto:1 x inline:y\r\n";
  }
  const Session session = parsed(phone(extra));
  EXPECT_THAT(session.media[0].candidates, SizeIs(kMaxCandidates));
  EXPECT_THAT(session.media[0].fingerprints, SizeIs(kMaxFingerprints));
  EXPECT_THAT(session.media[0].crypto, SizeIs(kMaxCrypto));
  const Session many = parsed(corpus("hostile_many_lines.sdp"));
  EXPECT_THAT(many.media, SizeIs(kMaxMedia));
  EXPECT_THAT(many.media[0].formats, SizeIs(kMaxPayloadTypes));
}

}  // namespace
}  // namespace trunkline::sdp
