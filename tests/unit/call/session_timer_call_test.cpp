#include "sip/session_timer.hpp"

#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Session timers of each leg (RFC 4028), in every role.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

// RFC 4028 §4: an interval of 90 s is taken; without refreshes the session ends before it is over
// [race-short-interval]
// RFC 4028 §9: the 2xx names interval and refresher [refresher-chosen]
// RFC 4028 §9: one that makes the caller the refresher requires timer [refresher-required]
// RFC 4028 §7.4: UPDATE restarts the timer [race-refresh-kinds]
TEST(SessionTimer, JsSipsNinetySecondsAreRefreshedForHours) {
  World world;
  Peer& alice = world.registered("alice", 100000);
  auto request = sip::Message::request(Method::invite, "sip:echo@example.test");
  request.add(HeaderName::from, "<sip:alice@example.test>;tag=x");
  request.add(HeaderName::to, "<sip:echo@example.test>");
  request.add(HeaderName::call_id, "timer");
  request.add(HeaderName::cseq, "1 INVITE");
  request.add(HeaderName::contact, "<sip:alice@abc.invalid;transport=ws>");
  request.add(HeaderName::supported, "timer");
  request.add(HeaderName::session_expires, "90");
  request.set_body("application/sdp", kBrowserOffer);
  const auto first = alice.send(std::move(request));
  const auto call = world.answer_challenge(alice, first, "alice");
  const auto answer = alice.take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.header(HeaderName::session_expires), "90;refresher=uac");
  EXPECT_EQ(answer->response.header(HeaderName::require), "timer");
  alice.ack(*answer);
  world.settle();
  for (int refresh = 0; refresh < 240; ++refresh) {
    world.pass(seconds{45});
    auto update = alice.dialog->request(Method::update);
    update.add(HeaderName::contact, "<sip:alice@abc.invalid;transport=ws>");
    update.add(HeaderName::supported, "timer");
    update.add(HeaderName::session_expires, "90;refresher=uac");
    const auto sent = alice.send(std::move(update));
    world.settle();
    const auto refreshed = alice.take_response(200, sent);
    ASSERT_TRUE(refreshed);
    ASSERT_EQ(refreshed->response.header(HeaderName::session_expires), "90;refresher=uac");
  }
  EXPECT_EQ(world.engine->calls(), 1U);
  world.pass(seconds{61});
  EXPECT_EQ(world.engine->calls(), 0U) << "without a refresh the session ends before its interval";
  EXPECT_TRUE(alice.take_request(Method::bye));
}

/// Alice, with a page that knows no session timers, calls a trunk that answers with this
/// Session-Expires.
struct TrunkTimer : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* trunk = nullptr;
  std::optional<sip::RequestReceived> invite;

  void SetUp() override {
    alice = &world.registered("alice", 100000);
    trunk = &world.trunk();
  }
  void establish(std::string_view session_expires,
                 std::string_view allow = "INVITE, ACK, BYE, CANCEL, UPDATE") {
    const auto call =
        world.answer_challenge(*alice, alice->invite("5551000", "alice", kBrowserOffer), "alice");
    invite = trunk->take_request(Method::invite);
    ASSERT_TRUE(invite);
    answer(*invite, session_expires, allow);
    trunk->dialog = *sip::Dialog::as_uas(invite->request, "peer-tag");
    const auto ok = alice->take_response(200, call);
    ASSERT_TRUE(ok);
    EXPECT_FALSE(ok->response.header(HeaderName::session_expires)) << "a timer belongs to one leg";
    alice->ack(*ok);
    world.settle();
  }
  void answer(const sip::RequestReceived& request, std::string_view session_expires,
              std::string_view allow = "INVITE, ACK, BYE, CANCEL, UPDATE") {
    auto ok = sip::make_response(request.request, 200, "peer-tag");
    ok.add(HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
    ok.add(HeaderName::allow, allow);
    if (!session_expires.empty()) ok.add(HeaderName::session_expires, session_expires);
    if (request.request.method() == Method::invite) ok.set_body("application/sdp", trunk_sdp());
    trunk->respond(request, std::move(ok));
    world.settle();
  }
};

// RFC 4028 §7.4: the refresher refreshes at half the interval [refresh-half]
TEST_F(TrunkTimer, WeAskForTheTrunksIntervalAndRefreshByUpdate) {
  establish("1800;refresher=uac");
  EXPECT_EQ(invite->request.header(HeaderName::session_expires), "1800");
  EXPECT_EQ(invite->request.header(HeaderName::min_se), "90");
  for (int round = 0; round < 5; ++round) {
    world.pass(seconds{899});
    EXPECT_FALSE(trunk->take_request(Method::update));
    world.pass(seconds{2});
    const auto update = trunk->take_request(Method::update);
    ASSERT_TRUE(update);
    EXPECT_TRUE(update->request.body().empty());
    EXPECT_EQ(update->request.header(HeaderName::session_expires), "1800;refresher=uac");
    answer(*update, "1800;refresher=uac");
  }
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 4028 §7.4: a refresh by re-INVITE repeats the description as it is [refresh-half]
TEST_F(TrunkTimer, ATrunkWithoutUpdateIsRefreshedByReinviteWithTheSameDescription) {
  establish("1800;refresher=uac", "INVITE, ACK, BYE, CANCEL");
  world.pass(seconds{901});
  const auto reinvite = trunk->take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  EXPECT_EQ(reinvite->request.body(), invite->request.body());
  answer(*reinvite, "1800;refresher=uac");
  EXPECT_EQ(trunk->acks, 2);
  world.pass(seconds{1000});
  EXPECT_EQ(world.engine->calls(), 1U);
}

struct AnsweredRefresh : TrunkTimer {
  /// The next refresh, answered with this.
  void refresh(std::string_view sdp) {
    world.pass(seconds{901});
    const auto reinvite = trunk->take_request(Method::invite);
    ASSERT_TRUE(reinvite);
    EXPECT_EQ(reinvite->request.body(), invite->request.body()) << "nothing of ours has changed";
    auto ok = sip::make_response(reinvite->request, 200, "peer-tag");
    ok.add(HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
    ok.add(HeaderName::session_expires, "1800;refresher=uac");
    ok.set_body("application/sdp", sdp);
    trunk->respond(*reinvite, std::move(ok));
    world.settle();
  }
  std::string media_at() const {
    const auto updates = world.media_commands<media::UpdateTrunkLeg>();
    return updates.empty() ? std::string{} : updates.back().remote.rtp.ip.text();
  }
};

// RFC 4028 §7.4: a refresh by re-INVITE is an offer: its answer may move the peer [reoffer-address]
TEST_F(AnsweredRefresh, MayMoveTheMedia) {
  establish("1800;refresher=uac", "INVITE, ACK, BYE, CANCEL");
  refresh(trunk_sdp("sendrecv", 2, "0 101", "192.0.2.77"));
  EXPECT_EQ(media_at(), "192.0.2.77");
  // One that can't be read leaves everything as it is, and the next refresh works.
  refresh("nonsense");
  EXPECT_EQ(media_at(), "192.0.2.77");
  refresh(trunk_sdp("sendrecv", 3, "0 101", "192.0.2.78"));
  EXPECT_EQ(media_at(), "192.0.2.78");
  EXPECT_FALSE(alice->take_request(Method::invite)) << "which is nothing to her";
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(AnsweredRefresh, MayHold) {
  establish("1800;refresher=uac", "INVITE, ACK, BYE, CANCEL");
  refresh(trunk_sdp("sendonly", 2));
  const auto held = alice->take_request(Method::invite);
  ASSERT_TRUE(held);
  EXPECT_THAT(std::string(held->request.body()), HasSubstr("a=sendonly"));
}

TEST_F(TrunkTimer, ARefusedRefreshByReinviteLeavesNoOfferOpen) {
  establish("1800;refresher=uac", "INVITE, ACK, BYE, CANCEL");
  world.pass(seconds{901});
  trunk->respond(*trunk->take_request(Method::invite), 500);
  world.settle();
  const auto theirs =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendrecv", 2));
  world.settle();
  const auto answer = trunk->take_response(200, theirs);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
}

TEST_F(TrunkTimer, AnUpdateThatIsNotTakenBecomesAReinvite) {
  establish("1800;refresher=uac");
  world.pass(seconds{901});
  const auto update = trunk->take_request(Method::update);
  ASSERT_TRUE(update);
  trunk->respond(*update, 405);
  world.pass(seconds{1});
  EXPECT_TRUE(trunk->take_request(Method::invite));
}

// RFC 4028 §10: a refused refresh is tried again [refresh-refused]
// RFC 3311 §5.1: a refused UPDATE changes nothing [update-refused]
TEST_F(TrunkTimer, ARefreshThatIsRefusedIsTriedAgainUntilTheSessionIsOver) {
  establish("1800;refresher=uac");
  world.pass(seconds{901});
  trunk->respond(*trunk->take_request(Method::update), 500);
  world.pass(seconds{5});
  const auto again = trunk->take_request(Method::update);
  ASSERT_TRUE(again);
  answer(*again, "1800;refresher=uac");
  world.pass(seconds{890});
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 4028 §10: a refresh refused with 481 ends the session by BYE [refresh-refused]
// RFC 3311 §5.1: 481 to UPDATE ends the dialog [update-refused]
TEST_F(TrunkTimer, ARefreshThatFindsNoDialogEndsTheCall) {
  establish("1800;refresher=uac");
  world.pass(seconds{901});
  trunk->respond(*trunk->take_request(Method::update), 481);
  world.settle();
  EXPECT_EQ(world.observed<CallEnded>().back().end.reason, EndReason::dialog_lost);
  EXPECT_TRUE(alice->take_request(Method::bye));
  EXPECT_TRUE(trunk->take_request(Method::bye));
}

// RFC 4028 §10: a refresh that times out ends the session by BYE [race-refresh-unanswered]
TEST_F(TrunkTimer, ARefreshThatNobodyAnswersEndsBothSides) {
  establish("1800;refresher=uac");
  world.pass(seconds{901});
  ASSERT_TRUE(trunk->take_request(Method::update));
  world.pass(seconds{30});
  EXPECT_EQ(world.engine->calls(), 1U);
  world.pass(seconds{2});
  EXPECT_EQ(world.engine->calls(), 0U);
  EXPECT_TRUE(alice->take_request(Method::bye));
  EXPECT_TRUE(trunk->take_request(Method::bye));
}

// RFC 4028 §7.2: a 2xx without Session-Expires turns the timer off
TEST_F(TrunkTimer, ARefreshAnsweredWithoutSessionExpiresEndsTheTimer) {
  establish("1800;refresher=uac");
  world.pass(seconds{901});
  const auto update = trunk->take_request(Method::update);
  ASSERT_TRUE(update);
  answer(*update, "");
  world.pass(seconds{10000});
  EXPECT_FALSE(trunk->take_request(Method::update));
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 4028 §7.4: any re-INVITE with a 2xx is a refresh, whoever sends it and whatever it is for
// [refresher-roles]
TEST_F(TrunkTimer, AHoldThatWePassOnIsARefreshToo) {
  establish("1800;refresher=uas");
  world.pass(seconds{1700});
  const auto hold =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto passed = trunk->take_request(Method::invite);
  ASSERT_TRUE(passed);
  EXPECT_EQ(passed->request.header(HeaderName::session_expires), "1800;refresher=uas");
  answer(*passed, "1800;refresher=uas");
  alice->ack(*alice->take_response(200, hold));
  world.pass(seconds{1700});
  EXPECT_EQ(world.engine->calls(), 1U);
  world.pass(seconds{69});
  EXPECT_EQ(world.engine->calls(), 0U);
}

// RFC 4028 §10: without a refresh BYE leaves min(32 s, interval / 3) before its end
// [session-expired]
TEST_F(TrunkTimer, ATrunkThatDoesNotRefreshAsItPromisedIsEnded) {
  establish("1800;refresher=uas");
  world.pass(seconds{1767});
  EXPECT_EQ(world.engine->calls(), 1U);
  world.pass(seconds{2});
  EXPECT_EQ(world.engine->calls(), 0U) << "at the interval less 32 s";
  EXPECT_TRUE(trunk->take_request(Method::bye));
}

// RFC 4028 §8.1: uac and uas are the roles of the transaction that names them [refresher-roles]
// RFC 4028 §7.4: re-INVITE restarts the timer [race-refresh-kinds]
// RFC 4028 §7.4: the other side may make us the refresher [race-refresher-turns]
TEST_F(TrunkTimer, AnyRefreshRestartsTheTimerAndMayChangeTheRoles) {
  establish("1800;refresher=uas");
  world.pass(seconds{1000});
  auto reinvite = trunk->dialog->request(Method::invite);
  reinvite.add(HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
  reinvite.add(HeaderName::supported, "timer");
  reinvite.add(HeaderName::session_expires, "600;refresher=uas");
  reinvite.set_body("application/sdp", trunk_sdp());
  const auto sent = trunk->send(std::move(reinvite));
  world.settle();
  const auto ok = trunk->take_response(200, sent);
  ASSERT_TRUE(ok);
  EXPECT_EQ(ok->response.header(HeaderName::session_expires), "600;refresher=uas");
  trunk->ack(*ok);
  world.pass(seconds{301});
  EXPECT_TRUE(trunk->take_request(Method::update)) << "now we are the refresher";
}

// RFC 4028 §7.2: a 2xx without Session-Expires means no timer [session-timer-off]
TEST_F(TrunkTimer, WithoutSessionExpiresInTheAnswerThereIsNoTimer) {
  establish("");
  world.pass(seconds{20000});
  EXPECT_EQ(world.engine->calls(), 1U);
  EXPECT_FALSE(trunk->take_request(Method::update));
}

// RFC 4028 §7.3: after a 422 the INVITE goes out again with the interval that it asks for, once
// [422-retry]
TEST_F(TrunkTimer, A422RaisesTheIntervalOnceUnderTheSameCallId) {
  world.answer_challenge(*alice, alice->invite("5551000", "alice", kBrowserOffer), "alice");
  const auto first = trunk->take_request(Method::invite);
  ASSERT_TRUE(first);
  for (const int round : {1, 2}) {
    const auto sent = round == 1 ? first : trunk->take_request(Method::invite);
    ASSERT_TRUE(sent);
    auto refused = sip::make_response(sent->request, 422, "t");
    refused.add(HeaderName::min_se, round == 1 ? "3600" : "7200");
    if (round == 2) {
      EXPECT_EQ(sent->request.header(HeaderName::session_expires), "3600");
      EXPECT_EQ(sent->request.header(HeaderName::min_se), "3600");
      EXPECT_EQ(sent->request.header(HeaderName::call_id),
                first->request.header(HeaderName::call_id));
    }
    trunk->respond(*sent, std::move(refused));
    world.settle();
  }
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "no loop";
  EXPECT_EQ(alice->take_response(300)->response.status(), 422);
}

TEST_F(TrunkTimer, ARefreshThatMeetsAnOpenOfferWaits) {
  establish("1800;refresher=uac");
  world.pass(seconds{890});
  const auto hold =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.pass(seconds{20});
  EXPECT_FALSE(trunk->take_request(Method::update));
  trunk->respond(*trunk->take_request(Method::invite), 488);
  world.settle();
  ASSERT_TRUE(alice->take_response(300, hold));
  world.pass(seconds{3});
  EXPECT_TRUE(trunk->take_request(Method::update)) << "not forgotten";
}

TEST_F(TrunkTimer, ASessionDoesNotExpireWhileItsBrowserIsAway) {
  auto request = sip::Message::request(Method::invite, "sip:5551000@example.test");
  request.add(HeaderName::from, "<sip:alice@example.test>;tag=x");
  request.add(HeaderName::to, "<sip:5551000@example.test>");
  request.add(HeaderName::call_id, "timer");
  request.add(HeaderName::cseq, "1 INVITE");
  request.add(HeaderName::contact, "<sip:alice-x@abc.invalid;transport=ws>");
  request.add(HeaderName::supported, "timer");
  request.add(HeaderName::session_expires, "90");
  request.set_body("application/sdp", kBrowserOffer);
  const auto call = world.answer_challenge(*alice, alice->send(std::move(request)), "alice");
  answer(*trunk->take_request(Method::invite), "");
  alice->ack(*alice->take_response(200, call));
  world.pass(seconds{40});
  alice->close_flow();
  world.pass(seconds{50});
  EXPECT_EQ(world.engine->calls(), 1U) << "the grace time counts";
  world.registered("alice", 100000);
  world.pass(seconds{59});
  EXPECT_EQ(world.engine->calls(), 1U);
  world.pass(seconds{2});
  EXPECT_EQ(world.engine->calls(), 0U) << "and then the session's own time again";
}

// RFC 4028 §9: an interval below 90 s gets 422 with Min-SE where the peer knows timers [min-se]
// RFC 4028 §9: a peer without timers is refreshed by us [refresher-chosen]
// RFC 4028 §5: less than 90 s is refused or raised [race-short-interval]
TEST_F(TrunkTimer, ATooShortIntervalGets422WithOurMinimumFromPeersThatKnowTimers) {
  for (const bool knows : {true, false}) {
    auto request = sip::Message::request(Method::invite, "sip:echo@example.test");
    request.add(HeaderName::from, "<sip:+1555@192.0.2.9>;tag=x");
    request.add(HeaderName::to, "<sip:echo@192.0.2.1>");
    request.add(HeaderName::call_id, knows ? "short-1" : "short-2");
    request.add(HeaderName::cseq, "1 INVITE");
    request.add(HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
    if (knows) request.add(HeaderName::supported, "timer");
    request.add(HeaderName::session_expires, "60");
    request.set_body("application/sdp", trunk_sdp());
    const auto sent = trunk->send(std::move(request));
    world.settle();
    const auto response = trunk->take_response(200, sent);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->response.status(), knows ? 422 : 200);
    if (knows) {
      EXPECT_EQ(response->response.header(HeaderName::min_se), "90");
    } else {
      EXPECT_EQ(response->response.header(HeaderName::session_expires), "90;refresher=uas");
    }
  }
}

// RFC 4028 §5: Min-SE of the request is heeded [min-se]
TEST(SessionTimerAgreement, OurOwnWishIsRaisedToTheRequestsMinimum) {
  auto request = sip::Message::request(Method::invite, "sip:a@example.test");
  request.add(HeaderName::supported, "timer");
  request.add(HeaderName::min_se, "3600");
  EXPECT_EQ(sip::SessionTimer::agree(request, 1800).interval_seconds, 3600U);
  request.set(HeaderName::min_se, "4000000000");
  EXPECT_EQ(sip::SessionTimer::agree(request, 1800).interval_seconds, 0U);
}

}  // namespace
}  // namespace trunkline::call::simulation
