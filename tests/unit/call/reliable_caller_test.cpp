#include "early_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// A caller that takes provisional responses reliably (RFC 3262), or requires them.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

struct ReliableCaller : EarlyCall {
  std::uint32_t rseq(const sip::ResponseReceived& response) {
    return sip::ReliableOrder::rack_of(response.response).rseq;
  }
};

// RFC 3262 §3: an INVITE that requires 100rel gets each 101-199 reliably [rel100-required]
TEST_F(ReliableCaller, RingingIsRepeatedUntilItsPrack) {
  dial(HeaderName::require);
  rings(180);
  const auto ringing = heard(101);
  ASSERT_TRUE(ringing);
  EXPECT_EQ(ringing->response.status(), 180);
  EXPECT_EQ(ringing->response.header(HeaderName::require), "100rel");
  EXPECT_GE(rseq(*ringing), 1U);
  world.pass(seconds{2});
  int copies = 0;
  while (const auto copy = alice->take_response(101, call)) {
    EXPECT_EQ(rseq(*copy), rseq(*ringing));
    ++copies;
  }
  EXPECT_EQ(copies, 2) << "after 0.5 and 1.5 s";
  EXPECT_EQ(status_of(prack(ringing->response)), 200);
  world.pass(seconds{20});
  EXPECT_FALSE(alice->take_response(101, call));
  rings(200, trunk_sdp());
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("m=audio"));
  alice->ack(*answer);
  hangs_up();
  world.expect_nothing_left();
}

// RFC 3262 §3: where 100rel is only supported, what bears a description goes reliably
TEST_F(ReliableCaller, OnlyEarlyMediaIsReliableIfThePageLeavesTheChoice) {
  dial(HeaderName::supported);
  rings(180);
  const auto ringing = heard(101);
  ASSERT_TRUE(ringing);
  EXPECT_FALSE(ringing->response.header(HeaderName::rseq));
  rings(183, trunk_sdp());
  const auto early_media = heard(183);
  ASSERT_TRUE(early_media);
  EXPECT_TRUE(early_media->response.header(HeaderName::rseq));
  EXPECT_THAT(std::string(early_media->response.body()), HasSubstr("m=audio"));
}

TEST_F(ReliableCaller, APageWithout100relGetsNoneOfIt) {
  dial();
  rings(183, trunk_sdp());
  const auto early_media = heard(101);
  ASSERT_TRUE(early_media);
  EXPECT_FALSE(early_media->response.header(HeaderName::rseq));
  EXPECT_FALSE(early_media->response.header(HeaderName::require));
}

// RFC 3262 §3: a second reliable provisional is not sent before the PRACK of the first
// [rel100-order]
TEST_F(ReliableCaller, TheStagesOfRingingKeepTheirOrder) {
  dial(HeaderName::require);
  rings(180);
  rings(183, trunk_sdp());
  const auto ringing = heard(101);
  ASSERT_TRUE(ringing);
  EXPECT_EQ(ringing->response.status(), 180);
  EXPECT_FALSE(heard(101));
  prack(ringing->response);
  const auto early_media = heard(101);
  ASSERT_TRUE(early_media);
  EXPECT_EQ(early_media->response.status(), 183);
  EXPECT_EQ(rseq(*early_media), rseq(*ringing) + 1);
}

// RFC 3262 §3: the 2xx waits while a reliable provisional with a description is unacknowledged
// [rel100-order]
// RFC 3261 §13.2.1: the 2xx does not repeat the answer that came reliably
TEST_F(ReliableCaller, TheAnswerWaitsForThePrackOfTheEarlyMedia) {
  dial(HeaderName::supported);
  rings(183, trunk_sdp());
  const auto early_media = heard(101);
  ASSERT_TRUE(early_media);
  rings(200, trunk_sdp());
  EXPECT_EQ(trunk->acks, 1) << "the callee's side does not wait";
  EXPECT_FALSE(heard(200));
  EXPECT_EQ(status_of(prack(early_media->response)), 200);
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
  EXPECT_EQ(answer->response.body(), "");
  alice->ack(*answer);
  world.settle();
  EXPECT_EQ(world.media_commands<media::SetRoute>().size(), 4U) << "early, and with the answer";
  hangs_up();
  world.expect_nothing_left();
}

// RFC 3262 §3: without a PRACK in 64*T1 the INVITE is refused with a 5xx [rel100-retransmission]
TEST_F(ReliableCaller, APrackThatNeverComesEndsTheCallWith5xx) {
  for (const bool answered : {false, true}) {
    early.reset();
    dial(HeaderName::supported);
    rings(183, trunk_sdp());
    ASSERT_TRUE(heard(101));
    if (answered) rings(200, trunk_sdp());
    world.pass(milliseconds{31900});
    EXPECT_FALSE(alice->take_response(200, call));
    world.pass(milliseconds{200});
    const auto refused = alice->take_response(200, call);
    ASSERT_TRUE(refused) << answered;
    EXPECT_EQ(refused->response.status(), 504);
    if (answered) {
      const auto bye = trunk->take_request(Method::bye);
      ASSERT_TRUE(bye);
      trunk->respond(*bye, 200);
    } else {
      EXPECT_EQ(trunk->cancels.size(), 1U);
      rings(487);
    }
    EXPECT_EQ(world.observed<CallEnded>().back().end.reason, EndReason::ack_missing);
    world.pass(seconds{70});
    trunk->dialog.reset();
  }
  world.expect_nothing_left();
}

// RFC 3262 §3: a PRACK that matches no unacknowledged provisional response gets 481 [rel100-rack]
TEST_F(ReliableCaller, APrackThatMatchesNothingGets481) {
  dial(HeaderName::require);
  rings(180);
  const auto ringing = heard(101);
  ASSERT_TRUE(ringing);
  sip::Message other = ringing->response;
  other.set(HeaderName::rseq, std::to_string(rseq(*ringing) + 1));
  EXPECT_EQ(status_of(prack(other)), 481);
  other = ringing->response;
  other.set(HeaderName::cseq, "99 INVITE");
  EXPECT_EQ(status_of(prack(other)), 481);
  auto without = early->request(Method::prack);
  const auto sent = alice->send(std::move(without));
  world.settle();
  EXPECT_EQ(status_of(sent), 400) << "without RAck";
  EXPECT_EQ(status_of(prack(ringing->response)), 200);
  EXPECT_EQ(status_of(prack(ringing->response)), 481) << "it is acknowledged already";
}

TEST_F(ReliableCaller, APrackInACallWithoutReliableResponsesGets481) {
  dial();
  rings(180);
  const auto ringing = heard(101);
  ASSERT_TRUE(ringing);
  sip::Message invented = ringing->response;
  invented.set(HeaderName::rseq, "1");
  EXPECT_EQ(status_of(prack(invented)), 481);
}

// RFC 3262 §3: the PRACK that crosses a refusal is still answered with 200
TEST_F(ReliableCaller, APrackThatCrossesTheRefusalIsAccepted) {
  dial(HeaderName::require);
  rings(180);
  const auto ringing = heard(101);
  ASSERT_TRUE(ringing);
  rings(486);
  EXPECT_EQ(heard(200)->response.status(), 486);
  world.pass(seconds{3});
  EXPECT_FALSE(alice->take_response(101, call)) << "no copies after the final response";
  EXPECT_EQ(status_of(prack(ringing->response)), 200);
  world.expect_nothing_left();
}

// RFC 3261 §9.2: as long as the 2xx waits the INVITE has no final response and can be cancelled
TEST_F(ReliableCaller, ACancelWhileTheAnswerWaitsEndsTheCalleesSide) {
  dial(HeaderName::supported);
  rings(183, trunk_sdp());
  ASSERT_TRUE(heard(101));
  rings(200, trunk_sdp());
  alice->cancel(call);
  world.settle();
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 487);
  const auto bye = trunk->take_request(Method::bye);
  ASSERT_TRUE(bye);
  trunk->respond(*bye, 200);
  world.expect_nothing_left();
}

TEST_F(ReliableCaller, WhoHangsUpWhileTheAnswerWaitsIsNoAnswer) {
  for (const bool caller : {true, false}) {
    early.reset();
    dial(HeaderName::supported);
    rings(183, trunk_sdp());
    ASSERT_TRUE(heard(101));
    trunk->dialog.reset();
    rings(200, trunk_sdp());
    if (caller) {
      hangs_up();
    } else {
      trunk->send_in_dialog(Method::bye);
      world.settle();
    }
    EXPECT_EQ(alice->take_response(300, call)->response.status(), caller ? 487 : 480);
    world.pass(seconds{70});
  }
  world.expect_nothing_left();
}

TEST_F(ReliableCaller, ABrowserThatVanishesWhileTheAnswerWaitsIsGone) {
  dial(HeaderName::supported);
  rings(183, trunk_sdp());
  ASSERT_TRUE(heard(101));
  rings(200, trunk_sdp());
  alice->close_flow();
  world.settle();
  const auto bye = trunk->take_request(Method::bye);
  ASSERT_TRUE(bye);
  trunk->respond(*bye, 200);
  world.expect_nothing_left();
}

// RFC 3262 §5: an offer in a PRACK is answered in its 200 [prack-offers]
TEST_F(ReliableCaller, AnOfferInThePrackIsAnsweredInIts200) {
  dial(HeaderName::require);
  rings(183, trunk_sdp());
  const auto early_media = heard(101);
  ASSERT_TRUE(early_media);
  const auto offered = prack(early_media->response, browser_offer("sendrecv", 3));
  const auto accepted = alice->take_response(200, offered);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->response.status(), 200);
  EXPECT_THAT(std::string(accepted->response.body()), HasSubstr("SAVPF 0"));
  rings(200, trunk_sdp());
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.body(), "");
}

// RFC 6337 §3.1: a PRACK whose offer can't be taken is accepted, the INVITE refused
TEST_F(ReliableCaller, AnOfferInThePrackThatCannotBeTakenRefusesTheInvite) {
  dial(HeaderName::require);
  rings(183, trunk_sdp());
  const auto early_media = heard(101);
  ASSERT_TRUE(early_media);
  EXPECT_EQ(status_of(prack(early_media->response, "v=0\r\nnonsense")), 200);
  EXPECT_EQ(alice->take_response(300, call)->response.status(), 488);
  EXPECT_EQ(trunk->cancels.size(), 1U);
  rings(487);
  world.expect_nothing_left();
}

TEST_F(ReliableCaller, AnOfferInThePrackOfAPlainRingingIsOutOfTurn) {
  dial(HeaderName::require);
  rings(180);
  const auto ringing = heard(101);
  ASSERT_TRUE(ringing);
  EXPECT_EQ(status_of(prack(ringing->response, browser_offer("sendrecv", 3))), 488);
  rings(200, trunk_sdp());
  EXPECT_EQ(heard(200)->response.status(), 200);
}

// ---------------------------------------------------------------- without an offer in the INVITE

// RFC 3262 §5: the first reliable response to an INVITE without offer bears ours [prack-offers]
TEST_F(ReliableCaller, OurOfferGoesInTheFirstReliableResponseAndThePrackAnswersIt) {
  dial(HeaderName::require, {});
  rings(180);
  const auto ringing = heard(101);
  ASSERT_TRUE(ringing);
  EXPECT_EQ(ringing->response.status(), 180);
  EXPECT_THAT(std::string(ringing->response.body()), HasSubstr("a=setup:actpass"));
  EXPECT_EQ(status_of(prack(ringing->response, browser_answer())), 200);
  rings(200, trunk_sdp());
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.body(), "") << "it would be a second offer";
  alice->ack(*answer);
  world.settle();
  EXPECT_EQ(world.media_commands<media::SetRoute>().size(), 2U);
  EXPECT_EQ(world.engine->calls(), 1U);
  hangs_up();
  world.expect_nothing_left();
}

// RFC 3262 §5: an answer to the offer of a reliable response is heard before the 2xx
TEST_F(ReliableCaller, EarlyMediaReachesACallerThatMadeNoOffer) {
  dial(HeaderName::supported, {});
  rings(180);
  ASSERT_TRUE(heard(101));
  rings(183, trunk_sdp());
  const auto early_media = heard(183);
  ASSERT_TRUE(early_media);
  EXPECT_TRUE(early_media->response.header(HeaderName::rseq));
  EXPECT_THAT(std::string(early_media->response.body()), HasSubstr("SAVPF 0"));
  rings(200, trunk_sdp());
  EXPECT_FALSE(alice->take_response(200, call)) << "not before the answer";
  EXPECT_EQ(status_of(prack(early_media->response, browser_answer())), 200);
  EXPECT_FALSE(world.media_commands<media::SetRoute>().empty());
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.body(), "");
}

TEST_F(ReliableCaller, APrackWithoutTheAnswerRefusesTheInvite) {
  dial(HeaderName::require, {});
  rings(180);
  const auto ringing = heard(101);
  ASSERT_TRUE(ringing);
  EXPECT_EQ(status_of(prack(ringing->response)), 200);
  EXPECT_EQ(alice->take_response(300, call)->response.status(), 400);
  EXPECT_EQ(trunk->cancels.size(), 1U);
  rings(487);
  world.expect_nothing_left();
}

// ---------------------------------------------------------------- UPDATE before the answer

// RFC 3311 §5.2: an UPDATE without an offer is fine at any time [update-refresh]
TEST_F(ReliableCaller, AnUpdateWithoutOfferIsAcceptedBeforeTheAnswer) {
  dial();
  rings(180);
  ASSERT_TRUE(heard(101));
  const auto sent = update();
  const auto accepted = alice->take_response(200, sent);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->response.status(), 200);
  EXPECT_FALSE(accepted->response.header(HeaderName::session_expires));
}

// RFC 3311 §5.2: an offer in UPDATE while that of the INVITE is open gets 500 with Retry-After
// [update-500]
TEST_F(ReliableCaller, AnUpdateWithAnOfferBeforeTheFirstIsAnsweredGets500) {
  for (const auto field : {std::optional<HeaderName>{}, std::optional(HeaderName::supported)}) {
    early.reset();
    dial(field);
    rings(183, trunk_sdp());
    ASSERT_TRUE(heard(101));
    const auto refused = alice->take_response(200, update(browser_offer("sendrecv", 3)));
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->response.status(), 500);
    const auto wait =
        sip::parse_retry_after(refused->response.header(HeaderName::retry_after).value_or(""));
    EXPECT_LE(wait.value_or(99), 10U);
    rings(486);
    world.pass(seconds{70});
  }
}

// RFC 3311 §5.1: once offer and answer have come reliably an UPDATE may offer anew [update-early]
TEST_F(ReliableCaller, AnUpdateMayOfferAnewAfterThePrack) {
  dial(HeaderName::supported);
  rings(183, trunk_sdp());
  const auto early_media = heard(101);
  ASSERT_TRUE(early_media);
  prack(early_media->response);
  const auto accepted = alice->take_response(200, update(browser_offer("sendrecv", 3)));
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->response.status(), 200);
  EXPECT_THAT(std::string(accepted->response.body()), HasSubstr("SAVPF 0"));
  rings(200, trunk_sdp());
  EXPECT_EQ(heard(200)->response.body(), "");
}

// RFC 3311 §5.2: an UPDATE that can't be taken gets 488 and changes nothing, the INVITE goes on
TEST_F(ReliableCaller, AnEarlyUpdateWithoutCommonCodecGets488AndTheInviteGoesOn) {
  dial(HeaderName::supported);
  rings(183, trunk_sdp());
  const auto early_media = heard(101);
  ASSERT_TRUE(early_media);
  prack(early_media->response);
  std::string offer = browser_offer("sendrecv", 3);
  for (const std::string_view name : {"opus/48000/2", "G722/8000", "PCMU/8000", "PCMA/8000"})
    offer.replace(offer.find(name), name.size(), "iLBC/8000");
  const auto refused = alice->take_response(200, update(offer));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 488);
  EXPECT_THAT(std::string(refused->response.header(HeaderName::warning).value_or("")),
              HasSubstr("305 example.test"));
  EXPECT_FALSE(alice->take_response(200, call));
  rings(486);
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 486);
}

// ---------------------------------------------------------------- the other kind of leg

// RFC 3262 §3: each leg numbers its own: a trunk that requires 100rel gets a browser's ringing so
// [rel100-rseq]
TEST_F(ReliableCaller, ATrunkThatRequires100relHearsABrowserRing) {
  auto request = sip::Message::request(Method::invite, "sip:1001@example.test");
  request.add(HeaderName::from, "<sip:+4930123@192.0.2.9>;tag=theirs");
  request.add(HeaderName::to, "<sip:1001@192.0.2.1>");
  request.add(HeaderName::call_id, "from-trunk");
  request.add(HeaderName::cseq, "20 INVITE");
  request.add(HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
  request.add(HeaderName::require, "100rel");
  request.set_body("application/sdp", trunk_sdp());
  const auto sent = trunk->send(std::move(request));
  world.settle();
  const auto at_alice = alice->take_request(Method::invite);
  ASSERT_TRUE(at_alice);
  EXPECT_FALSE(sip::has_token(at_alice->request, HeaderName::require, "100rel"));
  EXPECT_FALSE(sip::has_token(at_alice->request, HeaderName::supported, "100rel"))
      << "JsSIP has no PRACK";
  alice->respond(*at_alice, 180);
  world.settle();
  const auto ringing = trunk->take_response(101, sent);
  ASSERT_TRUE(ringing);
  EXPECT_TRUE(ringing->response.header(HeaderName::rseq));
  auto dialog = *sip::Dialog::as_uac(trunk->sent.at(sent), ringing->response);
  auto prack_request = dialog.request(Method::prack);
  prack_request.add(HeaderName::rack, sip::ReliableOrder::rack_of(ringing->response).text());
  const auto pracked = trunk->send(std::move(prack_request));
  world.settle();
  EXPECT_EQ(trunk->take_response(200, pracked)->response.status(), 200);
  EXPECT_FALSE(alice->take_request(Method::prack));
  alice->respond(*at_alice, 200, browser_answer());
  world.settle();
  const auto answer = trunk->take_response(200, sent);
  ASSERT_TRUE(answer);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("RTP/AVP 0"));
}

// RFC 3261 §8.2.2.3: 420 names what is not supported, and only that
TEST_F(ReliableCaller, A420NamesOnlyWhatWeDoNotHave) {
  auto request = sip::Message::request(Method::invite, "sip:1001@example.test");
  request.add(HeaderName::from, "<sip:+4930123@192.0.2.9>;tag=theirs");
  request.add(HeaderName::to, "<sip:1001@192.0.2.1>");
  request.add(HeaderName::call_id, "from-trunk");
  request.add(HeaderName::cseq, "20 INVITE");
  request.add(HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
  request.add(HeaderName::require, "100Rel, precondition, timer");
  request.set_body("application/sdp", trunk_sdp());
  const auto sent = trunk->send(std::move(request));
  world.settle();
  const auto refused = trunk->take_response(200, sent);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 420);
  EXPECT_EQ(refused->response.header(HeaderName::unsupported), "precondition");
}

}  // namespace
}  // namespace trunkline::call::simulation
