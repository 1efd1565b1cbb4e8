#include "io/native_address.hpp"
#include "io/sip_stream.hpp"
#include "io/tls_reloader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "unit/io/certificate.hpp"
#include "unit/io/websocket_fixture.hpp"
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>

namespace trunkline::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

const std::string kOptions =
    "OPTIONS sip:gw@example.test SIP/2.0\r\nVia: SIP/2.0/TLS "
    "127.0.0.1;branch=z9hG4bKa\r\nContent-Length: 0\r\n\r\n";

constexpr sip::PeerId kCarrier{1};

class TlsTest : public Loopback {
 public:
  /// A server of these files, and a client for which the trunk of `peer` is there.
  void begin(const TlsFiles& files, TlsPeerSettings peer) {
    peer.id = kCarrier;
    peer.name = "carrier";
    ASSERT_TRUE(client_tls.begin({peer}));
    server.emplace(context, StreamSettings{}, sip::ParserLimits{}, flows, input, counters, tls);
    const auto bound = server->listen({sip::Transport::tls, loopback(), {}, files});
    ASSERT_TRUE(bound) << bound.error().message;
    local = *bound;
    server->start();
    client.emplace(context, StreamSettings{}, sip::ParserLimits{}, flows, client_input,
                   client_counters, client_tls);
  }
  /// The same, with a client that knows the certificate as authority.
  void begin(const Certificate& certificate, const std::string& host) {
    begin(certificate.settings(),
          {.host = host, .files = {.authorities = certificate.settings().certificate}});
  }
  void send(sip::PeerId peer = kCarrier) {
    client->send({{sip::Transport::tls, local, {}, peer}, kOptions, {1}});
  }
  bool arrives() {
    return run_until([&] { return !input.messages.empty() || !client_input.failures.empty(); }) &&
           !input.messages.empty();
  }
  double failures(const TlsContexts& of, const std::string& series) {
    Values values;
    of.collect(values);
    return values.of[series];
  }
  /// Metric values by name and label values.
  struct Values final : MetricSink {
    void counter(std::string_view name, std::string_view, MetricLabels labels,
                 double value) override {
      std::string series(name);
      for (const auto& label : labels)
        series.append(" ").append(label.second);
      of[series] = value;
    }
    void gauge(std::string_view name, std::string_view help, MetricLabels labels,
               double value) override {
      counter(name, help, labels, value);
    }
    void histogram(std::string_view, std::string_view, MetricLabels,
                   const HistogramCell&) override {}
    std::map<std::string, double> of;
  };

  TlsContexts client_tls;
  std::optional<SipStream> server, client;
  SocketAddress local;
  RecordingInput client_input;
  Counters client_counters;
};

TEST_F(TlsTest, carries_messages_both_ways_on_one_connection) {
  const Certificate certificate("DNS:gw.example.test");
  begin(certificate, "gw.example.test");
  send();
  ASSERT_TRUE(arrives());
  EXPECT_EQ(input.messages[0].bytes, kOptions);
  EXPECT_EQ(input.messages[0].source.transport, sip::Transport::tls);
  EXPECT_FALSE(input.messages[0].source.peer) << "a client without a certificate proves nothing";
  server->send({input.messages[0].source, kOptions, {}});
  ASSERT_TRUE(run_until([&] { return !client_input.messages.empty(); }));
  EXPECT_EQ(client_input.messages[0].source.peer, kCarrier) << "the server has proved its name";
}

// RFC 5922 §7.3: another name is refused [tls-name]
TEST_F(TlsTest, refuses_a_peer_with_another_name) {
  const Certificate certificate("DNS:evil.example.test");
  begin(certificate, "gw.example.test");
  send();
  EXPECT_FALSE(arrives());
  EXPECT_EQ(client_input.reasons, std::vector{sip::Unsent::tls});
  EXPECT_EQ(client_counters.connect_failures.get(), 1);
  EXPECT_EQ(failures(client_tls, "trunkline_trunk_tls_failures_total carrier name"), 1);
}

// RFC 5922 §7.3: an unknown authority is refused [tls-name]
TEST_F(TlsTest, refuses_a_certificate_that_nobody_vouches_for) {
  const Certificate certificate("DNS:gw.example.test"), other("DNS:gw.example.test");
  begin(certificate.settings(),
        {.host = "gw.example.test", .files = {.authorities = other.settings().certificate}});
  send();
  EXPECT_FALSE(arrives());
  EXPECT_EQ(client_input.reasons, std::vector{sip::Unsent::tls});
  EXPECT_EQ(failures(client_tls, "trunkline_trunk_tls_failures_total carrier untrusted"), 1);
}

// RFC 5922 §7.4: a trunk's own authority counts for that trunk alone [tls-client-certificate]
TEST_F(TlsTest, knows_the_authority_of_one_trunk_for_that_trunk_only) {
  const Certificate certificate("DNS:gw.example.test,IP:127.0.0.1");
  begin(certificate, "gw.example.test");
  send(sip::PeerId{7});
  EXPECT_FALSE(arrives());
  send();
  client_input.failures.clear();
  EXPECT_TRUE(arrives());
}

TEST_F(TlsTest, trusts_the_authorities_of_the_system_where_the_trunk_has_none) {
  const Certificate certificate("DNS:gw.example.test");
  certificate.trust();
  begin(certificate.settings(), {.host = "gw.example.test"});
  send();
  EXPECT_TRUE(arrives());
}

TEST_F(TlsTest, asks_for_the_address_where_no_trunk_is_known) {
  const Certificate certificate("IP:127.0.0.1");
  certificate.trust();
  begin(certificate.settings(), {.host = "gw.example.test"});
  send(sip::PeerId{});
  EXPECT_TRUE(arrives());
}

TEST_F(TlsTest, takes_the_trunk_that_was_located_at_an_address_for_whom_is_there) {
  const Certificate certificate("DNS:gw.example.test");
  begin(certificate, "gw.example.test");
  client_tls.located(kCarrier, {local.ip});
  send(sip::PeerId{});
  EXPECT_TRUE(arrives());
}

// RFC 5922 §7.4: it shows its certificate to a server that asks [tls-client-certificate]
TEST_F(TlsTest, shows_its_certificate_and_is_known_by_it) {
  const Certificate certificate("DNS:gw.example.test"), ours("DNS:sbc.example.test");
  TlsFiles files = ours.settings();
  files.authorities = certificate.settings().certificate;
  ASSERT_TRUE(tls.begin({{.id = sip::PeerId{5}, .name = "sbc", .subject = "sbc.example.test"}}));
  begin(certificate.asking(ours), {.host = "gw.example.test", .files = files});
  send();
  ASSERT_TRUE(arrives());
  EXPECT_EQ(input.messages[0].source.peer, sip::PeerId{5});
}

TEST_F(TlsTest, a_client_without_the_certificate_that_is_asked_for_is_told_why) {
  const Certificate certificate("DNS:gw.example.test"), ours("DNS:sbc.example.test");
  begin(certificate.asking(ours),
        {.host = "gw.example.test", .files = {.authorities = certificate.settings().certificate}});
  send();
  EXPECT_FALSE(arrives());
  EXPECT_EQ(client_input.reasons, std::vector{sip::Unsent::tls});
  EXPECT_EQ(failures(client_tls, "trunkline_trunk_tls_failures_total carrier refused"), 1);
  EXPECT_EQ(failures(tls, "trunkline_sip_tls_failures_total untrusted"), 1);
}

TEST_F(TlsTest, two_trunks_at_one_address_have_a_connection_each) {
  const Certificate certificate("DNS:gw.example.test");
  const TlsFiles files{.authorities = certificate.settings().certificate};
  begin(certificate, "gw.example.test");
  TlsContexts both;
  ASSERT_TRUE(both.begin({{.id = {1}, .name = "one", .host = "gw.example.test", .files = files},
                          {.id = {2}, .name = "two", .host = "gw.example.test", .files = files}}));
  client.emplace(context, StreamSettings{}, sip::ParserLimits{}, flows, client_input,
                 client_counters, both);
  for (const std::uint64_t peer : {1, 2, 1})
    send({peer});
  ASSERT_TRUE(run_until([&] { return input.messages.size() == 3; }));
  EXPECT_EQ(counters.connections_total[sip::Transport::tls].get(), 2);
}

// Other trunks in the configuration: a connection is used for whom it was made for.
TEST_F(TlsTest, trunks_that_are_replaced_keep_what_they_began_with) {
  const Certificate certificate("DNS:gw.example.test");
  const TlsFiles files{.authorities = certificate.settings().certificate};
  begin(certificate, "gw.example.test");
  send();
  ASSERT_TRUE(arrives());
  const auto replace = [&](std::vector<TlsPeerSettings> peers) {
    auto prepared = TlsContexts::prepare(peers);
    ASSERT_TRUE(prepared) << prepared.error().message;
    client_tls.replace(std::move(*prepared));
  };
  const TlsPeerSettings as_before{
      .id = kCarrier, .name = "carrier", .host = "gw.example.test", .files = files};
  replace({as_before, {.id = {7}, .name = "other", .host = "else.example.test", .files = files}});
  send();
  ASSERT_TRUE(run_until([&] { return input.messages.size() == 2; }));
  EXPECT_EQ(counters.connections_total[sip::Transport::tls].get(), 1);
  send({7});
  ASSERT_TRUE(run_until([&] { return !client_input.failures.empty(); }))
      << "it proves another name";
  EXPECT_EQ(failures(client_tls, "trunkline_trunk_tls_failures_total other name"), 1);
  replace({{.id = {8}, .name = "carrier", .host = "gw.example.test", .files = files}});
  send({8});
  ASSERT_TRUE(run_until([&] { return input.messages.size() == 3; }));
  EXPECT_EQ(counters.connections_total[sip::Transport::tls].get(), 2) << "by its new settings";
  send();
  ASSERT_TRUE(run_until([&] { return input.messages.size() == 4; })) << "in a dialog from before";
  EXPECT_EQ(counters.connections_total[sip::Transport::tls].get(), 2);
  EXPECT_EQ(TlsContexts::prepare({{.id = {9}, .files = {.authorities = "/nowhere"}}}).has_value(),
            false);
}

TEST_F(TlsTest, drops_a_peer_that_speaks_no_tls) {
  const Certificate certificate("DNS:gw.example.test");
  begin(certificate, "gw.example.test");
  PeerSocket peer = PeerSocket::tcp_to(local);
  peer.send(kOptions);
  EXPECT_TRUE(run_until([&] {
    peer.gather();
    return peer.closed();
  }));
  EXPECT_TRUE(input.messages.empty());
  EXPECT_TRUE(input.closures.empty());
  EXPECT_EQ(failures(tls, "trunkline_sip_tls_failures_total protocol"), 1);
}

TEST_F(TlsTest, says_which_file_is_missing) {
  const auto added =
      tls.add_listener("tls 127.0.0.1:5061", {"/nonexistent/certificate.pem", "key"});
  ASSERT_FALSE(added);
  EXPECT_NE(added.error().message.find("/nonexistent/certificate.pem"), std::string::npos);
}

// RFC 5922 §7.4: a new certificate is used, and what is connected stays [tls-reload]
TEST_F(TlsTest, uses_a_new_certificate_for_new_connections_and_keeps_the_others) {
  const Certificate certificate("DNS:old.example.test"), fresh("DNS:new.example.test");
  std::deque<std::function<void()>> told;
  std::mutex mutex;
  begin(certificate, "old.example.test");
  TlsReloader reloader(tls.take_watched(), seconds{3600}, [&](auto slot, auto found, auto made) {
    const std::scoped_lock lock(mutex);
    told.push_back([this, slot, found, made] { tls.changed(slot, found, made); });
  });
  const auto take = [&] {
    return run_until([&] {
      reloader.look_now();
      const std::scoped_lock lock(mutex);
      if (told.empty()) return false;
      told.front()();
      told.pop_front();
      return true;
    });
  };
  send();
  ASSERT_TRUE(arrives());
  std::filesystem::remove(certificate.settings().key);
  ASSERT_TRUE(take());
  EXPECT_EQ(failures(tls, "trunkline_certificate_reloads_total tls 127.0.0.1:0 refused"), 1);
  fresh.replace(certificate);
  ASSERT_TRUE(take());
  while (failures(tls, "trunkline_certificate_reloads_total tls 127.0.0.1:0 loaded") < 1)
    ASSERT_TRUE(take()) << "between the two files there may have been a look";
  send();
  ASSERT_TRUE(run_until([&] { return input.messages.size() == 2; })) << "on the same connection";
  TlsContexts others;
  ASSERT_TRUE(others.begin({{.id = kCarrier,
                             .host = "new.example.test",
                             .files = {.authorities = fresh.settings().certificate}}}));
  SipStream other(context, StreamSettings{}, sip::ParserLimits{}, flows, client_input,
                  client_counters, others);
  other.send({{sip::Transport::tls, local, {}, kCarrier}, kOptions, {2}});
  EXPECT_TRUE(run_until([&] { return input.messages.size() == 3; }));
  EXPECT_TRUE(client_input.failures.empty());
}

struct Proof {
  std::string names, common_name, host;
  bool wildcards, proves;
};

// RFC 5922 §7.1, §7.2: what a certificate proves [tls-name]
TEST(TlsIdentityTest, is_an_alternative_name_in_its_entirety) {
  const Proof all[] = {
      {"DNS:gw.example.test", "", "gw.example.test", false, true},
      {"DNS:gw.example.test", "", "GW.Example.TEST", false, true},
      {"DNS:gw.example.test", "", "example.test", false, false},
      {"DNS:example.test", "", "gw.example.test", false, false},
      {"URI:sip:example.test", "", "example.test", false, true},
      {"URI:sip:gw@example.test", "", "example.test", false, false},
      {"URI:sips:example.test", "", "example.test", false, false},
      {"URI:https://example.test", "", "example.test", false, false},
      {"DNS:a.test,URI:sip:b.test", "", "a.test", false, true},
      {"DNS:a.test,URI:sip:b.test", "", "b.test", false, true},
      {"IP:192.0.2.1", "", "192.0.2.1", false, true},
      {"IP:192.0.2.1", "", "192.0.2.2", false, false},
      {"IP:2001:db8::1", "", "[2001:db8::1]", false, true},
      {"DNS:192.0.2.1", "", "192.0.2.1", false, false},
      {"DNS:*.example.test", "", "gw.example.test", false, false},
      {"DNS:*.example.test", "", "gw.example.test", true, true},
      {"DNS:*.example.test", "", "a.gw.example.test", true, false},
      {"", "gw.example.test", "gw.example.test", false, true},
      {"DNS:other.test", "gw.example.test", "gw.example.test", false, false},
      {"IP:192.0.2.1", "gw.example.test", "gw.example.test", false, false},
  };
  for (const Proof& one : all) {
    const Certificate certificate(one.names, one.common_name.empty() ? "x" : one.common_name);
    EXPECT_EQ(proves(certificate.x509(), one.host, one.wildcards), one.proves)
        << one.names << " " << one.common_name << " for " << one.host;
  }
}

class SecureWebSocketTest : public WebSocketTest {
 public:
  void SetUp() override {
    websocket.emplace(context, WebSocketSettings{},
                      std::vector<WebFile>{{"/", "text/html", "phone"}}, flows, input, counters,
                      tls);
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
