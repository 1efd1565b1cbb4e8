#include "transfer_fixture.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Transfers by a leg of ours to the target.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct GatewayTransfer : TransferCase {
  RequestId to_bob(std::optional<Duration> ring = {}) {
    return transfer("user:bob", TransferMode::gateway, carrier_leg(), ring);
  }
};

TEST_F(GatewayTransfer, TheTargetTakesThePlaceOfTheOtherParty) {
  const auto asked = to_bob();
  const auto invite = bob->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_THAT(header(*invite, HeaderName::from), HasSubstr("5551000@example.test"));
  bob->respond(*invite, 180);
  world.settle();
  EXPECT_FALSE(world.replied(asked));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice"}));
  bob->respond(*invite, 200, browser_answer());
  world.settle();
  EXPECT_EQ(bob->acks, 1);
  const auto view = world.reply<CallView>(asked);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->state, CallState::answered);
  const auto bye = ended(*alice);
  ASSERT_TRUE(bye);
  EXPECT_THAT(header(*bye, HeaderName::reason), HasSubstr("Call transferred"));
  EXPECT_FALSE(trunk->take_request(Method::bye));
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "it speaks what bob speaks";
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  const auto observed = world.observed<CallTransferred>();
  ASSERT_THAT(observed, SizeIs(1));
  EXPECT_FALSE(observed[0].failure);
  ASSERT_THAT(world.observed<LegEnded>(), SizeIs(1));
  EXPECT_EQ(world.observed<LegEnded>()[0].leg.party, "user:alice");
  EXPECT_EQ(world.observed<LegEnded>()[0].leg.end->reason, EndReason::transferred);
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  // The two are a call like any other.
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*bob));
  wind_up();
}

TEST_F(GatewayTransfer, TheCallerIsKeptWhenItsLegIsNamed) {
  const auto asked = transfer("85552000", TransferMode::gateway, alices_leg());
  const auto invite = second->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->request.request_uri(), "sip:85552000@203.0.113.66:5060");
  EXPECT_THAT(header(*invite, HeaderName::from), HasSubstr("alice@example.test"));
  second->respond(*invite, 200, trunk_sdp());
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_TRUE(ended(*trunk));
  EXPECT_FALSE(alice->take_request(Method::bye));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:second", "user:alice"}));
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*second));
  wind_up();
}

/// What a request that names this leg mutes: the leg's own name.
std::string muted(World& world, const LegName& on) {
  const auto view = world.reply<CallView>(world.ask(MuteCall{on, MuteDirection::to_leg, true}));
  if (!view) return {};
  world.ask(MuteCall{on, MuteDirection::to_leg, false});
  for (const LegView& leg : view->legs) {
    if (leg.muted_to) return leg.id;
  }
  return {};
}

TEST_F(GatewayTransfer, ALegKeepsItsNameAndASideIsItsPartyOfNow) {
  const std::string call = call_name();
  EXPECT_EQ(muted(world, {call, "from"}), "from");
  EXPECT_EQ(muted(world, {call, "to"}), "to");
  EXPECT_EQ(muted(world, {call, ""}), "to");
  to_bob();
  bob->respond(*bob->take_request(Method::invite), 200, browser_answer());
  world.settle();
  // Bob has come to alice's side; the carrier is where it was.
  const CallView joined = world.observed<CallTransferred>().back().call;
  EXPECT_THAT(joined.legs, ElementsAre(Field(&LegView::id, "from"), Field(&LegView::id, "to"),
                                       Field(&LegView::id, "from-2")));
  EXPECT_EQ(joined.legs[2].party, "user:bob");
  EXPECT_TRUE(joined.legs[2].from);
  EXPECT_EQ(joined.from, "user:bob");
  EXPECT_EQ(joined.to, "trunk:carrier");
  EXPECT_EQ(joined.to_number, "5551000");
  EXPECT_EQ(muted(world, {call, "from"}), "from-2");
  EXPECT_EQ(muted(world, {call, "from-2"}), "from-2");
  EXPECT_EQ(muted(world, {call, "to"}), "to");
  EXPECT_EQ(muted(world, {call, ""}), "to");
  EXPECT_EQ(muted(world, {call, "to-2"}), "");
  ended(*alice);
  if (const auto aligned = bob->take_request(Method::invite))
    bob->respond(*aligned, 200, browser_answer());
  world.settle();
  // And a number to the other one: the leg that was first there is no longer meant.
  transfer("85552000", TransferMode::gateway, {call, "from"});
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp());
  world.settle();
  const CallView again = world.observed<CallTransferred>().back().call;
  EXPECT_EQ(again.legs.back().id, "to-2");
  EXPECT_EQ(again.from, "user:bob");
  EXPECT_EQ(again.to, "trunk:second");
  EXPECT_EQ(again.to_number, "85552000");
  EXPECT_EQ(muted(world, {call, "to"}), "to-2");
  EXPECT_EQ(muted(world, {call, "from"}), "from-2");
  wind_up();
}

TEST_F(GatewayTransfer, ATransferredCallCanBeTransferredAgainAndHeld) {
  to_bob();
  bob->respond(*bob->take_request(Method::invite), 200, browser_answer());
  world.settle();
  ended(*alice);
  // He would send Opus first, which the carrier does not take: one codec is agreed with him.
  const auto aligned = bob->take_request(Method::invite);
  ASSERT_TRUE(aligned);
  bob->respond(*aligned, 200, browser_answer());
  world.settle();
  // `from` is bob now: he is held, and then talks to the second carrier.
  const LegName bobs_leg{call_name(), "from"};
  const auto held = world.ask(HoldCall{bobs_leg});
  const auto reinvite = bob->take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  bob->respond(*reinvite, 200, browser_answer("recvonly"));
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(held));
  const auto again = transfer("85552000", TransferMode::gateway, bobs_leg);
  const auto invite = second->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_THAT(header(*invite, HeaderName::from), HasSubstr("bob@example.test"));
  EXPECT_THAT(std::string(invite->request.body()), HasSubstr("a=sendrecv"));
  second->respond(*invite, 200, trunk_sdp());
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(again));
  EXPECT_TRUE(ended(*trunk));
  const auto resumed = bob->take_request(Method::invite);
  ASSERT_TRUE(resumed) << "our hold of him is over";
  EXPECT_THAT(std::string(resumed->request.body()), HasSubstr("a=sendrecv"));
  bob->respond(*resumed, 200, browser_answer());
  world.settle();
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:second", "user:bob"}));
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
  wind_up();
}

TEST_F(GatewayTransfer, ABusyTargetChangesNothing) {
  const auto asked = to_bob();
  bob->respond(*bob->take_request(Method::invite), 486);
  world.settle();
  EXPECT_EQ(failure(asked), 486);
  ASSERT_THAT(world.observed<CallTransferred>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallTransferred>()[0].failure->sip_code, 486);
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, WhatTheTargetSaidIsTold) {
  const auto asked = transfer("85552000", TransferMode::gateway, carrier_leg());
  second->respond(*second->take_request(Method::invite), 503);
  world.settle();
  const auto failed = world.reply<Failure>(asked);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->phrase, "Service Unavailable");
  EXPECT_EQ(world.observed<CallTransferred>().at(0).failure->phrase, "Service Unavailable");
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, ATargetThatDoesNotAnswerIsGivenUp) {
  const auto asked = to_bob(seconds{15});
  const auto invite = bob->take_request(Method::invite);
  bob->respond(*invite, 180);
  world.pass(seconds{14});
  EXPECT_FALSE(world.replied(asked));
  world.pass(seconds{2});
  ASSERT_TRUE(world.reply<Failure>(asked));
  EXPECT_EQ(world.reply<Failure>(asked)->reason, EndReason::ring_timeout);
  ASSERT_THAT(bob->cancels, SizeIs(1));
  bob->respond(*invite, 487);
  world.settle();
  expect_untouched();
  wind_up();
}

// RFC 3261 §9.1: an answer that crosses our CANCEL gets ACK and BYE [race-cancel-crosses-200]
TEST_F(GatewayTransfer, AnAnswerThatCrossesOurCancelIsEndedAtOnce) {
  const auto asked = to_bob(seconds{15});
  const auto invite = bob->take_request(Method::invite);
  bob->respond(*invite, 180);
  world.pass(seconds{16});
  ASSERT_TRUE(world.reply<Failure>(asked));
  bob->respond(*invite, 200, browser_answer());
  world.settle();
  EXPECT_EQ(bob->acks, 1);
  EXPECT_TRUE(ended(*bob));
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, OfSeveralDevicesOneAnswers) {
  Peer& desk = world.registered("bob", 100000, "b-2");
  const auto asked = to_bob();
  const auto at_desk = desk.take_request(Method::invite);
  const auto invite = bob->take_request(Method::invite);
  ASSERT_TRUE(at_desk && invite);
  desk.respond(*at_desk, 180);
  bob->respond(*invite, 200, browser_answer());
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(asked));
  ASSERT_THAT(desk.cancels, SizeIs(1));
  desk.respond(*at_desk, 487);
  world.settle();
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  ended(*alice);
  wind_up();
}

TEST_F(GatewayTransfer, AllOfSeveralDevicesRefuse) {
  Peer& desk = world.registered("bob", 100000, "b-2");
  const auto asked = to_bob();
  desk.respond(*desk.take_request(Method::invite), 603);
  world.settle();
  EXPECT_FALSE(world.replied(asked)) << "one device does not speak for the other";
  bob->respond(*bob->take_request(Method::invite), 486);
  world.settle();
  EXPECT_EQ(failure(asked), 486);
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, NobodyIsThere) {
  bob->close_flow();
  world.settle();
  EXPECT_EQ(world.reply<Failure>(to_bob())->reason, EndReason::not_registered);
  EXPECT_EQ(world.reply<Failure>(transfer("nobody", TransferMode::gateway, carrier_leg()))->reason,
            EndReason::no_route);
  expect_untouched();
}

TEST_F(GatewayTransfer, ATrunkWithoutRoomIsAFailure) {
  world.ask(SetTrunkEnabled{"second", false});
  const auto asked = transfer("85552000", TransferMode::gateway, carrier_leg());
  ASSERT_TRUE(world.reply<Failure>(asked));
  EXPECT_EQ(world.reply<Failure>(asked)->reason, EndReason::trunk_disabled);
  EXPECT_FALSE(second->take_request(Method::invite));
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, ThePartyHangsUpWhileTheTargetRings) {
  const auto asked = to_bob();
  const auto invite = bob->take_request(Method::invite);
  bob->respond(*invite, 180);
  world.settle();
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(refusal(asked), "WRONG_CALL_STATE");
  EXPECT_THAT(bob->cancels, SizeIs(1));
  bob->respond(*invite, 487);
  EXPECT_TRUE(ended(*alice));
  wind_up();
}

TEST_F(GatewayTransfer, TheOtherPartyHangsUpWhileTheTargetRings) {
  const auto asked = to_bob();
  const auto invite = bob->take_request(Method::invite);
  bob->respond(*invite, 180);
  world.settle();
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(refusal(asked), "WRONG_CALL_STATE");
  EXPECT_THAT(bob->cancels, SizeIs(1));
  bob->respond(*invite, 487);
  EXPECT_TRUE(ended(*trunk));
  wind_up();
}

TEST_F(GatewayTransfer, ATargetThatIsLostWhileItRings) {
  const auto asked = to_bob();
  ASSERT_TRUE(bob->take_request(Method::invite));
  bob->close_flow();
  world.settle();
  ASSERT_TRUE(world.reply<Failure>(asked));
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, ATargetWhoseMediaFailsWhileItRings) {
  const auto asked = to_bob();
  const auto invite = bob->take_request(Method::invite);
  bob->respond(*invite, 180);
  world.settle();
  const LegId leg = world.media_commands<media::AddBrowserLeg>().back().leg;
  world.media(media::LegFailed{leg, media::MediaFailure::dtls_alert});
  ASSERT_TRUE(world.reply<Failure>(asked));
  EXPECT_EQ(world.reply<Failure>(asked)->reason, EndReason::dtls_failed);
  bob->respond(*invite, 487);
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, AnotherCodecOfTheTargetIsAgreedWithThePartyFirst) {
  const auto asked = transfer("85552000", TransferMode::gateway, carrier_leg());
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp("sendrecv", 1, "8"));
  world.settle();
  EXPECT_FALSE(world.replied(asked));
  EXPECT_FALSE(alice->take_request(Method::bye)) << "not before it is sure";
  const auto reinvite = trunk->take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  EXPECT_THAT(std::string(reinvite->request.body()), HasSubstr("RTP/AVP 8"));
  trunk->respond(*reinvite, 200, trunk_sdp("sendrecv", ++version, "8"));
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_TRUE(ended(*alice));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "trunk:second"}));
  wind_up();
}

TEST_F(GatewayTransfer, APartyThatDoesNotTakeTheCodecStaysWhereItIs) {
  const auto asked = transfer("85552000", TransferMode::gateway, carrier_leg());
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp("sendrecv", 1, "8"));
  world.settle();
  trunk->respond(*trunk->take_request(Method::invite), 488);
  world.settle();
  EXPECT_EQ(failure(asked), 488);
  EXPECT_TRUE(ended(*second));
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, ACollisionOfTheOffersIsTriedAgain) {
  const auto asked = transfer("85552000", TransferMode::gateway, carrier_leg());
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp("sendrecv", 1, "8"));
  world.settle();
  trunk->respond(*trunk->take_request(Method::invite), 491);
  world.pass(seconds{5});
  const auto again = trunk->take_request(Method::invite);
  ASSERT_TRUE(again);
  trunk->respond(*again, 200, trunk_sdp("sendrecv", ++version, "8"));
  world.settle();
  EXPECT_TRUE(world.reply<CallView>(asked));
  ended(*alice);
  wind_up();
}

TEST_F(GatewayTransfer, TheTargetHangsUpBeforeItIsJoined) {
  const auto asked = transfer("85552000", TransferMode::gateway, carrier_leg());
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp("sendrecv", 1, "8"));
  world.settle();
  const auto reinvite = trunk->take_request(Method::invite);
  second->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(failure(asked), 480);
  trunk->respond(*reinvite, 200, trunk_sdp("sendrecv", ++version, "8"));
  world.settle();
  // The party took the codec; the two are brought together again.
  const auto back = trunk->take_request(Method::invite);
  if (back) trunk->respond(*back, 200, trunk_sdp("sendrecv", ++version));
  world.settle();
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, AnOfferForATransferThatIsOverIsNotTakenForTheNextOnes) {
  const auto first = transfer("85552000", TransferMode::gateway, carrier_leg());
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp("sendrecv", 1, "8"));
  world.settle();
  const auto reinvite = trunk->take_request(Method::invite);
  second->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(failure(first), 480);
  const auto asked = to_bob();
  const auto invite = bob->take_request(Method::invite);
  bob->respond(*invite, 180);
  trunk->respond(*reinvite, 200, trunk_sdp("sendrecv", ++version, "8"));
  world.settle();
  EXPECT_FALSE(world.replied(asked));
  bob->respond(*invite, 200, browser_answer());
  world.pass(seconds{5});
  while (const auto aligned = alice->take_request(Method::invite))
    alice->respond(*aligned, 200, browser_answer());
  world.pass(seconds{5});
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  ended(*alice);
  wind_up();
}

TEST_F(GatewayTransfer, ThePartiesAgreeAgainAfterATransferThatCameToNothing) {
  transfer("85552000", TransferMode::gateway, carrier_leg());
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp("sendrecv", 1, "8"));
  world.settle();
  const auto reinvite = trunk->take_request(Method::invite);
  second->send_in_dialog(Method::bye);
  world.settle();
  trunk->respond(*reinvite, 200, trunk_sdp("sendrecv", ++version, "8"));
  world.settle();
  // Alice speaks PCMU with the carrier, which now takes PCMA alone.
  const auto aligned = alice->take_request(Method::invite);
  ASSERT_TRUE(aligned);
  EXPECT_THAT(std::string(aligned->request.body()), HasSubstr("UDP/TLS/RTP/SAVPF 8"));
  alice->respond(*aligned, 200, browser_answer());
  world.settle();
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, AUriOfOurDomainIsAUser) {
  const auto asked = transfer("sip:bob@example.test", TransferMode::gateway, carrier_leg());
  const auto invite = bob->take_request(Method::invite);
  ASSERT_TRUE(invite);
  bob->respond(*invite, 486);
  world.settle();
  EXPECT_EQ(failure(asked), 486);
  EXPECT_EQ(
      world
          .reply<Failure>(transfer("sip:bob@elsewhere.test", TransferMode::gateway, carrier_leg()))
          ->reason,
      EndReason::no_route);
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, AnOfferOfTheTargetHasToWait) {
  const auto asked = transfer("85552000", TransferMode::gateway, carrier_leg());
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp("sendrecv", 1, "8"));
  world.settle();
  const auto offer =
      second->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendonly", 2, "8"));
  world.settle();
  EXPECT_EQ(second->take_response(200, offer)->response.status(), 491);
  trunk->respond(*trunk->take_request(Method::invite), 200, trunk_sdp("sendrecv", ++version, "8"));
  world.settle();
  EXPECT_TRUE(world.reply<CallView>(asked));
  ended(*alice);
  wind_up();
}

TEST_F(GatewayTransfer, AnOfferOfThePartiesIsWaitedFor) {
  const auto asked = to_bob();
  const auto invite = bob->take_request(Method::invite);
  alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly", ++version));
  world.settle();
  const auto passed = trunk->take_request(Method::invite);
  ASSERT_TRUE(passed);
  bob->respond(*invite, 200, browser_answer());
  world.settle();
  EXPECT_FALSE(world.replied(asked));
  trunk->respond(*passed, 200, trunk_sdp("recvonly", ++version));
  world.pass(seconds{3});
  ASSERT_TRUE(world.reply<CallView>(asked));
  // Alice's hold went with her.
  const auto resumed = trunk->take_request(Method::invite);
  ASSERT_TRUE(resumed);
  EXPECT_THAT(std::string(resumed->request.body()), HasSubstr("a=sendrecv"));
  trunk->respond(*resumed, 200, trunk_sdp("sendrecv", ++version));
  world.settle();
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  ended(*alice);
  wind_up();
}

TEST_F(GatewayTransfer, ATargetWithoutACommonCodecIsNotJoined) {
  const auto asked = transfer("85552000", TransferMode::gateway, carrier_leg());
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp("sendrecv", 1, "18"));
  world.settle();
  EXPECT_EQ(failure(asked), 488);
  EXPECT_TRUE(ended(*second));
  expect_untouched();
  wind_up();
}

TEST_F(GatewayTransfer, DigitsToTheReleasedPartyAreAnsweredFor) {
  const auto digits = world.ask(SendDtmf{alices_leg(), "12"});
  to_bob();
  bob->respond(*bob->take_request(Method::invite), 200, browser_answer());
  world.settle();
  EXPECT_EQ(refusal(digits), "WRONG_CALL_STATE");
  ended(*alice);
  wind_up();
}

TEST_F(GatewayTransfer, ThePlaceOfTheReleasedTrunkIsFree) {
  transfer("85552000", TransferMode::gateway, alices_leg());
  second->respond(*second->take_request(Method::invite), 200, trunk_sdp());
  world.settle();
  ended(*trunk);
  const auto views = world.reply<TrunkViews>(world.ask(ListTrunks{}));
  ASSERT_TRUE(views);
  EXPECT_EQ(views->all[0].calls, 0U);
  EXPECT_EQ(views->all[1].calls, 1U);
  wind_up();
}

TEST_F(GatewayTransfer, FailuresWithoutEndLeaveNoHeap) {
  for (int i = 0; i < 60; ++i) {
    const auto asked = to_bob();
    const auto invite = bob->take_request(Method::invite);
    ASSERT_TRUE(invite) << i;
    bob->respond(*invite, 486);
    world.settle();
    EXPECT_EQ(failure(asked), 486);
    world.pass(seconds{40});
  }
  EXPECT_LT(world.observed<CallTransferred>().back().call.legs.size(), 32U);
  world.end_all();
  ended(*alice);
  ended(*trunk);
  world.expect_nothing_left();
}

TEST_F(GatewayTransfer, ASecondAnswerFromAForkIsEndedAtOnce) {
  const auto asked = transfer("85552000", TransferMode::gateway, carrier_leg());
  const auto invite = second->take_request(Method::invite);
  second->respond(*invite, 200, trunk_sdp("sendrecv", 1, "8"));
  world.settle();
  EXPECT_FALSE(world.replied(asked));
  auto fork = sip::make_response(invite->request, 200, "another-tag");
  fork.add(HeaderName::contact, "<sip:fork@" + second->self.remote.text() + ">");
  fork.set_body("application/sdp", trunk_sdp("sendrecv", 1, "0"));
  second->raw(fork.serialize());
  world.settle();
  const auto bye = ended(*second);
  ASSERT_TRUE(bye);
  EXPECT_EQ(sip::to_of(bye->request).tag(), "another-tag");
  trunk->respond(*trunk->take_request(Method::invite), 200, trunk_sdp("sendrecv", ++version, "8"));
  world.settle();
  EXPECT_TRUE(world.reply<CallView>(asked));
  ended(*alice);
  wind_up();
}

TEST_F(GatewayTransfer, AServiceTakesThePlaceOfTheOtherParty) {
  const auto asked = transfer("service:echo", TransferMode::automatic, carrier_leg());
  EXPECT_FALSE(trunk->take_request(Method::refer));
  const auto view = world.reply<CallView>(asked);
  ASSERT_TRUE(view) << "nobody has to be asked";
  EXPECT_EQ(view->state, CallState::answered);
  EXPECT_TRUE(ended(*alice));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier"}));
  const auto route = world.media_commands<media::SetRoute>().back();
  EXPECT_EQ(route.from, route.to);
  // And from it to a person again.
  const auto back = to_bob();
  bob->respond(*bob->take_request(Method::invite), 200, browser_answer());
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(back));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  wind_up();
}

TEST_F(GatewayTransfer, TheToneIsSentInACodecThatItHas) {
  const auto opus = browser_answer();
  const auto asked = transfer("service:tone", TransferMode::gateway, alices_leg());
  const auto offer = alice->take_request(Method::invite);
  if (offer) {
    EXPECT_THAT(std::string(offer->request.body()), HasSubstr("UDP/TLS/RTP/SAVPF 0"));
    alice->respond(*offer, 200, opus);
    world.settle();
  }
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_TRUE(ended(*trunk));
  EXPECT_THAT(world.media_commands<media::StartTone>(), SizeIs(1));
  wind_up();
}

TEST_F(GatewayTransfer, AHoldOfOursEndsAtAService) {
  world.ask(HoldCall{carrier_leg()});
  trunk->respond(*trunk->take_request(Method::invite), 200, trunk_sdp("recvonly", ++version));
  world.settle();
  const auto asked = transfer("service:echo", TransferMode::gateway, carrier_leg());
  EXPECT_FALSE(world.replied(asked));
  const auto resumed = trunk->take_request(Method::invite);
  ASSERT_TRUE(resumed);
  EXPECT_THAT(std::string(resumed->request.body()), HasSubstr("a=sendrecv"));
  trunk->respond(*resumed, 200, trunk_sdp("sendrecv", ++version));
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_FALSE(world.observed<CallHeld>().back().held);
  EXPECT_TRUE(ended(*alice));
  wind_up();
}

TEST_F(GatewayTransfer, APartyThatDoesNotResumeForAServiceStaysWhereItIs) {
  world.ask(HoldCall{carrier_leg()});
  trunk->respond(*trunk->take_request(Method::invite), 200, trunk_sdp("recvonly", ++version));
  world.settle();
  const auto asked = transfer("service:echo", TransferMode::gateway, carrier_leg());
  trunk->respond(*trunk->take_request(Method::invite), 488);
  world.settle();
  EXPECT_EQ(failure(asked), 488);
  EXPECT_FALSE(alice->take_request(Method::bye));
  EXPECT_TRUE(world.observed<CallHeld>().back().held);
  wind_up();
}

TEST_F(GatewayTransfer, AnEchoCallIsTransferredToo) {
  alice->send_in_dialog(Method::bye);
  world.settle();
  ended(*trunk);
  while (alice->take_response()) {
  }
  alice->dialog.reset();
  world.observations.clear();
  const auto first = alice->invite("echo", "alice", kBrowserOffer);
  const auto call = world.answer_challenge(*alice, first, "alice");
  alice->ack(*alice->take_response(200, call));
  world.settle();
  const auto asked = to_bob();
  bob->respond(*bob->take_request(Method::invite), 200, browser_answer());
  world.settle();
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_EQ(talking(), (std::set<std::string>{"user:alice", "user:bob"}));
  const auto cleared = world.media_commands<media::ClearRoute>();
  EXPECT_TRUE(std::any_of(cleared.begin(), cleared.end(),
                          [](const auto& route) { return route.from == route.to; }));
  bob->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*alice));
}

}  // namespace
}  // namespace trunkline::call::simulation
