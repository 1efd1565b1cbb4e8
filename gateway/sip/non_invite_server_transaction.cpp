#include "sip/non_invite_server_transaction.hpp"

#include "sip/header.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::sip {
namespace {

/// How long a client's Timer E takes to be reset to T2 (RFC 4320 §4.1): 3.5 s with the usual T1 and
/// T2.
milliseconds until_timer_e_is_t2(const TransactionTimers& timers) {
  milliseconds elapsed{0};
  for (milliseconds interval = timers.t1; interval < timers.t2; interval *= 2) {
    elapsed += interval;
  }
  return elapsed;
}

}  // namespace

NonInviteServerTransaction::NonInviteServerTransaction(Message trying, const Target& reply,
                                                       TransactionTimers timers, TimePoint now)
    : trying_(std::move(trying)),
      reply_(reply),
      timers_(timers),
      method_(cseq_of(trying_).method),
      trying_allowed_at_(now + until_timer_e_is_t2(timers)),
      trying_at_(trying_allowed_at_),
      expires_at_(now + timers.timeout()) {}

void NonInviteServerTransaction::receive(TimePoint, TransactionEffects& out) {
  switch (state_) {
    case State::trying:
      return;  // §17.2.2: copies are discarded
    case State::proceeding:
    case State::completed:
      if (last_) out.push_back(copy_of(*last_));
      return;
    case State::terminated:
      return;
  }
}

void NonInviteServerTransaction::respond(const Message& response, TimePoint now,
                                         TransactionEffects& out) {
  switch (state_) {
    case State::trying:
    case State::proceeding:
      if (response.status() < 200) return respond_provisionally(response, now, out);
      last_.reset();
      if (response.status() != 408) {  // RFC 4320 §4.2: the client has timed out by itself
        last_ = Transmit{reply_, response.serialize(), method_, response.status()};
        out.push_back(*last_);
      }
      return complete(now, out);
    case State::completed:
    case State::terminated:
      return;
  }
}

void NonInviteServerTransaction::respond_provisionally(const Message& response, TimePoint now,
                                                       TransactionEffects& out) {
  if (response.status() != 100) return;                                    // RFC 4320 §4.1
  if (!is_reliable(reply_.transport) && now < trying_allowed_at_) return;  // RFC 4320 §4.1
  state_ = State::proceeding;
  trying_at_ = kNever;
  last_ = Transmit{reply_, response.serialize(), method_, response.status()};
  out.push_back(*last_);
}

void NonInviteServerTransaction::abandon(TransactionEffects& out) {
  terminate(out);
}

void NonInviteServerTransaction::on_deadline(TimePoint now, TransactionEffects& out) {
  // Timer J; or the client's Timer F has fired, and then an answer has no reader (RFC 4320 §4.2).
  if (now >= expires_at_) return terminate(out);
  if (now >= trying_at_) respond_provisionally(trying_, now, out);
}

void NonInviteServerTransaction::complete(TimePoint now, TransactionEffects& out) {
  if (is_reliable(reply_.transport)) return terminate(out);  // Timer J is 0
  state_ = State::completed;
  trying_at_ = kNever;
  expires_at_ = now + timers_.timeout();  // Timer J
}

void NonInviteServerTransaction::terminate(TransactionEffects& out) {
  state_ = State::terminated;
  trying_at_ = expires_at_ = kNever;
  out.push_back(Terminated{});
}

}  // namespace trunkline::sip
