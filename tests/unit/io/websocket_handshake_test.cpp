#include "unit/io/websocket_fixture.hpp"
#include <gmock/gmock.h>

namespace trunkline::io {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class WebSocketHandshakeTest : public WebSocketTest {};

// RFC 7118 §4.1: the answer has the subprotocol sip alone [ws-subprotocol]
TEST_F(WebSocketHandshakeTest, answers_with_exactly_the_subprotocol_sip) {
  begin();
  const std::string answer = ask(upgrade_request("Sec-WebSocket-Protocol: chat, sip\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(answer, HasSubstr("Sec-WebSocket-Protocol: sip"));
  EXPECT_THAT(answer, Not(HasSubstr("chat")));
  EXPECT_THAT(answer, HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

TEST_F(WebSocketHandshakeTest, finds_sip_in_a_second_field) {
  begin();
  EXPECT_THAT(
      ask(upgrade_request("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: sip\r\n")),
      StartsWith("HTTP/1.1 101"));
}

TEST_F(WebSocketHandshakeTest, refuses_without_the_subprotocol) {
  begin();
  EXPECT_THAT(ask(upgrade_request("")), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask(upgrade_request("Sec-WebSocket-Protocol: chat\r\n")), StartsWith("HTTP/1.1 400"));
  EXPECT_TRUE(run_until([&] { return failures(HandshakeFailure::subprotocol) == 2; }));
}

// RFC 6455 §4.4: another version gets 426 and 13 [ws-version]
TEST_F(WebSocketHandshakeTest, names_the_version_it_speaks) {
  begin();
  const std::string answer = ask(upgrade_request("Sec-WebSocket-Protocol: sip\r\n", "8"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 426"));
  EXPECT_THAT(answer, HasSubstr("Sec-WebSocket-Version: 13"));
}

// RFC 6455 §10.2: another origin gets 403 [ws-origin]
TEST_F(WebSocketHandshakeTest, lets_only_listed_origins_in) {
  begin({.allowed_origins = {"https://app.example.test"}});
  const std::string protocol = "Sec-WebSocket-Protocol: sip\r\n";
  EXPECT_THAT(ask(upgrade_request(protocol + "Origin: https://app.example.test\r\n")),
              StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(ask(upgrade_request(protocol + "Origin: https://evil.test\r\n")),
              StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask(upgrade_request(protocol)), StartsWith("HTTP/1.1 403"));
  EXPECT_TRUE(run_until([&] { return failures(HandshakeFailure::origin) == 2; }));
}

TEST_F(WebSocketHandshakeTest, negotiates_no_compression) {
  begin();
  const std::string answer = ask(upgrade_request(
      "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(answer, Not(HasSubstr("Sec-WebSocket-Extensions")));
}

TEST_F(WebSocketHandshakeTest, takes_a_request_that_comes_byte_by_byte) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(local);
  for (const char octet : upgrade_request()) {
    peer.send({&octet, 1});
    run_ready();
  }
  EXPECT_THAT(response(peer), StartsWith("HTTP/1.1 101"));
}

TEST_F(WebSocketHandshakeTest, serves_the_web_phone) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send("GET / HTTP/1.1\r\nHost: gw\r\n\r\n");
  const std::string head = response(peer);
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(head, HasSubstr("Content-Type: text/html; charset=utf-8"));
  EXPECT_THAT(head, HasSubstr("Content-Security-Policy: default-src 'none'"));
  EXPECT_THAT(head, HasSubstr("X-Content-Type-Options: nosniff"));
  EXPECT_TRUE(gone(peer));
  EXPECT_EQ(peer.gathered(), "<p>phone");
  EXPECT_EQ(failures(HandshakeFailure::http), 0);
}

TEST_F(WebSocketHandshakeTest, answers_head_without_a_body) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send("HEAD / HTTP/1.1\r\nHost: gw\r\n\r\n");
  EXPECT_THAT(response(peer), HasSubstr("Content-Length: 8"));
  EXPECT_TRUE(gone(peer));
  EXPECT_EQ(peer.gathered(), "");
}

TEST_F(WebSocketHandshakeTest, refuses_other_paths_methods_and_junk) {
  begin();
  EXPECT_THAT(ask("GET /nothing HTTP/1.1\r\nHost: gw\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask("DELETE / HTTP/1.1\r\nHost: gw\r\n\r\n"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(ask("INVITE sip:a SIP/2.0\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask(std::string("\0\1\2\r\n\r\n", 7)), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: gw\r\nContent-Length: 99\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
}

TEST_F(WebSocketHandshakeTest, refuses_a_header_that_is_too_long) {
  begin();
  const std::string field = "X-Field: " + std::string(500, 'x') + "\r\n";
  std::string request = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 20; ++i)
    request += field;
  EXPECT_THAT(ask(request), StartsWith("HTTP/1.1 400"));
}

TEST_F(WebSocketHandshakeTest, gives_up_on_a_handshake_that_never_ends) {
  begin({.allowed_origins = {}, .handshake_timeout = milliseconds{50}});
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send("GET / HTT");
  EXPECT_TRUE(gone(peer));
  EXPECT_EQ(failures(HandshakeFailure::http), 1);
}

TEST_F(WebSocketHandshakeTest, does_not_count_a_connection_that_says_nothing) {
  begin();
  { const PeerSocket peer = PeerSocket::tcp_to(local); }
  PeerSocket later = connect();
  EXPECT_EQ(failures(HandshakeFailure::http), 0);
}

TEST_F(WebSocketHandshakeTest, has_a_limit_of_connections) {
  begin({.allowed_origins = {}, .max_connections = 1});
  PeerSocket first = connect();
  EXPECT_THAT(ask(upgrade_request()), StartsWith("HTTP/1.1 503"));
  EXPECT_TRUE(run_until([&] { return failures(HandshakeFailure::limit) == 1; }));
  first.reset();
  ASSERT_TRUE(run_until([&] { return open() == 0; }));
  EXPECT_THAT(ask(upgrade_request()), StartsWith("HTTP/1.1 101"));
}

TEST_F(WebSocketHandshakeTest, has_a_limit_of_connections_from_one_address) {
  begin({.allowed_origins = {}, .max_connections_per_address = 2});
  PeerSocket first = connect();
  PeerSocket second = connect();
  EXPECT_THAT(ask(upgrade_request()), StartsWith("HTTP/1.1 503"));
}

}  // namespace
}  // namespace trunkline::io
