#include "early_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

// A trunk that sends its provisional responses reliably (RFC 3262), forks, and offers anew before
// it answers (RFC 3311).
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

struct ReliableCallee : EarlyCall {
  void SetUp() override {
    EarlyCall::SetUp();
    dial();
  }
  std::uint32_t invite_sequence() { return sip::cseq_of(invite->request).number; }
  std::string rack(const sip::RequestReceived& prack) {
    return std::string(prack.request.header(HeaderName::rack).value_or(""));
  }
  /// The PRACK that the trunk must have got, answered with this status.
  std::optional<sip::RequestReceived> pracked(int status = 200) {
    auto request = trunk->take_request(Method::prack);
    if (request) {
      auto response = sip::make_response(request->request, status, "");
      trunk->respond(*request, std::move(response));
    }
    world.settle();
    return request;
  }
  std::string remote_media() {
    return world.media_commands<media::UpdateTrunkLeg>().back().remote.rtp.text();
  }
};

// RFC 3262 §4: an INVITE to a peer that may answer reliably lists 100rel in Supported
TEST_F(ReliableCallee, OurInviteToATrunkSupports100rel) {
  EXPECT_TRUE(sip::has_token(invite->request, HeaderName::supported, "100rel"));
  EXPECT_FALSE(sip::has_token(invite->request, HeaderName::require, "100rel"));
  EXPECT_TRUE(sip::has_token(invite->request, HeaderName::allow, "PRACK"));
}

// RFC 3262 §4: PRACK goes to the target of the early dialog, by its routes, under its tags
// [prack-sent]
TEST_F(ReliableCallee, ThePrackBelongsToTheEarlyDialog) {
  auto response = sip::make_response(invite->request, 183, "early-tag");
  response.add(HeaderName::record_route, "<sip:192.0.2.9:5060;lr>");
  response.add(HeaderName::contact, "<sip:media@198.51.100.99:5070>");
  response.add(HeaderName::require, "100rel");
  response.add(HeaderName::rseq, "4711");
  response.set_body("application/sdp", trunk_sdp());
  trunk->respond(*invite, std::move(response));
  world.settle();
  const auto prack = pracked();
  ASSERT_TRUE(prack);
  EXPECT_EQ(prack->request.request_uri(), "sip:media@198.51.100.99:5070");
  EXPECT_EQ(prack->request.header(HeaderName::route), "<sip:192.0.2.9:5060;lr>");
  EXPECT_EQ(sip::to_of(prack->request).tag(), "early-tag");
  EXPECT_EQ(sip::from_of(prack->request).tag(), sip::from_of(invite->request).tag());
  EXPECT_EQ(rack(*prack), "4711 " + std::to_string(invite_sequence()) + " INVITE");
  EXPECT_EQ(sip::cseq_of(prack->request).number, invite_sequence() + 1);
  EXPECT_EQ(prack->request.body(), "");
  EXPECT_TRUE(heard(183)) << "and the caller hears the early media";
}

// RFC 3262 §4: a copy is not acknowledged again and not processed [prack-sent]
TEST_F(ReliableCallee, ACopyIsNotAcknowledgedAgain) {
  rings_reliably(180, 7);
  EXPECT_TRUE(pracked());
  rings_reliably(180, 7);
  EXPECT_FALSE(pracked());
  EXPECT_TRUE(heard(180));
  EXPECT_FALSE(heard(180));
}

// RFC 3262 §4: a response out of order is neither acknowledged nor processed
TEST_F(ReliableCallee, OneThatOvertookAnotherWaitsForItsCopy) {
  rings_reliably(180, 7);
  EXPECT_TRUE(pracked());
  rings_reliably(183, 9, trunk_sdp());
  EXPECT_FALSE(pracked());
  EXPECT_FALSE(heard(183));
  rings_reliably(182, 8);
  EXPECT_TRUE(pracked());
  rings_reliably(183, 9, trunk_sdp());
  EXPECT_TRUE(pracked());
  EXPECT_TRUE(heard(183));
}

// RFC 3262 §4: each early dialog of a forked INVITE has a sequence of its own
// [race-forked-reliable]
TEST_F(ReliableCallee, ForksWithTheSameRSeqAreAcknowledgedEach) {
  rings_reliably(180, 1, {}, "fork-a", "<sip:a@192.0.2.9:5060>");
  rings_reliably(180, 1, {}, "fork-b", "<sip:b@192.0.2.9:5060>");
  rings_reliably(183, 2, trunk_sdp(), "fork-a", "<sip:a@192.0.2.9:5060>");
  for (const std::string_view expected : {"a 1 1", "b 1 1", "a 2 2"}) {
    const auto prack = pracked();
    ASSERT_TRUE(prack) << expected;
    const std::string fork(expected.substr(0, 1));
    EXPECT_EQ(prack->request.request_uri(), "sip:" + fork + "@192.0.2.9:5060");
    EXPECT_EQ(sip::to_of(prack->request).tag(), "fork-" + fork);
    EXPECT_THAT(rack(*prack), HasSubstr(std::string(expected.substr(2, 1)) + " "));
    EXPECT_EQ(sip::cseq_of(prack->request).number - invite_sequence(),
              static_cast<std::uint32_t>(expected[4] - '0'))
        << "a CSeq of its own too";
  }
  std::set<std::string> tags;
  while (const auto response = alice->take_response(101, call))
    tags.insert(std::string(sip::to_of(response->response).tag()));
  EXPECT_EQ(tags.size(), 1U) << "one dialog for the caller";
}

// RFC 3261 §13.2.1: the answer of a fork that came reliably counts, though its 2xx bears none
TEST_F(ReliableCallee, TheForkThatAnswersIsHeardWhateverPlayedLast) {
  rings_reliably(183, 1, trunk_sdp("sendrecv", 1, "0 101", "127.0.0.1"), "fork-a");
  EXPECT_TRUE(pracked());
  rings_reliably(183, 1, trunk_sdp("sendrecv", 1, "0 101", "127.0.0.2"), "fork-b");
  EXPECT_TRUE(pracked());
  EXPECT_EQ(remote_media(), "127.0.0.2:40000");
  rings(200, {}, "fork-a");
  EXPECT_EQ(remote_media(), "127.0.0.1:40000");
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
  alice->ack(*answer);
  alice->send_in_dialog(Method::bye);
  world.settle();
  const auto bye = trunk->take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_EQ(sip::to_of(bye->request).tag(), "fork-a");
  EXPECT_EQ(sip::cseq_of(bye->request).number, invite_sequence() + 2) << "after its PRACK";
}

// RFC 3261 §13.2.1: a description after the reliable answer is ignored
TEST_F(ReliableCallee, AnotherDescriptionInThe200AfterAReliableAnswerIsIgnored) {
  rings_reliably(183, 1, trunk_sdp("sendrecv", 1, "0 101", "127.0.0.1"));
  EXPECT_TRUE(pracked());
  rings(200, trunk_sdp("sendrecv", 2, "8 101", "127.0.0.2"));
  EXPECT_EQ(remote_media(), "127.0.0.1:40000");
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  alice->ack(*answer);
  world.settle();
  EXPECT_FALSE(alice->take_request(Method::invite)) << "nothing has changed for her";
}

// RFC 3262 §7.2: after a challenge RAck names the INVITE that went out again
// [race-rack-after-challenge]
// RFC 3262 §7.2: after a challenge RAck names the INVITE that went out again [prack-challenged]
TEST_F(ReliableCallee, AfterAChallengeTheRAckNamesTheInviteWithTheCredentials) {
  rings_reliably(180, 1, {}, "first-tag");
  EXPECT_TRUE(pracked());
  auto challenge = sip::make_response(invite->request, 407, "first-tag");
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"abc\", qop=\"auth\"");
  trunk->respond(*invite, std::move(challenge));
  world.settle();
  const auto first = invite_sequence();
  invite = trunk->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(sip::to_of(invite->request).tag(), "");
  rings_reliably(183, 1, trunk_sdp(), "second-tag");
  const auto prack = pracked();
  ASSERT_TRUE(prack);
  EXPECT_GT(invite_sequence(), first);
  EXPECT_EQ(rack(*prack), "1 " + std::to_string(invite_sequence()) + " INVITE");
  EXPECT_EQ(sip::to_of(prack->request).tag(), "second-tag");
}

// RFC 3261 §22.2: a challenge to PRACK is answered, in the dialog of that PRACK [prack-challenged]
TEST_F(ReliableCallee, AChallengedPrackIsSentAgainWithCredentials) {
  rings_reliably(180, 5, {}, "fork-a");
  const auto first = trunk->take_request(Method::prack);
  ASSERT_TRUE(first);
  rings_reliably(180, 5, {}, "fork-b");
  auto challenge = sip::make_response(first->request, 407, "");
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"abc\", qop=\"auth\"");
  trunk->respond(*first, std::move(challenge));
  world.settle();
  ASSERT_TRUE(pracked()) << "of the other fork";
  const auto again = pracked();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->request.header(HeaderName::proxy_authorization));
  EXPECT_EQ(rack(*again), rack(*first));
  EXPECT_EQ(sip::to_of(again->request).tag(), "fork-a");
  EXPECT_EQ(sip::cseq_of(again->request).number, sip::cseq_of(first->request).number + 1);
}

// RFC 3261 §12.3: a final response ends the early dialogs; CSeq never goes back in one
TEST_F(ReliableCallee, APrackThatIsChallengedAfterItsDialogIsNotSentAgain) {
  const auto challenged = [](const sip::Message& request) {
    auto challenge = sip::make_response(request, 407, "early-tag");
    challenge.add(HeaderName::proxy_authenticate,
                  "Digest realm=\"carrier\", nonce=\"abc\", qop=\"auth\"");
    return challenge;
  };
  rings_reliably(180, 5, {}, "early-tag");
  const auto prack = trunk->take_request(Method::prack);
  ASSERT_TRUE(prack);
  trunk->respond(*invite, challenged(invite->request));
  world.settle();
  ASSERT_TRUE(trunk->take_request(Method::invite));
  trunk->respond(*prack, challenged(prack->request));
  world.settle();
  EXPECT_FALSE(trunk->take_request(Method::prack));
}

// RFC 3262 §4: what becomes of a PRACK does not decide about the call: its final response does
TEST_F(ReliableCallee, ARefusedOrUnansweredPrackDoesNotEndTheCall) {
  rings_reliably(180, 1);
  EXPECT_TRUE(pracked(481));
  rings_reliably(183, 2, trunk_sdp());
  ASSERT_TRUE(trunk->take_request(Method::prack)) << "never answered";
  world.pass(seconds{40});
  EXPECT_EQ(world.engine->calls(), 1U);
  rings(200);
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
  alice->ack(*answer);
  world.settle();
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 3262 §4: no PRACK in a dialog that has ended [race-late-reliable]
TEST_F(ReliableCallee, AReliableResponseAfterTheCancelIsNotAcknowledged) {
  rings(180);
  alice->cancel(call);
  world.settle();
  rings_reliably(183, 1, trunk_sdp());
  EXPECT_FALSE(pracked());
  rings(487);
  world.expect_nothing_left();
}

// RFC 3261 §13.2.2.4: the 2xx of a second fork is acknowledged and ended in its own dialog
// [forked-2xx]
TEST_F(ReliableCallee, TheByeToASecondForkComesAfterItsPrack) {
  rings_reliably(180, 1, {}, "fork-a");
  rings_reliably(180, 1, {}, "fork-b");
  EXPECT_TRUE(pracked());
  EXPECT_TRUE(pracked());
  rings(200, trunk_sdp(), "fork-a");
  auto second = sip::make_response(invite->request, 200, "fork-b");
  second.add(HeaderName::contact, "<sip:b@192.0.2.9:5060>");
  second.set_body("application/sdp", trunk_sdp());
  trunk->raw(second.serialize());
  world.settle();
  const auto bye = trunk->take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_EQ(sip::to_of(bye->request).tag(), "fork-b");
  EXPECT_EQ(sip::cseq_of(bye->request).number, invite_sequence() + 2);
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(ReliableCallee, ARequestOfAForkThatWasNotChosenDoesNotTouchTheCall) {
  rings_reliably(180, 1, {}, "fork-a");
  rings_reliably(180, 1, {}, "fork-b");
  rings(200, trunk_sdp(), "fork-a");
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  alice->ack(*answer);
  world.settle();
  const auto update = in_early_dialog(Method::update, {}, "fork-b");
  EXPECT_EQ(trunk->take_response(200, update)->response.status(), 481);
  const auto bye = in_early_dialog(Method::bye, {}, "fork-b");
  EXPECT_EQ(trunk->take_response(200, bye)->response.status(), 200);
  EXPECT_EQ(world.engine->calls(), 1U);
}

// ---------------------------------------------------------------- UPDATE before the answer

// RFC 3311 §5.1: a callee that has answered reliably may offer anew before its 2xx [update-early]
TEST_F(ReliableCallee, AnEarlyUpdateAfterTheReliableAnswerMovesTheMedia) {
  rings_reliably(183, 1, trunk_sdp("sendrecv", 1));
  EXPECT_TRUE(pracked());
  const auto update =
      in_early_dialog(Method::update, trunk_sdp("sendrecv", 2, "0 101", "127.0.0.5"));
  const auto accepted = trunk->take_response(200, update);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->response.status(), 200);
  EXPECT_THAT(std::string(accepted->response.body()), HasSubstr("RTP/AVP 0 101"));
  EXPECT_FALSE(accepted->response.header(HeaderName::session_expires));
  EXPECT_EQ(remote_media(), "127.0.0.5:40000");
  EXPECT_FALSE(alice->take_request(Method::update)) << "her side has not changed";
  rings(200, trunk_sdp("sendrecv", 1));
  EXPECT_EQ(remote_media(), "127.0.0.5:40000") << "the 2xx says nothing new";
  EXPECT_EQ(heard(200)->response.status(), 200);
}

// RFC 3311 §5.2: an offer of the callee's while ours is unanswered gets 491 [update-491]
TEST_F(ReliableCallee, AnEarlyUpdateBeforeTheReliableAnswerGets491) {
  rings_reliably(180, 1);
  EXPECT_TRUE(pracked());
  const auto update = in_early_dialog(Method::update, trunk_sdp("sendrecv", 2));
  EXPECT_EQ(trunk->take_response(200, update)->response.status(), 491);
}

// RFC 3311 §5.2: without an offer there is nothing to collide with
TEST_F(ReliableCallee, AnEarlyUpdateWithoutAnOfferIsAcceptedInEachFork) {
  rings(180, {}, "fork-a");
  rings(180, {}, "fork-b");
  for (const std::string_view fork : {"fork-a", "fork-b"}) {
    const auto update = in_early_dialog(Method::update, {}, fork);
    EXPECT_EQ(trunk->take_response(200, update)->response.status(), 200) << fork;
  }
}

TEST_F(ReliableCallee, AnEarlyUpdateOfAForkMakesItTheOneThatIsHeard) {
  rings_reliably(183, 1, trunk_sdp("sendrecv", 1, "0 101", "127.0.0.1"), "fork-a");
  rings_reliably(183, 1, trunk_sdp("sendrecv", 1, "0 101", "127.0.0.2"), "fork-b");
  const auto update =
      in_early_dialog(Method::update, trunk_sdp("sendrecv", 2, "0 101", "127.0.0.3"), "fork-a");
  EXPECT_EQ(trunk->take_response(200, update)->response.status(), 200);
  EXPECT_EQ(remote_media(), "127.0.0.3:40000");
  rings(200, {}, "fork-b");
  EXPECT_EQ(remote_media(), "127.0.0.2:40000");
}

// RFC 3311 §5.2: an offer that shares no codec gets 488 with a Warning and changes nothing; it
// waits for nothing, and so has its answer before the INVITE can be refused
// [race-update-before-refusal]
TEST_F(ReliableCallee, AnEarlyUpdateWithoutCommonCodecGets488BeforeTheFinalResponse) {
  rings_reliably(183, 1, trunk_sdp("sendrecv", 1));
  EXPECT_TRUE(pracked());
  const auto update = in_early_dialog(Method::update, trunk_sdp("sendrecv", 2, "18"));
  const auto refused = trunk->take_response(200, update);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 488);
  EXPECT_TRUE(refused->response.header(HeaderName::warning));
  EXPECT_EQ(remote_media(), "127.0.0.1:40000");
  rings(200);
  EXPECT_EQ(heard(200)->response.status(), 200);
}

}  // namespace
}  // namespace trunkline::call::simulation
