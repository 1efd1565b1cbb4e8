#include "call/call.hpp"
#include "call/refusals.hpp"

#include <algorithm>
#include <utility>

// What requests of the API have in common: which leg they mean, and that each gets its one reply.
namespace trunkline::call {
namespace {

/// What a request hears whose call ended before it was done: the failure, if it was one.
Reply overtaken_by(const Failure& end) {
  const bool asked_for = end.ended_by == EndedBy::api;
  if (asked_for || end.grpc_code() == GrpcCode::ok)
    return wrong_state("the call ended meanwhile: " + std::string(end_reason_label(end.reason)));
  return end;
}

}  // namespace

Leg* Call::named(std::string_view name) {
  if (name.empty()) return find(winner_ ? winner_ : from_);
  // A side's first leg may be gone: the side is its party of now.
  const auto is_meant = [&](const auto& leg) {
    return joined(*leg) && name == side_name(leg->caller ? Side::from : Side::to);
  };
  auto found = std::find_if(legs_.begin(), legs_.end(), is_meant);
  if (found == legs_.end())
    found = std::find_if(legs_.begin(), legs_.end(),
                         [&](const auto& leg) { return leg->name == name; });
  return found != legs_.end() ? found->get() : nullptr;
}

Leg* Call::addressed(Turn& turn, RequestId id, const LegName& on) {
  Leg* leg = named(on.leg);
  if (leg == nullptr && service_ &&
      (on.leg == service_->leg || on.leg == side_name(service_->side))) {
    turn.reply(id, wrong_state("the leg is a service of the gateway"));
  } else if (leg == nullptr) {
    turn.reply(id, leg_not_found(on.leg));
  } else if (!view_.answered) {
    turn.reply(id, wrong_state("the call is not answered yet"));
  } else if (!joined(*leg)) {
    turn.reply(id, wrong_state("the leg is not in the conversation"));
  } else {
    return leg;
  }
  return nullptr;
}

void Call::fail(Turn& turn, RequestId id, Failure failure) {
  failure.phase = Phase::answered;
  turn.reply(id, std::move(failure));
}

void Call::operations_due(Turn& turn) {
  const TimePoint now = turn.at.now;
  if (holding_ && now >= holding_->again_at) offer_hold(turn);
  if (transfer_) transfer_due(turn);
  if (statistics_ && now >= statistics_->give_up_at) reply_statistics(turn);
  if (now >= sample_at_) sample(turn);
}

TimePoint Call::operations_deadline() const {
  TimePoint first = sample_at_;
  if (holding_) first = std::min(first, holding_->again_at);
  if (transfer_)
    first = std::min({first, transfer_->fall_back_at, transfer_->give_up_at, transfer_->again_at});
  if (statistics_) first = std::min(first, statistics_->give_up_at);
  return first;
}

void Call::end_operations(Turn& turn) {
  const Reply reply = overtaken_by(*view_.end);
  if (holding_) turn.reply(holding_->request, reply);
  holding_.reset();
  if (transfer_ && transfer_->request) turn.reply(transfer_->request, reply);
  transfer_.reset();
  if (digits_) turn.reply(digits_->request, reply);
  digits_.reset();
  if (statistics_) reply_statistics(turn);
  end_carried(turn);
}

}  // namespace trunkline::call
