#include "unit/io/websocket_fixture.hpp"

namespace trunkline::io {
namespace {

class WebSocketLifeTest : public WebSocketTest {};

// RFC 6455 §5.5: a close gets its close [ws-control]
TEST_F(WebSocketLifeTest, answers_a_close_and_reports_the_flow_closed) {
  begin();
  PeerSocket peer = connect();
  const sip::Target flow = flow_of(peer);
  peer.send(client_frame(Opcode::close, std::string("\x03\xe8", 2)));
  const auto close = frame(peer);
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1000);
  peer.reset();
  ASSERT_TRUE(run_until([&] { return !input.closures.empty(); }));
  EXPECT_EQ(input.closures, std::vector<FlowId>{flow.flow});
  EXPECT_EQ(disconnects(Disconnect::closed), 1);
  EXPECT_EQ(open(), 0);
}

TEST_F(WebSocketLifeTest, reports_a_reset_connection) {
  begin();
  PeerSocket peer = connect();
  const sip::Target flow = flow_of(peer);
  peer.reset();
  ASSERT_TRUE(run_until([&] { return !input.closures.empty(); }));
  EXPECT_EQ(input.closures, std::vector<FlowId>{flow.flow});
  EXPECT_EQ(disconnects(Disconnect::lost), 1);
}

// RFC 5626 §5.3: a request goes down its flow or nowhere [flow-only]
TEST_F(WebSocketLifeTest, fails_a_request_to_a_flow_that_is_gone) {
  begin();
  PeerSocket peer = connect();
  const sip::Target flow = flow_of(peer);
  peer.reset();
  ASSERT_TRUE(run_until([&] { return !input.closures.empty(); }));
  websocket->send({flow, "INVITE", {5}});
  EXPECT_EQ(input.failures, std::vector<sip::TransactionId>{{5}});
}

// RFC 7118 §6: a quiet connection is pinged [ws-keepalive]
TEST_F(WebSocketLifeTest, pings_a_quiet_peer_and_keeps_one_that_answers) {
  begin({.allowed_origins = {}, .ping_interval = milliseconds{30}, .pong_timeout = seconds{60}});
  PeerSocket peer = connect();
  for (int i = 0; i < 3; ++i) {
    const auto ping = frame(peer);
    ASSERT_TRUE(ping);
    ASSERT_EQ(ping->opcode, Opcode::ping);
    peer.send(client_frame(Opcode::pong, ping->payload));
  }
  EXPECT_EQ(open(), 1);
}

// RFC 7118 §6: and dropped if nothing comes [ws-keepalive]
TEST_F(WebSocketLifeTest, drops_a_peer_that_does_not_answer_a_ping) {
  begin(
      {.allowed_origins = {}, .ping_interval = milliseconds{20}, .pong_timeout = milliseconds{20}});
  PeerSocket peer = connect();
  ASSERT_TRUE(gone(peer));
  EXPECT_EQ(disconnects(Disconnect::ping_timeout), 1);
  EXPECT_EQ(input.closures.size(), 1u);
}

// RFC 6455 §7.4.1: a peer that does not read is closed with 1013 [ws-slow]
TEST_F(WebSocketLifeTest, closes_with_1013_on_a_peer_that_does_not_read) {
  begin({.allowed_origins = {}, .max_send_queue = 100000});
  PeerSocket peer = connect();
  const sip::Target flow = flow_of(peer);
  for (int i = 0; i < 2000 && input.closures.empty(); ++i) {
    websocket->send({flow, std::string(20000, 'x'), {}});
    run_ready();
  }
  EXPECT_EQ(input.closures, std::vector<FlowId>{flow.flow});
  EXPECT_EQ(disconnects(Disconnect::slow), 1);
  std::optional<ServerFrame> last;
  while (auto next = frame(peer)) {
    last = std::move(next);
    if (last->opcode == Opcode::close) break;
  }
  ASSERT_TRUE(last);
  EXPECT_EQ(last->opcode, Opcode::close);
  EXPECT_EQ(last->close_code(), 1013);
}

TEST_F(WebSocketLifeTest, lets_the_answer_leave_before_it_closes_a_flow) {
  begin();
  PeerSocket peer = connect();
  const sip::Target flow = flow_of(peer);
  websocket->send({flow, "SIP/2.0 400 Bad Request", {}});
  EXPECT_TRUE(websocket->close(flow.flow, "not SIP"));
  const auto answer = frame(peer);
  const auto close = frame(peer);
  ASSERT_TRUE(answer && close);
  EXPECT_EQ(answer->payload, "SIP/2.0 400 Bad Request");
  EXPECT_EQ(close->close_code(), 1008);
  EXPECT_EQ(close->payload.substr(2), "not SIP");
}

TEST_F(WebSocketLifeTest, takes_nothing_more_from_a_flow_that_it_closes) {
  begin();
  const PeerSocket peer = connect();
  const sip::Target flow = flow_of(peer);
  websocket->close(flow.flow, "not SIP");
  peer.send(client_frame(Opcode::text, "more"));
  for (int i = 0; i < 20; ++i)
    run_ready();
  EXPECT_EQ(input.messages.size(), 1u);
  EXPECT_FALSE(websocket->close(FlowId{99}, "unknown"));
}

TEST_F(WebSocketLifeTest, may_be_closed_from_inside_a_message) {
  begin();
  PeerSocket peer = connect();
  input.on_message = [this](const RecordingInput::Message& message) {
    websocket->close(message.source.flow, "at once");
  };
  peer.send(client_frame(Opcode::text, "x") + client_frame(Opcode::text, "y"));
  const auto close = frame(peer);
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1008);
  EXPECT_EQ(input.messages.size(), 1u);
}

TEST_F(WebSocketLifeTest, says_goodbye_to_all_on_stop) {
  begin();
  PeerSocket first = connect();
  PeerSocket second = connect();
  ASSERT_TRUE(run_until([&] { return open() == 2; }));
  websocket->stop();
  for (PeerSocket* peer : {&first, &second}) {
    const auto close = frame(*peer);
    ASSERT_TRUE(close);
    EXPECT_EQ(close->close_code(), 1001);
    peer->send(client_frame(Opcode::close, std::string("\x03\xe9", 2)));
  }
  EXPECT_TRUE(gone(first) && gone(second));
  EXPECT_EQ(disconnects(Disconnect::shutdown), 2);
}

}  // namespace
}  // namespace trunkline::io
