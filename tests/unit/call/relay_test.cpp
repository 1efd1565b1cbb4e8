#include "simulation.hpp"
#include <gmock/gmock.h>

// What the caller is told of each final response that the callee's side may give.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

/// RFC 3261 §16.7: a challenge was for us, a 503 is about one hop, and contacts stay with us.
int expected(int code) {
  if (code == 401 || code == 407) return 403;
  if (code == 503) return 500;
  return code < 400 ? 480 : code;
}

sip::Message refusal(const sip::RequestReceived& invite, int code) {
  sip::Message response = sip::make_response(invite.request, code, "t", "Because");
  response.add(HeaderName::contact, "<sip:elsewhere@203.0.113.5>");
  response.add(HeaderName::www_authenticate, "Basic realm=\"theirs\"");
  response.add(HeaderName::proxy_authenticate, "Basic realm=\"theirs\"");
  response.add(HeaderName::server, "secret-server");
  response.add(HeaderName::warning, "399 inner.example.test \"secret-warning\"");
  response.add(HeaderName::reason, "Q.850;cause=21;text=\"Call rejected\"");
  return response;
}

void expect_relayed(const sip::Message& told, int code) {
  EXPECT_EQ(told.status(), expected(code)) << code;
  EXPECT_EQ(told.reason() == "Because", told.status() == code) << code << " " << told.reason();
  EXPECT_EQ(told.header(HeaderName::reason), "Q.850;cause=21;text=\"Call rejected\"") << code;
  for (const HeaderName name : {HeaderName::contact, HeaderName::www_authenticate,
                                HeaderName::proxy_authenticate, HeaderName::warning})
    EXPECT_FALSE(told.header(name)) << code << " " << sip::header_name_text(name);
  EXPECT_THAT(told.serialize(), testing::Not(HasSubstr("secret-server"))) << code;
}

// RFC 3261 §16.7: what a browser is told of each refusal of a trunk [status-map]
// RFC 3261 §20.41: Server and Warning of a peer do not cross [product-names]
// RFC 7092 §3.2: no Contact or challenge of a peer crosses [header-list]
// RFC 3261 §16.7: 503 becomes 500 [503-not-relayed]
TEST(Relay, OfATrunksFinalResponsesToABrowser) {
  World world;
  Peer& alice = world.registered("alice", 1000000);
  for (const StatusMapping& row : all_status_mappings()) {
    if (row.sip_code < 300) continue;
    const auto call =
        world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
    const auto invite = world.trunk().take_request(Method::invite);
    ASSERT_TRUE(invite) << row.sip_code;
    world.trunk().respond(*invite, refusal(*invite, row.sip_code));
    world.settle();
    EXPECT_FALSE(world.trunk().take_request(Method::invite)) << "sent again after " << row.sip_code;
    const auto told = alice.take_response(200, call);
    ASSERT_TRUE(told) << row.sip_code;
    expect_relayed(told->response, row.sip_code);
    const Failure end = world.observed<CallEnded>().back().end;
    EXPECT_EQ(end.sip_code, row.sip_code) << "the code that caused the end";
    EXPECT_EQ(end.detail.q850_cause, 21);
    EXPECT_EQ(end.phase, Phase::trying);
    world.pass(seconds{33});
  }
  world.expect_nothing_left();
}

// RFC 3261 §16.7: what a trunk is told of each refusal of a browser [status-map]
TEST(Relay, OfABrowsersFinalResponsesToATrunk) {
  World world;
  Peer& alice = world.registered("alice", 1000000);
  for (const StatusMapping& row : all_status_mappings()) {
    // RFC 5626 §5.3: 430 is between a proxy and us, and tried at the device's other flow.
    if (row.sip_code < 300 || row.sip_code == 430) continue;
    const auto call = world.trunk().invite("1001", "+4930123", trunk_sdp());
    world.settle();
    const auto invite = alice.take_request(Method::invite);
    ASSERT_TRUE(invite) << row.sip_code;
    alice.respond(*invite, refusal(*invite, row.sip_code));
    world.settle();
    const auto told = world.trunk().take_response(200, call);
    ASSERT_TRUE(told) << row.sip_code;
    expect_relayed(told->response, row.sip_code);
    world.pass(seconds{33});
  }
  world.expect_nothing_left();
}

TEST(Relay, OfA6xxOfOneDeviceOfSeveralIs480) {
  for (const int code : {600, 603, 604, 606, 607, 608}) {
    World world(static_cast<std::uint64_t>(code));
    Peer& desk = world.registered("alice", 10000, "desk");
    Peer& laptop = world.registered("alice", 10000, "laptop");
    const auto call = world.trunk().invite("1001", "+4930123", trunk_sdp());
    world.settle();
    desk.respond(*desk.take_request(Method::invite), code);
    world.settle();
    EXPECT_FALSE(world.trunk().take_response(200, call)) << "the other device still rings";
    laptop.respond(*laptop.take_request(Method::invite), code);
    world.settle();
    const auto told = world.trunk().take_response(200, call);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->response.status(), 480) << code;
    EXPECT_EQ(told->response.reason(), "Temporarily Unavailable");
    world.expect_nothing_left();
  }
}

TEST(Relay, OfATrunksCapacity) {
  World world;
  world.settings.trunks[0].capacity_phrase = "CPS limit";
  world.restart();
  Peer& alice = world.registered("alice", 10000);
  const auto refuse = [&](int code, std::string_view phrase, std::string_view reason) {
    world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
    const auto invite = world.trunk().take_request(Method::invite);
    auto response = sip::make_response(invite->request, code, "t", phrase);
    if (!reason.empty()) response.add(HeaderName::reason, reason);
    world.trunk().respond(*invite, std::move(response));
    world.settle();
    return world.observed<CallEnded>().back().end;
  };
  for (const int cause : {34, 42, 44, 47}) {
    const Failure end = refuse(480, "No", "Q.850;cause=" + std::to_string(cause));
    EXPECT_EQ(end.grpc_reason(), "TRUNK_CAPACITY") << cause;
  }
  EXPECT_EQ(refuse(503, "CPS limit exceeded", {}).grpc_code(), GrpcCode::resource_exhausted);
  EXPECT_EQ(refuse(503, "Service Unavailable", {}).grpc_reason(), "TRUNK_UNAVAILABLE");
  EXPECT_EQ(refuse(486, "CPS limit exceeded", "Q.850;cause=34").grpc_reason(), "CALLEE_BUSY");
  EXPECT_EQ(refuse(503, "No", "Q.850;cause=38").grpc_reason(), "TRUNK_UNAVAILABLE");
  EXPECT_EQ(refuse(480, "No", "Q.850;cause=41").grpc_reason(), "CALLEE_UNAVAILABLE");
  world.expect_nothing_left();
}

TEST(Relay, ABrowserIsNoTrunkWithoutRoom) {
  World world;
  Peer& alice = world.registered("alice", 10000);
  world.trunk().invite("1001", "+4930123", trunk_sdp());
  world.settle();
  const auto invite = alice.take_request(Method::invite);
  auto response = sip::make_response(invite->request, 480, "t");
  response.add(HeaderName::reason, "Q.850;cause=34");
  alice.respond(*invite, std::move(response));
  world.settle();
  EXPECT_EQ(world.observed<CallEnded>().back().end.grpc_reason(), "CALLEE_UNAVAILABLE");
  world.expect_nothing_left();
}

TEST(Relay, ThePhaseTellsHowFarTheCallHadCome) {
  World world;
  Peer& alice = world.registered("alice", 10000);
  const auto refused_after = [&](int provisional, std::string_view sdp) {
    world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
    const auto invite = world.trunk().take_request(Method::invite);
    if (provisional != 0) world.trunk().respond(*invite, provisional, sdp);
    world.settle();
    world.trunk().respond(*invite, 486);
    world.settle();
    const CallEnded end = world.observed<CallEnded>().back();
    EXPECT_EQ(world.observed<LegEnded>().back().leg.end->phase, end.end.phase);
    return end.end.phase;
  };
  EXPECT_EQ(refused_after(0, {}), Phase::trying);
  EXPECT_EQ(refused_after(100, {}), Phase::trying);
  EXPECT_EQ(refused_after(199, {}), Phase::trying);
  EXPECT_EQ(refused_after(180, {}), Phase::ringing);
  EXPECT_EQ(refused_after(182, {}), Phase::ringing);
  EXPECT_EQ(refused_after(183, {}), Phase::ringing);
  EXPECT_EQ(refused_after(183, trunk_sdp()), Phase::early_media);
  world.trunk().silent = true;
  world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
  world.pass(seconds{33});
  EXPECT_EQ(world.observed<CallEnded>().back().end.phase, Phase::no_response);
  world.expect_nothing_left();
}

}  // namespace
}  // namespace trunkline::call::simulation
