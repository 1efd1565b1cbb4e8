#include "call/call.hpp"
#include "call/refusals.hpp"
#include "call/response_detail.hpp"

#include <algorithm>

// Every end of a call, on every leg in whatever state it is.
namespace trunkline::call {

using sip::HeaderName;

namespace {

/// What the caller's INVITE is refused with.
int status_for(const Leg& leg, const Failure& failure) {
  constexpr int kTimeout = 504, kTerminated = 487, kUnavailable = 480;
  if (leg.reliable && leg.reliable->given_up()) return kTimeout;  // RFC 3262 §3: a 5xx
  if (failure.reason == EndReason::cancelled) return kTerminated;
  const int status = failure.relayed_code();
  if (status >= 300) return status;
  // The call was answered, but the 2xx had not left yet.
  return failure.ended_by == EndedBy::caller ? kTerminated : kUnavailable;
}

}  // namespace

void Call::bye(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  turn.respond(event.transaction, leg.response(turn.node, event.request, 200));
  leg.bye_waits_for_notify = false;
  if (!leg.alive()) return;  // both sides hung up at once
  const bool early = leg.state == Leg::State::inviting;
  Failure failure = Failure::local(EndReason::hangup);
  failure.ended_by = leg.caller ? EndedBy::caller : EndedBy::callee;
  read_reasons(event.request, failure);
  if (early) {  // the callee must not do this (RFC 3261 §15); it means that it won't answer
    cancel_leg(turn, leg, {});
    return branch_failed(turn, leg, Failure::from_response(480, "Ended before the answer"));
  }
  if (dialled_for_transfer(leg)) {
    cancel_requests(turn, leg, {});
    leg.state = Leg::State::ended;
    return target_failed(turn, leg, Failure::from_response(480, "Ended before it was joined"));
  }
  if (transfer_ && transfer_->referrer == leg.id) return referrer_left(turn, leg, failure);
  if (transfer_ && transfer_->leg == leg.id && transfer_->accepted)
    return referred(turn, leg, &leg);
  if (!view_.answered) {
    // The caller may end its early dialog by BYE (§15): the INVITE gets 487 (§15.1.2). One whom we
    // called first gives up in the same way.
    failure = Failure::local(EndReason::cancelled);
    failure.ended_by = EndedBy::caller;
    return end(turn, failure, leg.state == Leg::State::invited ? nullptr : &leg);
  }
  if (Leg* other = partner(leg)) other->bye_fields = crossing(turn, event.request, leg, *other);
  end(turn, failure, leg.holds_answer() ? nullptr : &leg);
}

void Call::end(Turn& turn, const Failure& known, const Leg* except) {
  if (ended()) return;
  Failure failure = known;
  failure.phase = std::max(known.phase, phase());
  if (transfer_) transfer_overtaken(turn, failure, except);
  view_.ended = turn.at.wall;
  turn.node.traces.ended(view_.name, turn.at.now);
  ring_until_ = repeat_provisional_at_ = align_at_ = end_at_ = kNever;
  stop_waiting(turn.node);
  stop_looking(turn.node);
  if (reoffer_) refuse_reoffer(turn, 487, {});  // RFC 3261 §15.1.2
  const std::string reason =
      failure.peer_reason.empty() ? failure.reason_header() : failure.peer_reason;
  for (auto& leg : legs_) {
    if (leg.get() == except) {
      cancel_requests(turn, *leg, {});
      leg->state = Leg::State::ended;
    } else {
      end_leg(turn, *leg, failure, reason);
    }
    leg->timer.stop();
    if (leg->media) leg->media->close(turn);
  }
  count_transcoded(turn.node, nullptr, nullptr);
  view_.end = failure;
  for (auto& leg : legs_)
    leg_ended(turn, *leg, failure);
  service_ended(turn, failure);
  turn.observe(CallEnded{view(), failure});
  end_operations(turn);
  tell_measured(turn);
}

void Call::end_leg(Turn& turn, Leg& leg, const Failure& failure, const std::string& reason) {
  if (leg.holds_answer()) leg.state = Leg::State::invited;  // its 2xx has not left, and does not
  switch (leg.state) {
    case Leg::State::invited: {
      const int status = status_for(leg, failure);
      const bool same =
          status == failure.sip_code && (failure.remote || failure.reason == EndReason::rejected ||
                                         failure.ended_by == EndedBy::api);
      auto response = leg.response(turn.node, leg.invite_request, status,
                                   same ? failure.phrase : std::string{});
      if (failure.retry_after)
        response.add(HeaderName::retry_after, std::to_string(*failure.retry_after));
      if (!failure.peer_reason.empty() || (!reason.empty() && !same && status != 487))
        response.add(HeaderName::reason, reason);
      if (failure.reason == EndReason::no_codec)
        response.add(HeaderName::warning, warning_of(failure, turn.node.settings.domain));
      leg.respond_to_invite(turn, std::move(response));
      break;
    }
    case Leg::State::inviting:
      return cancel_leg(turn, leg, reason);
    case Leg::State::answered:
      // RFC 3261 §15: the callee's BYE waits for the ACK, or for the certainty that none comes.
      leg.bye_waits_for_ack = leg.invite ? true : false;
      leg.bye_reason = reason;
      break;
    case Leg::State::confirmed:
      cancel_requests(turn, leg, {});
      leg.bye_waits_for_notify = leg.reports.pending();
      leg.bye_reason = reason;
      if (!leg.bye_waits_for_notify) leg.send_bye(turn, reason);
      break;
    case Leg::State::ended:
      return;
  }
  leg.state = Leg::State::ended;
}

void Call::cancel_requests(Turn& turn, const Leg& leg, std::string_view reason) {
  // A re-INVITE too: after a provisional response nothing else would ever end its transaction.
  for (const auto& [transaction, sent] : leg.outgoing) {
    if (sent.request.method() != sip::Method::invite || sent.finished) continue;
    std::vector<std::string> reasons;
    if (!reason.empty()) reasons.emplace_back(reason);
    turn.out.sip.emplace_back(sip::SendCancel{transaction, std::move(reasons)});
  }
}

void Call::cancel_leg(Turn& turn, Leg& leg, std::string_view reason) {
  cancel_requests(turn, leg, reason);
  leg.state = Leg::State::ended;
  if (leg.media) leg.media->close(turn);
}

void Call::execute(Turn& turn, RequestId id, const HangupCall& request) {
  Failure failure = request.sip_code != 0 ? Failure::ordered(request.sip_code, request.reason)
                                          : Failure::local(EndReason::cancelled);
  failure.ended_by = EndedBy::api;
  failure.phrase = request.reason;
  if (view_.answered) {
    // There is no response any more that the code could be of: it is told, and that is all.
    failure.peer_reason = request.sip_code != 0 ? failure.reason_header() : std::string{};
    failure.reason = EndReason::hangup;
    failure.sip_code = Failure::local(EndReason::hangup).sip_code;
    failure.retry_after.reset();
  }
  end(turn, failure);
  turn.reply(id, view());
}

void Call::execute(Turn& turn, RequestId id, const RejectCall& request) {
  if (view_.answered) return turn.reply(id, wrong_state("the call was answered; hang it up"));
  Failure failure = Failure::ordered(request.sip_code, request.reason);
  failure.ended_by = EndedBy::api;
  end(turn, failure);
  turn.reply(id, view());
}

void Call::lost(Turn& turn, Leg& leg, EndReason reason) {
  const Failure failure = Failure::local(reason);
  if (dialled_for_transfer(leg)) {
    end_leg(turn, leg, failure, failure.reason_header());
    leg.timer.stop();
    return target_failed(turn, leg, failure);
  }
  view_.from_failed = origin_ && leg.caller && !view_.answered;
  // Where the path is gone there is nobody to send BYE to.
  // One that has lost its dialog, or does not answer, is told by BYE all the same (RFC 3261
  // §12.2.1.2, RFC 4028 §10).
  const bool gone = reason == EndReason::browser_lost || reason == EndReason::trunk_unreachable;
  end(turn, failure, gone ? &leg : nullptr);
}

}  // namespace trunkline::call
