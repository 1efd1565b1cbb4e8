#include "io/native_address.hpp"
#include "io/sip_stream.hpp"
#include "io/tls_context.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "unit/io/certificate.hpp"
#include "unit/io/websocket_fixture.hpp"

namespace trunkline::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

const std::string kOptions =
    "OPTIONS sip:gw@example.test SIP/2.0\r\nVia: SIP/2.0/TLS "
    "127.0.0.1;branch=z9hG4bKa\r\nContent-Length: 0\r\n\r\n";

class TlsTest : public Loopback {
 public:
  /// A server with this certificate, and a client that takes it for `hosts`.
  void begin(const Certificate& certificate, std::vector<std::string> hosts) {
    certificate.trust();
    server.emplace(context, StreamSettings{}, sip::ParserLimits{}, flows, input, counters,
                   [](const IpAddress&) { return std::vector<std::string>(); });
    const auto bound =
        server->listen({sip::Transport::tls, loopback(), {}, certificate.settings()});
    ASSERT_TRUE(bound) << bound.error().message;
    local = *bound;
    server->start();
    client.emplace(context, StreamSettings{}, sip::ParserLimits{}, flows, client_input,
                   client_counters, [hosts](const IpAddress&) { return hosts; });
  }
  void send() { client->send({{sip::Transport::tls, local, {}}, kOptions, {1}}); }

  std::optional<SipStream> server, client;
  SocketAddress local;
  RecordingInput client_input;
  Counters client_counters;
};

TEST_F(TlsTest, carries_messages_both_ways_on_one_connection) {
  const Certificate certificate("DNS:gw.example.test");
  begin(certificate, {"gw.example.test"});
  send();
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  EXPECT_EQ(input.messages[0].bytes, kOptions);
  EXPECT_EQ(input.messages[0].source.transport, sip::Transport::tls);
  server->send({input.messages[0].source, kOptions, {}});
  EXPECT_TRUE(run_until([&] { return !client_input.messages.empty(); }));
}

// RFC 5922 §7.3: any name of the trunk is taken [tls-name]
TEST_F(TlsTest, takes_any_of_the_names_of_an_address) {
  const Certificate certificate("DNS:gw.example.test");
  begin(certificate, {"other.example.test", "gw.example.test"});
  send();
  EXPECT_TRUE(run_until([&] { return !input.messages.empty(); }));
}

// RFC 5922 §7.3: another name is refused [tls-name]
TEST_F(TlsTest, refuses_a_peer_with_another_name) {
  const Certificate certificate("DNS:evil.example.test");
  begin(certificate, {"gw.example.test"});
  send();
  ASSERT_TRUE(run_until([&] { return !client_input.failures.empty(); }));
  EXPECT_TRUE(input.messages.empty());
  EXPECT_EQ(client_counters.connect_failures.get(), 1);
}

// RFC 5922 §7.3: an unknown authority is refused [tls-name]
TEST_F(TlsTest, refuses_a_certificate_that_nobody_vouches_for) {
  const Certificate certificate("DNS:gw.example.test"), other("DNS:gw.example.test");
  begin(certificate, {"gw.example.test"});
  other.trust();
  send();
  ASSERT_TRUE(run_until([&] { return !client_input.failures.empty(); }));
  EXPECT_TRUE(input.messages.empty());
}

TEST_F(TlsTest, asks_for_the_address_when_there_is_no_name) {
  const Certificate certificate("IP:127.0.0.1");
  begin(certificate, {});
  send();
  EXPECT_TRUE(run_until([&] { return !input.messages.empty(); }));
}

TEST_F(TlsTest, drops_a_peer_that_speaks_no_tls) {
  const Certificate certificate("DNS:gw.example.test");
  begin(certificate, {});
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send(kOptions);
  EXPECT_TRUE(run_until([&] {
    peer.gather();
    return peer.closed();
  }));
  EXPECT_TRUE(input.messages.empty());
  EXPECT_TRUE(input.closures.empty());
}

TEST(TlsContextTest, says_which_file_is_missing) {
  const auto made = make_server_tls({"/nonexistent/certificate.pem", "/nonexistent/key.pem"});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("/nonexistent/certificate.pem"), std::string::npos);
}

TEST(TlsContextTest, says_that_the_key_is_another_ones) {
  const Certificate one("DNS:a"), other("DNS:b");
  const auto made = make_server_tls({one.settings().certificate, other.settings().key});
  EXPECT_FALSE(made);
}

class SecureWebSocketTest : public WebSocketTest {
 public:
  void SetUp() override {
    websocket.emplace(context, WebSocketSettings{},
                      std::vector<WebFile>{{"/", "text/html", "phone"}}, flows, input, counters);
    const auto bound = websocket->listen({loopback(), certificate.settings()});
    ASSERT_TRUE(bound) << bound.error().message;
    local = *bound;
    websocket->start();
  }
  /// Talks TLS to the listener and gathers what it answers until `done` likes it.
  bool talk(const std::string& request, const std::function<bool()>& done) {
    stream.emplace(tcp::socket(context), &client_tls);
    stream->socket().connect(to_endpoint<tcp::endpoint>(local));
    stream->tls()->async_handshake(
        boost::asio::ssl::stream_base::client, [this, request](error_code error) {
          if (error) return;
          boost::asio::async_write(*stream, boost::asio::buffer(request),
                                   [this](error_code failed, std::size_t) {
                                     if (!failed) read();
                                   });
        });
    return run_until(done);
  }
  void read() {
    stream->async_read_some(boost::asio::buffer(buffer),
                            [this](error_code error, std::size_t size) {
                              gathered.append(buffer.data(), size);
                              ended = static_cast<bool>(error);
                              if (!error) read();
                            });
  }

  const Certificate certificate{"DNS:gw.example.test"};
  boost::asio::ssl::context client_tls{boost::asio::ssl::context::tls_client};
  std::optional<ByteStream> stream;
  std::array<char, 8192> buffer{};
  std::string gathered;
  bool ended = false;
};

TEST_F(SecureWebSocketTest, carries_messages_of_transport_wss) {
  ASSERT_TRUE(
      talk(upgrade_request() + "", [&] { return gathered.find("\r\n\r\n") != std::string::npos; }));
  EXPECT_EQ(gathered.substr(0, 12), "HTTP/1.1 101");
  gathered.clear();
  const std::string message = client_frame(Opcode::text, "hello");
  boost::asio::write(*stream->tls(), boost::asio::buffer(message));
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  EXPECT_EQ(input.messages[0].source.transport, sip::Transport::wss);
  websocket->send({input.messages[0].source, "answer", {}});
  std::optional<ServerFrame> frame;
  ASSERT_TRUE(run_until([&] { return (frame = take_frame(gathered)).has_value(); }));
  EXPECT_EQ(frame->payload, "answer");
  EXPECT_EQ(counters.connections[sip::Transport::wss].get(), 1);
}

TEST_F(SecureWebSocketTest, serves_the_web_phone_and_closes) {
  ASSERT_TRUE(talk("GET / HTTP/1.1\r\nHost: gw\r\n\r\n", [&] { return ended; }));
  EXPECT_EQ(gathered.substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(gathered.substr(gathered.size() - 5), "phone");
}

TEST_F(SecureWebSocketTest, counts_a_handshake_that_is_no_tls) {
  EXPECT_EQ(ask("GET / HTTP/1.1\r\n\r\n").find("HTTP/1.1"), std::string::npos);
  EXPECT_TRUE(run_until([&] { return failures(HandshakeFailure::tls) == 1; }));
}

}  // namespace
}  // namespace trunkline::io
