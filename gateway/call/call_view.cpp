#include "call/call.hpp"

// How a call looks from outside, and the one terminal event of each of its legs.
namespace trunkline::call {
namespace {

LegState state_of(const Leg& leg, bool plays_early) {
  switch (leg.state) {
    case Leg::State::invited:
      return LegState::calling;
    case Leg::State::inviting:
      if (plays_early) return LegState::early_media;
      return leg.rang ? LegState::ringing : LegState::calling;
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
  seen.id = leg.name();
  seen.from = leg.caller;
  seen.party = leg.party();
  seen.sip_call_id = leg.call_id;
  seen.state = state_of(leg, early_ == leg.id);
  seen.muted_from = leg.muted_from;
  seen.muted_to = leg.muted_to;
  seen.end = leg.end;
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
  view_.legs.clear();
  for (const auto& leg : legs_)
    view_.legs.push_back(view_of(*leg));
  return view_;
}

void Call::leg_ended(Turn& turn, Leg& leg, const Failure& failure) {
  if (leg.end) return;
  leg.end = failure;
  const CallView& call = view();
  turn.observe(LegEnded{call, view_of(leg)});
}

}  // namespace trunkline::call
