#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Every end, from either side, in every state.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

struct End : EstablishedCall {};

TEST_F(End, TrunkHangsUp) {
  trunk->send_in_dialog(Method::bye);
  world.settle();
  ASSERT_TRUE(ended(*alice));
  ASSERT_EQ(world.observed<CallEnded>().size(), 1U);
  EXPECT_EQ(world.observed<CallEnded>()[0].end.ended_by, EndedBy::callee);
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::hangup);
  world.expect_nothing_left();
}

// RFC 3326 §2: the Reason of a BYE is carried across [reason-carried]
TEST_F(End, TheReasonOfAByeIsCarriedAcross) {
  auto bye = trunk->dialog->request(Method::bye);
  bye.add(HeaderName::reason, "Q.850;cause=31;text=\"normal, unspecified\"");
  trunk->send(std::move(bye));
  world.settle();
  const auto carried = ended(*alice);
  ASSERT_TRUE(carried);
  EXPECT_THAT(std::string(carried->request.header(HeaderName::reason).value_or("")),
              HasSubstr("cause=31"));
}

TEST_F(End, TheApiHangsUpAndSaysWhy) {
  const auto reason = [](const std::optional<sip::RequestReceived>& bye) {
    return bye ? std::string(bye->request.header(HeaderName::reason).value_or("")) : "no BYE";
  };
  world.ask(HangupCall{call_name(), 603, "not \"now\""});
  EXPECT_EQ(reason(ended(*alice)), "SIP;cause=603;text=\"not \\\"now\\\"\"");
  EXPECT_EQ(reason(ended(*trunk)), "SIP;cause=603;text=\"not \\\"now\\\"\"");
  const Failure end = world.observed<CallEnded>().at(0).end;
  EXPECT_EQ(end.ended_by, EndedBy::api);
  EXPECT_EQ(end.reason, EndReason::hangup);
  EXPECT_EQ(end.sip_code, 200) << "the call was answered, and ended in order";
  world.expect_nothing_left();
}

TEST_F(End, TheApiHangsUpWithATextAlone) {
  world.ask(HangupCall{call_name(), 0, "over"});
  const auto bye = ended(*trunk);
  ASSERT_TRUE(bye);
  EXPECT_EQ(bye->request.header(HeaderName::reason), "Q.850;cause=16;text=\"over\"");
}

// RFC 3261 §15.1.2: each BYE in a known dialog gets 200, a crossing one too [bye-answered]
// RFC 3261 §15.1.2: both hang up, both get 200 [race-bye-crosses-bye]
TEST_F(End, BothHangUpAtOnceAndBothGet200) {
  const auto theirs = trunk->send_in_dialog(Method::bye);
  const auto hers = alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(trunk->take_response(200, theirs)->response.status(), 200);
  EXPECT_EQ(alice->take_response(200, hers)->response.status(), 200);
  ended(*alice);
  ended(*trunk);
  EXPECT_EQ(world.observed<CallEnded>().size(), 1U);
  world.expect_nothing_left();
}

// RFC 3261 §22.2: a challenge to BYE is answered [bye-challenged]
// RFC 3261 §22.2: a challenged BYE still ends the call [race-bye-challenged]
TEST_F(End, AChallengedByeIsSentAgainWithCredentials) {
  alice->send_in_dialog(Method::bye);
  world.settle();
  const auto first = trunk->take_request(Method::bye);
  ASSERT_TRUE(first);
  auto challenge = sip::make_response(first->request, 401, "peer-tag");
  challenge.add(HeaderName::www_authenticate,
                "Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"");
  trunk->respond(*first, std::move(challenge));
  world.settle();
  const auto second = ended(*trunk);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->request.header(HeaderName::authorization));
  world.expect_nothing_left();
}

// RFC 5057 §5.1: 481 in a dialog ends the call [dialog-lost]
TEST_F(End, ADialogThatTheTrunkLostEndsTheBrowsersSide) {
  alice->send_in_dialog(Method::info, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
  world.settle();
  EXPECT_EQ(world.media_commands<media::SendDigit>().size(), 1U);
  alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto reinvite = trunk->take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  trunk->respond(*reinvite, 481);
  world.settle();
  EXPECT_TRUE(ended(*alice));
  world.expect_nothing_left();
}

TEST_F(End, LostMediaOfTheBrowserEndsBothLegsWithAReason) {
  const LegId leg = world.media_commands<media::AddBrowserLeg>().front().leg;
  world.media(media::LegFailed{leg, media::MediaFailure::consent_expired});
  const auto to_trunk = ended(*trunk);
  ASSERT_TRUE(to_trunk);
  EXPECT_TRUE(to_trunk->request.header(HeaderName::reason));
  EXPECT_TRUE(ended(*alice));
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::media_timeout);
  world.expect_nothing_left();
}

TEST_F(End, AfterCloseNotifyTheByeIsAwaitedForAWhile) {
  const LegId leg = world.media_commands<media::AddBrowserLeg>().front().leg;
  world.media(media::LegFailed{leg, media::MediaFailure::dtls_closed});
  world.pass(seconds{9});
  EXPECT_EQ(world.engine->calls(), 1U);
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*trunk));
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::hangup);
  world.expect_nothing_left();
}

// RFC 5246 §7.2.1: taken [dtls-close]
TEST_F(End, CloseNotifyWithoutAByeEndsBothLegs) {
  const LegId leg = world.media_commands<media::AddBrowserLeg>().front().leg;
  world.media(media::LegFailed{leg, media::MediaFailure::dtls_closed});
  world.pass(seconds{11});
  EXPECT_TRUE(ended(*trunk));
  EXPECT_TRUE(ended(*alice));
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::media_timeout);
  world.expect_nothing_left();
}

TEST_F(End, CloseNotifyOfAPageThatIsGoneIsNotGivenTheGraceTime) {
  const LegId leg = world.media_commands<media::AddBrowserLeg>().front().leg;
  world.media(media::LegFailed{leg, media::MediaFailure::dtls_closed});
  alice->close_flow();
  world.pass(seconds{11});
  EXPECT_TRUE(ended(*trunk));
  world.expect_nothing_left();
}

// RFC 5246 §7.2.1: but new media go on [dtls-close]
TEST_F(End, AfterCloseNotifyNewMediaKeepTheCall) {
  const LegId leg = world.media_commands<media::AddBrowserLeg>().front().leg;
  world.media(media::LegFailed{leg, media::MediaFailure::dtls_closed});
  std::string anew = browser_offer("sendrecv", 4);
  anew += "a=tls-id:another\r\n";
  const auto offer = alice->send_in_dialog(Method::invite, "application/sdp", anew);
  world.settle();
  ASSERT_TRUE(alice->take_response(200, offer));
  EXPECT_EQ(world.media_commands<media::UpdateBrowserLeg>().back().remote.tls_id, "another");
  world.pass(seconds{11});
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 7118 §5: a browser that stays away is given up [vanished-in-call]
// RFC 7118 §5: a browser that is gone leaves nothing [race-websocket-gone]
TEST_F(End, ABrowserThatStaysAwayIsGivenUpAfterTheGraceTime) {
  alice->close_flow();
  world.pass(seconds{59});
  EXPECT_FALSE(trunk->take_request(Method::bye));
  world.pass(seconds{2});
  ASSERT_TRUE(ended(*trunk));
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::browser_lost);
  world.expect_nothing_left();
}

TEST_F(End, ABrowserThatComesBackKeepsItsCall) {
  alice->close_flow();
  world.pass(seconds{20});
  Peer& again = world.registered("alice", 100000);
  world.pass(seconds{100});
  EXPECT_FALSE(trunk->take_request(Method::bye));
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(again)) << "the BYE goes down the new connection";
  world.expect_nothing_left();
}

TEST_F(End, AnotherUserCannotTakeOverTheDialogFromANewConnection) {
  Peer& bob = world.registered("bob");
  bob.dialog = alice->dialog;
  const auto first = bob.send_in_dialog(Method::bye);
  const auto second = world.answer_challenge(bob, first, "bob");
  EXPECT_EQ(bob.take_response(200, second)->response.status(), 403);
  EXPECT_FALSE(trunk->take_request(Method::bye));
}

TEST_F(End, ARequestForTheDialogFromAnotherAddressIsRefused) {
  Peer& stranger = world.stranger();
  stranger.dialog = trunk->dialog;
  const auto bye = stranger.send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(stranger.take_response(200, bye)->response.status(), 403);
  EXPECT_FALSE(alice->take_request(Method::bye));
}

TEST_F(End, DrainLetsCallsGoOnAndEndsThemAtTheDeadline) {
  world.drain_engine();
  const auto first = alice->invite("5551000", "alice", kBrowserOffer);
  const auto refused = world.answer_challenge(*alice, first, "alice");
  const auto response = alice->take_response(200, refused);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.status(), 503);
  EXPECT_TRUE(response->response.header(HeaderName::retry_after));
  world.pass(seconds{299});
  EXPECT_FALSE(trunk->take_request(Method::bye));
  world.pass(seconds{2});
  EXPECT_TRUE(ended(*trunk));
  EXPECT_TRUE(ended(*alice));
  world.expect_nothing_left();
}

// RFC 3261 §15.1.1: a BYE without answer has ended the session [bye-unanswered]
TEST_F(End, APeerThatNeverAnswersTheByeLeavesNothing) {
  trunk->silent = true;
  alice->send_in_dialog(Method::bye);
  world.expect_nothing_left();
}

struct EndBeforeAnswer : testing::Test {
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
};

// RFC 3261 §9.2: CANCEL gets 200, its INVITE 487 [cancel-answered]
// RFC 3261 §22.1: CANCEL is not challenged [never-challenged]
TEST_F(EndBeforeAnswer, CancelWhileRinging) {
  world.trunk().respond(*invite, 180);
  world.settle();
  alice->cancel(call);
  world.settle();
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 487);
  ASSERT_EQ(world.trunk().cancels.size(), 1U);
  world.trunk().respond(*invite, 487);
  world.settle();
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::cancelled);
  world.expect_nothing_left();
}

// RFC 3261 §9.1: CANCEL waits for a provisional response
TEST_F(EndBeforeAnswer, CancelBeforeAnyResponseOfTheTrunkIsHeldBack) {
  alice->send(
      sip::Message::request(Method::options, "sip:example.test"));  // traffic that must not matter
  world.pass(milliseconds{250});
  alice->cancel(call);
  world.settle();
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 487);
}

// RFC 3261 §9.1: a 2xx that crosses the CANCEL gets ACK and BYE
TEST_F(EndBeforeAnswer, AnAnswerThatCrossesTheCancelIsAcknowledgedAndEnded) {
  world.trunk().respond(*invite, 180);
  world.settle();
  alice->cancel(call);
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  // Whichever won the race, the trunk has its ACK and its BYE, or its call; never neither.
  if (alice->take_response(300, call)) {
    EXPECT_EQ(world.trunk().acks, 1);
    ASSERT_TRUE(world.trunk().take_request(Method::bye));
  }
  world.expect_nothing_left();
}

// RFC 3261 §13.2.2.4: the BYE after an answer that crossed the CANCEL goes by the route of that
// answer [race-crossed-200-route]
TEST_F(EndBeforeAnswer, TheByeOfACrossedAnswerFollowsItsRoute) {
  Peer* trunk = &world.trunk();
  trunk->respond(*invite, 180);
  world.settle();
  alice->cancel(call);
  world.settle();
  auto answer = sip::make_response(invite->request, 200, "peer-tag");
  answer.add(HeaderName::contact, "<sip:device@192.0.2.9:5060>");
  answer.add(HeaderName::record_route, "<sip:192.0.2.9:5060;lr;hop=2>");
  answer.add(HeaderName::record_route, "<sip:192.0.2.9:5060;lr;hop=1>");
  answer.set_body("application/sdp", trunk_sdp());
  trunk->respond(*invite, std::move(answer));
  world.settle();
  EXPECT_EQ(trunk->acks, 1);
  const auto bye = trunk->take_request(Method::bye);
  ASSERT_TRUE(bye);
  for (const sip::Message* sent :
       std::initializer_list<const sip::Message*>{&trunk->acknowledged.front(), &bye->request}) {
    EXPECT_EQ(sent->request_uri(), "sip:device@192.0.2.9:5060");
    const auto routes = sent->headers(HeaderName::route);
    ASSERT_EQ(routes.size(), 2U);
    EXPECT_EQ(routes[0], "<sip:192.0.2.9:5060;lr;hop=1>");
    EXPECT_EQ(routes[1], "<sip:192.0.2.9:5060;lr;hop=2>");
  }
  trunk->respond(*bye, 200);
  world.settle();
  world.expect_nothing_left();
}

// RFC 7118 §5: a caller whose connection is gone before the answer is gone [vanished-early]
TEST_F(EndBeforeAnswer, TheBrowserVanishesWhileItRings) {
  world.trunk().respond(*invite, 180);
  world.settle();
  alice->close_flow();
  world.settle();
  ASSERT_EQ(world.trunk().cancels.size(), 1U);
  world.trunk().respond(*invite, 487);
  world.expect_nothing_left();
}

// RFC 3261 §13.3.1.4: a 2xx without ACK in 64*T1 ends the session by BYE [ack-missing]
TEST_F(EndBeforeAnswer, AnAnswerWithoutAckEndsBothSides) {
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  world.pass(seconds{33});
  const auto to_trunk = world.trunk().take_request(Method::bye);
  const auto to_alice = alice->take_request(Method::bye);
  ASSERT_TRUE(to_trunk && to_alice);
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::ack_missing);
  world.trunk().respond(*to_trunk, 200);
  alice->respond(*to_alice, 200);
  world.expect_nothing_left();
}

// RFC 3261 §15: the callee sends no BYE before the ACK of its 2xx [bye-waits]
// RFC 3261 §15: the BYE to the caller waits for its ACK [race-hang-up-before-ack]
TEST_F(EndBeforeAnswer, TheByeToACallerThatHasNotAcknowledgedWaitsForItsAck) {
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  const auto answer = alice->take_response(200, call);
  world.trunk().send_in_dialog(Method::bye);
  world.settle();
  EXPECT_FALSE(alice->take_request(Method::bye));
  alice->ack(*answer);
  world.settle();
  const auto bye = alice->take_request(Method::bye);
  ASSERT_TRUE(bye);
  alice->respond(*bye, 200);
  world.expect_nothing_left();
}

// RFC 3261 §15: before the answer a refusal, and no BYE [callee-refuses]
// RFC 3261 §15: a callee that goes makes the INVITE fail [race-callee-gives-up]
TEST_F(EndBeforeAnswer, ACalledBrowserThatVanishesWhileItRingsGivesTheTrunk480) {
  Peer& bob = world.registered("bob", 100000, "b");
  world.settings.routes.push_back({"trunk:carrier", "^1002$", "user:bob"});
  const auto first = alice->invite("bob", "alice", kBrowserOffer);
  const auto ringing = world.answer_challenge(*alice, first, "alice");
  const auto offer = bob.take_request(Method::invite);
  ASSERT_TRUE(offer);
  bob.respond(*offer, 180);
  world.settle();
  bob.close_flow();
  world.settle();
  EXPECT_EQ(alice->take_response(200, ringing)->response.status(), 480);
}

}  // namespace
}  // namespace trunkline::call::simulation
