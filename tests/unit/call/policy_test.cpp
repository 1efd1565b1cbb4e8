#include "sip/digest.hpp"

#include "simulation.hpp"
#include <gmock/gmock.h>

// Calls and users about which the user's policy service decides.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::SizeIs;

struct PolicyTest : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* trunk = nullptr;
  Peer* second = nullptr;

  void SetUp() override {
    TrunkSettings other;
    other.name = "second";
    other.uri = *sip::Uri::parse("sip:192.0.2.20:5060");
    world.settings.trunks.push_back(other);
    world.settings.policy.enabled = true;
    world.settings.routes.insert(world.settings.routes.begin(),
                                 {"user", "^7[0-9]+$", "service:policy"});
    restart();
  }
  void restart() {
    world.restart();
    alice = &world.registered("alice", 100000);
    trunk = &world.trunk();
    if (second == nullptr) second = &world.other_trunk("192.0.2.20:5060");
  }
  void TearDown() override { world.expect_nothing_left(); }

  /// Alice dials a number about which the policy is asked.
  sip::TransactionId dial(std::string_view sdp = kBrowserOffer, std::string_view number = "7001") {
    const auto call = world.answer_challenge(*alice, alice->invite(number, "alice", sdp), "alice");
    EXPECT_THAT(world.questions, SizeIs(asked_ + 1));
    ++asked_;
    return call;
  }
  QuestionId question() const { return world.questions.back().id; }
  std::string name() const { return world.observed<CallStarted>().back().call.name; }
  void decide(const PolicyAnswer& answer) { world.answer(question(), answer); }
  static RouteTargets to(std::vector<std::string> targets) {
    RouteTargets route;
    route.targets = std::move(targets);
    return route;
  }
  void respond(Peer& peer, const sip::RequestReceived& request, int status,
               std::string_view sdp = {}) {
    peer.respond(request, status, sdp);
    world.settle();
  }
  sip::RequestReceived invited(Peer& peer) {
    auto invite = peer.take_request(Method::invite);
    EXPECT_TRUE(invite) << peer.name << " got no INVITE";
    return invite ? std::move(*invite) : sip::RequestReceived{};
  }
  int final_status(sip::TransactionId call) {
    const auto response = alice->take_response(200, call);
    if (!response) return 0;
    if (response->response.status() == 200) {
      alice->ack(*response);
      world.settle();
    }
    return response->response.status();
  }
  void hang_up(Peer& from, Peer& other) {
    from.send_in_dialog(Method::bye);
    world.settle();
    const auto bye = other.take_request(Method::bye);
    ASSERT_TRUE(bye);
    respond(other, *bye, 200);
  }
  Failure end() {
    const auto ends = world.observed<CallEnded>();
    return ends.empty() ? Failure{} : ends.back().end;
  }
  std::size_t asked_ = 0;
};

TEST_F(PolicyTest, IsAskedWithWhatTheCallerSaidButNoSecrets) {
  const auto call = dial();
  const auto& asked = std::get<RouteQuestion>(world.questions[0].question);
  EXPECT_EQ(asked.call, name());
  EXPECT_EQ(asked.from, "alice");
  EXPECT_EQ(asked.to, "7001");
  EXPECT_EQ(asked.source, "user:alice");
  bool call_id = false;
  for (const HeaderField& header : asked.headers) {
    EXPECT_NE(header.name, "Authorization");
    EXPECT_NE(header.name, "Via");
    call_id = call_id || header.name == "Call-ID";
  }
  EXPECT_TRUE(call_id);
  EXPECT_EQ(world.observed<CallStarted>()[0].call.state, CallState::created);
  decide(PolicyRejection{480, "closed"});
  const auto response = alice->take_response(200, call);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.status(), 480);
  EXPECT_EQ(response->response.reason(), "closed");
}

// RFC 3261 §7.3.1: no value of the policy becomes another field [header-injection]
TEST_F(PolicyTest, RoutesToATrunkWithItsOwnCallerIdAndHeaders) {
  const auto call = dial();
  RouteTargets route = to({"trunk:second"});
  route.caller_id = {"15550001", "Desk \"7\""};
  route.headers = {{"X-Case", "7"}, {"X-Bad", "a\r\nX-Forged: b"}};
  decide(route);
  const auto invite = invited(*second);
  EXPECT_THAT(std::string(invite.request.request_uri()), HasSubstr("sip:7001@192.0.2.20"));
  EXPECT_EQ(sip::from_of(invite.request).uri.user, "15550001");
  EXPECT_EQ(sip::from_of(invite.request).display_name, "Desk \"7\"");
  EXPECT_EQ(invite.request.header("X-Case"), "7");
  EXPECT_FALSE(invite.request.header("X-Forged"));
  respond(*second, invite, 200, trunk_sdp());
  EXPECT_EQ(final_status(call), 200);
  const CallAnswered answered = world.observed<CallAnswered>().at(0);
  EXPECT_EQ(answered.call.to, "trunk:second");
  EXPECT_EQ(answered.call.trunk, "second");
  EXPECT_EQ(answered.call.direction, Direction::outbound);
  hang_up(*alice, *second);
}

TEST_F(PolicyTest, RoutesToANumberByTheRoutesAndToAUser) {
  dial();
  decide(to({"5551000"}));
  const auto invite = invited(*trunk);
  EXPECT_THAT(std::string(invite.request.request_uri()), HasSubstr("sip:5551000@192.0.2.9"));
  respond(*trunk, invite, 486);
  Peer& bob = world.registered("bob");
  const auto call = dial();
  decide(to({"user:bob"}));
  respond(bob, invited(bob), 200, browser_answer());
  EXPECT_EQ(final_status(call), 200);
  hang_up(*alice, bob);
}

TEST_F(PolicyTest, TriesTheTargetsInOrder) {
  const auto call = dial();
  decide(to({"user:bob", "trunk:carrier", "trunk:second"}));
  respond(*trunk, invited(*trunk), 503);  // bob is not registered
  const auto last = invited(*second);
  EXPECT_FALSE(trunk->take_request(Method::invite));
  respond(*second, last, 200, trunk_sdp());
  EXPECT_EQ(final_status(call), 200);
  const CallView view = world.observed<CallAnswered>().at(0).call;
  EXPECT_EQ(view.to, "trunk:second");
  ASSERT_THAT(view.legs, SizeIs(3));
  EXPECT_EQ(view.legs[1].state, LegState::ended);
  EXPECT_EQ(view.legs[1].id, "to");
  EXPECT_EQ(view.legs[2].id, "to-2");
  hang_up(*alice, *second);
}

TEST_F(PolicyTest, TheLastTargetsFailureIsTheCalls) {
  const auto call = dial();
  decide(to({"trunk:carrier", "trunk:second"}));
  respond(*trunk, invited(*trunk), 500);
  respond(*second, invited(*second), 404);
  EXPECT_EQ(final_status(call), 404);
  EXPECT_EQ(end().sip_code, 404);
}

TEST_F(PolicyTest, AFailedTargetsPlaceOnItsTrunkIsFreeAgain) {
  world.settings.trunks[0].max_calls = 1;
  restart();
  dial();
  decide(to({"trunk:carrier", "trunk:second"}));
  respond(*trunk, invited(*trunk), 503);
  const auto at_second = invited(*second);
  const auto next = alice->invite("5551000", "alice", kBrowserOffer);
  world.answer_challenge(*alice, next, "alice");
  respond(*trunk, invited(*trunk), 486);
  respond(*second, at_second, 486);
}

TEST_F(PolicyTest, NoOtherTargetIsTriedOnceAPersonWasReached) {
  for (const int code : {486, 603, 600, 480}) {
    const auto call = dial();
    decide(to({"trunk:carrier", "trunk:second"}));
    respond(*trunk, invited(*trunk), code);
    EXPECT_EQ(final_status(call), code);
    EXPECT_FALSE(second->take_request(Method::invite)) << code;
  }
}

TEST_F(PolicyTest, NoOtherTargetIsTriedAfterEarlyMedia) {
  const auto call = dial();
  decide(to({"trunk:carrier", "trunk:second"}));
  const auto invite = invited(*trunk);
  respond(*trunk, invite, 183, trunk_sdp());
  respond(*trunk, invite, 503);
  EXPECT_EQ(final_status(call), 500);
  EXPECT_FALSE(second->take_request(Method::invite));
}

TEST_F(PolicyTest, ACongestedNetworkIsNoPersonsRefusal) {
  dial();
  decide(to({"trunk:carrier", "trunk:second"}));
  const auto invite = invited(*trunk);
  auto response = sip::make_response(invite.request, 480, "t");
  response.add(HeaderName::reason, "Q.850;cause=34");
  trunk->respond(invite, std::move(response));
  world.settle();
  respond(*second, invited(*second), 486);
}

TEST_F(PolicyTest, ASilentTargetIsGivenUpForTheNext) {
  const auto call = dial();
  decide(to({"trunk:carrier", "trunk:second"}));
  trunk->silent = true;
  world.pass(seconds{33});
  respond(*second, invited(*second), 200, trunk_sdp());
  EXPECT_EQ(final_status(call), 200);
  hang_up(*alice, *second);
}

// RFC 3261 §9.1: CANCEL reaches who rings after a failed target [race-cancel-while-ringing]
TEST_F(PolicyTest, TheCallerMayGiveUpBetweenTargets) {
  const auto call = dial();
  decide(to({"trunk:carrier", "trunk:second"}));
  respond(*trunk, invited(*trunk), 503);
  const auto last = invited(*second);
  respond(*second, last, 180);
  alice->cancel(call);
  world.settle();
  EXPECT_THAT(second->cancels, SizeIs(1));
  respond(*second, last, 487);
  EXPECT_EQ(final_status(call), 487);
}

TEST_F(PolicyTest, ARejectionGoesToTheCaller) {
  const auto call = dial();
  decide(PolicyRejection{603, "not today"});
  EXPECT_EQ(final_status(call), 603);
  EXPECT_EQ(end().reason, EndReason::rejected);
  EXPECT_FALSE(end().remote);
}

TEST_F(PolicyTest, A503SaysWhenToComeBack) {
  for (const auto& [told, expected] : {std::pair{std::optional<std::uint32_t>{}, "10"},
                                       {std::optional<std::uint32_t>{77}, "77"}}) {
    const auto call = dial();
    decide(PolicyRejection{503, "full", told});
    const auto refused = alice->take_response(200, call);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->response.status(), 503);
    EXPECT_EQ(refused->response.header(HeaderName::retry_after), expected);
  }
}

TEST_F(PolicyTest, ABrokenServiceIs500AndAFault) {
  const auto call = dial();
  decide(PolicyFailed{"error", 500});
  EXPECT_EQ(final_status(call), 500);
  EXPECT_EQ(end().sip_code, 500);
  EXPECT_EQ(world.observed<PolicyFault>().back().why, "error");
}

// RFC 3261 §16.7: the best refusal counts [best-refusal]
TEST_F(PolicyTest, OfSeveralTargetsTheBestRefusalCounts) {
  const auto call = dial();
  decide(to({"trunk:carrier", "trunk:second"}));
  respond(*trunk, invited(*trunk), 488);
  respond(*second, invited(*second), 503);
  EXPECT_EQ(final_status(call), 488);
  EXPECT_EQ(end().sip_code, 488);
}

TEST_F(PolicyTest, AnUnusableAnswerIsTheFallback) {
  world.settings.policy.fallback_reject = 480;
  restart();
  RouteTargets many;
  many.targets.assign(11, "trunk:carrier");
  for (const PolicyAnswer& answer : std::vector<PolicyAnswer>{
           to({}), to({"trunk:nowhere"}), to({"trunk:carrier", "service:karaoke"}), many,
           to({"user:"}), PolicyRejection{200, {}}, PolicyRejection{302, {}}, Ha1{"x"},
           PolicyFailed{"unavailable"}}) {
    const auto call = dial();
    decide(answer);
    EXPECT_EQ(final_status(call), 480);
    EXPECT_EQ(end().reason, EndReason::policy_failed);
    EXPECT_EQ(end().sip_code, 480);
  }
  const auto faults = world.observed<PolicyFault>();
  ASSERT_THAT(faults, SizeIs(9));
  EXPECT_EQ(faults[0].question, "route");
  EXPECT_EQ(faults[0].why, "invalid");
  EXPECT_EQ(faults[8].why, "unavailable");
  EXPECT_EQ(faults[8].call, name());
}

TEST_F(PolicyTest, ARouteBackToThePolicyLeadsNowhere) {
  const auto call = dial();
  decide(to({"7002"}));
  EXPECT_EQ(final_status(call), 404);
  EXPECT_THAT(world.questions, SizeIs(1));
}

TEST_F(PolicyTest, AServiceThatNeverAnswersIsGivenUp) {
  const auto call = dial();
  world.pass(seconds{3});
  const auto refusal = alice->take_response(300, call);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->response.status(), 503);
  EXPECT_TRUE(refusal->response.header(HeaderName::retry_after));
  EXPECT_EQ(world.observed<PolicyFault>().at(0).why, "timeout");
  decide(to({"trunk:carrier"}));
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "an answer that comes late is ignored";
}

// RFC 3261 §17.2.1: 100 while the policy is asked [trying]
TEST_F(PolicyTest, TheCallerMayGiveUpWhileItIsAsked) {
  const auto call = dial();
  world.pass(milliseconds{300});
  EXPECT_TRUE(alice->take_response(100, call));
  alice->cancel(call);
  world.settle();
  EXPECT_EQ(final_status(call), 487);
  decide(to({"trunk:carrier"}));
  EXPECT_FALSE(trunk->take_request(Method::invite));
  EXPECT_EQ(end().reason, EndReason::cancelled);
}

TEST_F(PolicyTest, ACallOfTheApiIsDecidedOnceItsFirstPartyIsThere) {
  world.settings.routes.insert(world.settings.routes.begin(), {"any", "^7", "service:policy"});
  restart();
  CreateCall create;
  create.from = "user:alice";
  create.to = "7001";
  ASSERT_TRUE(world.reply<CallView>(world.ask(create)));
  EXPECT_THAT(world.questions, SizeIs(0));
  respond(*alice, invited(*alice), 200, browser_answer());
  ASSERT_THAT(world.questions, SizeIs(1));
  EXPECT_EQ(std::get<RouteQuestion>(world.questions[0].question).source, "api");
  decide(to({"trunk:carrier"}));
  respond(*trunk, invited(*trunk), 200, trunk_sdp("sendrecv", 1, "0 101"));
  while (const auto again = alice->take_request(Method::invite))
    respond(*alice, *again, 200, browser_answer());
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  hang_up(*alice, *trunk);
}

struct PolicyForTheFirst : PolicyTest {
  /// The API calls 7001, which the policy service decides about, and then alice.
  void create(const std::string& to = "user:alice") {
    world.settings.routes.insert(world.settings.routes.begin(), {"any", "^7", "service:policy"});
    restart();
    CreateCall create;
    create.from = "7001";
    create.to = to;
    const auto made = world.reply<CallView>(world.ask(create));
    ASSERT_TRUE(made);
    EXPECT_EQ(made->from, "service:policy");
    ASSERT_THAT(world.questions, SizeIs(1));
    const auto& asked = std::get<RouteQuestion>(world.questions[0].question);
    EXPECT_EQ(asked.source, "api");
    EXPECT_EQ(asked.to, "7001");
    EXPECT_EQ(asked.from, to == "user:alice" ? "alice" : "echo");
    EXPECT_FALSE(alice->take_request(Method::invite));
  }
};

TEST_F(PolicyForTheFirst, TheTargetsAreTriedAndThenTheOtherIsCalled) {
  create();
  RouteTargets route = to({"trunk:carrier", "trunk:second"});
  route.caller_id = {"15550001", "Desk"};
  route.headers = {{"X-Case", "7"}};
  decide(route);
  respond(*trunk, invited(*trunk), 503);
  const auto invite = invited(*second);
  EXPECT_THAT(std::string(invite.request.request_uri()), HasSubstr("sip:7001@192.0.2.20"));
  EXPECT_EQ(sip::from_of(invite.request).uri.user, "15550001");
  EXPECT_EQ(invite.request.header("X-Case"), "7");
  respond(*second, invite, 200, trunk_sdp("sendrecv", 1, "0 101"));
  const auto to_alice = invited(*alice);
  EXPECT_EQ(sip::from_of(to_alice.request).uri.user, "7001");
  EXPECT_FALSE(to_alice.request.header("X-Case"));
  respond(*alice, to_alice, 200, browser_answer());
  const CallView view = world.observed<CallAnswered>().at(0).call;
  EXPECT_EQ(view.from, "trunk:second");
  EXPECT_EQ(view.from_number, "7001");
  EXPECT_EQ(view.to, "user:alice");
  EXPECT_EQ(view.trunk, "second");
  EXPECT_EQ(view.direction, Direction::outbound);
  while (const auto again = alice->take_request(Method::invite))
    respond(*alice, *again, 200, browser_answer());
  while (const auto again = second->take_request(Method::invite))
    respond(*second, *again, 200, trunk_sdp("sendrecv", 2, "0 101"));
  hang_up(*alice, *second);
}

TEST_F(PolicyForTheFirst, ItsRefusalIsOfTheFromLeg) {
  create();
  decide(PolicyRejection{480, "closed"});
  EXPECT_EQ(end().sip_code, 480);
  EXPECT_TRUE(world.observed<CallEnded>().at(0).call.from_failed);
}

TEST_F(PolicyForTheFirst, ANodeWithoutAnAnswerTakesTheFallback) {
  create();
  decide(PolicyFailed{"unavailable"});
  EXPECT_EQ(end().reason, EndReason::policy_failed);
  EXPECT_TRUE(world.observed<CallEnded>().at(0).call.from_failed);
}

TEST_F(PolicyForTheFirst, MayBeAService) {
  create();
  decide(to({"service:echo"}));
  respond(*alice, invited(*alice), 200, browser_answer());
  const CallView view = world.observed<CallAnswered>().at(0).call;
  EXPECT_EQ(view.from, "service:echo");
  EXPECT_EQ(view.to, "user:alice");
  alice->send_in_dialog(Method::bye);
  world.settle();
}

TEST_F(PolicyForTheFirst, TwoServicesHaveNobodyToBeCalled) {
  create("service:echo");
  decide(to({"service:echo"}));
  EXPECT_EQ(end().reason, EndReason::no_route);
}

TEST_F(PolicyForTheFirst, AParkedOneGoesWhereItIsSent) {
  create();
  Peer& bob = world.registered("bob");
  decide(Park{});
  const auto nobody = world.reply<Refusal>(world.ask(AnswerCall{name(), ""}));
  ASSERT_TRUE(nobody) << "there is nobody to be answered";
  ASSERT_TRUE(world.reply<CallView>(world.ask(AnswerCall{name(), "user:bob"})));
  respond(bob, invited(bob), 200, browser_answer());
  respond(*alice, invited(*alice), 200, browser_answer());
  EXPECT_EQ(world.observed<CallAnswered>().at(0).call.from, "user:bob");
  hang_up(*alice, bob);
}

TEST_F(PolicyTest, AServiceMayCallWhomTheServiceChooses) {
  world.settings.routes.insert(world.settings.routes.begin(), {"any", "^7", "service:policy"});
  restart();
  CreateCall create;
  create.from = "service:tone";
  create.to = "7001";
  ASSERT_TRUE(world.reply<CallView>(world.ask(create)));
  decide(to({"trunk:carrier", "trunk:second"}));
  respond(*trunk, invited(*trunk), 503);
  respond(*second, invited(*second), 200, trunk_sdp());
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  EXPECT_THAT(world.media_commands<media::StartTone>(), SizeIs(1));
  EXPECT_THAT(world.media_commands<media::SetRoute>(), SizeIs(0));
  second->send_in_dialog(Method::bye);
  world.settle();
}

TEST_F(PolicyTest, WithoutAServiceSuchARouteIsAMistake) {
  Settings settings = world.settings;
  settings.policy.enabled = false;
  MediaResources media;
  media.workers.emplace_back();
  SeededRandom random(1);
  const auto made = Engine::make(settings, media, random);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("policy"));
}

// ---------------------------------------------------------------- parked

struct Parked : PolicyTest {
  sip::TransactionId park(Duration timeout = {}, std::string_view sdp = kBrowserOffer) {
    const auto call = dial(sdp);
    decide(Park{timeout});
    EXPECT_TRUE(alice->take_response(180, call));
    return call;
  }
  std::optional<CallView> answer(const std::string& target) {
    return world.reply<CallView>(world.ask(AnswerCall{name(), target}));
  }
};

// RFC 3261 §13.3.1.1: ringing is repeated each minute [ringing-repeated]
TEST_F(Parked, RingsUntilSomebodyDecides) {
  const auto call = park();
  ASSERT_THAT(world.observed<CallParked>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallParked>()[0].call.state, CallState::parked);
  EXPECT_EQ(world.observed<CallParked>()[0].timeout, world.settings.ring_timeout);
  world.pass(seconds{61});
  EXPECT_TRUE(alice->take_response(180, call)) << "again, for proxies on the way";
  world.ask(RejectCall{name(), 486, "Sp\xc3\xa4ter"});
  const auto response = alice->take_response(200, call);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.status(), 486);
  EXPECT_EQ(response->response.reason(), "Sp\xc3\xa4ter");
  EXPECT_EQ(end().ended_by, EndedBy::api);
}

TEST_F(Parked, IsSentToATarget) {
  Peer& bob = world.registered("bob");
  const auto call = park();
  const auto view = answer("user:bob");
  ASSERT_TRUE(view);
  EXPECT_EQ(view->to, "user:bob");
  const auto invite = invited(bob);
  respond(bob, invite, 180);
  EXPECT_THAT(world.observed<CallRinging>(), SizeIs(1));
  EXPECT_FALSE(answer("user:bob")) << "it is parked no more";
  respond(bob, invite, 200, browser_answer());
  EXPECT_EQ(final_status(call), 200);
  hang_up(bob, *alice);
}

TEST_F(Parked, IsAnsweredBySilence) {
  const auto call = park();
  const auto view = answer("");
  ASSERT_TRUE(view);
  EXPECT_EQ(view->state, CallState::answered);
  ASSERT_THAT(view->legs, SizeIs(2));
  EXPECT_EQ(view->legs[1].party, "service:silence");
  EXPECT_EQ(final_status(call), 200);
  EXPECT_THAT(world.media_commands<media::SetRoute>(), SizeIs(0));
  EXPECT_THAT(world.media_commands<media::StartTone>(), SizeIs(0));
  EXPECT_THAT(world.observed<CallAnswered>(), SizeIs(1));
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(end().reason, EndReason::hangup);
}

TEST_F(Parked, WithoutAnOfferIsAnsweredToo) {
  const auto call = park({}, "");
  answer("");
  const auto response = alice->take_response(200, call);
  ASSERT_TRUE(response);
  alice->ack(*response, browser_answer());
  world.settle();
  alice->send_in_dialog(Method::bye);
  world.settle();
}

TEST_F(Parked, IsGivenUpInTime) {
  const auto call = park(seconds{20});
  EXPECT_EQ(world.observed<CallParked>()[0].timeout, seconds{20});
  world.pass(seconds{19});
  EXPECT_EQ(final_status(call), 0);
  world.pass(seconds{1});
  EXPECT_EQ(final_status(call), 480);
  EXPECT_EQ(end().reason, EndReason::ring_timeout);
  const auto refusal = world.reply<Refusal>(world.ask(AnswerCall{name(), ""}));
  ASSERT_TRUE(refusal);
}

TEST_F(Parked, IsGivenUpByTheCaller) {
  const auto call = park();
  alice->cancel(call);
  world.settle();
  EXPECT_EQ(final_status(call), 487);
}

TEST_F(Parked, StaysParkedWhenTheTargetCannotBeMeant) {
  const auto call = park();
  const auto refusal = world.reply<Refusal>(world.ask(AnswerCall{name(), "nobody-at-all"}));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, "NO_ROUTE");
  EXPECT_EQ(refusal->field, "target");
  world.ask(RejectCall{name(), 603, {}});
  EXPECT_EQ(final_status(call), 603);
}

TEST_F(Parked, OnlyAParkedCallIsAnswered) {
  dial();
  const auto refusal = world.reply<Refusal>(world.ask(AnswerCall{name(), ""}));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->reason, "WRONG_CALL_STATE");
  decide(PolicyRejection{});
}

// ---------------------------------------------------------------- users

struct UnknownUser : PolicyTest {
  Peer* carol = nullptr;

  void SetUp() override {
    PolicyTest::SetUp();
    world.settings.policy.authenticate_users = true;
    restart();
    carol = &world.browser("carol");
  }
  static Ha1 ha1_of(std::string_view password) {
    return {sip::digest_ha1(sip::DigestAlgorithm::md5, "carol", "example.test", password)};
  }
  sip::Message registration() {
    auto request = sip::Message::request(Method::register_, "sip:example.test");
    request.add(HeaderName::max_forwards, "69");
    request.add(HeaderName::from, "<sip:carol@example.test>;tag=r1");
    request.add(HeaderName::to, "<sip:carol@example.test>");
    request.add(HeaderName::call_id, "reg-" + std::to_string(++registrations_));
    request.add(HeaderName::cseq, "1 REGISTER");
    request.add(HeaderName::contact, "<sip:carol-x@abc.invalid;transport=ws>;expires=600");
    return request;
  }
  sip::TransactionId register_carol() {
    return world.answer_challenge(*carol, carol->send(registration()), "carol", "secret");
  }
  int status(sip::TransactionId of) {
    const auto response = carol->take_response(200, of);
    return response ? response->response.status() : 0;
  }
  int registrations_ = 0;
};

TEST_F(UnknownUser, RegistersWithThePasswordThatThePolicyKnows) {
  const auto sent = register_carol();
  EXPECT_EQ(status(sent), 0);
  ASSERT_THAT(world.questions, SizeIs(1));
  const auto& asked = std::get<AuthenticationQuestion>(world.questions[0].question);
  EXPECT_EQ(asked.user, "carol");
  EXPECT_EQ(asked.realm, "example.test");
  EXPECT_THAT(asked.source, HasSubstr("198.51.100.7:"));
  decide(ha1_of("secret"));
  EXPECT_EQ(status(sent), 200);
  EXPECT_EQ(world.observed<AuthenticationResult>().back().result, "ok");
  // Who calls her next finds her.
  const auto call =
      world.answer_challenge(*alice, alice->invite("carol", "alice", kBrowserOffer), "alice");
  respond(*carol, invited(*carol), 486);
  EXPECT_EQ(final_status(call), 486);
}

TEST_F(UnknownUser, IsAskedAboutOnceAMinute) {
  EXPECT_EQ(status(register_carol()), 0);
  decide(ha1_of("secret"));
  EXPECT_EQ(status(register_carol()), 200);
  EXPECT_THAT(world.questions, SizeIs(1));
  world.pass(seconds{60});
  EXPECT_EQ(status(register_carol()), 0);
  ASSERT_THAT(world.questions, SizeIs(2));
  decide(ha1_of("secret"));
}

TEST_F(UnknownUser, WithANewPasswordIsAskedAboutAgain) {
  register_carol();
  decide(ha1_of("old"));
  EXPECT_EQ(carol->take_response(300)->response.status(), 401);
  world.pass(seconds{1});
  const auto sent = register_carol();
  ASSERT_THAT(world.questions, SizeIs(2));
  decide(ha1_of("secret"));
  EXPECT_EQ(status(sent), 200);
}

TEST_F(UnknownUser, WithTheWrongPasswordIsChallengedAgain) {
  const auto sent = register_carol();
  decide(ha1_of("another"));
  EXPECT_EQ(status(sent), 401);
  EXPECT_EQ(world.observed<AuthenticationResult>().back().result, "bad");
  EXPECT_THAT(world.questions, SizeIs(1));
}

TEST_F(UnknownUser, IsRefusedAsThePolicySays) {
  auto sent = register_carol();
  decide(PolicyRejection{403, "no"});
  EXPECT_EQ(status(sent), 403);
  sent = register_carol();
  decide(PolicyRejection{401, "no"});
  EXPECT_EQ(status(sent), 401);
  sent = register_carol();
  decide(PolicyRejection{7, "no"});
  EXPECT_EQ(status(sent), 403);
}

TEST_F(UnknownUser, GetsTheFallbackWhenThePolicyFails) {
  for (const PolicyAnswer& answer : std::vector<PolicyAnswer>{
           PolicyFailed{"unavailable"}, Park{}, to({"trunk:carrier"}), Ha1{"not an HA1"}}) {
    const auto sent = register_carol();
    decide(answer);
    EXPECT_EQ(status(sent), 503);
  }
  const auto sent = register_carol();
  world.pass(seconds{3});
  EXPECT_EQ(status(sent), 503);
  const auto faults = world.observed<PolicyFault>();
  ASSERT_THAT(faults, SizeIs(5));
  EXPECT_EQ(faults[0].question, "authenticate");
  EXPECT_EQ(faults[4].why, "timeout");
}

TEST_F(UnknownUser, WhoIsConfiguredIsNotAskedAbout) {
  world.registered("bob");
  EXPECT_THAT(world.questions, SizeIs(0));
}

TEST_F(UnknownUser, WhoHasNotHeardAChallengeIsNotAskedAbout) {
  auto request = registration();
  request.add(HeaderName::authorization,
              "Digest username=\"carol\", realm=\"example.test\", nonce=\"made-up\", "
              "uri=\"sip:example.test\", response=\"00112233445566778899aabbccddeeff\"");
  const auto sent = carol->send(std::move(request));
  world.settle();
  EXPECT_EQ(status(sent), 401);
  EXPECT_THAT(world.questions, SizeIs(0));
}

TEST_F(UnknownUser, MayCallAndGiveUpBeforeSheIsKnown) {
  const auto call =
      world.answer_challenge(*carol, carol->invite("5551000", "carol", kBrowserOffer), "carol");
  ASSERT_THAT(world.questions, SizeIs(1));
  world.pass(milliseconds{300});
  carol->cancel(call);
  world.settle();
  EXPECT_EQ(status(call), 487);
  decide(ha1_of("secret"));
  EXPECT_FALSE(trunk->take_request(Method::invite));
  EXPECT_THAT(world.observed<CallStarted>(), SizeIs(0));
}

TEST_F(UnknownUser, CallsOnceSheIsKnown) {
  const auto call =
      world.answer_challenge(*carol, carol->invite("5551000", "carol", kBrowserOffer), "carol");
  decide(ha1_of("secret"));
  respond(*trunk, invited(*trunk), 486);
  EXPECT_EQ(status(call), 486);
}

TEST_F(UnknownUser, WhoseConnectionIsGoneIsForgotten) {
  register_carol();
  carol->close_flow();
  world.settle();
  decide(ha1_of("secret"));
  EXPECT_EQ(world.engine->registrations(), 1U) << "alice alone";
}

TEST_F(UnknownUser, SoManyAreAskedAboutAndNoMore) {
  for (int i = 0; i < 1024; ++i)
    register_carol();
  ASSERT_THAT(world.questions, SizeIs(1024));
  EXPECT_EQ(status(register_carol()), 503);
  world.pass(seconds{3});
  EXPECT_THAT(world.observed<PolicyFault>(), SizeIs(1024));
}

}  // namespace
}  // namespace trunkline::call::simulation
