#include "early_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What a caller agreed to before anybody knew who would answer, and a service that can't send it.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

/// Alice, whose INVITE has no offer and requires 100rel, was parked, agreed to Opus, and is sent to
/// the tone, which is G.711 alone.
struct ParkedWithOpus : EarlyCall {
  std::optional<sip::RequestReceived> offer;  ///< of ours, at her page

  void SetUp() override {
    world.settings.policy.enabled = true;
    world.settings.routes.insert(world.settings.routes.begin(),
                                 {"user", "^5551000$", "service:policy"});
    world.restart();
    EarlyCall::SetUp();
    send_invite(HeaderName::require, {});
    ASSERT_THAT(world.questions, SizeIs(1));
    world.answer(world.questions.back().id, Park{});
    const auto ringing = heard(180);
    ASSERT_TRUE(ringing);
    ASSERT_EQ(status_of(prack(ringing->response, browser_answer())), 200);
    const auto name = world.observed<CallStarted>().back().call.name;
    world.ask(AnswerCall{name, "service:tone"});
    const auto answer = heard(200);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->response.body(), "");
    EXPECT_THAT(world.media_commands<media::StartTone>(), SizeIs(0));
    alice->ack(*answer);
    world.settle();
    offer = alice->take_request(Method::invite);
    ASSERT_TRUE(offer);
  }
};

TEST_F(ParkedWithOpus, AgreesToWhatTheToneCanSend) {
  EXPECT_THAT(std::string(offer->request.body()), Not(HasSubstr("opus")));
  std::string pcma = browser_answer();
  pcma.replace(pcma.find("111 9 0 8"), 9, "8");
  alice->respond(*offer, 200, pcma);
  world.settle();
  const auto tones = world.media_commands<media::StartTone>();
  ASSERT_THAT(tones, SizeIs(1));
  EXPECT_EQ(tones[0].codec, media::ToneCodec::pcma);
  EXPECT_EQ(tones[0].payload_type, 8);
  hangs_up();
  world.expect_nothing_left();
}

TEST_F(ParkedWithOpus, EndsTheCallThatNobodyWouldHear) {
  alice->respond(*offer, 488);
  world.settle();
  EXPECT_THAT(world.media_commands<media::StartTone>(), SizeIs(0));
  EXPECT_EQ(world.observed<CallEnded>().back().end.reason, EndReason::no_codec);
  const auto bye = alice->take_request(Method::bye);
  ASSERT_TRUE(bye);
  alice->respond(*bye, 200);
  world.settle();
  world.expect_nothing_left();
}

TEST_F(ParkedWithOpus, GlareIsTriedAgain) {
  alice->respond(*offer, 491);
  world.pass(seconds{5});
  offer = alice->take_request(Method::invite);
  ASSERT_TRUE(offer);
  alice->respond(*offer, 200, browser_answer());
  world.settle();
  EXPECT_THAT(world.media_commands<media::StartTone>(), SizeIs(1));
}

}  // namespace
}  // namespace trunkline::call::simulation
