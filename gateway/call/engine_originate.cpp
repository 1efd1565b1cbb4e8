#include "call/engine_impl.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

// Calls that the API makes: who is meant, whether there is room, and which request made which call.
namespace trunkline::call {
namespace {

constexpr std::size_t kMaxParty = 256;  ///< octets of a party's text

/// Requests with a request_id that are remembered, and for how long: a client that repeats one does
/// so within seconds, and a table of this size holds an hour of a busy node's.
constexpr std::size_t kMaxMade = 20000;
constexpr Duration kMadeFor = std::chrono::minutes{10};

auto invalid(std::string_view field, std::string message) {
  return fail(
      refusal(Refusal::Kind::invalid, "INVALID_PARTY", std::move(message), std::string(field)));
}

auto unknown(std::string reason, std::string_view field, std::string message) {
  return fail(
      refusal(Refusal::Kind::not_found, std::move(reason), std::move(message), std::string(field)));
}

bool has_no_controls(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return sip::is_control(c); });
}

}  // namespace

bool is_dialable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return sip::is_control(c) || c == ' '; });
}

std::optional<Dialled> read_dialled(std::string_view text) {
  const auto colon = text.find(':');
  const std::string scheme = sip::lower_case(text.substr(0, colon));
  if (colon == std::string_view::npos || (scheme != "sip" && scheme != "sips" && scheme != "tel"))
    return Dialled{std::string(text), {}};
  const auto uri = sip::Uri::parse(text);
  if (!uri) return std::nullopt;
  return Dialled{uri->unescaped_user(), uri->host};
}

RouteDecision Engine::Impl::route(const Caller& caller, const Dialled& dialled,
                                  TimePoint now) const {
  RouteDecision decision = router.route(caller, dialled.name);
  const bool nowhere = decision.destination.kind == Destination::Kind::none;
  const bool ruled = !decision.steps.empty() && decision.steps.back().matched;
  if (!nowhere || ruled) return decision;
  const auto take = [&](std::string rule) {
    decision.steps.push_back({std::move(rule), true, "goes to user:" + dialled.name});
    decision.destination = {Destination::Kind::user, dialled.name};
  };
  // A user of a short-lived credential is in no list, but is here.
  const bool registered = !node.registrar.find(dialled.name, now).empty();
  const bool here = sip::equals_ignoring_case(dialled.host, node.settings.domain);
  if (caller.kind == Caller::Kind::user && registered) {
    take("registered users");
  } else if (caller.kind == Caller::Kind::user && node.replicas.enabled() &&
             !dialled.name.empty()) {
    // So is one who is registered with another node, which the call finds out.
    take("registered users of all nodes");
    decision.destination.unlisted = true;
  } else if (here && (registered || authenticator.is_user(dialled.name))) {
    take("users of " + node.settings.domain);
  }
  return decision;
}

Result<Party, Refusal> Engine::Impl::party_of(std::string_view text, std::string_view trunk,
                                              const Caller& caller, std::string_view field,
                                              TimePoint now) const {
  static constexpr std::string_view kUser = "user:", kService = "service:";
  if (text.empty() || text.size() > kMaxParty || !has_no_controls(text))
    return invalid(field, "must be 1 to 256 printable characters");
  if (text.starts_with(kUser)) {
    const std::string name(text.substr(kUser.size()));
    if (name.empty()) return invalid(field, "has no user name");
    return Party{{Destination::Kind::user, name}, name};
  }
  if (text.starts_with(kService)) {
    const std::string name(text.substr(kService.size()));
    const bool plays = name == "play" && node.settings.sounds.play;
    if (name != "echo" && name != "tone" && !plays)
      return unknown("SERVICE_NOT_FOUND", field, "there is no service '" + name + "'");
    return Party{{Destination::Kind::service, name}, name};
  }
  const auto dialled = read_dialled(text);
  if (!dialled || dialled->name.empty() || !has_no_controls(dialled->name))
    return invalid(field, "is no user:NAME, service:NAME, number or SIP URI");
  if (!trunk.empty()) return Party{{Destination::Kind::trunk, std::string(trunk)}, dialled->name};
  const Destination to = route(caller, *dialled, now).destination;
  if (to.kind == Destination::Kind::none)
    return unknown("NO_ROUTE", field, "no route leads to '" + dialled->name + "'");
  return Party{to, to.kind == Destination::Kind::user ? to.name : dialled->name};
}

Result<Origination, Refusal> Engine::Impl::read(const CreateCall& request, TimePoint now) {
  const Caller api{Caller::Kind::api, {}};
  if (!request.trunk.empty() && node.trunks.find(request.trunk) == nullptr)
    return unknown("TRUNK_NOT_FOUND", "trunk", "there is no trunk '" + request.trunk + "'");
  auto from = party_of(request.from, request.trunk, api, "from", now);
  if (!from) return fail(from.error());
  auto to = party_of(request.to, request.trunk, api, "to", now);
  if (!to) return fail(to.error());
  const auto service = [](const Destination& destination) {
    return destination.kind == Destination::Kind::service && destination.name != "policy";
  };
  if (service(from->destination) && service(to->destination))
    return invalid("to", "two services have nobody to be called");
  for (const auto& [time, field] : {std::pair{request.ring_timeout, "ring_timeout"},
                                    std::pair{request.max_duration, "max_duration"}}) {
    if (time && *time <= Duration::zero()) return invalid(field, "must be more than zero");
  }
  return Origination{std::move(*from),  std::move(*to),  request.ring_timeout, request.max_duration,
                     request.caller_id, request.headers, request.metadata};
}

std::optional<Reply> Engine::Impl::made_before(const CreateCall& request, TimePoint now) {
  while (!made_order.empty() && made.at(made_order.front()).until <= now) {
    made.erase(made_order.front());
    made_order.pop_front();
  }
  const auto known = made.find(request.request_id);
  if (request.request_id.empty() || known == made.end()) return std::nullopt;
  if (known->second.request != request) {
    return refusal(Refusal::Kind::conflict, "REQUEST_ID_REUSED",
                   "request_id was used for another call", "request_id");
  }
  Call* call = find_call(known->second.view.name);
  return Replayed{call != nullptr ? call->view() : known->second.view};
}

void Engine::Impl::remember(const CreateCall& request, const CallView& view, TimePoint now) {
  if (request.request_id.empty()) return;
  if (made_order.size() >= kMaxMade) {
    made.erase(made_order.front());
    made_order.pop_front();
  }
  made.emplace(request.request_id, Made{request, view, now + kMadeFor});
  made_order.push_back(request.request_id);
}

void Engine::Impl::execute(Turn& turn, RequestId id, const CreateCall& request) {
  if (auto again = made_before(request, turn.at.now)) return turn.reply(id, std::move(*again));
  auto origination = read(request, turn.at.now);
  if (!origination) return turn.reply(id, origination.error());
  if (const auto limit = full(); draining || !limit.empty()) {
    Refusal refused =
        draining ? refusal(Refusal::Kind::unavailable, "DRAINING", "the node takes no new calls")
                 : refusal(Refusal::Kind::capacity, "GATEWAY_CAPACITY",
                           "the node has as many calls as " + std::string(limit) + " allows");
    refused.retry_after = kRetryAfter;
    return turn.reply(id, std::move(refused));
  }
  const CallId call_id = node.call_ids.next();
  auto call = std::make_unique<Call>(turn, call_id, std::move(*origination));
  Call& started = *call;
  take_in(std::move(call)).request_id = request.request_id;
  remember(request, started.view(), turn.at.now);
  started.start(turn);
  turn.reply(id, started.view());
  settle(started);
}

}  // namespace trunkline::call
