#pragma once
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/message.hpp"
#include "sip/transaction.hpp"

#include <optional>

namespace trunkline::sip {

/// The server side of one INVITE (RFC 3261 §17.2.1, with the Accepted state of RFC 6026 §7.1). It
/// also repeats the 2xx until its ACK, which RFC 3261 §13.3.1.4 leaves to the core: here every
/// INVITE has one answerer, so the core would only copy this machine's timers. Owns no socket,
/// clock or thread. All calls from one thread.
class InviteServerTransaction {
 public:
  enum class State { proceeding, accepted, completed, confirmed, terminated };

  /// `trying` is the 100 to send if nothing else has been sent in 200 ms; `reply` is where
  /// responses go.
  InviteServerTransaction(Message trying, const Target& reply, TransactionTimers timers,
                          TimePoint now);

  /// A copy of the INVITE, or an ACK.
  void receive(Method method, TimePoint now, TransactionEffects& out);
  /// Any number of 1xx, then one final response. Ignored after a final.
  void respond(const Message& response, TimePoint now, TransactionEffects& out);
  /// The flow that responses need is gone.
  void abandon(TransactionEffects& out);
  void on_deadline(TimePoint now, TransactionEffects& out);
  TimePoint deadline() const { return std::min({trying_at_, retransmit_at_, expires_at_}); }

  State state() const { return state_; }

 private:
  void receive_ack(TimePoint now, TransactionEffects& out);
  void enter(State next, TimePoint now, TransactionEffects& out);
  void expire(TransactionEffects& out);
  void terminate(TransactionEffects& out);

  Message trying_;
  Target reply_;
  TransactionTimers timers_;
  State state_ = State::proceeding;
  bool acknowledged_ = false;  ///< of a 2xx
  std::optional<Transmit> last_;
  milliseconds interval_;             ///< Timer G, doubles up to T2
  TimePoint trying_at_;               ///< 200 ms to 100 Trying
  TimePoint retransmit_at_ = kNever;  ///< Timer G, and the same for a 2xx
  TimePoint expires_at_ = kNever;     ///< Timers H, I, L
};

}  // namespace trunkline::sip
