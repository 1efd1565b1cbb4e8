#include "base/log.hpp"
#include "call/call.hpp"

#include <algorithm>

// The targets of one trunk after each other (RFC 3263 §4.3): as long as no person was reached, and
// only for an outcome that is about the target, not about the callee. And the flows of one device.
namespace trunkline::call {
namespace {

/// A transport error, silence, or a response that says that this server can't.
bool is_about_target(const Failure& failure, const TrunkSettings& trunk) {
  if (!failure.remote) {
    return failure.reason == EndReason::trunk_unreachable ||
           failure.reason == EndReason::trunk_tls || failure.reason == EndReason::no_response;
  }
  return std::ranges::find(trunk.failover_codes, failure.sip_code) != trunk.failover_codes.end();
}

FailoverReason why_elsewhere(const Failure& failure) {
  if (failure.remote) return FailoverReason::refused;
  if (failure.reason == EndReason::no_response) return FailoverReason::no_response;
  return failure.reason == EndReason::trunk_tls ? FailoverReason::tls : FailoverReason::unreachable;
}

bool asks_to_wait(const Failure& failure) {
  return failure.remote && failure.sip_code == 503 && failure.retry_after;
}

void note(Trunk& trunk, const sip::Target& target, const Failure& failure, TimePoint now) {
  if (!failure.remote) return trunk.failed(target, now);
  // RFC 3261 §21.5.4: without Retry-After it is a 500, and tells nothing of the time to come.
  if (asks_to_wait(failure)) trunk.rest(target, *failure.retry_after, now);
}

}  // namespace

bool Call::tried_elsewhere(Turn& turn, Leg& leg, const Leg::Outgoing& sent,
                           const sip::Message* response, Failure& failure) {
  leg.failover.next_at = kNever;
  Trunk* trunk = leg.trunk != nullptr ? &turn.node.trunks.current(*leg.trunk) : nullptr;
  // Where a 3xx has sent it is no target of the trunk's.
  if (trunk == nullptr || leg.redirection.under_way() || !leg.replica.empty()) return false;
  const bool about_target = is_about_target(failure, leg.trunk->settings);
  if (!asks_to_wait(failure)) trunk->served(leg.target);
  if (about_target) note(*trunk, leg.target, failure, turn.at.now);
  const FailoverReason why = why_elsewhere(failure);
  judge(leg.failover.best_refusal, failure, false);
  failure = *leg.failover.best_refusal;
  // What has rung has reached a person, or may have.
  if (!about_target || leg.phase >= Phase::ringing) return false;
  while (!leg.failover.waiting.empty()) {
    const sip::Target next = leg.failover.waiting.front();
    leg.failover.waiting.erase(leg.failover.waiting.begin());
    // Another call may have learned in the meantime that it is of no use.
    const TrunkTarget* known = trunk->find(next);
    if (known != nullptr && known->rests_until > turn.at.now) continue;
    log::info("next target of the trunk",
              {{"call_id", view_.name},
               {"trunk", leg.peer},
               {"failed", leg.target.remote.text()},
               {"why", failure.remote ? std::to_string(failure.sip_code)
                                      : std::string(end_reason_label(failure.reason))},
               {"next", next.remote.text()}});
    trunk->counters->failovers[why].add();
    leg.try_at(turn, sent, next, response != nullptr ? *response : sent.request);
    watch_target(turn, leg);
    return true;
  }
  return false;
}

bool Call::tried_other_flow(Turn& turn, Leg& leg, const Leg::Outgoing& sent,
                            const sip::Message* response) {
  const auto other =
      leg.kind == Leg::Kind::browser
          ? turn.node.registrar.older_flow(leg.peer, leg.instance, leg.target.flow, turn.at.now)
          : std::nullopt;
  if (!other) return false;
  Leg::Outgoing again = sent;
  sip::Uri uri = other->contact.uri;
  uri.headers.clear();
  again.request.set_request_uri(uri.text());
  again.request.remove(sip::HeaderName::route);
  for (const std::string& proxy : other->path)
    again.request.add(sip::HeaderName::route, proxy);
  leg.preloaded_route = other->path;
  leg.contact_user = other->contact.uri.user;
  leg.registered = other->contact.uri;
  leg.try_at(turn, std::move(again), other->target, response != nullptr ? *response : sent.request);
  return true;
}

void Call::watch_target(Turn& turn, Leg& leg) {
  const Trunk* trunk = leg.trunk.get();
  // The last one may take the time that RFC 3261 gives it (Timer B).
  // A node of ours that is there says so at once.
  const bool others = !leg.replica.empty() || !leg.failover.waiting.empty() ||
                      (!targets_.empty() && !dialled_for_transfer(leg));
  if (trunk != nullptr && others)
    leg.failover.next_at = turn.at.now + trunk->settings.target_timeout;
}

void Call::target_silent(Turn& turn, Leg& leg) {
  leg.failover.next_at = kNever;
  const auto sent = std::ranges::find_if(leg.outgoing, [](const auto& entry) {
    return entry.second.purpose == Leg::Purpose::invite && !entry.second.finished;
  });
  if (sent == leg.outgoing.end() || leg.state != Leg::State::inviting) return;
  sent->second.finished = sent->second.abandoned = true;
  // Held back until it says something, should it still do so (RFC 3261 §9.1).
  turn.out.sip.emplace_back(sip::SendCancel{sent->first, {}});
  Failure failure = Failure::local(EndReason::no_response);
  if (tried_elsewhere(turn, leg, sent->second, nullptr, failure)) return;
  leg.state = Leg::State::ended;
  branch_failed(turn, leg, failure);
}

void Call::heard_late(Turn& turn, Leg& leg, const sip::ResponseReceived& event) {
  const int status = event.response.status();
  // The answer crossed our CANCEL, and somebody else has the call (RFC 3261 §13.2.2.4).
  if (status >= 200 && status < 300)
    leg.refuse_answer(turn, event.transaction, event.response,
                      winner_ ? kElsewhere : std::string_view{});
}

}  // namespace trunkline::call
