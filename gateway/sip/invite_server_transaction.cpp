#include "sip/invite_server_transaction.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::sip {
namespace {
constexpr milliseconds kTrying{200};  // RFC 3261 §17.2.1
}  // namespace

InviteServerTransaction::InviteServerTransaction(Message trying, const Target& reply,
                                                 TransactionTimers timers, TimePoint now)
    : trying_(std::move(trying)),
      reply_(reply),
      timers_(timers),
      interval_(timers.t1),
      trying_at_(now + kTrying) {}

void InviteServerTransaction::receive(Method method, TimePoint now, TransactionEffects& out) {
  if (method == Method::ack) return receive_ack(now, out);
  switch (state_) {
    case State::proceeding:
    case State::completed:
      if (last_) out.push_back(copy_of(*last_));  // §17.2.1
      return;
    case State::accepted:  // RFC 6026 §7.1: absorbed; the 2xx has its own timer
    case State::confirmed:
    case State::terminated:
      return;
  }
}

void InviteServerTransaction::receive_ack(TimePoint now, TransactionEffects& out) {
  switch (state_) {
    case State::completed:
      return enter(State::confirmed, now, out);
    case State::accepted:
      if (acknowledged_) return;
      acknowledged_ = true;
      retransmit_at_ = kNever;  // §13.3.1.4
      last_.reset();
      out.push_back(PassAck{});
      return;
    case State::proceeding:
    case State::confirmed:
    case State::terminated:
      return;
  }
}

void InviteServerTransaction::respond(const Message& response, TimePoint now,
                                      TransactionEffects& out) {
  if (state_ != State::proceeding) return;
  trying_at_ = kNever;
  last_ = Transmit{reply_, response.serialize(), Method::invite, response.status()};
  out.push_back(*last_);
  if (response.status() >= 300) return enter(State::completed, now, out);
  if (response.status() >= 200) enter(State::accepted, now, out);
}

void InviteServerTransaction::abandon(TransactionEffects& out) {
  terminate(out);
}

void InviteServerTransaction::on_deadline(TimePoint now, TransactionEffects& out) {
  if (now >= expires_at_) return expire(out);
  if (now >= trying_at_) respond(trying_, now, out);
  if (now >= retransmit_at_) {
    out.push_back(copy_of(*last_));
    interval_ = std::min(interval_ * 2, timers_.t2);
    retransmit_at_ = now + interval_;
  }
}

void InviteServerTransaction::expire(TransactionEffects& out) {
  if (state_ == State::completed) out.push_back(Unacknowledged{last_->status, TimeoutTimer::h});
  if (state_ == State::accepted && !acknowledged_) {
    out.push_back(Unacknowledged{last_->status, TimeoutTimer::l});
  }
  terminate(out);
}

void InviteServerTransaction::enter(State next, TimePoint now, TransactionEffects& out) {
  const bool reliable = is_reliable(reply_.transport);
  state_ = next;
  retransmit_at_ = kNever;
  trying_ = Message();
  switch (next) {
    case State::accepted:
      expires_at_ = now + timers_.timeout();  // Timer L
      retransmit_at_ = now + interval_;       // §13.3.1.4: on every transport, it is end to end
      return;
    case State::completed:
      expires_at_ = now + timers_.timeout();            // Timer H
      if (!reliable) retransmit_at_ = now + interval_;  // Timer G
      return;
    case State::confirmed:
      if (reliable) return terminate(out);  // Timer I is 0
      expires_at_ = now + timers_.t4;       // Timer I
      return;
    case State::proceeding:
    case State::terminated:
      return;
  }
}

void InviteServerTransaction::terminate(TransactionEffects& out) {
  state_ = State::terminated;
  trying_at_ = retransmit_at_ = expires_at_ = kNever;
  out.push_back(Terminated{});
}

}  // namespace trunkline::sip
