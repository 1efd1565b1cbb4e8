#include "call/call.hpp"
#include "sdp/codec_match.hpp"

#include <algorithm>

// Re-INVITE and UPDATE in an answered call (RFC 3261 §14, RFC 3311): what only this leg needs is
// answered here - session refresh, new address, ICE restart; a changed direction or codec is
// offered to the other leg first.
namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

namespace {
constexpr Duration kReofferPatience = seconds{32};  // 64*T1: as long as a silent peer would take
constexpr Duration kUpdatePatience =
    seconds{10};  // an UPDATE is to be answered at once (RFC 3311 §5.2)
constexpr Duration kJoinOfferPatience =
    seconds{20};  // the target waits in silence, and new ICE credentials don't live for ever

/// RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10
/// ms.
Duration glare_wait(Turn& turn, const Leg& leg) {
  const bool owner = leg.dialog->role() == sip::Dialog::Role::uac;
  const std::uint32_t steps =
      owner ? 210 + turn.node.random.below(191) : turn.node.random.below(201);
  return milliseconds{10 * steps};
}

sip::Message not_acceptable(const Node& node, const Leg& leg, const sip::Message& request) {
  auto response = leg.response(node, request, 488);
  response.add(HeaderName::warning, incompatible_format(node.settings.domain));
  return response;
}

/// What of the peer's direction the other leg has to hear: nothing that it doesn't want itself, so
/// that its own hold outlasts what happens on this side; and nothing at all while we hold it.
sdp::Direction direction_for(const Leg& other, sdp::Direction peer) {
  const auto wanted = other.held ? sdp::Direction::sendonly : peer;
  return sdp::common(wanted, sdp::reversed(other.peer_wish));
}

/// An offer before the answer: there it has to be UPDATE (RFC 3311 §5.1).
sip::TransactionId send_update(Turn& turn, Leg& leg, std::string_view sdp) {
  sip::Message request = leg.dialog->request(Method::update);
  request.add(HeaderName::contact, leg.contact(turn.node));
  request.add(HeaderName::supported, kPlainSupported);
  if (leg.digest) leg.digest->preload(request);
  request.set_body("application/sdp", sdp);
  return leg.send(turn, Leg::Purpose::reinvite, std::move(request));
}

/// What the peer of the leg sends is one of these.
bool speaks(const Leg& leg, const std::vector<sdp::Codec>& known) {
  const sdp::Codec* audio = sdp::audio_codec(leg.media->sdp().agreed_codecs());
  return audio != nullptr && sdp::find_codec(known, *audio) != nullptr;
}

/// `Leg::shown` once the peer's offer holds.
sdp::Direction shown_after(const Leg& leg, const sdp::RemoteMedia& offer) {
  const auto direction = sdp::ready_direction(offer);
  return leg.held ? leg.wish_after(direction) : direction;
}
}  // namespace

sdp::Direction Call::direction_towards(const Leg& leg, bool held) const {
  const Leg* other = partner(leg);
  const auto wanted = held               ? sdp::Direction::sendonly
                      : other != nullptr ? other->shown()
                                         : sdp::Direction::sendrecv;
  return sdp::common(wanted, sdp::reversed(leg.peer_wish));
}

std::vector<sdp::Codec> Call::usable_codecs(const Node& node, const Leg& leg,
                                            const std::vector<sdp::Codec>& offered) const {
  // What the leg's own policy doesn't allow is not passed on either.
  std::vector<sdp::Codec> usable;
  const auto allowed =
      sdp::codecs_to_offer(offered, allowed_codecs(node, leg), leg.media->profile());
  for (const sdp::Codec& codec : offered) {
    if (sdp::is_telephone_event(codec) || sdp::find_codec(allowed, codec) != nullptr)
      usable.push_back(codec);
  }
  return usable;
}

bool Call::offer_pending(const Leg& leg) const {
  if (leg.media && leg.media->sdp().state() != sdp::OfferAnswer::State::stable) return true;
  if (reoffer_ && (reoffer_->from == leg.id || reoffer_->to == leg.id)) return true;
  return std::any_of(leg.outgoing.begin(), leg.outgoing.end(), [](const auto& entry) {
    return !entry.second.finished && entry.second.request.method() == Method::invite;
  });
}

bool Call::may_offer(const Leg& leg) const {
  // RFC 3311 §5.1: before the answer too, by UPDATE.
  if (leg.state == Leg::State::invited)
    return leg.peer_updates && leg.settled_early() && !offer_pending(leg);
  // RFC 3261 §14.1: not while an INVITE of either side is in progress.
  return leg.state == Leg::State::confirmed && !leg.unacknowledged && !offer_pending(leg);
}

std::optional<int> Call::glare(const Leg& leg, const sip::Message& request) const {
  const bool plain_update = request.method() == Method::update && sdp_of(request).empty();
  if (plain_update)
    return std::nullopt;  // RFC 3311 §5.2: without an offer there is nothing to collide
  // RFC 3311 §5.1: before the final response too, once the first offer has its answer reliably.
  const bool early_update = request.method() == Method::update && leg.settled_early();
  if (early_update && !dialled_for_transfer(leg)) return std::nullopt;
  // Ours is pending: 491. Theirs is: 500 with Retry-After (RFC 3261 §14.2, RFC 3311 §5.2).
  const bool theirs =
      (leg.media && leg.media->sdp().state() == sdp::OfferAnswer::State::remote_offer) ||
      (reoffer_ && reoffer_->from == leg.id) || leg.state == Leg::State::invited ||
      leg.state == Leg::State::answered;
  if (reoffer_ && reoffer_->to == leg.id) return 491;
  if (theirs) return 500;
  if (leg.state == Leg::State::inviting || offer_pending(leg) || dialled_for_transfer(leg))
    return 491;
  return std::nullopt;
}

void Call::reoffered(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  if (request.method() == Method::invite) turn.node.transactions[event.transaction] = leg.id;
  if (const auto missing = unsupported_options(request); !missing.empty()) {
    auto response = leg.response(turn.node, request, 420);
    response.add(HeaderName::unsupported, missing);
    return turn.respond(event.transaction, std::move(response));
  }
  if (sip::SessionTimer::agree(request, 0).too_small) {
    auto response = leg.response(turn.node, request, 422);
    response.add(HeaderName::min_se, std::to_string(sip::kMinimumSessionInterval));
    return turn.respond(event.transaction, std::move(response));
  }
  if (const auto status = glare(leg, request)) {
    auto response = leg.response(turn.node, request, *status);
    if (*status == 500)
      response.add(HeaderName::retry_after, std::to_string(turn.node.random.below(11)));
    return turn.respond(event.transaction, std::move(response));
  }
  const std::string_view text = sdp_of(request);
  if (const int refusal = body_refusal(request)) {
    auto response = leg.response(turn.node, request, refusal);
    add_accepted_bodies(response);
    return turn.respond(event.transaction, std::move(response));
  }
  if (text.empty()) {
    if (request.method() == Method::invite) return offer_in_answer(turn, leg, event);
    auto response = leg.response(turn.node, request, 200);
    if (leg.may_agree_session(request))
      leg.agree_session(turn, sip::SessionTimer::agree(request, leg.timer.interval_seconds()),
                        response);
    return turn.respond(event.transaction, std::move(response));
  }
  if (leg.state == Leg::State::inviting) leg.hear_fork(turn);
  const auto offer = leg.media->sdp().receive_offer(text);
  if (!offer) {
    auto response = leg.response(turn.node, request, 488);
    response.add(HeaderName::warning,
                 "304 " + turn.node.settings.domain + " " + sip::quote(offer.error().detail));
    return turn.respond(event.transaction, std::move(response));
  }
  if (const auto obstacle = meet(turn, leg, *offer)) {
    leg.rollback(turn);
    auto response = leg.response(turn.node, request, 488);
    response.add(HeaderName::warning, warning_of(*obstacle, turn.node.settings.domain));
    return turn.respond(event.transaction, std::move(response));
  }
  if (leg.state == Leg::State::inviting)
    leg.forks[leg.dialog->remote_tag()].answer = text;  // what the fork has said last
  if (offer->ice_restart) leg.media->restart_ice(turn);
  Leg* other = partner(leg);
  const bool reachable = other != nullptr && other->alive() && other->reconnect_by == kNever;
  if (!reachable || !far_leg_must_know(turn.node, leg, *other, *offer)) {
    return answer_reoffer(turn, leg, event.transaction, request, *offer);
  }
  pass_reoffer(turn, leg, *other, event, *offer);
}

std::optional<Failure> Call::meet(Turn& turn, Leg& leg, const sdp::RemoteMedia& offer) {
  return leg.media->meet(turn, leg.trunk.get(), offer);
}

bool Call::far_leg_must_know(const Node& node, const Leg& leg, const Leg& other,
                             const sdp::RemoteMedia& offer) const {
  if (direction_for(other, shown_after(leg, offer)) != other.told) return true;
  return answer_codecs(node, leg, offer.codecs, other.media->sdp().agreed_codecs()).empty();
}

void Call::pass_reoffer(Turn& turn, Leg& leg, Leg& other, const sip::RequestReceived& event,
                        const sdp::RemoteMedia& offer) {
  const auto codecs = codecs_for(turn.node, usable_codecs(turn.node, leg, offer.codecs), other);
  const bool busy = !may_offer(other);
  if (busy || codecs.empty()) {
    leg.rollback(turn);
    return turn.respond(event.transaction, busy ? leg.response(turn.node, event.request, 491)
                                                : not_acceptable(turn.node, leg, event.request));
  }
  const std::string text = other.offer(codecs, direction_for(other, shown_after(leg, offer)));
  const Duration patience =
      event.request.method() == Method::invite ? kReofferPatience : kUpdatePatience;
  reoffer_ = Reoffer{leg.id,        other.id, event.transaction,      {},
                     event.request, offer,    turn.at.now + patience, Why::passed};
  reoffer_->client = other.send_reinvite(turn, text);
}

std::vector<sdp::Codec> Call::codecs_of_answer(const Node& node, const Leg& leg,
                                               const sdp::RemoteMedia& offer) const {
  const Leg* other = partner(leg);
  if (other == nullptr) other = early_partner(leg);
  const auto agreed =
      other != nullptr
          ? other->media->sdp().agreed_codecs()
          : sdp::codecs_to_offer(offer.codecs, service_codecs(node, leg), leg.media->profile());
  return answer_codecs(node, leg, offer.codecs, agreed);
}

void Call::answer_reoffer(Turn& turn, Leg& leg, sip::TransactionId transaction,
                          const sip::Message& request, const sdp::RemoteMedia& offer) {
  const Leg* other = partner(leg);
  const auto codecs = codecs_of_answer(turn.node, leg, offer);
  if (codecs.empty()) {
    leg.rollback(turn);
    return turn.respond(transaction, not_acceptable(turn.node, leg, request));
  }
  leg.heard(sdp::ready_direction(offer));
  const auto wanted = leg.held           ? sdp::Direction::sendonly
                      : other != nullptr ? other->shown()
                                         : sdp::Direction::sendrecv;
  leg.answer_sdp = leg.answer(codecs, wanted);
  leg.media->update(turn, offer);
  if (offer.ice_restart || offer.new_association) {
    leg.media_gone = false;
    leg.media_by = kNever;
  }
  leg.respond_with_sdp(turn, transaction, request, 200, leg.answer_sdp);
  reroute(turn);
  observe_hold(turn);
}

void Call::offer_in_answer(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  const Leg* other = partner(leg);
  // RFC 3261 §14.2: all that both sides could speak, what they speak now first.
  const auto profile = leg.media->profile();
  auto codecs = sdp::codecs_to_offer(service_codecs(turn.node, leg), profile);
  if (other != nullptr) {
    const auto& spoken = other->media->sdp().agreed_codecs();
    auto names = allowed_codecs(turn.node, leg);
    std::stable_partition(names.begin(), names.end(), [&](const std::string& name) {
      const auto codec = sdp::known_codec(name, profile);
      return codec && sdp::find_codec(spoken, *codec) != nullptr;
    });
    codecs = sdp::codecs_to_offer(
        sdp::codecs_to_offer(allowed_codecs(turn.node, *other), other->media->profile()), names,
        profile, translation_for(leg));
  }
  // RFC 6337 §5.1: a fresh offer does not repeat the peer's hold, of which the other side's
  // direction may be the echo.
  const auto direction = leg.held           ? sdp::Direction::sendonly
                         : other != nullptr ? other->peer_wish
                                            : sdp::Direction::sendrecv;
  leg.offered_in = event.transaction;
  leg.respond_with_sdp(turn, event.transaction, event.request, 200, leg.offer(codecs, direction));
}

bool Call::apply_late_answer(Turn& turn, Leg& leg, const sip::Message& bearer) {
  const auto answer = leg.media->answered(sdp_of(bearer));
  if (dialled_for_transfer(leg)) return replacement_acknowledged(turn, leg, answer), true;
  // RFC 3261 §13.2.1: without the answer there is no session; waiting would only leave the line
  // dead.
  if (!answer) return end(turn, Failure::local(EndReason::bad_offer)), false;
  leg.media->update(turn, *answer);
  leg.heard(sdp::ready_direction(*answer));
  reroute(turn);
  observe_hold(turn);
  return true;
}

void Call::reoffer_answered(Turn& turn, Leg& other, const sip::Message& response) {
  const Reoffer pending = *std::exchange(reoffer_, std::nullopt);
  Leg* leg = find(pending.from);
  const auto answer = other.media->answered(sdp_of(response));
  if (!answer) {
    other.rollback(turn);
    if (leg == nullptr)
      return own_offer_refused(turn, other, pending, Failure::local(EndReason::no_codec));
    leg->rollback(turn);
    return turn.respond(pending.server, not_acceptable(turn.node, *leg, pending.request));
  }
  other.media->forget_offer();
  other.media->update(turn, *answer);
  const auto wish = other.peer_wish;
  other.heard(sdp::ready_direction(*answer));
  // That it takes our hold says nothing about a hold of its own.
  if (pending.why == Why::hold && holding_->hold) other.peer_wish = wish;
  if (leg == nullptr) return own_offer_agreed(turn, other, pending);
  answer_reoffer(turn, *leg, pending.server, pending.request, pending.offer);
}

void Call::refuse_reoffer(Turn& turn, int status, std::string_view phrase) {
  const Reoffer pending = *std::exchange(reoffer_, std::nullopt);
  if (Leg* other = find(pending.to)) other->rollback(turn);
  if (Leg* leg = find(pending.from)) {
    leg->rollback(turn);
    turn.respond(pending.server, leg->response(turn.node, pending.request, status, phrase));
  }
}

void Call::reoffer_refused(Turn& turn, Leg& other, const Failure& failure) {
  const Reoffer refused = *reoffer_;
  const int status = failure.sip_code, relayed = failure.relayed_code();
  refuse_reoffer(turn, relayed, relayed == status ? failure.phrase : std::string{});
  // RFC 5057 §5: only these end the dialog; after any other refusal the session stands as it was
  // (RFC 3261 §14.1).
  if (status == 481 || status == 408) return lost(turn, other, EndReason::dialog_lost);
  if (!refused.from) own_offer_refused(turn, other, refused, failure);
}

void Call::offer_of_ours(Turn& turn, Leg& leg, const std::string& text, Why why) {
  const Duration patience = why == Why::join ? kJoinOfferPatience : kReofferPatience;
  const bool early = leg.state == Leg::State::invited;
  // An UPDATE can't be cancelled: its transaction gives up by itself.
  const TimePoint give_up_at = early ? kNever : turn.at.now + patience;
  reoffer_ = Reoffer{{}, leg.id, {}, {}, {}, {}, give_up_at, why};
  reoffer_->client = early ? send_update(turn, leg, text) : leg.send_reinvite(turn, text);
}

void Call::own_offer_agreed(Turn& turn, Leg& leg, const Reoffer& agreed) {
  leg.media->arrive(turn);
  if (agreed.why == Why::hold) return hold_agreed(turn, leg);
  if (agreed.why == Why::join && transfer_ && transfer_->offered) {
    transfer_->aligned = transfer_->try_now = true;
    return join_target(turn);
  }
  reroute(turn);
  observe_hold(turn);
  align(turn);  // the other leg may have waited for this one
}

void Call::own_offer_refused(Turn& turn, Leg& leg, const Reoffer& refused, const Failure& failure) {
  if (refused.why != Why::hold) reroute(turn);  // a move has kept that from being done
  const bool collided = failure.remote && failure.sip_code == 491;
  // What we took back ourselves was never answered.
  const bool silent = refused.give_up_at == kNever;
  const TimePoint again = turn.at.now + (collided ? glare_wait(turn, leg) : kTryAgain);
  const Failure& told = silent ? Failure::local(EndReason::no_response) : failure;
  if (refused.why == Why::hold) return hold_refused(turn, told, collided ? again : kNever);
  if (refused.why == Why::join && transfer_ && transfer_->offered) {
    if (!collided) return transfer_failed(turn, told);
    transfer_->offered = false;
    transfer_->again_at = again;
    return;
  }
  if (caller_waits() && (failure.sip_code == 405 || failure.sip_code == 501))
    leg.peer_updates = false;
  if (collided || leg.reconnect_by != kNever) {
    align_at_ = again;
  } else {
    end_if_deaf(turn);
  }
}

void Call::refresh_answered(Turn& turn, Leg& leg, const sip::Message& response) {
  const auto answer = leg.media->answered(sdp_of(response));
  // One that can't be taken leaves the session as it was; it was only to be kept alive.
  if (!answer) return leg.rollback(turn);
  leg.media->forget_offer();
  leg.media->update(turn, *answer);
  leg.heard(sdp::ready_direction(*answer));
  reroute(turn);
  observe_hold(turn);
  align(turn);
}

void Call::refresh_refused(Turn& turn, Leg& leg, const Leg::Outgoing& sent, int status) {
  if (!leg.alive()) return;
  if (status == 481 || status == 408) return lost(turn, leg, EndReason::dialog_lost);
  if (sent.purpose != Leg::Purpose::refresh) return;
  if (sent.request.method() == Method::invite) leg.rollback(turn);
  if (sent.request.method() == Method::update && (status == 405 || status == 501)) {
    leg.peer_updates = false;
    return leg.timer.postpone(turn.at.now);
  }
  leg.timer.postpone(turn.at.now + glare_wait(turn, leg));
}

void Call::align(Turn& turn) {
  align_at_ = kNever;
  Leg* leg = find(from_);
  if (leg == nullptr || ended() || reoffer_ || !leg->media) return;
  if (caller_waits()) {
    // Its answer has come reliably, and is not said anew: what plays now may be another fork's.
    const Leg* early = early_partner(*leg);
    if (early == nullptr || hears(*leg->media, *early->media) || !may_offer(*leg)) return;
    const auto codecs = codecs_for(turn.node, early->media->sdp().agreed_codecs(), *leg);
    if (sdp::audio_codec(codecs) != nullptr)
      offer_of_ours(turn, *leg, leg->offer(codecs, leg->told), Why::align);
    return;
  }
  if (!serving()) return align(turn, *leg);
  // What it agreed to before anybody knew that a service would answer.
  const auto known = sdp::codecs_to_offer(service_codecs(turn.node, *leg), leg->media->profile());
  const bool talks = view_.answered && leg->alive() && leg->media->sdp().established();
  if (!talks || transfer_ || speaks(*leg, known)) return;
  if (!may_offer(*leg) || leg->reconnect_by != kNever) {
    align_at_ = turn.at.now + kTryAgain;
    return;
  }
  if (known.empty()) return end(turn, Failure::local(EndReason::no_codec));
  offer_of_ours(turn, *leg, leg->offer(known, direction_towards(*leg, leg->held)), Why::align);
}

void Call::align(Turn& turn, Leg& first) {
  align_at_ = kNever;
  Leg* second = partner(first);
  if (ended() || second == nullptr || reoffer_ || !first.alive() || !second->alive()) return;
  if (!align(turn, first, *second)) align(turn, *second, first);
}

bool Call::align(Turn& turn, Leg& leg, const Leg& other) {
  if (!leg.media->sdp().established() || !other.media->sdp().established()) return false;
  // An answer that came in an ACK, or after the first one was already passed on, has yet to reach
  // this side.
  const auto direction = direction_for(leg, other.shown());
  const bool apart = leg.media->worker() != other.media->worker();
  const bool deaf = apart || !hears(*other.media, *leg.media);
  if (!deaf && direction == leg.told) return false;
  if (!may_offer(leg) || leg.reconnect_by != kNever) {
    align_at_ = turn.at.now + kTryAgain;
    return true;
  }
  const auto codecs = codecs_for(turn.node, other.media->sdp().agreed_codecs(), leg);
  if (codecs.empty()) return end_if_deaf(turn), true;
  if (apart && !leg.media->move(turn, other.media->worker(), leg.trunk.get()))
    return end(turn, Failure::local(EndReason::no_ports)), true;
  offer_of_ours(turn, leg, leg.offer(codecs, direction), Why::align);
  return true;
}

void Call::end_if_deaf(Turn& turn) {
  if (serving() && view_.answered) {
    const Leg& leg = caller();
    const auto known = sdp::codecs_to_offer(service_codecs(turn.node, leg), leg.media->profile());
    if (!speaks(leg, known)) end(turn, Failure::local(EndReason::no_codec));
    return;
  }
  const Leg* callee = partner(caller());
  if (callee == nullptr || (caller().media->worker() == callee->media->worker() &&
                            shares_codec(*caller().media, *callee->media)))
    return;
  end(turn, Failure::local(EndReason::no_codec));
}

void Call::reroute(Turn& turn) {
  if (serving()) {
    if (view_.answered) play_service(turn);
    return comfort(turn);
  }
  Leg* other = partner(caller());
  if (other == nullptr && early_) other = find(early_);
  if (other == nullptr || !other->alive() || !caller().alive()) return;
  route_media(turn, caller().id, *caller().media, other->id, *other->media,
              passage(caller(), *other), passage(*other, caller()));
  count_transcoded(turn.node, &caller(), other);
  comfort(turn);
}

void Call::observe_hold(Turn& turn) {
  if (!view_.answered) return;
  const auto talks = [this](const Leg& leg) {
    return joined(leg) && leg.media && leg.media->sdp().established();
  };
  held_ = std::any_of(legs_.begin(), legs_.end(), [&](const auto& leg) {
    return talks(*leg) && (leg->held || leg->peer_direction != sdp::Direction::sendrecv);
  });
  const auto tell = [&](const Leg& leg, bool& told, bool now, bool by_api) {
    if (std::exchange(told, now) != now) turn.observe(CallHeld{view(), now, leg.name, by_api});
  };
  for (const auto& leg : legs_) {
    if (!talks(*leg)) continue;
    tell(*leg, leg->told_held, leg->held, true);
    // What it says to our hold, or to the other party's, is no hold of its own.
    tell(*leg, leg->told_on_hold, leg->peer_wish != sdp::Direction::sendrecv, false);
  }
}

}  // namespace trunkline::call
