#pragma once
#include "call/control.hpp"
#include "call/engine.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>

namespace trunkline::io {

/// Requests of the API on their way from any thread to the signalling thread, and their replies on
/// the way back. Every handler is called exactly once, whatever happens to the node.
class ControlQueue final : public call::Control {
 public:
  /// `wake` makes the signalling thread call `take` soon; any thread. `max_pending`: requests
  /// without a reply; one more is refused at once.
  ControlQueue(std::function<void()> wake, std::size_t max_pending)
      : wake_(std::move(wake)), max_pending_(max_pending) {}

  void submit(call::Request request, ReplyHandler handler) override;

  // ------------------------------------------------ signalling thread
  using Execute = std::function<void(call::RequestId, call::Request)>;
  /// Hands over what has come.
  void take(const Execute& execute);
  void reply(call::ControlReply reply);
  /// No reply will come any more: all that wait, and all that still come, are told.
  void stop();

 private:
  struct Waiting {
    call::Request request;
    ReplyHandler handler;
  };
  std::function<void()> wake_;
  std::size_t max_pending_;
  std::mutex mutex_;
  std::deque<Waiting> arrived_;
  std::unordered_map<call::RequestId, ReplyHandler> pending_;
  IdSequence<call::RequestId> ids_;
  bool stopped_ = false;
};

}  // namespace trunkline::io
