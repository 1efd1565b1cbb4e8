#include "simulation.hpp"
#include <gmock/gmock.h>

// What the two sides of a call learn of each other, over the wire of the simulation.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct CallerIdentity : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer& trunk = world.trunk();

  TrunkSettings& settings() { return world.settings.trunks[0]; }
  void restart() {
    world.restart();
    alice = &world.registered("alice", 100000);
  }
  void SetUp() override {
    world.settings.users[0].numbers = {"+4930123456", "+4930123457"};
    restart();
  }
  void TearDown() override { world.expect_nothing_left(); }

  using Fields = std::vector<std::pair<std::string_view, std::string_view>>;
  static sip::Message with(sip::Message message, const Fields& fields) {
    for (const auto& [name, value] : fields) {
      const HeaderName known = sip::parse_header_name(name);
      if (known == HeaderName::from) message.remove(known);
      message.add(name, value);
    }
    return message;
  }
  /// An INVITE of alice's with these fields, as it comes to the trunk.
  sip::RequestReceived dial(const Fields& fields = {}, std::string_view number = "5551000") {
    const auto plain = alice->invite(number, "alice", kBrowserOffer);
    world.settle();
    const auto challenged = alice->take_response(401, plain);
    sip::Message request = with(alice->sent.at(plain), fields);
    alice->sent[plain] = request;
    // As a page does it: the same request again, with credentials.
    sip::DigestClient digest("alice", "secret", random);
    EXPECT_TRUE(digest.authorize(challenged->response, request));
    request.set(HeaderName::cseq, "11 INVITE");
    call = alice->send(std::move(request));
    world.settle();
    auto invite = trunk.take_request(Method::invite);
    return invite ? *invite : sip::RequestReceived{};
  }
  /// One of the trunk's, as it comes to alice.
  sip::RequestReceived ring_alice(const Fields& fields = {}) {
    auto request = sip::Message::request(Method::invite, "sip:1001@example.test");
    request.add(HeaderName::max_forwards, "69");
    request.add(HeaderName::from, "\"Caller\" <sip:+15550001@carrier.test>;tag=from-trunk");
    request.add(HeaderName::to, "<sip:1001@example.test>");
    request.add(HeaderName::call_id, "call-" + std::to_string(++calls));
    request.add(HeaderName::cseq, "1 INVITE");
    request.add(HeaderName::contact, "<sip:carrier@192.0.2.9>");
    request.set_body("application/sdp", trunk_sdp());
    call = trunk.send(with(std::move(request), fields));
    world.settle();
    auto invite = alice->take_request(Method::invite);
    return invite ? *invite : sip::RequestReceived{};
  }
  void respond(Peer& peer, const sip::RequestReceived& to, int status, std::string_view sdp,
               const Fields& fields = {}) {
    auto response = sip::make_response(to.request, status, "peer-tag");
    if (status < 300) response.add(HeaderName::contact, "<sip:peer@192.0.2.9>");
    if (!sdp.empty()) response.set_body("application/sdp", sdp);
    if (status >= 200 && status < 300) {
      peer.dialog = *sip::Dialog::as_uas(to.request, "peer-tag");
      peer.dialog->confirm();
    }
    peer.respond(to, with(std::move(response), fields));
    world.settle();
  }
  sip::Message answer_of(Peer& peer, int at_least = 200) {
    const auto response = peer.take_response(at_least, call);
    return response ? response->response : sip::Message::response(600);
  }
  static std::string header(const sip::Message& message, HeaderName name) {
    return std::string(message.header(name).value_or(""));
  }
  static std::string from(const sip::RequestReceived& invite) {
    return header(invite.request, HeaderName::from);
  }
  void hang_up(Peer& peer) {
    peer.send_in_dialog(Method::bye);
    world.settle();
  }
  void give_up(const sip::RequestReceived& invite) { respond(trunk, invite, 486, {}); }

  SeededRandom random{3};
  sip::TransactionId call;
  int calls = 0;
};

// ---------------------------------------------------------------- P-Asserted-Identity

// RFC 3325 §5: what a browser asserts of itself never reaches a trunk [asserted-identity]
TEST_F(CallerIdentity, WhatABrowserAssertsNeverReachesTheTrunk) {
  const Fields spoofed{{"P-Asserted-Identity", "<sip:+15559999@example.test>"},
                       {"P-Preferred-Identity", "<sip:+15559999@example.test>"},
                       {"Remote-Party-ID", "<sip:+15559999@example.test>"},
                       {"Diversion", "<sip:+15559999@example.test>;reason=unconditional"},
                       {"History-Info", "<sip:+15559999@example.test>;index=1"},
                       {"Identity", "x;info=<https://+15559999.test>;alg=ES256"}};
  for (const bool trusted : {false, true}) {
    settings().asserts_identity = settings().tells_diversion = settings().tells_history = trusted;
    restart();
    const auto invite = dial(spoofed);
    EXPECT_THAT(invite.request.serialize(), Not(HasSubstr("5559999")));
    EXPECT_EQ(invite.request.count(HeaderName::p_asserted_identity), trusted ? 1U : 0U);
    EXPECT_THAT(from(invite), HasSubstr("sip:+4930123456@example.test"));
    give_up(invite);
  }
}

// RFC 3325 §5: ours is asserted of who has shown its password, to trunks that are trusted
// [asserted-identity]
TEST_F(CallerIdentity, IsAssertedInTheWholeDialogOfATrustedTrunk) {
  settings().asserts_identity = true;
  restart();
  const auto invite = dial({{"P-Preferred-Identity", "tel:+4930123457"}});
  const std::string identity = "<sip:+4930123457@example.test>";
  EXPECT_EQ(header(invite.request, HeaderName::p_asserted_identity), identity);
  EXPECT_EQ(invite.request.count(HeaderName::p_preferred_identity), 0U);
  respond(trunk, invite, 200, trunk_sdp());
  alice->ack(*alice->take_response(200, call));
  world.settle();
  // RFC 5876 §3: in other requests of the dialog too.
  hang_up(*alice);
  const auto bye = trunk.take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_EQ(header(bye->request, HeaderName::p_asserted_identity), identity);
  EXPECT_EQ(trunk.acknowledged.at(0).count(HeaderName::p_asserted_identity), 0U);
  trunk.respond(*bye, 200);
  world.settle();
}

// RFC 3325 §5: of a trunk only where it is trusted [asserted-identity]
TEST_F(CallerIdentity, ATrunkIsBelievedIfItIsTrusted) {
  const Fields asserted{{"P-Asserted-Identity", "\"Real\" <sip:+15550002@carrier.test>"},
                        {"P-Asserted-Identity", "tel:+15550002"}};
  auto invite = ring_alice(asserted);
  EXPECT_THAT(from(invite), HasSubstr("\"Caller\" <sip:+15550001@example.test>"));
  respond(*alice, invite, 486, {});
  settings().accepts_identity = true;
  restart();
  invite = ring_alice(asserted);
  EXPECT_THAT(from(invite), HasSubstr("\"Real\" <sip:+15550002@example.test>"));
  EXPECT_EQ(invite.request.count(HeaderName::p_asserted_identity), 0U);
  EXPECT_EQ(world.observed<CallStarted>().back().call.caller, "+15550002");
  respond(*alice, invite, 486, {});
}

// RFC 5876 §3: the answer tells who has answered [asserted-identity]
TEST_F(CallerIdentity, WhoAnswersIsAssertedToATrustedTrunk) {
  settings().asserts_identity = true;
  restart();
  const auto invite = ring_alice();
  respond(*alice, invite, 180, {});
  EXPECT_EQ(header(answer_of(trunk, 180), HeaderName::p_asserted_identity),
            "<sip:+4930123456@example.test>");
  respond(*alice, invite, 200, browser_answer(), {{"Privacy", "id"}});
  const auto answer = trunk.take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_EQ(header(answer->response, HeaderName::p_asserted_identity),
            "<sip:+4930123456@example.test>");
  EXPECT_EQ(header(answer->response, HeaderName::privacy), "id");
  trunk.ack(*answer);
  world.settle();
  hang_up(trunk);
  const auto bye = alice->take_request(Method::bye);
  ASSERT_TRUE(bye);
  alice->respond(*bye, 200);
  world.settle();
}

// ---------------------------------------------------------------- Privacy

// RFC 3323 §4.2: nothing of an anonymous caller reaches a peer that is not trusted [privacy]
// RFC 3323 §4.2: nor does its number in From [race-privacy-from]
TEST_F(CallerIdentity, OfAnAnonymousCallerNothingIsSeen) {
  settings().headers_to = {"Subject", "X-*", "User-Agent"};
  restart();
  const std::vector<Fields> wishes{
      {{"Privacy", "id"}},
      {{"Privacy", "User;Header;Session;critical"}},
      {{"From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=a"},
       {"P-Preferred-Identity", "<sip:alice@example.test>"},
       {"Privacy", "ID"}},
      {{"From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=a"}}};
  for (Fields wish : wishes) {
    wish.emplace_back("Subject", "hello");
    wish.emplace_back("X-Who", "it is Alice");
    wish.emplace_back("User-Agent", "phone of somebody");
    const auto invite = dial(wish);
    const std::string text = invite.request.serialize();
    EXPECT_THAT(from(invite), HasSubstr("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="));
    for (const char* trace : {"alice", "Alice", "4930123456", "somebody", "198.51.100.7"})
      EXPECT_THAT(text, Not(HasSubstr(trace)));
    EXPECT_THAT(text, Not(HasSubstr("\r\nPrivacy")));
    give_up(invite);
    EXPECT_TRUE(world.observed<CallStarted>().back().call.caller_hidden);
    EXPECT_EQ(world.observed<CallStarted>().back().call.caller, "alice");
  }
}

// RFC 3325 §7: a trusted peer learns who calls, and that it must not say so [privacy]
TEST_F(CallerIdentity, ATrustedTrunkLearnsWhoIsAnonymous) {
  settings().asserts_identity = true;
  restart();
  const auto invite = dial({{"Privacy", "ID"}});
  EXPECT_THAT(from(invite), HasSubstr("anonymous.invalid"));
  EXPECT_EQ(header(invite.request, HeaderName::p_asserted_identity),
            "<sip:+4930123456@example.test>");
  EXPECT_EQ(header(invite.request, HeaderName::privacy), "id");
  give_up(invite);
}

// RFC 3325 §7: nor does a page learn of a caller that a trunk knows [privacy]
TEST_F(CallerIdentity, APageLearnsNothingOfAnAnonymousCaller) {
  settings().accepts_identity = true;
  restart();
  const auto invite =
      ring_alice({{"Privacy", "id"}, {"P-Asserted-Identity", "<sip:+15550002@carrier.test>"}});
  EXPECT_THAT(from(invite), HasSubstr("\"Anonymous\" <sip:anonymous@anonymous.invalid>"));
  EXPECT_THAT(invite.request.serialize(), Not(HasSubstr("1555000")));
  EXPECT_EQ(world.observed<CallStarted>().back().call.caller, "+15550002");
  respond(*alice, invite, 486, {});
}

// RFC 3323 §5: what is critical and can't be given is refused with 500 [privacy]
TEST_F(CallerIdentity, PrivacyThatIsCriticalAndUnknownIsRefused) {
  const auto invite = dial({{"Privacy", "shield;critical"}});
  EXPECT_FALSE(invite.transaction);
  const auto refused = alice->take_response(200, call);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 500);
  EXPECT_THAT(std::string(refused->response.reason()), HasSubstr("shield"));
}

TEST_F(CallerIdentity, TheApiMayHideTheCaller) {
  for (const bool anonymous : {false, true}) {
    CreateCall create;
    create.from = "service:tone";
    create.to = "5551000";
    create.trunk = "carrier";
    create.caller_id = {"+4930999", "Shop", anonymous};
    world.ask(create);
    const auto invite = trunk.take_request(Method::invite);
    ASSERT_TRUE(invite);
    EXPECT_EQ(invite->request.serialize().find("Shop") == std::string::npos, anonymous);
    EXPECT_EQ(invite->request.serialize().find("4930999") == std::string::npos, anonymous);
    give_up(*invite);
  }
}

TEST_F(CallerIdentity, AMessageHidesItsSenderToo) {
  for (const bool hidden : {false, true}) {
    auto request = sip::Message::request(Method::message, "sip:5551000@example.test");
    request.add(HeaderName::max_forwards, "69");
    request.add(HeaderName::from, "<sip:alice@example.test>;tag=m");
    request.add(HeaderName::to, "<sip:5551000@example.test>");
    request.add(HeaderName::call_id, hidden ? "m-1" : "m-2");
    request.add(HeaderName::cseq, "1 MESSAGE");
    if (hidden) request.add(HeaderName::privacy, "id");
    request.set_body("text/plain", "hello");
    world.answer_challenge(*alice, alice->send(std::move(request)), "alice");
    const auto message = trunk.take_request(Method::message);
    ASSERT_TRUE(message);
    EXPECT_THAT(from(*message), HasSubstr(hidden ? "anonymous.invalid" : "+4930123456"));
    trunk.respond(*message, 200);
    world.settle();
  }
}

// ---------------------------------------------------------------- numbers

TEST_F(CallerIdentity, NumbersFollowTheRulesOfTheTrunk) {
  settings().called_to = {{"^5", "+15"}};
  settings().calling_to = {{"^\\+49", "0"}};
  settings().called_from = {{"^\\+4930", ""}};
  settings().calling_from = {{"^\\+1", "001"}};
  settings().number_form = NumberForm::phone;
  restart();
  auto invite = dial();
  EXPECT_EQ(invite.request.request_uri(), "sip:+15551000@192.0.2.9:5060;user=phone");
  EXPECT_EQ(header(invite.request, HeaderName::to), "<sip:+15551000@192.0.2.9:5060;user=phone>");
  EXPECT_THAT(from(invite), HasSubstr("<sip:030123456@example.test;user=phone>"));
  EXPECT_EQ(world.observed<CallStarted>().back().call.dialled, "5551000");
  give_up(invite);

  auto request = sip::Message::request(Method::invite, "tel:+49-30-1001");
  request.add(HeaderName::max_forwards, "69");
  request.add(HeaderName::from, "<sip:+15550001@carrier.test>;tag=t");
  request.add(HeaderName::to, "<tel:+49-30-1001>");
  request.add(HeaderName::call_id, "tel-call");
  request.add(HeaderName::cseq, "1 INVITE");
  request.add(HeaderName::contact, "<sip:carrier@192.0.2.9>");
  request.set_body("application/sdp", trunk_sdp());
  call = trunk.send(std::move(request));
  world.settle();
  const auto rung = alice->take_request(Method::invite);
  ASSERT_TRUE(rung) << "the route is for 1001";
  EXPECT_THAT(from(*rung), HasSubstr("<sip:0015550001@example.test>"));
  EXPECT_EQ(world.observed<CallStarted>().back().call.caller, "0015550001");
  respond(*alice, *rung, 486, {});
}

TEST_F(CallerIdentity, ATrunkMayWantTelephoneUris) {
  settings().called_to = {{"^5", "+15"}};
  settings().number_form = NumberForm::tel;
  restart();
  const auto invite = dial();
  EXPECT_EQ(invite.request.request_uri(), "tel:+15551000");
  EXPECT_THAT(from(invite), HasSubstr("<tel:+4930123456>;tag="));
  respond(trunk, invite, 200, trunk_sdp());
  alice->ack(*alice->take_response(200, call));
  world.settle();
  hang_up(*alice);
  const auto bye = trunk.take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_THAT(from(*bye), HasSubstr("<tel:+4930123456>;tag="));
  trunk.respond(*bye, 200);
  world.settle();
}

// ---------------------------------------------------------------- header fields

TEST_F(CallerIdentity, HeaderFieldsCrossByTheListsOnly) {
  settings().headers_to = {"X-Account", "User-to-User"};
  settings().headers_from = {"X-Answer", "User-to-User", "X-Bye"};
  restart();
  const auto invite = dial({{"X-Account", "7"},
                            {"X-Other", "8"},
                            {"User-to-User", "00"},
                            {"Alert-Info", "<http://a.test>"},
                            {"Subject", "s"}});
  const std::string text = invite.request.serialize();
  EXPECT_THAT(text, AllOf(HasSubstr("X-Account: 7\r\n"), HasSubstr("User-to-User: 00\r\n")));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("X-Other")), Not(HasSubstr("Alert-Info")),
                          Not(HasSubstr("Subject"))));
  respond(trunk, invite, 180, {}, {{"X-Answer", "ringing"}, {"X-Account", "9"}});
  const std::string ringing = answer_of(*alice, 180).serialize();
  EXPECT_THAT(ringing, AllOf(HasSubstr("X-Answer: ringing"), Not(HasSubstr("X-Account"))));
  respond(trunk, invite, 200, trunk_sdp(), {{"X-Answer", "hello"}});
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->response.serialize(), HasSubstr("X-Answer: hello"));
  alice->ack(*answer);
  world.settle();
  auto bye = trunk.dialog->request(Method::bye);
  bye.add("X-Bye", "soon");
  bye.add("X-Other", "8");
  trunk.send(std::move(bye));
  world.settle();
  const auto ended = alice->take_request(Method::bye);
  ASSERT_TRUE(ended);
  EXPECT_THAT(ended->request.serialize(),
              AllOf(HasSubstr("X-Bye: soon"), Not(HasSubstr("X-Other"))));
  alice->respond(*ended, 200);
  world.settle();
}

TEST_F(CallerIdentity, ARefusalBringsItsFieldsToo) {
  settings().headers_from = {"X-Answer"};
  restart();
  const auto invite = dial();
  respond(trunk, invite, 603, {}, {{"X-Answer", "never"}, {"X-Other", "1"}});
  EXPECT_THAT(answer_of(*alice).serialize(),
              AllOf(HasSubstr("X-Answer: never"), Not(HasSubstr("X-Other"))));
}

// ---------------------------------------------------------------- diversions

struct Diverted : CallerIdentity {
  void SetUp() override {
    settings().tells_diversion = settings().tells_history = true;
    settings().max_redirects = 3;
    world.settings.routes.push_back({"any", "^555", "trunk:carrier"});
    CallerIdentity::SetUp();
  }
  static std::vector<std::string_view> all(const sip::Message& message, HeaderName name) {
    return message.headers(name);
  }
};

// RFC 5806 §5: a call that follows a 302 says who has sent it on [history-info]
// RFC 7044 §5: and where it was before [history-info]
TEST_F(Diverted, ARedirectionIsToldToTheNextPlace) {
  auto invite = dial();
  EXPECT_THAT(all(invite.request, HeaderName::diversion), IsEmpty());
  EXPECT_THAT(all(invite.request, HeaderName::history_info),
              ElementsAre("<sip:5551000@example.test>;index=1",
                          "<sip:5551000@192.0.2.9:5060>;index=1.1;np=1"));
  respond(trunk, invite, 302, {}, {{"Contact", "<sip:5552000@192.0.2.9>"}});
  const auto next = trunk.take_request(Method::invite);
  ASSERT_TRUE(next);
  EXPECT_THAT(all(next->request, HeaderName::diversion),
              ElementsAre("<sip:5551000@example.test>;reason=unconditional"));
  EXPECT_THAT(all(next->request, HeaderName::history_info),
              ElementsAre("<sip:5551000@example.test>;index=1",
                          "<sip:5551000@example.test?Reason=SIP%3Bcause%3D302>;index=1.1;np=1",
                          "<sip:5552000@192.0.2.9;cause=302>;index=1.2;mp=1.1"));
  respond(trunk, *next, 302, {},
          {{"Contact", "<sip:5553000@192.0.2.9>"},
           {"Diversion", "<sip:5552000@192.0.2.9>;reason=do-not-disturb"},
           {"Privacy", "id"}});
  const auto last = trunk.take_request(Method::invite);
  ASSERT_TRUE(last);
  EXPECT_THAT(all(last->request, HeaderName::diversion),
              ElementsAre("<sip:anonymous@anonymous.invalid>;reason=do-not-disturb;privacy=full",
                          "<sip:5551000@example.test>;reason=unconditional"));
  give_up(*last);
}

// RFC 7044 §5: who transfers a call has sent it on [history-info]
TEST_F(Diverted, ATransferredCallSaysWhoHasSentItOn) {
  const auto invite = ring_alice({{"Diversion", "<sip:+15557777@carrier.test>;reason=no-answer"}});
  respond(*alice, invite, 200, browser_answer());
  const auto answer = trunk.take_response(200, call);
  ASSERT_TRUE(answer);
  trunk.ack(*answer);
  world.settle();
  const std::string name = world.observed<CallStarted>().back().call.name;
  world.ask(TransferCall{{name, "from"}, "5552000", TransferMode::gateway, std::nullopt});
  const auto next = trunk.take_request(Method::invite);
  ASSERT_TRUE(next);
  EXPECT_THAT(from(*next), HasSubstr("\"Caller\" <sip:+15550001@example.test>"));
  EXPECT_THAT(all(next->request, HeaderName::diversion),
              ElementsAre("<sip:1001@example.test>;reason=deflection",
                          "<sip:+15557777@example.test>;reason=no-answer"));
  respond(trunk, *next, 486, {});
  hang_up(trunk);
  const auto bye = alice->take_request(Method::bye);
  ASSERT_TRUE(bye);
  alice->respond(*bye, 200);
  world.settle();
}

// RFC 7044 §10.3: a place that fails makes the next one a diversion [history-info]
TEST_F(Diverted, ThePolicyServicesNextTargetIsADiversion) {
  world.settings.policy.enabled = true;
  world.settings.routes.insert(world.settings.routes.begin(),
                               {"trunk:carrier", "^1001$", "service:policy"});
  restart();
  ring_alice();
  ASSERT_EQ(world.questions.size(), 1U);
  RouteTargets targets;
  targets.targets = {"user:alice", "5552000"};
  world.answer(world.questions.back().id, targets);
  const auto rung = alice->take_request(Method::invite);
  ASSERT_TRUE(rung);
  respond(*alice, *rung, 500, {});
  const auto next = trunk.take_request(Method::invite);
  ASSERT_TRUE(next);
  EXPECT_THAT(all(next->request, HeaderName::diversion),
              ElementsAre("<sip:1001@example.test>;reason=unavailable"));
  EXPECT_THAT(all(next->request, HeaderName::history_info),
              ElementsAre("<sip:1001@example.test>;index=1",
                          "<sip:alice@example.test?Reason=SIP%3Bcause%3D500>;index=1.1;mp=1",
                          "<sip:5552000@192.0.2.9:5060;cause=503>;index=1.2;mp=1.1"));
  give_up(*next);
}

TEST_F(Diverted, ACallThatWasSentOnTooOftenIsNotSentOn) {
  world.settings.policy.enabled = true;
  world.settings.routes.insert(world.settings.routes.begin(),
                               {"trunk:carrier", "^1001$", "service:policy"});
  restart();
  ring_alice({{"Diversion", "<sip:+15557777@carrier.test>;reason=no-answer;counter=10"}});
  ASSERT_EQ(world.questions.size(), 1U);
  RouteTargets targets;
  targets.targets = {"5552000"};
  world.answer(world.questions.back().id, targets);
  EXPECT_FALSE(trunk.take_request(Method::invite));
  EXPECT_EQ(answer_of(trunk).status(), 482);
}

// ---------------------------------------------------------------- Session-ID

struct SessionId : CallerIdentity {
  static constexpr std::string_view kAlice = "ab30317f1a784dc48ff824d0d3715d86";
  static constexpr std::string_view kCarrier = "47755a9de7794ba387653f2099600ef2";
  static std::string pair(std::string_view local, std::string_view remote) {
    return std::string(local) + ";remote=" + std::string(remote);
  }
  static constexpr std::string_view kNil = "00000000000000000000000000000000";
  static std::string session(const sip::Message& message) {
    return header(message, HeaderName::session_id);
  }
};

// RFC 7989 §6: each side sees itself as the remote one [session-id]
TEST_F(SessionId, CrossesWithTheSidesExchanged) {
  const std::string of_alice = pair(kAlice, kNil);
  const auto invite = dial({{"Session-ID", of_alice}});
  EXPECT_EQ(session(invite.request), pair(kAlice, kNil));
  const std::string of_carrier = pair(kCarrier, kAlice);
  respond(trunk, invite, 180, {}, {{"Session-ID", of_carrier}});
  EXPECT_EQ(session(answer_of(*alice, 180)), pair(kCarrier, kAlice));
  respond(trunk, invite, 200, trunk_sdp(), {{"Session-ID", of_carrier}});
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_EQ(session(answer->response), pair(kCarrier, kAlice));
  EXPECT_EQ(world.observed<CallAnswered>().back().call.session_id, pair(kAlice, kCarrier));
  alice->ack(*answer);
  world.settle();
  EXPECT_EQ(session(trunk.acknowledged.at(0)), pair(kAlice, kCarrier));
  hang_up(*alice);
  const auto bye = trunk.take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_EQ(session(bye->request), pair(kAlice, kCarrier));
  trunk.respond(*bye, 200);
  world.settle();
}

// RFC 7989 §7: for who has none one is made, and kept [session-id]
TEST_F(SessionId, IsMadeForWhoHasNone) {
  const auto invite = dial();
  const std::string first = session(invite.request);
  ASSERT_EQ(first.size(), pair(kNil, kNil).size());
  EXPECT_THAT(first, AllOf(testing::EndsWith(";remote=" + std::string(kNil)),
                           Not(testing::StartsWith(std::string(kNil)))));
  const std::string made = first.substr(0, 32);
  respond(trunk, invite, 200, trunk_sdp());
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  const std::string other = session(answer->response).substr(0, 32);
  EXPECT_EQ(session(answer->response), pair(other, made));
  EXPECT_NE(other, kNil);
  alice->ack(*answer);
  world.settle();
  hang_up(*alice);
  const auto bye = trunk.take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_EQ(session(bye->request), pair(made, other));
  trunk.respond(*bye, 200);
  world.settle();
}

// RFC 7989 §11: a device of RFC 7329 gives back what it was sent [session-id]
TEST_F(SessionId, TheOldFormIsTolerated) {
  const auto invite = dial({{"Session-ID", kAlice}});
  EXPECT_EQ(session(invite.request), pair(kAlice, kNil));
  respond(trunk, invite, 180, {}, {{"Session-ID", kAlice}});
  EXPECT_THAT(session(answer_of(*alice, 180)), Not(testing::StartsWith(std::string(kAlice))));
  give_up(invite);
}

// RFC 7989 §6: CANCEL bears that of its INVITE [session-id]
TEST_F(SessionId, OfACancelIsThatOfItsInvite) {
  const auto invite = dial();
  respond(trunk, invite, 180, {});
  alice->cancel(call);
  world.settle();
  ASSERT_EQ(trunk.cancels.size(), 1U);
  EXPECT_EQ(session(trunk.cancels[0].cancel), session(invite.request));
  respond(trunk, invite, 487, {});
}

// RFC 3323 §4.2: a UUID that was made of a network card would tell whose it is [privacy]
TEST_F(SessionId, OfAnAnonymousCallerTellsNothing) {
  const auto invite = dial({{"Session-ID", "ab30317f1a781dc48ff824d0d3715d86"}, {"Privacy", "id"}});
  EXPECT_THAT(session(invite.request), Not(HasSubstr("ab30317f")));
  give_up(invite);
}

}  // namespace
}  // namespace trunkline::call::simulation
