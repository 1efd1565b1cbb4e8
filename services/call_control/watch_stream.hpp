#pragma once
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "call_control/desk.hpp"
#include "call_control/event_feed.hpp"
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace trunkline::call_control {

/// One Watch RPC: a beginning, then the events of a feed. Each is written when gRPC has taken the
/// one before, and what is there together leaves together.
class WatchStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                          public FeedReader,
                          public std::enable_shared_from_this<WatchStream> {
 public:
  /// `prepare` is called if the client begins anew, and sees to it that `begin` is.
  using Prepare = std::function<void(std::shared_ptr<WatchStream>)>;
  /// Serves the RPC. The stream owns itself until gRPC is done with it.
  static grpc::ServerWriteReactor<grpc::ByteBuffer>* serve(std::shared_ptr<Desk> desk,
                                                           grpc::CallbackServerContext* context,
                                                           std::string_view method, EventFeed& feed,
                                                           const std::string& resume_token,
                                                           const Prepare& prepare);
  WatchStream(std::shared_ptr<Desk> desk, grpc::CallbackServerContext* context, EventFeed& feed);

  /// Any thread, once.
  void begin(Beginning beginning);
  void end(const Rejection& rejection);

  void wake() override;
  void idle(const Bytes& bookmark) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void start(std::string_view method, const std::string& resume_token, const Prepare& prepare);
  void pump();
  void wait();
  void begin_turn();
  void end_turn();
  void write(const Bytes& message, bool numbered);
  void finish(const Rejection& rejection);
  bool check();
  std::string token() const;
  Rejection too_slow() const;

  const std::shared_ptr<Desk> desk_;
  grpc::CallbackServerContext* const context_;
  EventFeed& feed_;
  std::shared_ptr<WatchStream> self_;
  bool counted_ = false;
  RpcCounters::Started started_;
  int code_ = 0;  ///< that it ended with

  mutable std::mutex mutex_;
  grpc::ByteBuffer current_;
  std::deque<Bytes> queue_;         ///< what is written next
  std::size_t beginning_left_ = 0;  ///< so many of them are of the beginning
  Bytes number_;                    ///< goes with all of those but the last
  std::int64_t position_ = 0;       ///< of the event after those; 0: not begun
  std::int64_t allowed_lag_ = 0;
  bool served_ = false;  ///< the feed was read: the next time is in the next turn
  bool turn_ = false;    ///< whose end is awaited
  bool writing_ = false, ended_ = false, done_ = false;
  TimePoint reset_at_ = kNever;  ///< when a client that does not take its end is reset
};

}  // namespace trunkline::call_control
