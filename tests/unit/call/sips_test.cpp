#include "simulation.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// sips URIs, TLS, and what our Contact says of both (RFC 3261 §26.2.2, RFC 5630).
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using sip::Transport;
using testing::HasSubstr;
using testing::StartsWith;

struct Sips : testing::Test {
  Sips() {
    world.settings.contacts.push_back({Transport::tls, *SocketAddress::parse("192.0.2.1:5061")});
    world.settings.routes.push_back({"trunk:carrier", "^1002$", "user:bob"});
  }
  void trunk_at(const std::string& uri, Transport transport) {
    world.settings.trunks[0].uri = *sip::Uri::parse(uri);
    world.restart();
    world.trunk().self.transport = transport;
    if (transport != Transport::udp) world.trunk().self.flow = FlowId{5};
  }
  Peer& registered(const std::string& user, Transport transport) {
    Peer& peer = world.browser(user);
    peer.self.transport = transport;
    world.register_with(peer, user, 100000, "i");
    return peer;
  }
  static sip::Message request(Method method, const std::string& uri, const std::string& from) {
    auto made = sip::Message::request(method, uri);
    made.add(HeaderName::max_forwards, "70");
    made.add(HeaderName::from, "<" + from + ">;tag=x");
    made.add(HeaderName::to, "<" + uri + ">");
    made.add(HeaderName::call_id, "sips");
    made.add(HeaderName::cseq, "1 " + std::string(sip::method_name(method)));
    made.add(HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
    return made;
  }
  sip::Message trunk_invite(const std::string& uri) {
    auto invite = request(Method::invite, uri, "sip:+1555@192.0.2.9");
    invite.set_body("application/sdp", trunk_sdp());
    return invite;
  }
  sip::Message browser_invite(const std::string& uri) {
    auto invite = request(Method::invite, uri, "sip:alice@example.test");
    invite.set(HeaderName::contact, "<sip:alice@abc.invalid;transport=ws>");
    invite.set_body("application/sdp", kBrowserOffer);
    return invite;
  }
  /// The final response.
  sip::Message answer(Peer& peer, sip::TransactionId sent) {
    world.settle();
    const auto response = peer.take_response(200, sent);
    EXPECT_TRUE(response);
    return response ? response->response : sip::Message::response(999, "");
  }
  static std::string contact(const sip::Message& message) {
    return std::string(message.header(HeaderName::contact).value_or(""));
  }

  World world;
};

// RFC 5630 §3: a request for a sips URI without TLS is refused [sips-refused]
TEST_F(Sips, WithoutTlsARequestForOneGets480AndIsCounted) {
  trunk_at("sip:192.0.2.9:5060", Transport::udp);
  for (const Method method : {Method::invite, Method::options, Method::message}) {
    auto asked = request(method, "sips:1001@192.0.2.1", "sip:+1555@192.0.2.9");
    if (method == Method::invite) asked = trunk_invite("sips:1001@192.0.2.1");
    const auto refused = answer(world.trunk(), world.trunk().send(std::move(asked)));
    EXPECT_EQ(refused.status(), 480);
    EXPECT_THAT(std::string(refused.header(HeaderName::warning).value_or("")), StartsWith("380 "));
  }
  ASSERT_EQ(world.observed<RequestRefused>().size(), 3U);
  EXPECT_EQ(world.observed<RequestRefused>()[0].reason, "transport");
  EXPECT_EQ(world.engine->calls(), 0U);
}

TEST_F(Sips, AWebSocketIsAsGoodAsItsTls) {
  trunk_at("sip:192.0.2.9:5060;transport=tls", Transport::tls);
  for (const Transport transport : {Transport::ws, Transport::wss}) {
    world.restart();
    Peer& alice = registered("alice", transport);
    const auto sent = world.answer_challenge(
        alice, alice.send(browser_invite("sips:5551000@example.test")), "alice");
    const auto invite = world.trunk().take_request(Method::invite);
    EXPECT_EQ(invite.has_value(), transport == Transport::wss);
    if (!invite) {
      EXPECT_EQ(answer(alice, sent).status(), 480);
    }
  }
}

// RFC 3261 §26.2.2: over TLS our Contact is a sip URI with its transport [sip-over-tls]
TEST_F(Sips, OverTlsContactIsASipUri) {
  trunk_at("sip:192.0.2.9:5060;transport=tls", Transport::tls);
  Peer& alice = registered("alice", Transport::wss);
  world.answer_challenge(alice, alice.send(browser_invite("sip:5551000@example.test")), "alice");
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(contact(invite->request), "<sip:trunkline@192.0.2.1:5061;transport=tls>");
  EXPECT_THAT(std::string(invite->request.request_uri()), StartsWith("sip:"));
  const auto echo = world.trunk().send(trunk_invite("sip:echo@192.0.2.1"));
  EXPECT_EQ(contact(answer(world.trunk(), echo)), "<sip:trunkline@192.0.2.1:5061;transport=tls>");
}

// RFC 5630 §3: where sips is asked for, Contact and the next hop are sips too [sips-refused]
TEST_F(Sips, ACallToOneGoesOnAsOneOverTls) {
  trunk_at("sip:192.0.2.9:5060;transport=tls", Transport::tls);
  Peer& alice = registered("alice", Transport::wss);
  const auto sent = world.answer_challenge(
      alice, alice.send(browser_invite("sips:5551000@example.test")), "alice");
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->request.request_uri(), "sips:5551000@192.0.2.9:5060");
  EXPECT_EQ(contact(invite->request), "<sips:trunkline@192.0.2.1:5061>");
  world.trunk().respond(*invite, 200, trunk_sdp());
  EXPECT_EQ(contact(answer(alice, sent)), "<sips:trunkline@example.test;transport=ws>");
}

TEST_F(Sips, ACallToOneDoesNotGoOnWithoutTls) {
  trunk_at("sip:192.0.2.9:5060", Transport::udp);
  Peer& alice = registered("alice", Transport::wss);
  const auto sent = world.answer_challenge(
      alice, alice.send(browser_invite("sips:5551000@example.test")), "alice");
  EXPECT_EQ(answer(alice, sent).status(), 480);
  EXPECT_FALSE(world.trunk().take_request(Method::invite));
}

TEST_F(Sips, ACallToOneReachesABrowserByWssOnly) {
  trunk_at("sip:192.0.2.9:5060;transport=tls", Transport::tls);
  Peer& alice = registered("alice", Transport::ws);
  const auto refused = world.trunk().send(trunk_invite("sips:1001@192.0.2.1"));
  EXPECT_EQ(answer(world.trunk(), refused).status(), 480);
  EXPECT_FALSE(alice.take_request(Method::invite));
  Peer& bob = registered("bob", Transport::wss);
  auto next = trunk_invite("sips:1002@192.0.2.1");
  next.set(HeaderName::call_id, "sips-2");
  world.trunk().send(std::move(next));
  world.settle();
  EXPECT_TRUE(bob.take_request(Method::invite));
}

TEST_F(Sips, ATrunkWithASipsUriGetsASipsContact) {
  trunk_at("sips:192.0.2.9:5060", Transport::tls);
  Peer& alice = registered("alice", Transport::ws);
  world.answer_challenge(alice, alice.send(browser_invite("sip:5551000@example.test")), "alice");
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(contact(invite->request), "<sips:trunkline@192.0.2.1:5061>");
}

// A trunk known by its certificate.
TEST_F(Sips, WhoProvesToBeATrunkIsItFromWhateverAddress) {
  world.settings.trunks[0].peer = sip::PeerId{7};
  trunk_at("sip:192.0.2.9:5060;transport=tls", Transport::tls);
  Peer& stranger = world.stranger();
  stranger.self.transport = Transport::tls;
  const auto before = stranger.send(trunk_invite("sip:echo@192.0.2.1"));
  EXPECT_EQ(answer(stranger, before).status(), 403);
  stranger.self.peer = sip::PeerId{7};
  auto next = trunk_invite("sip:echo@192.0.2.1");
  next.set(HeaderName::call_id, "sips-2");
  EXPECT_EQ(answer(stranger, stranger.send(std::move(next))).status(), 200);
}

}  // namespace
}  // namespace trunkline::call::simulation
