#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Re-INVITE and UPDATE in an answered call: what is answered on the leg, and what crosses.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

struct Reoffer : EstablishedCall {
  std::optional<sip::ResponseReceived> hold_by_alice(std::string_view direction,
                                                     std::string_view answer) {
    const auto sent =
        alice->send_in_dialog(Method::invite, "application/sdp", browser_offer(direction));
    world.settle();
    if (const auto reinvite = trunk->take_request(Method::invite)) {
      EXPECT_THAT(std::string(reinvite->request.body()), HasSubstr("a=" + std::string(direction)));
      trunk->respond(*reinvite, 200, trunk_sdp(answer, 2));
      world.settle();
    }
    auto response = alice->take_response(200, sent);
    if (response && response->response.status() == 200) alice->ack(*response);
    world.settle();
    return response;
  }
};

// RFC 3264 §8.4: hold and resume cross as directions [hold]
TEST_F(Reoffer, TheBrowserHoldsAndResumes) {
  const auto held = hold_by_alice("sendonly", "recvonly");
  ASSERT_TRUE(held);
  EXPECT_THAT(std::string(held->response.body()), HasSubstr("a=recvonly"));
  ASSERT_EQ(world.observed<CallHeld>().size(), 1U);
  EXPECT_TRUE(world.observed<CallHeld>()[0].held);
  EXPECT_FALSE(world.observed<CallHeld>()[0].by_api);
  EXPECT_FALSE(world.media_commands<media::ClearRoute>().empty());
  const auto resumed = hold_by_alice("sendrecv", "sendrecv");
  ASSERT_TRUE(resumed);
  EXPECT_THAT(std::string(resumed->response.body()), HasSubstr("a=sendrecv"));
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
}

// RFC 3264 §8.4: sendonly and inactive hold, and reach the other side as directions [hold]
TEST_F(Reoffer, TheTrunkHoldsInEverySpelling) {
  for (const std::string_view direction : {"sendonly", "inactive"}) {
    const auto sent =
        trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp(direction, 5));
    world.settle();
    const auto reinvite = alice->take_request(Method::invite);
    ASSERT_TRUE(reinvite) << direction;
    EXPECT_THAT(std::string(reinvite->request.body()), HasSubstr("a=" + std::string(direction)));
    alice->respond(*reinvite, 200,
                   browser_answer(direction == "sendonly" ? "recvonly" : "inactive"));
    world.settle();
    const auto answer = trunk->take_response(200, sent);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->response.status(), 200);
    trunk->ack(*answer);
    world.settle();
  }
}

// RFC 3264 §8.4: c=0.0.0.0 is a hold, and nothing is sent there [hold-by-address]
TEST_F(Reoffer, HoldByAddressSendsNothingThere) {
  const auto sent = trunk->send_in_dialog(Method::invite, "application/sdp",
                                          trunk_sdp("sendrecv", 5, "0 101", "0.0.0.0"));
  world.settle();
  const auto reinvite = alice->take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  EXPECT_THAT(std::string(reinvite->request.body()), HasSubstr("a=sendonly"));
  alice->respond(*reinvite, 200, browser_answer("recvonly"));
  world.settle();
  ASSERT_TRUE(trunk->take_response(200, sent));
  EXPECT_TRUE(world.media_commands<media::UpdateTrunkLeg>().back().remote.rtp.empty());
}

// RFC 3264 §8.3.1: a new port is sent to [reoffer-address]
TEST_F(Reoffer, AMovedTrunkPortIsAnsweredHereAndTheBrowserNeverNotices) {
  std::string moved = trunk_sdp("sendrecv", 9);
  moved.replace(moved.find("40000"), 5, "41234");
  const auto sent = trunk->send_in_dialog(Method::invite, "application/sdp", moved);
  world.settle();
  EXPECT_FALSE(alice->take_request(Method::invite));
  const auto answer = trunk->take_response(200, sent);
  ASSERT_TRUE(answer);
  EXPECT_EQ(world.media_commands<media::UpdateTrunkLeg>().back().remote.rtp.port, 41234);
}

// RFC 8827 §6.5: a renewed certificate is for new legs, the others keep theirs [dtls-renewal]
TEST_F(Reoffer, ARenewedCertificateIsForNewLegsOnly) {
  world.engine->certificate_renewed(0, {"sha-256", "CC:DD"});
  const auto offer =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendrecv", 4));
  world.settle();
  const auto answer = alice->take_response(200, offer);
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->response.body().find("a=fingerprint:sha-256 AA:B0"), std::string::npos);
  EXPECT_EQ(world.media_commands<media::AddBrowserLeg>().back().certificate, "AA:B0");
  world.answer_challenge(*alice, alice->invite("5551000", "alice", kBrowserOffer), "alice");
  ASSERT_EQ(world.media_commands<media::AddBrowserLeg>().size(), 2U);
  EXPECT_EQ(world.media_commands<media::AddBrowserLeg>().back().certificate, "CC:DD");
}

// RFC 8839 §4.4.1.1.1: the trunk hears nothing of an ICE restart [ice-restart]
TEST_F(Reoffer, AnIceRestartIsAnsweredOnTheBrowserLegAlone) {
  std::string restarted = browser_offer("sendrecv", 4);
  restarted.replace(restarted.find("abcd"), 4, "wxyz");
  restarted.replace(restarted.find("abcdefghijklmnopqrstuvwx"), 24, "ABCDEFGHIJKLMNOPQRSTUVWX");
  const auto sent = alice->send_in_dialog(Method::invite, "application/sdp", restarted);
  world.settle();
  EXPECT_FALSE(trunk->take_request(Method::invite));
  const auto answer = alice->take_response(200, sent);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->response.status(), 200);
  const auto update = world.media_commands<media::UpdateBrowserLeg>().back();
  ASSERT_TRUE(update.remote.local_ice);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr(update.remote.local_ice->ufrag));
}

// RFC 3261 §14.1: a refused re-INVITE leaves the session as it was [reinvite-refused]
// RFC 3264 §8: and the next offer works [race-refused-offer]
TEST_F(Reoffer, ARefusedReofferLeavesTheCallAsItWas) {
  const auto sent =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  trunk->respond(*trunk->take_request(Method::invite), 488);
  world.settle();
  EXPECT_EQ(alice->take_response(200, sent)->response.status(), 488);
  EXPECT_EQ(world.engine->calls(), 1U);
  EXPECT_TRUE(hold_by_alice("sendonly", "recvonly")) << "a later offer is not stuck";
}

// RFC 3261 §14.2: an INVITE while ours is pending gets 491 [invite-491]
TEST_F(Reoffer, GlareOnOneLegGives491) {
  alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto ours = trunk->take_request(Method::invite);
  ASSERT_TRUE(ours);
  const auto theirs =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendonly", 3));
  world.settle();
  EXPECT_EQ(trunk->take_response(200, theirs)->response.status(), 491);
}

// RFC 3311 §5.2: an offer while theirs is pending gets 500 with Retry-After [update-500]
// RFC 3311 §5.2: an UPDATE that meets their offer gets 500 [race-offers-collide]
TEST_F(Reoffer, ASecondOfferBeforeTheFirstIsAnsweredGives500WithRetryAfter) {
  alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto second =
      alice->send_in_dialog(Method::update, "application/sdp", browser_offer("inactive", 4));
  world.settle();
  const auto refused = alice->take_response(200, second);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 500);
  EXPECT_TRUE(refused->response.header(HeaderName::retry_after));
}

// RFC 3261 §14.2: a re-INVITE without offer gets ours in its 2xx [offerless-reinvite]
TEST_F(Reoffer, AReinviteWithoutOfferGetsAFreshOne) {
  const auto sent = trunk->send_in_dialog(Method::invite);
  world.settle();
  const auto answer = trunk->take_response(200, sent);
  ASSERT_TRUE(answer);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("a=sendrecv"));
  trunk->ack(*answer, trunk_sdp("sendrecv", 4));
  world.settle();
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 3311 §5.2: an UPDATE without offer is accepted on its leg [update-refresh]
TEST_F(Reoffer, AnUpdateWithoutOfferIsARefresh) {
  const auto sent = alice->send_in_dialog(Method::update);
  world.settle();
  EXPECT_EQ(alice->take_response(200, sent)->response.status(), 200);
  EXPECT_FALSE(trunk->take_request(Method::update));
}

// RFC 5057 §5.1: silence in a dialog ends the call [dialog-lost]
TEST_F(Reoffer, TheSilentFarLegIsGivenUpAndTheOfferRefused) {
  trunk->silent = true;
  const auto sent =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.pass(seconds{70});
  const auto refused = alice->take_response(200, sent);
  ASSERT_TRUE(refused);
  EXPECT_GE(refused->response.status(), 400);
  EXPECT_TRUE(ended(*alice)) << "a dialog that answers nothing is dead";
}

// ---------------------------------------------------------------- both sides hold

struct Hold : EstablishedCall {
  int version = 20;

  /// One side offers this direction; gives what the other was offered, empty if it was not asked.
  /// The other answers what `answer` says.
  std::string offer(Peer& from, Peer& to, std::string_view direction, std::string_view answer) {
    const bool browser = &from == alice;
    const auto sent = from.send_in_dialog(
        Method::invite, "application/sdp",
        browser ? browser_offer(direction, ++version) : trunk_sdp(direction, ++version));
    world.settle();
    std::string told;
    if (const auto reinvite = to.take_request(Method::invite)) {
      told = direction_in(reinvite->request.body());
      to.respond(*reinvite, 200, browser ? trunk_sdp(answer, ++version) : browser_answer(answer));
      world.settle();
    }
    const auto response = from.take_response(200, sent);
    EXPECT_TRUE(response && response->response.status() == 200);
    if (!response || response->response.status() != 200) return told;
    answered = direction_in(response->response.body());
    from.ack(*response);
    world.settle();
    return told;
  }
  static std::string direction_in(std::string_view body) {
    for (const char* direction : {"sendrecv", "sendonly", "recvonly", "inactive"}) {
      if (body.find(std::string("a=") + direction) != std::string_view::npos) return direction;
    }
    return {};
  }
  std::string answered;
};

// RFC 3264 §8.4: holds of both sides end one by one [hold]
TEST_F(Hold, WhoHoldsLastResumesFirst) {
  EXPECT_EQ(offer(*alice, *trunk, "sendonly", "recvonly"), "sendonly");
  EXPECT_EQ(answered, "recvonly");
  EXPECT_EQ(offer(*trunk, *alice, "sendonly", "inactive"), "inactive");
  EXPECT_EQ(answered, "inactive");
  EXPECT_EQ(offer(*trunk, *alice, "sendrecv", "sendonly"), "recvonly")
      << "alice still holds: she hears nothing";
  EXPECT_EQ(answered, "sendonly");
  EXPECT_EQ(world.observed<CallHeld>().back().leg, "to");
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
  EXPECT_EQ(world.observed<CallHeld>().back().call.state, CallState::held);
  EXPECT_EQ(offer(*alice, *trunk, "sendrecv", "sendrecv"), "sendrecv");
  EXPECT_EQ(answered, "sendrecv");
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
}

TEST_F(Hold, WhoHoldsFirstResumesFirst) {
  offer(*alice, *trunk, "sendonly", "recvonly");
  offer(*trunk, *alice, "sendonly", "inactive");
  EXPECT_EQ(offer(*alice, *trunk, "sendrecv", "sendonly"), "recvonly")
      << "the trunk's own hold is not lifted for it";
  EXPECT_EQ(answered, "sendonly");
  EXPECT_EQ(offer(*trunk, *alice, "sendrecv", "sendrecv"), "sendrecv");
  EXPECT_EQ(answered, "sendrecv");
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
}

TEST_F(Hold, ANewDescriptionOfTheHeldSideIsAnsweredHere) {
  offer(*trunk, *alice, "sendonly", "recvonly");
  EXPECT_EQ(offer(*alice, *trunk, "sendrecv", ""), "") << "what alice wants has not changed";
  EXPECT_EQ(answered, "sendonly");
  EXPECT_EQ(offer(*trunk, *alice, "sendrecv", "sendrecv"), "sendrecv");
}

TEST_F(Hold, AHeldSideThatRepeatsItsAnswerCanStillSpeakLater) {
  offer(*trunk, *alice, "sendonly", "recvonly");
  EXPECT_EQ(offer(*alice, *trunk, "recvonly", ""), "");
  EXPECT_EQ(offer(*trunk, *alice, "sendrecv", "sendrecv"), "sendrecv");
  EXPECT_EQ(answered, "sendrecv");
}

// RFC 6337 §5.1: our offer does not repeat the hold [offerless-reinvite]
TEST_F(Hold, AResumeByAReinviteWithoutOfferReachesTheOtherSide) {
  offer(*trunk, *alice, "sendonly", "recvonly");
  const auto sent = trunk->send_in_dialog(Method::invite);
  world.settle();
  const auto offered = trunk->take_response(200, sent);
  ASSERT_TRUE(offered);
  EXPECT_EQ(direction_in(offered->response.body()), "sendrecv");
  trunk->ack(*offered, trunk_sdp("sendrecv", ++version));
  world.settle();
  const auto resumed = alice->take_request(Method::invite);
  ASSERT_TRUE(resumed);
  EXPECT_EQ(direction_in(resumed->request.body()), "sendrecv");
  alice->respond(*resumed, 200, browser_answer());
  world.settle();
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
}

TEST_F(Hold, AnIceRestartThatIsRefusedLeavesOurOldCredentials) {
  std::string restarted = browser_offer("sendonly", 4);
  restarted.replace(restarted.find("abcd"), 4, "wxyz");
  restarted.replace(restarted.find("abcdefghijklmnopqrstuvwx"), 24, "ABCDEFGHIJKLMNOPQRSTUVWX");
  alice->send_in_dialog(Method::invite, "application/sdp", restarted);
  world.settle();
  trunk->respond(*trunk->take_request(Method::invite), 488);
  world.settle();
  offer(*alice, *trunk, "sendonly", "recvonly");
  EXPECT_FALSE(world.media_commands<media::UpdateBrowserLeg>().back().remote.local_ice);
}

}  // namespace
}  // namespace trunkline::call::simulation
