#include "referred_fixture.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// REFER from a page or a trunk: the gateway calls whom it names, and tells how that goes.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

using ReferIn = ReferredCase;
constexpr std::string_view kBob = "<sip:bob@example.test>";

// RFC 3515 §2.4.4: the first NOTIFY comes at once, the others with what really happens
// [refer-notify]
// RFC 5589 §6.1: the BYE comes after the answer to the last NOTIFY [refer-notify-first]
// RFC 5589 §6.1: not microseconds after the NOTIFY itself [race-notify-before-bye]
TEST_F(ReferIn, APageMovesTheOtherPartyAndHearsHowItGoes) {
  EXPECT_EQ(refer(*alice, kBob), 202);
  EXPECT_THAT(std::string(last->response.header(HeaderName::contact).value_or("")),
              HasSubstr("trunkline@example.test"));
  EXPECT_EQ(told(*alice), "SIP/2.0 100 Trying | active;expires=220");
  EXPECT_EQ(event(), "refer");
  EXPECT_EQ(header(*notify_, HeaderName::content_type), "message/sipfrag;version=2.0");
  EXPECT_THAT(header(*notify_, HeaderName::contact), HasSubstr("trunkline@example.test"));
  ring(*bob);
  EXPECT_EQ(told(*alice), "SIP/2.0 180 Ringing | active;expires=220");
  ring(*bob);
  EXPECT_EQ(told(*alice), "") << "nothing is new";
  answer(*bob, browser_answer());
  const auto last_notify = alice->take_request(Method::notify);
  ASSERT_TRUE(last_notify);
  EXPECT_EQ(told_by(*last_notify), kSuccess);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  // RFC 5589 §6.1: the referrer hears of the success before it is released.
  EXPECT_FALSE(alice->take_request(Method::bye));
  alice->respond(*last_notify, 200);
  world.settle();
  const auto bye = ended(*alice);
  ASSERT_TRUE(bye);
  EXPECT_THAT(header(*bye, HeaderName::reason), HasSubstr("Call transferred"));
  EXPECT_FALSE(trunk->take_request(Method::bye));
  const auto transferred = world.observed<CallTransferred>();
  ASSERT_THAT(transferred, SizeIs(1));
  EXPECT_FALSE(transferred[0].failure);
  EXPECT_EQ(transferred[0].target, "sip:bob@example.test");
  wind_up();
}

TEST_F(ReferIn, ATrunkMovesThePage) {
  EXPECT_EQ(refer(*trunk, "<sip:85552000@192.0.2.1:5060>"), 202);
  EXPECT_EQ(told(*trunk), "SIP/2.0 100 Trying | active;expires=220");
  const auto invite = second->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->request.request_uri(), "sip:85552000@203.0.113.66:5060");
  EXPECT_FALSE(invite->request.header(HeaderName::refer_to));
  second->respond(*invite, 200, trunk_sdp(), "answer-tag");
  world.settle();
  EXPECT_EQ(told(*trunk), kSuccess);
  EXPECT_TRUE(bye_came(*trunk));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:second", "user:alice"}));
  wind_up();
}

// RFC 3515 §2.4.5: the last NOTIFY tells the real outcome [refer-notify]
TEST_F(ReferIn, AFailureIsToldAndTheCallIsAsItWas) {
  EXPECT_EQ(refer(*alice, kBob), 202);
  told(*alice);
  bob->respond(*bob->take_request(Method::invite), 486);
  world.settle();
  EXPECT_EQ(told(*alice), "SIP/2.0 486 Busy Here | terminated;reason=noresource");
  EXPECT_THAT(world.observed<CallTransferred>(), SizeIs(1));
  expect_untouched();
  wind_up();
}

TEST_F(ReferIn, ATargetThatNeverAnswersIsGivenUp) {
  EXPECT_EQ(refer(*alice, kBob), 202);
  told(*alice);
  ring(*bob);
  told(*alice);
  world.pass(seconds{181});
  EXPECT_EQ(told(*alice), "SIP/2.0 480 Temporarily Unavailable | terminated;reason=noresource");
  ASSERT_THAT(bob->cancels, SizeIs(1));
  expect_untouched();
  wind_up();
}

// RFC 3515 §2.4.1: a REFER has exactly one Refer-To [refer-in]
TEST_F(ReferIn, NotExactlyOneReferToIs400) {
  EXPECT_EQ(refer(*alice, {}), 400);
  EXPECT_EQ(refer(*alice, kBob, {{HeaderName::refer_to, std::string(kBob)}}), 400);
  EXPECT_EQ(refer(*alice, "<sip:bob@example.test>, <sip:carol@example.test>"), 400);
  EXPECT_EQ(refer(*alice, "*"), 400);
  EXPECT_EQ(refer(*alice, "nonsense <"), 400);
  expect_untouched();
  wind_up();
}

TEST_F(ReferIn, WhatNobodyCouldCallIsRefused) {
  EXPECT_EQ(refer(*alice, "<http://example.test/>"), 416);
  EXPECT_EQ(refer(*alice, "<sip:5552000@elsewhere.test>"), 403) << "no host of ours";
  EXPECT_EQ(refer(*alice, "<sip:5552000@127.0.0.1>"), 403);
  EXPECT_EQ(refer(*alice, "<sip:bob@example.test;method=BYE>"), 403);
  EXPECT_EQ(refer(*alice, kBob, {{HeaderName::require, "precondition"}}), 420);
  EXPECT_FALSE(alice->take_request(Method::notify)) << "none of them is a subscription";
  expect_untouched();
  wind_up();
}

TEST_F(ReferIn, AReferrerReachesWhomItCouldCallItself) {
  EXPECT_EQ(refer(*trunk, kBob), 202) << "users are for users";
  EXPECT_EQ(told(*trunk), "SIP/2.0 100 Trying | active;expires=220");
  EXPECT_EQ(told(*trunk), "SIP/2.0 404 Not Found | terminated;reason=noresource");
  EXPECT_FALSE(bob->take_request(Method::invite));
  EXPECT_EQ(refer(*alice, "<sip:12@example.test>"), 202);
  told(*alice);
  EXPECT_THAT(told(*alice), StartsWith("SIP/2.0 404"));
  for (const std::string_view named :
       {"<tel:5552000>", "<sip:5552000@192.0.2.9:5060>", "<sip:5552000@192.0.2.1>"}) {
    EXPECT_EQ(refer(*alice, named), 202) << named;
    told(*alice);
    const auto invite = trunk->take_request(Method::invite);
    ASSERT_TRUE(invite) << named;
    EXPECT_EQ(invite->request.request_uri(), "sip:5552000@192.0.2.9:5060");
    trunk->respond(*invite, 486, {}, "other-tag");
    world.settle();
    EXPECT_THAT(told(*alice), StartsWith("SIP/2.0 486"));
  }
  expect_untouched();
  wind_up();
}

// RFC 4488 §4: Refer-Sub: false makes no subscription, and is confirmed [refer-sub]
TEST_F(ReferIn, WithoutASubscriptionNobodyIsTold) {
  EXPECT_EQ(
      refer(*alice, kBob, {{HeaderName::refer_sub, "false"}, {HeaderName::require, "norefersub"}}),
      202);
  EXPECT_EQ(last->response.header(HeaderName::refer_sub), "false");
  answer(*bob, browser_answer());
  EXPECT_FALSE(alice->take_request(Method::notify));
  EXPECT_TRUE(bye_came(*alice));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  wind_up();
}

// RFC 3515 §2.4.6: from the second REFER on an id tells them apart [race-second-refer]
TEST_F(ReferIn, TheSecondOneIsToldOfWithAnId) {
  refer(*alice, kBob);
  told(*alice);
  EXPECT_EQ(event(), "refer");
  bob->respond(*bob->take_request(Method::invite), 486);
  world.settle();
  told(*alice);
  EXPECT_EQ(refer(*alice, kBob), 202);
  told(*alice);
  EXPECT_EQ(event(), "refer;id=" + std::to_string(sequence));
  answer(*bob, browser_answer());
  EXPECT_EQ(told(*alice), kSuccess);
  EXPECT_EQ(event(), "refer;id=" + std::to_string(sequence));
  EXPECT_TRUE(bye_came(*alice));
  wind_up();
}

TEST_F(ReferIn, OneAtATime) {
  EXPECT_EQ(refer(*alice, kBob), 202);
  EXPECT_EQ(refer(*alice, "<sip:5553000@example.test>"), 491);
  EXPECT_EQ(refer(*trunk, "<sip:85552000@192.0.2.1>"), 491);
  EXPECT_EQ(refusal(transfer("5552000", TransferMode::gateway, carrier_leg())),
            "OPERATION_IN_PROGRESS");
  told(*alice);
  bob->respond(*bob->take_request(Method::invite), 603);
  world.settle();
  told(*alice);
  expect_untouched();
  wind_up();
}

TEST_F(ReferIn, OneNotifyIsOnItsWayAtATime) {
  refer(*alice, kBob);
  const auto trying = alice->take_request(Method::notify);
  ASSERT_TRUE(trying);
  ring(*bob, 180);
  ring(*bob, 183);
  EXPECT_FALSE(alice->take_request(Method::notify));
  alice->respond(*trying, 200);
  world.settle();
  EXPECT_THAT(told(*alice), StartsWith("SIP/2.0 183")) << "the newest state alone";
  answer(*bob, browser_answer());
  EXPECT_EQ(told(*alice), kSuccess);
  EXPECT_TRUE(bye_came(*alice));
  wind_up();
}

// RFC 5589 §6.1: a referrer that hangs up after the 202 ends no transfer [refer-notify-first]
// RFC 5589 §6.1: it ends its own dialog alone [race-referrer-leaves]
TEST_F(ReferIn, AReferrerThatHangsUpEarlyGetsItsTransferAllTheSame) {
  refer(*alice, kBob);
  told(*alice);
  const auto bye = alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(alice->take_response(200, bye)->response.status(), 200);
  EXPECT_FALSE(trunk->take_request(Method::bye));
  EXPECT_EQ(world.engine->calls(), 1U);
  answer(*bob, browser_answer());
  EXPECT_EQ(told(*alice, 481), kSuccess) << "what BYE ends is the session";
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  EXPECT_FALSE(bye_came(*alice));
  wind_up();
}

TEST_F(ReferIn, AReferrerThatHungUpAndATargetThatRefusesLeaveNoCall) {
  refer(*alice, kBob);
  told(*alice);
  alice->send_in_dialog(Method::bye);
  world.settle();
  bob->respond(*bob->take_request(Method::invite), 486);
  world.settle();
  told(*alice, 481);
  EXPECT_TRUE(bye_came(*trunk));
  ASSERT_THAT(world.observed<CallEnded>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::hangup);
  wind_up();
}

TEST_F(ReferIn, AReferrerThatHungUpGivesItsPlaceOnTheTrunkBackOnce) {
  const auto places = [this] {
    return world.reply<TrunkViews>(world.ask(ListTrunks{}))->all[0].calls;
  };
  ASSERT_EQ(refer(*trunk, "<sip:7552000@192.0.2.1:5060>"), 202);
  told(*trunk);
  const auto invite = trunk->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(places(), 2U);
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(places(), 1U);
  trunk->respond(*invite, 200, trunk_sdp(), "answer-tag");
  world.settle();
  EXPECT_EQ(told(*trunk, 481), kSuccess);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice"}));
  EXPECT_EQ(places(), 1U);
  wind_up();
}

TEST_F(ReferIn, APartyAloneMayStillReoffer) {
  refer(*alice, kBob);
  told(*alice);
  alice->send_in_dialog(Method::bye);
  world.settle();
  const auto reinvite =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendonly", ++version));
  world.settle();
  const auto response = trunk->take_response(200, reinvite);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.status(), 200);
  trunk->ack(*response);
  answer(*bob, browser_answer());
  told(*alice, 481);
  wind_up();
}

// RFC 6665 §4.2.2: 481 to a NOTIFY ends the subscription, and nothing else
TEST_F(ReferIn, ARefusedNotifyEndsTheSubscription) {
  refer(*alice, kBob);
  told(*alice, 481);
  ring(*bob);
  EXPECT_FALSE(alice->take_request(Method::notify));
  answer(*bob, browser_answer());
  EXPECT_FALSE(alice->take_request(Method::notify));
  EXPECT_TRUE(bye_came(*alice));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  wind_up();
}

TEST_F(ReferIn, ByeFollowsANotifyThatIsNeverAnswered) {
  refer(*trunk, "<sip:85552000@192.0.2.1>");
  told(*trunk);
  answer(*second, trunk_sdp());
  ASSERT_TRUE(trunk->take_request(Method::notify));
  EXPECT_FALSE(bye_came(*trunk));
  world.pass(seconds{33});
  EXPECT_TRUE(bye_came(*trunk));
  wind_up();
}

TEST_F(ReferIn, AByeThatCrossesTheLastNotifyEndsTheLeg) {
  refer(*alice, kBob);
  told(*alice);
  answer(*bob, browser_answer());
  const auto notify = alice->take_request(Method::notify);
  ASSERT_TRUE(notify);
  const auto bye = alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(alice->take_response(200, bye)->response.status(), 200);
  alice->respond(*notify, 200);
  world.settle();
  EXPECT_FALSE(bye_came(*alice));
  wind_up();
}

TEST_F(ReferIn, TheOtherPartyHangsUpMeanwhile) {
  refer(*alice, kBob);
  told(*alice);
  ring(*bob);
  told(*alice);
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_THAT(bob->cancels, SizeIs(1));
  EXPECT_FALSE(bye_came(*alice)) << "it is told first";
  EXPECT_THAT(told(*alice), StartsWith("SIP/2.0 487"));
  EXPECT_TRUE(bye_came(*alice));
  wind_up();
}

// RFC 3515 §2.4.2: a REFER in a call that has no far leg yet is answered [race-refer-one-legged]
TEST_F(ReferIn, WhoIsAloneInItsCallYetCanNotSendAnybodyOn) {
  CreateCall made;
  made.from = "user:bob";
  made.to = "75557000";
  ASSERT_TRUE(world.reply<CallView>(world.ask(made)));
  const auto first = bob->take_request(Method::invite);
  ASSERT_TRUE(first);
  bob->respond(*first, 200, browser_answer());
  world.settle();
  EXPECT_EQ(refer(*bob, "<sip:5552000@example.test>"), 491);
  const auto second_leg = trunk->take_request(Method::invite);
  ASSERT_TRUE(second_leg);
  trunk->respond(*second_leg, 486, {}, "busy");
  world.settle();
  EXPECT_TRUE(bye_came(*bob));
  wind_up();
}

TEST_F(ReferIn, NorCanACallerBeforeTheAnswer) {
  const auto first = bob->invite("5557000", "bob", kBrowserOffer);
  const auto call = world.answer_challenge(*bob, first, "bob");
  const auto rings = trunk->take_request(Method::invite);
  ASSERT_TRUE(rings);
  trunk->respond(*rings, 180, {}, "rings");
  world.settle();
  const auto ringing = bob->take_response(180, call);
  ASSERT_TRUE(ringing);
  bob->dialog = *sip::Dialog::as_uac(bob->sent.at(call), ringing->response);
  EXPECT_EQ(refer(*bob, "<sip:5552000@example.test>"), 491);
  bob->cancel(call);
  world.settle();
  trunk->respond(*rings, 487, {}, "rings");
  world.settle();
  wind_up();
}

// RFC 3515 §2.4.2: a REFER in a call with a service is answered [race-refer-one-legged]
TEST_F(ReferIn, AServiceCanNotBeSentOn) {
  const auto first = bob->invite("echo", "bob", kBrowserOffer);
  const auto call = world.answer_challenge(*bob, first, "bob");
  const auto response = bob->take_response(200, call);
  ASSERT_TRUE(response);
  bob->ack(*response);
  world.settle();
  EXPECT_EQ(refer(*bob, "<sip:5552000@example.test>"), 603);
  wind_up();
}

TEST_F(ReferIn, APartyIsConnectedWithAService) {
  EXPECT_EQ(refer(*alice, "<sip:echo@example.test>"), 202);
  told(*alice);
  EXPECT_EQ(told(*alice), kSuccess);
  EXPECT_TRUE(bye_came(*alice));
  EXPECT_EQ(world.engine->calls(), 1U);
  wind_up();
}

// RFC 3515 §2.4.4: the referrer may unsubscribe; what it asked for is done
TEST_F(ReferIn, ItsSubscriptionIsRefreshedAndEnded) {
  const auto subscribe = [&](const std::string& package, std::string_view expires) {
    auto request = alice->dialog->request(Method::subscribe);
    request.add(HeaderName::event, package);
    request.add(HeaderName::expires, expires);
    const auto sent = alice->send(std::move(request));
    world.settle();
    return alice->take_response(200, sent)->response;
  };
  EXPECT_EQ(subscribe("refer", "60").status(), 481) << "there is none yet";
  EXPECT_EQ(subscribe("presence", "60").status(), 489);
  refer(*alice, kBob);
  told(*alice);
  const auto refreshed = subscribe("refer", "60");
  EXPECT_EQ(refreshed.status(), 200);
  EXPECT_EQ(refreshed.header(HeaderName::expires), "60");
  EXPECT_THAT(told(*alice), StartsWith("SIP/2.0 100 Trying | active"));
  EXPECT_EQ(subscribe("refer;id=77", "60").status(), 481);
  EXPECT_EQ(subscribe("refer", "0").status(), 200);
  EXPECT_EQ(told(*alice), "SIP/2.0 100 Trying | terminated;reason=timeout");
  answer(*bob, browser_answer());
  EXPECT_FALSE(alice->take_request(Method::notify));
  EXPECT_TRUE(bye_came(*alice));
  wind_up();
}

TEST_F(ReferIn, OutsideADialogItIsRefused) {
  auto request = sip::Message::request(Method::refer, "sip:alice@192.0.2.1");
  request.add(HeaderName::max_forwards, "70");
  request.add(HeaderName::from, "<sip:5551000@192.0.2.9>;tag=r");
  request.add(HeaderName::to, "<sip:alice@192.0.2.1>");
  request.add(HeaderName::call_id, "outside");
  request.add(HeaderName::cseq, "1 REFER");
  request.add(HeaderName::contact, "<sip:peer@192.0.2.9>");
  request.add(HeaderName::refer_to, "<sip:85552000@192.0.2.1>");
  const auto sent = trunk->send(std::move(request));
  world.settle();
  const auto response = trunk->take_response(200, sent);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.status(), 403);
  EXPECT_THAT(std::string(response->response.header(HeaderName::warning).value_or("")),
              HasSubstr("in a call only"));
  wind_up();
}

}  // namespace
}  // namespace trunkline::call::simulation
