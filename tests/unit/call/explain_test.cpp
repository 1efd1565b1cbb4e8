#include "simulation.hpp"
#include <gmock/gmock.h>

// ExplainRoute says what a call would meet, by the steps that calls take.
namespace trunkline::call::simulation {
namespace {

using sip::Method;
using testing::HasSubstr;

struct Explain : testing::Test {
  World world;

  RouteExplanation explain(const std::string& to, const std::string& source) {
    return world.reply<RouteExplanation>(world.ask(ExplainRoute{{}, to, source}))
        .value_or(RouteExplanation{});
  }
};

TEST_F(Explain, TellsWhatIsLoggedOfACallThatIsRefused) {
  Peer& alice = world.registered("alice");
  const auto call =
      world.answer_challenge(alice, alice.invite("nobody", "alice", kBrowserOffer), "alice");
  EXPECT_TRUE(alice.take_response(404, call));
  const auto told = explain("nobody", "user:alice");
  EXPECT_EQ(told.refused_with, 404);
  EXPECT_EQ(told.text, world.observed<RequestRefused>().back().detail);
  world.trunk().invite("nobody", "5559", trunk_sdp());
  world.settle();
  EXPECT_EQ(explain("sip:nobody@192.0.2.1", "trunk:carrier").text,
            world.observed<RequestRefused>().back().detail);
}

TEST_F(Explain, KnowsARegisteredUserWhomNoListNames) {
  world.settings.credentials.secret = "shared by all";
  world.restart();
  EXPECT_EQ(explain("carol", "user:alice").refused_with, 404);
  const auto made = world.reply<Credential>(world.ask(CreateCredential{"carol", seconds{60}}));
  ASSERT_TRUE(made);
  Peer& carol = world.browser("carol");
  auto request = sip::Message::request(Method::register_, "sip:example.test");
  request.add(sip::HeaderName::max_forwards, "69");
  request.add(sip::HeaderName::from, "<sip:carol@example.test>;tag=r1");
  request.add(sip::HeaderName::to, "<sip:carol@example.test>");
  request.add(sip::HeaderName::call_id, "reg-1");
  request.add(sip::HeaderName::cseq, "1 REGISTER");
  request.add(sip::HeaderName::contact, "<sip:x@abc.invalid;transport=ws>;expires=600");
  world.answer_challenge(carol, carol.send(std::move(request)), made->username, made->password);
  const auto told = explain("carol", "user:alice");
  EXPECT_EQ(told.target, "user:carol");
  EXPECT_EQ(told.refused_with, 0);
  ASSERT_FALSE(told.steps.empty());
  EXPECT_TRUE(told.steps.back().matched);
  EXPECT_THAT(told.text, HasSubstr("registered users"));
  EXPECT_EQ(explain("carol", "trunk:carrier").refused_with, 404) << "she is for users only";
}

TEST_F(Explain, AUriOfTheDomainIsAUserToTheApiAlone) {
  world.registered("alice");
  EXPECT_EQ(explain("sip:alice@example.test", "api").target, "user:alice");
  EXPECT_EQ(explain("sip:alice@elsewhere.test", "api").refused_with, 404);
  EXPECT_EQ(explain("sip:alice@example.test", "trunk:carrier").refused_with, 404)
      << "what it dials goes by the routes";
}

}  // namespace
}  // namespace trunkline::call::simulation
