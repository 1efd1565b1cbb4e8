#include "endpoint_fixture.hpp"

/// Requests that come in: who is refused, what the user sees, where responses go.
namespace trunkline::sip {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class EndpointServer : public EndpointTest {
 protected:
  static std::string ack(const std::string& branch, const std::string& to_tag) {
    return request_text("ACK",
                        {.via = "SIP/2.0/UDP client.example.test:5060;branch=" + branch + ";rport",
                         .to_tag = to_tag});
  }
  static std::string cancel(const std::string& sent_by = "client.example.test:5060",
                            const std::string& branch = "z9hG4bKone") {
    return request_text("CANCEL",
                        {.via = "SIP/2.0/UDP " + sent_by + ";branch=" + branch + ";rport"});
  }
};

TEST_F(EndpointServer, NewRequestIsAnEvent) {
  open("INVITE");
  EXPECT_EQ(request_.method(), Method::invite);
  EXPECT_EQ(last<RequestReceived>(out_.events)->source, udp());
  EXPECT_THAT(out_.transmissions, IsEmpty());
  EXPECT_EQ(endpoint_.transactions(), 1u);
}

// RFC 3261 §17.2.1: a copy of an INVITE is no second call [invite-copy]
TEST_F(EndpointServer, CopyIsNoEventAndGetsTheLastResponse) {
  open("INVITE");
  respond(180);
  receive(request_text("INVITE"));
  EXPECT_THAT(out_.events, IsEmpty());
  EXPECT_EQ(sent().status(), 180);
}

// RFC 3261 §17.2.1: 100 within 200 ms, without a To tag [trying]
TEST_F(EndpointServer, TryingLeavesAfter200Milliseconds) {
  open("INVITE", {.extra = "Timestamp: 7.5\r\n"});
  EXPECT_EQ(endpoint_.deadline(), kStart + 200ms);
  run(200ms);
  const Message trying = sent();
  EXPECT_EQ(trying.status(), 100);
  EXPECT_EQ(trying.header(HeaderName::timestamp), "7.5");
  EXPECT_THAT(to_of(trying).tag(), IsEmpty());
}

// RFC 3581 §4: received and rport are filled in [rport]
TEST_F(EndpointServer, ReceivedAndRportAreWrittenIntoTheTopVia) {
  open("OPTIONS");
  const Via via = top_via(request_);
  EXPECT_EQ(parameter_value(via.parameters, "received"), "192.0.2.10");
  EXPECT_EQ(parameter_value(via.parameters, "rport"), "5060");
}

// RFC 3261 §18.2.1: received is left out where sent-by is the source [received]
TEST_F(EndpointServer, ReceivedIsLeftOutWhenSentByIsTheSource) {
  open("OPTIONS", {.via = "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKone"});
  EXPECT_EQ(find_parameter(top_via(request_).parameters, "received"), nullptr);
}

// RFC 3261 §18.2.1: received is added to a name [received]
TEST_F(EndpointServer, ReceivedIsWrittenForAHostName) {
  open("OPTIONS", {.via = "SIP/2.0/UDP client.example.test;branch=z9hG4bKone"});
  EXPECT_EQ(parameter_value(top_via(request_).parameters, "received"), "192.0.2.10");
  EXPECT_EQ(find_parameter(top_via(request_).parameters, "rport"), nullptr);
}

// RFC 3261 §18.2.1: received of the peer is overwritten [received]
TEST_F(EndpointServer, ForgedReceivedIsOverwritten) {
  open("OPTIONS", {.via = "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKone;received=203.0.113.9"});
  EXPECT_EQ(parameter_value(top_via(request_).parameters, "received"), "192.0.2.10");
}

// RFC 3581 §4: with rport the response goes to the source [rport]
TEST_F(EndpointServer, UdpResponseWithRportGoesToTheSource) {
  const Target natted{Transport::udp, address("203.0.113.5:31000"), FlowId{1}};
  open("OPTIONS", {}, natted);
  respond(200);
  EXPECT_EQ(last<SendBytes>(out_.transmissions)->target, natted);
}

// RFC 3261 §18.2.2: without rport it goes to the port of sent-by [reply-route]
TEST_F(EndpointServer, UdpResponseWithoutRportGoesToTheSentByPort) {
  open("OPTIONS", {.via = "SIP/2.0/UDP client.example.test:5088;branch=z9hG4bKone"},
       {Transport::udp, address("203.0.113.5:31000"), FlowId{1}});
  respond(200);
  EXPECT_EQ(last<SendBytes>(out_.transmissions)->target,
            (Target{Transport::udp, address("203.0.113.5:5088"), FlowId{1}}));
}

// RFC 3261 §18.2.2: a response goes back on its connection [reply-route]
// RFC 7118 §5.2.1: a sent-by of .invalid is never looked up [ws-via]
TEST_F(EndpointServer, ResponseOnAConnectionGoesDownItsFlow) {
  open("OPTIONS", {.via = "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKone"}, websocket());
  respond(200);
  EXPECT_EQ(last<SendBytes>(out_.transmissions)->target, websocket());
}

TEST_F(EndpointServer, ResponseTakesTheWholeViaListFromTheRequest) {
  open("OPTIONS", {.via = "SIP/2.0/UDP proxy.example.test;branch=z9hG4bKp\r\nVia: SIP/2.0/UDP "
                          "client.example.test;branch=z9hG4bKc"});
  respond(200);
  EXPECT_EQ(sent().headers(HeaderName::via), request_.headers(HeaderName::via));
  EXPECT_EQ(sent().count(HeaderName::via), 2u);
}

// RFC 3261 §8.1.1.5: CSeq of another method gets 400 [cseq-method]
TEST_F(EndpointServer, MismatchOfCSeqMethodIs400) {
  std::string text = request_text("OPTIONS");
  text.replace(text.find("1 OPTIONS"), 9, "1 INVITE");
  receive(text);
  EXPECT_THAT(out_.events, IsEmpty());
  EXPECT_EQ(sent().status(), 400);
  EXPECT_EQ(endpoint_.transactions(), 0u);
}

// RFC 3261 §21.5.2: an unknown method gets 501 and Allow [method-501]
TEST_F(EndpointServer, UnknownMethodIs501WithAllow) {
  receive(request_text("NEWMETHOD"));
  EXPECT_THAT(out_.events, IsEmpty());
  EXPECT_EQ(sent().status(), 501);
  EXPECT_THAT(std::string(sent().header(HeaderName::allow).value_or("")), HasSubstr("INVITE"));
}

TEST_F(EndpointServer, StatelessAnswerToACopyIsACopy) {
  receive(request_text("NEWMETHOD"));
  const std::string first = last<SendBytes>(out_.transmissions)->bytes;
  EXPECT_THAT(to_of(sent()).tag(), Not(IsEmpty()));
  receive(request_text("NEWMETHOD"));
  EXPECT_EQ(last<SendBytes>(out_.transmissions)->bytes, first);
}

// RFC 3261 §8.2.2.2: the same request by another path gets 482 [merged-request]
TEST_F(EndpointServer, MergedRequestIs482) {
  open("INVITE");
  receive(request_text("INVITE", {.via = "SIP/2.0/UDP client.example.test;branch=z9hG4bKtwo"}));
  EXPECT_THAT(out_.events, IsEmpty());
  EXPECT_EQ(sent().status(), 482);
}

TEST_F(EndpointServer, RequestIsNotMergedWithOneThatIsOver) {
  open("OPTIONS");
  respond(200);
  run(32s);
  receive(request_text("OPTIONS", {.via = "SIP/2.0/UDP client.example.test;branch=z9hG4bKtwo"}));
  EXPECT_EQ(count<RequestReceived>(out_.events), 1u);
}

TEST_F(EndpointServer, RequestInADialogIsNeverMerged) {
  open("INFO", {.to_tag = "gateway"});
  receive(request_text(
      "INFO", {.via = "SIP/2.0/UDP client.example.test;branch=z9hG4bKtwo", .to_tag = "gateway"}));
  EXPECT_EQ(count<RequestReceived>(out_.events), 1u);
}

// RFC 3261 §8.2.2.2: another From tag is another request [merged-request]
TEST_F(EndpointServer, SameCSeqWithAnotherFromTagIsNotMerged) {
  open("INVITE");
  std::string other =
      request_text("INVITE", {.via = "SIP/2.0/UDP client.example.test;branch=z9hG4bKtwo"});
  other.replace(other.find("tag=alice"), 9, "tag=carol");
  receive(other);
  EXPECT_EQ(count<RequestReceived>(out_.events), 1u);
}

// RFC 3261 §17.2.3: sent-by is a part of the transaction [server-matching]
TEST_F(EndpointServer, SameBranchOfAnotherSentByIsAnotherTransaction) {
  open("OPTIONS");
  receive(request_text("OPTIONS", {.via = "SIP/2.0/UDP other.example.test:5060;branch=z9hG4bKone",
                                   .call_id = "other"}));
  EXPECT_EQ(count<RequestReceived>(out_.events), 1u);
}

// RFC 3261 §17.2.3: without the cookie the old rules hold [server-matching]
TEST_F(EndpointServer, WithoutTheCookieTheRulesOfRfc2543Hold) {
  const std::string via = "SIP/2.0/UDP 192.0.2.10:5060;branch=1";
  open("INVITE", {.via = via});
  receive(request_text("INVITE", {.via = via}));
  EXPECT_THAT(out_.events, IsEmpty());
  receive(request_text("INVITE", {.via = via, .cseq = "2"}));
  EXPECT_EQ(count<RequestReceived>(out_.events), 1u);
  respond(486);
  receive(request_text("ACK", {.via = via, .to_tag = "gateway"}));
  run(4900ms);
  EXPECT_EQ(metric("trunkline_sip_retransmissions_total{direction=out,method=INVITE}"), 0);
}

TEST_F(EndpointServer, WithoutTheCookieAnotherViaIsAnotherTransaction) {
  open("INFO", {.via = "SIP/2.0/UDP 192.0.2.10:5060;branch=1", .to_tag = "gateway"});
  receive(
      request_text("INFO", {.via = "SIP/2.0/UDP 192.0.2.11:5060;branch=1", .to_tag = "gateway"}));
  EXPECT_EQ(count<RequestReceived>(out_.events), 1u);
}

// RFC 3261 §21.5.4: too many transactions get 503 with Retry-After [overload]
TEST_F(EndpointServer, BeyondTheLimitRequestsGet503WithRetryAfter) {
  Endpoint small({.max_transactions = 1}, random_);
  Effects out;
  small.receive(request_text("OPTIONS"), udp(), now_, out);
  out.clear();
  small.receive(
      request_text("OPTIONS", {.via = "SIP/2.0/UDP h;branch=z9hG4bKtwo", .call_id = "two"}), udp(),
      now_, out);
  EXPECT_THAT(out.events, IsEmpty());
  const Message response = parsed(last<SendBytes>(out.transmissions)->bytes);
  EXPECT_EQ(response.status(), 503);
  EXPECT_TRUE(response.header(HeaderName::retry_after));
  EXPECT_EQ(small.transactions(), 1u);
}

TEST_F(EndpointServer, AckOfASuccessIsFoundWithoutTheBranch) {
  open("INVITE");
  respond(200);
  receive(ack("z9hG4bKanother", "gateway"));
  ASSERT_EQ(count<AckReceived>(out_.events), 1u);
  EXPECT_EQ(last<AckReceived>(out_.events)->transaction, server_);
  EXPECT_THAT(out_.transmissions, IsEmpty());
  receive(ack("z9hG4bKanother", "gateway"));
  EXPECT_THAT(out_.events, IsEmpty());
  run(31s);
  EXPECT_THAT(out_.transmissions, IsEmpty());
}

TEST_F(EndpointServer, AckWithAnotherToTagIsNoAckOfOurs) {
  open("INVITE");
  respond(200);
  receive(ack("z9hG4bKanother", "mallory"));
  EXPECT_TRUE(out_.empty());
}

TEST_F(EndpointServer, LateResponseDoesNotChangeWhichAckIsOurs) {
  open("INVITE");
  respond(200);
  respond(486, "late");
  EXPECT_TRUE(out_.empty());
  receive(ack("z9hG4bKanother", "gateway"));
  EXPECT_EQ(count<AckReceived>(out_.events), 1u);
}

// RFC 3261 §13.3.1.4: a 2xx is repeated on a WebSocket too [2xx-retransmission]
TEST_F(EndpointServer, SuccessWithoutAckIsRepeatedOnAWebSocketAndReported) {
  open("INVITE", {.via = "SIP/2.0/WSS a.invalid;branch=z9hG4bKone"}, websocket());
  respond(200);
  run(32s);
  EXPECT_EQ(count<SendBytes>(out_.transmissions), 10u);
  ASSERT_EQ(count<AckMissing>(out_.events), 1u);
  EXPECT_EQ(last<AckMissing>(out_.events)->status, 200);
  EXPECT_EQ(count<TransactionEnded>(out_.events), 1u);
  EXPECT_EQ(metric("trunkline_sip_transaction_timeouts_total{timer=L}"), 1);
}

TEST_F(EndpointServer, FailureWithoutAckIsReported) {
  open("INVITE");
  respond(486);
  run(32s);
  EXPECT_EQ(last<AckMissing>(out_.events)->status, 486);
  EXPECT_EQ(metric("trunkline_sip_transaction_timeouts_total{timer=H}"), 1);
}

// RFC 3261 §17.2.3: the ACK of a refusal belongs to its INVITE [server-matching]
// RFC 3261 §17: it is no request of its own [race-ack-answered]
TEST_F(EndpointServer, AckOfAFailureIsNoEvent) {
  open("INVITE");
  respond(486);
  receive(ack("z9hG4bKone", "gateway"));
  EXPECT_TRUE(out_.empty());
  run(5s);
  EXPECT_EQ(count<TransactionEnded>(out_.events), 1u);
  EXPECT_EQ(endpoint_.transactions(), 0u);
}

// RFC 3261 §17: nothing is answered to an ACK [ack-unanswered]
// RFC 3261 §12.2.2: an ACK of nothing that we know is dropped [strays]
TEST_F(EndpointServer, StrayAckIsNeverAnswered) {
  receive(ack("z9hG4bKnone", "gateway"));
  EXPECT_TRUE(out_.empty());
  std::string mismatched = ack("z9hG4bKnone", "gateway");
  mismatched.replace(mismatched.find("1 ACK"), 5, "1 BYE");
  receive(mismatched);
  EXPECT_TRUE(out_.empty());
  receive("ACK sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n\r\n");
  EXPECT_TRUE(out_.empty());
}

// RFC 3261 §9.2: the 200 to CANCEL has the To tag of the INVITE [cancel-answered]
TEST_F(EndpointServer, CancelIsAnsweredWithTheTagOfTheInviteAndReported) {
  open("INVITE");
  respond(180);
  receive(cancel());
  EXPECT_EQ(sent().status(), 200);
  EXPECT_EQ(cseq_of(sent()).method, Method::cancel);
  EXPECT_EQ(to_of(sent()).tag(), "gateway");
  ASSERT_EQ(count<CancelReceived>(out_.events), 1u);
  EXPECT_EQ(last<CancelReceived>(out_.events)->transaction, server_);
}

// RFC 3261 §8.2.2.3: a Require is not asked for in CANCEL, nor in the ACK of a refusal
// [require-ignored]
TEST_F(EndpointServer, RequireIsIgnoredInCancelAndAck) {
  const auto requiring = [](std::string text) {
    return text.insert(text.find("\r\n") + 2, "Require: novelty\r\n");
  };
  open("INVITE");
  receive(requiring(cancel()));
  EXPECT_EQ(sent().status(), 200);
  EXPECT_EQ(count<CancelReceived>(out_.events), 1u);
  respond(487);
  receive(requiring(ack("z9hG4bKone", "gateway")));
  EXPECT_TRUE(out_.empty());
  run(std::chrono::seconds(40));
  EXPECT_EQ(count<SendBytes>(out_.transmissions), 0u) << "it has been acknowledged";
}

TEST_F(EndpointServer, CopyOfACancelIsAnsweredButReportedOnce) {
  open("INVITE");
  receive(cancel());
  receive(cancel());
  EXPECT_EQ(sent().status(), 200);
  EXPECT_THAT(out_.events, IsEmpty());
}

// RFC 3261 §9.2: the To tag of the answer to a CANCEL does not change from copy to copy
TEST_F(EndpointServer, CopyOfACancelGetsTheSameAnswerOnceTheInviteHasATag) {
  open("INVITE");
  receive(cancel());
  const std::string tag(to_of(sent()).tag());
  respond(487);
  receive(cancel());
  EXPECT_EQ(cseq_of(sent()).method, Method::cancel);
  EXPECT_EQ(to_of(sent()).tag(), tag);
}

// RFC 3261 §9.2: a CANCEL after the final response changes nothing [race-cancel-after-200]
// RFC 3261 §9.2: it still gets its 200 [cancel-answered]
TEST_F(EndpointServer, CancelAfterTheFinalIsAnsweredAndHasNoEffect) {
  open("INVITE");
  respond(200);
  receive(cancel());
  EXPECT_EQ(sent().status(), 200);
  EXPECT_THAT(out_.events, IsEmpty());
}

// RFC 3261 §9.2: a CANCEL that matches nothing gets 481 [cancel-unknown]
TEST_F(EndpointServer, CancelWithoutInviteIs481) {
  receive(cancel());
  EXPECT_EQ(sent().status(), 481);
  EXPECT_THAT(out_.events, IsEmpty());
}

TEST_F(EndpointServer, CancelOfAnotherMethodIs481) {
  open("OPTIONS");
  receive(cancel());
  EXPECT_EQ(sent().status(), 481);
}

// RFC 3261 §9.2: a CANCEL from behind a NAT finds its INVITE [race-cancel-nat]
TEST_F(EndpointServer, CancelWithAChangedSentByStillMatches) {
  open("INVITE");
  receive(cancel("198.51.100.77:9999"));
  EXPECT_EQ(count<CancelReceived>(out_.events), 1u);
}

TEST_F(EndpointServer, CancelOfAnotherBranchDoesNotMatch) {
  open("INVITE");
  receive(cancel("client.example.test:5060", "z9hG4bKtwo"));
  EXPECT_EQ(sent().status(), 481);
}

// RFC 3261 §21.5.6: another version gets 505 [version-505]
TEST_F(EndpointServer, UnparsableRequestIsAnsweredStatelesslyAndCounted) {
  std::string text = request_text("OPTIONS");
  text.replace(text.find("SIP/2.0\r\n"), 7, "SIP/7.0");
  receive(text);
  EXPECT_THAT(out_.events, IsEmpty());
  EXPECT_EQ(sent().status(), 505);
  EXPECT_EQ(metric("trunkline_sip_parse_errors_total{transport=udp,reason=version}"), 1);
}

TEST_F(EndpointServer, UnparsableAckIsNotAnswered) {
  std::string text = ack("z9hG4bKone", "gateway");
  text.replace(text.find("SIP/2.0\r\n"), 7, "SIP/7.0");
  receive(text);
  EXPECT_TRUE(out_.empty());
  endpoint_.receive_broken(ack("z9hG4bKone", "gateway"), ParseErrorReason::content_length, tcp(),
                           now_, out_);
  EXPECT_EQ(count<SendBytes>(out_.transmissions), 0u);
}

TEST_F(EndpointServer, GarbageIsDroppedAndCounted) {
  receive("hello");
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(metric("trunkline_sip_parse_errors_total{transport=udp,reason=start_line}"), 1);
}

// RFC 3261 §18.3: lost framing gets 400 and closes the stream [length-stream]
TEST_F(EndpointServer, LostFramingIsAnsweredAndTheFlowClosed) {
  std::string text = request_text("OPTIONS");
  text.erase(text.find("Content-Length: 0\r\n"), 19);
  endpoint_.receive_broken(text, ParseErrorReason::content_length, tcp(), now_, out_);
  EXPECT_EQ(sent().status(), 400);
  ASSERT_EQ(count<CloseFlow>(out_.transmissions), 1u);
  EXPECT_EQ(last<CloseFlow>(out_.transmissions)->flow, tcp().flow);
  EXPECT_EQ(metric("trunkline_sip_parse_errors_total{transport=tcp,reason=content_length}"), 1);
}

// RFC 3261 §21.5.7: a message too large for a stream gets 513 [size-limits]
TEST_F(EndpointServer, MessageTooLargeForAStreamIs513) {
  std::string text = request_text("MESSAGE");
  text.replace(text.find("Content-Length: 0"), 17, "Content-Length: 9999999");
  endpoint_.receive_broken(text, ParseErrorReason::too_large, tcp(), now_, out_);
  EXPECT_EQ(sent().status(), 513);
  EXPECT_EQ(count<CloseFlow>(out_.transmissions), 1u);
}

TEST_F(EndpointServer, LostFramingBeyondReadingOnlyClosesTheFlow) {
  endpoint_.receive_broken("\x01\x02", ParseErrorReason::too_large, tcp(), now_, out_);
  EXPECT_EQ(count<SendBytes>(out_.transmissions), 0u);
  EXPECT_EQ(count<CloseFlow>(out_.transmissions), 1u);
}

// RFC 5626 §3.5.1: a ping is answered with one line end [flow-keepalive]
// RFC 7118 §6: a ping on a WebSocket, too [ws-keepalive]
// RFC 7118 §6: a double line end is a ping [race-websocket-messages]
TEST_F(EndpointServer, PingOnAWebSocketIsAnsweredWithOneCrlf) {
  receive("\r\n\r\n", websocket());
  ASSERT_EQ(count<SendBytes>(out_.transmissions), 1u);
  EXPECT_EQ(last<SendBytes>(out_.transmissions)->bytes, "\r\n");
  EXPECT_EQ(last<SendBytes>(out_.transmissions)->target, websocket());
}

TEST_F(EndpointServer, PongAndDatagramKeepAlivesAreIgnored) {
  receive("\r\n", websocket());
  EXPECT_TRUE(out_.empty());
  receive("\r\n\r\n", udp());
  EXPECT_TRUE(out_.empty());
  receive("", udp());
  EXPECT_TRUE(out_.empty());
}

// RFC 4320 §4.2: no 408 to other requests than INVITE [non-invite-408]
TEST_F(EndpointServer, TimeoutIsNotSentToANonInvite) {
  open("MESSAGE");
  respond(408);
  EXPECT_THAT(out_.transmissions, IsEmpty());
}

// RFC 4320 §4.1: 100 when Timer E is T2 [non-invite-provisional]
TEST_F(EndpointServer, LateTryingToANonInvite) {
  open("MESSAGE");
  run(3400ms);
  EXPECT_THAT(out_.transmissions, IsEmpty());
  run(200ms);
  EXPECT_EQ(sent().status(), 100);
}

TEST_F(EndpointServer, ResponseToNobodyIsIgnored) {
  execute(Respond{TransactionId{77}, make_response(parsed(request_text("OPTIONS")), 200, "x")});
  EXPECT_TRUE(out_.empty());
}

TEST_F(EndpointServer, ClosedFlowEndsItsServerTransactionsThenIsReported) {
  open("INVITE", {.via = "SIP/2.0/WSS a.invalid;branch=z9hG4bKone"}, websocket());
  respond(200);
  out_.clear();
  endpoint_.flow_closed(websocket().flow, now_, out_);
  ASSERT_EQ(out_.events.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<TransactionEnded>(out_.events[0]));
  EXPECT_TRUE(std::holds_alternative<FlowClosed>(out_.events[1]));
  EXPECT_THAT(out_.transmissions, IsEmpty());
  EXPECT_EQ(endpoint_.deadline(), kNever);
}

// RFC 3261 §20.35: Server names the product [product-names]
TEST_F(EndpointServer, ServerNamesItself) {
  open("OPTIONS");
  respond(200);
  EXPECT_EQ(sent().header(HeaderName::server), "Trunkline");
}

// RFC 3261 §8.2.6.2: a response copies Via, From, Call-ID and CSeq [response-fields]
TEST_F(EndpointServer, ResponseCopiesWhatRfc3261Lists) {
  const Message request = parsed(request_text("INVITE", {.extra = "Timestamp: 1\r\n"}));
  const Message response = make_response(request, 200, "mine");
  for (const HeaderName name :
       {HeaderName::via, HeaderName::from, HeaderName::call_id, HeaderName::cseq}) {
    EXPECT_EQ(response.header(name), request.header(name));
  }
  EXPECT_EQ(to_of(response).tag(), "mine");
  EXPECT_FALSE(response.header(HeaderName::timestamp));
  EXPECT_EQ(make_response(request, 486, "mine", "Nope").reason(), "Nope");
}

// RFC 3261 §8.2.6.2: in a dialog the To tag stays [response-fields]
TEST_F(EndpointServer, ResponseInADialogKeepsItsTag) {
  const Message request = parsed(request_text("BYE", {.to_tag = "theirs"}));
  EXPECT_EQ(to_of(make_response(request, 200, "mine")).tag(), "theirs");
}

}  // namespace
}  // namespace trunkline::sip
