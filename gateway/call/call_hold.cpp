#include "call/call.hpp"
#include "call/refusals.hpp"

// A leg that the gateway itself holds, and audio that it stops. The other leg is told nothing: it
// hears silence, and its own hold, or that of the held leg's peer, goes its way as ever.
namespace trunkline::call {
namespace {

constexpr int kMaxCollisions = 3;
/// For an offer that can't be made yet: as long as a missing ACK may take (64*T1).
constexpr Duration kHoldPatience = seconds{32};

}  // namespace

void Call::execute(Turn& turn, RequestId id, const HoldCall& request) {
  hold(turn, id, request.on, true);
}

void Call::execute(Turn& turn, RequestId id, const ResumeCall& request) {
  hold(turn, id, request.on, false);
}

void Call::hold(Turn& turn, RequestId id, const LegName& on, bool wanted) {
  const Leg* leg = addressed(turn, id, on);
  if (leg == nullptr) return;
  if (holding_ || transfer_)
    return turn.reply(id, in_progress("another operation on the call has not ended"));
  if (leg->held == wanted)
    return turn.reply(id, wrong_state(wanted ? "the leg is held already" : "the leg is not held"));
  if (reoffer_ || offer_pending(*leg))
    return turn.reply(id, in_progress("an offer on the leg has not been answered"));
  holding_ = HoldOperation{};
  holding_->request = id;
  holding_->leg = leg->id;
  holding_->hold = wanted;
  holding_->give_up_at = turn.at.now + kHoldPatience;
  offer_hold(turn);
}

void Call::offer_hold(Turn& turn) {
  holding_->again_at = kNever;
  Leg& leg = *find(holding_->leg);
  if (leg.reconnect_by != kNever)
    return hold_refused(turn, Failure::local(EndReason::browser_lost), kNever);
  if (reoffer_ || !may_offer(leg)) {
    if (turn.at.now < holding_->give_up_at) {
      holding_->again_at = turn.at.now + kTryAgain;
      return;
    }
    turn.reply(holding_->request, in_progress("an offer on the leg has not been answered"));
    return holding_.reset();
  }
  const auto& codecs = leg.media->sdp().agreed_codecs();
  offer_of_ours(turn, leg, leg.offer(codecs, direction_towards(leg, holding_->hold)), Why::hold);
}

void Call::hold_agreed(Turn& turn, Leg& leg) {
  leg.held = holding_->hold;
  const RequestId request = holding_->request;
  holding_.reset();
  reroute(turn);
  observe_hold(turn);
  turn.reply(request, view());
  align(turn);
}

void Call::hold_refused(Turn& turn, const Failure& failure, TimePoint again_at) {
  if (again_at != kNever && ++holding_->collisions <= kMaxCollisions) {
    holding_->again_at = again_at;
    return;
  }
  fail(turn, holding_->request, failure);
  holding_.reset();
}

Passage Call::passage(const Leg& from, const Leg& to) {
  if (from.held || to.held) return Passage::nothing;
  return from.muted_from || to.muted_to ? Passage::events : Passage::all;
}

void Call::execute(Turn& turn, RequestId id, const MuteCall& request) {
  Leg* leg = addressed(turn, id, request.on);
  if (leg == nullptr) return;
  const bool from = request.direction == MuteDirection::from_leg;
  bool& muted = from ? leg->muted_from : leg->muted_to;
  if (muted != request.muted) {
    muted = request.muted;
    const Leg* other = partner(*leg);
    const LegId far = other != nullptr ? other->id : leg->id;
    // What comes back after a pause is a new stretch of the line, and so a new route.
    if (!muted) {
      turn.media(leg->media->worker(),
                 from ? media::ClearRoute{leg->id, far} : media::ClearRoute{far, leg->id});
    }
    reroute(turn);
  }
  turn.reply(id, view());
}

}  // namespace trunkline::call
