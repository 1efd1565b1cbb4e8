#pragma once
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "call_control/rpc_counters.hpp"
#include "call_control/status_details.hpp"
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace trunkline::call_control {

/// One unary RPC at a time, counted while it lives.
class RpcCount {
 public:
  explicit RpcCount(std::size_t most) : most_(most) {}
  bool enter() {
    if (now_.fetch_add(1, std::memory_order_relaxed) < most_) return true;
    leave();
    return false;
  }
  void leave() { now_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  const std::size_t most_;
  std::atomic<std::size_t> now_{0};
};

/// Lives until gRPC is done with the RPC.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  UnaryReactor(RpcCount* count, RpcCounters::Started started) : count_(count), started_(started) {}
  void on_cancel(std::function<void()> action) { on_cancel_ = std::move(action); }
  /// Once.
  void finish(const grpc::Status& status) {
    started_.over(static_cast<int>(status.error_code()));
    Finish(status);
  }
  void OnCancel() override {
    if (on_cancel_) on_cancel_();
  }
  void OnDone() override {
    if (count_ != nullptr) count_->leave();
    delete this;
  }

 private:
  RpcCount* count_;
  const RpcCounters::Started started_;
  std::function<void()> on_cancel_;
};

/// The answer to a unary RPC that comes later, from any thread, at most once: by then the client
/// may have gone, which is an answer too.
class PendingAnswer {
 public:
  PendingAnswer(grpc::CallbackServerContext& context, UnaryReactor& reactor)
      : context_(&context), reactor_(&reactor) {}

  /// Done already; whatever is still under way for it may stop.
  bool over() const { return over_.load(std::memory_order_acquire); }
  void finish(const Rejection& rejection);
  void finish(const grpc::Status& status);
  /// The client has cancelled, or its deadline has passed. True: nobody has answered before.
  bool cancel();
  /// Only before the answer.
  void add_initial_metadata(const std::string& key, const std::string& value);

 protected:
  /// True for the one who may answer now.
  bool claim() { return !over_.exchange(true, std::memory_order_acq_rel); }
  grpc::CallbackServerContext* context_;
  UnaryReactor* reactor_;

 private:
  std::atomic<bool> over_{false};
};

template <class Response>
class Answer final : public PendingAnswer {
 public:
  Answer(grpc::CallbackServerContext& context, UnaryReactor& reactor, Response& response)
      : PendingAnswer(context, reactor), response_(&response) {}

  /// OK; `fill` writes the response.
  template <class Fill>
  void finish_with(Fill&& fill) {
    if (!claim()) return;
    fill(*response_);
    reactor_->finish(grpc::Status::OK);
  }

 private:
  Response* response_;
};

}  // namespace trunkline::call_control
