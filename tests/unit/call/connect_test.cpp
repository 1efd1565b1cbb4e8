#include "simulation.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <string>

// From the INVITE to the answer, with real endpoints on both sides.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;

struct Connect : testing::Test {
  World world;

  sip::TransactionId dial(Peer& peer, std::string_view to, std::string_view sdp = kBrowserOffer) {
    const auto first = peer.invite(to, peer.name, sdp);
    return world.answer_challenge(peer, first, peer.name);
  }
};

TEST_F(Connect, BrowserCallsTrunkAndBothAreJoined) {
  Peer& alice = world.registered("alice");
  const auto call = dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->request.request_uri(), "sip:5551000@192.0.2.9:5060");
  EXPECT_THAT(std::string(invite->request.body()), HasSubstr("RTP/AVP 0"));
  world.trunk().respond(*invite, 180);
  world.settle();
  ASSERT_TRUE(alice.take_response(180, call));
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  EXPECT_EQ(world.trunk().acks, 1);
  const auto answer = alice.take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("UDP/TLS/RTP/SAVPF 0"));
  alice.ack(*answer);
  world.settle();
  EXPECT_EQ(world.media_commands<media::AddBrowserLeg>().size(), 1U);
  EXPECT_EQ(world.media_commands<media::AddTrunkLeg>().size(), 1U);
  EXPECT_EQ(world.media_commands<media::SetRoute>().size(), 2U);
  alice.send_in_dialog(Method::bye);
  world.settle();
  ASSERT_TRUE(world.trunk().take_request(Method::bye));
  ASSERT_TRUE(alice.take_response(200));
  ASSERT_EQ(world.observed<CallEnded>().size(), 1U);
  EXPECT_EQ(world.observed<CallEnded>()[0].end.ended_by, EndedBy::caller);
}

// RFC 7022 §4.2: each leg has its own [rtcp-cname]
TEST_F(Connect, EachLegHasACnameOfChance) {
  Peer& alice = world.registered("alice");
  dial(alice, "5551000");
  dial(alice, "5551001");
  std::set<std::string> names;
  for (const auto& leg : world.media_commands<media::AddBrowserLeg>())
    names.insert(leg.cname);
  for (const auto& leg : world.media_commands<media::AddTrunkLeg>())
    names.insert(leg.cname);
  EXPECT_EQ(names.size(), 4U);
  // 96 bits in six bits a character.
  for (const std::string& name : names)
    EXPECT_GE(name.size(), 16U);
}

TEST_F(Connect, NothingIsLeftAfterwards) {
  Peer& alice = world.registered("alice", 10000);
  const auto call = dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  alice.ack(*alice.take_response(200, call));
  world.settle();
  world.trunk().send_in_dialog(Method::bye);
  world.settle();
  const auto bye = alice.take_request(Method::bye);
  ASSERT_TRUE(bye);
  alice.respond(*bye, 200);
  world.expect_nothing_left();
}

// RFC 7092 §3.2: a trunk sees nothing of the browser [own-dialogs]
// RFC 7332 §3: Max-Forwards goes on, one less [max-forwards]
// RFC 7332 §3: it is not set back [race-max-forwards-reset]
TEST_F(Connect, ThePeerNeverSeesTheBrowsersSide) {
  Peer& alice = world.registered("alice");
  dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  const std::string wire = invite->request.serialize();
  EXPECT_THAT(wire, Not(HasSubstr(".invalid")));
  EXPECT_THAT(wire, Not(HasSubstr("transport=ws")));
  EXPECT_THAT(wire, Not(HasSubstr("ice-")));
  EXPECT_THAT(wire, Not(HasSubstr("fingerprint")));
  EXPECT_THAT(wire, Not(HasSubstr("198.51.100.7")));
  EXPECT_EQ(invite->request.header(HeaderName::max_forwards), "68");
}

// RFC 3261 §13.2.1: an answer in an unreliable 18x is the same in the 2xx [answer-repeated]
TEST_F(Connect, EarlyMediaIsAnsweredOnceAndTheSameInThe200) {
  Peer& alice = world.registered("alice");
  const auto call = dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  world.trunk().respond(*invite, 183, trunk_sdp());
  world.settle();
  const auto early = alice.take_response(183, call);
  ASSERT_TRUE(early);
  EXPECT_EQ(world.media_commands<media::SetRoute>().size(), 2U);
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  const auto answer = alice.take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_EQ(early->response.body(), answer->response.body());
}

TEST_F(Connect, TheFarEndsCodeReachesTheCaller) {
  for (const int code : {404, 486, 488, 500, 600, 603}) {
    Peer& alice = world.registered("alice");
    const auto call = dial(alice, "5551000");
    const auto invite = world.trunk().take_request(Method::invite);
    ASSERT_TRUE(invite);
    world.trunk().respond(*invite, code);
    world.settle();
    const auto refused = alice.take_response(200, call);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->response.status(), code);
  }
  world.expect_nothing_left();
}

// RFC 3261 §16.7: a 503 becomes 500 [503-not-relayed]
TEST_F(Connect, ATrunks503AndItsChallengeNeverReachTheBrowser) {
  for (const auto& [theirs, ours] : std::vector<std::pair<int, int>>{{503, 500}, {403, 403}}) {
    Peer& alice = world.registered("alice");
    const auto call = dial(alice, "5551000");
    world.trunk().respond(*world.trunk().take_request(Method::invite), theirs);
    world.settle();
    EXPECT_EQ(alice.take_response(200, call)->response.status(), ours);
  }
}

// RFC 3261 §22.2: sent again with the same Call-ID and the next CSeq [challenge-retry]
// RFC 3261 §22.2: after a challenge the Call-ID stays [race-challenge-acknowledged]
TEST_F(Connect, ATrunksChallengeIsAnswered) {
  Peer& alice = world.registered("alice");
  const auto call = dial(alice, "5551000");
  const auto first = world.trunk().take_request(Method::invite);
  auto challenge = sip::make_response(first->request, 407, "t");
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"abc\", qop=\"auth\"");
  world.trunk().respond(*first, std::move(challenge));
  world.settle();
  const auto second = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(second);
  EXPECT_THAT(std::string(*second->request.header(HeaderName::proxy_authorization)),
              HasSubstr("username=\"gw\""));
  EXPECT_EQ(second->request.header(HeaderName::call_id),
            first->request.header(HeaderName::call_id));
  EXPECT_EQ(sip::cseq_of(second->request).number, sip::cseq_of(first->request).number + 1);
  world.trunk().respond(*second, 200, trunk_sdp());
  world.settle();
  const auto answer = alice.take_response(200, call);
  ASSERT_TRUE(answer);
  alice.ack(*answer);
  alice.send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(world.trunk().take_request(Method::bye));
  world.expect_nothing_left();
}

// RFC 3261 §22.1: credentials that were refused are not sent again [challenge-loop]
TEST_F(Connect, RefusedCredentialsEndTheCallWith403) {
  Peer& alice = world.registered("alice");
  const auto call = dial(alice, "5551000");
  for (int round = 0; round < 2; ++round) {
    const auto invite = world.trunk().take_request(Method::invite);
    ASSERT_TRUE(invite);
    auto challenge = sip::make_response(invite->request, 401, "t");
    challenge.add(HeaderName::www_authenticate,
                  "Digest realm=\"carrier\", nonce=\"same\", qop=\"auth\"");
    world.trunk().respond(*invite, std::move(challenge));
    world.settle();
  }
  EXPECT_FALSE(world.trunk().take_request(Method::invite));
  EXPECT_EQ(alice.take_response(200, call)->response.status(), 403);
}

// RFC 3261 §8.1.3.1: a trunk that says nothing gives 408 [request-timeout]
TEST_F(Connect, ADeadTrunkGives408AndNothingIsLeft) {
  Peer& alice = world.registered("alice", 10000);
  world.trunk().silent = true;
  const auto call = dial(alice, "5551000");
  world.pass(seconds{33});
  const auto refused = alice.take_response(200, call);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 408);
  world.expect_nothing_left();
}

// RFC 3261 §13.3.1: ringing without end is cancelled, the caller gets 480 [ring-limit]
TEST_F(Connect, RingingWithoutEndIsGivenUp) {
  Peer& alice = world.registered("alice", 10000);
  const auto call = dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  world.trunk().respond(*invite, 180);
  world.settle();
  world.pass(seconds{181});
  ASSERT_EQ(world.trunk().cancels.size(), 1U);
  EXPECT_EQ(alice.take_response(200, call)->response.status(), 480);
  world.trunk().respond(*invite, 487);
  world.expect_nothing_left();
}

// RFC 3261 §13.3.1.1: a provisional response is repeated every minute [ringing-repeated]
TEST_F(Connect, RingingIsRepeatedEveryMinute) {
  Peer& alice = world.registered("alice", 10000);
  const auto call = dial(alice, "5551000");
  world.trunk().respond(*world.trunk().take_request(Method::invite), 180);
  world.pass(seconds{130});
  int ringing = 0;
  while (alice.take_response(180, call))
    ++ringing;
  EXPECT_EQ(ringing, 3);
}

TEST_F(Connect, TrunkCallsBrowserWithAWebrtcOffer) {
  Peer& alice = world.registered("alice");
  const auto call = world.trunk().invite("1001", "+4930123", trunk_sdp());
  world.settle();
  const auto invite = alice.take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->request.request_uri(), "sip:alice-x@abc.invalid;transport=ws");
  EXPECT_THAT(std::string(invite->request.body()), HasSubstr("a=ice-lite"));
  EXPECT_THAT(std::string(invite->request.body()), HasSubstr("a=setup:actpass"));
  EXPECT_THAT(std::string(*invite->request.header(HeaderName::from)),
              HasSubstr("sip:+4930123@example.test"));
  alice.respond(*invite, 180);
  world.settle();
  EXPECT_TRUE(world.trunk().take_response(180, call));
  std::string answer = browser_answer();
  alice.respond(*invite, 200, answer);
  world.settle();
  const auto ok = world.trunk().take_response(200, call);
  ASSERT_TRUE(ok);
  EXPECT_THAT(std::string(ok->response.body()), HasSubstr("RTP/AVP 0 101"));
  world.trunk().ack(*ok);
  world.settle();
  EXPECT_EQ(world.media_commands<media::SetRoute>().size(), 2U);
}

// RFC 3326 §2: those who rang for a call answered elsewhere are told so [elsewhere]
TEST_F(Connect, AllDevicesRingAndTheFirstAnswerWins) {
  Peer& desk = world.registered("alice", 10000, "desk");
  Peer& laptop = world.registered("alice", 10000, "laptop");
  const auto call = world.trunk().invite("1001", "+4930123", trunk_sdp());
  world.settle();
  const auto first = desk.take_request(Method::invite);
  const auto second = laptop.take_request(Method::invite);
  ASSERT_TRUE(first && second);
  desk.respond(*first, 180);
  laptop.respond(*second, 180);
  world.settle();
  laptop.respond(*second, 200, browser_answer());
  world.settle();
  ASSERT_EQ(desk.cancels.size(), 1U);
  EXPECT_THAT(std::string(*desk.cancels[0].cancel.header(HeaderName::reason)),
              HasSubstr("completed elsewhere"));
  desk.respond(*first, 487);
  const auto ok = world.trunk().take_response(200, call);
  ASSERT_TRUE(ok);
  world.trunk().ack(*ok);
  world.trunk().send_in_dialog(Method::bye);
  world.settle();
  const auto bye = laptop.take_request(Method::bye);
  ASSERT_TRUE(bye);
  laptop.respond(*bye, 200);
  world.expect_nothing_left();
}

// RFC 3261 §13.2.2.4: each 2xx gets its ACK, the later one a BYE [forked-2xx]
// RFC 3261 §13.2.2.4: two answers: ACK both, end one [race-two-answers]
// RFC 7118 §5: the ACK goes down the connection, not to .invalid [race-ack-to-browser]
TEST_F(Connect, ALateSecondAnswerIsAcknowledgedAndEnded) {
  Peer& desk = world.registered("alice", 10000, "desk");
  Peer& laptop = world.registered("alice", 10000, "laptop");
  world.trunk().invite("1001", "+4930123", trunk_sdp());
  world.settle();
  const auto first = desk.take_request(Method::invite);
  const auto second = laptop.take_request(Method::invite);
  desk.respond(*first, 200, browser_answer());
  laptop.respond(*second, 200, browser_answer());
  world.settle();
  EXPECT_EQ(desk.acks, 1);
  EXPECT_EQ(laptop.acks, 1);
  EXPECT_FALSE(desk.take_request(Method::bye));
  EXPECT_TRUE(laptop.take_request(Method::bye));
}

// RFC 3261 §16.7: the best refusal of all devices counts [best-refusal]
TEST_F(Connect, OneDevicesDeclineDoesNotEndTheOthers) {
  Peer& desk = world.registered("alice", 10000, "desk");
  Peer& laptop = world.registered("alice", 10000, "laptop");
  const auto call = world.trunk().invite("1001", "+4930123", trunk_sdp());
  world.settle();
  desk.respond(*desk.take_request(Method::invite), 603);
  world.settle();
  EXPECT_FALSE(world.trunk().take_response(200, call));
  laptop.respond(*laptop.take_request(Method::invite), 486);
  world.settle();
  EXPECT_EQ(world.trunk().take_response(200, call)->response.status(), 486);
}

TEST_F(Connect, ABrowsersRejectionIsRelayedWhenItIsTheOnlyDevice) {
  for (const int code : {486, 404, 603}) {
    World fresh(static_cast<std::uint64_t>(code));
    Peer& alice = fresh.registered("alice");
    const auto call = fresh.trunk().invite("1001", "+4930123", trunk_sdp());
    fresh.settle();
    alice.respond(*alice.take_request(Method::invite), code);
    fresh.settle();
    EXPECT_EQ(fresh.trunk().take_response(200, call)->response.status(), code);
  }
}

TEST_F(Connect, AUserWhoIsNotRegisteredGives480) {
  const auto call = world.trunk().invite("1001", "+4930123", trunk_sdp());
  world.settle();
  EXPECT_EQ(world.trunk().take_response(200, call)->response.status(), 480);
}

TEST_F(Connect, BrowserCallsBrowser) {
  Peer& alice = world.registered("alice");
  Peer& bob = world.registered("bob");
  const auto call = dial(alice, "bob");
  const auto invite = bob.take_request(Method::invite);
  ASSERT_TRUE(invite);
  bob.respond(*invite, 200, browser_answer());
  world.settle();
  const auto answer = alice.take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_EQ(world.media_commands<media::AddBrowserLeg>().size(), 2U);
}

TEST_F(Connect, TheEchoServiceAnswersAtOnce) {
  Peer& alice = world.registered("alice");
  const auto call = dial(alice, "echo");
  ASSERT_TRUE(alice.take_response(200, call));
  const auto routes = world.media_commands<media::SetRoute>();
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes[0].from, routes[0].to);
}

TEST_F(Connect, TheToneServicePlaysInG711) {
  Peer& alice = world.registered("alice");
  const auto call = dial(alice, "tone");
  ASSERT_TRUE(alice.take_response(200, call));
  EXPECT_EQ(world.media_commands<media::StartTone>().size(), 1U);
}

// RFC 3261 §13.3.1.3: no common codec is 488 [offer-488]
TEST_F(Connect, WithoutACommonCodecTheCallerGets488) {
  Peer& alice = world.registered("alice");
  std::string offer(kBrowserOffer);
  for (const std::string_view name : {"opus/48000/2", "G722/8000", "PCMU/8000", "PCMA/8000"}) {
    offer.replace(offer.find(name), name.size(), "iLBC/8000");
  }
  const auto call = dial(alice, "5551000", offer);
  EXPECT_EQ(alice.take_response(200, call)->response.status(), 488);
  EXPECT_FALSE(world.trunk().take_request(Method::invite));
  world.expect_nothing_left();
}

// RFC 3261 §13.2.1: an INVITE without offer gets ours in the 2xx, the ACK answers it
// [race-delayed-offer]
TEST_F(Connect, AnInviteWithoutOfferGetsOneAndTheAckAnswersIt) {
  Peer& alice = world.registered("alice", 10000);
  const auto call = world.trunk().invite("1001", "+4930123", {});
  world.settle();
  const auto invite = alice.take_request(Method::invite);
  ASSERT_TRUE(invite);
  alice.respond(*invite, 200, browser_answer());
  world.settle();
  const auto ok = world.trunk().take_response(200, call);
  ASSERT_TRUE(ok);
  EXPECT_THAT(std::string(ok->response.body()), HasSubstr("RTP/AVP"));
  world.trunk().ack(*ok, trunk_sdp());
  world.settle();
  EXPECT_EQ(world.media_commands<media::SetRoute>().size(), 2U);
}

// RFC 3261 §13.2.1: an ACK without the answer ends the call [ack-without-answer]
// RFC 3261 §13.2.1: on both sides, at once [race-ack-owes-answer]
TEST_F(Connect, AnOfferThatTheAckDoesNotAnswerEndsTheCallAtOnce) {
  Peer& alice = world.registered("alice", 10000);
  const auto call = world.trunk().invite("1001", "+4930123", {});
  world.settle();
  alice.respond(*alice.take_request(Method::invite), 200, browser_answer());
  world.settle();
  world.trunk().ack(*world.trunk().take_response(200, call));
  world.settle();
  const auto trunk_bye = world.trunk().take_request(Method::bye);
  const auto alice_bye = alice.take_request(Method::bye);
  ASSERT_TRUE(trunk_bye && alice_bye);
  world.trunk().respond(*trunk_bye, 200);
  alice.respond(*alice_bye, 200);
  world.expect_nothing_left();
}

// RFC 3261 §13.2.2.4: the 2xx of each fork gets its ACK, those not wanted a BYE after it
// [forked-2xx]
TEST_F(Connect, ForkedAnswersOfATrunkAreAcknowledgedAndTheExtraOneEnded) {
  Peer& alice = world.registered("alice", 10000);
  const auto call = dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  world.trunk().respond(*invite, 200, trunk_sdp(), "fork-1");
  auto second = sip::make_response(invite->request, 200, "fork-2");
  second.add(HeaderName::contact, "<sip:peer@192.0.2.9>");
  second.set_body("application/sdp", trunk_sdp());
  world.trunk().raw(second.serialize());
  world.settle();
  const auto bye = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_THAT(std::string(*bye->request.header(HeaderName::to)), HasSubstr("fork-2"));
  EXPECT_TRUE(alice.take_response(200, call));
}

TEST_F(Connect, AForksAckAndByeGoToItsOwnContact) {
  Peer& alice = world.registered("alice", 10000);
  Peer& elsewhere = world.other_trunk("192.0.2.77:5060");
  dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  world.trunk().respond(*invite, 200, trunk_sdp(), "fork-1");
  auto second = sip::make_response(invite->request, 200, "fork-2");
  second.add(HeaderName::contact, "<sip:peer@192.0.2.77:5060>");
  second.set_body("application/sdp", trunk_sdp());
  world.trunk().raw(second.serialize());
  world.settle();
  EXPECT_FALSE(world.trunk().take_request(Method::bye));
  EXPECT_TRUE(elsewhere.take_request(Method::bye));
}

TEST_F(Connect, AChallengedByeToAForkCountsInTheForksOwnSequence) {
  Peer& alice = world.registered("alice", 10000);
  dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  world.trunk().respond(*invite, 200, trunk_sdp(), "fork-1");
  auto second = sip::make_response(invite->request, 200, "fork-2");
  second.add(HeaderName::contact, "<sip:peer@192.0.2.9>");
  second.set_body("application/sdp", trunk_sdp());
  world.trunk().raw(second.serialize());
  world.settle();
  const auto bye = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(bye);
  auto challenge = sip::make_response(bye->request, 407, {});
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"abc\", qop=\"auth\"");
  world.trunk().respond(*bye, std::move(challenge));
  world.settle();
  const auto again = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(again);
  EXPECT_EQ(sip::to_of(again->request).tag(), "fork-2");
  EXPECT_EQ(sip::cseq_of(again->request).number, sip::cseq_of(bye->request).number + 1);
}

TEST_F(Connect, AChallengedByeAfterALateAnswerCountsOn) {
  Peer& alice = world.registered("alice", 10000);
  const auto call = dial(alice, "5551000");
  const auto invite = world.trunk().take_request(Method::invite);
  world.trunk().respond(*invite, 180);
  world.settle();
  alice.cancel(call);
  world.settle();
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  const auto bye = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(bye);
  auto challenge = sip::make_response(bye->request, 407, {});
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"abc\", qop=\"auth\"");
  world.trunk().respond(*bye, std::move(challenge));
  world.settle();
  const auto again = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(again);
  EXPECT_EQ(sip::cseq_of(again->request).number, sip::cseq_of(bye->request).number + 1);
}

TEST_F(Connect, AChallengeAfterRingingIsAnsweredWhereItCameFrom) {
  Peer& alice = world.registered("alice", 10000);
  Peer& elsewhere = world.other_trunk("192.0.2.77:5060");
  dial(alice, "5551000");
  const auto first = world.trunk().take_request(Method::invite);
  auto ringing = sip::make_response(first->request, 180, "early");
  ringing.add(HeaderName::contact, "<sip:peer@192.0.2.77:5060>");
  world.trunk().respond(*first, std::move(ringing));
  world.settle();
  auto challenge = sip::make_response(first->request, 407, "late");
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"abc\", qop=\"auth\"");
  world.trunk().respond(*first, std::move(challenge));
  world.settle();
  EXPECT_FALSE(elsewhere.take_request(Method::invite));
  const auto second = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(second);
  EXPECT_TRUE(sip::to_of(second->request).tag().empty());
  EXPECT_EQ(sip::cseq_of(second->request).number, sip::cseq_of(first->request).number + 1);
}

TEST_F(Connect, SurvivesALossyTrunk) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    World lossy(seed);
    Peer& alice = lossy.registered("alice", 10000);
    lossy.loss = 0.3;
    const auto first = alice.invite("5551000", "alice", kBrowserOffer);
    const auto call = lossy.answer_challenge(alice, first, "alice");
    lossy.pass(seconds{8});
    const auto invite = lossy.trunk().take_request(Method::invite);
    ASSERT_TRUE(invite) << "seed " << seed;
    EXPECT_FALSE(lossy.trunk().take_request(Method::invite)) << "one INVITE only";
    lossy.trunk().respond(*invite, 200, trunk_sdp());
    lossy.pass(seconds{16});
    const auto answer = alice.take_response(200, call);
    ASSERT_TRUE(answer) << "seed " << seed;
    alice.ack(*answer);
    alice.send_in_dialog(Method::bye);
    lossy.pass(seconds{20});
    const auto bye = lossy.trunk().take_request(Method::bye);
    ASSERT_TRUE(bye) << "seed " << seed;
    lossy.trunk().respond(*bye, 200);
    lossy.expect_nothing_left();
  }
}

}  // namespace
}  // namespace trunkline::call::simulation
