#include "call/engine_impl.hpp"
#include "sip/parts.hpp"

// What the other nodes ask for, and what is asked about them.
namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

namespace {

/// At once, beside those of calls; one more is not asked.
constexpr std::size_t kMaxOtherLookUps = 1024;

}  // namespace

void Engine::Impl::from_replica(Turn& turn, const sip::RequestReceived& event) {
  const auto from = node.replicas.check(event.request, turn.at.wall_seconds());
  if (!from) return refuse(turn, event, 403, "replica", from.error().message);
  if (!sip::to_tag(event.request).empty())
    return refuse(turn, event, 481, "dialog", "no such dialog");
  const Method method = event.request.method();
  if (method != Method::invite && method != Method::message && method != Method::subscribe)
    return refuse(turn, event, 405, "method", {}, {{HeaderName::allow, std::string(kAllow)}});
  if (const auto missing = unsupported_options(event.request); !missing.empty())
    return refuse(turn, event, 420, "extension", missing, {{HeaderName::unsupported, missing}});
  if (method != Method::invite) return carry_from_replica(turn, event, *from);
  if (unacceptable(turn, event)) return;
  invite_from_replica(turn, event, *from);
}

/// For the user's bindings here and nobody else: it is not looked up again, and no route is asked.
/// A node that drains still takes it, as long as it has the user's browser.
void Engine::Impl::invite_from_replica(Turn& turn, const sip::RequestReceived& event,
                                       const Introduction& introduction) {
  if (const auto limit = full(); !limit.empty()) {
    return refuse(turn, event, 503, "limit", std::string(limit),
                  {{HeaderName::retry_after, std::to_string(kRetryAfter)}});
  }
  const auto uri = sip::Uri::parse(event.request.request_uri());
  std::string user = uri ? uri->unescaped_user() : std::string{};
  if (user.empty() || node.registrar.find(user, turn.at.now).empty())
    return refuse(turn, event, 480, "no_route", "'" + user + "' has no registered contact here");
  Destination destination{Destination::Kind::user, user, introduction.instance};
  const CallId id = node.call_ids.next();
  auto call = std::make_unique<Call>(turn, id, Caller{Caller::Kind::trunk, std::string(kReplicas)},
                                     std::move(user), std::move(destination), event);
  Call& started = *call;
  started.sent_by(introduction.from);
  take_in(std::move(call));
  started.start(turn, event);
  settle(started);
}

/// As an INVITE: it is not looked up again, and no route is asked.
void Engine::Impl::carry_from_replica(Turn& turn, const sip::RequestReceived& event,
                                      const Introduction& introduction) {
  const bool subscribes = event.request.method() == Method::subscribe;
  if (subscribes && unsubscribable(turn, event)) return;
  if (!subscribes && exchanges.full())
    return refuse(turn, event, 503, "overload", "exchanges",
                  {{HeaderName::retry_after, std::to_string(kRetryAfter)}});
  if (uncarriable(turn, event)) return;
  const auto uri = sip::Uri::parse(event.request.request_uri());
  const std::string user = uri ? uri->unescaped_user() : std::string{};
  const Party party{{Destination::Kind::user, user}, user};
  const auto places = places_here(event, party, turn.at.now);
  if (places.empty()) return refuse_unreached(turn, event, party);
  const Caller sender{Caller::Kind::trunk, std::string(kReplicas)};
  if (subscribes)
    return subscriptions.begin(turn, event, sender, places.front(), introduction.from);
  exchanges.begin(turn, event, places, sender);
}

void Engine::Impl::receive(Turn& turn, const Locations& answer, QuestionId id) {
  if (auto asked = look_ups.extract(id)) {
    node.replicas.looked_up(answer);
    return asked.mapped().then(turn, answer);
  }
  const auto waiting = node.look_ups.find(id);
  if (waiting == node.look_ups.end()) return;
  Call& call = *calls.find(waiting->second)->second.call;
  call.located(turn, answer);
  settle(call);
}

void Engine::Impl::look_up(Turn& turn, const std::string& user,
                           std::function<void(Turn&, const Locations&)> then) {
  if (look_ups.size() >= kMaxOtherLookUps) {
    node.replicas.looked_up({});
    return then(turn, {});
  }
  const QuestionId id = node.question_ids.next();
  look_ups.emplace(id, LookUp{std::move(then), turn.at.now + kLookUpPatience});
  turn.out.look_ups.push_back({id, user});
}

void Engine::Impl::look_no_longer(Turn& turn) {
  while (!look_ups.empty() && look_ups.begin()->second.until <= turn.at.now) {
    const auto late = look_ups.extract(look_ups.begin());
    node.replicas.looked_up({});
    late.mapped().then(turn, {});
  }
}

void Engine::Impl::explain_elsewhere(Turn& turn, RequestId id, const Destination& user,
                                     RouteExplanation told) {
  look_up(turn, user.name, [id, user, told](Turn& then, const Locations& found) {
    RouteExplanation all = told;
    if (!found.known) all.text += "\nthe store does not say whether another node has the user";
    for (const Location& one : found.all) {
      const Registration& device = one.registration;
      if (!user.instance.empty() && device.instance != user.instance) continue;
      all.text += "\nrings a registered contact on node " + device.node + " at " +
                  one.address.remote.text();
      if (all.request_uri.empty()) all.request_uri = device.contact;
      if (all.next_hop.empty()) all.next_hop = one.address.remote.text();
      if (all.refused_with == 480) all.refused_with = 0;
    }
    if (user.unlisted && all.refused_with == 480) all.refused_with = 404;
    then.reply(id, std::move(all));
  });
}

}  // namespace trunkline::call
