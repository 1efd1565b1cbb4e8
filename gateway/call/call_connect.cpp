#include "base/log.hpp"
#include "call/call.hpp"
#include "call/response_detail.hpp"
#include "call/session_identifier.hpp"
#include "sdp/codec_match.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <utility>

// From the INVITE to the answer: who is rung, what the caller hears of it, and how the two sides
// are joined.
namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr Duration kRepeatProvisional =
    seconds{60};  // RFC 3261 §13.3.1.1: keeps a proxy's Timer C from firing
constexpr std::uint32_t kLongestSession =
    86400;  // seconds: a Min-SE beyond it is taken for a mistake

Failure failure_of(const sdp::Rejection& rejection) {
  Failure failure = Failure::local(EndReason::no_codec);
  if (rejection.reason == sdp::RejectionReason::syntax) {
    failure = Failure::local(EndReason::bad_offer);
    failure.sip_code = 400;
  }
  failure.phrase = rejection.detail;
  return failure;
}

/// Which refusal tells the caller most when several refused (RFC 3261 §16.7): one for all places,
/// then the lowest class; of the 4xx those that the caller can do something about, a person's own
/// before a missing one; a 503, which is about one hop, last.
int rank(int code) {
  if (code >= 600) return 0;
  if (code < 400) return 1;
  switch (code) {
    case 401:
    case 407:
    case 415:
    case 420:
    case 484:
      return 2;
    case 486:
      return 3;
    case 480:
      return 5;
    case 408:
      return 6;
    case 503:
      return 8;
    default:
      return code < 500 ? 4 : 7;
  }
}

}  // namespace

std::vector<std::string> Call::allowed_codecs(const Node& node, const Leg& leg) const {
  if (leg.kind == Leg::Kind::browser) return node.settings.browser_codecs;
  return leg.trunk->settings.codecs;
}

std::vector<sdp::Codec> Call::codecs_for(const Node& node, const std::vector<sdp::Codec>& far,
                                         const Leg& leg) const {
  return sdp::codecs_to_offer(far, allowed_codecs(node, leg), leg.media->profile(),
                              translation_for(leg));
}

std::vector<sdp::Codec> Call::answer_codecs(const Node& node, const Leg& leg,
                                            const std::vector<sdp::Codec>& offered,
                                            const std::vector<sdp::Codec>& agreed) const {
  return sdp::codecs_to_answer(usable_codecs(node, leg, offered), agreed, translation_for(leg));
}

sdp::Translation Call::translation_for(const Leg& leg) const {
  auto translation = leg.media->translation();
  for (const auto& other : legs_) {
    if (other->alive() && other->media)
      translation = common(translation, other->media->translation());
  }
  return towards(leg.media->profile(), translation);
}

std::vector<sdp::Codec> Call::offered_by_caller(const Node& node) const {
  if (!caller_offer_ && caller().media->sdp().established())
    return caller().media->sdp().agreed_codecs();
  if (!caller_offer_)
    return sdp::codecs_to_offer(allowed_codecs(node, caller()), caller().media->profile());
  return usable_codecs(node, caller(), caller_offer_->codecs);
}

bool Call::start_caller_media(Turn& turn, const sip::Message& invite) {
  Leg& leg = caller();
  if (!give_media(turn, leg, worker_)) return end(turn, Failure::local(EndReason::no_ports)), false;
  const std::string_view offer = sdp_of(invite);
  if (offer.empty()) {
    leg.media->open(turn);
    return true;
  }
  auto remote = leg.media->sdp().receive_offer(offer);
  if (!remote) return end(turn, failure_of(remote.error())), false;
  if (const auto obstacle = meet(turn, leg, *remote)) return end(turn, *obstacle), false;
  caller_offer_ = *remote;
  leg.media->open(turn);
  leg.media->update(turn, *remote);
  return true;
}

void Call::start(Turn& turn, const sip::RequestReceived& event) {
  Leg& leg = caller();
  turn.observe(CallStarted{view()});
  auto dialog = sip::Dialog::as_uas(event.request, leg.local_tag);
  if (!dialog) {
    Failure failure = Failure::local(EndReason::bad_offer);
    failure.sip_code = 400;
    return end(turn, failure);
  }
  leg.dialog = *dialog;
  secure_ = leg.secure;
  Trunk* from = leg.trunk.get();
  if (from != nullptr) {
    if (*from->calls >= from->settings.max_calls)
      return end(turn, Failure::local(EndReason::limit));
    leg.place = TrunkPlace(from->calls);
  }
  leg.session = sip::SessionTimer::agree(
      event.request, from != nullptr ? from->settings.session_expires_seconds : 0);
  if (!start_caller_media(turn, event.request)) return;
  if (caller_offer_) leg.heard(sdp::ready_direction(*caller_offer_));
  const std::string name =
      destination_.kind == Destination::Kind::user ? destination_.name : view_.dialled;
  call_to(turn, {destination_, name});
}

void Call::dial(Turn& turn, const Party& party) {
  attempt_ = legs_.size();
  best_refusal_.reset();
  switch (party.destination.kind) {
    case Destination::Kind::trunk:
      return dial_trunk(turn, party);
    case Destination::Kind::user:
      return dial_user(turn, party);
    case Destination::Kind::service:
      if (party.destination.name == "policy") return ask_policy(turn);
      // Two services would have nobody to be called.
      if (service_) return party_failed(turn, Failure::local(EndReason::no_route));
      serve(dialled_side(), party.destination.name);
      return calling_first_ ? call_to(turn, origin_->to) : join_service(turn);
    case Destination::Kind::none:
      return party_failed(turn, Failure::local(EndReason::no_route));
  }
}

void Call::dial_trunk(Turn& turn, const Party& party) {
  const auto callee = at_trunk(turn, party.destination.name, party.number, dialled_side(), worker_);
  if (!callee) return party_failed(turn, callee.error());
  Leg& leg = *callee->leg;
  if (leg.media && ring(turn, *callee)) return;
  leg.state = Leg::State::ended;
  branch_failed(turn, leg, Failure::local(leg.media ? EndReason::no_codec : EndReason::no_ports));
}

void Call::dial_user(Turn& turn, const Party& party) {
  const std::string& user = party.destination.name;
  const auto bindings = devices(turn, party.destination);
  // At once, whatever the store says: nobody here waits for it.
  bool rung = look_elsewhere(turn, party.destination);
  if (bindings.empty() && !rung) {
    const bool unlisted = party.destination.unlisted;
    return party_failed(turn,
                        Failure::local(unlisted ? EndReason::no_route : EndReason::not_registered));
  }
  for (const Binding& binding : bindings) {
    const Callee callee = at_device(turn, binding, user, dialled_side(), worker_);
    if (ring(turn, callee)) {
      rung = true;
    } else {
      callee.leg->state = Leg::State::ended;
    }
  }
  if (!rung) party_failed(turn, Failure::local(EndReason::no_codec));
}

bool Call::ring(Turn& turn, const Callee& callee) {
  Leg& leg = *callee.leg;
  const auto codecs = codecs_for(turn.node, leg);
  if (sdp::audio_codec(codecs) == nullptr) return false;
  const auto direction =
      caller_offer_ ? sdp::ready_direction(*caller_offer_) : sdp::Direction::sendrecv;
  const std::string offer = leg.offer(codecs, direction);
  leg.media->open(turn);
  // A party that was called first listens already; of several devices none could be told apart.
  const Leg* first = calling_first_ || leg.kind != Leg::Kind::trunk ? nullptr : find(from_);
  const bool listens = first != nullptr && first->state == Leg::State::confirmed &&
                       first->media->sdp().established();
  if (listens) route_early(turn, leg.id, *leg.media, first->id, *first->media);
  if (!leg.caller && leg.id != from_) leg.far_session_uuid = caller().session_uuid;
  Invitation invitation{.request_uri = callee.request_uri,
                        .caller = present_to(turn.node, caller_for(turn.node, leg), leg),
                        .to = callee.to,
                        .max_forwards = forwards_,
                        .sdp = offer,
                        .headers = fields_for(turn, callee)};
  leg.send_invite(turn, invitation);
  watch_target(turn, leg);
  return true;
}

void Call::provisional(Turn& turn, Leg& leg, const sip::ResponseReceived& event) {
  const int status = event.response.status();
  const bool transfer = dialled_for_transfer(leg);
  const bool alerts = status != 100 && status != 199;
  const auto answer = hear_provisional(turn, leg, event);
  if (!answer) return;
  leg.reached(!alerts                          ? Phase::trying
              : sdp_of(event.response).empty() ? Phase::ringing
                                               : Phase::early_media);
  if (!alerts || (winner_ && !transfer)) return;
  carry_fields_back(turn, leg, event.response);
  leg.peer_updates =
      leg.peer_updates || sip::has_token(event.response, HeaderName::allow, "UPDATE");
  if (transfer) return target_rings(turn, leg, event.response, *answer);
  // Early media of several ringing browsers could not be told apart: only a trunk's is played.
  const std::string_view sdp = leg.kind == Leg::Kind::trunk ? *answer : std::string_view{};
  if (calling_first_) {                             // the call is as far as its `to` side
    if (!sdp.empty()) take_answer(turn, leg, sdp);  // the 200 may come without one
    return;
  }
  const bool may_hear =
      serving() || (leg.id != from_ && (caller_offer_ || !caller_waits() || caller().reliable));
  const bool first = !view_.ringing;
  if (first) view_.ringing = turn.at.wall;
  if (!sdp.empty() && may_hear && take_answer(turn, leg, sdp)) {
    const bool begins = std::exchange(early_, leg.id) != leg.id;
    if (first || begins) turn.observe(CallRinging{view(), status});
    send_provisional(turn, 183, true);
    comfort(turn);
    return align(turn);
  }
  comfort(turn);
  if (first) turn.observe(CallRinging{view(), status});
  if (status != last_provisional_) send_provisional(turn, status, false);
}

void Call::send_provisional(Turn& turn, int status, bool with_sdp) {
  if (!caller_waits()) return;
  Leg& leg = caller();
  last_provisional_ = status;
  repeat_provisional_at_ = turn.at.now + kRepeatProvisional;
  const std::string offer = early_offer(turn, leg, with_sdp);
  leg.respond_with_sdp(turn, leg.invite, leg.invite_request, status,
                       with_sdp && offer.empty() ? leg.answer_sdp : offer);
}

bool Call::take_answer(Turn& turn, Leg& leg, std::string_view text) {
  const auto remote = leg.media->answered(text);
  if (!remote) {
    log::warn("answer refused",
              {{"call_id", view_.name}, {"leg", leg.peer}, {"why", remote.error().detail}});
    return false;
  }
  if (leg.dialog) leg.answered_by = leg.dialog->remote_tag();
  leg.media->update(turn, *remote);
  leg.heard(sdp::ready_direction(*remote));
  return agree_with_caller(turn, leg, leg.media->sdp().agreed_codecs());
}

bool Call::agree_with_caller(Turn& turn, const Leg& leg, const std::vector<sdp::Codec>& spoken) {
  Leg& to = caller();
  if (serving() || &to == &leg || (!caller_offer_ && !to.media->sdp().established())) return true;
  if (caller_offer_ && to.answer_sdp.empty()) {
    // Frozen with the first answer: the caller sees the same one in every response (RFC 3261
    // §13.2.1).
    const auto codecs = answer_codecs(turn.node, to, offered_by_caller(turn.node), spoken);
    if (codecs.empty()) return false;
    // What an early answer says of its direction is often only about the announcement that plays
    // now.
    to.answer_sdp = to.answer(codecs, winner_ ? leg.peer_direction : sdp::Direction::sendrecv);
    to.media->update(turn, *caller_offer_);
  }
  if (lacks_transcoder(turn.node, to, leg)) return false;
  route_media(turn, to.id, *to.media, leg.id, *leg.media);
  count_transcoded(turn.node, &to, &leg);
  return true;
}

bool Call::lacks_transcoder(const Node& node, const Leg& one, const Leg& other) const {
  return !transcoded_on_ && one.media && other.media && transcoded(*one.media, *other.media) &&
         !node.may_transcode(one.media->worker());
}

void Call::count_transcoded(Node& node, const Leg* one, const Leg* other) {
  if (transcoded_on_) node.count_transcoded(*transcoded_on_, -1);
  transcoded_on_.reset();
  if (one == nullptr || other == nullptr || !transcoded(*one->media, *other->media)) return;
  transcoded_on_ = one->media->worker();
  node.count_transcoded(*transcoded_on_, 1);
}

bool Call::confirm(Turn& turn, Leg& leg, const sip::ResponseReceived& event) {
  const sip::Dialog* dialog =
      leg.dialog_of(leg.outgoing[event.transaction].request, event.response);
  if (dialog == nullptr) return false;
  leg.enter(std::string(dialog->remote_tag()));
  leg.dialog->confirm(event.response);
  leg.state = Leg::State::confirmed;
  leg.reached(Phase::answered);
  leg.peer_updates = sip::has_token(event.response, HeaderName::allow, "UPDATE");
  leg.peer_refers = may_take(event.response, "REFER");
  leg.peer_informs = may_take(event.response, "INFO");
  if (leg.trunk != nullptr) turn.node.trunks.current(*leg.trunk).served(leg.target);
  leg.ack(turn, event.transaction, *leg.dialog, sip::cseq_of(event.response).number);
  leg.timer.start(sip::SessionTimer::settled(event.response), turn.at.now);
  return true;
}

void Call::answered(Turn& turn, Leg& leg, const sip::ResponseReceived& event) {
  if (leg.state == Leg::State::inviting && dialled_for_transfer(leg))
    return target_answered(turn, leg, event);
  if (leg.state != Leg::State::inviting || winner_) {
    const bool elsewhere = winner_ || (leg.caller && !calling_first_);
    return leg.refuse_answer(turn, event.transaction, event.response,
                             elsewhere ? kElsewhere : std::string_view{});
  }
  if (!confirm(turn, leg, event)) {
    leg.state = Leg::State::ended;
    return branch_failed(turn, leg, Failure::from_response(500, "2xx without To tag"));
  }
  carry_fields_back(turn, leg, event.response);
  choose(turn, leg);
  const std::string sdp = leg.answer_in(event.response, true);
  const bool agreed = sdp.empty() ? leg.media->sdp().established() : take_answer(turn, leg, sdp);
  leg.media->forget_offer();
  chosen(turn, leg, agreed);
}

void Call::choose(Turn& turn, const Leg& leg) {
  (calling_first_ || serving() ? from_ : winner_) = leg.id;
  ring_until_ = repeat_provisional_at_ = kNever;
  cancel_others(turn);
}

void Call::chosen(Turn& turn, Leg& leg, bool agreed) {
  if (!agreed) {
    view_.from_failed = calling_first_;
    const bool full = !calling_first_ && !serving() && lacks_transcoder(turn.node, caller(), leg);
    return end(turn, Failure::local(full ? EndReason::limit : EndReason::no_codec));
  }
  if (calling_first_) {
    if (leg.identity.privacy.hides_party()) shown_.privacy = leg.identity.privacy;
    leg.identity = shown_;
    targets_.clear();
    return call_to(turn, origin_->to);
  }
  if (serving()) return join_service(turn);
  answer_caller(turn, leg);
}

void Call::answer_caller(Turn& turn, const Leg& from) {
  Leg& leg = caller();
  if (!caller_waits()) {
    connected(turn);
    return align(turn);
  }
  if (caller_offer_) {
    leg.respond_with_sdp(turn, leg.invite, leg.invite_request, 200, leg.answer_sdp);
  } else if (leg.offered_early) {
    // The PRACK has brought the answer, or the 2xx waits for it.
    leg.respond_with_sdp(turn, leg.invite, leg.invite_request, 200, {});
  } else {
    // RFC 3261 §13.2.1: no offer in the INVITE, so ours goes in the 2xx and theirs comes in the
    // ACK.
    const auto codecs = codecs_for(turn.node, from.media->sdp().agreed_codecs(), leg);
    if (codecs.empty()) return end(turn, Failure::local(EndReason::no_codec));
    leg.offered_in = leg.invite;
    leg.respond_with_sdp(turn, leg.invite, leg.invite_request, 200,
                         leg.offer(codecs, from.peer_direction));
  }
  leg.state = Leg::State::answered;
  leg.reached(Phase::answered);
  leg.dialog->confirm();
  connected(turn);
}

void Call::connected(Turn& turn) {
  ring_until_ = repeat_provisional_at_ = kNever;
  view_.answered = turn.at.wall;
  listen(turn.at.now);
  if (origin_ && origin_->max_duration) end_at_ = turn.at.now + *origin_->max_duration;
  turn.observe(CallAnswered{view()});
  comfort(turn);
}

void Call::serve(Side side, const std::string& service) {
  service_ = Service{service, side, next_name(side), legs_.empty() ? LegId{} : legs_.back()->id,
                     std::nullopt};
}

void Call::join_service(Turn& turn) {
  Leg& leg = caller();
  leg.far_session_uuid = make_session_uuid(turn.node.random);
  if (!caller_waits()) {
    play_service(turn);
    connected(turn);
    return align(turn);
  }
  const auto allowed = service_codecs(turn.node, leg);
  if (caller_offer_) {
    const auto usable = sdp::codecs_to_offer(caller_offer_->codecs, allowed, leg.media->profile());
    const auto codecs = sdp::codecs_to_answer(caller_offer_->codecs, usable);
    if (codecs.empty()) return end(turn, Failure::local(EndReason::no_codec));
    leg.answer_sdp = leg.answer(codecs, sdp::Direction::sendrecv);
    leg.media->update(turn, *caller_offer_);
    leg.respond_with_sdp(turn, leg.invite, leg.invite_request, 200, leg.answer_sdp);
    play_service(turn);
  } else if (leg.offered_early) {
    leg.respond_with_sdp(turn, leg.invite, leg.invite_request, 200, {});
    play_service(turn);
  } else {
    leg.offered_in = leg.invite;
    leg.respond_with_sdp(
        turn, leg.invite, leg.invite_request, 200,
        leg.offer(sdp::codecs_to_offer(allowed, leg.media->profile()), sdp::Direction::sendrecv));
  }
  leg.state = Leg::State::answered;
  leg.reached(Phase::answered);
  leg.dialog->confirm();
  connected(turn);
}

void Call::play_service(Turn& turn) {
  Leg& leg = caller();
  if (service_->name == "echo") {
    return route_media(turn, leg.id, *leg.media, leg.id, *leg.media, passage(leg, leg));
  }
  const bool tone = service_->name == "tone";
  if (!tone && service_->name != "play") return;  // silence
  const bool heard = sdp::sends(leg.media->sdp().direction()) && passage(leg, leg) == Passage::all;
  if (!tone) return play(turn, leg, heard ? std::optional(media::Sound::play) : std::nullopt);
  if (!heard) return turn.media(leg.media->worker(), media::StopTone{leg.id});
  const sdp::Codec* codec = sdp::audio_codec(leg.media->sdp().agreed_codecs());
  const bool pcma = codec != nullptr && sip::equals_ignoring_case(codec->name, "PCMA");
  const bool pcmu = codec != nullptr && sip::equals_ignoring_case(codec->name, "PCMU");
  if (!pcma && !pcmu) return;  // until one of them is agreed
  const auto law = pcma ? media::ToneCodec::pcma : media::ToneCodec::pcmu;
  turn.media(leg.media->worker(), media::StartTone{leg.id, law, codec->payload_type, 440});
}

void Call::refused(Turn& turn, Leg& leg, const sip::ResponseReceived& event) {
  if (!leg.alive()) return;  // the 487 to our CANCEL
  leg.reached(Phase::trying);
  Failure failure = failure_of(event.response);
  if (leg.kind == Leg::Kind::trunk) {
    failure.trunk_full =
        failure.names_full_network(leg.trunk->names_capacity(event.response.reason()));
  }
  if (leg.caller) failure.ended_by = EndedBy::caller;
  carry_fields_back(turn, leg, event.response);
  const Leg::Outgoing& sent = leg.outgoing[event.transaction];
  constexpr int kFlowFailed = 430;
  if (leg.kind == Leg::Kind::browser && event.response.status() == kFlowFailed) {
    // RFC 5626 §5.3: a proxy in the way to the device has lost it. The caller does not hear of
    // that.
    if (tried_other_flow(turn, leg, sent, &event.response)) return;
    failure = Failure::local(EndReason::not_registered);
  }
  if (redirected(turn, leg, sent, &event.response, failure)) return;
  if (tried_elsewhere(turn, leg, sent, &event.response, failure)) return;
  leg.state = Leg::State::ended;
  branch_failed(turn, leg, failure);
}

void Call::judge(Boxed<Failure>& best, const Failure& failure, bool several) {
  Failure judged = failure;
  // One device of several can't speak for the others: its "everywhere" counts as this device being
  // unavailable.
  if (several && judged.sip_code >= 600) {
    judged.sip_code = 480;
    judged.phrase.clear();
  }
  if (!best || rank(judged.sip_code) < rank(best->sip_code)) best = judged;
}

void Call::branch_failed(Turn& turn, Leg& leg, const Failure& failure) {
  if (dialled_for_transfer(leg)) return target_failed(turn, leg, failure);
  if (leg.media) leg.media->close(turn);
  // A node that does not answer has no bindings any more.
  const bool node_lost = !leg.replica.empty() && !failure.remote;
  Failure known = node_lost ? Failure::local(EndReason::not_registered) : failure;
  known.phase = leg.phase;
  leg_ended(turn, leg, known);
  judge(best_refusal_, known, legs_.size() - attempt_ > 1);
  const bool ringing = std::any_of(legs_.begin(), legs_.end(), [](const auto& other) {
    return other->state == Leg::State::inviting;
  });
  if (!ringing && !look_up_) party_failed(turn, *best_refusal_);
}

bool Call::retry(Turn& turn, Leg& leg, sip::TransactionId transaction,
                 const sip::Message& response) {
  Leg::Outgoing& sent = leg.outgoing[transaction];
  const int status = response.status();
  const bool outlasts = sent.purpose == Leg::Purpose::bye || sent.purpose == Leg::Purpose::notify;
  // An early dialog that has gone, with the INVITE that began it, is asked nothing more.
  const std::string_view dialog = sip::to_tag(sent.request);
  const bool astray = !dialog.empty() && leg.dialog_with(dialog) == nullptr;
  const bool pointless = !outlasts && (astray || !leg.alive());
  if (pointless || sent.finished) return false;
  Leg::Outgoing again = sent;
  again.finished = false;
  if (status == 401 || status == 407) {
    if (!leg.digest || sent.challenges >= sip::kMaxChallenges) return false;
    // RFC 3261 §22.2: the next CSeq is part of nothing that is hashed, so the credentials may be
    // made before it.
    if (!leg.digest->authorize(response, again.request)) return false;
    ++again.challenges;
  } else if (status == 422 && !sent.interval_raised) {
    const auto minimum = response.header(HeaderName::min_se);
    const auto interval = minimum ? sip::parse_delta_seconds(*minimum) : std::nullopt;
    if (!interval || *interval > kLongestSession) return false;
    const auto asked =
        sip::SessionExpires::parse(sent.request.header(HeaderName::session_expires).value_or(""));
    sip::SessionExpires wanted = asked ? *asked : sip::SessionExpires{};
    wanted.delta_seconds =
        std::max({*interval, wanted.delta_seconds, sip::kMinimumSessionInterval});
    again.request.set(HeaderName::session_expires, wanted.text());
    again.request.set(HeaderName::min_se,
                      std::to_string(std::max(*interval, sip::kMinimumSessionInterval)));
    if (leg.digest) leg.digest->preload(again.request);  // a nonce count of its own
    again.interval_raised = true;
  } else {
    return false;
  }
  sent.finished = true;
  const sip::TransactionId next = leg.send_again(turn, std::move(again), response);
  if (reoffer_ && reoffer_->client == transaction) reoffer_->client = next;
  if (digits_ && digits_->info == transaction) digits_->info = next;
  if (transfer_ && transfer_->refer == transaction) transfer_->refer = next;
  carried_again(transaction, next);
  return true;
}

}  // namespace trunkline::call
