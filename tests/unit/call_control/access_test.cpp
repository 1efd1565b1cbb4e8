#include "call_control/access.hpp"

#include "trunkline/v1/call_service.pb.h"
#include "trunkline/v1/node_service.pb.h"
#include "trunkline/v1/registration_service.pb.h"
#include "trunkline/v1/routing_service.pb.h"
#include "trunkline/v1/trunk_service.pb.h"
#include "unit/call_control/details.hpp"
#include <gtest/gtest.h>

namespace trunkline::call_control {
namespace {

using call::GrpcCode;

Settings loopback() {
  Settings settings;
  settings.bind = *SocketAddress::parse("127.0.0.1:50051");
  return settings;
}

Settings open_to_all() {
  Settings settings;
  settings.bind = *SocketAddress::parse("0.0.0.0:50051");
  settings.tls = TlsFiles{"cert.pem", "key.pem", ""};
  return settings;
}

Access make(const Settings& settings) {
  auto access = Access::make(settings);
  EXPECT_TRUE(access) << access.error().message;
  return *access;
}

int code_of(const std::optional<Rejection>& refused) {
  return refused ? refused->status.code() : 0;
}

Credentials with_token(std::string_view header) {
  Credentials shown;
  shown.authorization = header;
  return shown;
}

Credentials with_certificate(std::vector<std::string_view> names) {
  Credentials shown;
  shown.certificate = true;
  shown.names = std::move(names);
  return shown;
}

TEST(AccessTest, each_method_of_the_gateway_has_a_role) {
  for (const google::protobuf::FileDescriptor* file :
       {v1::CreateCallRequest::descriptor()->file(), v1::GetNodeRequest::descriptor()->file(),
        v1::CreateCredentialRequest::descriptor()->file(),
        v1::DescribeStatusRequest::descriptor()->file(),
        v1::GetTrunkRequest::descriptor()->file()}) {
    ASSERT_EQ(file->service_count(), 1);
    const auto* service = file->service(0);
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string name = service->name() + "." + service->method(i)->name();
      EXPECT_TRUE(required_role(name)) << name;
    }
  }
  EXPECT_FALSE(required_role("CallService.Nothing"));
}

TEST(AccessTest, loopback_is_open_unless_authentication_is_configured) {
  EXPECT_FALSE(make(loopback()).refuse("NodeService.Drain", {}));
  Settings settings = loopback();
  settings.tokens = {{"desk", "t0ken", {Role::read}}};
  EXPECT_EQ(code_of(make(settings).refuse("CallService.GetCall", {})),
            static_cast<int>(GrpcCode::unauthenticated));
}

TEST(AccessTest, any_other_address_needs_tls_and_clients_that_are_known) {
  Settings settings = open_to_all();
  EXPECT_FALSE(Access::make(settings));
  settings.tls.reset();
  settings.tokens = {{"desk", "t0ken", {Role::read}}};
  const auto refused = Access::make(settings);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("0.0.0.0:50051"), std::string::npos);
  settings = open_to_all();
  settings.tokens = {{"desk", "t0ken", {Role::read}}};
  EXPECT_TRUE(Access::make(settings));
  settings = open_to_all();
  settings.tls->authorities = "ca.pem";
  EXPECT_TRUE(Access::make(settings));
}

TEST(AccessTest, an_empty_token_and_clients_without_a_ca_are_refused) {
  Settings settings = loopback();
  settings.tokens = {{"desk", "", {Role::read}}};
  EXPECT_FALSE(Access::make(settings));
  settings = loopback();
  settings.clients = {{"a.example.test", {Role::read}}};
  EXPECT_FALSE(Access::make(settings));
}

TEST(AccessTest, a_token_gives_its_roles_and_no_others) {
  Settings settings = open_to_all();
  settings.tokens = {{"desk", "t0ken", {Role::read, Role::call}}, {"ops", "0ps", {Role::admin}}};
  const Access access = make(settings);
  EXPECT_FALSE(access.refuse("CallService.GetCall", with_token("Bearer t0ken")));
  EXPECT_FALSE(access.refuse("CallService.CreateCall", with_token("bearer t0ken")));
  const auto forbidden = access.refuse("NodeService.Drain", with_token("Bearer t0ken"));
  EXPECT_EQ(code_of(forbidden), static_cast<int>(GrpcCode::permission_denied));
  EXPECT_EQ(reason_of(forbidden->status), "API_ROLE_MISSING");
  EXPECT_FALSE(access.refuse("NodeService.Drain", with_token("Bearer 0ps")));
  EXPECT_TRUE(access.refuse("CallService.GetCall", with_token("Bearer 0ps")));
  for (const char* wrong : {"Bearer t0keN", "Bearer t0ken ", "Bearer t0", "Bearer", "Bearer ",
                            "t0ken", "Basic t0ken", ""}) {
    EXPECT_EQ(code_of(access.refuse("CallService.GetCall", with_token(wrong))),
              static_cast<int>(GrpcCode::unauthenticated))
        << wrong;
  }
}

TEST(AccessTest, a_certificate_gives_the_roles_of_its_name) {
  Settings settings = open_to_all();
  settings.tls->authorities = "ca.pem";
  settings.clients = {{"billing.example.test", {Role::read}}};
  const Access access = make(settings);
  const Credentials billing = with_certificate({"other.test", "Billing.example.test"});
  EXPECT_FALSE(access.refuse("CallService.ListCalls", billing));
  EXPECT_EQ(code_of(access.refuse("CallService.CreateCall", billing)),
            static_cast<int>(GrpcCode::permission_denied));
  EXPECT_EQ(code_of(access.refuse("CallService.ListCalls", with_certificate({"evil.test"}))),
            static_cast<int>(GrpcCode::permission_denied));
  EXPECT_EQ(code_of(access.refuse("CallService.ListCalls", {})),
            static_cast<int>(GrpcCode::unauthenticated));
}

TEST(AccessTest, without_a_list_of_clients_each_certificate_of_the_ca_may_do_all) {
  Settings settings = open_to_all();
  settings.tls->authorities = "ca.pem";
  EXPECT_FALSE(make(settings).refuse("NodeService.Drain", with_certificate({"any.test"})));
}

TEST(AccessTest, a_wrong_token_is_not_saved_by_a_certificate) {
  Settings settings = open_to_all();
  settings.tls->authorities = "ca.pem";
  settings.tokens = {{"desk", "t0ken", {Role::read}}};
  const Access access = make(settings);
  Credentials both = with_certificate({"any.test"});
  EXPECT_FALSE(access.refuse("CallService.GetCall", both));
  both.authorization = "Bearer wrong";
  EXPECT_EQ(code_of(access.refuse("CallService.GetCall", both)),
            static_cast<int>(GrpcCode::unauthenticated));
}

}  // namespace
}  // namespace trunkline::call_control
