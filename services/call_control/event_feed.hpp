#pragma once
#include "base/result.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trunkline::call_control {

/// A serialized message of a stream, shared by all who get it.
using Bytes = std::shared_ptr<const std::string>;

/// Someone who reads a feed and sleeps while there is nothing. What wakes it begins its turn, whose
/// end it tells.
class FeedReader {
 public:
  virtual ~FeedReader() = default;
  /// There may be more now. Any thread.
  virtual void wake() = 0;
  /// There has been nothing for a while: this may be sent instead. Any thread.
  virtual void idle(const Bytes& bookmark) = 0;
};

/// Events in the order in which they happened, numbered 1, 2, 3 …, kept once for any number of
/// readers; each has only a position. What is kept is bounded: the oldest goes first. One thread
/// appends; any may read.
class EventFeed {
 public:
  struct Limits {
    std::size_t events, bytes;
    std::size_t lag;  ///< less than `events`, so that who is cut off has time to come back
  };
  /// `kind` and `epoch` go into the tokens: those of another feed or another run are told apart.
  EventFeed(char kind, std::uint64_t epoch, Limits limits);

  /// Number of the next event.
  std::int64_t next_sequence() const;
  std::int64_t last_sequence() const { return next_sequence() - 1; }
  void append(Bytes event);
  /// Somebody begins to read. Before, nobody has a token with which to come back for what has been:
  /// an event need not be made, only counted by `skip`.
  void begin();
  bool begun() const;
  void skip();
  /// From now on nobody can resume from before: events were lost on the way here.
  void truncate();

  /// Where to continue after this event.
  std::string token(std::int64_t sequence) const;
  enum class TokenFault { malformed, truncated };
  /// The event to continue with.
  Result<std::int64_t, TokenFault> resume(std::string_view token) const;

  enum class Progress { read, nothing, lagging };
  /// How far behind a reader that begins here may be: who comes back after a while starts further
  /// back than others may fall.
  std::int64_t allowed_lag(std::int64_t position) const;
  /// Up to `most` events from `position` on, which it moves. `lagging`: the reader is too far
  /// behind and must be cut off.
  Progress read(std::int64_t& position, std::int64_t allowed_lag, std::size_t most,
                std::deque<Bytes>& out) const;
  /// As `read` would say of this position.
  bool lagging(std::int64_t position, std::int64_t allowed_lag) const;

  /// The reader waits for an event at `position`. False: there is one already, and somebody must
  /// look for whom to wake.
  bool wait(const std::shared_ptr<FeedReader>& reader, std::int64_t position);
  void forget(const FeedReader* reader);
  bool has_waiting() const;
  /// Those whose event is there; they no longer wait.
  std::vector<std::shared_ptr<FeedReader>> take_ready();
  /// All who wait, who no longer do.
  std::vector<std::shared_ptr<FeedReader>> take_waiting();

 private:
  template <class Choose>
  std::vector<std::shared_ptr<FeedReader>> take(Choose&& choose);
  bool lagging_locked(std::int64_t position, std::int64_t allowed_lag) const;
  std::int64_t next_locked() const { return first_ + static_cast<std::int64_t>(events_.size()); }

  const char kind_;
  const std::uint64_t epoch_;
  const Limits limits_;
  mutable std::mutex mutex_;
  bool begun_ = false;
  std::int64_t first_ = 1;  ///< number of the oldest event that is kept
  std::deque<Bytes> events_;
  std::size_t bytes_ = 0;
  struct Waiting {
    std::shared_ptr<FeedReader> reader;
    std::int64_t position;
  };
  std::unordered_map<const FeedReader*, Waiting> waiting_;
};

}  // namespace trunkline::call_control
