#pragma once
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/message.hpp"
#include "sip/transaction.hpp"

#include <optional>
#include <string>
#include <vector>

namespace trunkline::sip {

/// The client side of one INVITE (RFC 3261 §17.1.1, with the Accepted state of RFC 6026 §7.2) and
/// of its CANCEL's timing (§9.1). Owns no socket, clock or thread. All calls from one thread.
class InviteClientTransaction {
 public:
  enum class State { calling, proceeding, completed, accepted, terminated };

  /// `request` is complete, Via included. It is sent at once.
  InviteClientTransaction(Message request, const Target& target, TransactionTimers timers,
                          TimePoint now, TransactionEffects& out);

  /// A response that matches this transaction.
  void receive(const Message& response, TimePoint now, TransactionEffects& out);
  /// The ACK to a 2xx, complete, Via included. Sent now and for each copy of the 2xx with its To
  /// tag.
  void acknowledge(const Message& ack, const Target& target, TransactionEffects& out);
  /// Copies of the 2xx with this ACK's To tag get this one instead, by another path.
  void acknowledge_copies(const Message& ack, const Target& target);
  /// Whether nobody has had the request yet, and it is still to be sent.
  bool may_move() const { return state_ == State::calling && cancel_ == Cancel::none; }
  /// Sends it as this, by an unreliable path (RFC 3261 §18.1.1). Timer B goes on.
  void move(const Message& request, const Target& target, TimePoint now, TransactionEffects& out);
  /// The user gives up: `CancelNow` comes when a CANCEL may leave.
  void cancel(TimePoint now, TransactionEffects& out);
  /// The request can't be sent or its flow is gone. Without effect once a final response is there.
  void fail(RequestFailed::Cause cause, TransactionEffects& out);
  void on_deadline(TimePoint now, TransactionEffects& out);
  TimePoint deadline() const { return std::min({retransmit_at_, expires_at_, cancel_expires_at_}); }

  State state() const { return state_; }
  const Message& request() const { return request_; }
  const Target& target() const { return invite_.target; }

 private:
  enum class Cancel { none, wanted, sent };
  /// One 2xx To tag: a dialog of its own, with an ACK of its own (RFC 3261 §13.2.2.4).
  struct Fork {
    std::string to_tag;
    std::optional<Transmit> ack;
  };

  void receive_provisional(TimePoint now, TransactionEffects& out);
  void receive_success(const Message& response, TransactionEffects& out);
  void send_cancel(TimePoint now, TransactionEffects& out);
  void transmit_ack(const Message& response, TransactionEffects& out);
  void enter(State next, TimePoint now, TransactionEffects& out);
  void give_up(Failed failed, TransactionEffects& out);
  void terminate(TransactionEffects& out);
  Fork* fork(std::string_view to_tag);

  Message request_;
  Transmit invite_;
  TransactionTimers timers_;
  State state_ = State::calling;
  Cancel cancel_ = Cancel::none;
  std::optional<Transmit> ack_;  ///< of a non-2xx
  std::vector<Fork> forks_;
  milliseconds interval_;                 ///< Timer A, doubles
  TimePoint retransmit_at_ = kNever;      ///< Timer A
  TimePoint expires_at_ = kNever;         ///< Timers B, D, M
  TimePoint cancel_expires_at_ = kNever;  ///< 64*T1 after the CANCEL
};

}  // namespace trunkline::sip
