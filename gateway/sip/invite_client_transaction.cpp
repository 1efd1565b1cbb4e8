#include "sip/invite_client_transaction.hpp"

#include "sip/header.hpp"
#include "sip/parts.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::sip {
namespace {

/// Answers of different devices to one INVITE that are still told apart.
constexpr std::size_t kMaxForks = 32;
/// Timer D on an unreliable transport: "at least 32 seconds" (RFC 3261 §17.1.1.2), whatever T1 is.
constexpr seconds kTimerD{32};

/// The ACK to a non-2xx: Request-URI, Via, Route, From, Call-ID of the INVITE, To of the response
/// (RFC 3261 §17.1.1.3).
Message make_failure_ack(const Message& invite, const Message& response) {
  Message ack = Message::request(Method::ack, invite.request_uri());
  ack.add(HeaderName::via, invite.header(HeaderName::via).value_or(""));
  for (const std::string_view route : invite.headers(HeaderName::route)) {
    ack.add(HeaderName::route, route);
  }
  ack.add(HeaderName::max_forwards, "70");
  ack.add(HeaderName::from, invite.header(HeaderName::from).value_or(""));
  ack.add(HeaderName::to, response.header(HeaderName::to).value_or(""));
  ack.add(HeaderName::call_id, call_id_of(invite));
  CSeq cseq = cseq_of(invite);
  cseq.method = Method::ack;
  cseq.method_text = "ACK";
  ack.add(HeaderName::cseq, cseq.text());
  return ack;
}

}  // namespace

InviteClientTransaction::InviteClientTransaction(Message request, const Target& target,
                                                 TransactionTimers timers, TimePoint now,
                                                 TransactionEffects& out)
    : request_(std::move(request)),
      invite_{target, request_.serialize(), Method::invite},
      timers_(timers),
      interval_(timers.t1) {
  out.push_back(invite_);
  if (!is_reliable(target.transport)) retransmit_at_ = now + interval_;  // Timer A
  expires_at_ = now + timers_.timeout();                                 // Timer B
}

void InviteClientTransaction::receive(const Message& response, TimePoint now,
                                      TransactionEffects& out) {
  const int status = response.status();
  switch (state_) {
    case State::calling:
    case State::proceeding:
      if (status < 200) return receive_provisional(now, out);
      if (status < 300) {
        enter(State::accepted, now, out);  // RFC 6026 §7.2
        return receive_success(response, out);
      }
      transmit_ack(response, out);
      out.push_back(PassResponse{});
      return enter(State::completed, now, out);
    case State::completed:
      if (status >= 300) transmit_ack(response, out);  // §17.1.1.2: an ACK for every copy
      return;
    case State::accepted:
      if (status >= 200 && status < 300) receive_success(response, out);
      // Beyond RFC 6026: some proxies forward the failure of a losing branch after the 2xx, and
      // without an ACK they would repeat it for 32 s.
      if (status >= 300) transmit_ack(response, out);
      return;
    case State::terminated:
      return;
  }
}

void InviteClientTransaction::receive_provisional(TimePoint now, TransactionEffects& out) {
  state_ = State::proceeding;
  retransmit_at_ = expires_at_ =
      kNever;  // §17.1.1.2: no Timer A or B once Proceeding; ringing has the user's timer
  out.push_back(PassResponse{});
  if (cancel_ == Cancel::wanted) send_cancel(now, out);
}

void InviteClientTransaction::receive_success(const Message& response, TransactionEffects& out) {
  const std::string_view tag = to_tag(response);
  if (const Fork* known = fork(tag)) {
    if (known->ack) out.push_back(copy_of(*known->ack));  // §13.2.2.4: one ACK for each 2xx
    return;
  }
  if (forks_.size() >= kMaxForks) return;
  forks_.push_back({std::string(tag), std::nullopt});
  out.push_back(PassResponse{});
}

void InviteClientTransaction::acknowledge(const Message& ack, const Target& target,
                                          TransactionEffects& out) {
  Transmit transmit{target, ack.serialize(), Method::ack};
  out.push_back(transmit);
  if (Fork* known = fork(to_tag(ack))) known->ack = std::move(transmit);
}

void InviteClientTransaction::acknowledge_copies(const Message& ack, const Target& target) {
  if (Fork* known = fork(to_of(ack).tag()))
    known->ack = Transmit{target, ack.serialize(), Method::ack};
}

void InviteClientTransaction::move(const Message& request, const Target& target, TimePoint now,
                                   TransactionEffects& out) {
  request_ = request;
  invite_ = {target, request_.serialize(), Method::invite};
  out.push_back(invite_);
  interval_ = timers_.t1;
  retransmit_at_ = now + interval_;  // Timer A
}

void InviteClientTransaction::cancel(TimePoint now, TransactionEffects& out) {
  if (cancel_ != Cancel::none) return;
  switch (state_) {
    case State::calling:
      cancel_ = Cancel::wanted;  // §9.1: not before a provisional response
      return;
    case State::proceeding:
      return send_cancel(now, out);
    case State::completed:
    case State::accepted:
    case State::terminated:
      return;  // §9.1: no effect after a final response
  }
}

void InviteClientTransaction::send_cancel(TimePoint now, TransactionEffects& out) {
  cancel_ = Cancel::sent;
  cancel_expires_at_ = now + timers_.timeout();  // §9.1: then the transaction counts as cancelled
  out.push_back(CancelNow{});
}

void InviteClientTransaction::fail(RequestFailed::Cause cause, TransactionEffects& out) {
  switch (state_) {
    case State::calling:
    case State::proceeding:
      return give_up({cause}, out);  // §17.1.4
    case State::completed:
    case State::accepted:
    case State::terminated:
      return;
  }
}

void InviteClientTransaction::on_deadline(TimePoint now, TransactionEffects& out) {
  if (now >= cancel_expires_at_) {
    return give_up({RequestFailed::Cause::timeout, TimeoutTimer::cancel}, out);
  }
  if (now >= expires_at_) {
    if (state_ == State::calling) {
      return give_up({RequestFailed::Cause::timeout, TimeoutTimer::b}, out);
    }
    return terminate(out);  // Timer D or M
  }
  if (now >= retransmit_at_) {
    out.push_back(copy_of(invite_));
    interval_ *= 2;  // Timer A has no upper bound but Timer B
    retransmit_at_ = now + interval_;
  }
}

void InviteClientTransaction::transmit_ack(const Message& response, TransactionEffects& out) {
  const bool again = ack_.has_value();
  if (!again) {
    ack_ = Transmit{invite_.target, make_failure_ack(request_, response).serialize(), Method::ack};
  }
  out.push_back(again ? copy_of(*ack_) : *ack_);
}

void InviteClientTransaction::enter(State next, TimePoint now, TransactionEffects& out) {
  state_ = next;
  retransmit_at_ = cancel_expires_at_ = kNever;
  invite_.bytes = std::string();  // no longer sent; the state lasts half a minute
  if (next == State::accepted) expires_at_ = now + timers_.timeout();  // Timer M
  if (next == State::completed) {
    if (is_reliable(invite_.target.transport)) return terminate(out);    // Timer D is 0
    expires_at_ = now + std::max<Duration>(kTimerD, timers_.timeout());  // Timer D
  }
}

void InviteClientTransaction::give_up(Failed failed, TransactionEffects& out) {
  failed.provisional_seen = state_ == State::proceeding;
  out.push_back(failed);
  terminate(out);
}

void InviteClientTransaction::terminate(TransactionEffects& out) {
  state_ = State::terminated;
  retransmit_at_ = expires_at_ = cancel_expires_at_ = kNever;
  out.push_back(Terminated{});
}

InviteClientTransaction::Fork* InviteClientTransaction::fork(std::string_view to_tag) {
  const auto found = std::find_if(forks_.begin(), forks_.end(),
                                  [&](const Fork& each) { return each.to_tag == to_tag; });
  return found == forks_.end() ? nullptr : &*found;
}

}  // namespace trunkline::sip
