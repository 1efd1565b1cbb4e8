#include "call_control/watch_stream.hpp"

#include <grpcpp/support/slice.h>

#include <array>
#include <utility>

namespace trunkline::call_control {
namespace {

/// Events of one turn.
constexpr std::size_t kBatch = 64;

/// The text without a copy: the slice keeps it alive.
grpc::Slice slice(const Bytes& bytes) {
  auto* keep = new Bytes(bytes);
  return {const_cast<char*>(bytes->data()), bytes->size(),
          [](void* kept) { delete static_cast<Bytes*>(kept); }, keep};
}

Rejection token_refused(EventFeed::TokenFault fault) {
  switch (fault) {
    case EventFeed::TokenFault::malformed:
      return reject({{"resume_token", "is none of this method's"}});
    case EventFeed::TokenFault::truncated:
      break;
  }
  return reject(
      call::GrpcCode::out_of_range, "EVENTS_TRUNCATED",
      "the events after the resume_token are not there any more: begin again without one");
}

}  // namespace

WatchStream::WatchStream(std::shared_ptr<Desk> desk, grpc::CallbackServerContext* context,
                         EventFeed& feed)
    : desk_(std::move(desk)), context_(context), feed_(feed) {}

grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchStream::serve(
    std::shared_ptr<Desk> desk, grpc::CallbackServerContext* context, std::string_view method,
    EventFeed& feed, const std::string& resume_token, const Prepare& prepare) {
  auto stream = std::make_shared<WatchStream>(std::move(desk), context, feed);
  stream->self_ = stream;
  stream->start(method, resume_token, prepare);
  return stream.get();
}

void WatchStream::start(std::string_view method, const std::string& resume_token,
                        const Prepare& prepare) {
  started_ = desk_->rpcs.stream_started(method);
  if (const auto refused = desk_->refuse(*context_, method)) return end(*refused);
  counted_ = desk_->subscriptions.enter();
  if (!counted_) {
    return end(reject(call::GrpcCode::resource_exhausted, "TOO_MANY_SUBSCRIPTIONS",
                      "too many streams are open", {}, 10));
  }
  desk_->journal.watch_over([self = shared_from_this()] { return self->check(); });
  if (resume_token.empty()) return prepare(shared_from_this());
  const auto position = feed_.resume(resume_token);
  if (!position) return end(token_refused(position.error()));
  Beginning beginning;
  beginning.position = *position;
  begin(std::move(beginning));
}

void WatchStream::begin(Beginning beginning) {
  const std::lock_guard lock(mutex_);
  number_ = std::move(beginning.number);
  queue_.assign(std::make_move_iterator(beginning.snapshot.begin()),
                std::make_move_iterator(beginning.snapshot.end()));
  if (beginning.end) queue_.push_back(std::move(beginning.end));
  beginning_left_ = queue_.size();
  position_ = beginning.position;
  allowed_lag_ = feed_.allowed_lag(position_);
  // What there is to say may be long in coming: the client shall know that it is heard. And headers
  // that went with a message for the buffer would wait there with it.
  if (!ended_) StartSendInitialMetadata();
  pump();
}

void WatchStream::end(const Rejection& rejection) {
  const std::lock_guard lock(mutex_);
  finish(rejection);
}

void WatchStream::pump() {
  while (!writing_ && !ended_) {
    if (!queue_.empty()) {
      const Bytes message = std::move(queue_.front());
      queue_.pop_front();
      const bool numbered = beginning_left_ > 1;
      if (beginning_left_ > 0) --beginning_left_;
      return write(message, numbered);
    }
    if (std::exchange(served_, false)) return wait();
    switch (feed_.read(position_, allowed_lag_, kBatch, queue_)) {
      case EventFeed::Progress::read:
        served_ = true;
        break;
      case EventFeed::Progress::lagging:
        return finish(too_slow());
      case EventFeed::Progress::nothing:
        return wait();
    }
  }
}

void WatchStream::wait() {
  end_turn();
  if (!feed_.wait(shared_from_this(), position_)) desk_->journal.sweep();
}

void WatchStream::begin_turn() {
  turn_ = true;
  if (ended_) return end_turn();
  pump();
}

void WatchStream::end_turn() {
  if (std::exchange(turn_, false)) desk_->journal.turn_over();
}

void WatchStream::write(const Bytes& message, bool numbered) {
  if (numbered) {
    const std::array parts{slice(number_), slice(message)};
    current_ = grpc::ByteBuffer(parts.data(), parts.size());
  } else {
    const grpc::Slice part = slice(message);
    current_ = grpc::ByteBuffer(&part, 1);
  }
  writing_ = true;
  // With the hint gRPC takes the message into its buffer, which is bounded, and is done with it:
  // what stands in the queue leaves in one piece. The last one goes without, or it would stay
  // there.
  grpc::WriteOptions options;
  if (!queue_.empty()) options.set_buffer_hint();
  StartWrite(&current_, options);
}

void WatchStream::finish(const Rejection& rejection) {
  if (ended_) return;
  ended_ = true;
  queue_.clear();
  reset_at_ = Clock::now() + desk_->settings.limits.cut_off_grace;
  feed_.forget(this);
  end_turn();
  const grpc::Status status = to_grpc(rejection.status);
  code_ = static_cast<int>(status.error_code());
  Finish(status);
}

void WatchStream::wake() {
  const std::lock_guard lock(mutex_);
  begin_turn();
}

void WatchStream::idle(const Bytes& bookmark) {
  const std::lock_guard lock(mutex_);
  // Anything that came since is better than a bookmark.
  if (queue_.empty() && !writing_ && !ended_ && feed_.next_sequence() == position_)
    queue_.push_back(bookmark);
  begin_turn();
}

void WatchStream::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  current_.Clear();
  if (ok) pump();
}

void WatchStream::OnCancel() {
  const std::lock_guard lock(mutex_);
  finish({});
}

void WatchStream::OnDone() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  started_.stream_over(code_);
  if (counted_) desk_->subscriptions.leave();
  const std::shared_ptr<WatchStream> last = std::move(self_);
}

bool WatchStream::check() {
  const std::lock_guard lock(mutex_);
  if (done_) return false;
  if (desk_->closing.load(std::memory_order_relaxed)) {
    finish(reject(call::GrpcCode::unavailable, "SHUTTING_DOWN", "the gateway stops",
                  {{"resume_token", token()}}, 1));
  } else if (position_ != 0 && feed_.lagging(position_, allowed_lag_)) {
    finish(too_slow());
  }
  if (ended_ && Clock::now() >= reset_at_) {
    reset_at_ = kNever;
    context_->TryCancel();
  }
  return true;
}

std::string WatchStream::token() const {
  // Who has not the whole beginning must begin again.
  if (position_ == 0 || beginning_left_ > 0) return {};
  return feed_.token(position_ - 1 - static_cast<std::int64_t>(queue_.size()));
}

Rejection WatchStream::too_slow() const {
  return reject(call::GrpcCode::resource_exhausted, "SLOW_CONSUMER",
                "events come faster than the client reads them", {{"resume_token", token()}}, 1);
}

}  // namespace trunkline::call_control
