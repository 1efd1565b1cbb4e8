#include "sip/non_invite_client_transaction.hpp"

#include <algorithm>

namespace trunkline::sip {

NonInviteClientTransaction::NonInviteClientTransaction(const Message& request, const Target& target,
                                                       TransactionTimers timers, TimePoint now,
                                                       TransactionEffects& out)
    : request_{target, request.serialize(), request.method()},
      timers_(timers),
      interval_(timers.t1) {
  out.push_back(request_);
  if (!is_reliable(target.transport)) retransmit_at_ = now + interval_;  // Timer E
  expires_at_ = now + timers_.timeout();                                 // Timer F
}

void NonInviteClientTransaction::receive(const Message& response, TimePoint now,
                                         TransactionEffects& out) {
  switch (state_) {
    case State::trying:
    case State::proceeding:
      out.push_back(PassResponse{});
      if (response.status() < 200) {
        state_ = State::proceeding;  // §17.1.2.2: Timers E and F go on
        return;
      }
      if (is_reliable(request_.target.transport)) return terminate(out);  // Timer K is 0
      state_ = State::completed;
      retransmit_at_ = kNever;
      expires_at_ = now + timers_.t4;  // Timer K
      return;
    case State::completed:
    case State::terminated:
      return;  // §17.1.2.2: copies are absorbed
  }
}

void NonInviteClientTransaction::move(const Message& request, const Target& target, TimePoint now,
                                      TransactionEffects& out) {
  request_ = {target, request.serialize(), request.method()};
  out.push_back(request_);
  interval_ = timers_.t1;
  retransmit_at_ = now + interval_;  // Timer E
}

void NonInviteClientTransaction::fail(RequestFailed::Cause cause, TransactionEffects& out) {
  switch (state_) {
    case State::trying:
    case State::proceeding:
      return give_up(cause, out);  // §17.1.4
    case State::completed:
    case State::terminated:
      return;
  }
}

void NonInviteClientTransaction::on_deadline(TimePoint now, TransactionEffects& out) {
  if (now >= expires_at_) {
    if (state_ == State::completed) return terminate(out);  // Timer K
    return give_up(RequestFailed::Cause::timeout, out);     // Timer F
  }
  if (now >= retransmit_at_) {
    out.push_back(copy_of(request_));
    interval_ =
        state_ == State::proceeding ? timers_.t2 : std::min(interval_ * 2, timers_.t2);  // Timer E
    retransmit_at_ = now + interval_;
  }
}

void NonInviteClientTransaction::give_up(RequestFailed::Cause cause, TransactionEffects& out) {
  out.push_back(Failed{cause, TimeoutTimer::f, state_ == State::proceeding});
  terminate(out);
}

void NonInviteClientTransaction::terminate(TransactionEffects& out) {
  state_ = State::terminated;
  retransmit_at_ = expires_at_ = kNever;
  out.push_back(Terminated{});
}

}  // namespace trunkline::sip
