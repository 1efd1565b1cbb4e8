#include "call/call.hpp"
#include "call/refusals.hpp"

#include <algorithm>
#include <utility>

// An attended transfer: the party of a leg of this call is joined with the one that another call
// has consulted. The consulted leg moves here as it is; what has to be agreed anew - a codec, the
// media's place on another worker - is agreed with the party of this call before anything is given
// up.
namespace trunkline::call {

void Call::execute(Turn& turn, RequestId id, const AttendedTransfer& request, Call& consult) {
  const Leg* leg = addressed(turn, id, request.on);
  if (leg == nullptr) return;
  const Leg* consulted = consult.find(consult.winner_);
  if (!consult.view_.answered || consulted == nullptr)
    return turn.reply(id, wrong_state("the consult call has no answered party"));
  if (transfer_ || holding_ || consult.transfer_ || consult.holding_)
    return turn.reply(id, in_progress("another operation on one of the calls has not ended"));
  if (leg->reconnect_by != kNever || consulted->reconnect_by != kNever)
    return fail(turn, id, Failure::local(EndReason::browser_lost));
  TransferOperation attended;
  attended.request = id;
  attended.leg = leg->id;
  attended.asked = request.consult_call;
  begin_attending(turn, std::move(attended), *consulted);
}

void Call::begin_attending(Turn& turn, TransferOperation attended, const Leg& consulted) {
  prune(turn.node);
  transfer_ = std::move(attended);
  transfer_->stage = TransferOperation::Stage::joining;
  transfer_->consulted = consulted.id;
  transfer_->try_now = true;
  transfer_->give_up_at = turn.at.now + kJoinPatience;
}

LegId Call::awaits() {
  return transfer_ && std::exchange(transfer_->try_now, false) ? transfer_->consulted : LegId{};
}

bool Call::attend(Turn& turn, Call* consult) {
  Leg* consulted = consult != nullptr ? consult->find(transfer_->consulted) : nullptr;
  if (consult == this || consulted == nullptr || !consulted->alive() ||
      consult->partner(*consulted) == nullptr) {
    transfer_failed(turn, Failure::from_response(480, "Ended before it was joined"));
    return false;
  }
  if (consult->transfer_ || consult->holding_ || consult->reoffer_ ||
      consult->offer_pending(*consulted)) {
    transfer_->again_at = turn.at.now + kTryAgain;
    return false;
  }
  if (!agree(turn, *find(transfer_->leg), *consulted)) return false;
  const TransferOperation done = *std::exchange(transfer_, std::nullopt);
  tell_referrer(turn, done, 200);  // before it is released
  Leg& party = *find(done.leg);
  const std::string number =
      consulted->caller ? consult->view_.from_number : consult->view_.to_number;
  join(turn, party, consult->give(turn, *consulted, *this, opposite(party)), number);
  transfer_done(turn, done);
  consult->end(turn, Failure::local(EndReason::transferred));
  return true;
}

Leg& Call::give(Turn& turn, Leg& leg, Call& to, Side side) {
  stop_digits(turn, leg, "the leg went to another call");
  end_carried(turn);  // whom they were meant for it leaves behind, or is left by
  if (leg.id == from_) from_ = winner_;
  winner_ = early_ = {};
  const auto place =
      std::find_if(legs_.begin(), legs_.end(), [&](const auto& one) { return one.get() == &leg; });
  std::unique_ptr<Leg> given = std::move(*place);
  legs_.erase(place);
  Leg& moved = to.take_in(turn.node, std::move(given), side);
  moved.register_dialog(turn.node);  // its messages are the other call's from now on
  return moved;
}

}  // namespace trunkline::call
