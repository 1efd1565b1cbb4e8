#pragma once
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/message.hpp"
#include "sip/transaction.hpp"

namespace trunkline::sip {

/// The client side of any request but INVITE and ACK (RFC 3261 §17.1.2). Owns no socket, clock or
/// thread. All calls from one thread.
class NonInviteClientTransaction {
 public:
  enum class State { trying, proceeding, completed, terminated };

  /// `request` is complete, Via included. It is sent at once.
  NonInviteClientTransaction(const Message& request, const Target& target, TransactionTimers timers,
                             TimePoint now, TransactionEffects& out);

  /// A response that matches this transaction.
  void receive(const Message& response, TimePoint now, TransactionEffects& out);
  /// Whether nobody has had the request yet.
  bool may_move() const { return state_ == State::trying; }
  /// Sends it as this, by an unreliable path (RFC 3261 §18.1.1). Timer F goes on.
  void move(const Message& request, const Target& target, TimePoint now, TransactionEffects& out);
  /// The request can't be sent or its flow is gone. Without effect once a final response is there.
  void fail(RequestFailed::Cause cause, TransactionEffects& out);
  void on_deadline(TimePoint now, TransactionEffects& out);
  TimePoint deadline() const { return std::min(retransmit_at_, expires_at_); }

  State state() const { return state_; }

 private:
  void give_up(RequestFailed::Cause cause, TransactionEffects& out);
  void terminate(TransactionEffects& out);

  Transmit request_;
  TransactionTimers timers_;
  State state_ = State::trying;
  milliseconds interval_;             ///< Timer E, doubles up to T2
  TimePoint retransmit_at_ = kNever;  ///< Timer E
  TimePoint expires_at_ = kNever;     ///< Timers F, K
};

}  // namespace trunkline::sip
