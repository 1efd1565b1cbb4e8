#include "established_call.hpp"
#include <gmock/gmock.h>

// The node takes nothing new any more: what it refuses, what it goes on with, and how it ends.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Draining : EstablishedCall {
  void drain(std::optional<Duration> timeout = std::nullopt) {
    ASSERT_TRUE(world.reply<NodeView>(world.ask(Drain{timeout})));
  }
  /// REGISTER, to be answered with this status.
  void registering(Peer& peer, const std::string& user, int status, int expires = 600) {
    while (peer.take_response()) {
    }
    world.register_with(peer, user, expires, "i-1", "secret", status);
  }
};

// RFC 3261 §21.5.4: 503 with Retry-After sends the caller elsewhere
TEST_F(Draining, RefusesNewCallsFromBothSidesAndTheApi) {
  drain();
  const auto out = alice->invite("5551000", "alice", kBrowserOffer);
  const auto refused = alice->take_response(300, world.answer_challenge(*alice, out, "alice"));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 503);
  EXPECT_TRUE(refused->response.header(HeaderName::retry_after));
  const auto in = trunk->invite("1001", "+4930", trunk_sdp());
  world.settle();
  const auto carrier = trunk->take_response(300, in);
  ASSERT_TRUE(carrier);
  EXPECT_EQ(carrier->response.status(), 503);
  EXPECT_TRUE(carrier->response.header(HeaderName::retry_after));
  CreateCall asked;
  asked.from = "service:tone";
  asked.to = "5551000";
  asked.trunk = "carrier";
  const auto api = world.reply<Refusal>(world.ask(asked));
  ASSERT_TRUE(api);
  EXPECT_EQ(api->kind, Refusal::Kind::unavailable);
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(Draining, TakesARegistrationFromABrowserWithACallOnly) {
  Peer& bob = world.browser("bob");
  drain();
  registering(bob, "bob", 503);
  registering(*alice, "alice", 200);
  world.ask(Undrain{});
  registering(bob, "bob", 200);
  drain();
  registering(bob, "bob", 200, 0);
  EXPECT_EQ(world.engine->registrations(), 1U) << "who goes may go";
}

TEST_F(Draining, TakesTheRegistrationOfABrowserThatComesBackToItsCall) {
  drain();
  alice->close_flow();
  world.settle();
  Peer& again = world.browser("alice");
  registering(again, "alice", 200);
  EXPECT_EQ(world.engine->calls(), 1U);
}

TEST_F(Draining, KnowsWhichBrowserHasACall) {
  EXPECT_TRUE(world.engine->has_call(alice->self.flow));
  EXPECT_FALSE(world.engine->has_call(world.browser("bob").self.flow));
  EXPECT_THAT(world.engine->some_calls(5), SizeIs(1));
  EXPECT_THAT(world.engine->some_calls(0), IsEmpty());
  trunk->dialog.reset();
  alice->send_in_dialog(Method::bye);
  world.settle();
  ended(*trunk);
  world.pass(seconds{40});
  EXPECT_FALSE(world.engine->has_call(alice->self.flow));
  EXPECT_THAT(world.engine->some_calls(5), IsEmpty());
}

TEST_F(Draining, ServesTheCallsThatLive) {
  drain();
  alice->send_in_dialog(Method::invite, "application/sdp", kBrowserOffer);
  world.settle();
  const auto answer = alice->take_response(200);
  EXPECT_TRUE(answer || trunk->take_request(Method::invite)) << "answered, or passed on";
  EXPECT_EQ(world.engine->calls(), 1U);
}

// The BYE says why, by RFC 3326
TEST_F(Draining, EndsWhatIsLeftAtTheDeadlineWithAReason) {
  drain(seconds{10});
  EXPECT_EQ(world.engine->drain_deadline(), world.now + seconds{10});
  world.pass(seconds{9});
  EXPECT_EQ(world.engine->calls(), 1U);
  world.pass(seconds{2});
  EXPECT_EQ(world.engine->calls(), 0U);
  for (Peer* peer : {alice, trunk}) {
    const auto bye = ended(*peer);
    ASSERT_TRUE(bye);
    EXPECT_THAT(bye->request.header(HeaderName::reason).value_or(""), HasSubstr("Q.850;cause=31"));
  }
  const auto told = world.observed<CallEnded>();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].end.reason, EndReason::draining);
  world.ask(Undrain{});
  EXPECT_FALSE(world.engine->draining());
}

TEST_F(Draining, OfANodeThatWasToldToEndIsNotCalledOff) {
  world.drain_engine();
  EXPECT_TRUE(world.reply<Refusal>(world.ask(Undrain{})));
  EXPECT_TRUE(world.engine->draining());
}

}  // namespace
}  // namespace trunkline::call::simulation
