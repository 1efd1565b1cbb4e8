#include "call_control/policy.hpp"

#include <grpcpp/grpcpp.h>

#include "call_control/policy_answer.hpp"
#include "trunkline/v1/call_policy_service.grpc.pb.h"
#include "trunkline/v1/status.pb.h"
#include "unit/call_control/details.hpp"
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::call_control {
namespace {

using testing::ElementsAre;

/// The user's service: answers as the test says.
class FakeService final : public v1::CallPolicyService::Service {
 public:
  std::function<grpc::Status(grpc::ServerContext&, const v1::RouteCallRequest&,
                             v1::RouteCallResponse&)>
      route;
  grpc::Status RouteCall(grpc::ServerContext* context, const v1::RouteCallRequest* request,
                         v1::RouteCallResponse* response) override {
    return route(*context, *request, *response);
  }
  grpc::Status AuthenticateUser(grpc::ServerContext*, const v1::AuthenticateUserRequest* request,
                                v1::AuthenticateUserResponse* response) override {
    if (request->user() != "alice") return {grpc::StatusCode::NOT_FOUND, ""};
    response->set_ha1("0123456789abcdef0123456789abcdef");
    return grpc::Status::OK;
  }
};

class PolicyTest : public testing::Test {
 protected:
  void start(Duration timeout = seconds{30}, std::size_t pending = 10) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    server = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
    connect(address, timeout, pending);
  }
  void connect(std::string endpoint, Duration timeout, std::size_t pending = 10) {
    PolicySettings settings;
    settings.endpoint = std::move(endpoint);
    settings.timeout = timeout;
    settings.pending = pending;
    auto made = make_policy(settings);
    ASSERT_TRUE(made);
    policy = std::move(*made);
  }
  std::future<call::PolicyAnswer> ask(call::PolicyQuestion question) {
    auto answer = std::make_shared<std::promise<call::PolicyAnswer>>();
    policy->ask(std::move(question),
                [answer](call::PolicyAnswer given) { answer->set_value(std::move(given)); });
    return answer->get_future();
  }
  call::RouteQuestion question() {
    return {"c1", "+4930999", "100", "trunk:carrier", {{"X-Account", "42"}}};
  }
  std::string failure(const call::PolicyAnswer& answer) {
    const auto* failed = std::get_if<call::PolicyFailed>(&answer);
    return failed == nullptr ? "" : failed->why;
  }

  FakeService service;
  std::string address;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<call::Policy> policy;
};

TEST_F(PolicyTest, a_question_is_answered) {
  service.route = [](grpc::ServerContext&, const v1::RouteCallRequest& request,
                     v1::RouteCallResponse& response) {
    EXPECT_EQ(request.call_id(), "c1");
    EXPECT_EQ(request.source(), "trunk:carrier");
    EXPECT_EQ(request.headers(0).value(), "42");
    response.mutable_route()->add_targets("user:" + request.to());
    return grpc::Status::OK;
  };
  start();
  const call::PolicyAnswer answer = ask(question()).get();
  EXPECT_THAT(std::get<call::RouteTargets>(answer).targets, ElementsAre("user:100"));
}

TEST_F(PolicyTest, users_are_authenticated) {
  start();
  EXPECT_EQ(
      std::get<call::Ha1>(ask(call::AuthenticationQuestion{"alice", "example.test", ""}).get()).ha1,
      "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(std::get<call::PolicyRejection>(
                ask(call::AuthenticationQuestion{"bob", "example.test", ""}).get())
                .sip_code,
            404);
}

TEST_F(PolicyTest, nobody_there_is_no_answer) {
  connect("127.0.0.1:1", milliseconds{200});
  EXPECT_EQ(failure(ask(question()).get()), "unavailable");
}

TEST_F(PolicyTest, a_service_that_comes_up_meanwhile_is_waited_for) {
  service.route = [](grpc::ServerContext&, const v1::RouteCallRequest&,
                     v1::RouteCallResponse& response) {
    response.mutable_park();
    return grpc::Status::OK;
  };
  start();
  const std::string endpoint = address;
  server->Shutdown();
  server.reset();
  connect(endpoint, seconds{60});
  auto early = ask(question());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(endpoint, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  server = builder.BuildAndStart();
  ASSERT_TRUE(server);
  EXPECT_TRUE(std::holds_alternative<call::Park>(early.get()));
}

TEST_F(PolicyTest, an_answer_that_comes_too_late_is_none) {
  service.route = [](grpc::ServerContext& context, const v1::RouteCallRequest&,
                     v1::RouteCallResponse&) {
    while (!context.IsCancelled())
      std::this_thread::yield();
    return grpc::Status::OK;
  };
  start(milliseconds{200});
  // Of a fast machine and a slow one: the service never answers, so only the time can end it.
  EXPECT_EQ(failure(ask(question()).get()), "timeout");
}

TEST_F(PolicyTest, an_answer_that_means_nothing_is_none) {
  service.route = [](grpc::ServerContext&, const v1::RouteCallRequest&, v1::RouteCallResponse&) {
    return grpc::Status::OK;
  };
  start();
  EXPECT_EQ(failure(ask(question()).get()), "invalid");
}

TEST_F(PolicyTest, too_many_questions_fail_at_once) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  service.route = [released](grpc::ServerContext&, const v1::RouteCallRequest&,
                             v1::RouteCallResponse& response) {
    released.wait();
    response.mutable_park();
    return grpc::Status::OK;
  };
  start(seconds{60}, 1);
  auto first = ask(question());
  EXPECT_EQ(failure(ask(question()).get()), "unavailable");
  release.set_value();
  EXPECT_TRUE(std::holds_alternative<call::Park>(first.get()));
}

TEST(PolicyStatusTest, statuses_refuse_with_the_code_of_the_table) {
  for (const auto& [code, sip] : {std::pair{grpc::StatusCode::INVALID_ARGUMENT, 484},
                                  {grpc::StatusCode::UNAUTHENTICATED, 403},
                                  {grpc::StatusCode::PERMISSION_DENIED, 403},
                                  {grpc::StatusCode::NOT_FOUND, 404},
                                  {grpc::StatusCode::ALREADY_EXISTS, 482},
                                  {grpc::StatusCode::FAILED_PRECONDITION, 480},
                                  {grpc::StatusCode::ABORTED, 480},
                                  {grpc::StatusCode::RESOURCE_EXHAUSTED, 503},
                                  {grpc::StatusCode::CANCELLED, 487},
                                  {grpc::StatusCode::UNIMPLEMENTED, 501}}) {
    const call::PolicyAnswer answer = read_policy_status({code, "no"});
    ASSERT_TRUE(std::holds_alternative<call::PolicyRejection>(answer)) << code;
    EXPECT_EQ(std::get<call::PolicyRejection>(answer).sip_code, sip);
  }
}

TEST(PolicyStatusTest, a_service_that_can_not_answer_has_not_answered) {
  for (const auto& [code, why] : {std::pair{grpc::StatusCode::UNAVAILABLE, "unavailable"},
                                  {grpc::StatusCode::DEADLINE_EXCEEDED, "timeout"},
                                  {grpc::StatusCode::INTERNAL, "error"},
                                  {grpc::StatusCode::UNKNOWN, "error"},
                                  {grpc::StatusCode::DATA_LOSS, "error"}}) {
    const call::PolicyAnswer answer = read_policy_status({code, ""});
    ASSERT_TRUE(std::holds_alternative<call::PolicyFailed>(answer));
    EXPECT_EQ(std::get<call::PolicyFailed>(answer).why, why);
    EXPECT_EQ(std::get<call::PolicyFailed>(answer).sip_code, why == std::string("error") ? 500 : 0);
  }
}

template <class Detail>
grpc::Status detailed(grpc::StatusCode code, const Detail& detail) {
  google::rpc::Status status;
  status.set_code(code);
  status.add_details()->PackFrom(detail);
  return {code, "", status.SerializeAsString()};
}

TEST(PolicyStatusTest, an_invalid_argument_is_the_number_unless_other_fields_are_named) {
  const auto with = [](std::initializer_list<std::string> fields) {
    google::rpc::BadRequest bad;
    for (const std::string& field : fields)
      bad.add_field_violations()->set_field(field);
    return std::get<call::PolicyRejection>(
               read_policy_status(detailed(grpc::StatusCode::INVALID_ARGUMENT, bad)))
        .sip_code;
  };
  EXPECT_EQ(with({}), 484);
  EXPECT_EQ(with({"headers", "to"}), 484);
  EXPECT_EQ(with({"headers"}), 400);
}

TEST(PolicyStatusTest, a_retry_info_says_when_to_come_back) {
  const auto with = [](std::int64_t seconds, std::int32_t nanos) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(seconds);
    retry.mutable_retry_delay()->set_nanos(nanos);
    return std::get<call::PolicyRejection>(
               read_policy_status(detailed(grpc::StatusCode::RESOURCE_EXHAUSTED, retry)))
        .retry_after;
  };
  EXPECT_EQ(with(17, 0), 17u);
  EXPECT_EQ(with(0, 1), 1u);
  EXPECT_EQ(with(std::int64_t{1} << 60, 5), 86400u);
  EXPECT_EQ(with(-1, 0), std::nullopt);
  EXPECT_EQ(std::get<call::PolicyRejection>(
                read_policy_status({grpc::StatusCode::RESOURCE_EXHAUSTED, ""}))
                .retry_after,
            std::nullopt);
}

TEST(PolicyStatusTest, a_sip_status_in_the_details_overrides) {
  const auto with = [](int code) {
    v1::SipStatus sip;
    sip.set_code(code);
    sip.set_reason_phrase("Gone away");
    google::rpc::Status status;
    status.set_code(5);
    status.add_details()->PackFrom(sip);
    return read_policy_status({grpc::StatusCode::NOT_FOUND, "", status.SerializeAsString()});
  };
  const call::PolicyAnswer answer = with(410);
  EXPECT_EQ(std::get<call::PolicyRejection>(answer).sip_code, 410);
  EXPECT_EQ(std::get<call::PolicyRejection>(answer).reason, "Gone away");
  EXPECT_TRUE(std::holds_alternative<call::PolicyFailed>(with(200)));
}

}  // namespace
}  // namespace trunkline::call_control
