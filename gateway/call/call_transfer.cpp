#include "call/call.hpp"
#include "call/refusals.hpp"
#include "call/session_identifier.hpp"
#include "call/unanswered.hpp"
#include "sdp/codec_match.hpp"

#include <algorithm>
#include <utility>

// A transfer by a leg of ours: the target is called while the two parties stay as they are; once it
// has answered and shares a codec, it takes the place of the party that is released. Until then
// nothing has changed, and a failure leaves nothing behind.
namespace trunkline::call {
namespace {

bool hear_each_other(const Leg& one, const Leg& other) {
  return shares_codec(*one.media, *other.media) && shares_codec(*other.media, *one.media);
}

}  // namespace

void Call::execute(Turn& turn, RequestId id, const TransferCall& request, TransferTarget target) {
  Leg* leg = addressed(turn, id, request.on);
  if (leg == nullptr) return;
  if (transfer_ || holding_)
    return turn.reply(id, in_progress("another operation on the call has not ended"));
  if (leg->reconnect_by != kNever) return fail(turn, id, Failure::local(EndReason::browser_lost));
  const bool routed = target.destination.kind != Destination::Kind::none;
  const bool automatic = request.mode == TransferMode::automatic;
  const bool by_refer =
      request.mode == TransferMode::refer || (automatic && would_refer(*leg, target));
  if (by_refer && !target.referable)
    return turn.reply(id, invalid_field("target", "means nothing to the peer of a REFER"));
  if (!by_refer && !routed) return turn.reply(id, Failure::local(EndReason::no_route));
  if (by_refer && leg->state != Leg::State::confirmed)
    return turn.reply(id, in_progress("the leg's ACK has not come"));
  prune(turn.node);
  if (legs_.size() >= kMaxLegs) return turn.reply(id, in_progress("too many legs are ending"));
  transfer_ = TransferOperation{};
  transfer_->request = id;
  transfer_->leg = leg->id;
  transfer_->asked = request.target;
  transfer_->target = std::move(target);
  transfer_->ring_timeout = request.ring_timeout.value_or(turn.node.settings.ring_timeout);
  transfer_->fall_back = automatic && routed;
  if (by_refer) return refer(turn, *leg);
  dial_target(turn);
}

void Call::prune(Node& node) {
  if (legs_.size() < kMaxLegs / 2) return;
  std::erase_if(legs_, [&](const auto& leg) {
    const bool over = leg->finished() && leg->id != from_ && leg->id != winner_;
    if (over) leg->forget(node);
    return over;
  });
}

bool Call::dialled_for_transfer(const Leg& leg) const {
  return transfer_ && std::find(transfer_->dialled.begin(), transfer_->dialled.end(), leg.id) !=
                          transfer_->dialled.end();
}

// ------------------------------------------------------------------------------- to the answer

void Call::dial_target(Turn& turn) {
  transfer_->stage = TransferOperation::Stage::dialling;
  transfer_->fall_back_at = kNever;
  transfer_->give_up_at = turn.at.now + transfer_->ring_timeout;
  if (transfer_->target.destination.kind == Destination::Kind::service) return begin_joining(turn);
  const bool trunk = transfer_->target.destination.kind == Destination::Kind::trunk;
  const auto failure = trunk ? ring_trunk(turn) : ring_user(turn);
  if (failure) transfer_failed(turn, *failure);
}

void Call::begin_joining(Turn& turn) {
  transfer_->stage = TransferOperation::Stage::joining;
  transfer_->give_up_at = turn.at.now + kJoinPatience;
  join_target(turn);
}

std::optional<Failure> Call::ring_trunk(Turn& turn) {
  const Leg& party = *find(transfer_->leg);
  const auto callee = at_trunk(turn, transfer_->target.destination.name, transfer_->target.number,
                               opposite(party), party.media->worker());
  if (!callee) return callee.error();
  transfer_->dialled.push_back(callee->leg->id);
  if (!callee->leg->media) return Failure::local(EndReason::no_ports);
  if (!ring_target(turn, *callee)) return Failure::local(EndReason::no_codec);
  return std::nullopt;
}

std::optional<Failure> Call::ring_user(Turn& turn) {
  const Leg& party = *find(transfer_->leg);
  const std::string& user = transfer_->target.destination.name;
  const auto bindings = devices(turn, transfer_->target.destination);
  bool rings = look_elsewhere(turn, transfer_->target.destination);
  if (bindings.empty() && !rings) return Failure::local(EndReason::not_registered);
  for (const Binding& binding : bindings) {
    const Callee callee = at_device(turn, binding, user, opposite(party), party.media->worker());
    transfer_->dialled.push_back(callee.leg->id);
    rings = ring_target(turn, callee) || rings;
  }
  return rings ? std::nullopt : std::optional(Failure::local(EndReason::no_codec));
}

bool Call::ring_target(Turn& turn, const Callee& callee) {
  Leg& leg = *callee.leg;
  const Leg& party = *find(transfer_->leg);
  // What the party speaks now comes first: with it nothing has to be agreed anew.
  std::vector<std::string> allowed = allowed_codecs(turn.node, leg);
  const auto& spoken = party.media->sdp().agreed_codecs();
  std::stable_partition(allowed.begin(), allowed.end(), [&](const std::string& name) {
    const auto codec = sdp::known_codec(name, party.media->profile());
    return codec && sdp::find_codec(spoken, *codec) != nullptr;
  });
  const auto codecs = sdp::codecs_to_offer(
      sdp::codecs_to_offer(allowed_codecs(turn.node, party), party.media->profile()), allowed,
      leg.media->profile(), translation_for(leg));
  if (sdp::audio_codec(codecs) == nullptr) {
    leg.state = Leg::State::ended;
    return false;
  }
  const std::string offer = leg.offer(codecs, party.peer_wish);
  leg.media->open(turn);
  leg.far_session_uuid = party.session_uuid;
  leg.send_invite(turn, {.request_uri = callee.request_uri,
                         .caller = present_to(turn.node, party.identity, leg),
                         .to = callee.to,
                         .max_forwards = kMaxForwards,
                         .sdp = offer,
                         .headers = fields_of_transfer(turn.node, callee, party)});
  watch_target(turn, leg);
  return true;
}

void Call::target_rings(Turn& turn, Leg& leg, const sip::Message& response,
                        std::string_view answer) {
  tell_referrer(turn, *transfer_, response.status(), response.reason());
  // Its early media is heard by nobody, but a 2xx need not repeat the answer in it.
  if (answer.empty()) return;
  const auto remote = leg.media->answered(answer);
  if (!remote) return;
  leg.media->update(turn, *remote);
  if (leg.dialog) leg.answered_by = leg.dialog->remote_tag();
}

void Call::target_answered(Turn& turn, Leg& leg, const sip::ResponseReceived& event) {
  if (!confirm(turn, leg, event)) {
    leg.state = Leg::State::ended;
    return target_failed(turn, leg, Failure::from_response(500, "2xx without To tag"));
  }
  transfer_->dialled = {leg.id};
  cancel_others(turn);
  const std::string sdp = leg.answer_in(event.response, true);
  bool agreed = leg.media->sdp().established();
  if (!sdp.empty()) {
    const auto remote = leg.media->answered(sdp);
    agreed = remote.has_value();
    if (remote) {
      leg.media->update(turn, *remote);
      leg.heard(sdp::ready_direction(*remote));
    }
  }
  leg.media->forget_offer();
  if (!agreed) return transfer_failed(turn, Failure::local(EndReason::no_codec));
  begin_joining(turn);
}

void Call::target_failed(Turn& turn, Leg& leg, const Failure& failure) {
  if (leg.media) leg.media->close(turn);
  leg_ended(turn, leg, failure);
  judge(transfer_->best_refusal, failure, transfer_->dialled.size() > 1);
  const bool rings = std::any_of(legs_.begin(), legs_.end(), [this](const auto& other) {
    return dialled_for_transfer(*other) && other->alive();
  });
  if (rings || look_up_) return;
  const Failure best = *transfer_->best_refusal;  // which goes with the transfer
  transfer_failed(turn, best);
}

// ------------------------------------------------------------------------------- after it

void Call::join_target(Turn& turn) {
  if (transfer_->consulted) return;  // in another call: the engine knows it
  Leg& party = *find(transfer_->leg);
  Leg* target = transfer_->dialled.empty() ? nullptr : find(transfer_->dialled.front());
  const bool ready = target != nullptr ? agree(turn, party, *target) : agree(turn, party);
  if (!ready) return;
  const TransferOperation done = *std::exchange(transfer_, std::nullopt);
  tell_referrer(turn, done, 200);  // before it is released
  if (target != nullptr) {
    join(turn, party, *target, done.target.number);
  } else {
    join(turn, party, done.target.destination);
  }
  transfer_done(turn, done);
}

void Call::transfer_done(Turn& turn, const TransferOperation& done) {
  listen(turn.at.now);
  Leg& party = *find(done.leg);
  turn.observe(CallTransferred{view(), party.name, done.asked, std::nullopt});
  if (done.request) turn.reply(done.request, view());
  align(turn, party);  // an old hold of it ends at once; the codec can wait
}

bool Call::may_ask(Turn& turn, const Leg& party) {
  // Another offer has to come to its end first: one of the party that is released too.
  if (!reoffer_ && may_offer(party) && party.reconnect_by == kNever) return true;
  transfer_->again_at = turn.at.now + kTryAgain;
  return false;
}

void Call::ask(Turn& turn, Leg& party, const std::vector<sdp::Codec>& codecs,
               sdp::Direction direction) {
  transfer_->offered = true;
  offer_of_ours(turn, party, party.offer(codecs, direction), Why::join);
}

bool Call::agree(Turn& turn, Leg& party, const Leg& target) {
  TransferOperation& transfer = *transfer_;
  transfer.again_at = kNever;
  if (reoffer_ || offer_pending(party)) return may_ask(turn, party);
  const std::size_t worker = target.media->worker();
  const bool apart = party.media->worker() != worker;
  if (!apart && party.reconnect_by == kNever && hear_each_other(party, target)) return true;
  if (!may_ask(turn, party)) return false;
  const auto codecs = codecs_for(turn.node, target.media->sdp().agreed_codecs(), party);
  EndReason obstacle = EndReason::no_codec;
  bool possible = !transfer.aligned && !codecs.empty();
  if (possible && apart) {
    obstacle = EndReason::no_ports;
    possible = party.media->move(turn, worker, party.trunk.get());
  }
  if (possible) {
    ask(turn, party, codecs, party.told);
  } else {
    transfer_failed(turn, Failure::local(obstacle));
  }
  return false;
}

bool Call::agree(Turn& turn, Leg& party) {
  TransferOperation& transfer = *transfer_;
  transfer.again_at = kNever;
  if (reoffer_ || offer_pending(party)) return may_ask(turn, party);
  const auto& spoken = party.media->sdp().agreed_codecs();
  const auto known = sdp::codecs_to_offer(
      service_codecs(turn.node, party, transfer.target.destination.name), party.media->profile());
  const sdp::Codec* audio = sdp::audio_codec(spoken);
  const bool speaks = audio != nullptr && sdp::find_codec(known, *audio) != nullptr;
  // No other party's hold is passed on any more, and none of ours.
  const auto direction = sdp::reversed(party.peer_wish);
  if (speaks && (transfer.aligned || party.told == direction)) return true;
  if (transfer.aligned || known.empty()) {
    transfer_failed(turn, Failure::local(EndReason::no_codec));
  } else if (may_ask(turn, party)) {
    ask(turn, party, speaks ? spoken : known, direction);
  }
  return false;
}

void Call::part(Turn& turn, Leg& party) {
  party.held = false;
  play(turn, party, std::nullopt);
  if (Leg* released = partner(party)) return release(turn, *released);
  turn.media(party.media->worker(), media::StopTone{party.id});
  turn.media(party.media->worker(), media::ClearRoute{party.id, party.id});
  service_ended(turn, Failure::local(EndReason::transferred));
}

void Call::join(Turn& turn, Leg& party, Leg& target, const std::string& number) {
  part(turn, party);
  target.held = false;
  party.far_session_uuid = target.session_uuid;
  target.far_session_uuid = party.session_uuid;
  party.introduce(present_to(turn.node, target.identity, party));
  target.introduce(present_to(turn.node, party.identity, target));
  from_ = party.caller ? party.id : target.id;
  winner_ = party.caller ? target.id : party.id;
  (target.caller ? view_.from : view_.to) = target.party();
  (target.caller ? view_.from_number : view_.to_number) = number;
  worker_ = party.media->worker();
  destination_ = {
      target.kind == Leg::Kind::trunk ? Destination::Kind::trunk : Destination::Kind::user,
      target.peer};
  reroute(turn);
  observe_hold(turn);
}

void Call::join(Turn& turn, Leg& party, const Destination& service) {
  part(turn, party);
  party.far_session_uuid = make_session_uuid(turn.node.random);
  party.introduce({});
  from_ = party.id;
  winner_ = early_ = {};
  (party.caller ? view_.to : view_.from) = service.text();
  (party.caller ? view_.to_number : view_.from_number) = service.name;
  if (party.caller) destination_ = service;
  serve(opposite(party), service.name);
  reroute(turn);
  observe_hold(turn);
}

void Call::release(Turn& turn, Leg& leg) {
  stop_digits(turn, leg, "the leg was released by a transfer");
  const Failure failure = Failure::local(EndReason::transferred);
  drop_leg(turn, leg, failure);
}

void Call::drop_leg(Turn& turn, Leg& leg, const Failure& failure) {
  end_leg(turn, leg, failure, failure.reason_header());
  leg.timer.stop();
  if (leg.media) leg.media->close(turn);
  leg_ended(turn, leg, failure);
}

void Call::end_dialled(Turn& turn, const Failure& failure) {
  stop_looking(turn.node);
  for (const LegId id : std::exchange(transfer_->dialled, {})) {
    Leg& leg = *find(id);
    if (!leg.end) drop_leg(turn, leg, failure);
  }
  transfer_->best_refusal.reset();
}

void Call::transfer_failed(Turn& turn, const Failure& known) {
  Failure failure = known;
  for (const LegId dialled : transfer_->dialled)
    failure.phase = std::max(failure.phase, find(dialled)->phase);
  end_dialled(turn, failure);
  const TransferOperation done = *std::exchange(transfer_, std::nullopt);
  turn.observe(CallTransferred{view(), find(done.leg)->name, done.asked, failure});
  if (done.request) turn.reply(done.request, failure);
  const int relayed = failure.relayed_code();
  const bool same = failure.remote && relayed == failure.sip_code;
  tell_referrer(turn, done, relayed, same ? failure.phrase : std::string{});
  const Leg* referrer = find(done.referrer);
  if (referrer != nullptr && !referrer->alive()) return end(turn, *referrer->end);
  align(turn);  // the party may have agreed to a codec of the target's
}

void Call::transfer_overtaken(Turn& turn, const Failure& end, const Leg* gone) {
  const bool good = end.grpc_code() == GrpcCode::ok;
  const bool heard = gone == nullptr || gone->id != transfer_->referrer;
  // A node that shuts down leaves no time for the answer.
  if (heard && end.reason != EndReason::draining)
    tell_referrer(turn, *transfer_, good ? 487 : end.relayed_code());
  turn.observe(CallTransferred{view(), find(transfer_->leg)->name, transfer_->asked,
                               good ? Failure::local(EndReason::cancelled) : end});
}

void Call::transfer_due(Turn& turn) {
  const TimePoint now = turn.at.now;
  if (now >= transfer_->fall_back_at) return dial_target(turn);
  if (now >= transfer_->give_up_at) {
    const bool rings = transfer_->stage == TransferOperation::Stage::dialling;
    std::vector<const Leg*> rung;
    for (const LegId dialled : transfer_->dialled)
      rung.push_back(find(dialled));
    return transfer_failed(turn, Failure::local(rings ? unanswered(rung) : EndReason::no_response));
  }
  if (now < transfer_->again_at) return;
  transfer_->again_at = kNever;
  transfer_->try_now = true;
  join_target(turn);
}

}  // namespace trunkline::call
