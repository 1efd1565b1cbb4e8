#include "telemetry/admin_endpoint.hpp"
#include <arpa/inet.h>
#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace trunkline::telemetry {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

AdminPages pages(std::string reason = "", bool healthy = true) {
  return {.metrics = [] { return "trunkline_x 1\n"; },
          .healthy = [healthy] { return healthy; },
          .not_ready = [reason] { return reason; },
          .node = "edge<1>",
          .version = "1.2.3"};
}

TEST(AdminPage, MetricsArePrometheusText) {
  const AdminAnswer page = answer(pages(), "GET", "/metrics?x=1");
  EXPECT_EQ(page.status, 200U);
  EXPECT_THAT(page.content_type, HasSubstr("version=0.0.4"));
  EXPECT_EQ(page.body, "trunkline_x 1\n");
}

TEST(AdminPage, ReadinessFollowsTheNode) {
  EXPECT_EQ(answer(pages(), "GET", "/readyz").status, 200U);
  const AdminAnswer draining = answer(pages("draining"), "GET", "/readyz");
  EXPECT_EQ(draining.status, 503U);
  EXPECT_EQ(draining.body, "draining\n");
}

TEST(AdminPage, HealthIsNotReadiness) {
  EXPECT_EQ(answer(pages("draining"), "GET", "/healthz").status, 200U);
  EXPECT_EQ(answer(pages("", false), "GET", "/healthz").status, 503U);
}

TEST(AdminPage, IndexIsEscapedHtml) {
  EXPECT_THAT(answer(pages("starting"), "GET", "/").body,
              AllOf(HasSubstr("edge&lt;1&gt;"), HasSubstr("starting"), Not(HasSubstr("edge<1>"))));
}

TEST(AdminPage, OthersAreRefused) {
  EXPECT_EQ(answer(pages(), "GET", "/metricsx").status, 404U);
  EXPECT_EQ(answer(pages(), "GET", "").status, 404U);
  const AdminAnswer post = answer(pages(), "POST", "/metrics");
  EXPECT_EQ(post.status, 405U);
  EXPECT_TRUE(post.allow);
}

/// A raw client: what it sends is its own.
class Client {
 public:
  explicit Client(const SocketAddress& to) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{60, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void send(const std::string& text) {
    EXPECT_GE(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL), 0);
  }
  /// Everything until the server closes, or until `end` has come.
  std::string receive(const std::string& end = "") {
    std::string all;
    char buffer[4096];
    while (end.empty() || all.find(end) == std::string::npos) {
      const ssize_t got = recv(socket_, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      all.append(buffer, static_cast<std::size_t>(got));
    }
    return all;
  }

 private:
  int socket_;
  bool connected_ = false;
};

class AdminServer : public testing::Test {
 protected:
  void start(AdminLimits limits = {}) {
    auto started = AdminEndpoint::start(*SocketAddress::parse("127.0.0.1:0"), pages(), limits);
    ASSERT_TRUE(started);
    endpoint_ = std::move(*started);
  }
  std::string exchange(const std::string& request) {
    Client client(endpoint_->listening());
    client.send(request);
    return client.receive();
  }
  std::unique_ptr<AdminEndpoint> endpoint_;
};

TEST_F(AdminServer, ServesPagesAndClosesWhenAsked) {
  start();
  EXPECT_THAT(exchange("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Length: 14\r\n"),
                    HasSubstr("trunkline_x 1")));
}

TEST_F(AdminServer, KeepsTheConnection) {
  start();
  Client client(endpoint_->listening());
  client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.receive("ok\n"), HasSubstr("200 OK"));
  client.send("GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.receive(), HasSubstr("ready\n"));
}

TEST_F(AdminServer, AnswersHeadWithoutABody) {
  start();
  EXPECT_THAT(exchange("HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              AllOf(HasSubstr("Content-Length: 14\r\n"), Not(HasSubstr("trunkline_x"))));
}

TEST_F(AdminServer, TellsAllowedMethods) {
  start();
  EXPECT_THAT(exchange("DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              AllOf(HasSubstr("405"), HasSubstr("Allow: GET, HEAD")));
}

TEST_F(AdminServer, RefusesWhatIsNotHttp) {
  start();
  EXPECT_THAT(exchange("\x16\x03\x01 hello\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(AdminServer, RefusesLongHeadersAndBodies) {
  start();
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
}

TEST_F(AdminServer, ClosesConnectionsThatSayNothing) {
  start({.connections = 64, .header_octets = 8192, .timeout = milliseconds{50}});
  Client client(endpoint_->listening());
  EXPECT_EQ(client.receive(), "");
}

TEST_F(AdminServer, ClosesConnectionsBeyondTheLimit) {
  start({.connections = 1, .header_octets = 8192, .timeout = seconds{60}});
  Client first(endpoint_->listening());
  first.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(first.receive("ok\n"), HasSubstr("200 OK"));
  Client second(endpoint_->listening());
  EXPECT_EQ(second.receive(), "");
}

TEST_F(AdminServer, EndsWithConnectionsOpen) {
  start();
  Client client(endpoint_->listening());
  client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  client.receive("ok\n");
  endpoint_.reset();
  EXPECT_EQ(client.receive(), "");
}

TEST_F(AdminServer, ASecondOneOnTheSamePortSaysWhy) {
  start();
  const auto second = AdminEndpoint::start(endpoint_->listening(), pages());
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message,
              AllOf(HasSubstr("can't bind 127.0.0.1:"), HasSubstr("in use")));
}

}  // namespace
}  // namespace trunkline::telemetry
