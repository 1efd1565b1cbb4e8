#include "call/call.hpp"
#include "sdp/codec_match.hpp"

#include <utility>

// Before the answer: reliable provisional responses (RFC 3262) and UPDATE (RFC 3311) in the early
// dialogs of each leg. A caller has one early dialog with us, however many the callee's side has;
// RSeq, RAck and CSeq of the one never reach the other.
//
// A PRACK of ours that is refused, or that nobody answers, changes nothing: the callee goes on
// ringing, and the final response that it sends counts. One whose final response waits for a PRACK
// that it does not understand gives up by itself.
namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

std::optional<std::string> Call::hear_provisional(Turn& turn, Leg& leg,
                                                  const sip::ResponseReceived& event) {
  const sip::Message& response = event.response;
  constexpr int kTrying = 100, kEarlyDialogTerminated = 199;
  if (response.status() == kTrying) return std::string{};
  sip::Dialog* early = leg.dialog_of(leg.outgoing[event.transaction].request, response);
  if (early == nullptr) return std::string(sdp_of(response));
  const std::string tag = early->remote_tag();
  const auto verdict = leg.forks[tag].order.receive(response);
  switch (verdict) {
    case sip::ReliableOrder::Verdict::copy:
    case sip::ReliableOrder::Verdict::out_of_order:
      return std::nullopt;  // RFC 3262 §4
    case sip::ReliableOrder::Verdict::next:
    case sip::ReliableOrder::Verdict::unreliable:
      break;
  }
  const bool reliable = verdict == sip::ReliableOrder::Verdict::next;
  early->refresh_target(response);
  if (reliable) leg.send_prack(turn, *early, response);
  if (response.status() == kEarlyDialogTerminated) return std::string{};
  leg.enter(tag);
  return leg.answer_in(response, reliable);
}

bool Call::enter_fork(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  const std::string tag(sip::from_of(event.request).tag());
  if (leg.dialog && leg.dialog->remote_tag() == tag) return true;
  const bool bye = event.request.method() == Method::bye;
  if (leg.state == Leg::State::inviting && !bye) {
    leg.enter(tag);
    if (leg.dialog) return true;
  }
  // A fork that was not chosen, or that gives up by itself: the others are not concerned.
  turn.respond(event.transaction, leg.response(turn.node, event.request, bye ? 200 : 481));
  return false;
}

const Leg* Call::early_partner(const Leg& leg) const {
  if (winner_ || !early_) return nullptr;
  const Leg* other = nullptr;
  if (leg.id == from_) other = const_cast<Call*>(this)->find(early_);
  if (leg.id == early_) other = &caller();
  const bool heard = other != nullptr && other->media && other->media->sdp().established();
  return heard ? other : nullptr;
}

std::string Call::early_offer(Turn& turn, Leg& leg, bool wanted) {
  // RFC 3262 §5: the first reliable response to an INVITE without an offer bears ours.
  const bool due = leg.reliable && (wanted || leg.reliable->required());
  if (!due || caller_offer_ || leg.offered_early) return {};
  const Leg* heard = early_ ? find(early_) : nullptr;
  const bool known = heard != nullptr && heard->media->sdp().established();
  const auto codecs = known ? codecs_for(turn.node, heard->media->sdp().agreed_codecs(), leg)
                            : offered_by_caller(turn.node);
  if (codecs.empty()) return {};
  leg.offered_early = true;
  return leg.offer(codecs, sdp::Direction::sendrecv);
}

void Call::prack(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  if (const auto missing = unsupported_options(request); !missing.empty()) {
    auto response = leg.response(turn.node, request, 420);
    response.add(HeaderName::unsupported, missing);
    return turn.respond(event.transaction, std::move(response));
  }
  const auto rack = sip::RAck::parse(request.header(HeaderName::rack).value_or(""));
  if (!rack || !leg.reliable || !leg.reliable->expects(*rack)) {
    // RFC 3262 §3: what it means was never sent, or is acknowledged.
    return turn.respond(event.transaction, leg.response(turn.node, request, rack ? 481 : 400));
  }
  if (const int refusal = body_refusal(request)) {
    auto response = leg.response(turn.node, request, refusal);
    add_accepted_bodies(response);
    return turn.respond(event.transaction, std::move(response));
  }
  describe_in_prack(turn, leg, event);
  std::vector<sip::Message> released;
  leg.reliable->acknowledge(*rack, turn.at.now, released);
  for (sip::Message& response : released)
    turn.respond(leg.invite, std::move(response));
  align(turn);
}

void Call::describe_in_prack(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  const auto accept = [&] {
    turn.respond(event.transaction, leg.response(turn.node, request, 200));
  };
  if (!leg.alive()) return accept();
  const auto state = leg.media->sdp().state();
  if (leg.offered_early && state == sdp::OfferAnswer::State::local_offer) {
    accept();
    apply_late_answer(turn, leg, request);
    return;
  }
  const std::string_view text = sdp_of(request);
  if (text.empty()) return accept();
  if (!leg.reliable->described() || state != sdp::OfferAnswer::State::stable) {
    // An offer while that of the INVITE has no answer: the peer is out of step.
    return turn.respond(event.transaction, leg.response(turn.node, request, 488));
  }
  const auto offer = leg.media->sdp().receive_offer(text);
  if (offer && !codecs_of_answer(turn.node, leg, *offer).empty() && !meet(turn, leg, *offer)) {
    if (offer->ice_restart) leg.media->restart_ice(turn);
    return answer_reoffer(turn, leg, event.transaction, request, *offer);
  }
  // RFC 6337 §3.1: a PRACK that matches is never refused; who can't take its offer ends the call.
  if (offer) leg.rollback(turn);
  accept();
  end(turn, Failure::local(EndReason::no_codec));
}

void Call::provisional_due(Turn& turn, Leg& leg) {
  std::vector<sip::Message> copies;
  const auto due = leg.reliable->on_deadline(turn.at.now, copies);
  for (sip::Message& copy : copies)
    turn.respond(leg.invite, std::move(copy));
  if (due == sip::ReliableResponses::Due::given_up)
    end(turn, Failure::local(EndReason::ack_missing));
}

}  // namespace trunkline::call
