#include "sdp/codec_match.hpp"

#include "descriptions.hpp"

namespace trunkline::sdp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Codec> chromium() {
  return parse_session(corpus("chromium_audio.sdp"))->media[0].codecs;
}
std::vector<Codec> carrier() {
  return parse_session(corpus("carrier_plain.sdp"))->media[0].codecs;
}

TEST(CodecTest, TheSameEncodingHasTheSameNameClockAndChannels) {
  EXPECT_TRUE(same_codec(codec("OPUS", 48000, 2, 96), opus(111)));
  EXPECT_FALSE(same_codec(codec("opus", 48000, 1, 111), opus(111)));
  EXPECT_FALSE(same_codec(codec("opus", 16000, 2, 111), opus(111)));
  EXPECT_FALSE(same_codec(pcmu(), pcma()));
}

TEST(CodecTest, IsFoundByItsEncoding) {
  const std::vector<Codec> codecs{pcmu(), opus(96)};
  ASSERT_NE(find_codec(codecs, opus(111)), nullptr);
  EXPECT_EQ(find_codec(codecs, opus(111))->payload_type, 96);
  EXPECT_EQ(find_codec(codecs, pcma()), nullptr);
}

// RFC 7587 §7: 48,000 and two channels [opus-parameters]
TEST(CodecMatchTest, KnowsFourCodecsByNameInAnyCase) {
  EXPECT_EQ(known_codec("pcmu", Profile::avp)->payload_type, 0);
  EXPECT_EQ(known_codec("PCMA", Profile::avp)->payload_type, 8);
  EXPECT_EQ(known_codec("g722", Profile::avp)->clock_rate, 8000U);
  EXPECT_EQ(known_codec("Opus", Profile::webrtc)->channels, 2);
  EXPECT_EQ(known_codec("opus", Profile::webrtc)->fmtp, "minptime=10;useinbandfec=1");
  EXPECT_FALSE(known_codec("G729", Profile::avp));
}

TEST(CodecMatchTest, EventsHaveTheUsualPayloadTypesOfTheirLeg) {
  EXPECT_EQ(telephone_event(8000, Profile::webrtc).payload_type, 126);
  EXPECT_EQ(telephone_event(48000, Profile::webrtc).payload_type, 110);
  EXPECT_EQ(telephone_event(8000, Profile::avp).payload_type, 101);
  EXPECT_EQ(telephone_event(48000, Profile::avp).payload_type, 110);
}

TEST(CodecMatchTest, OffersTheAllowedOnesInTheOrderOfThePolicy) {
  const auto offer = codecs_to_offer(chromium(), {"PCMA", "PCMU", "opus"}, Profile::avp);
  EXPECT_THAT(payload_types(offer), ElementsAre(8, 0, 111, 101, 110));
}

TEST(CodecMatchTest, OffersNothingThatTheFarSideLacks) {
  const auto offer = codecs_to_offer(carrier(), {"opus", "PCMU"}, Profile::webrtc);
  EXPECT_THAT(payload_types(offer), ElementsAre(0, 126));
}

TEST(CodecMatchTest, OffersEventsThoughTheFarSideHasNone) {
  EXPECT_THAT(payload_types(codecs_to_offer({pcmu()}, {"PCMU"}, Profile::webrtc)),
              ElementsAre(0, 126));
}

TEST(CodecMatchTest, OffersNothingWithoutACommonCodec) {
  EXPECT_THAT(
      codecs_to_offer({codec("G729", 8000, 1, 18), event(8000, 101)}, {"PCMU"}, Profile::avp),
      IsEmpty());
}

TEST(CodecMatchTest, OffersEventsOfTheUsualClockBesideOpusToo) {
  EXPECT_THAT(payload_types(codecs_to_offer({"opus"}, Profile::avp)), ElementsAre(111, 110, 101));
}

TEST(CodecMatchTest, ARepeatedOrUnknownNameInThePolicyIsPassedOver) {
  EXPECT_THAT(payload_types(codecs_to_offer({pcmu()}, {"PCMU", "iLBC", "pcmu"}, Profile::avp)),
              ElementsAre(0, 101));
}

TEST(CodecMatchTest, AFirstOfferHasEverythingAllowedWithDistinctPayloadTypes) {
  const auto offer = codecs_to_offer({"opus", "G722", "PCMU"}, Profile::webrtc);
  EXPECT_THAT(payload_types(offer), ElementsAre(111, 9, 0, 110, 126));
}

// RFC 3264 §6.1: one codec [one-codec-answered]
// RFC 4733 §2.1: the clock of the codec [events-clock]
TEST(CodecMatchTest, AnswersOneCodecAndTheEventsOfItsClock) {
  EXPECT_THAT(payload_types(codecs_to_answer(chromium(), {pcma(), pcmu(), event(8000, 101)})),
              ElementsAre(8, 126));
  EXPECT_THAT(payload_types(codecs_to_answer(chromium(), {opus(96), event(48000, 97)})),
              ElementsAre(111, 110));
}

TEST(CodecMatchTest, AnswersEventsOfAnotherClockWhenThereAreNoOthers) {
  EXPECT_THAT(
      payload_types(codecs_to_answer({opus(), event(8000, 101)}, {opus(), event(48000, 110)})),
      ElementsAre(111, 101));
  EXPECT_THAT(
      payload_types(codecs_to_answer({pcmu(), event(16000, 99)}, {pcmu(), event(8000, 101)})),
      ElementsAre(0, 99));
}

// RFC 4733 §2.1: whatever the other leg has [events-clock]
TEST(CodecMatchTest, AnswersEventsWhereverTheyWereOffered) {
  EXPECT_THAT(payload_types(codecs_to_answer({pcmu(), event(8000, 101)}, {pcmu()})),
              ElementsAre(0, 101));
  EXPECT_THAT(payload_types(codecs_to_answer({pcmu()}, {pcmu(), event(8000, 101)})),
              ElementsAre(0));
}

TEST(CodecMatchTest, AnswersNothingWithoutACommonCodec) {
  EXPECT_THAT(codecs_to_answer({pcmu(), event(8000, 101)}, {pcma(), event(8000, 101)}), IsEmpty());
}

std::vector<std::pair<int, int>> routes(const std::vector<Codec>& receive,
                                        const std::vector<Codec>& send) {
  std::vector<std::pair<int, int>> numbers;
  for (const CodecRoute& route : route_codecs(receive, send)) {
    numbers.emplace_back(route.from.payload_type, route.to.payload_type);
  }
  return numbers;
}

TEST(RouteCodecsTest, MapsTheSameCodecToThePeersNumber) {
  EXPECT_THAT(routes({opus(111), event(48000, 110)}, {opus(96), event(48000, 97)}),
              ElementsAre(std::pair(111, 96), std::pair(110, 97)));
}

// RFC 4733 §2.2: events get the clock of the audio [events-mapped]
// RFC 4733 §2.2: events get the payload type of their leg [race-event-clock]
TEST(RouteCodecsTest, AllEventsGoToTheOneWithTheClockOfTheAudioSent) {
  EXPECT_THAT(routes({pcmu(), event(48000, 110), event(8000, 126)},
                     {pcmu(), event(48000, 102), event(8000, 101)}),
              ElementsAre(std::pair(0, 0), std::pair(110, 101), std::pair(126, 101)));
  EXPECT_THAT(routes({opus(), event(8000, 126)}, {opus(107), event(8000, 101), event(48000, 102)}),
              ElementsAre(std::pair(111, 107), std::pair(126, 102)));
}

TEST(RouteCodecsTest, EventsGoToAnyWhenNoneHasTheClock) {
  EXPECT_THAT(routes({opus(), event(48000, 110)}, {opus(107), event(8000, 101)}),
              ElementsAre(std::pair(111, 107), std::pair(110, 101)));
}

TEST(RouteCodecsTest, ACodecThatTheOtherLegLacksHasNoRoute) {
  EXPECT_THAT(routes({pcmu(), pcma()}, {pcma()}), ElementsAre(std::pair(8, 8)));
  EXPECT_THAT(routes({pcmu(), event(8000, 101)}, {pcmu()}), ElementsAre(std::pair(0, 0)));
  EXPECT_THAT(routes({}, {pcmu()}), IsEmpty());
}

TEST(RouteCodecsTest, SeveralCommonCodecsAreAllRouted) {
  EXPECT_THAT(routes({pcmu(), pcma()}, {pcma(), pcmu()}),
              ElementsAre(std::pair(0, 0), std::pair(8, 8)));
}

TEST(TranslationTest, WhatTheFarSideLacksIsOfferedLast) {
  const auto offer =
      codecs_to_offer(carrier(), {"opus", "PCMU"}, Profile::webrtc, Translation::where_needed);
  EXPECT_THAT(payload_types(offer), ElementsAre(0, 111, 126, 110));
}

TEST(TranslationTest, OpusIsOfferedFirstWhereItIsAskedFor) {
  const auto offer =
      codecs_to_offer(carrier(), {"PCMU", "opus"}, Profile::webrtc, Translation::to_opus);
  EXPECT_THAT(payload_types(offer), ElementsAre(111, 0, 110, 126));
}

TEST(TranslationTest, NothingIsOfferedForACodecThatCanNotBeMade) {
  for (const auto translation : {Translation::where_needed, Translation::to_opus}) {
    EXPECT_THAT(codecs_to_offer({codec("G729", 8000, 1, 18)}, {"PCMU"}, Profile::avp, translation),
                IsEmpty());
  }
}

TEST(TranslationTest, ACommonCodecIsAnsweredBeforeOneThatIsMade) {
  const std::vector<Codec> agreed{pcma(), event(8000, 101)};
  EXPECT_THAT(payload_types(codecs_to_answer(chromium(), agreed, Translation::where_needed)),
              ElementsAre(8, 126));
  EXPECT_THAT(payload_types(
                  codecs_to_answer({opus(), event(48000, 110)}, agreed, Translation::where_needed)),
              ElementsAre(111, 110));
}

TEST(TranslationTest, OpusIsAnsweredWhereItIsAskedForAndOffered) {
  const std::vector<Codec> agreed{pcma(), event(8000, 101)};
  EXPECT_THAT(payload_types(codecs_to_answer(chromium(), agreed, Translation::to_opus)),
              ElementsAre(111, 110));
  EXPECT_THAT(payload_types(codecs_to_answer({pcma()}, agreed, Translation::to_opus)),
              ElementsAre(8));
}

TEST(TranslationTest, NothingIsAnsweredForACodecThatCanNotBeMade) {
  EXPECT_THAT(codecs_to_answer({codec("G729", 8000, 1, 18)}, {pcmu()}, Translation::where_needed),
              IsEmpty());
  EXPECT_THAT(codecs_to_answer({pcmu()}, {codec("G729", 8000, 1, 18)}, Translation::where_needed),
              IsEmpty());
}

using Translated = std::tuple<int, int, bool>;

std::vector<Translated> translations(const std::vector<Codec>& receive,
                                     const std::vector<Codec>& send, Translation translation) {
  std::vector<Translated> numbers;
  for (const CodecRoute& route : route_codecs(receive, send, translation)) {
    numbers.emplace_back(route.from.payload_type, route.to.payload_type, route.translated);
  }
  return numbers;
}

// RFC 4733 §2.2: the events get the clock of the audio that is made [events-mapped]
TEST(TranslationTest, OnlyWhatTheOtherLegLacksIsMadeAnew) {
  EXPECT_THAT(
      translations({opus(), pcmu(), event(48000, 110)}, {pcmu(), pcma(), event(8000, 101)},
                   Translation::where_needed),
      ElementsAre(Translated(111, 0, true), Translated(0, 0, false), Translated(110, 101, false)));
}

TEST(TranslationTest, AllBecomesOpusWhereItIsAskedForAndSpokenFirst) {
  EXPECT_THAT(translations({pcmu(), opus()}, {opus(96), pcmu()}, Translation::to_opus),
              ElementsAre(Translated(0, 96, true), Translated(111, 96, false)));
  EXPECT_THAT(translations({pcmu(), opus()}, {pcmu(), opus(96)}, Translation::to_opus),
              ElementsAre(Translated(0, 0, false), Translated(111, 96, false)));
}

}  // namespace
}  // namespace trunkline::sdp
