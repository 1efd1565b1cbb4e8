#pragma once
#include "base/time.hpp"
#include "sip/message.hpp"

#include <cstdint>
#include <optional>

namespace trunkline::sip {

/// The smallest session interval that we accept, in seconds (RFC 4028 §5: never below 90).
inline constexpr std::uint32_t kMinimumSessionInterval = 90;

/// The session timer of one leg (RFC 4028): who refreshes, when, and when the session counts as
/// dead. Sans I/O.
class SessionTimer {
 public:
  enum class Due { nothing, refresh, expired };

  /// What we as UAS make of an INVITE or UPDATE (§9).
  struct Agreement {
    bool too_small = false;              ///< answer 422 with Min-SE: 90
    std::uint32_t interval_seconds = 0;  ///< 0: no timer
    bool we_refresh = false;
    bool peer_supports = false;  ///< put `Require: timer` in the 2xx when the peer refreshes
  };
  /// `wanted_seconds`: an interval that we want when the peer supports timers and asks for none; 0:
  /// none. Raised to the request's Min-SE (§9).
  static Agreement agree(const Message& request, std::uint32_t wanted_seconds);

  /// What the 2xx to a request of ours settles (§7.2): nothing without Session-Expires.
  static Agreement settled(const Message& response);

  /// Begins or restarts at a 2xx to INVITE or UPDATE, sent or received.
  void start(const Agreement& agreement, TimePoint now);
  void stop() {
    interval_ = seconds{0};
    refresh_at_ = expires_at_ = kNever;
  }
  /// The interval from now on anew: the peer has shown by other means that it lives.
  void restart(TimePoint now);
  /// The refresh could not be made or was refused for now: again at `at`.
  void postpone(TimePoint at) { refresh_at_ = at; }
  bool running() const { return interval_ != seconds{0}; }
  bool we_refresh() const { return we_refresh_; }
  std::uint32_t interval_seconds() const { return static_cast<std::uint32_t>(interval_.count()); }

  TimePoint deadline() const { return std::min(refresh_at_, expires_at_); }
  /// `refresh`: send UPDATE or re-INVITE now (half the interval). `expired`: send BYE (§10: at the
  /// interval less the smaller of 32 s and a third of it, when the peer did not refresh; at the
  /// interval when our refresh got no 2xx).
  Due on_deadline(TimePoint now);

 private:
  seconds interval_{0};
  bool we_refresh_ = false;
  TimePoint refresh_at_ = kNever, expires_at_ = kNever;
};

}  // namespace trunkline::sip
