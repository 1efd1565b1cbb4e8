#include "sip/tcp_refusals.hpp"

#include "endpoint_fixture.hpp"

/// Requests that are too large for UDP.
namespace trunkline::sip {
namespace {

using namespace testing;
using namespace std::chrono_literals;
using Cause = RequestFailed::Cause;

class LargeRequests : public EndpointTest {
 protected:
  static RequestParts large(std::string cseq = "1") {
    return {.cseq = std::move(cseq), .extra = "Subject: " + std::string(1300, 'x') + "\r\n"};
  }
  const SendBytes& left() const { return *last<SendBytes>(out_.transmissions); }
  void fail_to_send() {
    out_.clear();
    endpoint_.send_failed(client_, now_, out_);
  }
};

// RFC 3261 §18.1.1: more than 1,300 octets go by TCP, and Via says so [udp-congestion]
// RFC 3261 §18.1.1: the INVITE that is too large for UDP [race-large-invite]
TEST_F(LargeRequests, GoesByTcpToTheSameAddress) {
  for (const std::string_view method : {"INVITE", "OPTIONS"}) {
    const Message request = send(method, udp(), large());
    EXPECT_EQ(left().target, (Target{Transport::tcp, udp().remote, {}}));
    EXPECT_EQ(left().transaction, client_);
    EXPECT_TRUE(left().hurry) << "UDP waits";
    EXPECT_EQ(top_via(request).transport, "TCP");
    run(10s);
    EXPECT_THAT(out_.transmissions, ::testing::IsEmpty()) << "TCP repeats by itself";
  }
  EXPECT_EQ(metric("trunkline_sip_large_requests_total{sent=tcp}"), 2);
}

TEST_F(LargeRequests, OneThatFitsStaysOnUdp) {
  send("INVITE");
  EXPECT_EQ(left().target, udp());
  EXPECT_FALSE(left().hurry);
  EXPECT_EQ(metric("trunkline_sip_large_requests_total{sent=tcp}"), 0);
}

TEST_F(LargeRequests, AnswerByTcpBelongsToIt) {
  const Message invite = send("INVITE", udp(), large());
  receive(answer(invite, 486), {Transport::tcp, udp().remote, FlowId{9}});
  EXPECT_EQ(last<ResponseReceived>(out_.events)->response.status(), 486);
  EXPECT_EQ(left().target.transport, Transport::tcp) << "the ACK goes where the INVITE went";
}

// RFC 3261 §18.1.1: by UDP after all, if TCP finds nobody [udp-congestion]
TEST_F(LargeRequests, GoesByUdpWhenTcpFindsNobody) {
  Target peer = udp();
  for (const std::string_view method : {"INVITE", "OPTIONS"}) {
    ++peer.remote.port;
    const Message first = send(method, peer, large());
    fail_to_send();
    EXPECT_EQ(left().target, peer);
    EXPECT_THAT(out_.events, ::testing::IsEmpty());
    const Message again = sent();
    EXPECT_EQ(top_via(again).transport, "UDP");
    EXPECT_EQ(top_via(again).branch(), top_via(first).branch());
    run(500ms);
    EXPECT_EQ(count<SendBytes>(out_.transmissions), 1u) << "Timer A or E";
    receive(answer(again, 200), peer);
    EXPECT_EQ(last<ResponseReceived>(out_.events)->response.status(), 200);
  }
  EXPECT_EQ(metric("trunkline_sip_large_requests_total{sent=udp_after_tcp}"), 2);
}

TEST_F(LargeRequests, TriesTcpAgainLater) {
  send("OPTIONS", udp(), large());
  fail_to_send();
  run(299s);
  send("OPTIONS", udp(), large("2"));
  EXPECT_EQ(left().target, udp());
  run(2s);
  send("OPTIONS", udp(), large("3"));
  EXPECT_EQ(left().target.transport, Transport::tcp);
}

TEST_F(LargeRequests, OtherPeersAreNotJudgedByOne) {
  send("OPTIONS", udp(), large());
  fail_to_send();
  Target other = udp();
  other.remote = address("192.0.2.11:5060");
  send("OPTIONS", other, large("2"));
  EXPECT_EQ(left().target.transport, Transport::tcp);
}

TEST_F(LargeRequests, FailsForGoodOnceThePeerHasSpoken) {
  const Message invite = send("INVITE", udp(), large());
  receive(answer(invite, 100), {Transport::tcp, udp().remote, FlowId{9}});
  fail_to_send();
  EXPECT_EQ(last<RequestFailed>(out_.events)->cause, Cause::transport);
  EXPECT_EQ(count<SendBytes>(out_.transmissions), 0u);
}

TEST_F(LargeRequests, OneThatNobodyWantsAnyMoreIsNotSentAgain) {
  send("INVITE", udp(), large());
  execute(SendCancel{client_, {}});
  fail_to_send();
  EXPECT_EQ(last<RequestFailed>(out_.events)->cause, Cause::transport);
  EXPECT_EQ(count<SendBytes>(out_.transmissions), 0u);
}

TEST_F(LargeRequests, TimerBGoesOnWhenThePathChanges) {
  send("INVITE", udp(), large());
  run(2s);
  fail_to_send();
  run(29999ms);
  EXPECT_EQ(count<RequestFailed>(out_.events), 0u);
  run(1ms);
  EXPECT_EQ(last<RequestFailed>(out_.events)->cause, Cause::timeout);
}

TEST_F(LargeRequests, WithoutATcpListenerItStaysOnUdp) {
  Endpoint endpoint{{}, random_};
  endpoint.set_sent_by(Transport::udp, false, "gateway.example.test:5060");
  Message request = parsed(request_text("OPTIONS", large()));
  request.remove(HeaderName::via);
  endpoint.execute(SendRequest{endpoint.next_transaction(), request, udp()}, now_, out_);
  EXPECT_EQ(left().target, udp());
}

TEST_F(LargeRequests, ALargeAckGoesByTcpAndItsCopiesByUdp) {
  const Message invite = send("INVITE");
  receive(answer(invite, 200));
  Message ack = parsed(request_text("ACK", {.to_tag = "bob", .extra = large().extra}));
  ack.remove(HeaderName::via);
  execute(SendAck{client_, ack, udp()});
  EXPECT_EQ(left().target.transport, Transport::tcp);
  const std::string branch(top_via(sent()).branch());
  receive(answer(invite, 200));
  EXPECT_EQ(left().target, udp());
  EXPECT_EQ(top_via(sent()).transport, "UDP");
  EXPECT_EQ(top_via(sent()).branch(), branch);
}

TEST_F(LargeRequests, WhatTlsRefusesIsNamedSo) {
  Target tls = udp();
  tls.transport = Transport::tls;
  send("INVITE", tls);
  out_.clear();
  endpoint_.send_failed(client_, now_, out_, Unsent::tls);
  EXPECT_EQ(last<RequestFailed>(out_.events)->cause, Cause::tls);
}

TEST(TcpRefusals, RemembersABoundedNumberOfPeers) {
  TcpRefusals refusals;
  const auto peer = [](std::uint32_t number) {
    return SocketAddress{IpAddress::v4({10, 0, static_cast<std::uint8_t>(number >> 8),
                                        static_cast<std::uint8_t>(number)}),
                         5060};
  };
  for (std::uint32_t number = 0; number < 2000; ++number)
    refusals.add(peer(number), kStart);
  EXPECT_TRUE(refusals.holds(peer(1023), kStart));
  EXPECT_FALSE(refusals.holds(peer(1024), kStart));
  const TimePoint later = kStart + TcpRefusals::kMemory;
  EXPECT_FALSE(refusals.holds(peer(0), later));
  refusals.add(peer(1024), later);
  EXPECT_TRUE(refusals.holds(peer(1024), later)) << "those that are over make room";
}

/// Responses whose connection may be gone.
class ResponsePath : public EndpointTest {
 protected:
  static Target tls() { return {Transport::tls, address("192.0.2.10:40001"), FlowId{7}}; }
  std::optional<SocketAddress> reconnect() const {
    return last<SendBytes>(out_.transmissions)->reconnect;
  }
};

// RFC 3261 §18.2.2: a new connection goes to the source address and the port of sent-by
// [reply-reconnect]
TEST_F(ResponsePath, NamesTheWayBackWithoutItsConnection) {
  open("OPTIONS", {.via = "SIP/2.0/TCP a.example.test:5088;branch=z9hG4bKone"}, tcp());
  respond(200);
  EXPECT_EQ(reconnect(), address("192.0.2.10:5088"));
  open("OPTIONS", {.via = "SIP/2.0/TCP a.example.test;branch=z9hG4bKtwo", .cseq = "2"}, tcp());
  respond(200);
  EXPECT_EQ(reconnect(), address("192.0.2.10:5060"));
  open("OPTIONS", {.via = "SIP/2.0/TLS a.example.test;branch=z9hG4bKsix", .cseq = "3"}, tls());
  respond(200);
  EXPECT_EQ(reconnect(), address("192.0.2.10:5061"));
}

TEST_F(ResponsePath, RefusalsWithoutATransactionHaveItToo) {
  receive(request_text("FLY", {.via = "SIP/2.0/TCP a.example.test:5088;branch=z9hG4bKone"}), tcp());
  EXPECT_EQ(sent().status(), 501);
  EXPECT_EQ(reconnect(), address("192.0.2.10:5088"));
}

TEST_F(ResponsePath, DatagramsAndWebSocketsHaveNone) {
  open("OPTIONS");
  respond(200);
  EXPECT_FALSE(reconnect());
  open("OPTIONS", {.via = "SIP/2.0/WSS a.invalid;branch=z9hG4bKtwo", .cseq = "2"}, websocket());
  respond(200);
  EXPECT_FALSE(reconnect());
}

// RFC 3261 §18.2.2: the transaction outlives the connection [reply-reconnect]
TEST_F(ResponsePath, AnInviteIsAnsweredAfterItsConnectionHasClosed) {
  open("INVITE", {.via = "SIP/2.0/TCP a.example.test:5088;branch=z9hG4bKone"}, tcp());
  out_.clear();
  endpoint_.flow_closed(tcp().flow, now_, out_);
  EXPECT_EQ(count<TransactionEnded>(out_.events), 0u);
  EXPECT_EQ(count<FlowClosed>(out_.events), 1u);
  respond(200);
  EXPECT_EQ(sent().status(), 200);
  EXPECT_EQ(reconnect(), address("192.0.2.10:5088"));
  run(500ms);
  EXPECT_EQ(count<SendBytes>(out_.transmissions), 1u) << "until the ACK";
  receive(request_text("ACK", {.via = "SIP/2.0/TCP a.example.test:5088;branch=z9hG4bKack",
                               .to_tag = "gateway"}),
          {Transport::tcp, address("192.0.2.10:40002"), FlowId{8}});
  EXPECT_EQ(count<AckReceived>(out_.events), 1u);
}

}  // namespace
}  // namespace trunkline::sip
