#include "simulation.hpp"
#include <gmock/gmock.h>

// Calls that the API makes: `from` is called first, then `to`.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

/// A browser's answer to an offer of ours: in the order of the offer.
std::string answer() {
  std::string text = browser_answer();
  return text.replace(text.find("111 9 0 8"), 9, "0 8 111 9");
}

struct Originate : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* trunk = nullptr;
  CreateCall request;

  void SetUp() override {
    world.settings.routes.push_back({"any", "^[0-9]{3,15}$", "trunk:carrier"});
    world.restart();
    alice = &world.registered("alice", 100000);
    trunk = &world.trunk();
    request.from = "user:alice";
    request.to = "5551000";
  }

  CallView create() {
    const auto view = world.reply<CallView>(world.ask(request));
    EXPECT_TRUE(view);
    return view.value_or(CallView{});
  }
  Refusal refused() {
    const auto refusal = world.reply<Refusal>(world.ask(request));
    EXPECT_TRUE(refusal);
    return refusal.value_or(Refusal{});
  }
  sip::RequestReceived invited(Peer& peer) {
    auto invite = peer.take_request(Method::invite);
    EXPECT_TRUE(invite) << peer.name << " got no INVITE";
    return invite ? std::move(*invite) : sip::RequestReceived{};
  }
  void respond(Peer& peer, const sip::RequestReceived& to, int status, std::string_view sdp = {}) {
    peer.respond(to, status, sdp);
    world.settle();
  }
  /// Alice takes the call; what the trunk then gets.
  sip::RequestReceived alice_answers() {
    respond(*alice, invited(*alice), 200, answer());
    EXPECT_EQ(alice->acks, 1);
    return invited(*trunk);
  }
  void both_answer() {
    respond(*trunk, alice_answers(), 200, trunk_sdp());
    EXPECT_EQ(trunk->acks, 1);
  }
  std::optional<sip::RequestReceived> ended(Peer& peer) {
    auto bye = peer.take_request(Method::bye);
    if (bye) peer.respond(*bye, 200);
    world.settle();
    return bye;
  }
  Failure end() {
    const auto ends = world.observed<CallEnded>();
    EXPECT_THAT(ends, SizeIs(1));
    return ends.empty() ? Failure{} : ends.back().end;
  }
  void TearDown() override { world.expect_nothing_left(); }
};

TEST_F(Originate, CallsAUserAndThenANumberAndJoinsThem) {
  request.metadata = {{"case", "7"}};
  const CallView made = create();
  EXPECT_EQ(made.state, CallState::created);
  EXPECT_EQ(made.from, "user:alice");
  EXPECT_EQ(made.to, "trunk:carrier");
  EXPECT_EQ(made.dialled, "5551000");
  EXPECT_EQ(made.trunk, "carrier");
  EXPECT_EQ(made.direction, Direction::outbound);
  EXPECT_EQ(made.metadata.at("case"), "7");
  ASSERT_THAT(made.legs, SizeIs(1));
  EXPECT_TRUE(made.legs[0].from);

  const auto first = invited(*alice);
  EXPECT_EQ(sip::from_of(first.request).uri.user, "5551000");
  EXPECT_THAT(std::string(first.request.body()), HasSubstr("a=setup:actpass"));
  EXPECT_FALSE(trunk->take_request(Method::invite));
  respond(*alice, first, 180);
  EXPECT_THAT(world.observed<CallRinging>(), SizeIs(0));
  respond(*alice, first, 200, answer());
  EXPECT_EQ(alice->acks, 1);
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(0));

  const auto second = invited(*trunk);
  EXPECT_THAT(std::string(second.request.request_uri()), StartsWith("sip:5551000@192.0.2.9"));
  EXPECT_EQ(sip::from_of(second.request).uri.user, "alice");
  respond(*trunk, second, 180);
  ASSERT_THAT(world.observed<CallRinging>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallRinging>()[0].call.state, CallState::ringing);
  respond(*trunk, second, 200, trunk_sdp());
  EXPECT_EQ(trunk->acks, 1);
  ASSERT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallAnswered>()[0].call.state, CallState::answered);
  // Of these the first one is older than the answer: the trunk is heard once it is called.
  EXPECT_THAT(world.media_commands<media::SetRoute>(), SizeIs(3));
  EXPECT_FALSE(alice->take_request(Method::invite)) << "nothing to align";

  alice->send_in_dialog(Method::bye);
  world.settle();
  const auto bye = ended(*trunk);
  ASSERT_TRUE(bye);
  EXPECT_EQ(end().reason, EndReason::hangup);
  EXPECT_EQ(end().ended_by, EndedBy::caller);
  EXPECT_THAT(world.observed<CallStarted>(), SizeIs(1));
}

// RFC 7092 §3.2: headers of the API reach their leg only [header-list]
TEST_F(Originate, ShowsTheCalleeTheCallerIdAndTheHeadersAndNobodyElse) {
  request.caller_id = {"15550001", "Desk \"7\", \\ of\r\nX-Forged: yes"};
  request.headers = {{"X-Case", "7"}, {"X-Tricky", "a\r\nX-Forged: yes"}};
  create();
  const auto first = invited(*alice);
  EXPECT_FALSE(first.request.header("X-Case"));
  respond(*alice, first, 200, answer());
  const auto second = invited(*trunk);
  const auto shown = sip::from_of(second.request);
  EXPECT_EQ(shown.uri.user, "15550001");
  EXPECT_THAT(shown.display_name, StartsWith("Desk \"7\", \\ of"));
  EXPECT_EQ(second.request.header("X-Case"), "7");
  EXPECT_FALSE(second.request.header("X-Forged"));
  respond(*trunk, second, 486);
  ended(*alice);
}

TEST_F(Originate, CallsANumberAndThenAUser) {
  world.registered("bob");
  request.from = "tel:+15551000";
  request.to = "sip:alice@example.test";
  request.trunk = "";
  world.settings.routes.push_back({"any", "^\\+[0-9]+$", "trunk:carrier"});
  world.restart();
  alice = &world.registered("alice", 100000);
  const CallView made = create();
  EXPECT_EQ(made.from, "trunk:carrier");
  EXPECT_EQ(made.caller, "+15551000");
  EXPECT_EQ(made.to, "user:alice");
  EXPECT_EQ(made.trunk, "carrier");
  const auto first = invited(*trunk);
  EXPECT_EQ(sip::from_of(first.request).uri.user, "alice");
  EXPECT_THAT(std::string(first.request.body()), HasSubstr("m=audio"));
  respond(*trunk, first, 183, trunk_sdp());
  respond(*trunk, first, 200, trunk_sdp());
  EXPECT_EQ(trunk->acks, 1);
  const auto second = invited(*alice);
  EXPECT_EQ(sip::from_of(second.request).uri.unescaped_user(), "+15551000");
  // What the first party speaks is offered, nothing that would need another exchange.
  EXPECT_THAT(std::string(second.request.body()), HasSubstr("PCMU/8000"));
  EXPECT_THAT(std::string(second.request.body()), Not(HasSubstr("opus")));
  respond(*alice, second, 200, answer());
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*alice));
}

TEST_F(Originate, TakesTheAnswerOfAProvisionalResponseWhenTheLastHasNone) {
  request.from = "5551000";
  request.to = "user:alice";
  create();
  const auto first = invited(*trunk);
  respond(*trunk, first, 183, trunk_sdp());
  EXPECT_THAT(world.observed<CallRinging>(), SizeIs(0));
  respond(*trunk, first, 200);
  respond(*alice, invited(*alice), 486);
  EXPECT_TRUE(ended(*trunk));
}

TEST_F(Originate, CallsTwoNumbersOverTwoTrunks) {
  TrunkSettings other;
  other.name = "second";
  other.uri = *sip::Uri::parse("sip:192.0.2.20:5060");
  world.settings.trunks.push_back(other);
  world.settings.routes.insert(world.settings.routes.begin(), {"any", "^77", "trunk:second"});
  world.restart();
  Peer& second = world.other_trunk("192.0.2.20:5060");
  request.from = "5551000";
  request.to = "7700";
  const CallView made = create();
  EXPECT_EQ(made.trunk, "second");
  respond(*trunk, invited(*trunk), 200, trunk_sdp());
  respond(second, invited(second), 200, trunk_sdp());
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  second.send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*trunk));
  EXPECT_EQ(end().ended_by, EndedBy::callee);
}

TEST_F(Originate, TheNamedTrunkTakesBothNumbers) {
  request.from = "12";
  request.to = "sip:34@elsewhere.test";
  request.trunk = "carrier";
  create();
  const auto first = invited(*trunk);
  EXPECT_THAT(std::string(first.request.request_uri()), StartsWith("sip:12@"));
  trunk->dialog.reset();
  respond(*trunk, first, 200, trunk_sdp());
  const auto second = invited(*trunk);
  EXPECT_THAT(std::string(second.request.request_uri()), StartsWith("sip:34@192.0.2.9"));
  respond(*trunk, second, 404);
  EXPECT_TRUE(ended(*trunk));
  EXPECT_EQ(end().sip_code, 404);
}

TEST_F(Originate, JoinsAUserWithAService) {
  request.to = "service:echo";
  const CallView made = create();
  EXPECT_EQ(made.to, "service:echo");
  EXPECT_EQ(made.direction, Direction::internal);
  respond(*alice, invited(*alice), 200, answer());
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  const auto routes = world.media_commands<media::SetRoute>();
  ASSERT_THAT(routes, SizeIs(1));
  EXPECT_EQ(routes[0].from, routes[0].to);
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(end().reason, EndReason::hangup);
}

TEST_F(Originate, OffersAUserWhatTheServiceCanSend) {
  request.to = "service:tone";
  create();
  const auto invite = invited(*alice);
  EXPECT_THAT(std::string(invite.request.body()), HasSubstr("PCMU"));
  EXPECT_THAT(std::string(invite.request.body()), Not(HasSubstr("opus")));
  respond(*alice, invite, 200, answer());
  const auto tones = world.media_commands<media::StartTone>();
  ASSERT_THAT(tones, SizeIs(1));
  EXPECT_EQ(tones[0].payload_type, 0);
  alice->send_in_dialog(Method::bye);
  world.settle();
}

TEST_F(Originate, AServiceMayCallANumber) {
  request.from = "service:tone";
  const CallView made = create();
  EXPECT_EQ(made.from, "service:tone");
  EXPECT_EQ(made.to, "trunk:carrier");
  ASSERT_THAT(made.legs, SizeIs(2));
  EXPECT_EQ(made.legs[0].id, "from");
  EXPECT_EQ(made.legs[0].party, "service:tone");
  EXPECT_TRUE(made.legs[0].from);
  EXPECT_EQ(made.legs[0].sip_call_id, "");
  EXPECT_EQ(made.legs[1].id, "to");
  EXPECT_FALSE(made.legs[1].from);
  const auto invite = invited(*trunk);
  EXPECT_THAT(std::string(invite.request.body()), Not(HasSubstr("opus")));
  respond(*trunk, invite, 180);
  respond(*trunk, invite, 183, trunk_sdp());
  respond(*trunk, invite, 183, trunk_sdp());
  const auto rings = world.observed<CallRinging>();
  ASSERT_THAT(rings, SizeIs(2));
  EXPECT_EQ(rings[0].call.state, CallState::ringing);
  EXPECT_EQ(rings[1].call.state, CallState::early_media);
  EXPECT_EQ(rings[1].code, 183);
  EXPECT_THAT(world.media_commands<media::StartTone>(), SizeIs(0));
  respond(*trunk, invite, 200, trunk_sdp());
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  EXPECT_THAT(world.media_commands<media::StartTone>(), SizeIs(1));
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(end().ended_by, EndedBy::callee);
  EXPECT_THAT(world.observed<LegEnded>(), SizeIs(2)) << "the service's too";
}

TEST_F(Originate, AServiceIsOneOfTwoPartiesUntilATransfer) {
  request.to = "service:echo";
  const CallView made = create();
  respond(*alice, invited(*alice), 200, answer());
  const CallView answered = world.observed<CallAnswered>().at(0).call;
  ASSERT_THAT(answered.legs, SizeIs(2));
  EXPECT_EQ(answered.legs[1].id, "to");
  EXPECT_EQ(answered.legs[1].party, "service:echo");
  EXPECT_EQ(answered.legs[1].state, LegState::answered);
  const auto on_service = world.ask(MuteCall{{made.name, "to"}, MuteDirection::to_leg, true});
  EXPECT_EQ(world.reply<Refusal>(on_service)->reason, "WRONG_CALL_STATE");
  world.ask(TransferCall{{made.name, {}}, "5551000", TransferMode::gateway, {}});
  respond(*trunk, invited(*trunk), 200, trunk_sdp());
  const auto transferred = world.observed<CallTransferred>();
  ASSERT_THAT(transferred, SizeIs(1));
  const CallView& now = transferred[0].call;
  ASSERT_THAT(now.legs, SizeIs(3));
  EXPECT_EQ(now.legs[1].state, LegState::ended);
  EXPECT_EQ(now.legs[2].id, "to-2");
  EXPECT_EQ(now.to, "trunk:carrier");
  ASSERT_THAT(world.observed<LegEnded>(), SizeIs(1));
  EXPECT_EQ(world.observed<LegEnded>()[0].leg.party, "service:echo");
  if (const auto aligned = alice->take_request(Method::invite))
    respond(*alice, *aligned, 200, answer());
  alice->send_in_dialog(Method::bye);
  world.settle();
  ended(*trunk);
}

TEST_F(Originate, TheFirstDeviceThatAnswersIsTheCaller) {
  Peer& other = world.registered("alice", 100000, "i-2");
  create();
  const auto here = invited(*alice);
  const auto there = invited(other);
  respond(*alice, here, 180);
  respond(other, there, 200, answer());
  EXPECT_THAT(alice->cancels, SizeIs(1));
  // Both answered at once: the later one is hung up.
  respond(*alice, here, 487);
  const auto second = invited(*trunk);
  respond(*trunk, second, 200, trunk_sdp());
  const CallAnswered answered = world.observed<CallAnswered>().at(0);
  ASSERT_THAT(answered.call.legs, SizeIs(3));
  EXPECT_EQ(answered.call.legs[0].id, "from");
  EXPECT_EQ(answered.call.legs[1].id, "from-2");
  EXPECT_EQ(answered.call.legs[2].id, "to");
  // Who is there is meant, and not the leg that had the name first.
  const auto muted = world.reply<CallView>(
      world.ask(MuteCall{{answered.call.name, "from"}, MuteDirection::to_leg, true}));
  ASSERT_TRUE(muted);
  for (const LegView& leg : muted->legs)
    EXPECT_EQ(leg.muted_to, leg.from && leg.state != LegState::ended) << leg.id;
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(other));
}

// RFC 3891 §3: a device takes the place of one that rings [replaces]
TEST_F(Originate, AnotherDeviceOfTheFirstPartyPicksUp) {
  Peer& other = world.registered("alice", 100000, "i-2");
  create();
  const auto here = invited(*alice);
  alice->respond(here, 180, {}, "rings");
  respond(other, invited(other), 180);
  auto made = sip::Message::request(Method::invite, "sip:alice@example.test");
  made.add(HeaderName::from, "<sip:alice@example.test>;tag=picks");
  made.add(HeaderName::to, "<sip:alice@example.test>");
  made.add(HeaderName::call_id, "pick-up");
  made.add(HeaderName::cseq, "10 INVITE");
  made.add(HeaderName::contact, "<sip:alice@def.invalid;transport=ws>");
  made.add(HeaderName::replaces,
           sip::Replaces{std::string(sip::call_id_of(here.request)),
                         std::string(sip::from_of(here.request).tag()), "rings", false}
               .text());
  made.set_body("application/sdp", kBrowserOffer);
  const auto sent = world.answer_challenge(other, other.send(std::move(made)), "alice");
  const auto answer = other.take_response(200, sent);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
  other.ack(*answer);
  world.settle();
  EXPECT_THAT(alice->cancels, SizeIs(1));
  respond(*alice, here, 487);
  respond(*trunk, invited(*trunk), 200, trunk_sdp());
  const CallAnswered answered = world.observed<CallAnswered>().at(0);
  EXPECT_EQ(answered.call.state, CallState::answered);
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(other));
}

TEST_F(Originate, ADeviceThatAnswersTooLateIsHungUp) {
  Peer& other = world.registered("alice", 100000, "i-2");
  create();
  const auto here = invited(*alice);
  const auto there = invited(other);
  alice->respond(here, 200, answer());
  other.respond(there, 200, answer());
  world.settle();
  const auto bye = ended(other);
  ASSERT_TRUE(bye);
  EXPECT_THAT(std::string(bye->request.header(HeaderName::reason).value_or("")),
              HasSubstr("completed elsewhere"));
  respond(*trunk, invited(*trunk), 486);
  EXPECT_TRUE(ended(*alice));
}

TEST_F(Originate, AFirstPartyThatRefusesEndsTheCall) {
  create();
  respond(*alice, invited(*alice), 486);
  EXPECT_FALSE(trunk->take_request(Method::invite));
  EXPECT_EQ(end().sip_code, 486);
  EXPECT_EQ(end().ended_by, EndedBy::caller);
  EXPECT_TRUE(world.observed<CallEnded>()[0].call.from_failed);
  ASSERT_THAT(world.observed<LegEnded>(), SizeIs(1));
  EXPECT_TRUE(world.observed<LegEnded>()[0].leg.from);
}

TEST_F(Originate, AFirstPartyThatIsNotRegisteredEndsTheCallAtOnce) {
  request.from = "user:nobody";
  const CallView made = create();
  EXPECT_EQ(made.state, CallState::ended);
  ASSERT_TRUE(made.end);
  EXPECT_EQ(made.end->reason, EndReason::not_registered);
  EXPECT_TRUE(made.from_failed);
}

TEST_F(Originate, ASecondPartyThatIsNotRegisteredEndsTheCallLater) {
  request.to = "user:bob";
  EXPECT_EQ(create().state, CallState::created);
  respond(*alice, invited(*alice), 200, answer());
  EXPECT_EQ(end().reason, EndReason::not_registered);
  EXPECT_FALSE(world.observed<CallEnded>()[0].call.from_failed);
  const auto bye = ended(*alice);
  ASSERT_TRUE(bye);
  EXPECT_THAT(std::string(bye->request.header(HeaderName::reason).value_or("")),
              HasSubstr("cause=20"));
}

TEST_F(Originate, ASecondPartyThatIsBusyEndsTheCall) {
  create();
  respond(*trunk, alice_answers(), 486);
  EXPECT_EQ(end().sip_code, 486);
  EXPECT_EQ(end().ended_by, EndedBy::callee);
  EXPECT_FALSE(world.observed<CallEnded>()[0].call.from_failed);
  EXPECT_TRUE(ended(*alice));
}

// RFC 3261 §13.3.1: ringing has a limit [ring-limit]
TEST_F(Originate, EachPartyMayRingForTheRingTimeOut) {
  request.ring_timeout = seconds{20};
  create();
  const auto first = invited(*alice);
  respond(*alice, first, 180);
  world.pass(seconds{19});
  respond(*alice, first, 200, answer());
  const auto second = invited(*trunk);
  respond(*trunk, second, 180);
  world.pass(seconds{19});
  EXPECT_THAT(trunk->cancels, SizeIs(0));
  world.pass(seconds{1});
  EXPECT_THAT(trunk->cancels, SizeIs(1));
  EXPECT_EQ(end().reason, EndReason::ring_timeout);
  EXPECT_FALSE(world.observed<CallEnded>()[0].call.from_failed);
  respond(*trunk, second, 487);
  EXPECT_TRUE(ended(*alice));
}

TEST_F(Originate, AFirstPartyThatDoesNotAnswerIsCancelled) {
  request.ring_timeout = seconds{20};
  create();
  const auto first = invited(*alice);
  respond(*alice, first, 180);
  world.pass(seconds{20});
  EXPECT_THAT(alice->cancels, SizeIs(1));
  EXPECT_EQ(end().reason, EndReason::ring_timeout);
  EXPECT_TRUE(world.observed<CallEnded>()[0].call.from_failed);
  respond(*alice, first, 487);
}

TEST_F(Originate, ATrunkThatSaysNothingEndsTheCall) {
  create();
  alice_answers();
  trunk->silent = true;
  world.pass(seconds{40});
  EXPECT_EQ(end().reason, EndReason::no_response);
  EXPECT_TRUE(ended(*alice));
}

TEST_F(Originate, ATrunkThatSaysNothingHasRungNobody) {
  request.ring_timeout = seconds{5};
  create();
  alice_answers();
  trunk->silent = true;
  world.pass(seconds{6});
  EXPECT_EQ(end().reason, EndReason::no_response);
  EXPECT_EQ(end().phase, Phase::no_response);
  EXPECT_TRUE(ended(*alice));
}

TEST_F(Originate, ATrunkThatOnlyTriesIsNotAnsweredInTime) {
  request.ring_timeout = seconds{5};
  create();
  const auto invite = alice_answers();
  respond(*trunk, invite, 100);
  world.pass(seconds{6});
  EXPECT_EQ(end().reason, EndReason::ring_timeout);
  respond(*trunk, invite, 487);
  EXPECT_TRUE(ended(*alice));
}

TEST_F(Originate, TheApiMayHangUpAtEveryMoment) {
  HangupCall hangup;
  hangup.call = create().name;
  const auto first = invited(*alice);
  respond(*alice, first, 180);
  EXPECT_TRUE(world.reply<CallView>(world.ask(hangup)));
  EXPECT_THAT(alice->cancels, SizeIs(1));
  respond(*alice, first, 487);

  alice->acks = 0;
  hangup.call = create().name;
  const auto second = alice_answers();
  respond(*trunk, second, 180);
  world.ask(hangup);
  EXPECT_THAT(trunk->cancels, SizeIs(1));
  respond(*trunk, second, 487);
  EXPECT_TRUE(ended(*alice));

  alice->acks = 0;
  hangup.call = create().name;
  alice->dialog.reset();
  both_answer();
  world.ask(hangup);
  EXPECT_TRUE(ended(*alice));
  EXPECT_TRUE(ended(*trunk));
  const auto ends = world.observed<CallEnded>();
  ASSERT_THAT(ends, SizeIs(3));
  EXPECT_EQ(ends[0].end.reason, EndReason::cancelled);
  EXPECT_EQ(ends[1].end.reason, EndReason::cancelled);
  EXPECT_EQ(ends[2].end.reason, EndReason::hangup);
}

TEST_F(Originate, TheFirstPartyMayGiveUpWhileTheSecondRings) {
  create();
  const auto second = alice_answers();
  respond(*trunk, second, 180);
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_THAT(trunk->cancels, SizeIs(1));
  EXPECT_EQ(end().reason, EndReason::cancelled);
  EXPECT_EQ(end().grpc_reason(), "CALLER_HUNG_UP");
  respond(*trunk, second, 487);
}

TEST_F(Originate, AnAnswerThatCrossesTheFirstPartysByeIsHungUp) {
  create();
  const auto second = alice_answers();
  alice->send_in_dialog(Method::bye);
  trunk->respond(second, 200, trunk_sdp());
  world.settle();
  EXPECT_EQ(trunk->acks, 1);
  EXPECT_TRUE(ended(*trunk));
  EXPECT_THAT(world.observed<CallAnswered>().size(), testing::Le(1U));
}

TEST_F(Originate, AByeThatCrossesTheAnswerEndsTheCall) {
  create();
  const auto second = alice_answers();
  trunk->respond(second, 200, trunk_sdp());
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*trunk));
  EXPECT_THAT(world.observed<CallEnded>(), SizeIs(1));
}

TEST_F(Originate, TheFirstPartyHearsTheTrunksAnnouncement) {
  create();
  const auto second = alice_answers();
  respond(*trunk, second, 183, trunk_sdp());
  EXPECT_THAT(world.media_commands<media::SetRoute>(), SizeIs(3));
  ASSERT_THAT(world.observed<CallRinging>(), SizeIs(1));
  GetNode nothing;
  world.ask(nothing);
  // A new address of the caller's while it listens changes nothing of that.
  alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendrecv", 9));
  world.settle();
  EXPECT_TRUE(alice->take_response(200));
  respond(*trunk, second, 200, trunk_sdp());
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*alice));
}

TEST_F(Originate, ALostFirstPartyEndsTheCall) {
  create();
  const auto second = alice_answers();
  const LegId leg = world.media_commands<media::AddBrowserLeg>().at(0).leg;
  world.media(media::LegFailed{leg, media::MediaFailure::dtls_timeout});
  EXPECT_EQ(end().reason, EndReason::dtls_failed);
  EXPECT_TRUE(world.observed<CallEnded>()[0].call.from_failed);
  EXPECT_TRUE(ended(*alice));
  respond(*trunk, second, 487);
}

TEST_F(Originate, AConnectionThatBreaksWhileItRingsEndsTheCall) {
  create();
  invited(*alice);
  alice->close_flow();
  world.settle();
  EXPECT_EQ(end().reason, EndReason::not_registered);
}

TEST_F(Originate, AFirstPartyWithoutAUsableAnswerEndsTheCall) {
  create();
  respond(*alice, invited(*alice), 200, "v=0\r\nnonsense");
  EXPECT_EQ(end().reason, EndReason::no_codec);
  EXPECT_TRUE(world.observed<CallEnded>()[0].call.from_failed);
  EXPECT_TRUE(ended(*alice));
}

TEST_F(Originate, AnotherCodecOfTheSecondPartyIsOfferedToTheFirst) {
  create();
  const auto second = alice_answers();
  EXPECT_THAT(std::string(second.request.body()), HasSubstr(" 0 8 "));
  respond(*trunk, second, 200, trunk_sdp("sendrecv", 1, "8 101"));
  // Alice speaks the first codec of her answer, which the trunk did not take.
  const auto again = alice->take_request(Method::invite);
  ASSERT_TRUE(again);
  EXPECT_THAT(std::string(again->request.body()), HasSubstr("PCMA/8000"));
  EXPECT_THAT(std::string(again->request.body()), Not(HasSubstr("PCMU/8000")));
  respond(*alice, *again, 200, answer());
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*alice));
}

TEST_F(Originate, TheMaximumDurationEndsTheCall) {
  request.max_duration = seconds{60};
  create();
  both_answer();
  world.pass(seconds{59});
  EXPECT_FALSE(trunk->take_request(Method::bye));
  world.pass(seconds{1});
  EXPECT_TRUE(ended(*trunk));
  EXPECT_TRUE(ended(*alice));
  EXPECT_EQ(end().reason, EndReason::max_duration);
  EXPECT_EQ(end().fault(), Fault::success);
}

TEST_F(Originate, TheSameRequestIsTheSameCall) {
  request.request_id = "r-1";
  const CallView made = create();
  const auto again = world.reply<Replayed>(world.ask(request));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->call.name, made.name);
  EXPECT_THAT(world.observed<CallStarted>(), SizeIs(1));
  respond(*alice, invited(*alice), 486);
  EXPECT_FALSE(alice->take_request(Method::invite));
  world.pass(seconds{70});
  const auto after = world.reply<Replayed>(world.ask(request));
  ASSERT_TRUE(after);
  EXPECT_EQ(after->call.name, made.name);
  EXPECT_EQ(after->call.state, CallState::ended);
  ASSERT_TRUE(after->call.end);
  EXPECT_EQ(after->call.end->sip_code, 486);
  EXPECT_TRUE(after->call.from_failed);
}

TEST_F(Originate, TheSameIdForAnotherRequestIsRefused) {
  request.request_id = "r-1";
  create();
  request.to = "5551001";
  const Refusal refusal = refused();
  EXPECT_EQ(refusal.kind, Refusal::Kind::conflict);
  EXPECT_EQ(refusal.reason, "REQUEST_ID_REUSED");
  respond(*alice, invited(*alice), 486);
}

TEST_F(Originate, ARequestIdIsForgottenAfterTenMinutesOrTwentyThousandOthers) {
  request.from = "user:nobody";
  request.request_id = "r-1";
  const std::string first = create().name;
  world.pass(std::chrono::minutes{10});
  const std::string second = create().name;
  EXPECT_NE(first, second);
  for (int i = 0; i < 20000; ++i) {
    request.request_id = "other-" + std::to_string(i);
    world.ask(request);
  }
  request.request_id = "r-1";
  EXPECT_NE(create().name, second);
}

TEST_F(Originate, ARefusedRequestIsNotRemembered) {
  request.request_id = "r-1";
  request.trunk = "nowhere";
  EXPECT_EQ(refused().reason, "TRUNK_NOT_FOUND");
  request.trunk = "carrier";
  create();
  respond(*alice, invited(*alice), 486);
}

TEST_F(Originate, WhatCanNeverBeACallIsRefused) {
  const auto refuses = [&](std::string from, std::string to, std::string_view reason,
                           std::string_view field) {
    request.from = std::move(from);
    request.to = std::move(to);
    const Refusal refusal = refused();
    EXPECT_EQ(refusal.reason, reason) << request.from << " " << request.to;
    EXPECT_EQ(refusal.field, field) << request.from << " " << request.to;
  };
  refuses("user:", "5551000", "INVALID_PARTY", "from");
  refuses("", "5551000", "INVALID_PARTY", "from");
  refuses("user:alice", "", "INVALID_PARTY", "to");
  refuses("user:alice", "555\r\n1000", "INVALID_PARTY", "to");
  refuses("user:alice", std::string(257, '1'), "INVALID_PARTY", "to");
  EXPECT_THAT(refused().message, testing::HasSubstr("must be 1 to 256 printable characters"));
  refuses("user:alice", "sip:@@", "INVALID_PARTY", "to");
  refuses("user:alice", "sip:example.test", "INVALID_PARTY", "to");
  refuses("user:alice", "sip:a%0d%0ab@example.test", "INVALID_PARTY", "to");
  refuses("user:alice", "service:karaoke", "SERVICE_NOT_FOUND", "to");
  refuses("user:alice", "somebody", "NO_ROUTE", "to");
  refuses("user:alice", "sip:somebody@example.test", "NO_ROUTE", "to");
  refuses("service:echo", "service:tone", "INVALID_PARTY", "to");
  request.max_duration = Duration::zero();
  refuses("user:alice", "5551000", "INVALID_PARTY", "max_duration");
  EXPECT_THAT(world.observed<CallStarted>(), SizeIs(0));
}

TEST_F(Originate, ADrainingOrFullNodeTakesNoCall) {
  world.settings.max_calls = 1;
  world.restart();
  alice = &world.registered("alice", 100000);
  create();
  const Refusal full = refused();
  EXPECT_EQ(full.kind, Refusal::Kind::capacity);
  EXPECT_TRUE(full.retry_after);
  respond(*alice, invited(*alice), 486);
  world.drain_engine();
  EXPECT_EQ(refused().reason, "DRAINING");
}

TEST_F(Originate, ADisabledTrunkTakesNoCallInEitherDirection) {
  world.ask(SetTrunkEnabled{"carrier", false});
  create();
  respond(*alice, invited(*alice), 200, answer());
  EXPECT_EQ(end().reason, EndReason::trunk_disabled);
  EXPECT_TRUE(ended(*alice));
  trunk->invite("1001", "5551000", trunk_sdp());
  world.settle();
  const auto refusal = trunk->take_response(300);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->response.status(), 503);
  world.ask(SetTrunkEnabled{"carrier", true});
}

TEST_F(Originate, ATrunksLimitCountsTheApisCallsToo) {
  world.settings.trunks[0].max_calls = 1;
  world.restart();
  alice = &world.registered("alice", 100000);
  request.from = "5551000";
  request.to = "5551001";
  create();
  respond(*trunk, invited(*trunk), 200, trunk_sdp());
  EXPECT_EQ(end().reason, EndReason::limit);
  EXPECT_TRUE(ended(*trunk));
}

}  // namespace
}  // namespace trunkline::call::simulation
