#include "established_call.hpp"
#include <gmock/gmock.h>

// Another configuration while calls go on: they end as they began, and what is new follows the new
// one.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

CreateCall outgoing() {
  CreateCall asked;
  asked.from = "service:tone";
  asked.to = "5551000";
  return asked;
}

struct Reconfigured : EstablishedCall {
  TrunkSettings& carrier() { return world.settings.trunks[0]; }
  void without_trunk() {
    world.settings.trunks.clear();
    std::erase_if(world.settings.routes, [](const RouteSettings& route) {
      return route.from == "trunk:carrier" || route.target == "trunk:carrier";
    });
    world.reconfigure();
  }
  TrunkViews views() {
    return world.reply<TrunkViews>(world.ask(ListTrunks{})).value_or(TrunkViews{});
  }
  int refusal_of(Peer& peer, sip::TransactionId call) {
    const auto response = peer.take_response(300, call);
    return response ? response->response.status() : 0;
  }
};

TEST_F(Reconfigured, CallsEndOnATrunkThatIsGone) {
  without_trunk();
  EXPECT_EQ(world.engine->calls(), 1U);
  EXPECT_THAT(views().all, IsEmpty());
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(ended(*trunk));
  EXPECT_EQ(world.engine->calls(), 0U);
  world.expect_nothing_left();
}

TEST_F(Reconfigured, ATrunkThatIsGoneTakesNoCallsAndMakesNone) {
  without_trunk();
  const auto out = alice->invite("5551000", "alice", kBrowserOffer);
  EXPECT_EQ(refusal_of(*alice, world.answer_challenge(*alice, out, "alice")), 404);
  const auto in = trunk->invite("1001", "+4930", trunk_sdp());
  world.settle();
  EXPECT_EQ(refusal_of(*trunk, in), 403);
  alice->send_in_dialog(Method::bye);
  world.settle();
  ended(*trunk);
  world.expect_nothing_left();
}

// RFC 3261 §22.2: the answer to a challenge inside the dialog is that of the account which the call
// began with
TEST_F(Reconfigured, ACallKeepsTheCredentialsThatItBeganWith) {
  carrier().username = "other";
  carrier().password = "other-secret";
  world.reconfigure();
  alice->send_in_dialog(Method::bye);
  world.settle();
  const auto bye = trunk->take_request(Method::bye);
  ASSERT_TRUE(bye);
  sip::Message challenge = sip::make_response(bye->request, 401, "peer-tag");
  challenge.add(HeaderName::www_authenticate, "Digest realm=\"r\", nonce=\"n\", algorithm=MD5");
  trunk->respond(*bye, std::move(challenge));
  world.settle();
  const auto again = trunk->take_request(Method::bye);
  ASSERT_TRUE(again);
  EXPECT_THAT(again->request.header(HeaderName::authorization).value_or(""),
              HasSubstr("username=\"gw\""));
}

TEST_F(Reconfigured, ACallKeepsTheCodecsThatItBeganWith) {
  carrier().codecs = {"opus"};
  world.reconfigure();
  alice->send_in_dialog(Method::invite, "application/sdp", kBrowserOffer);
  world.settle();
  if (const auto offer = trunk->take_request(Method::invite)) {
    EXPECT_THAT(std::string(offer->request.body()), HasSubstr("PCM"));
  } else {
    EXPECT_TRUE(alice->take_response(200)) << "as it was agreed";
  }
  world.ask(outgoing());
  world.settle();
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "a new call is by the new list";
}

TEST_F(Reconfigured, CallsBeforeCountForTheLimitsAfter) {
  carrier().max_calls = 1;
  world.reconfigure();
  EXPECT_EQ(views().all.at(0).calls, 1U);
  world.ask(outgoing());
  world.settle();
  EXPECT_FALSE(trunk->take_request(Method::invite)) << "the one that goes on has the place";
  alice->send_in_dialog(Method::bye);
  world.settle();
  ended(*trunk);
  EXPECT_EQ(views().all.at(0).calls, 0U);
}

TEST_F(Reconfigured, CallsBeforeDoNotCountForAnotherTrunkOfTheSameName) {
  without_trunk();
  world.settings.trunks = World().settings.trunks;
  world.settings.routes = World().settings.routes;
  world.reconfigure();
  EXPECT_EQ(views().all.at(0).calls, 0U);
  alice->send_in_dialog(Method::bye);
  world.settle();
  ended(*trunk);
  EXPECT_EQ(views().all.at(0).calls, 0U);
}

TEST_F(Reconfigured, WhatTheApiSaidOfATrunkStays) {
  world.ask(SetTrunkEnabled{.trunk = "carrier", .enabled = false});
  carrier().max_calls = 7;
  world.reconfigure();
  EXPECT_FALSE(views().all.at(0).enabled);
  EXPECT_EQ(views().all.at(0).max_calls, 7U);
}

TEST_F(Reconfigured, RoutesAreThoseOfTheNewFile) {
  world.settings.routes = {{"user", "^9", "service:echo"}};
  world.reconfigure();
  const auto gone = alice->invite("5551000", "alice", kBrowserOffer);
  EXPECT_EQ(refusal_of(*alice, world.answer_challenge(*alice, gone, "alice")), 404);
  const auto fresh = alice->invite("911", "alice", kBrowserOffer);
  const auto call = world.answer_challenge(*alice, fresh, "alice");
  world.settle();
  EXPECT_TRUE(alice->take_response(200, call));
}

TEST_F(Reconfigured, LimitsHoldForTheNextCall) {
  world.settings.max_calls = 1;
  world.reconfigure();
  const auto second = alice->invite("5551000", "alice", kBrowserOffer);
  EXPECT_EQ(refusal_of(*alice, world.answer_challenge(*alice, second, "alice")), 503);
  EXPECT_EQ(world.engine->calls(), 1U);
  world.settings.max_calls = 2;
  world.reconfigure();
  const auto third = alice->invite("5551000", "alice", kBrowserOffer);
  world.answer_challenge(*alice, third, "alice");
  world.settle();
  EXPECT_TRUE(trunk->take_request(Method::invite));
}

TEST_F(Reconfigured, AUserThatIsGoneIsNotRegisteredAnyMoreButTalksOn) {
  std::erase_if(world.settings.users,
                [](const UserSettings& user) { return user.name == "alice"; });
  world.reconfigure();
  EXPECT_EQ(world.engine->registrations(), 0U);
  const auto in = trunk->invite("1001", "+4930", trunk_sdp());
  world.settle();
  EXPECT_EQ(refusal_of(*trunk, in), 480);
  const auto out = alice->invite("5551000", "alice", kBrowserOffer);
  EXPECT_EQ(refusal_of(*alice, world.answer_challenge(*alice, out, "alice")), 401);
  EXPECT_EQ(world.engine->calls(), 1U);
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_TRUE(alice->take_response(200));
  EXPECT_TRUE(ended(*trunk));
}

TEST_F(Reconfigured, AUserThatIsNewRegistersAndAnotherPasswordHoldsAtTheNextRequest) {
  world.settings.users[0].password = "other";
  world.settings.users.push_back({"carol", "secret"});
  world.reconfigure();
  EXPECT_EQ(world.engine->registrations(), 1U) << "alice's binding stays until its refresh";
  world.registered("carol");
  EXPECT_EQ(world.engine->registrations(), 2U);
  const auto old = alice->invite("5551000", "alice", kBrowserOffer);
  EXPECT_EQ(refusal_of(*alice, world.answer_challenge(*alice, old, "alice")), 401);
}

TEST_F(Reconfigured, ObserversAndMetricsKnowTheTrunks) {
  TrunkSettings second = carrier();
  second.name = "second";
  second.uri = *sip::Uri::parse("sip:192.0.2.20:5060");
  second.max_calls = 3;
  world.settings.trunks.push_back(second);
  world.reconfigure();
  const auto told = world.observed<TrunksConfigured>();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_THAT(told[0].trunks, ElementsAre("carrier", "second"));
  EXPECT_THAT(views().all, SizeIs(2));
}

TEST_F(Reconfigured, AContradictionIsNoPlan) {
  Settings wrong = world.settings;
  wrong.routes.push_back({"any", "^1$", "trunk:nowhere"});
  EXPECT_FALSE(Engine::plan(wrong));
}

struct ReconfiguredRegistration : testing::Test {
  World world;
  Peer* carrier = nullptr;

  void SetUp() override {
    world.settings.trunks[0].registers = true;
    world.settings.trunks[0].options_interval = seconds{30};
    world.restart();
    carrier = &world.trunk();
    const auto request = asked();
    ASSERT_TRUE(request);
    grant(*request);
    answer_options();
  }
  std::optional<sip::RequestReceived> asked() {
    world.pass(milliseconds{1});
    return carrier->take_request(Method::register_);
  }
  void grant(const sip::RequestReceived& request) {
    sip::Message response = sip::make_response(request.request, 200, "reg");
    std::string contact(request.request.header(HeaderName::contact).value_or(""));
    contact.resize(contact.find('>') + 1);
    response.add(HeaderName::contact, contact + ";expires=600");
    carrier->respond(request, std::move(response));
    world.settle();
  }
  int answer_options() {
    int count = 0;
    while (const auto options = carrier->take_request(Method::options)) {
      carrier->respond(*options, 200);
      world.settle();
      ++count;
    }
    return count;
  }
  std::string expires(const std::optional<sip::RequestReceived>& request) {
    return request ? std::string(request->request.header(HeaderName::expires).value_or(""))
                   : "none";
  }
  void without_trunk() {
    world.settings.trunks.clear();
    world.settings.routes.clear();
    world.reconfigure();
  }
};

// RFC 3261 §10.2.2: who goes takes its binding along
TEST_F(ReconfiguredRegistration, OfATrunkThatIsGoneIsRemoved) {
  without_trunk();
  const auto request = carrier->take_request(Method::register_);
  ASSERT_EQ(expires(request), "0");
  sip::Message challenge = sip::make_response(request->request, 401, "reg");
  challenge.add(HeaderName::www_authenticate, "Digest realm=\"r\", nonce=\"n\", algorithm=MD5");
  carrier->respond(*request, std::move(challenge));
  world.settle();
  const auto again = carrier->take_request(Method::register_);
  ASSERT_EQ(expires(again), "0");
  EXPECT_THAT(again->request.header(HeaderName::authorization).value_or(""), HasSubstr("\"gw\""));
  grant(*again);
  for (int second = 0; second < 700; ++second) {
    world.pass(seconds{1});
    EXPECT_EQ(answer_options(), 0);
  }
  EXPECT_FALSE(carrier->take_request(Method::register_));
}

TEST_F(ReconfiguredRegistration, StaysIfItIsTheSame) {
  world.settings.trunks[0].max_calls = 5;
  world.reconfigure();
  EXPECT_FALSE(asked());
  EXPECT_EQ(world.gauges()["trunkline_trunk_registration_state"], 1);
  world.pass(seconds{520});
  EXPECT_EQ(expires(carrier->take_request(Method::register_)), "3600");
}

TEST_F(ReconfiguredRegistration, WithAnotherPasswordIsMadeAnewAndNotRemoved) {
  world.settings.trunks[0].password = "other";
  world.reconfigure();
  const auto request = asked();
  ASSERT_EQ(expires(request), "3600");
  grant(*request);
  EXPECT_FALSE(asked());
}

TEST_F(ReconfiguredRegistration, OfAnotherAccountTakesItsPlace) {
  world.settings.trunks[0].username = "other";
  world.reconfigure();
  const auto old = carrier->take_request(Method::register_);
  ASSERT_EQ(expires(old), "0");
  EXPECT_THAT(old->request.header(HeaderName::contact).value_or(""), HasSubstr("sip:gw@"));
  grant(*old);
  const auto next = asked();
  ASSERT_EQ(expires(next), "3600");
  EXPECT_THAT(next->request.header(HeaderName::contact).value_or(""), HasSubstr("sip:other@"));
}

TEST_F(ReconfiguredRegistration, EndsWhereItIsNotAskedForAnyMore) {
  world.settings.trunks[0].registers = false;
  world.reconfigure();
  EXPECT_EQ(expires(carrier->take_request(Method::register_)), "0");
  EXPECT_EQ(world.gauges().count("trunkline_trunk_registration_state"), 0U);
}

TEST_F(ReconfiguredRegistration, OfANewTrunkBeginsAtOnceButNotInADrain) {
  TrunkSettings second = world.settings.trunks[0];
  second.name = "second";
  second.uri = *sip::Uri::parse("sip:192.0.2.20:5060");
  Peer& other = world.other_trunk("192.0.2.20:5060");
  world.settings.trunks.push_back(second);
  world.ask(Drain{});
  world.reconfigure();
  world.pass(seconds{5});
  EXPECT_FALSE(other.take_request(Method::register_));
  EXPECT_TRUE(other.take_request(Method::options)) << "probed at once";
  world.ask(Undrain{});
  world.pass(milliseconds{1});
  EXPECT_TRUE(other.take_request(Method::register_));
}

TEST_F(ReconfiguredRegistration, TargetsKeepWhatIsKnownOfThem) {
  world.pass(seconds{40});
  while (const auto options = carrier->take_request(Method::options)) {
    carrier->respond(*options, 503);
    world.settle();
  }
  const auto state = [&] {
    return world.reply<TrunkViews>(world.ask(ListTrunks{}))->all[0].targets[0].state;
  };
  EXPECT_EQ(state(), "refusing");
  world.settings.trunks[0].max_calls = 5;
  world.reconfigure();
  EXPECT_EQ(state(), "refusing");
  world.settings.trunks[0].options_interval = {};
  world.reconfigure();
  EXPECT_EQ(state(), "unknown") << "nobody would find out that it is better";
  EXPECT_EQ(answer_options(), 0);
}

}  // namespace
}  // namespace trunkline::call::simulation
