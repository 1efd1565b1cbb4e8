#include "call/call.hpp"
#include "sdp/codec_match.hpp"
#include "sip/endpoint.hpp"

#include <algorithm>
#include <utility>

// INVITE with Replaces (RFC 3891): the new leg takes the place of one that the same party has. In
// an answered call it is answered at once, joined as a target of a transfer is, and the old one is
// released. In place of one that still rings it is the answer, and who else rings is cancelled. If
// it can't be joined, the call is as it was.
namespace trunkline::call {

using sip::HeaderName;

namespace {
/// What the sender is asked to wait while something else goes on in the call, in seconds.
constexpr std::uint32_t kReplaceAgain = 2;
}  // namespace

int Call::replace_refusal(const Leg& old, bool early_only) const {
  // RFC 3891 §3: a dialog that is over is declined; an early one that its peer has begun counts as
  // none.
  if (!old.alive()) return 603;
  if (old.state == Leg::State::invited) return 481;
  if (old.state == Leg::State::inviting) return legs_.size() >= kMaxLegs ? 500 : 0;
  if (early_only) return 486;
  if (view_.answered && serving()) return 603;
  const Leg* party = partner(old);
  const bool talks = view_.answered && joined(old) && party != nullptr && party->alive();
  if (!talks || transfer_ || holding_ || reoffer_ || legs_.size() >= kMaxLegs) return 500;
  return 0;
}

Leg& Call::add_replacement(Turn& turn, const Leg& old, const Leg& party,
                           const sip::RequestReceived& event) {
  Leg& leg = add_leg(turn, old.kind, old.peer, old.caller ? Side::from : Side::to);
  const Trunk* trunk = leg.trunk.get();
  leg.identity = trunk != nullptr
                     ? identity_of_peer(*trunk, event.request)
                     : identity_of_user(turn.node.settings.users, leg.peer, event.request);
  leg.invited_by(turn, event);
  leg.far_session_uuid = party.session_uuid;
  leg.introduce(present_to(turn.node, party.identity, leg));
  if (auto dialog = sip::Dialog::as_uas(event.request, leg.local_tag)) leg.dialog = *dialog;
  if (trunk != nullptr)  // the old leg gives its own back in a moment
    leg.place = TrunkPlace(trunk->calls);
  leg.session = sip::SessionTimer::agree(
      event.request, trunk != nullptr ? trunk->settings.session_expires_seconds : 0);
  return leg;
}

void Call::replace(Turn& turn, LegId replaced, const sip::RequestReceived& event, bool early_only) {
  const Leg& old = *find(replaced);
  if (const int status = replace_refusal(old, early_only)) {
    auto response = sip::make_response(event.request, status, turn.node.random.token(12));
    if (status == 500) response.add(HeaderName::retry_after, std::to_string(kReplaceAgain));
    return turn.respond(event.transaction, std::move(response));
  }
  if (old.state == Leg::State::inviting) return pick_up(turn, old, event);
  prune(turn.node);
  const Leg& party = *partner(old);
  Leg& leg = add_replacement(turn, old, party, event);
  transfer_ = TransferOperation{};
  transfer_->leg = party.id;
  transfer_->asked = leg.party();
  transfer_->target.number = leg.identity.number;
  transfer_->dialled = {leg.id};
  transfer_->give_up_at = turn.at.now + kJoinPatience;
  if (!leg.dialog) return transfer_failed(turn, Failure::local(EndReason::bad_offer));
  if (const auto failure = answer_replacement(turn, leg, party))
    return transfer_failed(turn, *failure);
  leg.state = Leg::State::answered;
  leg.reached(Phase::answered);
  leg.dialog->confirm();
  if (!leg.offered_in) begin_joining(turn);
}

void Call::pick_up(Turn& turn, const Leg& old, const sip::RequestReceived& event) {
  const bool for_transfer = dialled_for_transfer(old);
  Leg& leg = add_replacement(turn, old, for_transfer ? *find(transfer_->leg) : caller(), event);
  std::optional<Failure> failure;
  if (!leg.dialog) {
    failure = Failure::local(EndReason::bad_offer);
  } else if (for_transfer) {
    failure = answer_replacement(turn, leg, *find(transfer_->leg));
  } else {
    failure = answer_pick_up(turn, leg);
  }
  // RFC 3891 §3: what can't be accepted leaves the other dialog as it is.
  if (failure) return drop_leg(turn, leg, *failure);
  leg.state = Leg::State::answered;
  leg.reached(Phase::answered);
  leg.dialog->confirm();
  if (for_transfer) {
    transfer_->dialled = {leg.id};
    cancel_others(turn);
    if (!leg.offered_in) begin_joining(turn);
    return;
  }
  const auto spoken =
      leg.offered_in ? codecs_for(turn.node, leg) : leg.media->sdp().agreed_codecs();
  choose(turn, leg);
  chosen(turn, leg, agree_with_caller(turn, leg, spoken));
}

std::optional<Failure> Call::answer_pick_up(Turn& turn, Leg& leg) {
  if (!give_media(turn, leg, worker_)) return Failure::local(EndReason::no_ports);
  const auto known = codecs_for(turn.node, leg);
  const auto direction =
      caller_offer_ ? sdp::ready_direction(*caller_offer_) : sdp::Direction::sendrecv;
  const std::string_view text = sdp_of(leg.invite_request);
  if (text.empty()) {
    // Two who both leave the offer to us would have to wait for each other.
    const bool both = caller_waits() && !caller_offer_;
    if (both || sdp::audio_codec(known) == nullptr) return Failure::local(EndReason::no_codec);
    leg.media->open(turn);
    leg.offered_in = leg.invite;
    leg.respond_with_sdp(turn, leg.invite, leg.invite_request, 200, leg.offer(known, direction));
    return std::nullopt;
  }
  const auto offer = leg.media->sdp().receive_offer(text);
  if (!offer) return Failure::local(EndReason::no_codec);
  if (auto obstacle = meet(turn, leg, *offer)) return obstacle;
  const auto codecs = answer_codecs(turn.node, leg, offer->codecs, known);
  if (codecs.empty()) return Failure::local(EndReason::no_codec);
  leg.answer_sdp = leg.answer(codecs, direction);
  leg.media->open(turn);
  leg.media->update(turn, *offer);
  leg.heard(sdp::ready_direction(*offer));
  leg.respond_with_sdp(turn, leg.invite, leg.invite_request, 200, leg.answer_sdp);
  return std::nullopt;
}

std::optional<Failure> Call::answer_replacement(Turn& turn, Leg& leg, const Leg& party) {
  const std::size_t worker = party.media->worker();
  if (!give_media(turn, leg, worker)) return Failure::local(EndReason::no_ports);
  const auto& spoken = party.media->sdp().agreed_codecs();
  const std::string_view text = sdp_of(leg.invite_request);
  if (text.empty()) {
    const auto codecs = codecs_for(turn.node, spoken, leg);
    if (codecs.empty()) return Failure::local(EndReason::no_codec);
    leg.media->open(turn);
    leg.offered_in = leg.invite;
    leg.respond_with_sdp(turn, leg.invite, leg.invite_request, 200,
                         leg.offer(codecs, sdp::Direction::sendrecv));
    return std::nullopt;
  }
  const auto offer = leg.media->sdp().receive_offer(text);
  if (!offer) return Failure::local(EndReason::no_codec);
  if (auto obstacle = meet(turn, leg, *offer)) return obstacle;
  const auto usable = usable_codecs(turn.node, leg, offer->codecs);
  auto codecs = sdp::codecs_to_answer(usable, spoken);
  if (codecs.empty()) {
    // What the party would have to be asked for.
    codecs = sdp::codecs_to_answer(
        usable,
        sdp::codecs_to_offer(usable, allowed_codecs(turn.node, party), leg.media->profile()));
  }
  if (codecs.empty()) codecs = answer_codecs(turn.node, leg, usable, spoken);
  if (codecs.empty()) return Failure::local(EndReason::no_codec);
  leg.answer_sdp = leg.answer(codecs, sdp::Direction::sendrecv);
  leg.media->open(turn);
  leg.media->update(turn, *offer);
  leg.heard(sdp::ready_direction(*offer));
  leg.respond_with_sdp(turn, leg.invite, leg.invite_request, 200, leg.answer_sdp);
  return std::nullopt;
}

void Call::replacement_acknowledged(Turn& turn, Leg& leg,
                                    const Result<sdp::RemoteMedia, sdp::Rejection>& answer) {
  if (!answer) return transfer_failed(turn, Failure::local(EndReason::bad_offer));
  leg.media->update(turn, *answer);
  leg.heard(sdp::ready_direction(*answer));
  begin_joining(turn);
}

}  // namespace trunkline::call
