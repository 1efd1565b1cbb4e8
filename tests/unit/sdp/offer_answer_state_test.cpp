#include "descriptions.hpp"

namespace trunkline::sdp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// RFC 3264 §8: the version stays while the description does [origin-version]
TEST(VersionTest, StartsAtOneAndStaysWhileTheTextDoes) {
  OfferAnswer one = trunk_leg();
  const std::string first = one.offer({pcmu()}, Direction::sendrecv);
  EXPECT_EQ(version_of(first), 1);
  ASSERT_TRUE(one.receive_answer(phone()));
  for (int refresh = 0; refresh < 5; ++refresh) {
    EXPECT_EQ(one.offer({pcmu()}, Direction::sendrecv), first);
    ASSERT_TRUE(one.receive_answer(phone()));
  }
  EXPECT_EQ(one.local_text(), first);
}

// RFC 3264 §8: the version rises by one with each change [origin-version]
// RFC 3264 §8: whoever offers, by one and only with a change [race-origin-version]
TEST(VersionTest, RisesByOneWithEveryChangeWhoeverOffers) {
  OfferAnswer one = trunk_leg();
  int version = version_of(one.offer({pcmu()}, Direction::sendrecv));
  ASSERT_TRUE(one.receive_answer(phone()));
  const std::string origin = line_of(one.local_text(), "o=");
  for (int round = 0; round < 10; ++round) {
    const std::string held = one.offer({pcmu()}, Direction::sendonly);
    EXPECT_EQ(version_of(held), ++version);
    ASSERT_TRUE(one.receive_answer(phone("a=recvonly\r\n")));
    ASSERT_TRUE(one.receive_offer(phone()));
    EXPECT_EQ(version_of(one.answer({pcmu()}, Direction::sendrecv)), ++version);
    ASSERT_TRUE(one.receive_offer(phone()));
    EXPECT_EQ(version_of(one.answer({pcmu()}, Direction::sendrecv)), version);
  }
  const std::string last = line_of(one.local_text(), "o=");
  EXPECT_EQ(origin.substr(0, origin.find(" 1 ")), last.substr(0, last.find(" 21 ")));
}

TEST(VersionTest, AnOfferRepeatedAfterAChallengeIsTheSame) {
  OfferAnswer one = browser_leg();
  const std::string first = one.offer({opus()}, Direction::sendrecv);
  EXPECT_EQ(one.offer({opus()}, Direction::sendrecv), first);
  EXPECT_EQ(one.state(), OfferAnswer::State::local_offer);
}

TEST(VersionTest, ABrowserLegRepeatsItselfTheSameWay) {
  OfferAnswer one = browser_leg();
  const std::string first = one.offer({opus(), event(48000, 110)}, Direction::sendrecv);
  ASSERT_TRUE(one.receive_answer(browser_answer()));
  EXPECT_EQ(one.offer({opus(), event(48000, 110)}, Direction::sendrecv), first);
}

TEST(VersionTest, NewIceCredentialsAreAChange) {
  OfferAnswer one = browser_leg();
  one.offer({opus()}, Direction::sendrecv);
  ASSERT_TRUE(one.receive_answer(browser_answer()));
  one.set_ice("fresh123", "freshpasswordfreshpassword");
  EXPECT_EQ(version_of(one.offer({opus()}, Direction::sendrecv)), 2);
}

// RFC 3264 §8: the version goes on when another fork answers the first offer again
TEST(VersionTest, GoesOnWhenAnotherForkAnswersTheFirstOfferAgain) {
  OfferAnswer one = trunk_leg();
  const std::string first = one.offer({pcmu()}, Direction::sendrecv);
  const OfferAnswer offered = one;
  ASSERT_TRUE(one.receive_answer(phone()));
  OfferAnswer other = offered;
  other.follow(one);
  EXPECT_EQ(other.local_text(), first) << "nothing has happened to the one before";
  ASSERT_TRUE(one.receive_offer(phone("a=sendonly\r\n")));
  EXPECT_EQ(version_of(one.answer({pcmu()}, Direction::recvonly)), 2);
  other = offered;
  other.follow(one);
  ASSERT_TRUE(other.receive_answer(phone()));
  EXPECT_EQ(other.local_text(), replaced(first, " 1 IN", " 3 IN"));
  OfferAnswer third = offered;
  third.follow(other);
  ASSERT_TRUE(third.receive_answer(phone()));
  EXPECT_EQ(version_of(third.offer({pcmu()}, Direction::sendonly)), 3);
  ASSERT_TRUE(third.receive_answer(phone("a=recvonly\r\n")));
  EXPECT_EQ(version_of(third.offer({pcmu()}, Direction::sendrecv)), 4);
}

// RFC 3264 §8: a refused offer leaves what was agreed [race-refused-offer]
TEST(RollbackTest, OfOurOfferRestoresWhatWasAgreed) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(phone());
  one.answer({pcmu(), event(8000, 101)}, Direction::sendrecv);
  one.offer({pcma()}, Direction::sendonly);
  one.rollback();
  EXPECT_EQ(one.state(), OfferAnswer::State::stable);
  EXPECT_EQ(one.direction(), Direction::sendrecv);
  EXPECT_THAT(payload_types(one.agreed_codecs()), ElementsAre(0, 101));
  EXPECT_THAT(payload_types(one.receive_codecs()), ElementsAre(0, 101));
  EXPECT_EQ(line_of(one.local_text(), "m="), "m=audio 20000 RTP/AVP 0 101");
}

// RFC 3264 §8: the version goes on after a refused offer [origin-version]
TEST(RollbackTest, NeverTurnsTheVersionBack) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(phone());
  const std::string agreed = one.answer({pcmu()}, Direction::sendrecv);
  const std::string refused = one.offer({pcmu()}, Direction::sendonly);
  EXPECT_EQ(version_of(refused), 2);
  one.rollback();
  EXPECT_EQ(one.local_text(), replaced(agreed, " 1 IN", " 3 IN"));
  EXPECT_EQ(one.repeat(), one.local_text());
  one.rollback();
  EXPECT_EQ(version_of(one.offer({pcmu()}, Direction::inactive)), 4);
}

TEST(RollbackTest, LeavesNoGapBetweenTheVersionsThatThePeerGets) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(phone());
  one.answer({pcmu()}, Direction::sendrecv);
  EXPECT_EQ(version_of(one.offer({pcmu()}, Direction::sendonly)), 2);
  one.rollback();
  EXPECT_EQ(version_of(one.offer({pcmu()}, Direction::inactive)), 3) << "RFC 3264 8: by one";
  one.rollback();
  EXPECT_EQ(version_of(one.offer({pcmu()}, Direction::sendonly)), 4);
}

TEST(RollbackTest, OfAnUnchangedOfferKeepsTheVersion) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(phone());
  const std::string agreed = one.answer({pcmu()}, Direction::sendrecv);
  EXPECT_EQ(one.offer({pcmu()}, Direction::sendrecv), agreed);
  one.rollback();
  EXPECT_EQ(one.local_text(), agreed);
}

TEST(RollbackTest, OfAFirstOfferLeavesNothingAgreed) {
  OfferAnswer one = browser_leg();
  one.offer({opus()}, Direction::sendrecv);
  one.rollback();
  EXPECT_FALSE(one.established());
  EXPECT_THAT(one.local_text(), IsEmpty());
  EXPECT_EQ(one.state(), OfferAnswer::State::stable);
  EXPECT_EQ(version_of(one.offer({opus()}, Direction::sendrecv)), 1);
}

TEST(RollbackTest, OfARemoteOfferForgetsItsLines) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(phone());
  const std::string agreed = one.answer({pcmu()}, Direction::sendrecv);
  ASSERT_TRUE(one.receive_offer(phone("m=video 5000 RTP/AVP 31\r\n")));
  one.rollback();
  EXPECT_EQ(one.local_text(), agreed);
  EXPECT_EQ(one.offer({pcmu()}, Direction::sendrecv), agreed);
}

TEST(RollbackTest, OfARemoteOfferRestoresTheDtlsRole) {
  OfferAnswer one = browser_leg();
  one.receive_offer(corpus("chromium_audio.sdp"));
  one.answer({pcmu()}, Direction::sendrecv);
  one.receive_offer(replaced(corpus("chromium_audio.sdp"), "a=setup:actpass", "a=setup:passive"));
  one.rollback();
  EXPECT_FALSE(one.dtls_client());
  EXPECT_EQ(one.remote()->setup, Setup::actpass);
}

TEST(RollbackTest, WithoutAnOpenOfferChangesNothing) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(phone());
  const std::string agreed = one.answer({pcmu()}, Direction::sendrecv);
  one.rollback();
  EXPECT_EQ(one.local_text(), agreed);
  EXPECT_TRUE(one.established());
}

TEST(GlareTest, AnOfferWhileOneIsOpenIsRefused) {
  OfferAnswer ours = trunk_leg();
  ours.offer({pcmu()}, Direction::sendrecv);
  const auto against_ours = ours.receive_offer(phone());
  ASSERT_FALSE(against_ours);
  EXPECT_EQ(against_ours.error().reason, RejectionReason::wrong_state);
  EXPECT_EQ(ours.state(), OfferAnswer::State::local_offer);

  OfferAnswer theirs = trunk_leg();
  ASSERT_TRUE(theirs.receive_offer(phone()));
  const auto second = theirs.receive_offer(phone());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, RejectionReason::wrong_state);
  EXPECT_EQ(theirs.state(), OfferAnswer::State::remote_offer);
}

TEST(GlareTest, AnAnswerWithoutAnOfferIsRefused) {
  OfferAnswer one = trunk_leg();
  const auto early = one.receive_answer(phone());
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().reason, RejectionReason::wrong_state);
  ASSERT_TRUE(one.receive_offer(phone()));
  EXPECT_FALSE(one.receive_answer(phone()));
}

TEST(GlareTest, NothingIsOfferedWhileTheirOfferIsOpen) {
  OfferAnswer one = trunk_leg();
  ASSERT_TRUE(one.receive_offer(phone()));
  EXPECT_THAT(one.offer({pcmu()}, Direction::sendrecv), IsEmpty());
  EXPECT_EQ(one.state(), OfferAnswer::State::remote_offer);
  EXPECT_EQ(line_of(one.answer({pcmu()}, Direction::sendrecv), "m="), "m=audio 20000 RTP/AVP 0");
}

TEST(GlareTest, AnAnswerToNothingRepeatsTheLastDescription) {
  OfferAnswer one = trunk_leg();
  EXPECT_THAT(one.answer({pcmu()}, Direction::sendrecv), IsEmpty());
  ASSERT_TRUE(one.receive_offer(phone()));
  const std::string text = one.answer({pcmu()}, Direction::sendrecv);
  EXPECT_EQ(one.answer({pcmu()}, Direction::inactive), text);
  EXPECT_EQ(one.direction(), Direction::sendrecv);
}

// RFC 3264 §8.2: lines keep their places in later offers [m-line-slots]
TEST(SlotTest, LinesKeepTheirPlacesInOurOffers) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(corpus("fax_t38.sdp"));
  one.answer({pcmu()}, Direction::sendrecv);
  const auto offer = parse_session(one.offer({pcmu(), pcma()}, Direction::sendrecv));
  ASSERT_TRUE(offer);
  ASSERT_THAT(offer->media, SizeIs(2));
  EXPECT_EQ(offer->media[0].port, 20000);
  EXPECT_EQ(offer->media[1].kind, "image");
  EXPECT_EQ(offer->media[1].port, 0);
  EXPECT_TRUE(one.receive_answer(phone("m=image 0 udptl t38\r\n")));
}

// RFC 3264 §8: no line of a session is ever removed [m-line-slots]
TEST(SlotTest, FewerLinesThanBeforeAreRefused) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(corpus("fax_t38.sdp"));
  one.answer({pcmu()}, Direction::sendrecv);
  const auto remote = one.receive_offer(phone());
  ASSERT_FALSE(remote);
  EXPECT_EQ(remote.error().reason, RejectionReason::changed_lines);
}

TEST(SlotTest, ALineMayBeAdded) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(phone());
  one.answer({pcmu()}, Direction::sendrecv);
  ASSERT_TRUE(one.receive_offer(phone("m=video 5000 RTP/AVP 31\r\n")));
  EXPECT_TRUE(has_line(one.answer({pcmu()}, Direction::sendrecv), "m=video 0 RTP/AVP 31"));
}

TEST(SlotTest, TheLineInUseIsKeptWhenAnotherOneCouldBe) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(corpus("carrier_savp_and_avp.sdp"));
  one.answer({pcmu()}, Direction::sendrecv);
  const auto remote =
      one.receive_offer(replaced(corpus("carrier_savp_and_avp.sdp"), "RTP/SAVP", "RTP/AVP"));
  ASSERT_TRUE(remote);
  EXPECT_EQ(remote->rtp.port, 22002);
}

// RFC 3264 §8.2: a line with port 0 stays [m-line-slots]
TEST(SlotTest, AudioMayMoveToAnotherLine) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(phone());
  one.answer({pcmu()}, Direction::sendrecv);
  const auto remote = one.receive_offer(replaced(phone("m=audio 9000 RTP/AVP 0\r\n"), "7078", "0"));
  ASSERT_TRUE(remote);
  EXPECT_EQ(remote->rtp.port, 9000);
  const auto lines = lines_of(one.answer({pcmu()}, Direction::sendrecv));
  EXPECT_THAT(lines,
              ::testing::IsSupersetOf({"m=audio 0 RTP/AVP 0 101", "m=audio 20000 RTP/AVP 0"}));
}

// RFC 3264 §8.3.2: our offers keep the agreed payload types [payload-types-kept]
TEST(PayloadTypeTest, OfAnAgreedCodecIsKeptInOurOffers) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(corpus("carrier_opus_mux.sdp"));
  one.answer({opus(107), event(48000, 102)}, Direction::sendrecv);
  const std::string text =
      one.offer({opus(111), pcmu(), event(8000, 101), event(48000, 110)}, Direction::sendrecv);
  EXPECT_EQ(line_of(text, "m="), "m=audio 20000 RTP/AVP 107 0 101 102");
}

TEST(PayloadTypeTest, OursStayOursWhenThePeerAnswersWithOthers) {
  OfferAnswer one = trunk_leg();
  const std::string first = one.offer({opus(111), event(8000, 101)}, Direction::sendrecv);
  ASSERT_TRUE(one.receive_answer(
      "v=0\r\nc=IN IP4 192.0.2.60\r\nm=audio 7078 RTP/AVP 101 111\r\na=rtpmap:101 opus/48000/2\r\n"
      "a=rtpmap:111 telephone-event/8000\r\n"));
  EXPECT_THAT(payload_types(one.receive_codecs()), ElementsAre(111, 101));
  EXPECT_THAT(payload_types(one.agreed_codecs()), ElementsAre(101, 111));
  EXPECT_EQ(one.offer({opus(111), event(8000, 101)}, Direction::sendrecv), first);
}

// RFC 3264 §8.3.2: a payload type never changes its meaning in a session [payload-types-kept]
TEST(PayloadTypeTest, AUsedOneNeverMeansAnotherCodec) {
  OfferAnswer one = trunk_leg();
  one.receive_offer(replaced_all(replaced_all(phone(), " 101", " 111"), ":101", ":111"));
  one.answer({pcmu(), event(8000, 111)}, Direction::sendrecv);
  const std::string with_opus = one.offer({opus(111)}, Direction::sendrecv);
  EXPECT_EQ(line_of(with_opus, "m="), "m=audio 20000 RTP/AVP 96");
  one.rollback();
  EXPECT_EQ(line_of(one.offer({opus(111), event(48000, 96)}, Direction::sendrecv), "m="),
            "m=audio 20000 RTP/AVP 96 97");
}

TEST(PayloadTypeTest, TwoCodecsInAnOfferNeverShareOne) {
  OfferAnswer one = trunk_leg();
  const std::string text =
      one.offer({opus(100), event(8000, 100), event(48000, 100), opus(100)}, Direction::sendrecv);
  EXPECT_EQ(line_of(text, "m="), "m=audio 20000 RTP/AVP 100 96 97");
}

TEST(PayloadTypeTest, WithoutAFreeOneTheCodecIsLeftOut) {
  OfferAnswer one = trunk_leg();
  std::vector<Codec> many;
  for (int number = 0; number < 80; ++number) {
    many.push_back(codec("codec" + std::to_string(number), 8000, 1, 96));
  }
  const auto offer = parse_session(one.offer(many, Direction::sendrecv));
  ASSERT_TRUE(offer);
  EXPECT_THAT(offer->media[0].codecs, SizeIs(61));  // 96 to 127 and 35 to 63
}

}  // namespace
}  // namespace trunkline::sdp
