#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Digits that cross a call by INFO, in every state of it.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

struct DtmfCall : EstablishedCall {
  int info(Peer& peer, std::string_view type, std::string_view body) {
    const auto sent = peer.send_in_dialog(Method::info, type, body);
    world.settle();
    const auto response = peer.take_response(200, sent);
    return response ? response->response.status() : 0;
  }
};

// RFC 6086 §A: digits by INFO become events [info-digits]
TEST_F(DtmfCall, ABrowsersInfoBecomesEventsOnTheTrunk) {
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=7\r\nDuration=200\r\n"), 200);
  const auto sent = world.media_commands<media::SendDigit>();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].digit, '7');
  EXPECT_EQ(sent[0].duration_ms, 200U);
  EXPECT_EQ(sent[0].payload_type, 101);
  ASSERT_EQ(world.observed<DtmfPassed>().size(), 1U);
  EXPECT_EQ(world.observed<DtmfPassed>()[0].leg, "from");
}

// RFC 6086 §A: digits by INFO reach a page by INFO alone [info-digits]
TEST_F(DtmfCall, ATrunksInfoReachesThePageAsInfo) {
  EXPECT_EQ(info(*trunk, "application/dtmf", "#"), 200);
  const auto passed = alice->take_request(Method::info);
  ASSERT_TRUE(passed);
  EXPECT_THAT(std::string(passed->request.body()), HasSubstr("Signal=#"));
  EXPECT_EQ(world.media_commands<media::SendDigit>().size(), 0U);
}

TEST_F(DtmfCall, ADurationOutOfReasonIsCut) {
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=1\r\nDuration=4000000000\r\n"), 200);
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Duration=1\r\nSignal=2\r\n"), 200);
  const auto sent = world.media_commands<media::SendDigit>();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].duration_ms, 5000U);
  EXPECT_EQ(sent[1].duration_ms, 40U);
}

// RFC 6086 §A: other bodies get 415, an empty INFO 200 [info-digits]
TEST_F(DtmfCall, WhatIsNoDigitIsRefusedAndPassedNowhere) {
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=hello\r\n"), 415);
  EXPECT_EQ(info(*alice, "application/octet-stream", "<x/>"), 415);
  EXPECT_EQ(info(*alice, {}, {}), 200) << "an empty INFO is a keep-alive";
  EXPECT_TRUE(world.media_commands<media::SendDigit>().empty());
}

// RFC 6086 §4.2.2: an Info-Package gets 469 and Recv-Info [info-dialog]
TEST_F(DtmfCall, AnInfoPackageIsNotTaken) {
  auto request = alice->dialog->request(Method::info);
  request.add("Info-Package", "foo");
  const auto sent = alice->send(std::move(request));
  world.settle();
  const auto refused = alice->take_response(200, sent);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 469);
  EXPECT_TRUE(refused->response.header(HeaderName::recv_info));
}

// RFC 5057 §5.1: 501 ends nothing, 481 the call [dialog-lost]
TEST_F(DtmfCall, AnInfoThatTheFarEndDoesNotKnowEndsNothingButItsDialogsLossDoes) {
  EXPECT_EQ(info(*trunk, "application/dtmf", "1"), 200);
  alice->respond(*alice->take_request(Method::info), 501);
  world.settle();
  EXPECT_EQ(world.engine->calls(), 1U);
  EXPECT_EQ(info(*trunk, "application/dtmf", "2"), 200);
  alice->respond(*alice->take_request(Method::info), 481);
  world.settle();
  EXPECT_EQ(world.engine->calls(), 0U);
}

// RFC 6086 §4.2.2: INFO without its dialog gets 481 [info-dialog]
TEST_F(DtmfCall, AnInfoAfterTheEndGets481) {
  auto late = alice->dialog;
  alice->send_in_dialog(Method::bye);
  world.settle();
  late->request(Method::info);
  alice->dialog = late;
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=7\r\n"), 481);
}

TEST_F(DtmfCall, RtpEventsForALegWithoutEventsBecomeInfo) {
  const LegId browser = world.media_commands<media::AddBrowserLeg>().front().leg;
  const auto sent =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendrecv", 5, "0"));
  world.settle();
  trunk->ack(*trunk->take_response(200, sent));
  world.settle();
  world.media(media::DigitReceived{browser, '9', 120});
  const auto passed = trunk->take_request(Method::info);
  ASSERT_TRUE(passed);
  EXPECT_THAT(std::string(passed->request.body()), HasSubstr("Signal=9"));
}

/// The trunk has audio alone.
struct SoundingDigits : DtmfCall {
  LegId leg;  ///< the trunk's

  void SetUp() override {
    DtmfCall::SetUp();
    leg = world.media_commands<media::AddTrunkLeg>().front().leg;
    describe_without_events();
  }
  void describe_without_events() {
    const auto sent =
        trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendrecv", 5, "0"));
    world.settle();
    trunk->ack(*trunk->take_response(200, sent));
    world.settle();
  }
  void hear(char digit) {
    world.media(media::DigitReceived{leg, digit, 0, true});
    world.settle();
  }
  std::vector<media::AudioCodec> listened_to() const {
    std::vector<media::AudioCodec> codecs;
    for (const auto& order : world.media_commands<media::DetectDigits>()) {
      EXPECT_EQ(order.leg, leg);
      codecs.push_back(order.codec);
    }
    return codecs;
  }
  std::string methods() const {
    std::string all;
    for (const auto& passed : world.observed<DtmfPassed>())
      all += std::string(1, passed.digit) + passed.method + " ";
    return all;
  }
};

TEST_F(SoundingDigits, AreListenedForAndReachThePageByInfo) {
  EXPECT_THAT(listened_to(), testing::ElementsAre(media::AudioCodec::pcmu));
  hear('3');
  const auto passed = alice->take_request(Method::info);
  ASSERT_TRUE(passed);
  EXPECT_THAT(std::string(passed->request.body()), HasSubstr("Signal=3"));
  EXPECT_EQ(methods(), "3inband ");
}

TEST_F(SoundingDigits, AreNotListenedForWhereThereAreEvents) {
  const auto sent = trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp());
  world.settle();
  trunk->ack(*trunk->take_response(200, sent));
  world.settle();
  EXPECT_THAT(listened_to(),
              testing::ElementsAre(media::AudioCodec::pcmu, media::AudioCodec::none));
}

// RFC 4733 §2.5.1.2: a tone and an INFO are one [digit-once]
TEST_F(SoundingDigits, OfATrunkThatSendsInfoTooCountOnce) {
  hear('3');
  EXPECT_EQ(info(*trunk, "application/dtmf", "3"), 200);
  EXPECT_EQ(info(*trunk, "application/dtmf", "3"), 200);
  hear('3');
  EXPECT_EQ(methods(), "3inband 3info ");
  EXPECT_THAT(listened_to(),
              testing::ElementsAre(media::AudioCodec::pcmu, media::AudioCodec::none));
}

TEST_F(SoundingDigits, AreNotSentToATrunkThatTakesInfo) {
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=7\r\n"), 200);
  EXPECT_TRUE(trunk->take_request(Method::info));
  EXPECT_TRUE(world.media_commands<media::SendDigit>().empty());
}

/// The trunk takes no INFO either.
struct NothingButSound : SoundingDigits {
  void SetUp() override {
    world.trunk().allow = "INVITE, ACK, BYE, CANCEL";
    SoundingDigits::SetUp();
  }
};

TEST_F(NothingButSound, ADigitForItIsASound) {
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=7\r\n"), 200);
  const auto sent = world.media_commands<media::SendDigit>();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].to, leg);
  EXPECT_EQ(sent[0].digit, '7');
  EXPECT_EQ(sent[0].tone, media::AudioCodec::pcmu);
  EXPECT_EQ(sent[0].payload_type, 0);
  EXPECT_FALSE(trunk->take_request(Method::info));
}

TEST_F(NothingButSound, TheApisDigitsAreSounds) {
  const auto asked = world.ask(SendDtmf{{call_name(), {}}, "12", 160});
  EXPECT_TRUE(world.reply<Done>(asked));
  EXPECT_EQ(world.media_commands<media::SendDigit>().size(), 2U);
  EXPECT_EQ(methods(), "1inband 2inband ");
}

TEST_F(NothingButSound, AnEventOfThePageIsASoundForIt) {
  const LegId browser = world.media_commands<media::AddBrowserLeg>().front().leg;
  world.media(media::DigitReceived{browser, '9', 120});
  world.settle();
  ASSERT_EQ(world.media_commands<media::SendDigit>().size(), 1U);
  EXPECT_EQ(world.media_commands<media::SendDigit>()[0].tone, media::AudioCodec::pcmu);
}

/// What the configuration says of the trunk's digits.
struct DtmfPolicies : DtmfCall {
  void SetUp() override {}
  void call_with(DtmfPolicy policy) {
    world.settings.trunks[0].dtmf = policy;
    world.restart();
    DtmfCall::SetUp();
  }
  std::string answer_to_trunk() {
    const auto sent = trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp());
    world.settle();
    const auto answer = trunk->take_response(200, sent);
    if (!answer) return {};
    trunk->ack(*answer);
    world.settle();
    return std::string(answer->response.body());
  }
};

TEST_F(DtmfPolicies, InbandAgreesToNoEventsListensAndSendsSound) {
  call_with(DtmfPolicy::in_band);
  EXPECT_THAT(answer_to_trunk(), testing::Not(HasSubstr("telephone-event")));
  EXPECT_EQ(world.media_commands<media::DetectDigits>().size(), 1U);
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=7\r\n"), 200);
  ASSERT_EQ(world.media_commands<media::SendDigit>().size(), 1U);
  EXPECT_EQ(world.media_commands<media::SendDigit>()[0].tone, media::AudioCodec::pcmu);
}

TEST_F(DtmfPolicies, InfoAgreesToNoEventsAndDoesNotListen) {
  call_with(DtmfPolicy::info);
  EXPECT_THAT(answer_to_trunk(), testing::Not(HasSubstr("telephone-event")));
  EXPECT_TRUE(world.media_commands<media::DetectDigits>().empty());
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=7\r\n"), 200);
  EXPECT_TRUE(trunk->take_request(Method::info));
}

TEST_F(DtmfPolicies, Rfc4733DoesNotListen) {
  call_with(DtmfPolicy::rfc4733);
  EXPECT_THAT(answer_to_trunk(), HasSubstr("telephone-event"));
  const auto sent =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendrecv", 5, "0"));
  world.settle();
  trunk->ack(*trunk->take_response(200, sent));
  world.settle();
  EXPECT_TRUE(world.media_commands<media::DetectDigits>().empty());
}

TEST_F(DtmfPolicies, ThePageHasEventsThoughTheTrunkHasNone) {
  call_with(DtmfPolicy::in_band);
  const auto routes = world.media_commands<media::SetRoute>();
  bool reported = false;
  for (const auto& route : routes) {
    for (const auto& payload : route.payloads)
      reported = reported || (payload.telephone_event && payload.reported_only);
  }
  EXPECT_TRUE(reported);
}

TEST(DtmfBeforeTheAnswer, AnEarlyInfoIsAnsweredAndPassedNowhere) {
  World world;
  Peer& alice = world.registered("alice", 100000);
  world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  world.trunk().respond(*invite, 183, trunk_sdp());
  world.settle();
  world.trunk().dialog = *sip::Dialog::as_uas(invite->request, "peer-tag");
  const auto sent = world.trunk().send_in_dialog(Method::info, "application/dtmf", "1");
  world.settle();
  EXPECT_EQ(world.trunk().take_response(200, sent)->response.status(), 200);
  EXPECT_FALSE(alice.take_request(Method::info));
}

}  // namespace
}  // namespace trunkline::call::simulation
