#include "early_call.hpp"
#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What an INVITE session owes its peers beside its plain course (RFC 3261 §13 to §15, RFC 3264).
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

std::string warning_of(const sip::Message& response) {
  return std::string(response.header(HeaderName::warning).value_or(""));
}

// ---------------------------------------------------------------- before the answer

struct BeforeTheAnswer : EarlyCall {};

// RFC 3261 §13.2.2.4: the ACK of a 2xx bears the credentials of its INVITE [ack-credentials]
TEST_F(BeforeTheAnswer, TheAckBearsTheCredentialsOfItsInvite) {
  dial();
  auto challenge = sip::make_response(invite->request, 407, "t");
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"abc\", qop=\"auth\"");
  trunk->respond(*invite, std::move(challenge));
  world.settle();
  invite = trunk->take_request(Method::invite);
  ASSERT_TRUE(invite);
  rings(200, trunk_sdp());
  ASSERT_EQ(trunk->acknowledged.size(), 1U);
  EXPECT_EQ(trunk->acknowledged[0].header(HeaderName::proxy_authorization),
            invite->request.header(HeaderName::proxy_authorization));
  EXPECT_TRUE(trunk->acknowledged[0].header(HeaderName::proxy_authorization));
}

// RFC 3261 §15.1.2: a caller may end its early dialog by BYE: 200, and 487 to the INVITE
// [caller-early-bye]
TEST_F(BeforeTheAnswer, ACallerMayHangUpByBye) {
  dial();
  rings(180);
  ASSERT_TRUE(heard(180));
  alice->dialog = early;
  const auto bye = alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(status_of(bye), 200);
  EXPECT_EQ(heard(300)->response.status(), 487);
  EXPECT_EQ(trunk->cancels.size(), 1U);
  rings(487);
  world.expect_nothing_left();
}

// RFC 3261 §15: the answer in an ACK that comes after the BYE is passed over [race-ack-after-bye]
TEST_F(BeforeTheAnswer, AnAckWithTheAnswerAfterTheByeIsPassedOver) {
  dial(std::nullopt, {});
  rings(200, trunk_sdp());
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  ASSERT_FALSE(answer->response.body().empty());
  hangs_up();
  const auto told = world.media_log.size();
  alice->ack(*answer, browser_answer());
  world.settle();
  EXPECT_EQ(world.media_log.size(), told);
  world.expect_nothing_left();
}

// The same when it is the callee who has gone, and our BYE waits for the ACK.
TEST_F(BeforeTheAnswer, AnAckWithTheAnswerAfterTheCalleesByeIsPassedOver) {
  dial(std::nullopt, {});
  rings(200, trunk_sdp());
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  trunk->dialog = *sip::Dialog::as_uas(invite->request, "peer-tag");
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_FALSE(alice->take_request(Method::bye));
  const auto told = world.media_log.size();
  alice->ack(*answer, browser_answer());
  world.settle();
  EXPECT_EQ(world.media_log.size(), told);
  const auto bye = alice->take_request(Method::bye);
  ASSERT_TRUE(bye);
  alice->respond(*bye, 200);
  world.settle();
  world.expect_nothing_left();
}

// RFC 3261 §13.2.1: ringing after early media has no description and does not end the media
// [early-media]
TEST_F(BeforeTheAnswer, RingingAfterEarlyMediaKeepsTheMedia) {
  dial();
  rings(183, trunk_sdp());
  ASSERT_TRUE(heard(183));
  const auto routes = world.media_commands<media::SetRoute>().size();
  rings(180);
  const auto ringing = heard(180);
  ASSERT_TRUE(ringing);
  EXPECT_EQ(ringing->response.status(), 180);
  EXPECT_EQ(ringing->response.body(), "");
  EXPECT_EQ(world.media_commands<media::SetRoute>().size(), routes);
  EXPECT_TRUE(world.media_commands<media::ClearRoute>().empty());
}

// RFC 3261 §13.3.1.1: each stage of ringing is told once, however often the callee repeats it
// [provisionals-relayed]
TEST_F(BeforeTheAnswer, StagesOfRingingAreToldOnceEach) {
  dial();
  for (const int status : {180, 180, 181, 181, 182, 182, 180})
    rings(status);
  std::vector<int> told;
  while (const auto response = heard(101))
    told.push_back(response->response.status());
  EXPECT_THAT(told, testing::ElementsAre(180, 181, 182, 180));
}

// RFC 3261 §21.4.26: a 488 says in a Warning what it is about [offer-488-warning]
TEST_F(BeforeTheAnswer, A488ToTheInviteSaysWhy) {
  std::string offer(kBrowserOffer);
  for (const std::string_view name : {"opus/48000/2", "G722/8000", "PCMU/8000", "PCMA/8000"})
    offer.replace(offer.find(name), name.size(), "iLBC/8000");
  const auto sent =
      world.answer_challenge(*alice, alice->invite("5551000", "alice", offer), "alice");
  const auto refused = alice->take_response(200, sent);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 488);
  EXPECT_EQ(warning_of(refused->response), "305 example.test \"Incompatible media format\"");
}

// RFC 3261 §14.2: a re-INVITE before the ACK of the first INVITE gets 500 with Retry-After
// [reinvite-before-ack]
// RFC 3261 §14.2: a re-INVITE before the ACK of the first INVITE gets 500 with Retry-After
// [race-reinvite-in-moratorium]
TEST_F(BeforeTheAnswer, AReinviteThatOvertakesTheAckGets500) {
  dial();
  rings(200, trunk_sdp());
  const auto answer = heard(200);
  ASSERT_TRUE(answer);
  alice->dialog = early;
  const auto reinvite =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto refused = alice->take_response(200, reinvite);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 500);
  EXPECT_TRUE(refused->response.header(HeaderName::retry_after));
  alice->ack(*answer);
  const auto again =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly", 4));
  world.settle();
  const auto passed = trunk->take_request(Method::invite);
  ASSERT_TRUE(passed) << "after the ACK it is taken";
  trunk->respond(*passed, 200, trunk_sdp("recvonly", 2));
  world.settle();
  EXPECT_EQ(alice->take_response(200, again)->response.status(), 200);
}

// RFC 4028 §7.3: a Min-SE that no session could have is no reason to try again [422-retry]
TEST_F(BeforeTheAnswer, A422WithAnAbsurdMinimumIsNotTriedAgain) {
  dial();
  auto refused = sip::make_response(invite->request, 422, "t");
  refused.add(HeaderName::min_se, "4000000000");
  trunk->respond(*invite, std::move(refused));
  world.settle();
  EXPECT_FALSE(trunk->take_request(Method::invite));
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 422);
}

// RFC 3261 §14.2: a second INVITE in the dialog before the final response of the first gets 500
// [invite-500]
TEST_F(BeforeTheAnswer, ASecondInviteBeforeTheFinalResponseGets500) {
  dial();
  rings(180);
  ASSERT_TRUE(heard(101));
  alice->dialog = early;
  const auto second =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto refused = alice->take_response(200, second);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 500);
  EXPECT_TRUE(refused->response.header(HeaderName::retry_after));
  rings(486);
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 486);
}

// ---------------------------------------------------------------- in the call

struct InTheCall : EstablishedCall {};

// RFC 3261 §14.2: a second re-INVITE before the final response of the first gets 500
// [race-second-reinvite]
TEST_F(InTheCall, ASecondReinviteWhileTheFirstIsOpenGets500) {
  const auto first =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto passed = trunk->take_request(Method::invite);
  ASSERT_TRUE(passed);
  const auto second =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("inactive", 4));
  world.settle();
  const auto refused = alice->take_response(200, second);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 500);
  EXPECT_LE(sip::parse_retry_after(refused->response.header(HeaderName::retry_after).value_or(""))
                .value_or(99),
            10U);
  trunk->respond(*passed, 200, trunk_sdp("recvonly", 2));
  world.settle();
  EXPECT_EQ(alice->take_response(200, first)->response.status(), 200);
}

// RFC 3261 §14.1: a 491 of the far leg goes to the side whose offer it was
TEST_F(InTheCall, A491OfTheFarLegReachesWhoOffered) {
  const auto hold =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  trunk->respond(*trunk->take_request(Method::invite), 491);
  world.settle();
  EXPECT_EQ(alice->take_response(200, hold)->response.status(), 491);
  world.pass(seconds{10});
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "it is hers to try again";
  const auto again =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly", 4));
  world.settle();
  trunk->respond(*trunk->take_request(Method::invite), 200, trunk_sdp("recvonly", 2));
  world.settle();
  EXPECT_EQ(alice->take_response(200, again)->response.status(), 200);
}

// RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s after a 491, the other 0 to 2 s
// [glare-wait]
TEST_F(InTheCall, AfterGlareTheOwnerOfTheCallIdWaitsLonger) {
  for (const std::string_view party : {"trunk:carrier", "user:alice"}) {
    Peer& peer = party == "user:alice" ? *alice : *trunk;
    world.ask(HoldCall{{call_name(), leg_of(party)}});
    const auto offer = peer.take_request(Method::invite);
    ASSERT_TRUE(offer) << party;
    peer.respond(*offer, 491);
    world.pass(milliseconds{2099});
    auto again = peer.take_request(Method::invite);
    EXPECT_EQ(again.has_value(), party == "user:alice")
        << "we own the Call-ID of the leg that we called";
    world.pass(milliseconds{1910});
    if (!again) again = peer.take_request(Method::invite);
    ASSERT_TRUE(again) << party;
    peer.respond(*again, 200,
                 party == "user:alice" ? browser_answer("recvonly") : trunk_sdp("recvonly", 2));
    world.settle();
  }
}

// RFC 3261 §21.4.26: a re-INVITE without a common codec gets 488 with a Warning, the call stands
// [reinvite-refused]
TEST_F(InTheCall, A488ToAReinviteSaysWhyAndTheCallStands) {
  const auto sent =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendrecv", 2, "18"));
  world.settle();
  const auto refused = trunk->take_response(200, sent);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 488);
  EXPECT_THAT(warning_of(refused->response), HasSubstr("305 example.test"));
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 3261 §14.2: a re-INVITE without offer gets a full one [offerless-reinvite-full]
// RFC 3261 §14.2: a re-INVITE without offer gets a full one [race-narrow-offer]
TEST_F(InTheCall, AnOfferlessReinviteIsOfferedAllThatBothSidesCouldSpeak) {
  const auto sent = trunk->send_in_dialog(Method::invite);
  world.settle();
  const auto offer = trunk->take_response(200, sent);
  ASSERT_TRUE(offer);
  EXPECT_THAT(std::string(offer->response.body()), HasSubstr("RTP/AVP 0 8 "))
      << "what is spoken now comes first";
  trunk->ack(*offer, trunk_sdp("sendrecv", 2, "8 101"));
  world.settle();
  const auto to_alice = alice->take_request(Method::invite);
  ASSERT_TRUE(to_alice);
  EXPECT_THAT(std::string(to_alice->request.body()), HasSubstr("SAVPF 8"));
  alice->respond(*to_alice, 200, browser_answer());
  world.settle();
  EXPECT_EQ(world.engine->calls(), 1U);
  EXPECT_FALSE(trunk->take_request(Method::invite));
}

// RFC 3262 §4: a re-INVITE rings nobody, and does not ask for reliable provisional responses
TEST_F(InTheCall, AReinviteDoesNotList100rel) {
  alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto passed = trunk->take_request(Method::invite);
  ASSERT_TRUE(passed);
  EXPECT_EQ(passed->request.header(HeaderName::supported), "timer");
}

// RFC 3326 §2: each Reason value is carried across, and nothing that is none [reason-carried]
TEST_F(InTheCall, EachReasonOfAByeIsCarriedAcross) {
  auto bye = trunk->dialog->request(Method::bye);
  bye.add(HeaderName::reason, "SIP;cause=200;text=\"Call \\\"completed\\\" elsewhere\"");
  bye.add(HeaderName::reason, "no cause at all;;=");
  bye.add(HeaderName::reason, "Q.850;cause=16");
  trunk->send(std::move(bye));
  world.settle();
  const auto carried = ended(*alice);
  ASSERT_TRUE(carried);
  std::vector<std::string> reasons;
  for (const auto value : carried->request.headers(HeaderName::reason))
    reasons.emplace_back(value);
  EXPECT_THAT(reasons,
              testing::ElementsAre("SIP;cause=200;text=\"Call \\\"completed\\\" elsewhere\"",
                                   "Q.850;cause=16"));
}

// RFC 3261 §12.2.1.2: a dialog whose peer answers 481 is ended by BYE on both sides [dialog-lost]
TEST_F(InTheCall, A481EndsTheDialogByBye) {
  alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto passed = trunk->take_request(Method::invite);
  ASSERT_TRUE(passed);
  trunk->respond(*passed, 481);
  world.settle();
  EXPECT_TRUE(ended(*alice));
  EXPECT_TRUE(ended(*trunk));
  world.expect_nothing_left();
}

}  // namespace
}  // namespace trunkline::call::simulation
