#include "descriptions.hpp"

namespace trunkline::sdp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

RejectionReason refusal(OfferAnswer& leg, const std::string& offer) {
  const auto remote = leg.receive_offer(offer);
  EXPECT_FALSE(remote);
  EXPECT_EQ(leg.state(), OfferAnswer::State::stable);
  if (remote) return {};
  EXPECT_THAT(remote.error().detail, Not(IsEmpty()));
  return remote.error().reason;
}
RejectionReason refusal(const std::string& offer) {
  OfferAnswer one = trunk_leg();
  return refusal(one, offer);
}

// RFC 8834 §4.2: trunks are offered RTP/AVP [profile-of-leg]
TEST(AvpOfferTest, SaysEverythingAPlainPhoneNeeds) {
  OfferAnswer one = trunk_leg();
  const std::string text = one.offer({pcmu(), pcma(), event(8000, 101)}, Direction::sendrecv);
  const auto lines = lines_of(text);
  ASSERT_GE(lines.size(), 5U);
  EXPECT_EQ(lines[0], "v=0");
  EXPECT_THAT(lines[1], HasSubstr(" 1 IN IP4 203.0.113.7"));
  EXPECT_THAT(std::vector<std::string>(lines.begin() + 2, lines.end()),
              ElementsAre("s=-", "c=IN IP4 203.0.113.7", "t=0 0", "m=audio 20000 RTP/AVP 0 8 101",
                          "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000",
                          "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20",
                          "a=sendrecv"));
}

// RFC 8866 §5.7: an IPv6 address is IP6 in c= and o= [ipv6-description]
TEST(AvpOfferTest, OfAnIpv6AddressSaysSo) {
  LocalMedia local = trunk_media();
  local.address = *IpAddress::parse("2001:db8::7");
  OfferAnswer one = leg(local);
  const std::string text = one.offer({pcmu()}, Direction::sendrecv);
  EXPECT_TRUE(has_line(text, "c=IN IP6 2001:db8::7"));
  EXPECT_THAT(line_of(text, "o="), HasSubstr("IN IP6 2001:db8::7"));
}

TEST(AvpOfferTest, IsMadeAnewAfterAMove) {
  OfferAnswer one = trunk_leg();
  const std::string before = one.offer({pcmu(), event(8000, 101)}, Direction::sendonly);
  LocalMedia there = trunk_media();
  there.address = *IpAddress::parse("2001:db8::7");
  there.rtp_port = 20002;
  one.relocate(there);
  const std::string after = one.renew_offer();
  EXPECT_TRUE(has_line(after, "c=IN IP6 2001:db8::7"));
  EXPECT_TRUE(has_line(after, "m=audio 20002 RTP/AVP 0 101"));
  EXPECT_TRUE(has_line(after, "a=sendonly"));
  EXPECT_EQ(one.state(), OfferAnswer::State::local_offer);
  EXPECT_TRUE(one.receive_answer(corpus("carrier_ipv6.sdp")));
  EXPECT_EQ(one.renew_offer(), after) << "without an open offer nothing happens";
}

// RFC 3264 §5.1: media come under our payload types before the answer does [receive-early]
TEST(AvpOfferTest, IsReceivedBeforeItsAnswer) {
  OfferAnswer one = trunk_leg();
  EXPECT_THAT(one.receive_codecs(), IsEmpty());
  one.offer({pcmu(), event(8000, 101)}, Direction::sendrecv);
  EXPECT_THAT(payload_types(one.receive_codecs()), ElementsAre(0, 101));
  one.rollback();
  EXPECT_THAT(one.receive_codecs(), IsEmpty());
}

// RFC 3264 §5: an origin is numeric and our own [origin-own]
TEST(AvpOfferTest, TheSessionIdIsNumericAndBelow62Bits) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SeededRandom random(seed);
    OfferAnswer one(trunk_media(), random);
    const auto session = parse_session(one.offer({pcmu()}, Direction::sendrecv));
    ASSERT_TRUE(session);
    EXPECT_EQ(session->origin.user, "-");
    EXPECT_LT(std::stoull(session->origin.session_id), std::uint64_t{1} << 62);
    EXPECT_EQ(session->origin.session_version, "1");
  }
}

TEST(AvpAnswerTest, SpeaksWithThePayloadTypesOfTheOffer) {
  OfferAnswer one = trunk_leg();
  const auto remote = one.receive_offer(corpus("carrier_opus_mux.sdp"));
  ASSERT_TRUE(remote);
  EXPECT_EQ(one.state(), OfferAnswer::State::remote_offer);
  EXPECT_FALSE(one.established());
  const std::string text = one.answer(codecs_to_answer(remote->codecs, {opus(), event(48000, 110)}),
                                      Direction::sendrecv);
  EXPECT_EQ(line_of(text, "m="), "m=audio 20000 RTP/AVP 107 102");
  EXPECT_TRUE(has_line(text, "a=rtpmap:107 opus/48000/2"));
  EXPECT_TRUE(has_line(text, "a=fmtp:107 minptime=10;useinbandfec=1"));
  EXPECT_EQ(one.state(), OfferAnswer::State::stable);
  EXPECT_TRUE(one.established());
  EXPECT_THAT(payload_types(one.agreed_codecs()), ElementsAre(107, 102));
  EXPECT_THAT(payload_types(one.receive_codecs()), ElementsAre(107, 102));
  EXPECT_EQ(one.local_text(), text);
}

// RFC 5761 §5.1.1: rtcp-mux only where it was offered [rtcp-mux]
TEST(AvpAnswerTest, AgreesToRtcpMuxOnlyWhenOffered) {
  OfferAnswer with = trunk_leg();
  const auto remote = with.receive_offer(corpus("carrier_opus_mux.sdp"));
  ASSERT_TRUE(remote);
  EXPECT_TRUE(remote->rtcp_mux);
  EXPECT_EQ(remote->rtcp, remote->rtp);
  EXPECT_TRUE(has_line(with.answer(remote->codecs, Direction::sendrecv), "a=rtcp-mux"));

  OfferAnswer without = trunk_leg();
  const auto plain = without.receive_offer(phone());
  ASSERT_TRUE(plain);
  EXPECT_FALSE(has_line(without.answer(plain->codecs, Direction::sendrecv), "a=rtcp-mux"));
  EXPECT_EQ(plain->rtcp, SocketAddress::parse("192.0.2.60:7079"));
}

// RFC 3264 §5.1: no direction is sendrecv [direction-default]
TEST(AvpAnswerTest, TellsWhereThePeerReceives) {
  OfferAnswer one = trunk_leg();
  const auto remote = one.receive_offer(corpus("carrier_plain.sdp"));
  ASSERT_TRUE(remote);
  EXPECT_EQ(remote->rtp, SocketAddress::parse("198.51.100.21:31424"));
  EXPECT_EQ(remote->rtcp, SocketAddress::parse("198.51.100.21:31425"));
  EXPECT_EQ(remote->ptime_ms, 20U);
  EXPECT_EQ(remote->direction, Direction::sendrecv);
  EXPECT_FALSE(remote->held_by_address);
}

// RFC 3605 §2.1: RTCP goes to the port of a=rtcp [rtcp-port]
TEST(AvpAnswerTest, RtcpGoesToTheStatedPortButNeverToAThirdHost) {
  OfferAnswer one = trunk_leg();
  const auto remote = one.receive_offer(corpus("carrier_ipv6.sdp"));
  ASSERT_TRUE(remote);
  EXPECT_EQ(remote->rtcp, SocketAddress::parse("[2001:db8::21]:30005"));
}

TEST(AvpAnswerTest, ThePortBehindTheLastOneIsNone) {
  OfferAnswer one = trunk_leg();
  const auto remote = one.receive_offer(replaced(phone(), "7078", "65535"));
  ASSERT_TRUE(remote);
  EXPECT_TRUE(remote->rtcp.empty());
}

TEST(AvpAnswerTest, AHostNameOrAGroupIsNoAddressToSendTo) {
  for (const std::string_view address : {"phone.example.test", "224.2.1.1/127"}) {
    OfferAnswer one = trunk_leg();
    const auto remote = one.receive_offer(phone("", address));
    ASSERT_TRUE(remote) << address;
    EXPECT_TRUE(remote->rtp.empty()) << address;
    EXPECT_TRUE(remote->rtcp.empty()) << address;
    EXPECT_FALSE(remote->held_by_address) << address;
  }
}

// RFC 8839 §4.2.5: ICE of a trunk is passed over [ice-not-on-trunk]
TEST(AvpAnswerTest, IceOfATrunkIsPassedOver) {
  OfferAnswer one = trunk_leg();
  const auto remote = one.receive_offer(phone(
      "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 AA\r\n"));
  ASSERT_TRUE(remote);
  EXPECT_THAT(remote->ice_ufrag, IsEmpty());
  EXPECT_THAT(remote->fingerprints, IsEmpty());
  EXPECT_THAT(one.answer(remote->codecs, Direction::sendrecv), Not(HasSubstr("ice")));
}

// RFC 8834 §4.2: the answer has the protocol of the offer [profile-of-leg]
TEST(AvpAnswerTest, RepeatsTheFeedbackProfileOfTheOffer) {
  OfferAnswer one = trunk_leg();
  const auto remote = one.receive_offer(replaced(phone(), "RTP/AVP", "RTP/AVPF"));
  ASSERT_TRUE(remote);
  EXPECT_EQ(line_of(one.answer({pcmu()}, Direction::sendrecv), "m="), "m=audio 20000 RTP/AVPF 0");
}

// RFC 3264 §6: a line that is not taken has port 0 [m-lines]
TEST(AvpAnswerTest, TakesThePlainLineBesideASecureOne) {
  OfferAnswer one = trunk_leg();
  const auto remote = one.receive_offer(corpus("carrier_savp_and_avp.sdp"));
  ASSERT_TRUE(remote);
  EXPECT_EQ(remote->rtp.port, 22002);
  const auto lines = lines_of(one.answer({pcmu()}, Direction::sendrecv));
  EXPECT_THAT(lines, ::testing::Contains("m=audio 0 RTP/SAVP 0 101"));
  EXPECT_THAT(lines, ::testing::Contains("m=audio 20000 RTP/AVP 0"));
}

// RFC 3264 §6: a line that is not taken keeps its place with port 0 [race-m-line-order]
TEST(AvpAnswerTest, RefusesAFaxLineInItsPlace) {
  OfferAnswer one = trunk_leg();
  ASSERT_TRUE(one.receive_offer(corpus("fax_t38.sdp")));
  const auto answer = parse_session(one.answer({pcmu()}, Direction::sendrecv));
  ASSERT_TRUE(answer);
  ASSERT_THAT(answer->media, SizeIs(2));
  EXPECT_EQ(answer->media[1].kind, "image");
  EXPECT_EQ(answer->media[1].port, 0);
  EXPECT_EQ(answer->media[1].protocol, "udptl");
  EXPECT_THAT(answer->media[1].formats, ElementsAre("t38"));
}

TEST(AvpAnswerTest, CopiesNothingUnknownFromTheOffer) {
  OfferAnswer one = trunk_leg();
  ASSERT_TRUE(
      one.receive_offer(phone("a=evil:1\r\na=crypto:1 X inline:Y\r\na=extmap:1 urn:x\r\n"
                              "a=label:7\r\na=fmtp:0 evil=1\r\na=mid:evil\r\nb=AS:1\r\n"
                              "i=evil\r\na=candidate:1 1 UDP 1 192.0.2.66 1 typ host\r\n")));
  const std::string text = one.answer({pcmu(), event(8000, 101)}, Direction::sendrecv);
  for (const std::string_view smuggled :
       {"evil", "crypto", "extmap", "label", "192.0.2.66", "b="}) {
    EXPECT_THAT(text, Not(HasSubstr(std::string(smuggled))));
  }
}

// RFC 3264 §6.1: an answer has only codecs of the offer [answer-codecs]
TEST(AvpAnswerTest, LeavesOutWhatWasNotOffered) {
  OfferAnswer one = trunk_leg();
  ASSERT_TRUE(one.receive_offer(phone()));
  const std::string text = one.answer({pcma(), pcmu(), opus(96)}, Direction::sendrecv);
  EXPECT_EQ(line_of(text, "m="), "m=audio 20000 RTP/AVP 0");
}

// RFC 3264 §6.1: without a codec the line is refused [answer-codecs]
TEST(AvpAnswerTest, WithoutACodecRefusesTheLine) {
  OfferAnswer one = trunk_leg();
  ASSERT_TRUE(one.receive_offer(phone()));
  const std::string text = one.answer({event(8000, 101)}, Direction::sendrecv);
  EXPECT_EQ(line_of(text, "m="), "m=audio 0 RTP/AVP 0 101");
  EXPECT_EQ(one.direction(), Direction::inactive);
  EXPECT_THAT(one.agreed_codecs(), IsEmpty());
}

// RFC 8866 §5.7: a line in use without c= is refused [connection-missing]
TEST(AvpAnswerTest, RefusesOffersThatItCannotTake) {
  EXPECT_EQ(refusal("garbage"), RejectionReason::syntax);
  EXPECT_EQ(refusal(replaced(phone(), "c=IN IP4 192.0.2.60\r\n", "")), RejectionReason::syntax);
  EXPECT_EQ(refusal(corpus("hostile_port.sdp")), RejectionReason::syntax);
  EXPECT_EQ(refusal(corpus("carrier_savp.sdp")), RejectionReason::transport);
  EXPECT_EQ(refusal(corpus("chromium_audio.sdp")), RejectionReason::transport);
  EXPECT_EQ(refusal(corpus("fax_only.sdp")), RejectionReason::no_audio);
  EXPECT_EQ(refusal("v=0\r\n"), RejectionReason::no_audio);
  EXPECT_EQ(refusal(replaced(phone(), "7078", "0")), RejectionReason::no_audio);
  EXPECT_EQ(refusal(replaced(phone(), "RTP/AVP 0 101", "RTP/AVP 96")),
            RejectionReason::no_common_codec);
}

// RFC 8866 §5.7: a line with port 0 needs no c= [connection-missing]
TEST(AvpAnswerTest, AMissingAddressOnARefusedLineIsNoFault) {
  OfferAnswer one = trunk_leg();
  const std::string offer =
      replaced(replaced(phone("m=video 0 RTP/AVP 31\r\n"), "c=IN IP4 192.0.2.60\r\n", ""),
               "a=rtpmap:0", "c=IN IP4 192.0.2.60\r\na=rtpmap:0");
  EXPECT_TRUE(one.receive_offer(offer));
}

struct Held {
  std::string_view offered;
  Direction ours;
  std::string_view answered;
};
class HoldTest : public ::testing::TestWithParam<Held> {};

// RFC 3264 §6.1: the direction of the answer complements that of the offer [answer-direction]
TEST_P(HoldTest, TheAnswerIsWhatBothAllow) {
  OfferAnswer one = trunk_leg();
  const auto remote = one.receive_offer(phone("a=" + std::string(GetParam().offered) + "\r\n"));
  ASSERT_TRUE(remote);
  EXPECT_EQ(direction_text(remote->direction), GetParam().offered);
  const std::string text = one.answer({pcmu()}, GetParam().ours);
  EXPECT_TRUE(has_line(text, "a=" + std::string(GetParam().answered))) << text;
  EXPECT_EQ(direction_text(one.direction()), GetParam().answered);
}

INSTANTIATE_TEST_SUITE_P(Matrix, HoldTest,
                         ::testing::Values(Held{"sendrecv", Direction::sendrecv, "sendrecv"},
                                           Held{"sendrecv", Direction::sendonly, "sendonly"},
                                           Held{"sendrecv", Direction::recvonly, "recvonly"},
                                           Held{"sendrecv", Direction::inactive, "inactive"},
                                           Held{"sendonly", Direction::sendrecv, "recvonly"},
                                           Held{"sendonly", Direction::sendonly, "inactive"},
                                           Held{"sendonly", Direction::recvonly, "recvonly"},
                                           Held{"sendonly", Direction::inactive, "inactive"},
                                           Held{"recvonly", Direction::sendrecv, "sendonly"},
                                           Held{"recvonly", Direction::sendonly, "sendonly"},
                                           Held{"recvonly", Direction::recvonly, "inactive"},
                                           Held{"recvonly", Direction::inactive, "inactive"},
                                           Held{"inactive", Direction::sendrecv, "inactive"},
                                           Held{"inactive", Direction::sendonly, "inactive"},
                                           Held{"inactive", Direction::recvonly, "inactive"},
                                           Held{"inactive", Direction::inactive, "inactive"}));

// RFC 3264 §8.4: c=0.0.0.0 is a hold, and nothing is sent there [race-hold-spellings]
TEST(AvpHoldTest, AnUnspecifiedAddressIsAHoldWithoutDestination) {
  for (const std::string& offer :
       {corpus("hold_by_address.sdp"), replaced(phone("", "::"), "IP4 ::", "IP6 ::")}) {
    OfferAnswer one = trunk_leg();
    const auto remote = one.receive_offer(offer);
    ASSERT_TRUE(remote);
    EXPECT_TRUE(remote->held_by_address);
    EXPECT_EQ(remote->direction, Direction::sendrecv);
    EXPECT_EQ(ready_direction(*remote), Direction::sendonly);
    EXPECT_TRUE(remote->rtp.empty());
    EXPECT_TRUE(has_line(one.answer({pcmu()}, Direction::sendrecv), "a=recvonly"));
    EXPECT_EQ(one.direction(), Direction::recvonly);
  }
}

// RFC 3264 §8.4: hold and resume are directions of the same line [hold]
TEST(AvpHoldTest, HoldAndResumeUseTheSameLine) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(phone());
  const std::string talking = one.answer({pcmu()}, Direction::sendrecv);
  one.receive_offer(phone("a=sendonly\r\n"));
  const std::string held = one.answer({pcmu()}, Direction::sendrecv);
  EXPECT_EQ(held, replaced(replaced(talking, "a=sendrecv", "a=recvonly"), " 1 IN", " 2 IN"));
  one.receive_offer(phone());
  const std::string resumed = one.answer({pcmu()}, Direction::sendrecv);
  EXPECT_EQ(resumed, replaced(talking, " 1 IN", " 3 IN"));
}

// RFC 3264 §6.1: the numbers may differ by direction [payload-types-mapped]
TEST(AvpOfferAnsweredTest, SendsWithThePeersNumbersAndReceivesWithItsOwn) {
  OfferAnswer one = trunk_leg();
  one.offer({opus(111), pcmu(), event(8000, 101), event(48000, 110)}, Direction::sendrecv);
  EXPECT_EQ(one.state(), OfferAnswer::State::local_offer);
  const auto remote = one.receive_answer(
      "v=0\r\nc=IN IP4 192.0.2.60\r\nm=audio 7078 RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\n"
      "a=rtpmap:97 telephone-event/48000\r\n");
  ASSERT_TRUE(remote);
  EXPECT_THAT(payload_types(one.agreed_codecs()), ElementsAre(96, 97));
  EXPECT_THAT(payload_types(one.receive_codecs()), ElementsAre(111, 110));
  EXPECT_EQ(one.direction(), Direction::sendrecv);
  EXPECT_EQ(one.state(), OfferAnswer::State::stable);
  EXPECT_EQ(one.remote()->rtp, SocketAddress::parse("192.0.2.60:7078"));
}

TEST(AvpOfferAnsweredTest, CodecsThatWereNotOfferedArePassedOver) {
  OfferAnswer one = trunk_leg();
  one.offer({pcmu()}, Direction::sendrecv);
  ASSERT_TRUE(one.receive_answer(replaced(phone(), "RTP/AVP 0 101", "RTP/AVP 18 0 8 101")));
  EXPECT_THAT(payload_types(one.agreed_codecs()), ElementsAre(0));
}

TEST(AvpOfferAnsweredTest, MuxThatWasNotOfferedIsPassedOver) {
  OfferAnswer one = trunk_leg();
  one.offer({pcmu()}, Direction::sendrecv);
  const auto remote = one.receive_answer(phone("a=rtcp-mux\r\n"));
  ASSERT_TRUE(remote);
  EXPECT_FALSE(remote->rtcp_mux);
  EXPECT_EQ(remote->rtcp.port, 7079);
}

TEST(AvpOfferAnsweredTest, DirectionIsWhatBothAllow) {
  for (const auto& [ours, theirs, agreed] :
       {std::tuple{Direction::sendrecv, "recvonly", Direction::sendonly},
        std::tuple{Direction::sendonly, "recvonly", Direction::sendonly},
        std::tuple{Direction::sendonly, "sendrecv", Direction::sendonly},
        std::tuple{Direction::recvonly, "sendonly", Direction::recvonly},
        std::tuple{Direction::inactive, "sendrecv", Direction::inactive},
        std::tuple{Direction::sendrecv, "inactive", Direction::inactive}}) {
    OfferAnswer one = trunk_leg();
    one.offer({pcmu()}, ours);
    ASSERT_TRUE(one.receive_answer(phone("a=" + std::string(theirs) + "\r\n")));
    EXPECT_EQ(one.direction(), agreed) << theirs;
  }
}

TEST(AvpOfferAnsweredTest, AnAnswerThatCannotBeTakenLeavesTheOfferOpen) {
  OfferAnswer one = trunk_leg();
  one.offer({pcmu(), event(8000, 101)}, Direction::sendrecv);
  const auto reason = [&](const std::string& answer) {
    const auto remote = one.receive_answer(answer);
    EXPECT_FALSE(remote);
    EXPECT_EQ(one.state(), OfferAnswer::State::local_offer);
    EXPECT_FALSE(one.established());
    return remote ? RejectionReason{} : remote.error().reason;
  };
  EXPECT_EQ(reason("garbage"), RejectionReason::syntax);
  EXPECT_EQ(reason("v=0\r\n"), RejectionReason::changed_lines);
  EXPECT_EQ(reason(phone("m=video 0 RTP/AVP 31\r\n")), RejectionReason::changed_lines);
  EXPECT_EQ(reason(replaced(phone(), "m=audio", "m=video")), RejectionReason::changed_lines);
  EXPECT_EQ(reason(replaced(phone(), "7078", "0")), RejectionReason::no_audio);
  EXPECT_EQ(reason(replaced(phone(), "RTP/AVP", "RTP/SAVP")), RejectionReason::transport);
  EXPECT_EQ(reason(replaced(phone(), "c=IN IP4 192.0.2.60\r\n", "")), RejectionReason::syntax);
  EXPECT_EQ(reason(replaced(phone(), "RTP/AVP 0 101", "RTP/AVP 8 101")),
            RejectionReason::no_common_codec);
  EXPECT_TRUE(one.receive_answer(phone()));
}

TEST(AvpOfferAnsweredTest, ACopyTakesTheAnswerOfAnotherFork) {
  OfferAnswer one = trunk_leg();
  one.offer({pcmu(), pcma()}, Direction::sendrecv);
  OfferAnswer other = one;
  ASSERT_TRUE(one.receive_answer(phone()));
  ASSERT_TRUE(other.receive_answer(corpus("carrier_plain.sdp")));
  EXPECT_THAT(payload_types(one.agreed_codecs()), ElementsAre(0));
  EXPECT_THAT(payload_types(other.agreed_codecs()), ElementsAre(8, 0));
}

}  // namespace
}  // namespace trunkline::sdp
