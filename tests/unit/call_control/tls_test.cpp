#include <grpcpp/grpcpp.h>

#include "call_control/server.hpp"
#include "support/certificates.hpp"
#include "trunkline/v1/call_service.grpc.pb.h"
#include "unit/call_control/fake_control.hpp"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace trunkline::call_control {
namespace {

std::string content(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

class TlsTest : public testing::Test {
 protected:
  TlsTest() {
    certificates.issue("server", "DNS:localhost,IP:127.0.0.1");
    certificates.issue("billing", "DNS:billing.example.test");
    certificates.issue("stranger", "DNS:stranger.example.test");
    certificates.issue("unnamed", "");
    settings.bind = *SocketAddress::parse("127.0.0.1:0");
    settings.tls = TlsFiles{certificates.path("server.pem"), certificates.path("server.key"), {}};
  }
  void start() {
    auto started = Server::start(settings, control);
    ASSERT_TRUE(started) << started.error().message;
    server = std::move(*started);
  }
  /// The outcome of ListCalls with this certificate (empty: none) and this header (null: none).
  grpc::StatusCode list(const std::string& certificate, const char* authorization = nullptr) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = content(certificates.path("ca.pem"));
    if (!certificate.empty()) {
      options.pem_cert_chain = content(certificates.path(certificate + ".pem"));
      options.pem_private_key = content(certificates.path(certificate + ".key"));
    }
    const auto stub = v1::CallService::NewStub(
        grpc::CreateChannel(server->listening().text(), grpc::SslCredentials(options)));
    grpc::ClientContext context;
    if (authorization != nullptr) context.AddMetadata("authorization", authorization);
    v1::ListCallsResponse page;
    return stub->ListCalls(&context, {}, &page).error_code();
  }

  Certificates certificates;
  Settings settings;
  FakeControl control;
  std::unique_ptr<Server> server;
};

TEST_F(TlsTest, a_certificate_of_the_ca_is_known_by_its_names) {
  settings.tls->authorities = certificates.path("ca.pem");
  settings.clients = {{"billing.example.test", {Role::read}}, {"unnamed", {Role::read}}};
  start();
  EXPECT_EQ(list("billing"), grpc::StatusCode::OK);
  EXPECT_EQ(list("unnamed"), grpc::StatusCode::OK);
  EXPECT_EQ(list("stranger"), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(list(""), grpc::StatusCode::UNAVAILABLE) << "no handshake without a certificate";
}

TEST_F(TlsTest, a_certificate_of_another_ca_gets_no_connection) {
  Certificates others;
  settings.tls->authorities = others.path("ca.pem");
  start();
  EXPECT_EQ(list("billing"), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, with_tokens_a_certificate_is_not_needed) {
  settings.tls->authorities = certificates.path("ca.pem");
  settings.tokens = {{"desk", "t0ken", {Role::read}}};
  start();
  EXPECT_EQ(list("", "Bearer t0ken"), grpc::StatusCode::OK);
  EXPECT_EQ(list(""), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(list("billing"), grpc::StatusCode::OK);
}

// RFC 5922 §7.4: a new certificate is used without a new start, a useless one is not [tls-reload]
TEST_F(TlsTest, changed_files_are_used_from_the_next_connection_on) {
  start();
  EXPECT_EQ(list(""), grpc::StatusCode::OK);
  const auto copy = [&](const std::string& from, const std::string& to) {
    std::filesystem::copy_file(certificates.path(from), certificates.path(to),
                               std::filesystem::copy_options::overwrite_existing);
  };
  copy("billing.key", "server.key");
  EXPECT_EQ(list(""), grpc::StatusCode::OK) << "the key of another: the pair before stays";
  copy("billing.pem", "server.pem");
  EXPECT_EQ(list(""), grpc::StatusCode::UNAVAILABLE) << "billing is not the server's name";
}

TEST_F(TlsTest, files_that_do_not_fit_are_told_at_the_start) {
  settings.tls->key = certificates.path("billing.key");
  const auto refused = Server::start(settings, control);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("billing.key"), std::string::npos);
  settings.tls->key = certificates.path("nowhere.key");
  EXPECT_FALSE(Server::start(settings, control));
  settings.tls->key = certificates.path("server.key");
  settings.tls->authorities = certificates.path("server.key");
  EXPECT_FALSE(Server::start(settings, control));
}

}  // namespace
}  // namespace trunkline::call_control
