#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Hold, resume and mute by the API.
namespace trunkline::call::simulation {
namespace {

using sip::Method;
using testing::HasSubstr;

struct HoldControl : EstablishedCall {
  int version = 50;

  LegName to_leg() const { return {call_name(), {}}; }
  LegName from_leg() { return {call_name(), leg_of("user:alice")}; }
  /// The offer that came to this peer, answered; its direction.
  std::string take_offer(Peer& peer, std::string_view direction) {
    const auto reinvite = peer.take_request(Method::invite);
    if (!reinvite) return {};
    peer.respond(*reinvite, 200,
                 &peer == trunk ? trunk_sdp(direction, ++version) : browser_answer(direction));
    world.settle();
    return direction_in(reinvite->request.body());
  }
  static std::string direction_in(std::string_view body) {
    for (const char* direction : {"sendrecv", "sendonly", "recvonly", "inactive"}) {
      if (body.find(std::string("a=") + direction) != std::string_view::npos) return direction;
    }
    return {};
  }
  void held_by_us() {
    const auto request = world.ask(HoldCall{to_leg()});
    ASSERT_EQ(take_offer(*trunk, "recvonly"), "sendonly");
    ASSERT_TRUE(world.reply<CallView>(request));
  }
  std::string refusal(RequestId request) const {
    const auto refused = world.reply<Refusal>(request);
    return refused ? refused->reason : std::string{};
  }
  /// How many routes are set, and not cleared since, between the two legs.
  std::size_t routes() const {
    std::set<std::pair<LegId, LegId>> open;
    for (const auto& command : world.media_log) {
      if (const auto* set = std::get_if<media::SetRoute>(&command))
        open.insert({set->from, set->to});
      if (const auto* clear = std::get_if<media::ClearRoute>(&command))
        open.erase({clear->from, clear->to});
    }
    return open.size();
  }
};

TEST_F(HoldControl, AHeldLegIsToldAndHearsNothing) {
  ASSERT_EQ(routes(), 2U);
  const auto held = world.ask(HoldCall{to_leg()});
  EXPECT_FALSE(world.replied(held)) << "before the peer has agreed";
  EXPECT_EQ(take_offer(*trunk, "recvonly"), "sendonly");
  const auto view = world.reply<CallView>(held);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->state, CallState::held);
  EXPECT_EQ(routes(), 0U);
  EXPECT_FALSE(alice->take_request(Method::invite)) << "the other side is told nothing";
  ASSERT_EQ(world.observed<CallHeld>().size(), 1U);
  EXPECT_TRUE(world.observed<CallHeld>()[0].held);
  EXPECT_EQ(world.observed<CallHeld>()[0].leg, "to");
  EXPECT_TRUE(world.observed<CallHeld>()[0].by_api);

  const auto resumed = world.ask(ResumeCall{to_leg()});
  EXPECT_EQ(take_offer(*trunk, "sendrecv"), "sendrecv");
  ASSERT_TRUE(world.reply<CallView>(resumed));
  EXPECT_EQ(world.reply<CallView>(resumed)->state, CallState::answered);
  EXPECT_EQ(routes(), 2U);
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
  world.end_all();
  ended(*trunk);
  ended(*alice);
  world.expect_nothing_left();
}

TEST_F(HoldControl, ABrowserLegIsHeldByItsName) {
  const auto held = world.ask(HoldCall{from_leg()});
  EXPECT_EQ(take_offer(*alice, "recvonly"), "sendonly");
  ASSERT_TRUE(world.reply<CallView>(held));
  EXPECT_FALSE(trunk->take_request(Method::invite));
  EXPECT_EQ(routes(), 0U);
}

TEST_F(HoldControl, BothLegsCanBeHeldAndResumedInAnyOrder) {
  held_by_us();
  const auto second = world.ask(HoldCall{from_leg()});
  EXPECT_EQ(take_offer(*alice, "recvonly"), "sendonly");
  ASSERT_TRUE(world.reply<CallView>(second));
  world.ask(ResumeCall{to_leg()});
  EXPECT_EQ(take_offer(*trunk, "sendrecv"), "sendrecv");
  EXPECT_EQ(routes(), 0U) << "the other is held still";
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
  EXPECT_EQ(world.observed<CallHeld>().back().leg, "to");
  EXPECT_EQ(world.observed<CallHeld>().back().call.state, CallState::held);
  world.ask(ResumeCall{from_leg()});
  EXPECT_EQ(take_offer(*alice, "sendrecv"), "sendrecv");
  EXPECT_EQ(routes(), 2U);
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
}

TEST_F(HoldControl, AnAnswerOfInactiveDoesNotOutlastOurHold) {
  const auto held = world.ask(HoldCall{to_leg()});
  EXPECT_EQ(take_offer(*trunk, "inactive"), "sendonly");
  ASSERT_TRUE(world.reply<CallView>(held));
  EXPECT_FALSE(alice->take_request(Method::invite));
  world.ask(ResumeCall{to_leg()});
  EXPECT_EQ(take_offer(*trunk, "sendrecv"), "sendrecv");
}

TEST_F(HoldControl, ThePeersOwnHoldOutlastsOurs) {
  held_by_us();
  // The trunk holds too: alice hears of that, and of nothing else.
  auto sent =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendonly", ++version));
  world.settle();
  EXPECT_EQ(take_offer(*alice, "recvonly"), "sendonly");
  auto answer = trunk->take_response(200, sent);
  ASSERT_TRUE(answer);
  EXPECT_EQ(direction_in(answer->response.body()), "inactive");
  trunk->ack(*answer);
  world.settle();
  world.ask(ResumeCall{to_leg()});
  EXPECT_EQ(take_offer(*trunk, "sendonly"), "recvonly") << "its own hold stands";
  EXPECT_TRUE(world.observed<CallHeld>().back().by_api);
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
  EXPECT_EQ(world.observed<CallHeld>().back().call.state, CallState::held);
  sent = trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendrecv", ++version));
  world.settle();
  EXPECT_EQ(take_offer(*alice, "sendrecv"), "sendrecv");
  answer = trunk->take_response(200, sent);
  ASSERT_TRUE(answer);
  EXPECT_EQ(direction_in(answer->response.body()), "sendrecv");
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
  EXPECT_EQ(routes(), 2U);
}

TEST_F(HoldControl, AReofferOfTheHeldPeerGetsTheHoldAgainAndGoesNoFurther) {
  held_by_us();
  for (const std::string_view direction : {"recvonly", "sendrecv"}) {
    const auto sent =
        trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp(direction, ++version));
    world.settle();
    EXPECT_FALSE(alice->take_request(Method::invite)) << direction;
    const auto answer = trunk->take_response(200, sent);
    ASSERT_TRUE(answer);
    EXPECT_EQ(direction_in(answer->response.body()), "sendonly");
    trunk->ack(*answer);
    world.settle();
    EXPECT_EQ(routes(), 0U);
  }
  const auto offerless = trunk->send_in_dialog(Method::invite);
  world.settle();
  const auto offered = trunk->take_response(200, offerless);
  ASSERT_TRUE(offered);
  EXPECT_EQ(direction_in(offered->response.body()), "sendonly");
  trunk->ack(*offered, trunk_sdp("recvonly", ++version));
  world.settle();
  EXPECT_FALSE(alice->take_request(Method::invite));
  EXPECT_EQ(routes(), 0U);
}

TEST_F(HoldControl, TheOtherSidesHoldWaitsUntilTheLegIsResumed) {
  held_by_us();
  const auto sent = alice->send_in_dialog(Method::invite, "application/sdp",
                                          browser_offer("sendonly", ++version));
  world.settle();
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "it hears nothing as it is";
  const auto answer = alice->take_response(200, sent);
  ASSERT_TRUE(answer);
  alice->ack(*answer);
  world.settle();
  world.ask(ResumeCall{to_leg()});
  EXPECT_EQ(take_offer(*trunk, "recvonly"), "sendonly");
}

TEST_F(HoldControl, ARefusedHoldIsReportedAndChangesNothing) {
  const auto held = world.ask(HoldCall{to_leg()});
  trunk->respond(*trunk->take_request(Method::invite), 488);
  world.settle();
  const auto failure = world.reply<Failure>(held);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->sip_code, 488);
  EXPECT_EQ(routes(), 2U);
  EXPECT_TRUE(world.observed<CallHeld>().empty());
  held_by_us();
}

// RFC 3261 §14.1: after 491 a hold is tried again [race-reinvite-glare]
TEST_F(HoldControl, ACollisionIsTriedAgain) {
  const auto held = world.ask(HoldCall{to_leg()});
  const auto ours = trunk->take_request(Method::invite);
  ASSERT_TRUE(ours);
  const auto theirs =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendrecv", ++version));
  world.settle();
  EXPECT_EQ(trunk->take_response(200, theirs)->response.status(), 491);
  trunk->respond(*ours, 491);
  world.settle();
  EXPECT_FALSE(world.replied(held));
  world.pass(seconds{5});
  EXPECT_EQ(take_offer(*trunk, "recvonly"), "sendonly");
  EXPECT_TRUE(world.reply<CallView>(held));
}

// RFC 3261 §14.1: collisions without end are given up [race-reinvite-glare]
TEST_F(HoldControl, CollisionsWithoutEndAreReported) {
  const auto held = world.ask(HoldCall{to_leg()});
  int offers = 0;
  while (const auto reinvite = trunk->take_request(Method::invite)) {
    ++offers;
    trunk->respond(*reinvite, 491);
    world.pass(seconds{5});
  }
  EXPECT_GT(offers, 1);
  ASSERT_TRUE(world.reply<Failure>(held));
  EXPECT_EQ(world.reply<Failure>(held)->sip_code, 491);
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(HoldControl, APeerThatOnlyRingsOnIsGivenUp) {
  const auto held = world.ask(HoldCall{to_leg()});
  const auto reinvite = trunk->take_request(Method::invite);
  trunk->respond(*reinvite, 180);
  world.pass(seconds{33});
  ASSERT_EQ(trunk->cancels.size(), 1U);
  trunk->respond(*reinvite, 487);
  world.settle();
  ASSERT_TRUE(world.reply<Failure>(held));
  EXPECT_EQ(world.reply<Failure>(held)->reason, EndReason::no_response);
}

TEST_F(HoldControl, OnlyOneAtATime) {
  const auto first = world.ask(HoldCall{to_leg()});
  EXPECT_EQ(refusal(world.ask(HoldCall{from_leg()})), "OPERATION_IN_PROGRESS");
  EXPECT_EQ(refusal(world.ask(ResumeCall{from_leg()})), "OPERATION_IN_PROGRESS");
  EXPECT_EQ(take_offer(*trunk, "recvonly"), "sendonly");
  EXPECT_TRUE(world.reply<CallView>(first));
  std::string pcma = browser_offer("sendrecv", ++version);
  pcma.replace(pcma.find(" 111 9 0 8"), 10, " 8");
  alice->send_in_dialog(Method::invite, "application/sdp", pcma);
  world.settle();
  ASSERT_TRUE(trunk->take_request(Method::invite)) << "another codec has to be agreed first";
  EXPECT_EQ(refusal(world.ask(ResumeCall{to_leg()})), "OPERATION_IN_PROGRESS");
}

TEST_F(HoldControl, WhatCanNotBeDoneNowIsRefused) {
  EXPECT_EQ(refusal(world.ask(ResumeCall{to_leg()})), "WRONG_CALL_STATE");
  EXPECT_EQ(refusal(world.ask(HoldCall{{call_name(), "nosuch"}})), "LEG_NOT_FOUND");
  EXPECT_EQ(refusal(world.ask(HoldCall{{"nosuch", {}}})), "CALL_NOT_FOUND");
  held_by_us();
  EXPECT_EQ(refusal(world.ask(HoldCall{to_leg()})), "WRONG_CALL_STATE");
}

TEST_F(HoldControl, ABrowserWhoseConnectionIsGoneCannotBeAsked) {
  const auto leg = from_leg();
  alice->close_flow();
  const auto held = world.ask(HoldCall{leg});
  ASSERT_TRUE(world.reply<Failure>(held));
  EXPECT_EQ(world.reply<Failure>(held)->sip_code, 480);
}

TEST_F(HoldControl, ABrowserThatIsLostWhileItIsAsked) {
  const auto held = world.ask(HoldCall{from_leg()});
  alice->close_flow();
  world.settle();
  ASSERT_TRUE(world.reply<Failure>(held));
  EXPECT_EQ(world.reply<Failure>(held)->reason, EndReason::browser_lost);
  EXPECT_EQ(world.engine->calls(), 1U) << "it has its grace time";
}

TEST_F(HoldControl, AHangUpMeanwhileEndsTheRequest) {
  const auto held = world.ask(HoldCall{to_leg()});
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(refusal(held), "WRONG_CALL_STATE");
  const auto reinvite = trunk->take_request(Method::invite);
  trunk->respond(*reinvite, 487);
  world.settle();
  ended(*trunk);
  world.expect_nothing_left();
}

TEST_F(HoldControl, ADialogThatIsGoneIsTheReply) {
  const auto held = world.ask(HoldCall{to_leg()});
  trunk->respond(*trunk->take_request(Method::invite), 481);
  world.settle();
  ASSERT_TRUE(world.reply<Failure>(held));
  EXPECT_EQ(world.reply<Failure>(held)->reason, EndReason::dialog_lost);
  ended(*alice);
  world.expect_nothing_left();
}

// ---------------------------------------------------------------- before the answer, and services

TEST(HoldControlBeforeTheAnswer, ItIsRefused) {
  World world;
  Peer& alice = world.registered("alice", 100000);
  world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
  const std::string call = world.observed<CallStarted>().front().call.name;
  for (const Request& request : {Request(HoldCall{{call, {}}}), Request(ResumeCall{{call, {}}}),
                                 Request(MuteCall{{call, {}}, MuteDirection::to_leg, true}),
                                 Request(SendDtmf{{call, {}}, "1"})}) {
    const auto refused = world.reply<Refusal>(world.ask(request));
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->reason, "WRONG_CALL_STATE");
  }
}

// RFC 3261 §14.1: no re-INVITE of ours before the ACK [reinvite-after-ack]
TEST(HoldControlBeforeTheAck, TheHoldWaitsForIt) {
  World world;
  Peer& trunk = world.trunk();
  Peer& alice = world.registered("alice", 100000);
  const auto call = trunk.invite("1001", "5559", trunk_sdp());
  world.settle();
  alice.respond(*alice.take_request(Method::invite), 200, browser_answer());
  world.settle();
  const auto answer = trunk.take_response(200, call);
  ASSERT_TRUE(answer);
  const auto name = world.observed<CallStarted>().front().call.name;
  const auto from = world.observed<CallAnswered>().front().call.legs.front().id;
  const auto held = world.ask(HoldCall{{name, from}});
  EXPECT_FALSE(world.replied(held));
  EXPECT_FALSE(trunk.take_request(Method::invite));
  trunk.ack(*answer);
  world.settle();
  const auto reinvite = trunk.take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  trunk.respond(*reinvite, 200, trunk_sdp("recvonly", 3));
  world.settle();
  EXPECT_TRUE(world.reply<CallView>(held));
}

struct ServiceHold : testing::TestWithParam<const char*> {};

TEST_P(ServiceHold, TheOnlyLegIsHeldAndTheServiceStops) {
  World world;
  Peer& alice = world.registered("alice", 100000);
  const auto first = alice.invite(GetParam(), "alice", kBrowserOffer);
  const auto call = world.answer_challenge(alice, first, "alice");
  const auto answer = alice.take_response(200, call);
  ASSERT_TRUE(answer);
  alice.ack(*answer);
  world.settle();
  const std::string name = world.observed<CallStarted>().front().call.name;
  const auto held = world.ask(HoldCall{{name, {}}});
  const auto reinvite = alice.take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  EXPECT_THAT(std::string(reinvite->request.body()), HasSubstr("a=sendonly"));
  alice.respond(*reinvite, 200, browser_answer("recvonly"));
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(held));
  const bool echo = std::string_view(GetParam()) == "echo";
  EXPECT_EQ(world.media_commands<media::ClearRoute>().size(), echo ? 1U : 0U);
  EXPECT_EQ(world.media_commands<media::StopTone>().size(), echo ? 0U : 1U);
  const auto resumed = world.ask(ResumeCall{{name, {}}});
  const auto again = alice.take_request(Method::invite);
  ASSERT_TRUE(again);
  EXPECT_THAT(std::string(again->request.body()), HasSubstr("a=sendrecv"));
  alice.respond(*again, 200, browser_answer());
  world.settle();
  EXPECT_TRUE(world.reply<CallView>(resumed));
  EXPECT_EQ(world.media_commands<media::SetRoute>().size(), echo ? 2U : 0U);
  EXPECT_EQ(world.media_commands<media::StartTone>().size(), echo ? 0U : 2U);
}

INSTANTIATE_TEST_SUITE_P(Services, ServiceHold, testing::Values("echo", "tone"));

// ---------------------------------------------------------------- mute

struct MuteControl : HoldControl {
  CallView mute(const LegName& on, MuteDirection direction, bool muted = true) {
    const auto view = world.reply<CallView>(world.ask(MuteCall{on, direction, muted}));
    EXPECT_TRUE(view);
    return view.value_or(CallView{});
  }
  /// The payload types that pass from one leg to the other now, audio and events.
  std::pair<int, int> passing(LegId from, LegId to) const {
    std::pair<int, int> counts{0, 0};
    for (const auto& command : world.media_log) {
      if (const auto* clear = std::get_if<media::ClearRoute>(&command)) {
        if (clear->from == from && clear->to == to) counts = {0, 0};
      }
      const auto* set = std::get_if<media::SetRoute>(&command);
      if (set == nullptr || set->from != from || set->to != to) continue;
      counts = {0, 0};
      for (const auto& payload : set->payloads)
        ++(payload.telephone_event ? counts.second : counts.first);
    }
    return counts;
  }
  LegId browser() const { return world.media_commands<media::AddBrowserLeg>().front().leg; }
  LegId carrier() const { return world.media_commands<media::AddTrunkLeg>().front().leg; }
};

TEST_F(MuteControl, OneDirectionIsSilencedWithoutSignalling) {
  const auto view = mute(to_leg(), MuteDirection::from_leg);
  ASSERT_EQ(view.legs.size(), 2U);
  EXPECT_TRUE(view.legs[1].muted_from);
  EXPECT_FALSE(view.legs[1].muted_to);
  EXPECT_EQ(passing(carrier(), browser()).first, 0);
  EXPECT_GT(passing(carrier(), browser()).second, 0) << "digits are no audio";
  EXPECT_GT(passing(browser(), carrier()).first, 0);
  EXPECT_FALSE(trunk->take_request(Method::invite));
  EXPECT_FALSE(alice->take_request(Method::invite));
  mute(to_leg(), MuteDirection::to_leg);
  EXPECT_EQ(passing(browser(), carrier()).first, 0);
  mute(to_leg(), MuteDirection::from_leg, false);
  EXPECT_GT(passing(carrier(), browser()).first, 0);
  EXPECT_EQ(passing(browser(), carrier()).first, 0);
}

TEST_F(MuteControl, TheSameAgainIsNoChange) {
  mute(to_leg(), MuteDirection::from_leg);
  const auto commands = world.media_log.size();
  EXPECT_TRUE(mute(to_leg(), MuteDirection::from_leg).legs[1].muted_from);
  EXPECT_EQ(world.media_log.size(), commands);
}

TEST_F(MuteControl, AReofferAndAHoldDoNotUnmute) {
  mute(to_leg(), MuteDirection::from_leg);
  held_by_us();
  EXPECT_EQ(passing(carrier(), browser()), (std::pair{0, 0}));
  world.ask(ResumeCall{to_leg()});
  EXPECT_EQ(take_offer(*trunk, "sendrecv"), "sendrecv");
  EXPECT_EQ(passing(carrier(), browser()).first, 0);
  EXPECT_GT(passing(browser(), carrier()).first, 0);
}

TEST_F(MuteControl, AnUnknownLegIsRefused) {
  const auto refused = world.ask(MuteCall{{call_name(), "99"}, MuteDirection::from_leg, true});
  EXPECT_EQ(refusal(refused), "LEG_NOT_FOUND");
}

}  // namespace
}  // namespace trunkline::call::simulation
