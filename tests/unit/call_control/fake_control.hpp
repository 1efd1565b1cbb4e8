#pragma once
#include "call/control.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace trunkline::call_control {

/// A gateway that a test plays: it sees each request, and replies when and what the test wants.
class FakeControl final : public call::Control {
 public:
  void submit(call::Request request, ReplyHandler handler) override {
    std::unique_lock lock(mutex_);
    if (answer_) {
      if (std::optional<call::Reply> reply = answer_(request)) {
        lock.unlock();
        return handler(std::move(*reply));
      }
    }
    waiting_.push_back({std::move(request), std::move(handler)});
    arrived_.notify_all();
  }

  /// Replies at once where the function has something to say.
  void answer(std::function<std::optional<call::Reply>(const call::Request&)> function) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(function);
  }

  /// The next request that waits for its reply.
  struct Waiting {
    call::Request request;
    ReplyHandler handler;
  };
  Waiting next() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !waiting_.empty(); });
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
  }
  template <class Wanted>
  std::pair<Wanted, ReplyHandler> next_of() {
    Waiting waiting = next();
    return {std::get<Wanted>(waiting.request), std::move(waiting.handler)};
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::function<std::optional<call::Reply>(const call::Request&)> answer_;
  std::deque<Waiting> waiting_;
};

}  // namespace trunkline::call_control
