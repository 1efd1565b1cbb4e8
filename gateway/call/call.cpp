#include "call/call.hpp"

#include "call/carried_headers.hpp"
#include "call/response_detail.hpp"
#include "call/unanswered.hpp"
#include "sdp/codec_match.hpp"
#include "sip/endpoint.hpp"
#include "sip/parts.hpp"

#include <algorithm>

namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

namespace {

/// For an offer of ours: 64*T1, as long as a silent peer takes.
constexpr Duration kAnswerPatience = seconds{32};
constexpr Duration kClosedPatience = seconds{10};  // from close_notify to BYE, or to new media

Direction direction_of(const Caller& caller, const Destination& destination) {
  if (caller.kind == Caller::Kind::trunk) return Direction::inbound;
  return destination.kind == Destination::Kind::trunk ? Direction::outbound : Direction::internal;
}

std::string party(const Caller& caller) {
  return (caller.kind == Caller::Kind::trunk ? "trunk:" : "user:") + caller.name;
}

}  // namespace

Call::Call(Turn& turn, CallId id, const Caller& caller, std::string dialled,
           Destination destination, const sip::RequestReceived& invite)
    : destination_(std::move(destination)), worker_(turn.node.pick_worker()), placed_by_(caller) {
  view_.id = id;
  view_.name = turn.node.random.token(20);
  view_.direction = direction_of(caller, destination_);
  if (caller.kind == Caller::Kind::trunk) view_.trunk = caller.name;
  if (destination_.kind == Destination::Kind::trunk) view_.trunk = destination_.name;
  view_.from = party(caller);
  view_.to = destination_.text();
  const bool from_trunk = caller.kind == Caller::Kind::trunk;
  const Trunk* trunk = from_trunk ? turn.node.trunks.find(caller.name) : nullptr;
  shown_ = trunk != nullptr
               ? identity_of_peer(*trunk, invite.request)
               : identity_of_user(turn.node.settings.users, caller.name, invite.request);
  diversions_ =
      trunk != nullptr ? Diversions::of(*trunk, invite.request, dialled) : Diversions::to(dialled);
  view_.caller = view_.from_number = shown_.number;
  view_.caller_hidden = shown_.privacy.hides_party();
  view_.dialled = view_.to_number = std::move(dialled);
  view_.created = turn.at.wall;
  forwards_ = forwards_left(invite.request);
  ring_timeout_ = turn.node.settings.ring_timeout;

  Leg& leg =
      add_leg(turn, from_trunk ? Leg::Kind::trunk : Leg::Kind::browser, caller.name, Side::from);
  leg.identity = shown_;
  leg.invited_by(turn, invite);
}

Leg& Call::add_leg(Turn& turn, Leg::Kind kind, const std::string& peer, Side side) {
  const LegId id = turn.node.leg_ids.next();
  if (!from_) from_ = id;
  auto leg = std::make_unique<Leg>(id, kind, peer);
  if (kind == Leg::Kind::trunk) leg->trunk = turn.node.trunks.shared(peer);
  return take_in(turn.node, std::move(leg), side);
}

Leg& Call::take_in(Node& node, std::unique_ptr<Leg> leg, Side side) {
  node.legs[leg->id] = view_.id;
  leg->call = view_.name;
  leg->caller = side == Side::from;
  leg->name = next_name(side);
  return *legs_.emplace_back(std::move(leg));
}

std::string Call::next_name(Side side) {
  const std::size_t number = ++(side == Side::from ? from_names_ : to_names_);
  const std::string name(side_name(side));
  return number == 1 ? name : name + '-' + std::to_string(number);
}

Leg* Call::find(LegId leg) {
  for (auto& candidate : legs_) {
    if (candidate->id == leg) return candidate.get();
  }
  return nullptr;
}

Leg* Call::partner(const Leg& leg) {
  if (!winner_) return nullptr;
  if (leg.id == winner_) return &caller();
  return leg.id == from_ ? find(winner_) : nullptr;
}

bool Call::finished() const {
  return ended() &&
         std::all_of(legs_.begin(), legs_.end(), [](const auto& leg) { return leg->finished(); });
}

void Call::forget(Node& node) {
  for (auto& leg : legs_)
    leg->forget(node);
}

void Call::receive(Turn& turn, LegId id, const sip::RequestReceived& event) {
  Leg* leg = find(id);
  if (leg == nullptr) return;
  hear_party(turn, *leg, event.request);
  if (sip::Dialog* dialog = leg->dialog_with(sip::from_tag(event.request))) {
    if (const auto refusal = dialog->receive(event.request)) {
      turn.respond(event.transaction, leg->response(turn.node, event.request, *refusal));
      return;
    }
  }
  if (enter_fork(turn, *leg, event)) request_in_dialog(turn, *leg, event);
}

void Call::request_in_dialog(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  const auto& request = event.request;
  const bool over = leg.state == Leg::State::ended;
  // Of a BYE nothing is asked; offers are judged where they are read.
  const bool judged = request.method() != Method::bye && request.method() != Method::invite &&
                      request.method() != Method::update;
  if (const auto missing = unsupported_options(request); judged && !missing.empty()) {
    auto response = leg.response(turn.node, request, 420);
    response.add(HeaderName::unsupported, missing);
    return turn.respond(event.transaction, std::move(response));
  }
  switch (request.method()) {
    case Method::bye:
      return bye(turn, leg, event);
    case Method::invite:
    case Method::update:
      if (over) break;
      leg.dialog->refresh_target(request);
      return reoffered(turn, leg, event);
    case Method::info:
      if (over) break;
      return info(turn, leg, event);
    case Method::prack:
      return prack(turn, leg, event);
    case Method::notify:
      return notify(turn, leg, event);
    case Method::subscribe:
      return subscribe(turn, leg, event);
    case Method::message:
      if (over) break;
      return carry(turn, leg, event);
    case Method::options: {
      auto response = leg.response(turn.node, request, over ? 481 : 200);
      if (!over) add_capabilities(response);
      return turn.respond(event.transaction, std::move(response));
    }
    default: {
      auto response = leg.response(turn.node, request, 405);
      response.set(HeaderName::allow, kAllow);
      return turn.respond(event.transaction, std::move(response));
    }
  }
  turn.respond(event.transaction, leg.response(turn.node, request, 481));
}

void Call::receive(Turn& turn, LegId id, const sip::AckReceived& event) {
  Leg* leg = find(id);
  if (leg == nullptr) return;
  const bool initial = event.transaction == leg->invite;
  if (event.transaction == leg->unacknowledged) leg->unacknowledged = {};
  if (leg->state == Leg::State::answered && initial) leg->state = Leg::State::confirmed;
  if (leg->bye_waits_for_ack && initial) {
    leg->bye_waits_for_ack = false;
    leg->send_bye(turn, leg->bye_reason);
  }
  if (!leg->alive()) return;
  if (event.transaction == leg->offered_in) {
    leg->offered_in = {};
    if (!apply_late_answer(turn, *leg, event.ack)) return;
  }
  align(turn);
  if (holding_ && holding_->again_at != kNever) offer_hold(turn);
}

void Call::receive(Turn& turn, LegId id, const sip::CancelReceived& event) {
  Leg* leg = find(id);
  if (leg == nullptr) return;
  if (reoffer_ && reoffer_->server == event.transaction) {
    // What the other leg now answers, 487 or still 200, is passed back.
    turn.out.sip.emplace_back(sip::SendCancel{reoffer_->client, {}});
    return;
  }
  const bool waits = leg->state == Leg::State::invited || leg->holds_answer();
  if (!waits || event.transaction != leg->invite) return;
  Failure failure = Failure::local(EndReason::cancelled);
  failure.ended_by = EndedBy::caller;
  read_reasons(event.cancel, failure);
  end(turn, failure);
}

void Call::receive(Turn& turn, LegId id, const sip::ResponseReceived& event) {
  Leg* leg = find(id);
  if (leg == nullptr) return;
  const auto sent = leg->outgoing.find(event.transaction);
  if (sent == leg->outgoing.end()) return;
  if (sent->second.abandoned) return heard_late(turn, *leg, event);
  hear_party(turn, *leg, event.response);
  if (sent->second.purpose == Leg::Purpose::invite) leg->failover.next_at = kNever;
  count_answer(turn, *leg, sent->second, event.response.status());
  if (event.response.status() < 200) {
    if (sent->second.purpose == Leg::Purpose::invite && leg->alive())
      provisional(turn, *leg, event);
    return;
  }
  final_response(turn, *leg, event);
}

void Call::final_response(Turn& turn, Leg& leg, const sip::ResponseReceived& event) {
  Leg::Outgoing& sent = leg.outgoing[event.transaction];
  const int status = event.response.status();
  const bool first_final = !sent.finished;
  if (status >= 300 && retry(turn, leg, event.transaction, event.response)) return;
  sent.finished = true;
  switch (sent.purpose) {
    case Leg::Purpose::invite:
      if (status < 300) return answered(turn, leg, event);
      return refused(turn, leg, event);
    case Leg::Purpose::reinvite:
    case Leg::Purpose::refresh: {
      if (status >= 300) {
        if (reoffer_ && reoffer_->client == event.transaction) {
          return reoffer_refused(turn, leg, failure_of(event.response));
        }
        return refresh_refused(turn, leg, sent, status);
      }
      if (sent.request.method() == Method::invite) {
        leg.ack(turn, event.transaction, *leg.dialog, sip::cseq_of(event.response).number);
      }
      if (!leg.alive() || !first_final) return;
      leg.dialog->refresh_target(event.response);
      // An UPDATE before the answer says nothing of the session's interval (RFC 4028 §4).
      if (sent.request.method() == Method::invite ||
          sent.request.header(HeaderName::session_expires))
        leg.timer.start(sip::SessionTimer::settled(event.response), turn.at.now);
      if (reoffer_ && reoffer_->client == event.transaction)
        return reoffer_answered(turn, leg, event.response);
      if (sent.purpose == Leg::Purpose::refresh && sent.request.method() == Method::invite)
        refresh_answered(turn, leg, event.response);
      return;
    }
    case Leg::Purpose::info:
      if ((status == 481 || status == 408) && leg.alive())
        return lost(turn, leg, EndReason::dialog_lost);  // RFC 5057
      if (digits_ && digits_->info == event.transaction) info_answered(turn, event.response);
      return;
    case Leg::Purpose::refer:
      return refer_answered(turn, leg, event);
    case Leg::Purpose::notify:
      return leg.report_answered(turn, status);
    case Leg::Purpose::carried:
      return carried_answered(turn, leg, event);
    case Leg::Purpose::bye:
    case Leg::Purpose::prack:
      return;
  }
}

namespace {

/// Why a request to a trunk had no answer.
EndReason trunk_failure(sip::RequestFailed::Cause cause) {
  switch (cause) {
    case sip::RequestFailed::Cause::timeout:
      return EndReason::no_response;
    case sip::RequestFailed::Cause::tls:
      return EndReason::trunk_tls;
    case sip::RequestFailed::Cause::transport:
    case sip::RequestFailed::Cause::flow_closed:
      break;
  }
  return EndReason::trunk_unreachable;
}

}  // namespace

void Call::receive(Turn& turn, LegId id, const sip::RequestFailed& event) {
  Leg* leg = find(id);
  if (leg == nullptr) return;
  const auto sent = leg->outgoing.find(event.transaction);
  if (sent == leg->outgoing.end()) return;
  const Leg::Purpose purpose = sent->second.purpose;
  sent->second.finished = true;
  count_answer(turn, *leg, sent->second, 0);
  if (purpose == Leg::Purpose::notify) return leg->report_answered(turn, 0);
  if (purpose == Leg::Purpose::carried) carried_failed(turn, event);
  if (!leg->alive() || purpose == Leg::Purpose::prack || sent->second.abandoned) return;
  if (purpose == Leg::Purpose::invite) {
    const EndReason reason =
        leg->kind == Leg::Kind::browser ? EndReason::not_registered : trunk_failure(event.cause);
    Failure failure = Failure::local(reason);
    if (redirected(turn, *leg, sent->second, nullptr, failure)) return;
    const bool silent = event.cause == sip::RequestFailed::Cause::timeout;
    if (!silent && tried_other_flow(turn, *leg, sent->second, nullptr)) return;
    if (tried_elsewhere(turn, *leg, sent->second, nullptr, failure)) return;
    leg->state = Leg::State::ended;
    return branch_failed(turn, *leg, failure);
  }
  if (purpose == Leg::Purpose::refer) {
    // A peer that does not know the method, and says nothing, may still be there.
    refer_over(*leg, sent->second.request);
    const bool timeout = event.cause == sip::RequestFailed::Cause::timeout;
    if (transfer_ && transfer_->refer == event.transaction)
      refer_failed(turn, Failure::local(leg->kind == Leg::Kind::browser && !timeout
                                            ? EndReason::browser_lost
                                            : trunk_failure(event.cause)));
    return;
  }
  failed_in_dialog(turn, *leg, event.cause, event.transaction);
}

void Call::failed_in_dialog(Turn& turn, Leg& leg, sip::RequestFailed::Cause cause,
                            sip::TransactionId transaction) {
  const bool timeout = cause == sip::RequestFailed::Cause::timeout;
  const bool browser = leg.kind == Leg::Kind::browser;
  // Its connection is gone: a browser gets its grace time, a trunk a new connection for the next
  // request.
  if (browser && !timeout && leg.reconnect_by == kNever) {
    leg.reconnect_by = turn.at.now + turn.node.settings.reconnect_grace;
  }
  const bool goes_on =
      browser ? leg.reconnect_by != kNever : cause == sip::RequestFailed::Cause::flow_closed;
  // For others silence in a dialog ends it (RFC 5057 §5.1).
  if (!goes_on) return lost(turn, leg, timeout ? EndReason::dialog_lost : trunk_failure(cause));
  const Failure failure = Failure::local(browser ? EndReason::browser_lost : trunk_failure(cause));
  if (reoffer_ && reoffer_->client == transaction) return reoffer_refused(turn, leg, failure);
  if (digits_ && digits_->info == transaction) {
    fail(turn, digits_->request, failure);
    return digits_.reset();
  }
  const Leg::Outgoing& sent = leg.outgoing[transaction];
  const bool offered = sent.request.method() == Method::invite;
  if (sent.purpose == Leg::Purpose::refresh && offered) leg.rollback(turn);
  if (leg.timer.running() && leg.timer.we_refresh()) leg.timer.postpone(turn.at.now + kTryAgain);
}

void Call::receive(Turn& turn, LegId id, const sip::AckMissing& event) {
  Leg* leg = find(id);
  if (leg == nullptr || event.status >= 300) return;
  if (leg->bye_waits_for_ack && event.transaction == leg->invite) {
    leg->bye_waits_for_ack = false;
    leg->send_bye(turn, leg->bye_reason);
  }
  if (!leg->alive()) return;
  // RFC 3261 §13.3.1.4: without the ACK the session ends, with BYE on this side too.
  leg->state = Leg::State::confirmed;
  if (dialled_for_transfer(*leg)) return lost(turn, *leg, EndReason::ack_missing);
  end(turn, Failure::local(EndReason::ack_missing));
}

void Call::receive(Turn& turn, LegId id, const sip::TransactionEnded& event) {
  turn.node.transactions.erase(event.transaction);
  Leg* leg = find(id);
  if (leg == nullptr) return;
  leg->outgoing.erase(event.transaction);
  if (leg->unacknowledged == event.transaction) leg->unacknowledged = {};
  if (leg->offered_in == event.transaction) {
    // The flow took the answer with it. A page that comes back describes itself anew.
    leg->offered_in = {};
    if (leg->alive()) leg->rollback(turn);
  }
  if (leg->invite != event.transaction) return;
  leg->invite = {};
  if (leg->holds_answer()) return;  // only with the flow, whose end follows
  // Neither the ACK nor its absence was reported: the flow is gone, and whether the ACK came nobody
  // will know.
  if (leg->state == Leg::State::answered) leg->state = Leg::State::confirmed;
  if (!leg->bye_waits_for_ack) return;
  leg->bye_waits_for_ack = false;
  if (leg->kind == Leg::Kind::trunk) leg->target.flow = {};
  leg->send_bye(turn, leg->bye_reason);
}

void Call::receive(Turn& turn, const media::Event& event) {
  if (const auto* digit = std::get_if<media::DigitReceived>(&event))
    return digit_from_media(turn, *digit);
  if (const auto* report = std::get_if<media::StatisticsReported>(&event))
    return statistics_reported(turn, *report);
  if (const auto* closed = std::get_if<media::LegClosed>(&event))
    return leg_measured(turn, *closed);
  if (const auto* verdict = std::get_if<media::MediaJudged>(&event)) return judged(turn, *verdict);
  media_changed(turn, event);
  if (const auto* silent = std::get_if<media::MediaSilent>(&event)) return silenced(turn, *silent);
  const auto* failed = std::get_if<media::LegFailed>(&event);
  if (failed == nullptr || ended()) return;
  Leg* leg = find(failed->leg);
  if (leg == nullptr || !leg->alive()) return;
  switch (failed->failure) {
    case media::MediaFailure::ice_timeout:
      return lost(turn, *leg, EndReason::ice_failed);
    case media::MediaFailure::consent_expired:
      if (leg->reconnect_by == kNever) return lost(turn, *leg, EndReason::media_timeout);
      leg->media_gone =
          true;  // a page that changed its network loses both, and restarts ICE when it is back
      return;
    case media::MediaFailure::dtls_closed:
      // The BYE follows. Of a page that is gone, or closes its media alone, nothing is left to
      // hear.
      leg->media_by = std::min(leg->media_by, turn.at.now + kClosedPatience);
      return;
    case media::MediaFailure::dtls_timeout:
    case media::MediaFailure::dtls_fingerprint:
    case media::MediaFailure::dtls_alert:
    case media::MediaFailure::dtls_profile:
      return lost(turn, *leg, EndReason::dtls_failed);
    case media::MediaFailure::count_:
      return;
  }
}

void Call::flow_closed(Turn& turn, FlowId flow) {
  for (const auto& owned : legs_) {
    Leg& leg = *owned;
    if (leg.target.flow != flow) continue;
    const bool browser = leg.kind == Leg::Kind::browser;
    if (!browser) {
      // The next request, and what is still to be answered, opens a connection (RFC 3261 §18.2.2).
      leg.target.flow = {};
      if (std::exchange(leg.bye_waits_for_ack, false)) leg.send_bye(turn, leg.bye_reason);
      continue;
    }
    if (leg.state == Leg::State::invited || leg.holds_answer()) {
      Failure failure = Failure::local(EndReason::browser_lost);
      failure.ended_by = EndedBy::caller;
      return end(turn, failure, &leg);
    }
    // Our INVITE's own transaction fails and says so.
    if (!leg.alive() || leg.state == Leg::State::inviting) continue;
    leg.reconnect_by = turn.at.now + turn.node.settings.reconnect_grace;
    // The page may be back already, long before the old connection was found dead.
    for (const Binding& binding : turn.node.registrar.find(leg.peer, turn.at.now))
      flow_restored(turn, binding);
  }
}

void Call::flow_restored(Turn& turn, const Binding& binding) {
  for (auto& leg : legs_) {
    const bool lost_here =
        leg->alive() && leg->kind == Leg::Kind::browser && leg->reconnect_by != kNever;
    if (!lost_here || leg->peer != binding.user) continue;
    // By instance; a client without one keeps its random contact user over a reconnection.
    const bool same = leg->instance.empty() ? leg->contact_user == binding.contact.uri.user
                                            : leg->instance == binding.instance;
    if (!same) continue;
    leg->registered = binding.contact.uri;
    leg->come_back(binding.target, turn.at.now);
  }
}

bool Call::waits_for_browser() const {
  return !ended() && std::any_of(legs_.begin(), legs_.end(), [](const auto& leg) {
    return leg->alive() && leg->reconnect_by != kNever;
  });
}

bool Call::waits_for(std::string_view user) const {
  return !ended() && std::any_of(legs_.begin(), legs_.end(), [user](const auto& leg) {
    return leg->alive() && leg->reconnect_by != kNever && leg->peer == user;
  });
}

bool Call::uses(FlowId flow) const {
  return std::any_of(legs_.begin(), legs_.end(), [flow](const auto& leg) {
    return leg->kind == Leg::Kind::browser && leg->target.flow == flow && !leg->finished() &&
           leg->reconnect_by == kNever;
  });
}

void Call::on_deadline(Turn& turn) {
  measured_no_longer(turn);
  if (ended()) return;
  const TimePoint now = turn.at.now;
  if (now >= ring_until_) {
    ring_until_ = kNever;
    view_.from_failed = calling_first_;
    std::vector<const Leg*> rung;
    for (std::size_t i = attempt_; i < legs_.size(); ++i)
      rung.push_back(legs_[i].get());
    return end(turn, Failure::local(unanswered(rung)));
  }
  if (now >= look_up_until_) return located(turn, {});
  if (now >= policy_until_) return decided(turn, PolicyFailed{"timeout"});
  if (now >= end_at_) return end(turn, Failure::local(EndReason::max_duration));
  if (reoffer_ && now >= reoffer_->give_up_at) {
    reoffer_->give_up_at =
        kNever;  // the CANCEL brings a final response, or the transaction's own time-out
    turn.out.sip.emplace_back(sip::SendCancel{reoffer_->client, {}});
  }
  if (now >= align_at_) align(turn);
  if (now >= repeat_provisional_at_)
    send_provisional(turn, last_provisional_, !caller().answer_sdp.empty());
  operations_due(turn);
  for (std::size_t index = 0; index < legs_.size() && !ended(); ++index) {
    Leg& leg = *legs_[index];
    if (!leg.alive()) continue;
    leg_due(turn, leg);
  }
}

void Call::leg_due(Turn& turn, Leg& leg) {
  const TimePoint now = turn.at.now;
  if (leg.reliable && now >= leg.reliable->deadline()) {
    provisional_due(turn, leg);
    if (!leg.alive()) return;
  }
  if (now >= leg.reconnect_by) {
    leg.reconnect_by = kNever;
    return lost(turn, leg, EndReason::browser_lost);
  }
  if (now >= leg.media_by) return lost(turn, leg, EndReason::media_timeout);
  if (now >= leg.silent_at) stays_silent(turn, leg);
  if (now >= leg.judged_by) tell_silence(turn, leg, {});
  if (now >= leg.failover.next_at) return target_silent(turn, leg);
  if (leg.reconnect_by != kNever)
    return;  // nobody there to refresh with: the grace time alone counts
  switch (leg.timer.on_deadline(now)) {
    case sip::SessionTimer::Due::nothing:
      return;
    case sip::SessionTimer::Due::refresh: {
      // RFC 4028 §7.4 repeats the description; where none was agreed - its answer was lost with the
      // connection - there is a new one to be offered.
      const bool anew = !leg.peer_updates && !leg.media->sdp().established();
      if (!may_offer(leg) || (anew && reoffer_)) return leg.timer.postpone(now + kTryAgain);
      if (!anew) return leg.send_refresh(turn);
      leg.timer.postpone(now + kAnswerPatience);
      const Leg* other = partner(leg);
      const auto profile = leg.media->profile();
      const auto codecs = other != nullptr
                              ? codecs_for(turn.node, other->media->sdp().agreed_codecs(), leg)
                              : sdp::codecs_to_offer(service_codecs(turn.node, leg), profile);
      return offer_of_ours(turn, leg, leg.offer(codecs, direction_towards(leg, leg.held)),
                           Why::align);
    }
    case sip::SessionTimer::Due::expired:
      return lost(turn, leg, EndReason::session_expired);
  }
}

TimePoint Call::deadline() const {
  TimePoint first = kNever;
  for (const auto& leg : legs_)
    first = std::min(first, leg->measured_by);
  if (ended()) return first;
  first = std::min({first, ring_until_, repeat_provisional_at_, align_at_, end_at_, policy_until_,
                    look_up_until_, operations_deadline()});
  if (reoffer_) first = std::min(first, reoffer_->give_up_at);
  for (const auto& leg : legs_) {
    if (!leg->alive()) continue;
    const bool away = leg->reconnect_by != kNever;
    if (leg->reliable) first = std::min(first, leg->reliable->deadline());
    first = std::min({first, leg->media_by, leg->silent_at, leg->judged_by, leg->failover.next_at,
                      away ? leg->reconnect_by : leg->timer.deadline()});
  }
  return first;
}

}  // namespace trunkline::call
