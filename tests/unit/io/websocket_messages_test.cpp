#include "unit/io/websocket_fixture.hpp"

namespace trunkline::io {
namespace {

class WebSocketMessagesTest : public WebSocketTest {};

// RFC 7118 §4.2: text and binary are taken [ws-text-binary]
// RFC 7118 §4.2: neither is refused [race-websocket-messages]
TEST_F(WebSocketMessagesTest, takes_text_and_binary) {
  begin();
  const PeerSocket peer = connect();
  peer.send(client_frame(Opcode::text, "one") + client_frame(Opcode::binary, "two\xff"));
  ASSERT_TRUE(run_until([&] { return input.messages.size() == 2; }));
  EXPECT_EQ(input.messages[0].bytes, "one");
  EXPECT_EQ(input.messages[1].bytes, "two\xff");
  EXPECT_EQ(input.messages[0].source.transport, sip::Transport::ws);
  EXPECT_EQ(input.messages[0].source.remote, peer.local());
  EXPECT_EQ(input.messages[0].source.flow, input.messages[1].source.flow);
}

// RFC 7118 §5: fragments are one message [ws-one-message]
// RFC 6455 §5.5: a ping between them gets its pong [ws-control]
// RFC 7118 §4.2: fragments are taken [race-websocket-messages]
TEST_F(WebSocketMessagesTest, joins_fragments_around_a_ping) {
  begin();
  PeerSocket peer = connect();
  peer.send(client_frame(Opcode::text, "IN", false) + client_frame(Opcode::ping, "p") +
            client_frame(Opcode::continuation, "VI", false) +
            client_frame(Opcode::continuation, "TE"));
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  EXPECT_EQ(input.messages[0].bytes, "INVITE");
  const auto pong = frame(peer);
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->opcode, Opcode::pong);
  EXPECT_EQ(pong->payload, "p");
}

TEST_F(WebSocketMessagesTest, passes_crlf_keep_alives_on) {
  begin();
  const PeerSocket peer = connect();
  peer.send(client_frame(Opcode::text, "\r\n\r\n"));
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  EXPECT_EQ(input.messages[0].bytes, "\r\n\r\n");
}

// RFC 7118 §4.2: ours are text, or binary if they must [ws-text-binary]
TEST_F(WebSocketMessagesTest, answers_as_text_or_else_as_binary) {
  begin();
  PeerSocket peer = connect();
  const sip::Target flow = flow_of(peer);
  websocket->send({flow, "SIP/2.0 200 OK", {}});
  websocket->send({flow, "body \xff", {}});
  const auto first = frame(peer);
  const auto second = frame(peer);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->opcode, Opcode::text);
  EXPECT_EQ(first->payload, "SIP/2.0 200 OK");
  EXPECT_EQ(second->opcode, Opcode::binary);
}

TEST_F(WebSocketMessagesTest, sends_a_large_message_in_one_frame) {
  begin();
  PeerSocket peer = connect();
  const std::string large(60000, 'x');
  websocket->send({flow_of(peer), large, {}});
  const auto found = frame(peer);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->payload, large);
}

TEST_F(WebSocketMessagesTest, takes_a_message_of_the_largest_size) {
  begin({.allowed_origins = {}, .max_message = 1000});
  const PeerSocket peer = connect();
  peer.send(client_frame(Opcode::text, std::string(1000, 'x')));
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  EXPECT_EQ(input.messages[0].bytes.size(), 1000u);
}

TEST_F(WebSocketMessagesTest, closes_with_1009_on_a_larger_one) {
  begin({.allowed_origins = {}, .max_message = 1000});
  PeerSocket peer = connect();
  peer.send(client_frame(Opcode::text, std::string(1001, 'x')));
  const auto close = frame(peer);
  ASSERT_TRUE(close);
  EXPECT_EQ(close->opcode, Opcode::close);
  EXPECT_EQ(close->close_code(), 1009);
  peer.close();
  ASSERT_TRUE(run_until([&] { return disconnects(Disconnect::too_big) == 1; }));
  EXPECT_TRUE(input.messages.empty());
  EXPECT_EQ(input.closures.size(), 1u);
}

// RFC 7118 §5: fragments count together [ws-one-message]
TEST_F(WebSocketMessagesTest, counts_fragments_together_against_the_limit) {
  begin({.allowed_origins = {}, .max_message = 1000});
  PeerSocket peer = connect();
  peer.send(client_frame(Opcode::text, std::string(600, 'x'), false) +
            client_frame(Opcode::continuation, std::string(600, 'x')));
  const auto close = frame(peer);
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1009);
}

// RFC 6455 §5.1: an unmasked frame is closed with 1002 [ws-frames]
TEST_F(WebSocketMessagesTest, closes_with_1002_on_an_unmasked_frame) {
  begin();
  PeerSocket peer = connect();
  peer.send(client_frame(Opcode::text, "x", true, false));
  const auto close = frame(peer);
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1002);
  peer.close();
  EXPECT_TRUE(run_until([&] { return disconnects(Disconnect::protocol) == 1; }));
}

// RFC 6455 §8.1: text that is no UTF-8 is closed with 1007 [ws-frames]
TEST_F(WebSocketMessagesTest, closes_with_1007_on_text_that_is_no_utf8) {
  begin();
  PeerSocket peer = connect();
  peer.send(client_frame(Opcode::text, "\xff\xff"));
  const auto close = frame(peer);
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1007);
}

TEST_F(WebSocketMessagesTest, closes_on_endless_fragments) {
  begin();
  PeerSocket peer = connect();
  peer.send(client_frame(Opcode::text, "x", false));
  for (int i = 0; i < 2000 && !peer.closed(); ++i) {
    peer.send(client_frame(Opcode::continuation, "x", false));
    run_ready();
    peer.gather();
    if (!peer.gathered().empty()) break;
  }
  const auto close = frame(peer);
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1008);
  EXPECT_EQ(disconnects(Disconnect::flood), 1);
}

TEST_F(WebSocketMessagesTest, closes_on_a_flood_of_pings) {
  begin();
  PeerSocket peer = connect();
  for (int i = 0; i < 40; ++i)
    peer.send(client_frame(Opcode::ping, "x"));
  ASSERT_TRUE(run_until([&] { return disconnects(Disconnect::flood) == 1; }));
}

}  // namespace
}  // namespace trunkline::io
