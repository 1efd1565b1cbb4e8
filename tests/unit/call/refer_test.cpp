#include "transfer_fixture.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Transfers by REFER, and those that fall back from it to a leg of ours.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct ReferTransfer : TransferCase {
  RequestId refer(const std::string& target = "5552000") {
    return transfer(target, TransferMode::refer, carrier_leg());
  }
};

// RFC 3515 §2.4: NOTIFYs tell how the REFER went [refer-out]
// RFC 3261 §12.1.1: REFER has our Contact of that leg [contact-own]
TEST_F(ReferTransfer, ThePeerTakesTheCallOverAndBothLegsAreReleased) {
  const auto asked = refer();
  const auto request = trunk->take_request(Method::refer);
  ASSERT_TRUE(request);
  EXPECT_EQ(header(*request, HeaderName::refer_to), "<sip:5552000@192.0.2.9:5060>");
  EXPECT_THAT(header(*request, HeaderName::referred_by), HasSubstr("alice@example.test"));
  EXPECT_THAT(header(*request, HeaderName::contact), HasSubstr("192.0.2.1:5060"));
  trunk->respond(*request, 202);
  world.settle();
  EXPECT_EQ(notify("SIP/2.0 100 Trying", "active;expires=60"), 200);
  EXPECT_EQ(notify("SIP/2.0 180 Ringing", "active;expires=60"), 200);
  EXPECT_FALSE(world.replied(asked));
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated;reason=noresource"), 200);
  const auto view = world.reply<CallView>(asked);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->state, CallState::ended);
  EXPECT_EQ(view->end->reason, EndReason::transferred);
  const auto bye = ended(*trunk);
  ASSERT_TRUE(bye);
  EXPECT_THAT(header(*bye, HeaderName::reason), HasSubstr("Call transferred"));
  EXPECT_TRUE(ended(*alice));
  const auto observed = world.observed<CallTransferred>();
  ASSERT_THAT(observed, SizeIs(1));
  EXPECT_FALSE(observed[0].failure);
  EXPECT_EQ(observed[0].target, "5552000");
  EXPECT_EQ(observed[0].leg, observed[0].call.legs[1].id);
  wind_up();
}

TEST_F(ReferTransfer, AFailureOfTheTargetIsTheReplyAndTheCallGoesOn) {
  const auto asked = refer();
  accept_refer();
  EXPECT_EQ(notify("SIP/2.0 486 Busy Here", "terminated;reason=noresource"), 200);
  const auto failed = world.reply<Failure>(asked);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->sip_code, 486);
  EXPECT_EQ(failed->phrase, "Busy Here");
  EXPECT_TRUE(failed->remote);
  ASSERT_THAT(world.observed<CallTransferred>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallTransferred>()[0].failure->sip_code, 486);
  expect_untouched();
  wind_up();
}

TEST_F(ReferTransfer, ARefusalOfReferIsTheReply) {
  for (const int code : {405, 501, 603}) {
    const auto asked = refer();
    trunk->respond(*trunk->take_request(Method::refer), code);
    world.settle();
    EXPECT_EQ(failure(asked), code);
    EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated"), 481) << "there is no subscription";
  }
  expect_untouched();
  wind_up();
}

TEST_F(ReferTransfer, SilenceAfterThe202IsGivenUp) {
  const auto asked =
      transfer("5552000", TransferMode::refer, carrier_leg(), std::optional<Duration>(seconds{20}));
  accept_refer();
  notify("SIP/2.0 100 Trying", "active");
  world.pass(seconds{29});
  EXPECT_FALSE(world.replied(asked));
  world.pass(seconds{2});
  ASSERT_TRUE(world.reply<Failure>(asked));
  EXPECT_EQ(world.reply<Failure>(asked)->grpc_code(), GrpcCode::deadline_exceeded);
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated;reason=noresource"), 200) << "late, but known";
  expect_untouched();
  wind_up();
}

TEST_F(ReferTransfer, AReferThatGetsNoAnswerDoesNotEndTheCall) {
  const auto asked = refer();
  ASSERT_TRUE(trunk->take_request(Method::refer));
  world.pass(seconds{33});
  ASSERT_TRUE(world.reply<Failure>(asked));
  EXPECT_EQ(world.reply<Failure>(asked)->reason, EndReason::no_response);
  expect_untouched();
  wind_up();
}

TEST_F(ReferTransfer, AByeAfterThe202CountsAsATransfer) {
  const auto asked = refer();
  accept_refer();
  const auto bye = trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(trunk->take_response(200, bye)->response.status(), 200);
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_EQ(world.reply<CallView>(asked)->end->reason, EndReason::transferred);
  EXPECT_TRUE(ended(*alice));
  EXPECT_FALSE(ended(*trunk));
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated;reason=noresource"), 200) << "after its BYE too";
  wind_up();
}

TEST_F(ReferTransfer, AByeBeforeThe202IsAHangUp) {
  const auto asked = refer();
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(refusal(asked), "WRONG_CALL_STATE");
  ASSERT_THAT(world.observed<CallTransferred>(), SizeIs(1));
  EXPECT_TRUE(world.observed<CallTransferred>()[0].failure);
  trunk->respond(*trunk->take_request(Method::refer), 481);
  world.settle();
  ended(*alice);
  wind_up();
}

TEST_F(ReferTransfer, TheOtherPartyHangsUpMeanwhile) {
  const auto asked = refer();
  accept_refer();
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(refusal(asked), "WRONG_CALL_STATE");
  EXPECT_TRUE(ended(*trunk));
  wind_up();
}

TEST_F(ReferTransfer, ANotifyThatOvertakesThe202Counts) {
  const auto asked = refer();
  const auto request = trunk->take_request(Method::refer);
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated;reason=noresource"), 200);
  EXPECT_TRUE(world.reply<CallView>(asked));
  trunk->respond(*request, 202);
  world.settle();
  ended(*trunk);
  ended(*alice);
  wind_up();
}

TEST_F(ReferTransfer, ASubscriptionThatEndsWithoutAnOutcomeIsAFailure) {
  const auto asked = refer();
  accept_refer();
  EXPECT_EQ(notify("SIP/2.0 100 Trying", "terminated;reason=timeout"), 200);
  EXPECT_TRUE(world.reply<Failure>(asked));
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated"), 481) << "it is over";
  expect_untouched();
  wind_up();
}

// RFC 6665 §4.1.3: a NOTIFY of no subscription gets 481 [notify-unknown]
TEST_F(ReferTransfer, NotifiesOfNothingThatWeKnowGet481) {
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated"), 481);
  const auto asked = refer();
  const auto request = accept_refer();
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated", "presence"), 481);
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated", ""), 481);
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated", "refer;id=999999"), 481);
  EXPECT_FALSE(world.replied(asked));
  const auto sequence = std::to_string(sip::cseq_of(request->request).number);
  EXPECT_EQ(notify("SIP/2.0 486 Busy Here", "terminated", "refer;id=" + sequence), 200);
  EXPECT_EQ(failure(asked), 486);
  wind_up();
}

TEST_F(ReferTransfer, WhatIsNoSipfragIsProgressAtMost) {
  const auto asked = refer();
  accept_refer();
  EXPECT_EQ(notify("", "active;expires=60"), 200);
  EXPECT_EQ(notify("HTTP/1.1 200 OK", "active;expires=60"), 200);
  EXPECT_EQ(notify("SIP/2.0 999 What", "active;expires=60"), 200);
  EXPECT_FALSE(world.replied(asked));
  EXPECT_EQ(notify("SIP/2.0 503 Service Unavailable", "terminated"), 200);
  EXPECT_EQ(failure(asked), 503);
  wind_up();
}

// RFC 3261 §22.2: a challenged REFER is sent again [challenge-in-dialog]
TEST_F(ReferTransfer, AChallengeIsAnswered) {
  const auto asked = refer();
  const auto first = trunk->take_request(Method::refer);
  auto challenge = sip::make_response(first->request, 401, "peer-tag");
  challenge.add(HeaderName::www_authenticate,
                "Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");
  trunk->respond(*first, std::move(challenge));
  world.settle();
  const auto again = accept_refer();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->request.header(HeaderName::authorization));
  const auto sequence = std::to_string(sip::cseq_of(again->request).number);
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated", "refer;id=" + sequence), 200);
  EXPECT_TRUE(world.reply<CallView>(asked));
  ended(*trunk);
  ended(*alice);
  wind_up();
}

TEST_F(ReferTransfer, AChallengeOfTheCarrierThatCalledUsIsAnsweredToo) {
  trunk->dialog.reset();
  const auto call = trunk->invite("1001", "+4930123456", trunk_sdp());
  world.settle();
  alice->respond(*alice->take_request(Method::invite), 200, browser_answer());
  world.settle();
  trunk->ack(*trunk->take_response(200, call));
  world.settle();
  const std::string inbound = world.observed<CallStarted>().back().call.name;
  const auto asked = transfer("5552000", TransferMode::refer,
                              {inbound, world.observed<CallAnswered>().back().call.legs[0].id});
  const auto first = trunk->take_request(Method::refer);
  ASSERT_TRUE(first);
  auto challenge = sip::make_response(first->request, 407, "peer-tag");
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");
  trunk->respond(*first, std::move(challenge));
  world.settle();
  const auto again = accept_refer();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->request.header(HeaderName::proxy_authorization));
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated"), 200);
  EXPECT_TRUE(world.reply<CallView>(asked));
}

// RFC 3515 §2.4.6: id tells the REFERs of a dialog apart [refer-out]
// RFC 3515 §2.4.6: an old NOTIFY is not taken for a new one [race-second-refer]
TEST_F(ReferTransfer, TheOutcomeOfAnEarlierReferIsNotThatOfALaterOne) {
  const auto given_up =
      transfer("5552000", TransferMode::refer, carrier_leg(), std::optional<Duration>(seconds{20}));
  const auto earlier = accept_refer();
  world.pass(seconds{31});
  ASSERT_TRUE(world.reply<Failure>(given_up));
  const auto asked = refer("5553000");
  const auto later = accept_refer();
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated;reason=noresource"), 481) << "of which one?";
  const auto id = [](const auto& request) {
    return "refer;id=" + std::to_string(sip::cseq_of(request->request).number);
  };
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated;reason=noresource", id(earlier)), 481);
  EXPECT_FALSE(world.replied(asked));
  EXPECT_EQ(notify("SIP/2.0 404 Not Found", "terminated;reason=noresource", id(later)), 200);
  EXPECT_EQ(failure(asked), 404);
  expect_untouched();
  wind_up();
}

TEST_F(ReferTransfer, ThatAnEarlierReferHadNoAnswerSaysNothingOfALaterOne) {
  const auto first = transfer("75552000", TransferMode::automatic, carrier_leg());
  ASSERT_TRUE(trunk->take_request(Method::refer));
  world.pass(seconds{6});
  trunk->respond(*trunk->take_request(Method::invite), 486);
  world.settle();
  EXPECT_EQ(failure(first), 486);
  world.pass(seconds{20});
  const auto asked = refer();
  const auto accepted = accept_refer();
  ASSERT_TRUE(accepted);
  world.pass(seconds{10});  // the first is given up by its transaction
  const auto id = "refer;id=" + std::to_string(sip::cseq_of(accepted->request).number);
  EXPECT_EQ(notify("SIP/2.0 486 Busy Here", "terminated", id), 200);
  EXPECT_EQ(failure(asked), 486);
  expect_untouched();
  wind_up();
}

TEST_F(ReferTransfer, ANotifyProvesThatTheReferCame) {
  const auto asked = refer();
  ASSERT_TRUE(trunk->take_request(Method::refer));
  EXPECT_EQ(notify("SIP/2.0 100 Trying", "active;expires=60"), 200);
  world.pass(seconds{33});  // its 202 never comes
  EXPECT_FALSE(world.replied(asked));
  EXPECT_EQ(notify("SIP/2.0 486 Busy Here", "terminated"), 200);
  EXPECT_EQ(failure(asked), 486);
  expect_untouched();
  wind_up();
}

TEST_F(ReferTransfer, AnAnswerOf481EndsTheCall) {
  const auto asked = refer();
  trunk->respond(*trunk->take_request(Method::refer), 481);
  world.settle();
  ASSERT_TRUE(world.reply<Failure>(asked));
  EXPECT_EQ(world.reply<Failure>(asked)->reason, EndReason::dialog_lost);
  ended(*alice);
  wind_up();
}

TEST_F(ReferTransfer, TargetsAreWrittenAsTheyAreMeant) {
  const auto refer_to = [&](const std::string& target, const LegName& on, Peer& peer) {
    transfer(target, TransferMode::refer, on);
    const auto request = peer.take_request(Method::refer);
    EXPECT_TRUE(request) << target;
    if (!request) return std::string{};
    peer.respond(*request, 603);
    world.settle();
    return header(*request, HeaderName::refer_to);
  };
  EXPECT_EQ(refer_to("user:bob", carrier_leg(), *trunk), "<sip:bob@example.test>");
  EXPECT_EQ(refer_to("sip:carol@example.org;user=phone", carrier_leg(), *trunk),
            "<sip:carol@example.org;user=phone>");
  EXPECT_EQ(refer_to("tel:+15552000", carrier_leg(), *trunk), "<tel:+15552000>");
  EXPECT_EQ(refer_to("+1555#2", carrier_leg(), *trunk), "<sip:+1555%232@192.0.2.9:5060>");
  EXPECT_EQ(refer_to("5552000", alices_leg(), *alice), "<sip:5552000@example.test>");
}

struct ReferOverTcp : ReferTransfer {
  void SetUp() override {
    world.use_tcp();
    ReferTransfer::SetUp();
  }
};

// RFC 3261 §19.1.1: without transport, who dials the URI would do it by UDP
TEST_F(ReferOverTcp, TheTargetIsReachedAsTheTrunkItself) {
  refer();
  const auto request = trunk->take_request(Method::refer);
  ASSERT_TRUE(request);
  EXPECT_EQ(header(*request, HeaderName::refer_to), "<sip:5552000@192.0.2.9:5060;transport=tcp>");
}

TEST_F(ReferTransfer, WhatIsNoTargetIsRefused) {
  for (const std::string& target :
       {std::string(), std::string("a b"), std::string("x\r\nEvil: 1"), std::string(300, '5'),
        std::string("service:echo"), std::string("echo"), std::string("user:"),
        std::string("trunk:nosuch"), std::string("sip:"), std::string("sip:example.org"),
        std::string("sip:a@b?Replaces=1"), std::string("sip:a%0d%0ab@c")}) {
    const auto refused = world.reply<Refusal>(refer(target));
    ASSERT_TRUE(refused) << target;
    EXPECT_EQ(refused->field, "target") << target;
  }
  EXPECT_EQ(world.reply<Refusal>(refer("a b"))->message, "must be 1 to 256 printable characters");
  for (const auto* service : {"service:policy", "service:nosuch"}) {
    const auto refused =
        world.reply<Refusal>(transfer(service, TransferMode::gateway, carrier_leg()));
    ASSERT_TRUE(refused) << service;
    EXPECT_EQ(refused->field, "target") << service;
  }
  EXPECT_FALSE(trunk->take_request(Method::refer));
  EXPECT_THAT(world.observed<CallTransferred>(), IsEmpty());
  EXPECT_EQ(refusal(transfer("5552000", TransferMode::refer, {call_name(), "77"})),
            "LEG_NOT_FOUND");
}

TEST_F(ReferTransfer, ATrunkOfOursIsNoTargetForAPeer) {
  EXPECT_EQ(world.reply<Refusal>(refer("trunk:carrier"))->field, "target");
  transfer("trunk:carrier", TransferMode::automatic, carrier_leg());
  EXPECT_FALSE(trunk->take_request(Method::refer));
  const auto invite = trunk->take_request(Method::invite);
  ASSERT_TRUE(invite) << "by a leg of ours it is one";
  EXPECT_EQ(invite->request.request_uri(), "sip:5551000@192.0.2.9:5060");
}

TEST_F(ReferTransfer, OneAtATime) {
  refer();
  EXPECT_EQ(refusal(refer()), "OPERATION_IN_PROGRESS");
  EXPECT_EQ(refusal(world.ask(HoldCall{carrier_leg()})), "OPERATION_IN_PROGRESS");
  trunk->respond(*trunk->take_request(Method::refer), 603);
  world.settle();
  world.ask(HoldCall{carrier_leg()});
  EXPECT_EQ(refusal(refer()), "OPERATION_IN_PROGRESS");
}

// ---------------------------------------------------------------- automatic

struct AutomaticTransfer : TransferCase {
  RequestId to_number() { return transfer("75552000", TransferMode::automatic, carrier_leg()); }
  /// The call that the gateway makes itself, answered; the carrier has two dialogs now.
  void answer_ours() {
    const auto invite = trunk->take_request(Method::invite);
    ASSERT_TRUE(invite);
    trunk->respond(*invite, 200, trunk_sdp());
    world.settle();
  }
};

TEST_F(AutomaticTransfer, APeerThatRefersIsAskedTo) {
  const auto asked = to_number();
  ASSERT_TRUE(accept_refer());
  EXPECT_EQ(notify("SIP/2.0 100 Trying", "active;expires=60"), 200);
  world.pass(seconds{20});
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "it was accepted";
  notify("SIP/2.0 200 OK", "terminated");
  EXPECT_TRUE(world.reply<CallView>(asked));
  ended(*trunk);
  ended(*alice);
  wind_up();
}

TEST_F(AutomaticTransfer, ARefusedReferFallsBack) {
  const auto asked = to_number();
  trunk->respond(*trunk->take_request(Method::refer), 603);
  world.settle();
  answer_ours();
  ASSERT_TRUE(world.reply<CallView>(asked));
  EXPECT_TRUE(ended(*alice));
  EXPECT_THAT(world.observed<CallTransferred>(), SizeIs(1));
  wind_up();
}

TEST_F(AutomaticTransfer, ASilentReferFallsBackAfterAWhile) {
  const auto asked = to_number();
  const auto refer = trunk->take_request(Method::refer);
  world.pass(seconds{4});
  EXPECT_FALSE(trunk->take_request(Method::invite));
  world.pass(seconds{2});
  answer_ours();
  EXPECT_TRUE(world.reply<CallView>(asked));
  world.pass(seconds{40});
  EXPECT_EQ(world.engine->calls(), 1U) << "the REFER that nobody answered ends nothing";
  ended(*alice);
  wind_up();
}

TEST_F(AutomaticTransfer, AnAcceptanceThatComesLateTakesOurOwnCallBack) {
  const auto asked = to_number();
  const auto refer = trunk->take_request(Method::refer);
  world.pass(seconds{6});
  const auto invite = trunk->take_request(Method::invite);
  ASSERT_TRUE(invite);
  trunk->respond(*invite, 180);
  world.settle();
  trunk->respond(*refer, 202);
  world.settle();
  EXPECT_THAT(trunk->cancels, SizeIs(1));
  trunk->respond(*invite, 487);
  world.settle();
  EXPECT_FALSE(world.replied(asked));
  notify("SIP/2.0 200 OK", "terminated");
  EXPECT_TRUE(world.reply<CallView>(asked));
  ended(*trunk);
  ended(*alice);
  wind_up();
}

TEST_F(AutomaticTransfer, AnAcceptedReferOfWhichNothingIsToldFallsBack) {
  const auto asked = to_number();
  const auto refer = accept_refer();
  ASSERT_TRUE(refer);
  world.pass(seconds{9});
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "the first NOTIFY may still come";
  world.pass(seconds{2});
  answer_ours();
  EXPECT_TRUE(world.reply<CallView>(asked));
  EXPECT_TRUE(ended(*alice));
  EXPECT_THAT(world.observed<CallTransferred>(), SizeIs(1));
  wind_up();
}

TEST_F(AutomaticTransfer, AReferOfWhichSomethingIsToldIsWaitedFor) {
  const auto asked = to_number();
  accept_refer();
  EXPECT_EQ(notify("SIP/2.0 100 Trying", "active;expires=60"), 200);
  world.pass(seconds{60});
  EXPECT_FALSE(trunk->take_request(Method::invite));
  EXPECT_FALSE(world.replied(asked));
  EXPECT_EQ(notify("SIP/2.0 200 OK", "terminated"), 200);
  EXPECT_TRUE(world.reply<CallView>(asked));
  ended(*trunk);
  ended(*alice);
  wind_up();
}

TEST_F(AutomaticTransfer, ASubscriptionThatEndsWithoutAnOutcomeFallsBack) {
  const auto asked = to_number();
  accept_refer();
  EXPECT_EQ(notify("SIP/2.0 100 Trying", "terminated;reason=timeout"), 200);
  answer_ours();
  EXPECT_TRUE(world.reply<CallView>(asked));
  ended(*alice);
  wind_up();
}

TEST_F(AutomaticTransfer, APeerThatLeavesWhileOursRingsHasTakenTheCallOver) {
  const auto asked = to_number();
  accept_refer();
  world.pass(seconds{11});
  const auto invite = trunk->take_request(Method::invite);
  ASSERT_TRUE(invite);
  trunk->respond(*invite, 180);
  world.settle();
  trunk->send_in_dialog(Method::bye);
  world.settle();
  const auto view = world.reply<CallView>(asked);
  ASSERT_TRUE(view) << "it had accepted the REFER";
  EXPECT_EQ(view->end->reason, EndReason::transferred);
  EXPECT_THAT(trunk->cancels, SizeIs(1));
  trunk->respond(*invite, 487);
  EXPECT_TRUE(ended(*alice));
  wind_up();
}

TEST_F(AutomaticTransfer, AFailureOfTheTargetIsNotTriedAgain) {
  const auto asked = to_number();
  accept_refer();
  notify("SIP/2.0 486 Busy Here", "terminated");
  EXPECT_EQ(failure(asked), 486);
  world.pass(seconds{10});
  EXPECT_FALSE(trunk->take_request(Method::invite));
  expect_untouched();
  wind_up();
}

TEST_F(AutomaticTransfer, WhatThePeerCannotReachIsCalledByUs) {
  transfer("user:bob", TransferMode::automatic, carrier_leg());
  EXPECT_FALSE(trunk->take_request(Method::refer));
  ASSERT_TRUE(bob->take_request(Method::invite));
}

TEST_F(AutomaticTransfer, AnotherTrunksNumberIsCalledByUs) {
  transfer("85552000", TransferMode::automatic, carrier_leg());
  EXPECT_FALSE(trunk->take_request(Method::refer));
  ASSERT_TRUE(second->take_request(Method::invite));
}

TEST_F(AutomaticTransfer, ABrowserIsNotAsked) {
  transfer("75552000", TransferMode::automatic, alices_leg());
  EXPECT_FALSE(alice->take_request(Method::refer));
  ASSERT_TRUE(trunk->take_request(Method::invite));
}

TEST_F(AutomaticTransfer, ANumberThatOnlyThePeerKnowsIsLeftToIt) {
  const auto asked = transfer("5552000", TransferMode::automatic, carrier_leg());
  trunk->respond(*trunk->take_request(Method::refer), 405);
  world.settle();
  EXPECT_EQ(failure(asked), 405) << "there is no other way";
  expect_untouched();
}

/// What the carrier lists in Allow decides whether it is asked.
struct ListedMethods : testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(ListedMethods, DecideWhetherThePeerIsAsked) {
  const auto [allow, asked] = GetParam();
  World world;
  world.settings.routes.push_back({"any", "^7[0-9]+$", "trunk:carrier"});
  world.restart();
  Peer& trunk = world.trunk();
  trunk.allow = allow;
  Peer& alice = world.registered("alice", 100000);
  const auto call =
      world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
  trunk.respond(*trunk.take_request(Method::invite), 200, trunk_sdp());
  world.settle();
  alice.ack(*alice.take_response(200, call));
  world.settle();
  world.ask(TransferCall{
      {world.observed<CallStarted>()[0].call.name, {}}, "75552000", TransferMode::automatic, {}});
  EXPECT_EQ(trunk.take_request(Method::refer).has_value(), asked);
  EXPECT_EQ(trunk.take_request(Method::invite).has_value(), !asked);
}

INSTANTIATE_TEST_SUITE_P(Allow, ListedMethods,
                         testing::Values(std::pair{"INVITE, ACK, BYE, CANCEL", false},
                                         std::pair{"INVITE, ACK, BYE, CANCEL, REFER", true},
                                         // Without Allow nothing is known (RFC 3261 §20.5).
                                         std::pair{"", true}));

}  // namespace
}  // namespace trunkline::call::simulation
