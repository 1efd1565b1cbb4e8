#include "io/control_queue.hpp"

namespace trunkline::io {
namespace {

call::Refusal unavailable(std::string reason, std::string message) {
  call::Refusal refusal;
  refusal.kind = call::Refusal::Kind::unavailable;
  refusal.reason = std::move(reason);
  refusal.message = std::move(message);
  refusal.retry_after = 1;
  return refusal;
}

}  // namespace

void ControlQueue::submit(call::Request request, ReplyHandler handler) {
  {
    std::unique_lock lock(mutex_);
    const bool full = arrived_.size() + pending_.size() >= max_pending_;
    if (stopped_ || full) {
      lock.unlock();
      return handler(stopped_ ? unavailable("NODE_STOPPED", "the node is stopping")
                              : unavailable("NODE_OVERLOADED", "too many requests wait"));
    }
    arrived_.push_back({std::move(request), std::move(handler)});
  }
  wake_();
}

void ControlQueue::take(const Execute& execute) {
  while (true) {
    call::Request request;
    call::RequestId id;
    {
      const std::scoped_lock lock(mutex_);
      if (arrived_.empty()) return;
      id = ids_.next();
      request = std::move(arrived_.front().request);
      pending_.emplace(id, std::move(arrived_.front().handler));
      arrived_.pop_front();
    }
    execute(id, std::move(request));
  }
}

void ControlQueue::reply(call::ControlReply reply) {
  ReplyHandler handler;
  {
    const std::scoped_lock lock(mutex_);
    auto waiting = pending_.extract(reply.request);
    if (waiting.empty()) return;
    handler = std::move(waiting.mapped());
  }
  handler(std::move(reply.reply));
}

void ControlQueue::stop() {
  std::deque<Waiting> arrived;
  std::unordered_map<call::RequestId, ReplyHandler> pending;
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    arrived.swap(arrived_);
    pending.swap(pending_);
  }
  for (const auto& [id, handler] : pending)
    handler(unavailable("NODE_STOPPED", "the node stopped"));
  for (const Waiting& waiting : arrived)
    waiting.handler(unavailable("NODE_STOPPED", "the node stopped"));
}

}  // namespace trunkline::io
