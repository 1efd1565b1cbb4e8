#include "endpoint_fixture.hpp"

/// Requests that leave: their Via, their responses, ACK and CANCEL, and how they fail.
namespace trunkline::sip {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using namespace std::chrono_literals;

using Cause = RequestFailed::Cause;

class EndpointClient : public EndpointTest {
 protected:
  Message ack(const Message& response) {
    return parsed(request_text("ACK", {.to_tag = std::string(to_of(response).tag())}));
  }
  void acknowledge(const Message& response, const Target& target = udp()) {
    Message message = ack(response);
    message.remove(HeaderName::via);
    execute(SendAck{client_, std::move(message), target});
  }
};

// RFC 3261 §8.1.1.7: each request has a fresh branch [branch-unique]
// RFC 3581 §3: our requests have rport [rport-sent]
TEST_F(EndpointClient, ViaNamesTheGatewayTheTransportAndAFreshBranch) {
  const Via first = top_via(send("OPTIONS"));
  EXPECT_EQ(first.transport, "UDP");
  EXPECT_EQ(first.sent_by(), "gateway.example.test:5060");
  EXPECT_THAT(std::string(first.branch()), StartsWith("z9hG4bK"));
  EXPECT_NE(find_parameter(first.parameters, "rport"), nullptr);
  const Via second = top_via(send("OPTIONS", tcp()));
  EXPECT_EQ(second.transport, "TCP");
  EXPECT_NE(second.branch(), first.branch());
}

// RFC 3261 §18.1.1: sent-by is of the family of the target [ipv6-via]
TEST_F(EndpointClient, ViaIsTheAddressOfTheFamilyOfTheTarget) {
  endpoint_.set_sent_by(Transport::udp, true, "[2001:db8::1]:5060");
  const Via via = top_via(send("OPTIONS", {Transport::udp, address("[2001:db8::2]:5060"), {}}));
  EXPECT_EQ(via.host, "[2001:db8::1]");
}

// RFC 7118 §5.2.1: Via of a WebSocket names WSS and .invalid [ws-via]
TEST_F(EndpointClient, WebSocketViaIsOneInvalidNamePerEndpoint) {
  const Via via = top_via(send("OPTIONS", websocket()));
  EXPECT_EQ(via.transport, "WSS");
  EXPECT_THAT(via.host, EndsWith(".invalid"));
  EXPECT_EQ(top_via(send("OPTIONS", websocket())).host, via.host);
  SeededRandom other_random(2);
  Endpoint other({}, other_random);
  Effects out;
  Message request = parsed(request_text("OPTIONS"));
  request.remove(HeaderName::via);
  other.execute(SendRequest{other.next_transaction(), request, websocket()}, now_, out);
  EXPECT_NE(top_via(parsed(last<SendBytes>(out.transmissions)->bytes)).host, via.host);
}

// RFC 3261 §20.41: User-Agent names the product [product-names]
TEST_F(EndpointClient, UserAgentIsAddedOnlyIfAbsent) {
  EXPECT_EQ(send("OPTIONS").header(HeaderName::user_agent), "Trunkline");
  EXPECT_EQ(
      send("OPTIONS", udp(), {.extra = "User-Agent: Mine\r\n"}).headers(HeaderName::user_agent),
      std::vector<std::string_view>{"Mine"});
}

TEST_F(EndpointClient, SentRequestNamesItsTransaction) {
  send("OPTIONS");
  EXPECT_EQ(last<SendBytes>(out_.transmissions)->transaction, client_);
  EXPECT_EQ(last<SendBytes>(out_.transmissions)->target, udp());
}

TEST_F(EndpointClient, AckAndCancelAreNoRequestsToSend) {
  for (const std::string_view method : {"ACK", "CANCEL"}) {
    send(method);
    EXPECT_TRUE(out_.empty());
  }
}

TEST_F(EndpointClient, ResponseIsAnEventAndTheTransactionEndsOnce) {
  const Message request = send("OPTIONS");
  receive(answer(request, 200));
  ASSERT_EQ(count<ResponseReceived>(out_.events), 1u);
  EXPECT_EQ(last<ResponseReceived>(out_.events)->transaction, client_);
  EXPECT_EQ(last<ResponseReceived>(out_.events)->response.status(), 200);
  receive(answer(request, 200));
  EXPECT_THAT(out_.events, IsEmpty());
  run(5s);
  ASSERT_EQ(out_.events.size(), 1u);
  EXPECT_EQ(last<TransactionEnded>(out_.events)->transaction, client_);
  EXPECT_EQ(endpoint_.transactions(), 0u);
}

// RFC 3261 §17.1.3: a response of no branch of ours is dropped [client-matching]
// RFC 3261 §12.2.2: a response to nothing that we know is dropped [strays]
TEST_F(EndpointClient, StrayResponseIsDropped) {
  Message response = answer(send("OPTIONS"), 200);
  response.set(HeaderName::via, "SIP/2.0/UDP gateway.example.test:5060;branch=z9hG4bKother");
  receive(response);
  EXPECT_TRUE(out_.empty());
}

// RFC 3261 §8.1.3.3: a response with two Vias is dropped [response-one-via]
TEST_F(EndpointClient, ResponseWithTwoViasIsDropped) {
  Message response = answer(send("OPTIONS"), 200);
  response.add(HeaderName::via, "SIP/2.0/UDP other.example.test;branch=z9hG4bKx");
  receive(response);
  EXPECT_TRUE(out_.empty());
}

// RFC 3261 §18.1.2: a response for another sent-by is dropped [response-sent-by]
TEST_F(EndpointClient, ResponseForAForeignSentByIsDropped) {
  const Message request = send("OPTIONS");
  Message response = answer(request, 200);
  Via via = top_via(request);
  via.host = "mallory.example.test";
  response.set(HeaderName::via, via.text());
  receive(response);
  EXPECT_TRUE(out_.empty());
}

// RFC 3261 §17.1.3: a response of another method is dropped [client-matching]
TEST_F(EndpointClient, ResponseOfAnotherMethodIsDropped) {
  Message response = answer(send("INVITE"), 200);
  response.set(HeaderName::cseq, "1 CANCEL");
  receive(response);
  EXPECT_TRUE(out_.empty());
}

// RFC 3261 §17.1.1.3: each copy of a refusal gets its ACK [ack-failure]
// RFC 3261 §17.1.1.3: and so each copy of a challenge [race-challenge-acknowledged]
TEST_F(EndpointClient, FailureOfAnInviteIsAcknowledgedForEachCopy) {
  const Message invite = send("INVITE");
  for (int copy = 0; copy < 3; ++copy) {
    receive(answer(invite, 486));
    EXPECT_EQ(sent().method(), Method::ack);
    EXPECT_EQ(top_via(sent()).branch(), top_via(invite).branch());
    EXPECT_FALSE(last<SendBytes>(out_.transmissions)->transaction);
    EXPECT_EQ(count<ResponseReceived>(out_.events), copy == 0 ? 1u : 0u);
  }
}

// RFC 3261 §8.1.1.7: the ACK of a 2xx has its own branch [ack-2xx-branch]
// RFC 3261 §13.2.2.4: a copy of a 2xx gets the same ACK [race-ack-repeated]
TEST_F(EndpointClient, AckOfASuccessHasItsOwnBranchAndIsRepeatedForEachCopy) {
  const Message invite = send("INVITE");
  const Message response = answer(invite, 200);
  receive(response);
  EXPECT_THAT(out_.transmissions, IsEmpty());
  acknowledge(response);
  const Message first = sent();
  EXPECT_NE(top_via(first).branch(), top_via(invite).branch());
  for (int copy = 0; copy < 5; ++copy) {
    receive(response);
    EXPECT_EQ(sent().serialize(), first.serialize());
    EXPECT_THAT(out_.events, IsEmpty());
  }
}

TEST_F(EndpointClient, SecondForkIsAnotherEvent) {
  const Message invite = send("INVITE");
  receive(answer(invite, 200, "bob"));
  receive(answer(invite, 200, "carol"));
  EXPECT_EQ(count<ResponseReceived>(out_.events), 1u);
}

TEST_F(EndpointClient, AckAfterTheTransactionStillLeaves) {
  const Message invite = send("INVITE");
  const Message response = answer(invite, 200);
  receive(response);
  run(32s);
  EXPECT_EQ(endpoint_.transactions(), 0u);
  acknowledge(response);
  EXPECT_EQ(sent().method(), Method::ack);
}

// RFC 3261 §9.1: CANCEL has the Request-URI, Via, dialog fields and Route of its INVITE
// [cancel-fields]
// RFC 3261 §8.1.1.7: CANCEL has the branch of its INVITE [ack-2xx-branch]
// RFC 3261 §12.2.1.1: and its CSeq number [cseq-rises]
TEST_F(EndpointClient, CancelIsMadeOfItsInvite) {
  const Message invite = send("INVITE", udp(), {.extra = "Route: <sip:proxy.example.test;lr>\r\n"});
  receive(answer(invite, 180));
  execute(
      SendCancel{client_, {"SIP;cause=200;text=\"Call completed elsewhere\"", "Q.850;cause=26"}});
  const Message cancel = sent();
  EXPECT_EQ(cancel.method(), Method::cancel);
  EXPECT_EQ(cancel.request_uri(), invite.request_uri());
  for (const HeaderName name : {HeaderName::via, HeaderName::from, HeaderName::to,
                                HeaderName::call_id, HeaderName::route}) {
    EXPECT_EQ(cancel.headers(name), invite.headers(name));
  }
  EXPECT_EQ(cseq_of(cancel).number, cseq_of(invite).number);
  EXPECT_EQ(cancel.count(HeaderName::reason), 2u);
  EXPECT_EQ(last<SendBytes>(out_.transmissions)->target, udp());
}

// RFC 3261 §9.1: CANCEL waits for a provisional response [cancel-waits]
TEST_F(EndpointClient, CancelBeforeAProvisionalIsHeld) {
  const Message invite = send("INVITE");
  execute(SendCancel{client_, {}});
  EXPECT_TRUE(out_.empty());
  receive(answer(invite, 100));
  EXPECT_EQ(sent().method(), Method::cancel);
}

TEST_F(EndpointClient, CancelIsDroppedIfTheCallWasAnswered) {
  const Message invite = send("INVITE");
  execute(SendCancel{client_, {}});
  receive(answer(invite, 200));
  EXPECT_THAT(out_.transmissions, IsEmpty());
  EXPECT_EQ(count<ResponseReceived>(out_.events), 1u);
}

// RFC 3261 §9.1: a 2xx that crosses the CANCEL is not lost [race-cancel-crosses-200]
TEST_F(EndpointClient, SuccessThatCrossesTheCancelIsAnEvent) {
  const Message invite = send("INVITE");
  receive(answer(invite, 180));
  execute(SendCancel{client_, {}});
  receive(answer(invite, 200));
  EXPECT_EQ(count<ResponseReceived>(out_.events), 1u);
}

// RFC 3261 §17.1.1.3: the 487 gets its ACK whatever the user does [race-487-after-call]
TEST_F(EndpointClient, CancelHasItsOwnTransactionThatTheUserNeverSees) {
  const Message invite = send("INVITE");
  receive(answer(invite, 180));
  execute(SendCancel{client_, {}});
  const Message cancel = sent();
  EXPECT_EQ(endpoint_.transactions(), 2u);
  run(500ms);
  EXPECT_EQ(sent().method(), Method::cancel);
  receive(answer(cancel, 200));
  EXPECT_TRUE(out_.empty());
  receive(answer(invite, 487));
  EXPECT_EQ(sent().method(), Method::ack);
  EXPECT_EQ(last<ResponseReceived>(out_.events)->response.status(), 487);
  run(40s);
  EXPECT_EQ(count<TransactionEnded>(out_.events), 1u);
  EXPECT_EQ(out_.events.size(), 1u);
  EXPECT_EQ(endpoint_.transactions(), 0u);
}

// RFC 3261 §9.1: 64*T1 after CANCEL the INVITE is given up [race-487-missing]
TEST_F(EndpointClient, NoFinalAfterTheCancelIsATimeout) {
  const Message invite = send("INVITE");
  receive(answer(invite, 180));
  execute(SendCancel{client_, {}});
  receive(answer(sent(), 200));
  run(32s);
  ASSERT_EQ(count<RequestFailed>(out_.events), 1u);
  EXPECT_EQ(last<RequestFailed>(out_.events)->cause, Cause::timeout);
  EXPECT_TRUE(last<RequestFailed>(out_.events)->provisional_seen);
  EXPECT_EQ(metric("trunkline_sip_transaction_timeouts_total{timer=cancel}"), 1);
  EXPECT_EQ(endpoint_.transactions(), 0u);
}

TEST_F(EndpointClient, UnansweredCancelFailsOnlyOnce) {
  const Message invite = send("INVITE");
  receive(answer(invite, 180));
  execute(SendCancel{client_, {}});
  run(40s);
  EXPECT_EQ(count<RequestFailed>(out_.events), 1u);
  EXPECT_EQ(count<TransactionEnded>(out_.events), 1u);
}

// RFC 3261 §17.1.1.2: an INVITE without a response ends after 64*T1 [invite-timeout]
TEST_F(EndpointClient, InviteWithoutAnyResponseTimesOut) {
  send("INVITE");
  run(32s);
  EXPECT_EQ(count<SendBytes>(out_.transmissions), 6u);
  ASSERT_EQ(out_.events.size(), 2u);
  EXPECT_EQ(std::get<RequestFailed>(out_.events[0]).cause, Cause::timeout);
  EXPECT_FALSE(std::get<RequestFailed>(out_.events[0]).provisional_seen);
  EXPECT_TRUE(std::holds_alternative<TransactionEnded>(out_.events[1]));
  EXPECT_EQ(metric("trunkline_sip_transaction_timeouts_total{timer=B}"), 1);
  EXPECT_EQ(metric("trunkline_sip_retransmissions_total{direction=out,method=INVITE}"), 6);
}

TEST_F(EndpointClient, RingingInviteWaitsForEver) {
  const Message invite = send("INVITE");
  receive(answer(invite, 180));
  run(std::chrono::hours(1));
  EXPECT_TRUE(out_.empty());
}

// RFC 3261 §8.1.3.1: a request without a response ends in time [request-timeout]
TEST_F(EndpointClient, NonInviteWithoutAnyResponseTimesOut) {
  send("OPTIONS", tcp());
  run(32s);
  EXPECT_EQ(last<RequestFailed>(out_.events)->cause, Cause::timeout);
  EXPECT_EQ(metric("trunkline_sip_transaction_timeouts_total{timer=F}"), 1);
}

// RFC 3261 §8.1.3.1: what can not be sent fails at once [transport-failure]
TEST_F(EndpointClient, SendFailureEndsTheRequest) {
  send("INVITE");
  out_.clear();
  endpoint_.send_failed(client_, now_, out_);
  ASSERT_EQ(out_.events.size(), 2u);
  EXPECT_EQ(std::get<RequestFailed>(out_.events[0]).cause, Cause::transport);
  out_.clear();
  endpoint_.send_failed(client_, now_, out_);
  EXPECT_TRUE(out_.empty());
}

TEST_F(EndpointClient, SendFailureAfterTheFinalIsIgnored) {
  const Message invite = send("INVITE");
  receive(answer(invite, 200));
  out_.clear();
  endpoint_.send_failed(client_, now_, out_);
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(endpoint_.transactions(), 1u);
}

// RFC 7118 §5: what waits on a closed connection fails at once [ws-closed]
TEST_F(EndpointClient, ClosedFlowFailsItsRequestsAtOnceAndOnlyThose) {
  send("OPTIONS", websocket());
  const TransactionId failing = client_;
  send("OPTIONS", tcp());
  out_.clear();
  endpoint_.flow_closed(websocket().flow, now_, out_);
  ASSERT_EQ(out_.events.size(), 3u);
  EXPECT_EQ(std::get<RequestFailed>(out_.events[0]).cause, Cause::flow_closed);
  EXPECT_EQ(std::get<RequestFailed>(out_.events[0]).transaction, failing);
  EXPECT_EQ(std::get<FlowClosed>(out_.events[2]).flow, websocket().flow);
  EXPECT_EQ(endpoint_.transactions(), 1u);
}

TEST_F(EndpointClient, FlowIsLearnedFromTheFirstResponse) {
  const Message invite = send("INVITE", {Transport::tcp, address("192.0.2.10:5060"), {}});
  receive(answer(invite, 180), tcp());
  out_.clear();
  endpoint_.flow_closed(tcp().flow, now_, out_);
  ASSERT_EQ(count<RequestFailed>(out_.events), 1u);
  EXPECT_TRUE(last<RequestFailed>(out_.events)->provisional_seen);
}

TEST_F(EndpointClient, AnsweredInviteOutlivesItsFlow) {
  const Message invite = send("INVITE", tcp());
  const Message response = answer(invite, 200);
  receive(response, tcp());
  acknowledge(response, {Transport::tcp, tcp().remote, {}});
  out_.clear();
  endpoint_.flow_closed(tcp().flow, now_, out_);
  EXPECT_EQ(out_.events.size(), 1u);
  receive(response, {Transport::tcp, tcp().remote, FlowId{9}});
  EXPECT_EQ(sent().method(), Method::ack);
}

TEST_F(EndpointClient, DeadlineIsTheEarliestOfAll) {
  EXPECT_EQ(endpoint_.deadline(), kNever);
  send("OPTIONS", tcp());
  EXPECT_EQ(endpoint_.deadline(), kStart + 32s);
  send("OPTIONS", udp());
  EXPECT_EQ(endpoint_.deadline(), kStart + 500ms);
}

TEST_F(EndpointClient, UsedTransactionIdIsNotUsedAgain) {
  send("OPTIONS");
  execute(SendRequest{client_, parsed(request_text("OPTIONS")), udp()});
  EXPECT_TRUE(out_.empty());
}

TEST_F(EndpointClient, CloseFlowIsHandedDown) {
  execute(CloseFlow{FlowId{3}, "drained"});
  EXPECT_EQ(last<CloseFlow>(out_.transmissions)->reason, "drained");
}

TEST_F(EndpointClient, MetricsHaveAllChildrenFromTheStart) {
  EXPECT_EQ(metric("trunkline_sip_requests_total{direction=out,transport=wss,method=INVITE}"), 0);
  EXPECT_EQ(
      metric(
          "trunkline_sip_responses_total{direction=in,transport=tls,method=other,code_class=6xx}"),
      0);
  EXPECT_EQ(metric("trunkline_sip_transactions_active{kind=nist}"), 0);
  EXPECT_EQ(metric("trunkline_sip_message_size_bytes{transport=udp}"), 0);
}

TEST_F(EndpointClient, MetricsCountMessagesAndTransactions) {
  const Message invite = send("INVITE");
  EXPECT_EQ(metric("trunkline_sip_requests_total{direction=out,transport=udp,method=INVITE}"), 1);
  EXPECT_EQ(metric("trunkline_sip_transactions_active{kind=ict}"), 1);
  receive(answer(invite, 486));
  receive(answer(invite, 486));
  EXPECT_EQ(
      metric(
          "trunkline_sip_responses_total{direction=in,transport=udp,method=INVITE,code_class=4xx}"),
      2);
  EXPECT_EQ(metric("trunkline_sip_retransmissions_total{direction=in,method=INVITE}"), 1);
  EXPECT_EQ(metric("trunkline_sip_requests_total{direction=out,transport=udp,method=ACK}"), 2);
  EXPECT_EQ(metric("trunkline_sip_message_size_bytes{transport=udp}"), 5);
  run(32s);
  EXPECT_EQ(metric("trunkline_sip_transactions_active{kind=ict}"), 0);
}

TEST(Transport, NamesAreThoseOfUrisAndVia) {
  EXPECT_EQ(transport_label(Transport::wss), "wss");
  EXPECT_EQ(transport_via(Transport::tls), "TLS");
  EXPECT_EQ(parse_transport("Tcp"), Transport::tcp);
  EXPECT_EQ(parse_transport("sctp"), std::nullopt);
  EXPECT_EQ(parse_transport(""), std::nullopt);
}

}  // namespace
}  // namespace trunkline::sip
