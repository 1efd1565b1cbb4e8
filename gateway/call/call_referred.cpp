#include "call/call.hpp"
#include "call/event_package.hpp"
#include "sip/status.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <utility>

// REFER from a peer (RFC 3515, RFC 5589): its partner is transferred by a leg of ours, as the API
// would do it, and the peer is told by NOTIFY how that goes. The referrer is released once it has
// heard of the success; after a failure the call is as it was.
namespace trunkline::call {

using sip::HeaderName;

namespace {

/// NOTIFYs that may wait for the answer to the one before.
constexpr std::size_t kMaxReports = 8;
/// What a referrer is asked to wait where a transfer has no room now, in seconds.
constexpr std::uint32_t kReferAgain = 5;

/// RFC 4488 §4: the referrer wants no subscription.
bool wants_no_reports(const sip::Message& request) {
  const auto value = request.header(HeaderName::refer_sub);
  return value && sip::equals_ignoring_case(sip::Cursor(*value).take_token(), "false");
}

}  // namespace

int Call::refer_refusal(const Leg& leg, const sip::Message& request) const {
  if (!unsupported_options(request).empty()) return 420;
  const Leg* party = partner(leg);
  // A service of ours is nobody who could be sent on. Before the answer there is nobody yet.
  if (view_.answered && serving()) return 603;
  if (!view_.answered || !joined(leg) || party == nullptr || !party->alive()) return 491;
  if (transfer_ || holding_ || leg.state != Leg::State::confirmed) return 491;
  if (leg.reports.waiting.size() >= kMaxReports || legs_.size() >= kMaxLegs) return 500;
  return 0;
}

void Call::refer_received(Turn& turn, LegId id, const sip::RequestReceived& event,
                          const Referral& wanted, Call* consult) {
  Leg& leg = *find(id);
  const sip::Message& request = event.request;
  int refusal = leg.dialog->receive(request).value_or(0);
  if (refusal == 0 && !leg.alive()) refusal = 481;
  if (refusal == 0) {
    prune(turn.node);
    refusal = wanted.refused != 0 ? wanted.refused : refer_refusal(leg, request);
  }
  auto response = leg.response(turn.node, request, refusal != 0 ? refusal : 202);
  if (refusal == 420) response.add(HeaderName::unsupported, unsupported_options(request));
  if (refusal == 500) response.add(HeaderName::retry_after, std::to_string(kReferAgain));
  if (refusal != 0) return turn.respond(event.transaction, std::move(response));

  leg.dialog->refresh_target(request);
  response.add(HeaderName::contact, leg.contact(turn.node));
  const bool quiet = wants_no_reports(request);
  if (quiet) response.add(HeaderName::refer_sub, "false");
  turn.respond(event.transaction, std::move(response));
  const std::uint32_t sequence = sip::cseq_of(request).number;
  if (!quiet) {
    leg.begin_reports(sequence, turn.at.now + turn.node.settings.ring_timeout + kJoinPatience);
    leg.report(turn, sequence, "SIP/2.0 100 Trying");
  }
  begin_referred(turn, leg, sequence, wanted, consult);
}

void Call::begin_referred(Turn& turn, const Leg& referrer, std::uint32_t sequence,
                          const Referral& wanted, Call* consult) {
  const Leg& party = *partner(referrer);
  TransferOperation asked;
  asked.referrer = referrer.id;
  asked.refer_sequence = sequence;
  asked.leg = party.id;
  asked.asked = wanted.asked;
  asked.target = wanted.target;
  asked.ring_timeout = turn.node.settings.ring_timeout;
  transfer_ = std::move(asked);
  if (wanted.outcome != 0)
    return transfer_failed(turn, wanted.outcome == 404 ? Failure::local(EndReason::no_route)
                                                       : Failure::ordered(wanted.outcome, {}));
  if (party.reconnect_by != kNever)
    return transfer_failed(turn, Failure::local(EndReason::browser_lost));
  if (consult == nullptr) return dial_target(turn);
  const Leg* own = consult->find(wanted.own);
  const Leg* consulted = own != nullptr && own->alive() ? consult->partner(*own) : nullptr;
  const bool talks = consult->view_.answered && consulted != nullptr && consulted->alive();
  if (!talks || consulted->reconnect_by != kNever)
    return transfer_failed(turn, Failure::ordered(480, {}));
  if (consult->transfer_ || consult->holding_)
    return transfer_failed(turn, Failure::ordered(491, {}));
  begin_attending(turn, *std::exchange(transfer_, std::nullopt), *consulted);
}

void Call::tell_referrer(Turn& turn, const TransferOperation& transfer, int status,
                         std::string_view phrase) {
  Leg* leg = find(transfer.referrer);
  if (leg == nullptr) return;
  const std::string_view words = phrase.empty() ? sip::reason_phrase(status) : phrase;
  leg->report(turn, transfer.refer_sequence,
              "SIP/2.0 " + std::to_string(status) + " " + std::string(words),
              status >= 200 ? "noresource" : "");
}

void Call::referrer_left(Turn& turn, Leg& leg, const Failure& failure) {
  // Many hang up once they have their 202. What they asked for is done all the same.
  stop_digits(turn, leg, "the leg hung up");
  if (reoffer_ && (reoffer_->from == leg.id || reoffer_->to == leg.id))
    refuse_reoffer(turn, 487, {});
  cancel_requests(turn, leg, {});
  leg.state = Leg::State::ended;
  leg.timer.stop();
  if (leg.media) leg.media->close(turn);
  leg_ended(turn, leg, failure);
}

void Call::subscribe(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  const auto package = EventPackage::parse(request.header(HeaderName::event).value_or(""));
  Leg::Reports& reports = leg.reports;
  const bool first = package.id.empty() && reports.open == reports.first;
  const bool known = reports.open && (first || package.id == std::to_string(*reports.open));
  if (package.name != "refer" || !known) {
    // RFC 6665 §4.2.1: other subscriptions have a dialog of their own.
    auto response = leg.response(turn.node, request, package.name == "refer" ? 481 : 489);
    response.add(HeaderName::allow_events, kEvents);
    return turn.respond(event.transaction, std::move(response));
  }
  // RFC 3515 §2.4.4: the referrer may end the subscription; the transfer goes on.
  const auto left = static_cast<std::uint32_t>(
      std::max<std::int64_t>(std::chrono::ceil<seconds>(reports.until - turn.at.now).count(), 1));
  const auto asked =
      sip::parse_delta_seconds(request.header(HeaderName::expires).value_or("")).value_or(left);
  auto response = leg.response(turn.node, request, 200);
  response.add(HeaderName::contact, leg.contact(turn.node));
  response.add(HeaderName::expires, std::to_string(std::min(asked, left)));
  turn.respond(event.transaction, std::move(response));
  std::string line = std::exchange(reports.told, {});
  leg.report(turn, *reports.open, std::move(line), asked == 0 ? "timeout" : "");
}

}  // namespace trunkline::call
