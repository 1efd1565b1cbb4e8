#include "base/log.hpp"
#include "call/engine_impl.hpp"
#include "sip/body.hpp"
#include "sip/endpoint.hpp"
#include "sip/parts.hpp"

#include <algorithm>

// New requests: who may ask for what (contract, "Who may do what"; RFC 3261 §8.2).
namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

namespace {

bool same_host(std::string_view one, std::string_view other) {
  return std::equal(
      one.begin(), one.end(), other.begin(), other.end(),
      [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

bool accepts_sdp(const sip::Message& request) {
  if (request.count(HeaderName::accept) == 0) return true;
  for (const auto value : request.headers(HeaderName::accept)) {
    const auto type = sip::MediaType::parse(value);
    if (type && (type->is("application/sdp") || type->is("application/*") || type->is("*/*")))
      return true;
  }
  return false;
}

/// RFC 3261 §26.2.2: whoever asks for a sips URI wants TLS on every hop, this one included.
bool breaks_sips(const sip::RequestReceived& event) {
  const auto uri = sip::Uri::parse(event.request.request_uri());
  if (!uri || uri->scheme != sip::Uri::Scheme::sips) return false;
  return event.source.transport != sip::Transport::tls &&
         event.source.transport != sip::Transport::wss;
}

}  // namespace

void Engine::Impl::refuse(Turn& turn, const sip::RequestReceived& event, int status,
                          std::string_view reason, std::string detail,
                          const std::vector<std::pair<HeaderName, std::string>>& headers,
                          std::string_view phrase) {
  auto response = sip::make_response(event.request, status, node.random.token(12), phrase);
  for (const auto& [name, value] : headers)
    response.add(name, value);
  turn.respond(event.transaction, std::move(response));
  RequestRefused refused;
  refused.method = event.request.method_text();
  refused.reason = reason;
  refused.source = event.source.remote.text();
  refused.dialled = event.request.request_uri();
  refused.detail = std::move(detail);
  refused.code = status;
  turn.observe(std::move(refused));
}

/// True: it was refused (RFC 5630 §6.1).
bool Engine::Impl::without_tls(Turn& turn, const sip::RequestReceived& event) {
  if (!breaks_sips(event)) return false;
  refuse(turn, event, 480, "transport", "a sips URI without TLS",
         {{HeaderName::warning, "380 " + node.settings.domain + " \"SIPS Not Allowed\""}});
  return true;
}

void Engine::Impl::receive(Turn& turn, const sip::RequestReceived& event) {
  const std::string_view to_tag = sip::to_tag(event.request);
  if (!to_tag.empty()) {
    const auto leg = node.dialogs.find(dialog_key(sip::call_id_of(event.request), to_tag));
    if (leg != node.dialogs.end()) return in_dialog(turn, event, leg->second);
    if (auto* end = subscriptions.find(event.request)) return in_subscription(turn, event, *end);
  }
  if (sip::is_websocket(event.source.transport)) return from_browser(turn, event);
  from_trunk(turn, event);
}

void Engine::Impl::in_dialog(Turn& turn, const sip::RequestReceived& event, LegId id) {
  Call* call = call_of(id);
  Leg* leg = call != nullptr ? call->find(id) : nullptr;
  const bool known = leg != nullptr && leg->dialog_with(sip::from_tag(event.request)) != nullptr;
  if (!known) return refuse(turn, event, 481, "dialog", "no such dialog");
  if (sip::is_websocket(event.source.transport) != (leg->kind == Leg::Kind::browser)) {
    return refuse(turn, event, 403, "acl", "not the transport of " + leg->peer);
  }
  if (leg->kind == Leg::Kind::browser && event.source.flow != leg->target.flow) {
    // A page that reconnected may come back over a new connection, but must show who it is.
    auto decision = authenticator.authenticate(event.request, leg->local_tag, turn.at,
                                               turn.out.observations, event.source.remote.text());
    if (!decision.ask.empty()) return ask_who(turn, event, decision.ask);
    if (decision.response) return turn.respond(event.transaction, std::move(*decision.response));
    if (decision.user != leg->peer)
      return refuse(turn, event, 403, "auth", "another user's dialog");
    leg->come_back(event.source, turn.at.now);
  } else if (!leg->replica.empty()) {
    const auto from = node.replicas.check(event.request, turn.at.wall_seconds());
    if (!from) return refuse(turn, event, 403, "replica", from.error().message);
  } else if (leg->kind == Leg::Kind::trunk && event.source.remote != leg->target.remote) {
    // Who the call was made with stays in it, even if the trunk's name has other addresses by now.
    if (!node.trunks.is_from(*leg->trunk, event.source)) {
      return refuse(turn, event, 403, "acl", "not an address of trunk " + leg->peer);
    }
  }
  if (without_tls(turn, event)) return;
  if (event.request.method() == Method::refer) return refer(turn, event, *call, *leg);
  call->receive(turn, id, event);
  settle(*call);
}

void Engine::Impl::from_browser(Turn& turn, const sip::RequestReceived& event) {
  if (event.request.method() == Method::register_ && unregistrable(turn, event)) return;
  const std::string to_tag = node.random.token(12);
  auto decision = authenticator.authenticate(event.request, to_tag, turn.at, turn.out.observations,
                                             event.source.remote.text());
  if (!decision.ask.empty()) return ask_who(turn, event, decision.ask);
  if (decision.response) return turn.respond(event.transaction, std::move(*decision.response));
  const sip::Uri from = sip::from_of(event.request).uri;
  // RFC 3261 §26.3.2.1: a user speaks for itself only - or for nobody (RFC 3323 §4.1.1.3).
  const bool named =
      from.unescaped_user() == decision.user && same_host(from.host, node.settings.domain);
  const bool anonymous = event.request.method() != Method::register_ && names_nobody(from);
  if (!named && !anonymous) {
    return refuse(turn, event, 403, "auth", decision.user + " is not the sender " + from.text());
  }
  if (event.request.method() == Method::register_) return register_user(turn, event, decision.user);
  out_of_dialog(turn, event, {Caller::Kind::user, decision.user});
}

void Engine::Impl::from_trunk(Turn& turn, const sip::RequestReceived& event) {
  if (node.replicas.claims(event.request)) return from_replica(turn, event);
  const Trunk* trunk = node.trunks.identify(event.source);
  if (trunk == nullptr) return refuse(turn, event, 403, "acl", "source is in no trunk's allow");
  if (event.request.method() == Method::register_) {
    return refuse(turn, event, 403, "method", "REGISTER is taken on WebSocket listeners only");
  }
  out_of_dialog(turn, event, {Caller::Kind::trunk, trunk->settings.name});
}

bool Engine::Impl::unregistrable(Turn& turn, const sip::RequestReceived& event) {
  const auto refused = [&](int status, std::string_view why, const std::string& detail,
                           const std::vector<std::pair<HeaderName, std::string>>& headers = {}) {
    refuse(turn, event, status, why, detail, headers);
    return true;
  };
  // RFC 3261 §10.3, steps 1 and 2: they come before the question who asks. The Request-URI may name
  // the gateway by any of its names; the address of record says whose location is meant.
  const auto uri = sip::Uri::parse(event.request.request_uri());
  if (!uri || uri->scheme == sip::Uri::Scheme::other)
    return refused(416, "no_route", "unknown URI scheme");
  const sip::Uri aor = sip::to_of(event.request).uri;
  if (!aor.is_sip()) return refused(400, "auth", "the address of record is no SIP URI");
  if (!same_host(aor.host, node.settings.domain))
    return refused(404, "auth", "not a user of this domain");
  const auto missing = unsupported_options(event.request);
  return !missing.empty() &&
         refused(420, "extension", missing, {{HeaderName::unsupported, missing}});
}

bool Engine::Impl::may_register(const sip::RequestReceived& event, const std::string& user) const {
  const auto zero = [](std::string_view text) { return sip::parse_delta_seconds(text) == 0u; };
  const auto contacts = event.request.headers(HeaderName::contact);
  const bool goes = !contacts.empty() && std::ranges::all_of(contacts, [&](std::string_view value) {
    const auto contact = sip::NameAddress::parse(value);
    if (!contact || contact->parameter("expires").empty())
      return zero(event.request.header(HeaderName::expires).value_or(""));
    return zero(contact->parameter("expires"));
  });
  return goes || std::ranges::any_of(calls, [&](const auto& entry) {
           return entry.second.call->uses(event.source.flow) || entry.second.call->waits_for(user);
         });
}

void Engine::Impl::register_user(Turn& turn, const sip::RequestReceived& event,
                                 const std::string& user) {
  if (sip::to_of(event.request).uri.unescaped_user() != user)
    return refuse(turn, event, 403, "auth", user + " may register only itself");
  if (draining && !may_register(event, user)) {
    return refuse(turn, event, 503, "draining", user,
                  {{HeaderName::retry_after, std::to_string(kRetryAfter)}});
  }
  auto response = node.registrar.receive(event.request, user, event.source, turn.at,
                                         node.random.token(12), turn.out.observations);
  const bool ok = response.status() == 200;
  turn.respond(event.transaction, std::move(response));
  if (!ok || away.empty()) return;
  const std::vector<CallId> waiting(away.begin(), away.end());
  for (const Binding& binding : node.registrar.find(user, turn.at.now)) {
    if (binding.target.flow != event.source.flow) continue;
    for (const CallId id : waiting) {
      const auto entry = calls.find(id);
      if (entry == calls.end()) continue;
      Call& call = *entry->second.call;
      call.flow_restored(turn, binding);
      if (!call.waits_for_browser()) away.erase(id);
      settle(call);
    }
  }
}

void Engine::Impl::out_of_dialog(Turn& turn, const sip::RequestReceived& event,
                                 const Caller& caller) {
  if (!sip::to_tag(event.request).empty())
    return refuse(turn, event, 481, "dialog", "no such dialog");
  const auto uri = sip::Uri::parse(event.request.request_uri());
  if (!uri || uri->scheme == sip::Uri::Scheme::other)
    return refuse(turn, event, 416, "no_route", "unknown URI scheme");
  if (without_tls(turn, event)) return;
  if (const auto missing = unsupported_options(event.request); !missing.empty()) {
    return refuse(turn, event, 420, "extension", missing, {{HeaderName::unsupported, missing}});
  }
  if (event.request.method() != Method::invite && event.request.count(HeaderName::replaces) > 0)
    return refuse(turn, event, 400, "replaces", "Replaces in another request than INVITE");
  switch (event.request.method()) {
    case Method::options:
      return options(turn, event, caller);
    case Method::invite:
      return invite(turn, event, caller);
    case Method::message:
    case Method::publish:
      return carry(turn, event, caller);
    case Method::subscribe:
      return subscribe(turn, event, caller);
    case Method::refer:
      // RFC 3515 §2.4.2 leaves it to us: without a call there is nothing that could be moved, and a
      // call on somebody's word alone is toll fraud.
      return refuse(turn, event, 403, "method", "REFER outside a dialog",
                    {{HeaderName::warning,
                      "399 " + node.settings.domain + " \"REFER is taken in a call only\""}});
    case Method::notify:
    case Method::bye:
    case Method::info:
    case Method::update:
    case Method::prack:
      return refuse(turn, event, 481, "dialog", "outside a dialog");  // RFC 3261 §12.2.2
    default:
      return refuse(turn, event, 405, "method", {}, {{HeaderName::allow, std::string(kAllow)}});
  }
}

std::string Engine::Impl::dialled_by(const Caller& caller, const sip::Uri& uri) const {
  const Trunk* trunk = caller.kind == Caller::Kind::trunk ? node.trunks.find(caller.name) : nullptr;
  std::string number = number_of(uri);
  return trunk != nullptr ? trunk->called_from.apply(std::move(number)) : number;
}

void Engine::Impl::refuse_privacy(Turn& turn, const sip::RequestReceived& event,
                                  const std::string& missing) {
  refuse(turn, event, 500, "extension", "privacy " + missing, {},
         "Privacy Not Available: " + missing);
}

bool Engine::Impl::unacceptable(Turn& turn, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  if (const auto hops = request.header(HeaderName::max_forwards);
      hops && sip::parse_delta_seconds(*hops) == 0) {
    return refuse(turn, event, 483, "hops"), true;
  }
  if (const int refusal = body_refusal(request)) {
    using Fields = std::vector<std::pair<HeaderName, std::string>>;
    const Fields taken{{HeaderName::accept, std::string(sip::kAcceptedBodies)},
                       {HeaderName::accept_encoding, "identity"}};
    refuse(turn, event, refusal, "media_type",
           std::string(request.header(HeaderName::content_type).value_or("")),
           refusal == 415 ? taken : Fields{});
    return true;
  }
  if (const auto missing = Privacy::of(request).unsatisfiable(); !missing.empty())
    return refuse_privacy(turn, event, missing), true;
  if (!accepts_sdp(request)) return refuse(turn, event, 406, "media_type"), true;
  if (!sip::contact_of(request))
    return refuse(turn, event, 400, "syntax", "INVITE without a Contact"), true;
  if (sip::SessionTimer::agree(request, 0).too_small) {
    refuse(turn, event, 422, "extension", "session interval too small",
           {{HeaderName::min_se, std::to_string(sip::kMinimumSessionInterval)}});
    return true;
  }
  return false;
}

void Engine::Impl::invite(Turn& turn, const sip::RequestReceived& event, const Caller& caller) {
  if (unacceptable(turn, event)) return;
  if (event.request.count(HeaderName::replaces) > 0) return replace(turn, event, caller);
  const auto later = std::vector<std::pair<HeaderName, std::string>>{
      {HeaderName::retry_after, std::to_string(kRetryAfter)}};
  if (draining) return refuse(turn, event, 503, "draining", {}, later);
  if (const auto limit = full(); !limit.empty())
    return refuse(turn, event, 503, "limit", std::string(limit), later);
  if (caller.kind == Caller::Kind::trunk && !node.trunks.find(caller.name)->enabled)
    return refuse(turn, event, 503, "limit", "trunk " + caller.name + " is disabled", later);
  const auto uri = sip::Uri::parse(event.request.request_uri());
  const auto device = node.gruus.find(*uri);
  if (!device && node.gruus.is_gruu(*uri))  // RFC 5627 §5.2
    return refuse(turn, event, 404, "no_route", "a temporary GRUU that has ended");
  std::string dialled = device ? device->user : dialled_by(caller, *uri);
  RouteDecision decision = route(caller, {dialled, {}}, turn.at.now);
  if (device && decision.destination.kind == Destination::Kind::user &&
      decision.destination.name == device->user)
    decision.destination.instance = device->instance;
  if (decision.destination.kind == Destination::Kind::none) {
    return refuse(turn, event, 404, "no_route", explain(caller, dialled, decision));
  }
  const CallId id = node.call_ids.next();
  auto call = std::make_unique<Call>(turn, id, caller, std::move(dialled),
                                     std::move(decision.destination), event);
  Call& started = *call;
  take_in(std::move(call));
  started.start(turn, event);
  settle(started);
}

}  // namespace trunkline::call
