#include "simulation.hpp"
#include <gmock/gmock.h>

// The targets of one trunk after each other: which outcomes lead to the next one, and what becomes
// of the one that was left.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

struct Failover : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* first = nullptr;
  Peer* second = nullptr;

  void SetUp() override { restart(); }
  void restart() {
    world.restart();
    alice = &world.registered("alice", 100000);
    first = &world.trunk();
    if (second == nullptr) second = &world.other_trunk("192.0.2.20:5060");
    locate({{"192.0.2.9:5060", 1}, {"192.0.2.20:5060", 2}});
  }
  void locate(const std::vector<std::pair<std::string_view, std::uint32_t>>& places) {
    std::vector<ServerTarget> targets;
    for (const auto& [address, priority] : places) {
      targets.push_back({sip::Transport::udp, *SocketAddress::parse(address), priority, 0,
                         static_cast<std::uint16_t>(targets.size())});
    }
    world.engine->trunk_located("carrier", targets);
  }
  void TearDown() override { world.expect_nothing_left(); }

  sip::TransactionId dial() {
    return world.answer_challenge(*alice, alice->invite("5551000", "alice", kBrowserOffer),
                                  "alice");
  }
  sip::RequestReceived invited(Peer& peer) {
    auto invite = peer.take_request(Method::invite);
    EXPECT_TRUE(invite) << peer.self.remote.text() << " got no INVITE";
    return invite ? *invite : sip::RequestReceived{};
  }
  void respond(Peer& peer, const sip::RequestReceived& request, int status,
               std::string_view sdp = {}) {
    peer.respond(request, status, sdp, "t-" + peer.name);
    world.settle();
  }
  void refuse(Peer& peer, const sip::RequestReceived& invite, int status,
              std::string_view retry_after = {}) {
    sip::Message response = sip::make_response(invite.request, status, "t-" + peer.name);
    if (!retry_after.empty()) response.add(HeaderName::retry_after, retry_after);
    peer.respond(invite, std::move(response));
    world.settle();
  }
  std::optional<sip::Message> final_of(sip::TransactionId call) {
    auto response = alice->take_response(200, call);
    if (!response) return std::nullopt;
    if (response->response.status() == 200) {
      alice->ack(*response);
      world.settle();
    }
    return std::move(response->response);
  }
  int status_of(sip::TransactionId call) {
    const auto response = final_of(call);
    return response ? response->status() : 0;
  }
  void hang_up(Peer& callee) {
    alice->send_in_dialog(Method::bye);
    world.settle();
    const auto bye = callee.take_request(Method::bye);
    ASSERT_TRUE(bye);
    respond(callee, *bye, 200);
  }
  Failure ended() const {
    const auto all = world.observed<CallEnded>();
    return all.empty() ? Failure{} : all.back().end;
  }
  bool goes_on_after(int status) {
    const auto call = dial();
    refuse(*first, invited(*first), status);
    const auto next = second->take_request(Method::invite);
    if (next) refuse(*second, *next, 486);
    status_of(call);
    return next.has_value();
  }
};

// RFC 3263 §4.3: after a 503 the next target, as a new transaction [race-503-acknowledged]
// RFC 3263 §4.3: after a 503 the next target, as a new transaction [failover-server]
TEST_F(Failover, GoesOnAfterA503) {
  const auto call = dial();
  const auto one = invited(*first);
  refuse(*first, one, 503);
  const auto two = invited(*second);
  EXPECT_EQ(two.request.request_uri(), one.request.request_uri());
  EXPECT_EQ(two.request.header(HeaderName::call_id), one.request.header(HeaderName::call_id));
  EXPECT_EQ(two.request.header(HeaderName::from), one.request.header(HeaderName::from));
  EXPECT_EQ(two.request.body(), one.request.body());
  EXPECT_EQ(sip::cseq_of(two.request).number, sip::cseq_of(one.request).number + 1);
  EXPECT_NE(sip::top_via(two.request).branch(), sip::top_via(one.request).branch());
  respond(*second, two, 200, trunk_sdp());
  EXPECT_EQ(status_of(call), 200);
  hang_up(*second);
}

// RFC 3263 §4.3: what says nothing about the server ends the attempt
TEST_F(Failover, EndsWithTheCalleesOwnAnswer) {
  for (const int status : {403, 404, 480, 486, 488, 501, 600, 603})
    EXPECT_FALSE(goes_on_after(status)) << status;
}

// RFC 3261 §16.7: a proxy's 500 may have been a 503
TEST_F(Failover, GoesOnAfterTheConfiguredCodes) {
  for (const int status : {500, 502, 503, 504})
    EXPECT_TRUE(goes_on_after(status)) << status;
  world.settings.trunks[0].failover_codes = {503};
  restart();
  EXPECT_FALSE(goes_on_after(500));
  EXPECT_TRUE(goes_on_after(503));
}

TEST_F(Failover, TellsTheBestRefusalInTheEnd) {
  const auto call = dial();
  refuse(*first, invited(*first), 500);
  refuse(*second, invited(*second), 486);
  EXPECT_EQ(status_of(call), 486);
  EXPECT_EQ(ended().sip_code, 486);
}

TEST_F(Failover, NeverFollowsARingingCall) {
  const auto call = dial();
  const auto one = invited(*first);
  respond(*first, one, 180);
  refuse(*first, one, 503);
  EXPECT_FALSE(second->take_request(Method::invite)) << "a person may have been reached";
  EXPECT_EQ(status_of(call), 500);
  EXPECT_EQ(ended().sip_code, 503);
}

// RFC 3263 §4.3: a target that stays silent is left long before 64*T1 [failover-server]
TEST_F(Failover, GoesOnAfterSilence) {
  const auto call = dial();
  const auto one = invited(*first);
  first->silent = true;
  world.pass(milliseconds{3900});
  EXPECT_FALSE(second->take_request(Method::invite));
  world.pass(milliseconds{200});
  respond(*second, invited(*second), 200, trunk_sdp());
  EXPECT_EQ(status_of(call), 200);
  hang_up(*second);
}

TEST_F(Failover, WaitsForATargetThatHasSaidSomething) {
  const auto call = dial();
  const auto one = invited(*first);
  respond(*first, one, 100);
  world.pass(seconds{20});
  EXPECT_FALSE(second->take_request(Method::invite));
  respond(*first, one, 486);
  EXPECT_EQ(status_of(call), 486);
}

// RFC 3261 §13.2.2.4: a late answer of the target that was left is ended
TEST_F(Failover, EndsTheLateAnswerOfTheOneItLeft) {
  const auto call = dial();
  const auto one = invited(*first);
  first->silent = true;
  world.pass(seconds{4});
  respond(*second, invited(*second), 200, trunk_sdp());
  EXPECT_EQ(status_of(call), 200);
  first->silent = false;
  respond(*first, one, 200, trunk_sdp());
  EXPECT_EQ(first->acks, 1);
  const auto bye = first->take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_EQ(sip::to_of(bye->request).tag(), "t-" + first->name);
  respond(*first, *bye, 200);
  EXPECT_FALSE(second->take_request(Method::bye)) << "the call goes on";
  EXPECT_EQ(world.engine->calls(), 1U);
  hang_up(*second);
}

// RFC 3261 §9.1: the CANCEL waits for a provisional response
TEST_F(Failover, CancelsTheOneItLeftOnceThatSpeaks) {
  const auto call = dial();
  const auto one = invited(*first);
  first->silent = true;
  world.pass(seconds{4});
  const auto two = invited(*second);
  EXPECT_THAT(first->cancels, SizeIs(0));
  first->silent = false;
  respond(*first, one, 180);
  EXPECT_THAT(first->cancels, SizeIs(1));
  EXPECT_FALSE(alice->take_response(180, call)) << "nobody rings any more";
  respond(*first, one, 487);
  respond(*second, two, 486);
  EXPECT_EQ(status_of(call), 486);
}

TEST_F(Failover, GivesTheLastTargetItsFullTime) {
  const auto call = dial();
  first->silent = second->silent = true;
  world.pass(seconds{30});
  EXPECT_EQ(status_of(call), 0);
  world.pass(seconds{10});
  EXPECT_EQ(status_of(call), 408);
  EXPECT_EQ(ended().reason, EndReason::no_response);
}

// RFC 3263 §4.3: a target that failed one call is neither lost to the others nor in their way
// [race-failover-shared]
TEST_F(Failover, LaterCallsTryTheSilentOneLast) {
  first->silent = true;
  auto call = dial();
  world.pass(seconds{4});
  respond(*second, invited(*second), 486);
  EXPECT_EQ(status_of(call), 486);
  call = dial();
  respond(*second, invited(*second), 486);
  EXPECT_EQ(status_of(call), 486);
  world.pass(seconds{40});
  first->silent = false;
  first->requests.clear();
  call = dial();
  respond(*first, invited(*first), 486);
  EXPECT_EQ(status_of(call), 486);
}

// RFC 3261 §21.5.4: Retry-After of a 503 keeps calls away from the server [retry-after-heeded]
TEST_F(Failover, LeavesATargetAloneForItsRetryAfter) {
  auto call = dial();
  refuse(*first, invited(*first), 503, "20");
  respond(*second, invited(*second), 486);
  EXPECT_EQ(status_of(call), 486);
  call = dial();
  respond(*second, invited(*second), 486);
  EXPECT_FALSE(first->take_request(Method::invite));
  EXPECT_EQ(status_of(call), 486);
  world.pass(seconds{21});
  call = dial();
  respond(*first, invited(*first), 486);
  EXPECT_EQ(status_of(call), 486);
}

TEST_F(Failover, RefusesAtOnceWhileAllTargetsRest) {
  auto call = dial();
  refuse(*first, invited(*first), 503, "20");
  refuse(*second, invited(*second), 503, "15");
  EXPECT_EQ(status_of(call), 500);
  call = dial();
  EXPECT_FALSE(first->take_request(Method::invite));
  const auto response = final_of(call);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status(), 503);
  EXPECT_EQ(response->header(HeaderName::retry_after), "15");
  const auto told =
      world.reply<RouteExplanation>(world.ask(ExplainRoute{"alice", "5551000", "user:alice"}));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->refused_with, 503);
  world.pass(seconds{16});
  call = dial();
  respond(*second, invited(*second), 486);
  EXPECT_EQ(status_of(call), 486);
}

TEST_F(Failover, IsExplained) {
  const auto told =
      world.reply<RouteExplanation>(world.ask(ExplainRoute{"alice", "5551000", "user:alice"}));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->next_hop, "udp 192.0.2.9:5060");
  EXPECT_THAT(told->text, HasSubstr("then udp 192.0.2.20:5060"));
}

// RFC 3261 §22.2: each target may ask who we are
TEST_F(Failover, AnswersTheChallengeOfTheNextTarget) {
  const auto call = dial();
  refuse(*first, invited(*first), 503);
  const auto two = invited(*second);
  sip::Message challenge = sip::make_response(two.request, 407, "t-x");
  challenge.add(HeaderName::proxy_authenticate, "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
  second->respond(two, std::move(challenge));
  world.settle();
  const auto again = invited(*second);
  EXPECT_EQ(again.request.count(HeaderName::proxy_authorization), 1U);
  EXPECT_EQ(sip::cseq_of(again.request).number, sip::cseq_of(two.request).number + 1);
  respond(*second, again, 486);
  EXPECT_EQ(status_of(call), 486);
}

TEST_F(Failover, IsDrawnByEachCallForItself) {
  locate({{"192.0.2.9:5060", 1}, {"192.0.2.20:5060", 1}});
  std::vector<ServerTarget> even{
      {sip::Transport::udp, *SocketAddress::parse("192.0.2.9:5060"), 1, 50, 0},
      {sip::Transport::udp, *SocketAddress::parse("192.0.2.20:5060"), 1, 50, 1}};
  world.engine->trunk_located("carrier", even);
  int to_first = 0;
  for (int i = 0; i < 40; ++i) {
    const auto call = dial();
    auto invite = first->take_request(Method::invite);
    to_first += invite ? 1 : 0;
    Peer& peer = invite ? *first : *second;
    respond(peer, invite ? *invite : invited(peer), 486);
    EXPECT_EQ(status_of(call), 486);
    world.pass(seconds{1});
  }
  EXPECT_GT(to_first, 5);
  EXPECT_LT(to_first, 35);
}

TEST_F(Failover, EndsWhenTheCallerGivesUp) {
  const auto call = dial();
  first->silent = true;
  world.pass(seconds{4});
  const auto two = invited(*second);
  respond(*second, two, 180);
  alice->cancel(call);
  world.settle();
  EXPECT_THAT(second->cancels, SizeIs(1));
  respond(*second, two, 487);
  EXPECT_EQ(status_of(call), 487);
}

struct FailoverRoutes : Failover {
  void SetUp() override {
    TrunkSettings backup;
    backup.name = "backup";
    backup.uri = *sip::Uri::parse("sip:192.0.2.30:5060");
    world.settings.trunks.push_back(backup);
    world.settings.policy.enabled = true;
    world.settings.routes.insert(world.settings.routes.begin(),
                                 {"user", "^5551000$", "service:policy"});
    restart();
    third = &world.other_trunk("192.0.2.30:5060");
  }
  sip::TransactionId dial_both() {
    const auto call = dial();
    RouteTargets route;
    route.targets = {"trunk:carrier", "trunk:backup"};
    world.answer(world.questions.back().id, route);
    return call;
  }
  Peer* third = nullptr;
};

TEST_F(FailoverRoutes, TheNextTrunkFollowsTheLastTarget) {
  const auto call = dial_both();
  refuse(*first, invited(*first), 503);
  refuse(*second, invited(*second), 503);
  respond(*third, invited(*third), 200, trunk_sdp());
  EXPECT_EQ(status_of(call), 200);
  hang_up(*third);
}

TEST_F(FailoverRoutes, SilenceLeadsToTheNextTrunkAsSoon) {
  const auto call = dial_both();
  const auto one = invited(*first);
  first->silent = second->silent = true;
  world.pass(milliseconds{8100});
  const auto three = invited(*third);
  respond(*third, three, 200, trunk_sdp());
  EXPECT_EQ(status_of(call), 200);
  first->silent = false;
  respond(*first, one, 200, trunk_sdp());
  const auto bye = first->take_request(Method::bye);
  ASSERT_TRUE(bye) << "the late answer of the trunk that was left";
  respond(*first, *bye, 200);
  hang_up(*third);
}

TEST_F(FailoverRoutes, ATrunkOfWhichAllTargetsRestIsPassedOver) {
  auto call = dial_both();
  refuse(*first, invited(*first), 503, "60");
  refuse(*second, invited(*second), 503, "60");
  respond(*third, invited(*third), 486);
  EXPECT_EQ(status_of(call), 486);
  call = dial_both();
  EXPECT_FALSE(first->take_request(Method::invite));
  respond(*third, invited(*third), 486);
  EXPECT_EQ(status_of(call), 486);
}

}  // namespace
}  // namespace trunkline::call::simulation
