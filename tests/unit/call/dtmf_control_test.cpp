#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Digits that the API sends.
namespace trunkline::call::simulation {
namespace {

using sip::Method;
using testing::HasSubstr;

struct DtmfControl : EstablishedCall {
  RequestId dial(std::string digits, LegName on = {}, std::uint32_t duration = 160) {
    if (on.call.empty()) on.call = call_name();
    return world.ask(SendDtmf{on, std::move(digits), duration});
  }
  LegName page() { return {call_name(), leg_of("user:alice")}; }
  std::string refusal(RequestId request) const {
    const auto refused = world.reply<Refusal>(request);
    return refused ? refused->reason : std::string{};
  }
  /// The digit of the INFO that waits at alice's, answered with this.
  char take_info(int status = 200) {
    const auto info = alice->take_request(Method::info);
    if (!info) return 0;
    const std::string body(info->request.body());
    alice->respond(*info, status);
    world.settle();
    return body.at(std::string_view("Signal=").size());
  }
  /// The trunk's leg agrees to audio alone.
  void without_events() {
    const auto sent =
        trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendrecv", 5, "0"));
    world.settle();
    trunk->ack(*trunk->take_response(200, sent));
    world.settle();
  }
};

TEST_F(DtmfControl, ATrunkGetsEvents) {
  const auto sent = dial("12*#aD", {}, 200);
  EXPECT_TRUE(world.reply<Done>(sent)) << "they are queued";
  std::string digits;
  for (const auto& event : world.media_commands<media::SendDigit>()) {
    digits += event.digit;
    EXPECT_EQ(event.duration_ms, 200U);
    EXPECT_EQ(event.payload_type, 101);
  }
  EXPECT_EQ(digits, "12*#AD");
  const auto observed = world.observed<DtmfPassed>();
  ASSERT_EQ(observed.size(), 6U);
  EXPECT_EQ(observed[0].method, "rfc4733");
  EXPECT_EQ(observed[0].leg, "to");
  EXPECT_TRUE(observed[0].sent);
}

TEST_F(DtmfControl, WhatIsNoDigitsIsRefused) {
  for (const std::string& digits : {std::string(), std::string("12x"), std::string(65, '1')}) {
    const auto refused = world.reply<Refusal>(dial(digits));
    ASSERT_TRUE(refused) << digits;
    EXPECT_EQ(refused->kind, Refusal::Kind::invalid);
    EXPECT_EQ(refused->field, "digits");
  }
  EXPECT_TRUE(world.media_commands<media::SendDigit>().empty());
  EXPECT_EQ(refusal(dial("1", {call_name(), "77"})), "LEG_NOT_FOUND");
}

TEST_F(DtmfControl, NoMoreThanTheQueueTakes) {
  EXPECT_TRUE(world.reply<Done>(dial(std::string(64, '5'))));
  EXPECT_EQ(refusal(dial("6")), "OPERATION_IN_PROGRESS");
  EXPECT_EQ(world.media_commands<media::SendDigit>().size(), 64U);
  world.pass(seconds{10});
  EXPECT_TRUE(world.reply<Done>(dial("6"))) << "some are out by now";
  world.pass(seconds{60});
  EXPECT_TRUE(world.reply<Done>(dial(std::string(64, '7'))));
}

TEST_F(DtmfControl, APageGetsInfoOneAfterTheOther) {
  const auto sent = dial("47", page(), 300);
  ASSERT_EQ(alice->requests.size(), 1U) << "the second waits for the answer to the first";
  EXPECT_THAT(std::string(alice->requests[0].request.body()), HasSubstr("Duration=300"));
  EXPECT_EQ(take_info(), '4');
  EXPECT_FALSE(world.replied(sent));
  EXPECT_EQ(take_info(), '7');
  EXPECT_TRUE(world.reply<Done>(sent));
  EXPECT_TRUE(world.media_commands<media::SendDigit>().empty());
  const auto observed = world.observed<DtmfPassed>();
  ASSERT_EQ(observed.size(), 2U);
  EXPECT_EQ(observed[1].method, "info");
  EXPECT_EQ(observed[1].leg, "from");
  EXPECT_EQ(observed[1].digit, '7');
}

TEST_F(DtmfControl, ATrunkWithoutEventsGetsInfoToo) {
  without_events();
  const auto sent = dial("9");
  const auto info = trunk->take_request(Method::info);
  ASSERT_TRUE(info);
  trunk->respond(*info, 200);
  world.settle();
  EXPECT_TRUE(world.reply<Done>(sent));
}

// RFC 3261 §22.2: a challenged INFO is sent again [challenge-in-dialog]
TEST_F(DtmfControl, AChallengedInfoIsSentAgain) {
  without_events();
  const auto sent = dial("9");
  const auto info = trunk->take_request(Method::info);
  auto challenge = sip::make_response(info->request, 407, "peer-tag");
  challenge.add(sip::HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");
  trunk->respond(*info, std::move(challenge));
  world.settle();
  const auto again = trunk->take_request(Method::info);
  ASSERT_TRUE(again);
  EXPECT_FALSE(world.replied(sent));
  trunk->respond(*again, 200);
  world.settle();
  EXPECT_TRUE(world.reply<Done>(sent));
}

TEST_F(DtmfControl, ARefusedInfoIsTheReplyAndTheRestIsNotSent) {
  const auto sent = dial("47", page());
  EXPECT_EQ(take_info(415), '4');
  const auto failure = world.reply<Failure>(sent);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->sip_code, 415);
  EXPECT_FALSE(alice->take_request(Method::info));
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(DtmfControl, OneStringOfInfoAtATime) {
  const auto first = dial("47", page());
  EXPECT_EQ(refusal(dial("1", page())), "OPERATION_IN_PROGRESS");
  take_info();
  take_info();
  EXPECT_TRUE(world.reply<Done>(first));
}

TEST_F(DtmfControl, AHangUpMeanwhileEndsTheRequest) {
  const auto sent = dial("47", page());
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(refusal(sent), "WRONG_CALL_STATE");
  take_info();
  ended(*alice);
  world.expect_nothing_left();
}

TEST_F(DtmfControl, AnAnswerOf481EndsTheCallAndIsTheReply) {
  const auto sent = dial("47", page());
  take_info(481);
  ASSERT_TRUE(world.reply<Failure>(sent));
  EXPECT_EQ(world.reply<Failure>(sent)->reason, EndReason::dialog_lost);
}

TEST_F(DtmfControl, ALostBrowserIsTheReply) {
  const auto on = page();
  const auto sent = dial("47", on);
  alice->close_flow();
  world.settle();
  ASSERT_TRUE(world.reply<Failure>(sent));
  EXPECT_EQ(world.reply<Failure>(sent)->sip_code, 480);
  EXPECT_EQ(world.reply<Failure>(dial("1", on))->sip_code, 480);
}

TEST_F(DtmfControl, ASilentPageEndsTheCallAndTheRequest) {
  const auto sent = dial("4", page());
  world.pass(seconds{40});
  ASSERT_TRUE(world.reply<Failure>(sent));
  ended(*trunk);
  world.expect_nothing_left();
}

}  // namespace
}  // namespace trunkline::call::simulation
