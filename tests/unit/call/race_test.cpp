#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Messages that cross each other on the way (RFC 5407) and peers that stop half-way.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;

struct Race : EstablishedCall {
  std::string moved_port() {
    std::string moved = trunk_sdp("sendrecv", 9);
    return moved.replace(moved.find("40000"), 5, "41234");
  }
};

// RFC 3261 §14.1: no re-INVITE of ours before the ACK of theirs [reinvite-after-ack]
TEST_F(Race, AnAckWithoutAnswerToAReinviteThatBroughtTheOfferDoesNotEndTheCall) {
  const auto theirs = trunk->send_in_dialog(Method::invite, "application/sdp", moved_port());
  world.settle();
  const auto answer = trunk->take_response(200, theirs);
  ASSERT_TRUE(answer);
  const auto hold =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  EXPECT_FALSE(trunk->take_request(Method::invite))
      << "not before the ACK of the first (RFC 3261 14.1)";
  EXPECT_EQ(alice->take_response(200, hold)->response.status(), 491);
  trunk->ack(*answer);
  world.settle();
  EXPECT_EQ(world.engine->calls(), 1U);
  const auto again =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly", 5));
  world.settle();
  const auto offer = trunk->take_request(Method::invite);
  ASSERT_TRUE(offer);
  trunk->respond(*offer, 200, trunk_sdp("recvonly", 10));
  world.settle();
  EXPECT_EQ(alice->take_response(200, again)->response.status(), 200);
}

// RFC 3261 §15.1.2: requests that a BYE finds pending get 487 [bye-answered]
// RFC 3261 §15.1.2: a BYE that crosses a re-INVITE ends it [race-bye-crosses-reinvite]
TEST_F(Race, AByeThatCrossesAPassedReinviteEndsBothAndLeavesNothing) {
  const auto hold =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto offer = trunk->take_request(Method::invite);
  ASSERT_TRUE(offer);
  const auto bye = trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(trunk->take_response(200, bye)->response.status(), 200);
  EXPECT_EQ(alice->take_response(200, hold)->response.status(), 487);
  trunk->respond(*offer, 487);
  EXPECT_TRUE(ended(*alice));
  world.expect_nothing_left();
}

TEST_F(Race, AReinviteThatIsOnlyEverTriedIsCancelledWithTheCall) {
  const auto hold =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto offer = trunk->take_request(Method::invite);
  ASSERT_TRUE(offer);
  trunk->respond(*offer, 100);
  world.settle();
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(alice->take_response(300, hold)->response.status(), 487);
  EXPECT_EQ(trunk->cancels.size(), 1U);
  EXPECT_TRUE(ended(*trunk));
  world.expect_nothing_left();
}

TEST_F(Race, APeerThatHangsUpAndNeverAnswersOurReinviteLeavesNothing) {
  alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto offer = trunk->take_request(Method::invite);
  ASSERT_TRUE(offer);
  trunk->respond(*offer, 100);
  world.settle();
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*alice));
  world.expect_nothing_left();
}

// RFC 3261 §13.2.2.4: a 200 after our BYE gets its ACK [race-bye-and-owed-ack]
TEST_F(Race, A200ToTheReinviteAfterTheByeIsStillAcknowledged) {
  alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto offer = trunk->take_request(Method::invite);
  ASSERT_TRUE(offer);
  alice->send_in_dialog(Method::bye);
  world.settle();
  trunk->respond(*offer, 200, trunk_sdp("recvonly", 2));
  world.settle();
  EXPECT_EQ(trunk->acks, 2);
  EXPECT_TRUE(ended(*trunk));
  world.expect_nothing_left();
}

TEST_F(Race, ACancelledReinviteIsCancelledOnTheOtherLeg) {
  const auto hold =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto offer = trunk->take_request(Method::invite);
  ASSERT_TRUE(offer);
  trunk->respond(*offer, 100);
  world.pass(milliseconds{300});
  alice->cancel(hold);
  world.settle();
  ASSERT_EQ(trunk->cancels.size(), 1U);
  trunk->respond(*offer, 487);
  world.settle();
  EXPECT_EQ(alice->take_response(300, hold)->response.status(), 487);
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 3261 §14.2: a re-INVITE whose 2xx gets no ACK ends the session [reinvite-ack-missing]
TEST_F(Race, AnAckMissingForAReinviteEndsTheCall) {
  trunk->send_in_dialog(Method::invite, "application/sdp", moved_port());
  world.pass(seconds{33});
  EXPECT_TRUE(ended(*alice));
  EXPECT_TRUE(ended(*trunk));
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::ack_missing);
  world.expect_nothing_left();
}

TEST_F(Race, AReofferOfBothSidesAtOnceLeavesTheCallUp) {
  const auto from_alice =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  const auto from_trunk =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendonly", 4));
  world.settle();
  const auto to_trunk = trunk->take_request(Method::invite);
  const auto to_alice = alice->take_request(Method::invite);
  EXPECT_NE(to_trunk.has_value(), to_alice.has_value())
      << "one offer crosses, the other is told to wait";
  if (to_trunk) trunk->respond(*to_trunk, 200, trunk_sdp("recvonly", 5));
  if (to_alice) alice->respond(*to_alice, 491);
  world.settle();
  EXPECT_TRUE(alice->take_response(200, from_alice));
  EXPECT_TRUE(trunk->take_response(200, from_trunk));
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 3261 §8.2.2.3: a re-INVITE that requires too much gets 420 [require-420]
TEST_F(Race, AReinviteWithAnUnknownRequirementGets420AndChangesNothing) {
  auto request = trunk->dialog->request(Method::invite);
  request.add(HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
  request.add(HeaderName::require, "precondition");
  request.set_body("application/sdp", trunk_sdp("sendonly", 3));
  const auto sent = trunk->send(std::move(request));
  world.settle();
  const auto refused = trunk->take_response(200, sent);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 420);
  EXPECT_EQ(refused->response.header(HeaderName::unsupported), "precondition");
  EXPECT_FALSE(alice->take_request(Method::invite));
}

// ---------------------------------------------------------------- before the answer

struct EarlyRace : testing::Test {
  World world;
  Peer* alice = nullptr;
  sip::TransactionId call;
  std::optional<sip::RequestReceived> invite;

  void SetUp() override {
    alice = &world.registered("alice", 100000);
    const auto first = alice->invite("5551000", "alice", kBrowserOffer);
    call = world.answer_challenge(*alice, first, "alice");
    invite = world.trunk().take_request(Method::invite);
    ASSERT_TRUE(invite);
  }
  sip::Dialog early_dialog(std::string_view tag = "peer-tag") {
    return *sip::Dialog::as_uas(invite->request, tag);
  }
};

// RFC 3261 §15: a BYE of the callee before its answer is answered, and means that none comes
// [callee-early-bye]
TEST_F(EarlyRace, AByeOfTheCalleeBeforeItsAnswerCancelsTheInviteAndLeavesNothing) {
  world.trunk().respond(*invite, 180);
  world.settle();
  world.trunk().dialog = early_dialog();
  const auto bye = world.trunk().send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(world.trunk().take_response(200, bye)->response.status(), 200);
  EXPECT_EQ(alice->take_response(300, call)->response.status(), 480);
  world.expect_nothing_left();
}

// RFC 3311 §5.2: an offer while ours is unanswered gets 491 [update-491]
// RFC 3311 §5.2: an UPDATE that meets our offer gets 491 [race-offers-collide]
TEST_F(EarlyRace, AnEarlyUpdateWithAnOfferCollidesWithOurs) {
  world.trunk().respond(*invite, 183, trunk_sdp());
  world.settle();
  world.trunk().dialog = early_dialog();
  const auto update =
      world.trunk().send_in_dialog(Method::update, "application/sdp", trunk_sdp("sendrecv", 2));
  world.settle();
  EXPECT_EQ(world.trunk().take_response(200, update)->response.status(), 491);
  world.trunk().dialog.reset();
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 200);
}

// RFC 3261 §13.2.1: the first answer stands in the 200 [first-answer]
// RFC 3261 §13.2.1: what the 200 changes is offered after the ACK [race-183-then-200]
// RFC 3261 §14.1: no re-INVITE of ours before the ACK [reinvite-after-ack]
TEST_F(EarlyRace, AnotherCodecInThe200ThanInThe183IsOfferedToTheCallerAgain) {
  world.trunk().respond(*invite, 183, trunk_sdp("sendrecv", 1, "0 101"));
  world.settle();
  world.trunk().respond(*invite, 200, trunk_sdp("sendrecv", 2, "8 101"));
  world.settle();
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("SAVPF 0"))
      << "frozen with the first answer";
  EXPECT_FALSE(alice->take_request(Method::invite)) << "not before the ACK";
  alice->ack(*answer);
  world.settle();
  const auto offer = alice->take_request(Method::invite);
  ASSERT_TRUE(offer);
  EXPECT_THAT(std::string(offer->request.body()), HasSubstr("SAVPF 8"));
  const auto routes = world.media_commands<media::SetRoute>().size();
  alice->respond(*offer, 200, browser_answer());
  world.settle();
  const auto after = world.media_commands<media::SetRoute>();
  ASSERT_EQ(after.size(), routes + 2);
  ASSERT_FALSE(after.back().payloads.empty());
  EXPECT_EQ(after.back().payloads[0].from, 8);
}

TEST_F(EarlyRace, ACallerThatRefusesTheOtherCodecLosesTheCallThatNobodyWouldHear) {
  world.trunk().respond(*invite, 183, trunk_sdp("sendrecv", 1, "0 101"));
  world.settle();
  world.trunk().respond(*invite, 200, trunk_sdp("sendrecv", 2, "8 101"));
  world.settle();
  alice->ack(*alice->take_response(200, call));
  world.settle();
  alice->respond(*alice->take_request(Method::invite), 488);
  world.settle();
  EXPECT_EQ(world.engine->calls(), 0U);
  ASSERT_EQ(world.observed<CallEnded>().size(), 1U);
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::no_codec);
}

// RFC 3261 §14.1: after 491 the offer is made again [glare-again]
TEST_F(EarlyRace, GlareOfOurOwnOfferIsTriedAgain) {
  world.trunk().respond(*invite, 183, trunk_sdp("sendrecv", 1, "0 101"));
  world.settle();
  world.trunk().respond(*invite, 200, trunk_sdp("sendrecv", 2, "8 101"));
  world.settle();
  alice->ack(*alice->take_response(200, call));
  world.settle();
  alice->respond(*alice->take_request(Method::invite), 491);
  world.pass(seconds{4});
  EXPECT_TRUE(alice->take_request(Method::invite));
}

TEST_F(EarlyRace, AnAnnouncementThatOnlyPlaysDoesNotMakeTheAnswerOneWay) {
  world.trunk().respond(*invite, 183, trunk_sdp("sendonly"));
  world.settle();
  world.trunk().respond(*invite, 200, trunk_sdp("sendrecv", 2));
  world.settle();
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("a=sendrecv"));
  EXPECT_EQ(world.media_commands<media::SetRoute>().back().from.value != 0, true);
}

// RFC 3261 §13.2.1: a later description changes nothing [first-answer]
TEST_F(EarlyRace, ABrokenDescriptionInALaterResponseDoesNotUndoTheEarlyAnswer) {
  world.trunk().respond(*invite, 183, trunk_sdp());
  world.settle();
  world.trunk().respond(*invite, 183, "v=0\r\nnonsense");
  world.settle();
  world.trunk().respond(*invite, 200);
  world.settle();
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 200);
}

// RFC 3261 §13.2.1: the first answer stands, whatever forks say after it [first-answer]
// RFC 3261 §12.1.2: several early dialogs are one to the caller [early-dialogs]
// RFC 3261 §8.2.6.2: with one To tag [response-fields]
// RFC 3261 §13.2.2.4: the ACK has the To tag of the 2xx [race-2xx-other-tag]
TEST_F(EarlyRace, SeveralEarlyDialogsBecomeOneForTheCaller) {
  world.trunk().respond(*invite, 183, trunk_sdp("sendrecv", 1), "fork-a");
  world.settle();
  world.trunk().respond(*invite, 183, trunk_sdp("sendrecv", 1, "0 101", "127.0.0.2"), "fork-b");
  world.settle();
  world.trunk().respond(*invite, 200, trunk_sdp("sendrecv", 1), "fork-a");
  world.settle();
  std::set<std::string> tags, bodies;
  while (const auto response = alice->take_response(101, call)) {
    tags.insert(std::string(sip::to_of(response->response).tag()));
    bodies.insert(std::string(response->response.body()));
  }
  EXPECT_EQ(tags.size(), 1U);
  EXPECT_EQ(bodies.size(), 1U) << "the first answer stands";
  EXPECT_EQ(world.trunk().acks, 1);
  const auto update = world.media_commands<media::UpdateTrunkLeg>().back();
  EXPECT_EQ(update.remote.rtp.ip.text(), "127.0.0.1");
}

TEST_F(EarlyRace, AnAnswerWithoutCommonCodecIsAcknowledgedAndEndedAndTheCallerGets488) {
  world.trunk().respond(*invite, 200, trunk_sdp("sendrecv", 1, "18"));
  world.settle();
  EXPECT_EQ(world.trunk().acks, 1);
  const auto bye = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(bye);
  world.trunk().respond(*bye, 200);
  EXPECT_EQ(alice->take_response(300, call)->response.status(), 488);
  world.expect_nothing_left();
}

// RFC 3326 §2: the Reason of a CANCEL is carried across [reason-carried]
TEST_F(EarlyRace, TheReasonOfACancelReachesTheTrunk) {
  world.trunk().respond(*invite, 180);
  world.settle();
  alice->cancel(call, "SIP;cause=200;text=\"Call completed elsewhere\"");
  world.settle();
  ASSERT_EQ(world.trunk().cancels.size(), 1U);
  EXPECT_THAT(std::string(world.trunk().cancels[0].cancel.header(HeaderName::reason).value_or("")),
              HasSubstr("cause=200"));
}

// RFC 3326 §2: the Reason of a refusal is carried across [reason-carried]
TEST_F(EarlyRace, TheReasonOfARefusalReachesTheCaller) {
  auto busy = sip::make_response(invite->request, 486, "t");
  busy.add(HeaderName::reason, "Q.850;cause=17");
  world.trunk().respond(*invite, std::move(busy));
  world.settle();
  const auto refused = alice->take_response(300, call);
  ASSERT_TRUE(refused);
  EXPECT_THAT(std::string(refused->response.header(HeaderName::reason).value_or("")),
              HasSubstr("Q.850;cause=17"));
}

TEST_F(EarlyRace, A200WithoutContactIsStillACall) {
  auto response = sip::make_response(invite->request, 200, "t");
  response.set_body("application/sdp", trunk_sdp());
  world.trunk().respond(*invite, std::move(response));
  world.settle();
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  alice->ack(*answer);
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(world.trunk().take_request(Method::bye));
}

// RFC 3261 §9.1: without a final response in 64*T1 after CANCEL the INVITE counts as over
// [race-487-missing]
TEST_F(EarlyRace, A487ThatNeverComesIsNotWaitedForForEver) {
  world.trunk().respond(*invite, 180);
  world.settle();
  alice->cancel(call);
  world.settle();
  EXPECT_EQ(alice->take_response(300, call)->response.status(), 487);
  world.trunk().silent = true;
  world.expect_nothing_left();
}

TEST_F(EarlyRace, DrainAtItsDeadlineEndsARingingCallToo) {
  world.trunk().respond(*invite, 180);
  world.settle();
  world.settings.drain_timeout = seconds{300};
  world.drain_engine();
  world.pass(seconds{179});
  EXPECT_EQ(world.engine->calls(), 1U);
  world.pass(seconds{2});
  EXPECT_EQ(alice->take_response(300, call)->response.status(), 480)
      << "the ring time runs as ever";
  world.trunk().respond(*invite, 487);
  world.expect_nothing_left();
}

}  // namespace
}  // namespace trunkline::call::simulation
