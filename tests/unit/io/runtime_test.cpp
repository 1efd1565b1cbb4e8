#include "io/runtime.hpp"

#include "unit/io/loopback.hpp"
#include "unit/io/websocket_peer.hpp"
#include <gmock/gmock.h>
#include <poll.h>
#include <set>
#include <thread>

namespace trunkline::io {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct MetricNames final : MetricSink {
  void counter(std::string_view name, std::string_view, MetricLabels, double) override {
    names.emplace(name);
  }
  void gauge(std::string_view name, std::string_view, MetricLabels, double) override {
    names.emplace(name);
  }
  void histogram(std::string_view name, std::string_view, MetricLabels,
                 const HistogramCell&) override {
    names.emplace(name);
  }
  std::set<std::string> names;
};

RuntimeSettings settings() {
  RuntimeSettings chosen;
  chosen.io.sip = {{sip::Transport::udp, loopback(), {}, {}},
                   {sip::Transport::tcp, loopback(), {}, {}}};
  chosen.io.websocket = {{loopback(), {}}};
  chosen.io.media.bind = {loopback().ip};
  chosen.io.media.webrtc_port = 0;
  chosen.io.media.rtp_port_first = 9440;
  chosen.io.media.rtp_port_last = 9459;
  chosen.call.node = "test";
  chosen.call.domain = "example.test";
  chosen.call.users = {{"alice", "secret"}};
  return chosen;
}

class RuntimeTest : public ::testing::Test {
 public:
  void begin(RuntimeSettings chosen = settings()) {
    auto made = Runtime::make(std::move(chosen), {});
    ASSERT_TRUE(made) << made.error().message;
    runtime = std::move(*made);
    thread = std::thread([this] { runtime->run(); });
  }
  ~RuntimeTest() override {
    if (!thread.joinable()) return;
    runtime->stop();
    thread.join();
  }
  SocketAddress at(std::string_view transport) const {
    for (const std::string& text : runtime->listening()) {
      if (text.starts_with(std::string(transport) + " ")) {
        return SocketAddress::parse(text.substr(transport.size() + 1)).value_or(SocketAddress{});
      }
    }
    return {};
  }
  static std::string wait_datagram(const PeerSocket& peer) {
    pollfd wait{peer.fd(), POLLIN, 0};
    ::poll(&wait, 1, 60000);
    return peer.receive();
  }
  template <class Done>
  static bool gather_until(PeerSocket& peer, Done done) {
    const TimePoint end = Clock::now() + seconds{60};
    while (!done(peer.gather())) {
      if (peer.closed() || Clock::now() > end) return false;
      pollfd wait{peer.fd(), POLLIN, 0};
      ::poll(&wait, 1, 1000);
    }
    return true;
  }

  std::unique_ptr<Runtime> runtime;
  std::thread thread;
};

std::string request(std::string_view method, std::string_view via) {
  return std::string(method) + " sip:example.test SIP/2.0\r\nVia: SIP/2.0/" + std::string(via) +
         ";branch=z9hG4bKtest;rport\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.test>;tag=1\r\n"
         "To: <sip:alice@example.test>\r\nCall-ID: test\r\nCSeq: 1 " +
         std::string(method) +
         "\r\nContact: <sip:alice@x.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n";
}

TEST_F(RuntimeTest, answers_a_request_over_udp) {
  begin();
  const PeerSocket peer = PeerSocket::udp();
  peer.send_to(request("OPTIONS", "UDP " + peer.local().text()), at("udp"));
  EXPECT_THAT(wait_datagram(peer), StartsWith("SIP/2.0 "));
}

TEST_F(RuntimeTest, answers_a_request_over_tcp) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(at("tcp"));
  peer.send(request("OPTIONS", "TCP " + peer.local().text()));
  EXPECT_TRUE(gather_until(
      peer, [](const std::string& bytes) { return bytes.find("\r\n\r\n") != std::string::npos; }));
  EXPECT_THAT(peer.gathered(), StartsWith("SIP/2.0 "));
}

TEST_F(RuntimeTest, challenges_a_register_over_websocket) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(at("ws"));
  peer.send(upgrade_request());
  ASSERT_TRUE(gather_until(
      peer, [](const std::string& bytes) { return bytes.find("\r\n\r\n") != std::string::npos; }));
  EXPECT_THAT(peer.gathered(), StartsWith("HTTP/1.1 101"));
  peer.gathered().clear();
  peer.send(client_frame(Opcode::text, request("REGISTER", "WS x.invalid")));
  std::optional<ServerFrame> answer;
  ASSERT_TRUE(gather_until(peer, [&](const std::string&) {
    return (answer = take_frame(peer.gathered())).has_value();
  }));
  EXPECT_THAT(answer->payload, StartsWith("SIP/2.0 401"));
  EXPECT_THAT(answer->payload, HasSubstr("algorithm=MD5"));
}

TEST_F(RuntimeTest, names_the_port_that_is_taken) {
  begin();
  RuntimeSettings again = settings();
  again.io.media.rtp_port_first = 9460;
  again.io.media.rtp_port_last = 9469;
  again.io.sip = {{sip::Transport::udp, at("udp"), {}, {}}};
  const auto made = Runtime::make(std::move(again), {});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("can't bind " + at("udp").text() + "/udp"));
}

TEST_F(RuntimeTest, ends_at_once_when_drained_without_a_call) {
  begin();
  runtime->drain();
  thread.join();
  EXPECT_EQ(runtime->state(), NodeState::stopped);
  EXPECT_FALSE(runtime->healthy());
}

TEST_F(RuntimeTest, ends_when_stopped) {
  begin();
  runtime->stop();
  runtime->stop();
  thread.join();
  EXPECT_EQ(runtime->state(), NodeState::stopped);
}

TEST_F(RuntimeTest, tells_the_metrics_of_all_layers) {
  begin();
  MetricNames sink;
  runtime->metrics().collect(sink);
  for (const char* name :
       {"trunkline_ws_connections", "trunkline_ws_connections_total",
        "trunkline_ws_handshake_failures_total", "trunkline_ws_disconnects_total",
        "trunkline_worker_busy_seconds_total", "trunkline_node_state",
        "trunkline_start_time_seconds", "trunkline_media_ports_limit", "trunkline_media_sessions",
        "trunkline_sip_requests_total", "trunkline_calls_limit"}) {
    EXPECT_TRUE(sink.names.contains(name)) << name;
  }
}

TEST_F(RuntimeTest, is_healthy_while_it_runs) {
  begin();
  PeerSocket peer = PeerSocket::tcp_to(at("tcp"));
  peer.send("\r\n\r\n");
  ASSERT_TRUE(gather_until(peer, [](const std::string& bytes) { return bytes == "\r\n"; }));
  EXPECT_EQ(runtime->state(), NodeState::ready);
  EXPECT_TRUE(runtime->healthy());
}

}  // namespace
}  // namespace trunkline::io
