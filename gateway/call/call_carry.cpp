#include "call/call.hpp"
#include "call/carried_headers.hpp"
#include "call/header_lists.hpp"
#include "call/response_detail.hpp"

#include <utility>

// Requests in a dialog that are meant for the other party: MESSAGE (RFC 3428) and what INFO has
// beside digits (RFC 5168). Each is a request of its own on the other leg, whose answer comes back.
namespace trunkline::call {

using sip::HeaderName;

namespace {
constexpr std::size_t kMaxCarried = 8;    ///< of one call, under way at once
constexpr std::uint32_t kCarryAgain = 1;  ///< seconds
}  // namespace

void Call::carry(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  Leg* other = partner(leg);
  const bool there =
      other != nullptr && other->state == Leg::State::confirmed && other->reconnect_by == kNever;
  int refusal = carriage_refusal(request);
  if (refusal == 0 && !there) refusal = 480;
  if (refusal == 0 && is_too_large(request, other->target)) refusal = 513;
  if (refusal == 0 && carried_.size() >= kMaxCarried) refusal = 500;
  if (refusal != 0) {
    auto response = leg.response(turn.node, request, refusal);
    if (refusal == 500) response.add(HeaderName::retry_after, std::to_string(kCarryAgain));
    if (refusal == 415) response.add(HeaderName::accept, "*/*");
    return turn.respond(event.transaction, std::move(response));
  }
  sip::Message carried = other->dialog->request(request.method());
  carried.set(HeaderName::max_forwards, std::to_string(forwards_left(request)));
  carry_content(request, carried);
  add_fields(carried, crossing(turn, request, leg, *other));
  if (other->digest) other->digest->preload(carried);
  const auto client = other->send(turn, Leg::Purpose::carried, std::move(carried));
  carried_[client] = {leg.id, event.transaction, request};
}

void Call::carried_again(sip::TransactionId before, sip::TransactionId now) {
  auto one = carried_.extract(before);
  if (one.empty()) return;
  one.key() = now;
  carried_.insert(std::move(one));
}

void Call::carried_answered(Turn& turn, Leg& leg, const sip::ResponseReceived& event) {
  const int status = event.response.status();
  if (const auto one = carried_.extract(event.transaction); !one.empty()) {
    const Carried& carried = one.mapped();
    const Failure failure = failure_of(event.response);
    const int relayed = status < 300 ? status : failure.relayed_code();
    if (const Leg* from = find(carried.from)) {
      auto response = from->response(turn.node, carried.request, relayed,
                                     relayed == status ? event.response.reason() : "");
      carry_content(event.response, response);
      add_fields(response, crossing(turn, event.response, leg, *from));
      turn.respond(carried.server, std::move(response));
    }
  }
  // RFC 5057 §5.1: these two say that the dialog is gone.
  if ((status == 481 || status == 408) && leg.alive()) lost(turn, leg, EndReason::dialog_lost);
}

void Call::carried_failed(Turn& turn, const sip::RequestFailed& event) {
  const auto one = carried_.extract(event.transaction);
  // RFC 4320 §4.2: a sender whose request was not answered in time has given it up by itself.
  if (one.empty() || event.cause == sip::RequestFailed::Cause::timeout) return;
  const Carried& carried = one.mapped();
  if (const Leg* from = find(carried.from))
    turn.respond(carried.server, from->response(turn.node, carried.request, 480));
}

void Call::end_carried(Turn& turn) {
  for (const auto& [client, carried] : std::exchange(carried_, {})) {
    if (const Leg* from = find(carried.from))  // RFC 3261 §15.1.2
      turn.respond(carried.server, from->response(turn.node, carried.request, 487));
  }
}

}  // namespace trunkline::call
