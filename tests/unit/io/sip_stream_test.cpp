#include "io/sip_stream.hpp"

#include "unit/io/loopback.hpp"

namespace trunkline::io {
namespace {

const std::string kOptions =
    "OPTIONS sip:gw@example.test SIP/2.0\r\n"
    "Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa\r\n"
    "From: <sip:a@example.test>;tag=1\r\n"
    "To: <sip:gw@example.test>\r\n"
    "Call-ID: a\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Content-Length: 4\r\n\r\nbody";

class SipStreamTest : public Loopback {
 public:
  void begin(StreamSettings settings = {}) {
    stream.emplace(context, settings, sip::ParserLimits{}, flows, input, counters, tls);
    const auto bound = stream->listen({sip::Transport::tcp, loopback(), {}, {}});
    ASSERT_TRUE(bound) << bound.error().message;
    local = *bound;
    stream->start();
  }
  bool open(int connections = 1) {
    return run_until(
        [&] { return counters.connections[sip::Transport::tcp].get() == connections; });
  }
  static sip::SendBytes order(const SocketAddress& to, std::string bytes,
                              std::uint64_t transaction = 0, FlowId flow = {}) {
    return {{sip::Transport::tcp, to, flow}, std::move(bytes), {transaction}};
  }
  std::optional<PeerSocket> accepted(const PeerSocket& listener) {
    std::optional<PeerSocket> peer;
    EXPECT_TRUE(run_until([&] { return (peer = listener.accept()).has_value(); }));
    return peer;
  }

  std::optional<SipStream> stream;
  SocketAddress local;
};

TEST_F(SipStreamTest, joins_a_message_that_comes_byte_by_byte) {
  begin();
  const PeerSocket peer = PeerSocket::tcp_to(local);
  for (const char octet : kOptions) {
    peer.send({&octet, 1});
    run_ready();
  }
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  EXPECT_EQ(input.messages[0].bytes, kOptions);
  EXPECT_EQ(input.messages[0].source.remote, peer.local());
  EXPECT_TRUE(input.messages[0].source.flow);
}

// RFC 3261 §18.3: several messages of a segment are cut [stream-segments]
TEST_F(SipStreamTest, cuts_several_messages_of_one_segment) {
  begin();
  const PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send(kOptions + kOptions + kOptions);
  ASSERT_TRUE(run_until([&] { return input.messages.size() == 3; }));
  EXPECT_EQ(input.messages[2].bytes, kOptions);
}

// RFC 5626 §3.5.1: a double line end gets one [crlf-ping]
TEST_F(SipStreamTest, answers_a_double_crlf_with_one) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send("\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return peer.gather() == "\r\n"; }));
  EXPECT_TRUE(input.messages.empty());
}

// RFC 5923 §5: requests leave by the connection of the peer [flow-reuse]
TEST_F(SipStreamTest, sends_on_the_flow_of_the_target) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send(kOptions);
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  stream->send({input.messages[0].source, "answer", {}});
  EXPECT_TRUE(run_until([&] { return peer.gather() == "answer"; }));
}

TEST_F(SipStreamTest, reports_a_closed_connection_once) {
  begin();
  {
    const PeerSocket peer = PeerSocket::tcp_to(local);
    peer.send(kOptions);
    ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  }
  ASSERT_TRUE(run_until([&] { return !input.closures.empty(); }));
  run_ready();
  EXPECT_EQ(input.closures, std::vector<FlowId>{input.messages[0].source.flow});
  EXPECT_EQ(counters.connections[sip::Transport::tcp].get(), 0);
}

TEST_F(SipStreamTest, fails_a_request_on_a_flow_that_is_gone) {
  begin();
  stream->send(order(loopback(5060), "x", 3, FlowId{99}));
  EXPECT_EQ(input.failures, std::vector<sip::TransactionId>{{3}});
}

// RFC 5923 §5: one connection serves several requests [flow-reuse]
TEST_F(SipStreamTest, connects_once_for_several_requests) {
  begin();
  const PeerSocket listener = PeerSocket::tcp_listener();
  stream->send(order(listener.local(), "one", 1));
  stream->send(order(listener.local(), "two", 2));
  auto peer = accepted(listener);
  ASSERT_TRUE(peer);
  EXPECT_TRUE(run_until([&] { return peer->gather() == "onetwo"; }));
  EXPECT_FALSE(listener.accept());
  stream->send(order(listener.local(), "three", 3));
  EXPECT_TRUE(run_until([&] { return peer->gather() == "onetwothree"; }));
  EXPECT_TRUE(input.failures.empty());
}

TEST_F(SipStreamTest, takes_an_answer_on_the_connection_it_made) {
  begin();
  const PeerSocket listener = PeerSocket::tcp_listener();
  stream->send(order(listener.local(), "one", 1));
  auto peer = accepted(listener);
  ASSERT_TRUE(peer);
  peer->send(kOptions);
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  EXPECT_EQ(input.messages[0].source.remote, listener.local());
}

// RFC 3261 §8.1.3.1: a refused connection fails its requests [transport-failure]
TEST_F(SipStreamTest, fails_each_request_when_nobody_listens) {
  begin();
  const SocketAddress nobody = PeerSocket::tcp_listener().local();
  stream->send(order(nobody, "one", 1));
  stream->send(order(nobody, "two", 2));
  ASSERT_TRUE(run_until([&] { return input.failures.size() == 2; }));
  EXPECT_EQ(input.failures, (std::vector<sip::TransactionId>{{1}, {2}}));
  EXPECT_TRUE(input.closures.empty());
  EXPECT_EQ(counters.connect_failures.get(), 1);
}

TEST_F(SipStreamTest, fails_requests_that_left_just_before_the_connection_was_lost) {
  begin();
  const PeerSocket listener = PeerSocket::tcp_listener();
  stream->send(order(listener.local(), "one", 1));
  auto peer = accepted(listener);
  ASSERT_TRUE(peer);
  ASSERT_TRUE(run_until([&] { return peer->gather() == "one"; }));
  run_ready();
  peer->reset();
  ASSERT_TRUE(run_until([&] { return !input.closures.empty(); }));
  EXPECT_EQ(input.failures, std::vector<sip::TransactionId>{{1}});
}

// RFC 3261 §18.2.2: a response whose connection is gone goes over a new one [reply-reconnect]
TEST_F(SipStreamTest, answers_over_a_new_connection_when_that_of_the_request_is_gone) {
  begin();
  const PeerSocket listener = PeerSocket::tcp_listener();
  {
    const PeerSocket peer = PeerSocket::tcp_to(local);
    peer.send(kOptions);
    ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  }
  ASSERT_TRUE(run_until([&] { return !input.closures.empty(); }));
  stream->send({input.messages[0].source, "answer", {}, listener.local()});
  auto back = accepted(listener);
  ASSERT_TRUE(back);
  ASSERT_TRUE(run_until([&] { return back->gather() == "answer"; }));
  stream->send({input.messages[0].source, " more", {}, listener.local()});
  EXPECT_TRUE(run_until([&] { return back->gather() == "answer more"; }));
  EXPECT_FALSE(listener.accept()) << "both over the same";
}

// RFC 3261 §18.2.2: also what was queued when it went [reply-reconnect]
TEST_F(SipStreamTest, takes_an_answer_that_had_not_left_to_a_new_connection) {
  // More than the kernel takes of what nobody reads.
  constexpr std::size_t kTooMuch = std::size_t{16} << 20;
  begin({.max_send_queue = 2 * kTooMuch});
  const PeerSocket listener = PeerSocket::tcp_listener();
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.shrink_receive_buffer();
  peer.send(kOptions);
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  const sip::Target source = input.messages[0].source;
  stream->send({source, std::string(kTooMuch, 'x'), {}});
  stream->send({source, "answer", {}, listener.local()});
  run_ready();
  peer.reset();
  auto back = accepted(listener);
  ASSERT_TRUE(back);
  EXPECT_TRUE(run_until([&] { return back->gather() == "answer"; }));
}

TEST_F(SipStreamTest, gives_an_answer_up_when_nobody_listens_for_it) {
  begin();
  const SocketAddress nobody = PeerSocket::tcp_listener().local();
  stream->send({{sip::Transport::tcp, loopback(9), FlowId{99}}, "answer", {}, nobody});
  EXPECT_TRUE(run_until([&] { return counters.connect_failures.get() == 1; }));
}

TEST_F(SipStreamTest, makes_a_bounded_number_of_connections_for_answers_at_a_time) {
  begin();
  for (std::uint8_t host = 1; host <= 100; ++host) {
    // Nobody answers there, and nobody says so.
    const SocketAddress silent{IpAddress::v4({127, 255, 255, host}), 9};
    stream->send({{sip::Transport::tcp, loopback(9), FlowId{99}}, "answer", {}, silent});
  }
  EXPECT_EQ(counters.drops[IoDrop::answer].get(), 36);
}

TEST_F(SipStreamTest, reports_lost_framing_and_closes) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(local);
  std::string wrong = kOptions;
  wrong.replace(wrong.find("Content-Length: 4"), 17, "Content-Length: x");
  input.on_broken = [this](const sip::Target& source) { stream->send({source, "sorry", {}}); };
  peer.send(wrong);
  ASSERT_TRUE(run_until([&] { return !input.breaks.empty(); }));
  EXPECT_EQ(input.breaks[0].first, sip::ParseErrorReason::content_length);
  EXPECT_TRUE(run_until([&] { return peer.gather() == "sorry" && peer.closed(); }));
}

TEST_F(SipStreamTest, lets_queued_octets_leave_before_it_closes) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send(kOptions);
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  const sip::Target source = input.messages[0].source;
  stream->send({source, "last words", {}});
  EXPECT_TRUE(stream->close(source.flow, "test"));
  EXPECT_TRUE(run_until([&] { return peer.gather() == "last words" && peer.closed(); }));
  EXPECT_FALSE(stream->close(source.flow, "test"));
}

TEST_F(SipStreamTest, closes_on_a_peer_that_does_not_read) {
  begin({.max_send_queue = 100000});
  const PeerSocket peer = PeerSocket::tcp_to(local);
  peer.shrink_receive_buffer();
  peer.send(kOptions);
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  for (int i = 0; i < 1000 && input.closures.empty(); ++i) {
    stream->send({input.messages[0].source, std::string(20000, 'x'), {}});
    run_ready();
  }
  EXPECT_EQ(input.closures.size(), 1u);
}

TEST_F(SipStreamTest, closes_on_half_a_message) {
  begin({.message_timeout = milliseconds{50}});
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send(kOptions.substr(0, 40));
  ASSERT_TRUE(open());
  ASSERT_TRUE(run_until([&] { return !input.closures.empty(); }));
  peer.gather();
  EXPECT_TRUE(peer.closed());
}

TEST_F(SipStreamTest, keeps_a_quiet_connection_until_it_was_idle_for_long) {
  begin({.idle_timeout = milliseconds{80}, .message_timeout = milliseconds{10}});
  const TimePoint begun = Clock::now();
  const PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send(kOptions);
  ASSERT_TRUE(run_until([&] { return !input.closures.empty(); }));
  EXPECT_GE(Clock::now() - begun, milliseconds{80});
}

TEST_F(SipStreamTest, takes_no_more_connections_than_allowed) {
  begin({.max_connections = 1});
  const PeerSocket first = PeerSocket::tcp_to(local);
  ASSERT_TRUE(open());
  PeerSocket second = PeerSocket::tcp_to(local);
  ASSERT_TRUE(run_until([&] {
    second.gather();
    return second.closed();
  }));
  EXPECT_EQ(counters.drops[IoDrop::stream_full].get(), 1);
}

}  // namespace
}  // namespace trunkline::io
