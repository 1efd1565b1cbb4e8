#include "base/log.hpp"
#include "base/utf8.hpp"

#include <grpcpp/grpcpp.h>

#include "call_control/callback_queue.hpp"
#include "call_control/policy.hpp"
#include "call_control/policy_answer.hpp"
#include "call_control/requests.hpp"
#include "call_control/tls_credentials.hpp"
#include "trunkline/v1/call_policy_service.grpc.pb.h"
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace trunkline::call_control {
namespace {

/// A service that comes back is found again while a question waits for it: within a part of what
/// it may take, but not in a hurry.
constexpr int kReconnectShare = 3;
constexpr int kLeastReconnectMilliseconds = 100;
constexpr int kMostReconnectMilliseconds = 2000;
/// For the connection itself, TLS included: a machine under load takes its time.
constexpr int kConnectMilliseconds = 10000;

int longest_back_off(Duration timeout) {
  const auto share = std::chrono::duration_cast<milliseconds>(timeout).count() / kReconnectShare;
  return static_cast<int>(
      std::clamp<std::int64_t>(share, kLeastReconnectMilliseconds, kMostReconnectMilliseconds));
}

template <class Request, class Response>
struct Exchange {
  grpc::ClientContext context;
  Request request;
  Response response;
  call::Policy::AnswerHandler handler;
};

v1::RouteCallRequest message_of(const call::RouteQuestion& question) {
  v1::RouteCallRequest out;
  out.set_call_id(to_utf8(question.call));
  out.set_from(to_utf8(question.from));
  out.set_to(to_utf8(question.to));
  out.set_source(to_utf8(question.source));
  for (const call::HeaderField& field : question.headers) {
    v1::Header& header = *out.add_headers();
    header.set_name(to_utf8(field.name));
    header.set_value(to_utf8(field.value));
  }
  return out;
}

v1::AuthenticateUserRequest message_of(const call::AuthenticationQuestion& question) {
  v1::AuthenticateUserRequest out;
  out.set_user(to_utf8(question.user));
  out.set_realm(to_utf8(question.realm));
  out.set_source(to_utf8(question.source));
  return out;
}

template <class Response>
call::PolicyAnswer answer_of(const grpc::Status& status, const Response& response) {
  if (!status.ok()) return read_policy_status(status);
  Violations wrong;
  call::PolicyAnswer answer = read(response, wrong);
  if (wrong.none()) return answer;
  const Violation& first = wrong.all().front();
  log::warn("the policy service's answer can't be used",
            {{"field", first.field}, {"error", first.description}});
  return call::PolicyFailed{"invalid"};
}

class PolicyClient final : public call::Policy {
 public:
  PolicyClient(PolicySettings settings,
               const std::shared_ptr<grpc::ChannelCredentials>& credentials)
      : settings_(std::move(settings)) {
    keep_callback_queue();
    grpc::ChannelArguments arguments;
    // Each channel keeps a connection of its own.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    // By this name gRPC means how long a connection attempt is given at least.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMilliseconds);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kLeastReconnectMilliseconds);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, longest_back_off(settings_.timeout));
    for (std::size_t i = 0; i < std::max<std::size_t>(1, settings_.connections); ++i) {
      const auto channel = grpc::CreateCustomChannel(settings_.endpoint, credentials, arguments);
      channel->GetState(true);
      stubs_.push_back(v1::CallPolicyService::NewStub(channel));
      channels_.push_back(channel);
    }
  }

  ~PolicyClient() override {
    std::unique_lock lock(mutex_);
    none_left_.wait(lock, [this] { return pending_ == 0; });
  }

  void ask(call::PolicyQuestion question, AnswerHandler handler) override {
    if (!enter()) return handler(call::PolicyFailed{"unavailable"});
    if (const auto* route = std::get_if<call::RouteQuestion>(&question)) {
      send<v1::RouteCallRequest, v1::RouteCallResponse>(
          message_of(*route), std::move(handler), [](auto* stub, auto& exchange, auto done) {
            stub->RouteCall(&exchange.context, &exchange.request, &exchange.response,
                            std::move(done));
          });
    } else {
      send<v1::AuthenticateUserRequest, v1::AuthenticateUserResponse>(
          message_of(std::get<call::AuthenticationQuestion>(question)), std::move(handler),
          [](auto* stub, auto& exchange, auto done) {
            stub->AuthenticateUser(&exchange.context, &exchange.request, &exchange.response,
                                   std::move(done));
          });
    }
  }

 private:
  bool enter() {
    const std::lock_guard lock(mutex_);
    if (pending_ >= settings_.pending) return false;
    ++pending_;
    return true;
  }

  template <class Request, class Response, class Call>
  void send(Request request, AnswerHandler&& handler, Call&& call) {
    auto exchange = std::make_shared<Exchange<Request, Response>>();
    exchange->request = std::move(request);
    exchange->handler = std::move(handler);
    exchange->context.set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::system_clock::duration>(settings_.timeout));
    // A service that is just coming up is waited for, as long as one that is slow.
    exchange->context.set_wait_for_ready(true);
    const std::size_t next = next_.fetch_add(1, std::memory_order_relaxed) % stubs_.size();
    call(stubs_[next]->async(), *exchange, [this, exchange, next](const grpc::Status& status) {
      const bool absent = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
                          channels_[next]->GetState(false) != GRPC_CHANNEL_READY;
      exchange->handler(absent ? call::PolicyFailed{"unavailable"}
                               : answer_of(status, exchange->response));
      const std::lock_guard lock(mutex_);
      if (--pending_ == 0) none_left_.notify_all();
    });
  }

  const PolicySettings settings_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<v1::CallPolicyService::Stub>> stubs_;  ///< one of each channel
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::condition_variable none_left_;
  std::size_t pending_ = 0;
};

}  // namespace

Result<std::unique_ptr<call::Policy>> make_policy(const PolicySettings& settings) {
  auto credentials = channel_credentials(settings.tls);
  if (!credentials) return fail(credentials.error());
  return std::make_unique<PolicyClient>(settings, *credentials);
}

}  // namespace trunkline::call_control
