#include "call/subscriptions.hpp"

#include "call/carried_headers.hpp"
#include "call/leg.hpp"
#include "call/response_detail.hpp"
#include "sip/endpoint.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

namespace {

constexpr std::size_t kMaxTooEarly = 4;
/// A subscription outlives its time by this, for the NOTIFY that ends it (64*T1).
constexpr Duration kSubscriptionMargin = seconds{32};
/// Seconds until a watcher whose source is gone may ask again.
constexpr std::string_view kProbation = "probation;retry-after=60";

std::uint32_t expires_of(const sip::Message& message, std::uint32_t otherwise) {
  const auto value = message.header(HeaderName::expires);
  return (value ? sip::parse_delta_seconds(*value) : std::nullopt).value_or(otherwise);
}

std::string contact_towards(const Node& node, const Subscriptions::End& end) {
  return end.replica.empty() ? node.contact(end.target)
                             : node.contact_for_replicas(end.target.transport);
}

/// A response inside one of our dialogs, with the tag that it has here.
sip::Message response_to(const Node& node, const Subscriptions::End& end,
                         const sip::Message& request, int status, std::string_view phrase = {}) {
  auto response = sip::make_response(request, status, end.local_tag, phrase);
  if (status >= 300) return response;
  for (const auto route : request.headers(HeaderName::record_route))
    response.add(HeaderName::record_route, route);
  response.add(HeaderName::contact, contact_towards(node, end));
  return response;
}

}  // namespace

Subscriptions::Subscription* Subscriptions::subscription(std::uint64_t id) {
  const auto found = all_.find(id);
  return found != all_.end() ? &found->second : nullptr;
}

void Subscriptions::enter(std::uint64_t id, Which which, const End& end) {
  dialogs_[dialog_key(end.call_id, end.local_tag)] = {id, which};
}

Subscriptions::End* Subscriptions::find(const sip::Message& request) {
  const auto known = dialogs_.find(dialog_key(sip::call_id_of(request), sip::to_of(request).tag()));
  if (known == dialogs_.end()) return nullptr;
  End& end = subscription(known->second.first)->end(known->second.second);
  const bool same = !end.dialog || end.dialog->remote_tag() == sip::from_of(request).tag();
  return same ? &end : nullptr;
}

void Subscriptions::begin(Turn& turn, const sip::RequestReceived& event, const Caller& watcher,
                          const Place& place, const std::string& from_node) {
  const std::uint64_t id = ++last_;
  Subscription made;
  End& asks = made.watcher;
  asks.party = watcher;
  asks.replica = from_node;
  asks.target = event.source;
  asks.call_id = sip::call_id_of(event.request);
  asks.local_tag = turn.node.random.token(12);
  asks.event = EventPackage::parse(event.request.header(HeaderName::event).value_or(""));
  if (auto dialog = sip::Dialog::as_uas(event.request, asks.local_tag)) {
    asks.dialog = std::move(*dialog);
    asks.dialog->confirm();
  }
  Carried carried{
      id,
      Which::source,
      fresh_request(turn.node, event.request, place, sender_of(turn.node, event.request, watcher)),
      event.transaction,
      event.request,
      0};
  End& tells = made.source;
  tells.party = place.party;
  tells.replica = place.replica;
  tells.target = place.target;
  tells.call_id = sip::call_id_of(carried.request);
  tells.local_tag = sip::from_of(carried.request).tag();
  tells.event = {asks.event.name, {}};
  for (End* end : {&asks, &tells}) {
    const Trunk* trunk =
        end->party.kind == Caller::Kind::trunk ? turn.node.trunks.find(end->party.name) : nullptr;
    if (trunk != nullptr && !trunk->settings.username.empty())
      end->digest.emplace(trunk->settings.username, trunk->settings.password, turn.node.random);
  }
  carried.request.add(HeaderName::cseq, "1 SUBSCRIBE");
  carried.request.add(HeaderName::contact, contact_towards(turn.node, tells));
  carry_content(event.request, carried.request);
  carried.request.set(HeaderName::event, tells.event.name);
  const std::uint32_t asked = expires_of(event.request, kDefaultExpires);
  carried.request.set(HeaderName::expires, std::to_string(std::min(asked, kMaxExpires)));
  for (const auto type : event.request.headers(HeaderName::accept))
    carried.request.add(HeaderName::accept, type);
  enter(id, Which::watcher, asks);
  enter(id, Which::source, tells);
  all_.emplace(id, std::move(made));
  send(turn, std::move(carried));
}

void Subscriptions::send(Turn& turn, Carried carried) {
  const End& to = subscription(carried.subscription)->end(carried.to);
  const sip::TransactionId client = turn.node.next_transaction();
  if (!to.replica.empty())
    turn.node.replicas.vouch(carried.request, to.replica, {}, turn.at.wall_seconds());
  turn.out.sip.emplace_back(sip::SendRequest{client, carried.request, to.target});
  carried_.emplace(client, std::move(carried));
}

void Subscriptions::receive(Turn& turn, const sip::RequestReceived& event) {
  End* end = find(event.request);
  const auto [id, which] =
      dialogs_.at(dialog_key(sip::call_id_of(event.request), sip::to_of(event.request).tag()));
  const Method method = event.request.method();
  const bool expected = method == (which == Which::watcher ? Method::subscribe : Method::notify);
  int refusal = expected ? carriage_refusal(event.request) : 405;
  if (refusal == 0 && end->dialog) refusal = end->dialog->receive(event.request).value_or(0);
  const auto package = EventPackage::parse(event.request.header(HeaderName::event).value_or(""));
  if (refusal == 0 && package != end->event) refusal = 489;
  if (refusal != 0) {
    auto response = response_to(turn.node, *end, event.request, refusal);
    if (refusal == 405) response.add(HeaderName::allow, kAllow);
    if (refusal == 489) response.add(HeaderName::allow_events, kEvents);
    return turn.respond(event.transaction, std::move(response));
  }
  if (end->dialog) end->dialog->refresh_target(event.request);
  if (which == Which::watcher) return refresh(turn, id, event);
  notify(turn, id, event);
}

void Subscriptions::refresh(Turn& turn, std::uint64_t id, const sip::RequestReceived& event) {
  Subscription& one = *subscription(id);
  const std::uint32_t asked = expires_of(event.request, kDefaultExpires);
  if (!one.source.dialog || (asked != 0 && asked < kMinExpires)) {
    auto response =
        response_to(turn.node, one.watcher, event.request, one.source.dialog ? 423 : 491);
    if (one.source.dialog) response.add(HeaderName::min_expires, std::to_string(kMinExpires));
    return turn.respond(event.transaction, std::move(response));
  }
  Carried carried{id,
                  Which::source,
                  one.source.dialog->request(Method::subscribe),
                  event.transaction,
                  event.request,
                  0};
  carried.request.add(HeaderName::contact, contact_towards(turn.node, one.source));
  carry_content(event.request, carried.request);
  carried.request.set(HeaderName::event, one.source.event.name);
  carried.request.set(HeaderName::expires, std::to_string(std::min(asked, kMaxExpires)));
  for (const auto type : event.request.headers(HeaderName::accept))
    carried.request.add(HeaderName::accept, type);
  if (one.source.digest) one.source.digest->preload(carried.request);
  send(turn, std::move(carried));
}

void Subscriptions::notify(Turn& turn, std::uint64_t id, const sip::RequestReceived& event) {
  Subscription& one = *subscription(id);
  if (!one.source.dialog) {  // RFC 6665 §4.1.2.4: it may come before the 2xx
    if (one.too_early.size() < kMaxTooEarly) return one.too_early.push_back(event);
    return turn.respond(event.transaction, response_to(turn.node, one.source, event.request, 500));
  }
  if (one.over)
    return turn.respond(event.transaction, response_to(turn.node, one.source, event.request, 481));
  one.over = is_terminated(event.request.header(HeaderName::subscription_state).value_or(""));
  Carried carried{id,
                  Which::watcher,
                  one.watcher.dialog->request(Method::notify),
                  event.transaction,
                  event.request,
                  0};
  carried.request.set(HeaderName::max_forwards, std::to_string(forwards_left(event.request)));
  carried.request.add(HeaderName::contact, contact_towards(turn.node, one.watcher));
  carry_content(event.request, carried.request);
  std::string package = one.watcher.event.name;
  if (!one.watcher.event.id.empty()) package += ";id=" + one.watcher.event.id;
  carried.request.set(HeaderName::event, package);
  if (one.watcher.digest) one.watcher.digest->preload(carried.request);
  send(turn, std::move(carried));
}

bool Subscriptions::challenged(Turn& turn, Carried& carried, const sip::Message& response) {
  const bool asks = response.status() == 401 || response.status() == 407;
  Subscription* one = subscription(carried.subscription);
  if (!asks || one == nullptr || ++carried.challenges > sip::kMaxChallenges) return false;
  End& to = one->end(carried.to);
  if (!to.digest || !to.digest->authorize(response, carried.request)) return false;
  sip::CSeq next = sip::cseq_of(carried.request);
  // RFC 3261 §22.2: the next CSeq, of the dialog where there is one.
  next.number = to.dialog ? sip::cseq_of(to.dialog->request(carried.request.method())).number
                          : next.number + 1;
  carried.request.set(HeaderName::cseq, next.text());
  send(turn, std::move(carried));
  return true;
}

void Subscriptions::receive(Turn& turn, const sip::ResponseReceived& event) {
  if (event.response.status() < 200) return;
  auto taken = carried_.extract(event.transaction);
  if (taken.empty() || challenged(turn, taken.mapped(), event.response)) return;
  const Carried& carried = taken.mapped();
  if (subscription(carried.subscription) == nullptr) return;
  if (carried.to == Which::source) return subscribed(turn, carried, event.response);
  notified(turn, carried, event.response);
}

void Subscriptions::subscribed(Turn& turn, const Carried& carried, const sip::Message& response) {
  Subscription& one = *subscription(carried.subscription);
  const bool first = !one.source.dialog;
  int status = response.status();
  if (first && status < 300) {
    auto dialog = sip::Dialog::as_uac(carried.request, response);
    if (dialog) {
      one.source.dialog = std::move(*dialog);
    } else {
      status = 500;  // a 2xx without To tag makes no subscription
    }
  }
  if (status < 300) {
    one.source.dialog->refresh_target(response);
    const std::uint32_t asked = expires_of(carried.request, kDefaultExpires);
    const std::uint32_t granted = std::min(expires_of(response, asked), asked);
    auto made = response_to(turn.node, one.watcher, carried.asked, 200);
    made.add(HeaderName::expires, std::to_string(granted));
    turn.respond(carried.server, std::move(made));
    set_deadline(carried.subscription, turn.at.now + seconds{granted} + kSubscriptionMargin);
    for (const auto& early : std::exchange(one.too_early, {})) {
      if (find(early.request) != nullptr) {
        receive(turn, early);
      } else {  // of another fork
        turn.respond(early.transaction, response_to(turn.node, one.source, early.request, 481));
      }
    }
    return;
  }
  const int relayed = status == response.status() ? failure_of(response).relayed_code() : status;
  auto made = response_to(turn.node, one.watcher, carried.asked, relayed,
                          relayed == response.status() ? response.reason() : "");
  carry_content(response, made);
  turn.respond(carried.server, std::move(made));
  // RFC 6665 §4.1.2.2: after another refusal of a refresh the subscription goes on.
  if (first || status == 481) erase(&turn, carried.subscription);
}

void Subscriptions::notified(Turn& turn, const Carried& carried, const sip::Message& response) {
  Subscription& one = *subscription(carried.subscription);
  const int status = response.status();
  if (carried.server) {
    auto made = response_to(turn.node, one.source, carried.asked, status, response.reason());
    carry_content(response, made);
    turn.respond(carried.server, std::move(made));
  }
  if (status >= 300 || one.over) erase(&turn, carried.subscription);  // RFC 6665 §4.2.2
}

void Subscriptions::receive(Turn& turn, const sip::RequestFailed& event) {
  const auto taken = carried_.extract(event.transaction);
  if (taken.empty()) return;
  const Carried& carried = taken.mapped();
  Subscription* one = subscription(carried.subscription);
  if (one == nullptr) return;
  // RFC 4320 §4.2: without an answer the other side has given up by itself.
  if (carried.server && event.cause != sip::RequestFailed::Cause::timeout) {
    const End& to = one->end(carried.to);
    const bool browser = to.party.kind == Caller::Kind::user || !to.replica.empty();
    const int status = carried.to == Which::watcher ? 481 : browser ? 480 : 500;
    const End& from = carried.to == Which::watcher ? one->source : one->watcher;
    turn.respond(carried.server, response_to(turn.node, from, carried.asked, status));
  }
  erase(&turn, carried.subscription);
}

void Subscriptions::flow_closed(Turn& turn, FlowId flow) {
  std::vector<std::pair<std::uint64_t, bool>> gone;
  for (const auto& [id, one] : all_) {
    const bool watcher =
        one.watcher.party.kind == Caller::Kind::user && one.watcher.target.flow == flow;
    const bool source =
        one.source.party.kind == Caller::Kind::user && one.source.target.flow == flow;
    if (watcher || source) gone.emplace_back(id, watcher);
  }
  for (const auto& [id, watcher] : gone) {
    if (!watcher) tell_end(turn, id, kProbation);
    erase(&turn, id);
  }
}

void Subscriptions::tell_end(Turn& turn, std::uint64_t id, std::string_view reason) {
  Subscription& one = *subscription(id);
  if (!one.source.dialog || one.over) return;  // nothing began, or it has its last NOTIFY
  Carried carried{id, Which::watcher, one.watcher.dialog->request(Method::notify), {}, {}, 0};
  carried.request.add(HeaderName::contact, contact_towards(turn.node, one.watcher));
  std::string package = one.watcher.event.name;
  if (!one.watcher.event.id.empty()) package += ";id=" + one.watcher.event.id;
  carried.request.add(HeaderName::event, package);
  carried.request.add(HeaderName::subscription_state, "terminated;reason=" + std::string(reason));
  if (one.watcher.digest) one.watcher.digest->preload(carried.request);
  send(turn, std::move(carried));
}

void Subscriptions::set_deadline(std::uint64_t id, TimePoint until) {
  Subscription& one = *subscription(id);
  deadlines_.erase({one.until, id});
  one.until = until;
  deadlines_.insert({until, id});
}

void Subscriptions::erase(Turn* turn, std::uint64_t id) {
  const auto found = all_.find(id);
  Subscription& one = found->second;
  if (turn != nullptr) {
    for (const auto& early : one.too_early)
      turn->respond(early.transaction, response_to(turn->node, one.source, early.request, 481));
  }
  for (const End* end : {&one.watcher, &one.source})
    dialogs_.erase(dialog_key(end->call_id, end->local_tag));
  deadlines_.erase({one.until, id});
  all_.erase(found);
}

void Subscriptions::on_deadline(TimePoint now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now)
    erase(nullptr, deadlines_.begin()->second);
}

TimePoint Subscriptions::deadline() const {
  return deadlines_.empty() ? kNever : deadlines_.begin()->first;
}

}  // namespace trunkline::call
