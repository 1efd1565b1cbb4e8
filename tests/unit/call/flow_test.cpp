#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Connections that close, in every state of a call, and browsers that come back.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

struct Flow : EstablishedCall {
  Peer& alice_elsewhere() {
    Peer& again = world.browser("alice");
    again.dialog = alice->dialog;
    return again;
  }
};

// RFC 7118 §5: who is back keeps its call [vanished-in-call]
TEST_F(Flow, ABrowserThatReRegisteredBeforeItsOldConnectionWasFoundDeadKeepsItsCall) {
  Peer& again = world.registered("alice", 100000);
  alice->close_flow();
  world.pass(seconds{120});
  EXPECT_EQ(world.engine->calls(), 1U);
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(again));
  world.expect_nothing_left();
}

// RFC 7118 §5: a new connection, with an ICE restart, goes on [race-websocket-back]
TEST_F(Flow, AnInDialogRequestOverANewConnectionBringsTheBrowserBack) {
  alice->close_flow();
  world.pass(seconds{10});
  Peer& again = alice_elsewhere();
  std::string restarted = browser_offer("sendrecv", 4);
  restarted.replace(restarted.find("abcd"), 4, "wxyz");
  restarted.replace(restarted.find("abcdefghijklmnopqrstuvwx"), 24, "ABCDEFGHIJKLMNOPQRSTUVWX");
  const auto first = again.send_in_dialog(Method::invite, "application/sdp", restarted);
  const auto second = world.answer_challenge(again, first, "alice");
  const auto answer = again.take_response(200, second);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
  again.ack(*answer);
  world.settle();
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "the trunk never hears of it";
  world.pass(seconds{120});
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(Flow, AnOfferWhoseAnswerWasLostWithTheConnectionDoesNotStandInTheWayOfTheNext) {
  const auto offerless = alice->send_in_dialog(Method::invite);
  world.settle();
  ASSERT_TRUE(alice->take_response(200, offerless)) << "with an offer that the ACK would answer";
  alice->close_flow();
  world.pass(seconds{5});
  Peer& again = alice_elsewhere();
  const auto first =
      again.send_in_dialog(Method::invite, "application/sdp", browser_offer("sendrecv", 4));
  const auto second = world.answer_challenge(again, first, "alice");
  const auto answer = again.take_response(200, second);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
}

TEST_F(Flow, AConnectionThatClosesWithARequestOnItsWayStillGetsTheGraceTime) {
  trunk->send_in_dialog(Method::info, "application/dtmf-relay", "Signal=1\r\nDuration=100\r\n");
  world.settle();
  ASSERT_TRUE(alice->take_request(Method::info)) << "not answered";
  alice->close_flow();
  world.settle();
  EXPECT_EQ(world.engine->calls(), 1U);
  world.registered("alice", 100000);
  world.pass(seconds{100});
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(Flow, AConnectionThatClosesWithAPassedOfferOnItsWayRefusesTheOfferOnly) {
  const auto hold =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendonly", 4));
  world.settle();
  ASSERT_TRUE(alice->take_request(Method::invite));
  alice->close_flow();
  world.settle();
  EXPECT_EQ(trunk->take_response(200, hold)->response.status(), 480);
  EXPECT_EQ(world.engine->calls(), 1U);
  world.pass(seconds{61});
  EXPECT_TRUE(ended(*trunk));
  world.expect_nothing_left();
}

TEST_F(Flow, AHoldOfTheTrunkWhileTheBrowserIsAwayIsAnsweredHere) {
  alice->close_flow();
  const auto hold =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendonly", 4));
  world.settle();
  const auto answer = trunk->take_response(200, hold);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
}

TEST_F(Flow, MediaThatIsLostWithTheConnectionIsGivenTheGraceTimeToo) {
  alice->close_flow();
  world.pass(seconds{10});
  const LegId leg = world.media_commands<media::AddBrowserLeg>().front().leg;
  world.media(media::LegFailed{leg, media::MediaFailure::consent_expired});
  EXPECT_EQ(world.engine->calls(), 1U);
  world.registered("alice", 100000);
  world.pass(seconds{29});
  EXPECT_EQ(world.engine->calls(), 1U) << "an ICE restart may come";
  world.pass(seconds{2});
  EXPECT_EQ(world.engine->calls(), 0U) << "but without one there is no media";
  EXPECT_EQ(world.observed<CallEnded>().back().end.reason, EndReason::media_timeout);
}

TEST_F(Flow, AnotherDeviceOfTheSameUserDoesNotTakeTheCall) {
  alice->close_flow();
  Peer& phone = world.registered("alice", 100000, "phone");
  world.pass(seconds{61});
  EXPECT_EQ(world.engine->calls(), 0U);
  EXPECT_FALSE(phone.take_request(Method::bye));
  EXPECT_TRUE(ended(*trunk));
  world.expect_nothing_left();
}

TEST_F(Flow, TheTrunksHangUpWhileTheBrowserIsAwayLeavesNothing) {
  alice->close_flow();
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(world.engine->calls(), 0U);
  world.expect_nothing_left();
}

TEST_F(Flow, AnInDialogRequestOfABrowserOverUdpIsRefused) {
  Peer& stranger = world.stranger();
  stranger.dialog = alice->dialog;
  const auto bye = stranger.send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(stranger.take_response(200, bye)->response.status(), 403);
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(Flow, AnInDialogRequestOfTheTrunkOverAWebSocketIsRefused) {
  Peer& bob = world.browser("bob");
  bob.self.remote = trunk->self.remote;
  bob.dialog = trunk->dialog;
  const auto bye = bob.send_in_dialog(Method::bye);
  world.settle();
  const auto refused = bob.take_response(200, bye);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 403);
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(Flow, ATrunkWhoseNameHasMovedStillEndsItsOldCalls) {
  world.engine->trunk_located("carrier",
                              {{sip::Transport::udp, *SocketAddress::parse("203.0.113.9:5060")}});
  const auto bye = trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(trunk->take_response(200, bye)->response.status(), 200);
  EXPECT_TRUE(ended(*alice));
}

// ---------------------------------------------------------------- before the answer and its ACK

struct EarlyFlow : testing::Test {
  World world;

  sip::TransactionId dial(Peer& alice, std::string_view to) {
    return world.answer_challenge(alice, alice.invite(to, "alice", kBrowserOffer), "alice");
  }
};

TEST_F(EarlyFlow, ABrowserThatVanishesBeforeItsAckIsGivenUpAfterTheGraceTime) {
  Peer& alice = world.registered("alice", 100000);
  const auto call = dial(alice, "5551000");
  world.trunk().respond(*world.trunk().take_request(Method::invite), 200, trunk_sdp());
  world.settle();
  ASSERT_TRUE(alice.take_response(200, call));
  alice.close_flow();
  world.pass(seconds{59});
  EXPECT_EQ(world.engine->calls(), 1U);
  world.pass(seconds{2});
  const auto bye = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(bye);
  world.trunk().respond(*bye, 200);
  world.expect_nothing_left();
}

// RFC 4028 §7.4: a refresh repeats the description; where none was agreed it makes a new offer, for
// without one the ACK would owe an answer.
TEST_F(EarlyFlow, AnOfferWhoseAnswerWasNeverHeardIsMadeAnewByTheRefresh) {
  Peer& alice = world.registered("alice", 100000);
  auto request = sip::Message::request(Method::invite, "sip:5551000@example.test");
  request.add(HeaderName::max_forwards, "69");
  request.add(HeaderName::from, "<sip:alice@example.test>;tag=hers");
  request.add(HeaderName::to, "<sip:5551000@example.test>");
  request.add(HeaderName::call_id, "without-an-offer");
  request.add(HeaderName::cseq, "10 INVITE");
  request.add(HeaderName::contact, "<sip:alice@abc.invalid;transport=ws>");
  request.add(HeaderName::supported, "timer");
  request.add(HeaderName::session_expires, "90;refresher=uas");
  const auto call = world.answer_challenge(alice, alice.send(std::move(request)), "alice");
  world.trunk().respond(*world.trunk().take_request(Method::invite), 200, trunk_sdp());
  world.settle();
  const auto answer = alice.take_response(200, call);
  ASSERT_TRUE(answer);
  ASSERT_FALSE(answer->response.body().empty());
  alice.close_flow();
  world.pass(seconds{5});
  Peer& again = world.registered("alice", 100000);
  again.dialog = *sip::Dialog::as_uac(alice.sent.at(call), answer->response);
  world.pass(seconds{46});
  const auto refresh = again.take_request(Method::invite);
  ASSERT_TRUE(refresh);
  EXPECT_THAT(std::string(refresh->request.body()), HasSubstr("a=setup:actpass"));
  again.respond(*refresh, 200, browser_answer());
  world.settle();
  EXPECT_EQ(again.acks, 1);
  EXPECT_EQ(world.media_commands<media::SetRoute>().size(), 2U);
  world.pass(seconds{40});
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 3261 §15: a BYE that waits for an ACK leaves nothing behind [race-hang-up-of-vanished]
TEST_F(EarlyFlow, AHangUpBeforeTheAckOfABrowserThatVanishesLeavesNothing) {
  Peer& alice = world.registered("alice", 100000);
  dial(alice, "5551000");
  world.trunk().respond(*world.trunk().take_request(Method::invite), 200, trunk_sdp());
  world.settle();
  world.trunk().send_in_dialog(Method::bye);
  world.settle();
  alice.close_flow();
  world.expect_nothing_left();
}

// RFC 5626 §5.3: other devices go on ringing [flow-only]
TEST_F(EarlyFlow, ACalledDeviceThatVanishesDoesNotEndTheOthers) {
  world.settings.routes.push_back({"user", "^bob$", "user:bob"});
  Peer& alice = world.registered("alice", 100000);
  Peer& one = world.registered("bob", 100000, "one");
  Peer& two = world.registered("bob", 100000, "two");
  const auto call = dial(alice, "bob");
  const auto rings = two.take_request(Method::invite);
  ASSERT_TRUE(one.take_request(Method::invite) && rings);
  one.close_flow();
  world.settle();
  two.respond(*rings, 200, browser_answer());
  world.settle();
  EXPECT_EQ(alice.take_response(200, call)->response.status(), 200);
}

// RFC 5626 §7: a flow that fails is followed by an older one of the same device [reg-id-latest]
// RFC 5626 §5.3: what a proxy says of its own flow does not reach the caller [flow-only]
TEST_F(EarlyFlow, ADeviceIsTriedByItsOtherFlow) {
  Peer& older = world.browser("alice");
  Peer& newer = world.browser("alice");
  const auto registered = [&](Peer& peer, int reg_id) {
    auto request = sip::Message::request(Method::register_, "sip:example.test");
    request.add(HeaderName::from, "<sip:alice@example.test>;tag=r");
    request.add(HeaderName::to, "<sip:alice@example.test>");
    request.add(HeaderName::call_id, "register-" + std::to_string(reg_id));
    request.add(HeaderName::cseq, "1 REGISTER");
    request.add(HeaderName::supported, "outbound");
    request.add(HeaderName::contact, "<sip:flow" + std::to_string(reg_id) +
                                         "@abc.invalid;transport=ws>;+sip.instance=\"<urn:1>\"" +
                                         ";reg-id=" + std::to_string(reg_id));
    const auto sent = world.answer_challenge(peer, peer.send(std::move(request)), "alice");
    const auto response = peer.take_response(200, sent);
    return response && response->response.status() == 200;
  };
  ASSERT_TRUE(registered(older, 1) && registered(newer, 2));
  const auto call = world.trunk().invite("1001", "5559", trunk_sdp());
  world.settle();
  EXPECT_FALSE(older.take_request(Method::invite)) << "one flow of a device";
  const auto lost = newer.take_request(Method::invite);
  ASSERT_TRUE(lost);
  newer.close_flow();
  world.settle();
  const auto found = older.take_request(Method::invite);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->request.request_uri(), "sip:flow1@abc.invalid;transport=ws");
  EXPECT_EQ(sip::call_id_of(found->request), sip::call_id_of(lost->request));
  older.respond(*found, 430);
  world.settle();
  const auto refused = world.trunk().take_response(200, call);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 480);
  world.expect_nothing_left();
}

// RFC 5923 §5: a closed connection is opened again [race-dialog-keeps-transport]
TEST_F(EarlyFlow, ATrunksConnectionThatClosesInACallIsOpenedAgain) {
  world.use_tcp();
  Peer& alice = world.registered("alice", 100000);
  const auto call = dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  alice.ack(*alice.take_response(200, call));
  world.settle();
  world.trunk().close_flow();
  world.trunk().silent = false;
  EXPECT_EQ(world.engine->calls(), 1U);
  alice.send_in_dialog(Method::bye);
  world.settle();
  const auto bye = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(bye);
  world.trunk().respond(*bye, 200);
  world.expect_nothing_left();
}

// RFC 3261 §18.2.2: the answer goes over a new connection [reply-reconnect]
TEST_F(EarlyFlow, ATrunkWhoseConnectionClosesWhileItCallsIsStillAnswered) {
  world.use_tcp();
  Peer& alice = world.registered("alice", 100000);
  const auto call = world.trunk().invite("1001", "5559", trunk_sdp());
  world.settle();
  const auto invite = alice.take_request(Method::invite);
  ASSERT_TRUE(invite);
  alice.respond(*invite, 180);
  world.settle();
  world.trunk().close_flow();
  world.trunk().silent = false;
  world.settle();
  EXPECT_TRUE(alice.cancels.empty());
  alice.respond(*invite, 200, browser_answer());
  world.settle();
  const auto answer = world.trunk().take_response(200, call);
  ASSERT_TRUE(answer);
  world.trunk().ack(*answer);
  world.trunk().send_in_dialog(Method::bye);
  world.settle();
  ASSERT_TRUE(alice.take_request(Method::bye));
}

// RFC 3261 §15: it leaves when the connection closes [race-hang-up-of-vanished]
TEST_F(EarlyFlow, ATrunkWhoseConnectionClosesBeforeItsAckGetsTheByeOverANewOne) {
  world.use_tcp();
  Peer& alice = world.registered("alice", 100000);
  world.trunk().invite("1001", "5559", trunk_sdp());
  world.settle();
  alice.respond(*alice.take_request(Method::invite), 200, browser_answer());
  world.settle();
  alice.send_in_dialog(Method::bye);
  world.settle();
  EXPECT_FALSE(world.trunk().take_request(Method::bye)) << "it waits for the ACK";
  world.trunk().close_flow();
  world.trunk().silent = false;
  world.settle();
  const auto bye = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(bye);
  world.trunk().respond(*bye, 200);
  world.expect_nothing_left();
}

}  // namespace
}  // namespace trunkline::call::simulation
