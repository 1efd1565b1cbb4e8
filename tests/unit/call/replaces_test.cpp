#include "referred_fixture.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Replaces: in the Refer-To of an attended transfer, and in an INVITE.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

std::string replaces(std::string_view call_id, std::string_view to_tag, std::string_view from_tag) {
  return sip::Replaces{std::string(call_id), std::string(to_tag), std::string(from_tag), false}
      .text();
}

/// "<sip:bob@example.test?Replaces=…>" of a dialog as one of its sides sees it.
std::string attended(std::string_view call_id, std::string_view to_tag, std::string_view from_tag) {
  return "<sip:bob@example.test?Replaces=" + std::string(call_id) + "%3Bto-tag%3D" +
         std::string(to_tag) + "%3Bfrom-tag%3D" + std::string(from_tag) + ">";
}

std::string attended(const sip::Dialog& dialog) {
  return attended(dialog.call_id(), dialog.remote_tag(), dialog.local_tag());
}

struct ReplacesIn : ReferredCase {
  void SetUp() override {
    world.settings.routes.push_back({"trunk:second", "^1002$", "user:alice"});
    ReferredCase::SetUp();
  }
  /// Alice calls this peer too; her dialog with the gateway.
  std::optional<sip::Dialog> consult(const std::string& number, Peer& peer, std::string_view sdp) {
    const auto first = alice->invite(number, "alice", kBrowserOffer);
    const auto call = world.answer_challenge(*alice, first, "alice");
    const auto invite = peer.take_request(Method::invite);
    if (!invite) return std::nullopt;
    peer.respond(*invite, 200, sdp, "consulted");
    world.settle();
    const auto response = alice->take_response(200, call);
    if (!response) return std::nullopt;
    alice->ack(*response);
    world.settle();
    auto dialog = *sip::Dialog::as_uac(alice->sent.at(call), response->response);
    dialog.confirm(response->response);
    while (alice->take_response()) {
    }
    return dialog;
  }
  int byes_to_alice() {
    int count = 0;
    for (; ended(*alice); ++count) {
    }
    return count;
  }
  void expect_joined() {
    EXPECT_EQ(told(*alice), "SIP/2.0 100 Trying | active;expires=220");
    EXPECT_EQ(told(*alice), kSuccess);
    EXPECT_EQ(byes_to_alice(), 2);
    EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
    EXPECT_EQ(world.engine->calls(), 1U);
  }
  void expect_refused(std::string_view line) {
    told(*alice);
    EXPECT_THAT(told(*alice), StartsWith(std::string(line)));
    EXPECT_EQ(byes_to_alice(), 0);
  }

  /// An INVITE of this party with Replaces; its final status.
  int invite(Peer& from, std::string_view user, const std::vector<std::string>& named,
             std::string_view sdp = kBrowserOffer) {
    auto request = sip::Message::request(Method::invite, "sip:alice@example.test");
    const bool browser = is_websocket(from.self.transport);
    const std::string host = browser ? "abc.invalid;transport=ws" : from.self.remote.text();
    request.add(HeaderName::max_forwards, "69");
    request.add(HeaderName::from, "<sip:" + std::string(user) + "@example.test>;tag=new-tag");
    request.add(HeaderName::to, "<sip:alice@example.test>");
    request.add(HeaderName::call_id, "replacing-" + std::to_string(++invites));
    request.add(HeaderName::cseq, "10 INVITE");
    request.add(HeaderName::contact, "<sip:" + std::string(user) + "@" + host + ">");
    request.add(HeaderName::require, "replaces");
    for (const std::string& one : named)
      request.add(HeaderName::replaces, one);
    request.set_body("application/sdp", sdp);
    auto sent = from.send(std::move(request));
    if (browser) sent = world.answer_challenge(from, sent, std::string(user));
    world.settle();
    last = from.take_response(200, sent);
    return last ? last->response.status() : 0;
  }
  /// Of alice's leg in the first call, as a third party would be told by her.
  std::string of_alice() const {
    return replaces(alice->dialog->call_id(), alice->dialog->remote_tag(),
                    alice->dialog->local_tag());
  }
  int invites = 0;
};

// RFC 5589 §7.1: the dialog of the consultation names whom the other party is joined with
// [race-replaces-tags]
TEST_F(ReplacesIn, AnAttendedTransferJoinsTheTwoOthers) {
  const auto dialog = consult("bob", *bob, browser_answer());
  ASSERT_TRUE(dialog);
  EXPECT_EQ(refer(*alice, attended(*dialog)), 202);
  expect_joined();
  EXPECT_FALSE(bob->take_request(Method::invite) && trunk->take_request(Method::invite))
      << "no new call";
  wind_up();
}

TEST_F(ReplacesIn, TheTagsMayBeNamedFromTheOtherSide) {
  const auto dialog = consult("bob", *bob, browser_answer());
  ASSERT_TRUE(dialog);
  EXPECT_EQ(refer(*alice, attended(dialog->call_id(), dialog->local_tag(), dialog->remote_tag())),
            202);
  expect_joined();
  wind_up();
}

TEST_F(ReplacesIn, TheReferrerMayReferTheOtherWayRound) {
  const auto dialog = consult("bob", *bob, browser_answer());
  ASSERT_TRUE(dialog);
  const auto first = *alice->dialog;
  alice->dialog = *dialog;
  EXPECT_EQ(refer(*alice, attended(first)), 202) << "in the second call, naming the first";
  told(*alice);
  if (const auto aligned = bob->take_request(Method::invite)) {
    bob->respond(*aligned, 200, browser_answer());
    world.settle();
  }
  EXPECT_EQ(told(*alice), kSuccess);
  EXPECT_EQ(byes_to_alice(), 2);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  wind_up();
}

TEST_F(ReplacesIn, OneWhoHasCalledTheReferrerIsJoinedToo) {
  const auto call = second->invite("1002", "5559", trunk_sdp());
  world.settle();
  const auto invite = alice->take_request(Method::invite);
  ASSERT_TRUE(invite);
  alice->respond(*invite, 200, browser_answer(), "alice-2");
  world.settle();
  second->ack(*second->take_response(200, call));
  world.settle();
  EXPECT_EQ(refer(*alice, attended(sip::call_id_of(invite->request),
                                   sip::from_of(invite->request).tag(), "alice-2")),
            202);
  told(*alice);
  EXPECT_EQ(told(*alice), kSuccess);
  EXPECT_EQ(byes_to_alice(), 2);
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "trunk:second"}));
  const auto view = world.observed<CallTransferred>().back().call;
  EXPECT_EQ(view.to_number, "5551000");
  second->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(bye_came(*trunk));
  wind_up();
}

TEST_F(ReplacesIn, ADialogThatIsNotTheReferrersIsNotTouched) {
  const auto dialog = consult("bob", *bob, browser_answer());
  ASSERT_TRUE(dialog);
  EXPECT_EQ(refer(*alice, attended("nosuch", "a", "b")), 202);
  expect_refused("SIP/2.0 481");
  EXPECT_EQ(refer(*alice, attended(dialog->call_id(), dialog->remote_tag(), "wrong")), 202);
  expect_refused("SIP/2.0 481");
  EXPECT_EQ(refer(*alice, attended(*alice->dialog)), 202);
  expect_refused("SIP/2.0 481");
  EXPECT_EQ(refer(*alice, attended(bob->dialog->call_id(), bob->dialog->remote_tag(),
                                   bob->dialog->local_tag())),
            202);
  expect_refused("SIP/2.0 403");
  EXPECT_EQ(refer(*alice, "<sip:bob@example.test?Replaces=nothing>"), 400);
  EXPECT_EQ(world.engine->calls(), 2U);
  wind_up();
}

TEST_F(ReplacesIn, AConsultedPartyThatOnlyRingsIsNotJoined) {
  const auto first = alice->invite("bob", "alice", kBrowserOffer);
  const auto call = world.answer_challenge(*alice, first, "alice");
  ring(*bob);
  const auto ringing = alice->take_response(180, call);
  ASSERT_TRUE(ringing);
  const auto dialog = *sip::Dialog::as_uac(alice->sent.at(call), ringing->response);
  EXPECT_EQ(refer(*alice, attended(dialog)), 202);
  expect_refused("SIP/2.0 480");
  wind_up();
}

// RFC 3891 §3: the new dialog takes the place of the old one, which is ended by BYE [replaces]
TEST_F(ReplacesIn, AnotherDeviceOfTheUserTakesTheCallOver) {
  Peer& tablet = world.registered("alice", 100000, "i-2");
  ASSERT_EQ(invite(tablet, "alice", {of_alice()}), 200);
  tablet.ack(*last);
  world.settle();
  EXPECT_TRUE(bye_came(*alice));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice"}));
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "nothing has to be agreed anew";
  EXPECT_EQ(world.engine->calls(), 1U);
  EXPECT_FALSE(world.observed<CallTransferred>()[0].failure);
  tablet.send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(bye_came(*trunk));
  wind_up();
}

TEST_F(ReplacesIn, ATrunkTakesItsOwnDialogOver) {
  const auto& dialog = *trunk->dialog;
  const std::string named = replaces(dialog.call_id(), dialog.remote_tag(), dialog.local_tag());
  ASSERT_EQ(invite(*trunk, "5557000", {named}, trunk_sdp()), 200);
  auto old = *trunk->dialog;
  trunk->dialog.reset();
  trunk->ack(*last);
  world.settle();
  const auto bye = ended(*trunk);
  ASSERT_TRUE(bye);
  EXPECT_EQ(sip::call_id_of(bye->request), old.call_id());
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice"}));
  EXPECT_EQ(world.observed<CallTransferred>().back().call.to_number, "5557000");
  const auto views = world.reply<TrunkViews>(world.ask(ListTrunks{}));
  EXPECT_EQ(views->all[0].calls, 1U);
  wind_up();
}

TEST_F(ReplacesIn, WithoutAnOfferTheAnswerComesInTheAck) {
  Peer& tablet = world.registered("alice", 100000, "i-2");
  ASSERT_EQ(invite(tablet, "alice", {of_alice()}, {}), 200);
  EXPECT_THAT(std::string(last->response.body()), HasSubstr("m=audio"));
  EXPECT_FALSE(alice->take_request(Method::bye)) << "not before it can be heard";
  tablet.ack(*last, browser_answer());
  world.settle();
  EXPECT_TRUE(bye_came(*alice));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice"}));
  wind_up();
}

TEST_F(ReplacesIn, WithoutAnAckTheCallIsAsItWas) {
  Peer& tablet = world.registered("alice", 100000, "i-2");
  ASSERT_EQ(invite(tablet, "alice", {of_alice()}, {}), 200);
  world.pass(seconds{33});
  EXPECT_TRUE(bye_came(tablet));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice"}));
  EXPECT_FALSE(alice->take_request(Method::bye));
  EXPECT_FALSE(trunk->take_request(Method::bye));
  wind_up();
}

TEST_F(ReplacesIn, OneThatCanNotBeJoinedLeavesTheCallAsItWas) {
  const auto& dialog = *trunk->dialog;
  const std::string named = replaces(dialog.call_id(), dialog.remote_tag(), dialog.local_tag());
  EXPECT_EQ(invite(*trunk, "5557000", {named}, trunk_sdp("sendrecv", 1, "18 101")), 488);
  expect_untouched();
  wind_up(false);
}

// RFC 3891 §3: what is answered when no dialog can be replaced [replaces]
TEST_F(ReplacesIn, WhatCanNotBeReplacedIsRefused) {
  Peer& tablet = world.registered("alice", 100000, "i-2");
  EXPECT_EQ(invite(tablet, "alice", {"nosuch;to-tag=a;from-tag=b"}), 481);
  EXPECT_EQ(invite(tablet, "alice", {of_alice(), of_alice()}), 400);
  EXPECT_EQ(invite(tablet, "alice", {"nonsense"}), 400);
  EXPECT_EQ(invite(tablet, "alice", {of_alice() + ";early-only"}), 486);
  EXPECT_EQ(invite(*bob, "bob", {of_alice()}), 403) << "another user's";
  EXPECT_EQ(invite(*trunk, "5557000", {of_alice()}, trunk_sdp()), 403);
  expect_untouched();
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(invite(tablet, "alice", {of_alice()}), 603) << "it is over";
  bye_came(*trunk);
  wind_up();
}

/// The trunk calls alice, whose first device rings; a tablet of hers is there too, and rings.
struct PickUp : ReplacesIn {
  Peer* tablet = nullptr;
  sip::TransactionId call;
  std::optional<sip::RequestReceived> rings, beside;  ///< at alice's, at the tablet

  void SetUp() override {
    ReplacesIn::SetUp();
    alice->send_in_dialog(Method::bye);
    world.settle();
    bye_came(*trunk);
    trunk->dialog.reset();
    tablet = &world.registered("alice", 100000, "i-2");
  }
  void dial(std::string_view offer = trunk_sdp()) {
    call = trunk->invite("1001", "5559", offer);
    world.settle();
    rings = alice->take_request(Method::invite);
    ASSERT_TRUE(rings);
    alice->respond(*rings, 180, {}, "rings");
    beside = tablet->take_request(Method::invite);
    ASSERT_TRUE(beside);
    tablet->respond(*beside, 180, {}, "rings-too");
    world.settle();
  }
  std::string of_ringing() const {
    return replaces(sip::call_id_of(rings->request), sip::from_of(rings->request).tag(), "rings");
  }
  std::set<std::string> both() const { return {"trunk:carrier", "user:alice"}; }
};

// RFC 3891 §3: an early dialog that we began is replaced: 200 to the new INVITE, CANCEL to the old
// [replaces]
TEST_F(PickUp, AnotherDeviceAnswersForTheOneThatRings) {
  dial();
  Peer& third = world.browser("alice");
  ASSERT_EQ(invite(third, "alice", {of_ringing()}), 200);
  EXPECT_THAT(std::string(last->response.body()), HasSubstr("RTP/SAVPF 0"));
  third.ack(*last);
  world.settle();
  for (const Peer* ringing : {alice, tablet})
    ASSERT_THAT(ringing->cancels, SizeIs(1)) << ringing->name;
  EXPECT_THAT(std::string(alice->cancels[0].cancel.header(HeaderName::reason).value_or("")),
              HasSubstr("Call completed elsewhere"));
  const auto answer = trunk->take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("RTP/AVP 0"));
  trunk->ack(*answer);
  world.settle();
  EXPECT_EQ(talking(), both());
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(2));
  third.send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(bye_came(*trunk));
  wind_up();
}

TEST_F(PickUp, EarlyOnlyIsForThis) {
  dial();
  ASSERT_EQ(invite(*tablet, "alice", {of_ringing() + ";early-only"}), 200);
  tablet->ack(*last);
  world.settle();
  trunk->ack(*trunk->take_response(200, call));
  world.settle();
  EXPECT_EQ(talking(), both());
  wind_up();
}

TEST_F(PickUp, OneThatHasAnsweredMeanwhileIsReplacedAsInACall) {
  dial();
  alice->dialog.reset();
  alice->respond(*rings, 200, browser_answer(), "rings");
  ASSERT_EQ(invite(*tablet, "alice", {of_ringing()}), 200);
  tablet->ack(*last);
  trunk->ack(*trunk->take_response(200, call));
  world.settle();
  EXPECT_TRUE(bye_came(*alice));
  EXPECT_EQ(talking(), both());
  wind_up();
}

TEST_F(PickUp, A200AfterTheCancelIsAcknowledgedAndEnded) {
  dial();
  alice->silent = true;  // the CANCEL is on its way
  ASSERT_EQ(invite(*tablet, "alice", {of_ringing()}), 200);
  alice->silent = false;
  tablet->ack(*last);
  alice->dialog.reset();
  alice->respond(*rings, 200, browser_answer(), "rings");
  world.settle();
  EXPECT_TRUE(bye_came(*alice));
  trunk->ack(*trunk->take_response(200, call));
  world.settle();
  EXPECT_EQ(talking(), both());
  wind_up();
}

TEST_F(PickUp, WithoutAnOfferTheAnswerComesInTheAck) {
  dial();
  ASSERT_EQ(invite(*tablet, "alice", {of_ringing()}, {}), 200);
  EXPECT_THAT(std::string(last->response.body()), HasSubstr("m=audio"));
  EXPECT_THAT(alice->cancels, SizeIs(1));
  tablet->ack(*last, browser_answer());
  world.settle();
  trunk->ack(*trunk->take_response(200, call));
  world.settle();
  EXPECT_EQ(talking(), both());
  wind_up();
}

TEST_F(PickUp, WithoutAnAckTheCallEnds) {
  dial();
  ASSERT_EQ(invite(*tablet, "alice", {of_ringing()}, {}), 200);
  const auto answer = trunk->take_response(200, call);
  ASSERT_TRUE(answer);
  trunk->ack(*answer);
  world.pass(seconds{33});
  EXPECT_TRUE(bye_came(*tablet));
  EXPECT_TRUE(bye_came(*trunk));
  wind_up();
}

// RFC 3891 §3: what can't be accepted leaves the replaced dialog as it is [replaces]
TEST_F(PickUp, OneThatSharesNoCodecLeavesTheOthersRinging) {
  dial(trunk_sdp("sendrecv", 1, "8 101"));
  std::string other(kBrowserOffer);
  for (const std::string_view line : {"a=rtpmap:8 PCMA/8000\r\n", "a=rtpmap:9 G722/8000\r\n"})
    other.erase(other.find(line), line.size());
  other.replace(other.find("111 9 0 8 110 126"), 17, "111 0 110 126");
  EXPECT_EQ(invite(*tablet, "alice", {of_ringing()}, other), 488);
  EXPECT_THAT(alice->cancels, SizeIs(0));
  alice->dialog.reset();
  alice->respond(*rings, 200, browser_answer(), "rings");
  world.settle();
  trunk->ack(*trunk->take_response(200, call));
  world.settle();
  EXPECT_EQ(talking(), both());
  wind_up(false);
}

TEST_F(PickUp, TheTargetOfATransferIsPickedUpToo) {
  dial();
  alice->dialog.reset();
  alice->respond(*rings, 200, browser_answer(), "rings");
  world.settle();
  trunk->ack(*trunk->take_response(200, call));
  world.settle();
  EXPECT_EQ(refer(*alice, "<sip:bob@example.test>"), 202);
  told(*alice);
  rings = bob->take_request(Method::invite);
  ASSERT_TRUE(rings);
  bob->respond(*rings, 180, {}, "rings");
  world.settle();
  told(*alice);
  Peer& desk = world.registered("bob", 100000, "b-2");
  ASSERT_EQ(invite(desk, "bob", {of_ringing()}), 200);
  desk.ack(*last);
  world.settle();
  EXPECT_THAT(bob->cancels, SizeIs(1));
  EXPECT_EQ(told(*alice), kSuccess);
  EXPECT_TRUE(bye_came(*alice));
  EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:bob"}));
  wind_up();
}

TEST_F(PickUp, ATrunkPicksUpWhatRingsAtIt) {
  const auto first = alice->invite("5551000", "alice", kBrowserOffer);
  const auto hers = world.answer_challenge(*alice, first, "alice");
  rings = trunk->take_request(Method::invite);
  ASSERT_TRUE(rings);
  trunk->respond(*rings, 180, {}, "rings");
  world.settle();
  ASSERT_EQ(invite(*trunk, "5557000", {of_ringing()}, trunk_sdp()), 200);
  trunk->ack(*last);
  world.settle();
  EXPECT_THAT(trunk->cancels, SizeIs(1));
  const auto answer = alice->take_response(200, hers);
  ASSERT_TRUE(answer);
  alice->dialog.reset();
  alice->ack(*answer);
  world.settle();
  EXPECT_EQ(talking(), both());
  const auto views = world.reply<TrunkViews>(world.ask(ListTrunks{}));
  EXPECT_EQ(views->all[0].calls, 1U);
  wind_up();
}

// RFC 3891 §3: an early dialog that its peer began is none [replaces]
TEST_F(PickUp, AnEarlyDialogOfTheCallersIsNotReplaced) {
  dial();
  const auto ringing = trunk->take_response(180, call);
  ASSERT_TRUE(ringing);
  const auto dialog = *sip::Dialog::as_uac(trunk->sent.at(call), ringing->response);
  EXPECT_EQ(
      invite(*trunk, "5557000",
             {replaces(dialog.call_id(), dialog.remote_tag(), dialog.local_tag())}, trunk_sdp()),
      481);
  EXPECT_EQ(invite(*bob, "bob", {of_ringing()}), 403);
  EXPECT_EQ(invite(*tablet, "alice", {of_ringing() + "x"}), 481);
  EXPECT_THAT(alice->cancels, SizeIs(0));
  wind_up();
}

// RFC 3891 §3: Replaces belongs into INVITE alone [replaces]
TEST_F(PickUp, AnotherRequestWithReplacesIs400) {
  auto request = sip::Message::request(Method::options, "sip:alice@192.0.2.1");
  request.add(HeaderName::from, "<sip:5551000@192.0.2.9>;tag=r");
  request.add(HeaderName::to, "<sip:alice@192.0.2.1>");
  request.add(HeaderName::call_id, "replaces");
  request.add(HeaderName::cseq, "1 OPTIONS");
  request.add(HeaderName::replaces, "a;to-tag=b;from-tag=c");
  const auto sent = trunk->send(std::move(request));
  world.settle();
  EXPECT_EQ(trunk->take_response(200, sent)->response.status(), 400);
  wind_up();
}

TEST_F(ReplacesIn, NotWhileTheCallIsBeingTransferred) {
  Peer& tablet = world.registered("alice", 100000, "i-2");
  transfer("85552000", TransferMode::gateway, carrier_leg());
  EXPECT_EQ(invite(tablet, "alice", {of_alice()}), 500);
  EXPECT_TRUE(last->response.header(HeaderName::retry_after));
  wind_up();
}

}  // namespace
}  // namespace trunkline::call::simulation
