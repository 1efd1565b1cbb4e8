#include "simulation.hpp"
#include <gmock/gmock.h>

// A trunk with which the gateway registers: where the REGISTER goes, and what the registration is
// good for.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

struct RegisteredTrunk : testing::Test {
  World world;
  Peer* carrier = nullptr;

  void SetUp() override {
    world.settings.trunks[0].registers = true;
    // Not the registrar's: it counts all the same.
    world.settings.trunks[0].allow = {*AddressRange::parse("198.51.100.0/24")};
    world.restart();
    carrier = &world.trunk();
  }
  std::optional<sip::RequestReceived> asked(Peer& peer) {
    world.pass(milliseconds{1});
    return peer.take_request(Method::register_);
  }
  void grant(Peer& peer, const sip::RequestReceived& request, std::string_view expires = "600",
             std::initializer_list<std::string_view> routes = {}) {
    sip::Message response = sip::make_response(request.request, 200, "reg");
    std::string contact(request.request.header(HeaderName::contact).value_or(""));
    contact.resize(contact.find('>') + 1);
    response.add(HeaderName::contact, contact + ";expires=" + std::string(expires));
    for (const auto route : routes)
      response.add(HeaderName::service_route, route);
    peer.respond(request, std::move(response));
    world.settle();
  }
  TrunkRegistrationView view() {
    const auto views = world.reply<TrunkViews>(world.ask(ListTrunks{}));
    return views && views->all[0].registration ? *views->all[0].registration
                                               : TrunkRegistrationView{};
  }
};

// RFC 3261 §10.2: a client registers where its requests go
TEST_F(RegisteredTrunk, RegistersAtTheStart) {
  EXPECT_EQ(view().state, "registering");
  const auto request = asked(*carrier);
  ASSERT_TRUE(request);
  EXPECT_THAT(request->request.header(HeaderName::contact).value_or(""),
              HasSubstr("<sip:gw@192.0.2.1:5060;transport=udp>"));
  grant(*carrier, *request);
  EXPECT_EQ(view().state, "registered");
  ASSERT_TRUE(view().expires);
  EXPECT_GT(*view().expires, seconds{590});
  EXPECT_EQ(world.gauges()["trunkline_trunk_registration_state"], 1);
  world.pass(seconds{520});
  EXPECT_TRUE(carrier->take_request(Method::register_)) << "refreshed before it runs out";
}

TEST_F(RegisteredTrunk, TakesCallsFromTheRegistrar) {
  world.registered("alice", 100000);
  const auto early = carrier->invite("1001", "gw", trunk_sdp());
  world.settle();
  EXPECT_TRUE(carrier->take_response(403, early));
  grant(*carrier, *asked(*carrier));
  const auto call = carrier->invite("1001", "gw", trunk_sdp());
  world.pass(milliseconds{300});
  const auto response = carrier->take_response(100, call);
  ASSERT_TRUE(response);
  EXPECT_LT(response->response.status(), 200);
  carrier->cancel(call);
  world.pass(seconds{40});
}

TEST_F(RegisteredTrunk, PutsTheServiceRouteOnItsCalls) {
  grant(*carrier, *asked(*carrier), "600", {"<sip:edge.test;lr>", "<sip:core.test;lr>"});
  Peer& alice = world.registered("alice", 100000);
  world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
  const auto invite = carrier->take_request(Method::invite);
  ASSERT_TRUE(invite);
  std::vector<std::string> routes;
  for (const auto route : invite->request.headers(HeaderName::route))
    routes.emplace_back(route);
  EXPECT_THAT(routes, ElementsAre("<sip:edge.test;lr>", "<sip:core.test;lr>"));
  carrier->respond(*invite, 486);
  world.settle();
}

// RFC 3263 §4.3: another target when the first one fails, without a wait [failover-server]
TEST_F(RegisteredTrunk, GoesToTheNextTarget) {
  Peer& second = world.other_trunk("192.0.2.20:5060");
  world.engine->trunk_located(
      "carrier", {{sip::Transport::udp, *SocketAddress::parse("192.0.2.9:5060"), 1, 0, 0},
                  {sip::Transport::udp, *SocketAddress::parse("192.0.2.20:5060"), 2, 0, 1}});
  const auto request = asked(*carrier);
  ASSERT_TRUE(request);
  carrier->respond(*request, 503);
  world.settle();
  const auto next = asked(second);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->request.header(HeaderName::call_id),
            request->request.header(HeaderName::call_id));
  grant(second, *next);
  EXPECT_EQ(view().state, "registered");
}

TEST_F(RegisteredTrunk, WaitsWhenNobodyTakesIt) {
  const auto request = asked(*carrier);
  ASSERT_TRUE(request);
  carrier->respond(*request, 403);
  world.settle();
  EXPECT_EQ(view().state, "failed");
  EXPECT_THAT(view().failure, HasSubstr("403"));
  world.pass(seconds{29});
  EXPECT_FALSE(carrier->take_request(Method::register_));
  world.pass(seconds{32});
  EXPECT_TRUE(carrier->take_request(Method::register_));
}

// RFC 3261 §10.2.2: who goes takes its binding along [trunk-unregister]
TEST_F(RegisteredTrunk, LeavesWhenTheNodeDrains) {
  grant(*carrier, *asked(*carrier));
  world.ask(Drain{});
  const auto request = carrier->take_request(Method::register_);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->request.header(HeaderName::expires), "0");
  carrier->respond(*request, 200);
  world.settle();
  EXPECT_EQ(view().state, "gone");
  world.ask(Undrain{});
  EXPECT_TRUE(asked(*carrier)) << "and comes back";
}

TEST_F(RegisteredTrunk, LeavesWhenTheNodeStops) {
  grant(*carrier, *asked(*carrier));
  world.end_all();
  const auto request = carrier->take_request(Method::register_);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->request.header(HeaderName::expires), "0");
}

TEST_F(RegisteredTrunk, WaitsForTheHostToBeLocated) {
  world.settings.trunks[0].uri = *sip::Uri::parse("sip:carrier.test");
  world.restart();
  world.pass(seconds{30});
  EXPECT_FALSE(carrier->take_request(Method::register_));
  world.engine->trunk_located(
      "carrier", {{sip::Transport::udp, *SocketAddress::parse("192.0.2.9:5060"), 1, 0, 0}});
  EXPECT_TRUE(asked(*carrier));
}

}  // namespace
}  // namespace trunkline::call::simulation
