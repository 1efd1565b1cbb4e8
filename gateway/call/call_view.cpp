#include "call/call.hpp"
#include "call/session_identifier.hpp"

#include <algorithm>

// How a call looks from outside, and the one terminal event of each of its legs.
namespace trunkline::call {
namespace {

LegState state_of(const Leg& leg, bool plays_early) {
  switch (leg.state) {
    case Leg::State::invited:
      return LegState::calling;
    case Leg::State::inviting:
      if (plays_early) return LegState::early_media;
      return leg.phase >= Phase::ringing ? LegState::ringing : LegState::calling;
    case Leg::State::answered:
    case Leg::State::confirmed:
      return leg.held || leg.peer_direction != sdp::Direction::sendrecv ? LegState::held
                                                                        : LegState::answered;
    case Leg::State::ended:
      break;
  }
  return LegState::ended;
}

}  // namespace

LegView Call::view_of(const Leg& leg) const {
  LegView seen;
  seen.id = leg.name;
  seen.from = leg.caller;
  seen.party = leg.party();
  seen.sip_call_id = leg.call_id;
  seen.state = state_of(leg, early_ == leg.id);
  seen.held = leg.held;
  seen.muted_from = leg.muted_from;
  seen.muted_to = leg.muted_to;
  seen.end = leg.end.optional();
  return seen;
}

LegView Call::view_of_service() const {
  LegView seen;
  seen.id = service_->leg;
  seen.from = service_->side == Side::from;
  seen.party = "service:" + service_->name;
  seen.state = service_->end ? LegState::ended : LegState::answered;
  seen.end = service_->end;
  return seen;
}

CallState Call::state() const {
  if (ended()) return CallState::ended;
  if (view_.answered) return held_ ? CallState::held : CallState::answered;
  if (parked_) return CallState::parked;
  if (early_) return CallState::early_media;
  return view_.ringing ? CallState::ringing : CallState::created;
}

const CallView& Call::view() {
  view_.state = state();
  if (const Leg* leg = find(from_))
    view_.session_id = leg->caller ? session_text(leg->session_uuid, leg->far_session_uuid)
                                   : session_text(leg->far_session_uuid, leg->session_uuid);
  view_.legs.clear();
  bool placed = !service_;
  for (const auto& leg : legs_) {
    if (!placed && leg->id > service_->after) {
      view_.legs.push_back(view_of_service());
      placed = true;
    }
    view_.legs.push_back(view_of(*leg));
  }
  if (!placed) view_.legs.push_back(view_of_service());
  return view_;
}

Phase Call::phase() const {
  if (view_.answered) return Phase::answered;
  Phase furthest = Phase::no_response;
  for (std::size_t index = attempt_; index < legs_.size(); ++index)
    furthest = std::max(furthest, legs_[index]->phase);
  return furthest;
}

void Call::leg_ended(Turn& turn, Leg& leg, const Failure& failure) {
  if (leg.end) return;
  leg.end = failure;
  leg.place.give_back();
  if (leg.media && leg.media->awaits_report()) leg.measured_by = turn.at.now + kReportPatience;
  const CallView& call = view();
  turn.observe(LegEnded{call, view_of(leg)});
}

void Call::service_ended(Turn& turn, const Failure& failure) {
  if (!serving()) return;
  service_->end = failure;
  const CallView& call = view();
  turn.observe(LegEnded{call, view_of_service()});
}

}  // namespace trunkline::call
