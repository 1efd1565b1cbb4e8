#include "early_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// An offer of ours before the answer (RFC 3311 §5.1): a caller that has had its answer in a
// reliable response hears early media of another codec only if it agrees to it.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

struct EarlyUpdate : EarlyCall {
  std::optional<sip::RequestReceived> update;  ///< at her page

  void SetUp() override {
    EarlyCall::SetUp();
    dial(HeaderName::supported);
    rings(183, trunk_sdp("sendrecv", 1, "0 101"), "fork-a");
    const auto announced = heard(183);
    ASSERT_TRUE(announced);
    ASSERT_EQ(status_of(prack(announced->response)), 200);
    rings(183, trunk_sdp("sendrecv", 1, "8 101"), "fork-b");
    update = alice->take_request(Method::update);
    ASSERT_TRUE(update);
  }
  void answer_update(int status, std::string_view sdp = {}) {
    alice->respond(*update, status, sdp);
    world.settle();
  }
  bool hears_pcma() {
    const auto routes = world.media_commands<media::SetRoute>();
    return !routes.empty() && !routes.back().payloads.empty() &&
           routes.back().payloads.front().from == 8;
  }
  void is_answered() {
    rings(200, trunk_sdp("sendrecv", 1, "8 101"), "fork-b");
    const auto answer = heard(200);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->response.status(), 200);
    EXPECT_EQ(answer->response.body(), "");
    alice->ack(*answer);
    world.settle();
  }
};

// RFC 3311 §5.1: once its first offer is answered reliably, UPDATE offers anew before the answer
// [update-early]
TEST_F(EarlyUpdate, OffersTheCodecThatPlaysNow) {
  EXPECT_THAT(std::string(update->request.body()), HasSubstr("SAVPF 8 "));
  EXPECT_FALSE(update->request.header(HeaderName::session_expires));
  EXPECT_EQ(sip::to_of(update->request).tag(), "hers");
  answer_update(200, browser_answer());
  EXPECT_TRUE(hears_pcma());
  is_answered();
  EXPECT_FALSE(alice->take_request(Method::invite)) << "nothing is left to be agreed";
  hangs_up();
  world.expect_nothing_left();
}

// RFC 3311 §5.1: a 481 ends the early dialog, and with it the INVITE [race-early-update-481]
TEST_F(EarlyUpdate, A481EndsTheEarlyDialog) {
  answer_update(481);
  const auto refused = heard(300);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 481);
  EXPECT_EQ(trunk->cancels.size(), 1U);
  rings(487);
  world.expect_nothing_left();
}

TEST_F(EarlyUpdate, SilenceEndsTheEarlyDialogToo) {
  world.pass(seconds{33});
  const auto refused = heard(300);
  ASSERT_TRUE(refused);
  EXPECT_EQ(trunk->cancels.size(), 1U);
  rings(487);
  world.expect_nothing_left();
}

TEST_F(EarlyUpdate, AfterAnyOtherRefusalTheAnswerIsWaitedFor) {
  answer_update(488);
  EXPECT_FALSE(alice->take_response(300, call));
  is_answered();
  const auto again = alice->take_request(Method::invite);
  ASSERT_TRUE(again);
  EXPECT_THAT(std::string(again->request.body()), HasSubstr("SAVPF 8 "));
  alice->respond(*again, 200, browser_answer());
  world.settle();
  EXPECT_TRUE(hears_pcma());
  hangs_up();
  world.expect_nothing_left();
}

TEST_F(EarlyUpdate, APageThatTakesNoUpdateIsAskedNoMore) {
  answer_update(405);
  rings(183, trunk_sdp("sendrecv", 1, "8 101"), "fork-c");
  EXPECT_FALSE(alice->take_request(Method::update));
}

// RFC 3261 §14.1: after glare the offer is made again
TEST_F(EarlyUpdate, IsMadeAgainAfterGlare) {
  answer_update(491);
  EXPECT_FALSE(alice->take_request(Method::update));
  world.pass(seconds{5});
  update = alice->take_request(Method::update);
  ASSERT_TRUE(update);
  answer_update(200, browser_answer());
  EXPECT_TRUE(hears_pcma());
}

// RFC 3311 §5.2: an UPDATE that meets an open offer of ours gets 491
TEST_F(EarlyUpdate, HersMeanwhileGets491) {
  EXPECT_EQ(status_of(EarlyCall::update(browser_offer("sendrecv", 3))), 491);
}

// RFC 3311 §5.1: the answer to the INVITE may overtake that to the UPDATE
TEST_F(EarlyUpdate, MayOutlastTheAnswer) {
  is_answered();
  EXPECT_FALSE(alice->take_request(Method::invite)) << "RFC 3261 §14.1: one offer at a time";
  answer_update(200, browser_answer());
  EXPECT_TRUE(hears_pcma());
  EXPECT_FALSE(alice->take_request(Method::invite));
  hangs_up();
  world.expect_nothing_left();
}

TEST_F(EarlyUpdate, IsOverWithTheCall) {
  alice->cancel(call);
  world.settle();
  EXPECT_EQ(heard(300)->response.status(), 487);
  rings(487);
  answer_update(200, browser_answer());
  world.expect_nothing_left();
}

}  // namespace
}  // namespace trunkline::call::simulation
