#pragma once
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/message.hpp"
#include "sip/transaction.hpp"

#include <optional>

namespace trunkline::sip {

/// The server side of any request but INVITE and ACK (RFC 3261 §17.2.2, as changed by RFC 4320).
/// Owns no socket, clock or thread. All calls from one thread.
class NonInviteServerTransaction {
 public:
  enum class State { trying, proceeding, completed, terminated };

  /// `trying` is the 100 to send if there is no answer for long; `reply` is where responses go.
  NonInviteServerTransaction(Message trying, const Target& reply, TransactionTimers timers,
                             TimePoint now);

  /// A copy of the request.
  void receive(TimePoint now, TransactionEffects& out);
  /// One final response. Provisional responses but a late 100, and 408, are not sent (RFC 4320 §4).
  void respond(const Message& response, TimePoint now, TransactionEffects& out);
  /// The flow that responses need is gone.
  void abandon(TransactionEffects& out);
  void on_deadline(TimePoint now, TransactionEffects& out);
  TimePoint deadline() const { return std::min(trying_at_, expires_at_); }

  State state() const { return state_; }

 private:
  void respond_provisionally(const Message& response, TimePoint now, TransactionEffects& out);
  void complete(TimePoint now, TransactionEffects& out);
  void terminate(TransactionEffects& out);

  Message trying_;
  Target reply_;
  TransactionTimers timers_;
  Method method_;
  State state_ = State::trying;
  std::optional<Transmit> last_;
  TimePoint trying_allowed_at_;    ///< when the client's Timer E has come to T2
  TimePoint trying_at_;            ///< 100 Trying
  TimePoint expires_at_ = kNever;  ///< the client's Timer F, then Timer J
};

}  // namespace trunkline::sip
