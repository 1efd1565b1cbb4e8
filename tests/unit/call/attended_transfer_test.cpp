#include "transfer_fixture.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Attended transfers: two calls become one.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

/// Alice talks to the carrier, and in a second call to whom she consults.
struct AttendedCase : TransferCase {
  std::string consult_name;

  /// Alice dials; the one who answers, with this.
  void consult(const std::string& number, Peer& peer, std::string_view answer) {
    const auto first = alice->invite(number, "alice", kBrowserOffer);
    const auto call = world.answer_challenge(*alice, first, "alice");
    const auto invite = peer.take_request(Method::invite);
    ASSERT_TRUE(invite);
    peer.respond(*invite, 200, answer);
    world.settle();
    const auto response = alice->take_response(200, call);
    ASSERT_TRUE(response);
    alice->ack(*response);
    world.settle();
    while (alice->take_response()) {
    }
    consult_name = world.observed<CallStarted>().back().call.name;
  }
  void consult_bob() { consult("bob", *bob, browser_answer()); }
  RequestId attend(LegName on) { return world.ask(AttendedTransfer{std::move(on), consult_name}); }
  RequestId attend() { return attend(carrier_leg()); }
  int byes_to_alice() {
    int count = 0;
    while (const auto bye = alice->take_request(Method::bye)) {
      EXPECT_THAT(header(*bye, HeaderName::reason), HasSubstr("Call transferred"));
      alice->respond(*bye, 200);
      ++count;
    }
    world.settle();
    return count;
  }
  /// Each of the two calls still has its two parties.
  void expect_both_untouched() {
    EXPECT_EQ(world.engine->calls(), 2U);
    EXPECT_FALSE(alice->take_request(Method::bye));
    EXPECT_THAT(talking(), SizeIs(consult_name.empty() ? 2U : 3U));
    for (const std::string& call : {call_name(), consult_name}) {
      const auto view =
          world.reply<CallView>(world.ask(MuteCall{{call, {}}, MuteDirection::to_leg, false}));
      ASSERT_TRUE(view);
      EXPECT_EQ(view->state, CallState::answered);
      EXPECT_THAT(view->legs, SizeIs(2));
    }
  }
  const media::AddTrunkLeg& last_trunk_leg() {
    last_ = world.media_commands<media::AddTrunkLeg>().back();
    return last_;
  }
  media::AddTrunkLeg last_;
};

TEST_F(AttendedCase, TheTwoPartiesAreJoinedAndAliceIsReleased) {
  consult_bob();
  const auto asked = attend();
  const auto view = world.reply<CallView>(asked);
  ASSERT_TRUE(view) << "nothing has to be agreed";
  EXPECT_EQ(view->name, call_name());
  EXPECT_EQ(view->state, CallState::answered);
  EXPECT_THAT(view->legs, ElementsAre(Field(&LegView::id, "from"), Field(&LegView::id, "to"),
                                      Field(&LegView::id, "from-2")));
  EXPECT_EQ(view->from, "user:bob");
  EXPECT_EQ(view->to, "trunk:carrier");
  EXPECT_EQ(byes_to_alice(), 2);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  EXPECT_EQ(world.engine->calls(), 1U);
  ASSERT_THAT(world.observed<CallEnded>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallEnded>()[0].call.name, consult_name);
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::transferred);
  ASSERT_THAT(world.observed<CallTransferred>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallTransferred>()[0].call.name, call_name());
  EXPECT_EQ(world.observed<CallTransferred>()[0].target, consult_name);
  EXPECT_FALSE(world.observed<CallTransferred>()[0].failure);
  EXPECT_THAT(world.observed<LegEnded>(), SizeIs(2));
  EXPECT_FALSE(trunk->take_request(Method::invite));
  // Alice was sent Opus, which the carrier does not take.
  const auto aligned = bob->take_request(Method::invite);
  ASSERT_TRUE(aligned);
  bob->respond(*aligned, 200, browser_answer());
  world.settle();
  // One call like any other: what one does reaches the other.
  bob->send_in_dialog(Method::info, "application/dtmf-relay", "Signal=7\r\n");
  world.settle();
  EXPECT_THAT(world.media_commands<media::SendDigit>(), SizeIs(1));
  bob->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*trunk));
  EXPECT_EQ(world.observed<CallEnded>().back().end.ended_by, EndedBy::caller)
      << "he took alice's side";
  wind_up();
}

TEST_F(AttendedCase, TheCallerOfAnInboundCallIsNamed) {
  consult("85552000", *second, trunk_sdp());
  const auto asked = attend(alices_leg());
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_TRUE(ended(*trunk)) << "alice's first call keeps her; the carrier goes";
  EXPECT_EQ(byes_to_alice(), 1);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:second", "user:alice"}));
  wind_up();
}

TEST_F(AttendedCase, ThePlacesOnTheTrunksGoWithTheLegs) {
  consult("85552000", *second, trunk_sdp());
  ASSERT_TRUE(world.reply<CallView>(attend()));
  byes_to_alice();
  const auto calls = [&] {
    const auto views = world.reply<TrunkViews>(world.ask(ListTrunks{}));
    return std::pair{views->all[0].calls, views->all[1].calls};
  };
  EXPECT_EQ(calls(), (std::pair{1U, 1U}));
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*second));
  EXPECT_EQ(calls(), (std::pair{0U, 0U}));
  wind_up();
}

TEST_F(AttendedCase, TheMovedLegIsTracedInTheCallThatHasIt) {
  consult("85552000", *second, trunk_sdp());
  ASSERT_TRUE(world.reply<CallView>(attend()));
  byes_to_alice();
  const auto trace = world.reply<Trace>(world.ask(GetTrace{call_name(), GetTrace::Format::json}));
  ASSERT_TRUE(trace);
  EXPECT_THAT(trace->content, HasSubstr("trunk:second"));
  wind_up();
}

TEST_F(AttendedCase, HoldsOfAliceAndOfOursEnd) {
  const auto hold = world.ask(HoldCall{carrier_leg()});
  trunk->respond(*trunk->take_request(Method::invite), 200, trunk_sdp("recvonly", ++version));
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(hold));
  consult_bob();
  ASSERT_TRUE(world.reply<CallView>(attend()));
  const auto resumed = trunk->take_request(Method::invite);
  ASSERT_TRUE(resumed);
  EXPECT_THAT(std::string(resumed->request.body()), HasSubstr("a=sendrecv"));
  trunk->respond(*resumed, 200, trunk_sdp("sendrecv", ++version));
  world.settle();
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
  byes_to_alice();
  wind_up();
}

TEST_F(AttendedCase, WhatCanNotBeJoinedIsRefused) {
  consult_name = "nosuch";
  EXPECT_EQ(refusal(attend()), "CALL_NOT_FOUND");
  consult_name = call_name();
  EXPECT_EQ(refusal(attend()), "INVALID_ARGUMENT");
  consult_bob();
  EXPECT_EQ(refusal(attend({call_name(), "99"})), "LEG_NOT_FOUND");
  transfer("85552000", TransferMode::gateway, carrier_leg());
  EXPECT_EQ(refusal(attend()), "OPERATION_IN_PROGRESS");
}

TEST_F(AttendedCase, AConsultedPartyThatOnlyRingsIsRefused) {
  const auto first = alice->invite("bob", "alice", kBrowserOffer);
  world.answer_challenge(*alice, first, "alice");
  consult_name = world.observed<CallStarted>().back().call.name;
  EXPECT_EQ(refusal(attend()), "WRONG_CALL_STATE");
}

TEST_F(AttendedCase, AServiceIsNobodyToBeJoinedWith) {
  const auto first = alice->invite("echo", "alice", kBrowserOffer);
  world.answer_challenge(*alice, first, "alice");
  consult_name = world.observed<CallStarted>().back().call.name;
  EXPECT_EQ(refusal(attend()), "WRONG_CALL_STATE");
}

TEST_F(AttendedCase, AnotherCodecIsAgreedFirst) {
  consult("85552000", *second, trunk_sdp("sendrecv", 1, "8"));
  const auto asked = attend();
  EXPECT_FALSE(world.replied(asked));
  EXPECT_FALSE(alice->take_request(Method::bye));
  const auto reinvite = trunk->take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  EXPECT_THAT(std::string(reinvite->request.body()), HasSubstr("RTP/AVP 8"));
  trunk->respond(*reinvite, 200, trunk_sdp("sendrecv", ++version, "8"));
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_EQ(byes_to_alice(), 2);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "trunk:second"}));
  wind_up();
}

TEST_F(AttendedCase, ARefusedCodecLeavesBothCallsAsTheyWere) {
  consult("85552000", *second, trunk_sdp("sendrecv", 1, "8"));
  const auto asked = attend();
  trunk->respond(*trunk->take_request(Method::invite), 488);
  world.settle();
  EXPECT_EQ(failure(asked), 488);
  ASSERT_THAT(world.observed<CallTransferred>(), SizeIs(1));
  EXPECT_TRUE(world.observed<CallTransferred>()[0].failure);
  EXPECT_EQ(world.engine->calls(), 2U);
  EXPECT_FALSE(alice->take_request(Method::bye));
  wind_up();
}

TEST_F(AttendedCase, TheConsultedPartyHangsUpMeanwhile) {
  consult("85552000", *second, trunk_sdp("sendrecv", 1, "8"));
  const auto asked = attend();
  const auto reinvite = trunk->take_request(Method::invite);
  second->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*alice)) << "of the consult call";
  trunk->respond(*reinvite, 200, trunk_sdp("sendrecv", ++version, "8"));
  world.settle();
  EXPECT_EQ(failure(asked), 480);
  EXPECT_EQ(world.engine->calls(), 1U);
  wind_up();
}

TEST_F(AttendedCase, ThePartyHangsUpMeanwhile) {
  consult("85552000", *second, trunk_sdp("sendrecv", 1, "8"));
  const auto asked = attend();
  const auto reinvite = trunk->take_request(Method::invite);
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(refusal(asked), "WRONG_CALL_STATE");
  trunk->respond(*reinvite, 487);
  EXPECT_EQ(world.engine->calls(), 1U) << "the consult call goes on";
  EXPECT_FALSE(second->take_request(Method::bye));
  ended(*alice);
  wind_up();
}

TEST_F(AttendedCase, AnOfferInTheConsultCallIsWaitedFor) {
  consult("85552000", *second, trunk_sdp());
  const auto hold =
      second->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendonly", 4));
  world.settle();
  const auto passed = alice->take_request(Method::invite);
  ASSERT_TRUE(passed);
  const auto asked = attend();
  EXPECT_FALSE(world.replied(asked));
  alice->respond(*passed, 200, browser_answer("recvonly"));
  world.settle();
  second->ack(*second->take_response(200, hold));
  world.pass(seconds{3});
  ASSERT_TRUE(world.reply<CallView>(asked));
  const auto told = trunk->take_request(Method::invite);
  ASSERT_TRUE(told) << "the second carrier holds";
  EXPECT_THAT(std::string(told->request.body()), HasSubstr("a=sendonly"));
  trunk->respond(*told, 200, trunk_sdp("recvonly", ++version));
  world.settle();
  byes_to_alice();
  wind_up();
}

// RFC 3261 §8.2.6: a request has one final response, whatever becomes of the call
TEST_F(AttendedCase, AMessageUnderWayInTheConsultCallIsAnsweredBeforeItsSenderMoves) {
  consult_bob();
  const auto sent = bob->send_in_dialog(Method::message, "text/plain", "hello");
  world.settle();
  const auto carried = alice->take_request(Method::message);
  ASSERT_TRUE(carried);
  attend();
  const auto answer = bob->take_response(487, sent);
  EXPECT_TRUE(answer);
  alice->respond(*carried, 200);
  world.settle();
  EXPECT_FALSE(bob->take_response(200, sent)) << "one final response";
}

TEST_F(AttendedCase, WhatWasAskedOfTheConsultCallIsAnsweredFor) {
  consult_bob();
  const auto digits = world.ask(SendDtmf{{consult_name, {}}, "12"});
  const auto statistics = world.ask(GetStatistics{consult_name});
  ASSERT_TRUE(world.reply<CallView>(attend()));
  EXPECT_EQ(refusal(digits), "WRONG_CALL_STATE");
  EXPECT_TRUE(world.reply<CallStatistics>(statistics));
  byes_to_alice();
  wind_up();
}

// ---------------------------------------------------------------- the two calls on two workers

struct TwoWorkers : AttendedCase {
  void SetUp() override {
    world.workers = 2;
    AttendedCase::SetUp();
  }
  void toggle_mute() {
    for (const bool muted : {true, false})
      world.ask(MuteCall{carrier_leg(), MuteDirection::to_leg, muted});
  }
  /// Routes that a worker was given without having both legs.
  int misrouted() const {
    int count = 0;
    std::set<std::pair<std::size_t, LegId>> legs;
    for (std::size_t i = 0; i < world.media_log.size(); ++i) {
      const std::size_t worker = world.media_workers[i];
      const auto& command = world.media_log[i];
      if (const auto* browser = std::get_if<media::AddBrowserLeg>(&command))
        legs.insert({worker, browser->leg});
      if (const auto* added = std::get_if<media::AddTrunkLeg>(&command))
        legs.insert({worker, added->leg});
      if (const auto* removed = std::get_if<media::RemoveLeg>(&command))
        legs.erase({worker, removed->leg});
      if (const auto* set = std::get_if<media::SetRoute>(&command))
        count += legs.contains({worker, set->from}) && legs.contains({worker, set->to}) ? 0 : 1;
    }
    return count;
  }
  std::size_t worker_of_last(LegId leg) const {
    std::size_t worker = 99;
    for (std::size_t i = 0; i < world.media_log.size(); ++i) {
      const auto* browser = std::get_if<media::AddBrowserLeg>(&world.media_log[i]);
      const auto* added = std::get_if<media::AddTrunkLeg>(&world.media_log[i]);
      if ((browser != nullptr && browser->leg == leg) || (added != nullptr && added->leg == leg))
        worker = world.media_workers[i];
    }
    return worker;
  }
};

TEST_F(TwoWorkers, TheMediaOfATrunkMovesByAReinvite) {
  consult_bob();
  const auto before = last_trunk_leg();
  const auto asked = attend();
  EXPECT_FALSE(world.replied(asked));
  const auto moved = last_trunk_leg();
  EXPECT_EQ(moved.leg, before.leg);
  EXPECT_NE(moved.local, before.local);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice", "user:bob"}));
  const auto reinvite = trunk->take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  EXPECT_THAT(std::string(reinvite->request.body()),
              HasSubstr("m=audio " + std::to_string(moved.local.port)));
  trunk->respond(*reinvite, 200, trunk_sdp("sendrecv", ++version));
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_EQ(byes_to_alice(), 2);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  // Digits go where the leg is now.
  world.ask(SendDtmf{{call_name(), leg_of("trunk:carrier")}, "5"});
  EXPECT_EQ(world.media_workers.back(), worker_of_last(moved.leg));
  wind_up(false);
}

TEST_F(TwoWorkers, ARefusedMoveLeavesTheMediaWhereItWas) {
  consult_bob();
  const auto before = last_trunk_leg();
  const auto asked = attend();
  trunk->respond(*trunk->take_request(Method::invite), 488);
  world.settle();
  EXPECT_EQ(failure(asked), 488);
  expect_both_untouched();
  // The next offer says the old port again, under a version of its own.
  world.ask(HoldCall{carrier_leg()});
  const auto hold = trunk->take_request(Method::invite);
  ASSERT_TRUE(hold);
  EXPECT_THAT(std::string(hold->request.body()),
              HasSubstr("m=audio " + std::to_string(before.local.port)));
  trunk->respond(*hold, 200, trunk_sdp("recvonly", ++version));
  world.settle();
  wind_up(false);
}

TEST_F(TwoWorkers, TheMediaOfAPageMovesWithATransportOfItsOwn) {
  consult("85552000", *second, trunk_sdp());
  const auto asked = attend(alices_leg());
  const auto reinvite = alice->take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  const std::string body(reinvite->request.body());
  const auto added = world.media_commands<media::AddBrowserLeg>().back();
  EXPECT_THAT(body, HasSubstr("a=ice-ufrag:" + added.local_ice.ufrag));
  EXPECT_THAT(body, HasSubstr("a=setup:actpass"));
  const auto worker = worker_of_last(added.leg);
  EXPECT_THAT(body, HasSubstr("sha-256 AA:B" + std::to_string(worker)));
  EXPECT_THAT(body, HasSubstr(std::to_string(19000 + worker) + " typ host"));
  std::string answer = browser_answer();
  answer.replace(answer.find("ice-ufrag:abcd"), 14, "ice-ufrag:wxyz");
  answer.replace(answer.find("abcdefghijklmnopqrstuvwx"), 24, "ABCDEFGHIJKLMNOPQRSTUVWX");
  alice->respond(*reinvite, 200, answer);
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:second", "user:alice"}));
  const auto told = world.media_commands<media::UpdateBrowserLeg>().back();
  EXPECT_EQ(told.remote.ice->ufrag, "wxyz");
  EXPECT_TRUE(ended(*trunk));
  byes_to_alice();
  wind_up(false);
}

// What changes between the two parties while one of them moves is routed where both are.
TEST_F(TwoWorkers, TheRouteStaysInTheOldPlaceUntilTheMoveIsAgreed) {
  consult_bob();
  const auto asked = attend();
  toggle_mute();
  EXPECT_EQ(misrouted(), 0);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice", "user:bob"}));
  trunk->respond(*trunk->take_request(Method::invite), 200, trunk_sdp("sendrecv", ++version));
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  byes_to_alice();
  wind_up(false);
}

TEST_F(TwoWorkers, ARefusedMoveOfAPageKeepsItsTransport) {
  consult("85552000", *second, trunk_sdp());
  const auto ufrag = world.media_commands<media::AddBrowserLeg>().front().local_ice.ufrag;
  const auto asked = attend(alices_leg());
  alice->respond(*alice->take_request(Method::invite), 488);
  world.settle();
  EXPECT_EQ(failure(asked), 488);
  world.ask(HoldCall{alices_leg()});
  const auto hold = alice->take_request(Method::invite);
  ASSERT_TRUE(hold);
  EXPECT_THAT(std::string(hold->request.body()), HasSubstr("a=ice-ufrag:" + ufrag));
  EXPECT_THAT(std::string(hold->request.body()), Not(HasSubstr("a=setup:actpass")));
  alice->respond(*hold, 200, browser_answer("recvonly"));
  world.settle();
  wind_up(false);
}

TEST_F(TwoWorkers, MediaThatMovedForNothingMovesBack) {
  consult_bob();
  const auto asked = attend();
  const auto reinvite = trunk->take_request(Method::invite);
  bob->send_in_dialog(Method::bye);
  world.settle();
  ended(*alice);
  trunk->respond(*reinvite, 200, trunk_sdp("sendrecv", ++version));
  world.settle();
  EXPECT_EQ(failure(asked), 480);
  // One of the two follows the other.
  for (Peer* peer : {alice, trunk}) {
    if (const auto back = peer->take_request(Method::invite)) {
      peer->respond(*back, 200,
                    peer == trunk ? trunk_sdp("sendrecv", ++version) : browser_answer());
    }
    world.settle();
  }
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice"}));
  EXPECT_EQ(world.engine->calls(), 1U);
  wind_up(false);
}

TEST_F(TwoWorkers, TheEndDuringAMoveLeavesNothing) {
  consult_bob();
  attend();
  const auto reinvite = trunk->take_request(Method::invite);
  alice->send_in_dialog(Method::bye);
  world.settle();
  trunk->respond(*reinvite, 487);
  world.settle();
  wind_up(false);
}

}  // namespace
}  // namespace trunkline::call::simulation
