#include "call/failure.hpp"
#include "call/observer.hpp"

#include "telemetry/admin_endpoint.hpp"
#include "telemetry/console_files.hpp"
#include <arpa/inet.h>
#include <condition_variable>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <regex>
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
          .api = {}};
}

AdminAnswer get(const AdminPages& from, const std::string& target) {
  return answer(
      from,
      {.method = "GET", .target = target, .host = "", .authorization = {}, .if_none_match = {}});
}

std::string field(const AdminAnswer& answer, const std::string& name) {
  for (const auto& [known, value] : answer.fields) {
    if (known == name) return value;
  }
  return "";
}

TEST(AdminPage, MetricsArePrometheusText) {
  const AdminAnswer page = get(pages(), "/metrics?x=1");
  EXPECT_EQ(page.status, 200U);
  EXPECT_THAT(page.content_type, HasSubstr("version=0.0.4"));
  EXPECT_EQ(page.body, "trunkline_x 1\n");
}

TEST(AdminPage, ReadinessFollowsTheNode) {
  EXPECT_EQ(get(pages(), "/readyz").status, 200U);
  const AdminAnswer draining = get(pages("draining"), "/readyz");
  EXPECT_EQ(draining.status, 503U);
  EXPECT_EQ(draining.body, "draining\n");
}

TEST(AdminPage, HealthIsNotReadiness) {
  EXPECT_EQ(get(pages("draining"), "/healthz").status, 200U);
  EXPECT_EQ(get(pages("", false), "/healthz").status, 503U);
}

TEST(AdminPage, TheConsolesFilesHaveATagThatSparesThemTheSecondTime) {
  const AdminAnswer page = get(pages("starting"), "/");
  EXPECT_EQ(page.status, 200U);
  EXPECT_TRUE(page.page);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(page.body, StartsWith("<!doctype html>"));
  const std::string tag = field(page, "ETag");
  EXPECT_THAT(tag, testing::MatchesRegex("\"[0-9a-f]{16}\""));
  EXPECT_EQ(field(page, "Cache-Control"), "no-cache");
  for (const std::string& known : {tag, "W/\"old\", W/" + tag, std::string("*")}) {
    const AdminAnswer again = answer(
        pages(),
        {.method = "GET", .target = "/", .host = "", .authorization = {}, .if_none_match = known});
    EXPECT_EQ(again.status, 304U) << known;
    EXPECT_EQ(again.body, "");
    EXPECT_EQ(field(again, "ETag"), tag);
  }
  EXPECT_EQ(answer(pages(), {.method = "GET",
                             .target = "/",
                             .host = "",
                             .authorization = {},
                             .if_none_match = "\"other\""})
                .status,
            200U);
  EXPECT_EQ(get(pages(), "/main.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(get(pages(), "/console.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(get(pages(), "/icon.svg").content_type, "image/svg+xml");
}

TEST(AdminPage, EveryFileThatTheConsoleImportsIsServed) {
  const std::regex import("from '\\./([a-z]+\\.js)'");
  std::size_t found = 0;
  for (const ConsoleFile& file : console_files()) {
    const std::string content(file.content);
    for (std::sregex_iterator at(content.begin(), content.end(), import), end; at != end; ++at) {
      ++found;
      EXPECT_EQ(get(pages(), "/" + (*at)[1].str()).status, 200U) << (*at)[1];
    }
  }
  EXPECT_GT(found, 10U);
}

/// The console's words are in its script: a new name without words would be shown bare.
TEST(AdminPage, TheConsoleHasWordsForAllThatItTells) {
  const std::string words = get(pages(), "/words.js").body;
  for (const std::string_view cause : call::silence_causes())
    EXPECT_THAT(words, HasSubstr("  " + std::string(cause) + ": ["));
  for (int i = 0; i < static_cast<int>(call::EndReason::count_); ++i) {
    const auto label = end_reason_label(static_cast<call::EndReason>(i));
    EXPECT_THAT(words, HasSubstr("  " + std::string(label) + ": ["));
  }
  for (int i = 0; i < static_cast<int>(call::Fault::count_); ++i)
    EXPECT_THAT(words, HasSubstr(std::string(fault_label(static_cast<call::Fault>(i))) + ": "));
  for (int i = 0; i < static_cast<int>(call::Phase::count_); ++i)
    EXPECT_THAT(words, HasSubstr(std::string(phase_label(static_cast<call::Phase>(i))) + ": "));
}

TEST(AdminPage, AHostOfAnotherNameIsNotThisMachine) {
  for (const char* host : {"localhost", "LocalHost:9090", "127.0.0.1:9090", "127.0.0.1",
                           "[::1]:9090", "[::1]", "10.0.0.7:9090"})
    EXPECT_TRUE(names_this_machine(host)) << host;
  for (const char* host : {"", "evil.example", "evil.example:9090", "localhost.evil.example",
                           "127.0.0.1.evil.example:9090", "evil.example:127.0.0.1"})
    EXPECT_FALSE(names_this_machine(host)) << host;
}

TEST(AdminPage, OthersAreRefused) {
  EXPECT_EQ(get(pages(), "/metricsx").status, 404U);
  EXPECT_EQ(get(pages(), "").status, 404U);
  EXPECT_EQ(get(pages(), "/index.html").status, 404U);
  EXPECT_EQ(get(pages(), "/api/node").status, 404U) << "there is no API";
  AdminRequest post;
  post.method = "POST";
  post.target = "/metrics";
  EXPECT_EQ(answer(pages(), post).status, 405U);
  EXPECT_EQ(field(answer(pages(), post), "Allow"), "GET, HEAD");
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
    AdminPages served = pages();
    served.api = [this](const AdminRequest& request, AdminPages::Handler handler) {
      const std::lock_guard lock(mutex_);
      asked_ = request;
      handler_ = std::move(handler);
      arrived_.notify_all();
    };
    auto started =
        AdminEndpoint::start(*SocketAddress::parse("127.0.0.1:0"), std::move(served), limits);
    ASSERT_TRUE(started);
    endpoint_ = std::move(*started);
  }
  std::string exchange(const std::string& request) {
    Client client(endpoint_->listening());
    client.send(request);
    return client.receive();
  }
  /// The request that /api has got, and the way to answer it.
  std::pair<AdminRequest, AdminPages::Handler> asked() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return handler_ != nullptr; });
    return {asked_, std::exchange(handler_, nullptr)};
  }
  std::unique_ptr<AdminEndpoint> endpoint_;

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  AdminRequest asked_;
  AdminPages::Handler handler_;
};

TEST_F(AdminServer, AnswersTheApiWhenItIsTold) {
  start();
  Client client(endpoint_->listening());
  client.send(
      "GET /api/calls?state=live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n");
  const auto [request, handler] = asked();
  EXPECT_EQ(request.target, "/api/calls?state=live");
  EXPECT_EQ(request.host, "localhost");
  EXPECT_EQ(request.authorization, "Bearer x");
  Client other(endpoint_->listening());
  other.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(other.receive("ok\n"), HasSubstr("200 OK")) << "others don't wait for it";
  handler({401, "application/json", "{}", {{"WWW-Authenticate", "Bearer"}}});
  EXPECT_THAT(client.receive("{}"),
              AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("WWW-Authenticate: Bearer\r\n"),
                    HasSubstr("Cache-Control: no-store\r\n"),
                    HasSubstr("Content-Security-Policy: default-src 'none'"),
                    HasSubstr("X-Content-Type-Options: nosniff")));
  client.send("GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.receive(), HasSubstr("ready\n"));
}

TEST_F(AdminServer, AnApiThatSaysNothingIsNotWaitedForForever) {
  start({.connections = 64, .header_octets = 8192, .timeout = milliseconds{50}});
  Client client(endpoint_->listening());
  client.send("GET /api/node HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto [request, handler] = asked();
  EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 504"));
  handler({200, "text/plain", "late"});
}

TEST_F(AdminServer, AnAnswerAfterItsEndIsNobodys) {
  start();
  Client client(endpoint_->listening());
  client.send("GET /api/node HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto [request, handler] = asked();
  endpoint_.reset();
  handler({200, "text/plain", "late"});
  EXPECT_EQ(client.receive(), "");
}

TEST_F(AdminServer, TheConsoleMayRunItsOwnScriptsAlone) {
  start();
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              AllOf(HasSubstr("Content-Security-Policy: default-src 'none'; script-src 'self';"),
                    HasSubstr("require-trusted-types-for 'script'"), HasSubstr("ETag: \""),
                    HasSubstr("Cache-Control: no-cache\r\n"), Not(HasSubstr("unsafe"))));
  const std::string tag = field(get(pages(), "/"), "ETag");
  EXPECT_THAT(
      exchange("GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: " + tag +
               "\r\nConnection: close\r\n\r\n"),
      AllOf(StartsWith("HTTP/1.1 304"), Not(HasSubstr("Content-Length")), Not(HasSubstr("<"))));
}

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
