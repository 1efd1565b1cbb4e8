#include "call/carried_headers.hpp"
#include "call/engine_impl.hpp"
#include "call/event_package.hpp"
#include "sip/endpoint.hpp"

#include <algorithm>

// Requests outside of a call that are no INVITE: what is answered here, and what is carried on, by
// the routes of who sends them, as an INVITE would be.
namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

namespace {

using Headers = std::vector<std::pair<HeaderName, std::string>>;

Headers later() {
  return {{HeaderName::retry_after, std::to_string(kRetryAfter)}};
}

/// Packages that are carried across; of REFERs only who sends them is told.
bool is_carried(const EventPackage& event) {
  return event.name == "message-summary" || event.name == "presence";
}

}  // namespace

int Engine::Impl::invite_refusal(const Caller& caller, const Party& party, TimePoint now) {
  if (draining || live >= node.settings.max_calls) return 503;
  if (caller.kind == Caller::Kind::trunk && !node.trunks.find(caller.name)->enabled) return 503;
  switch (party.destination.kind) {
    case Destination::Kind::none:
      return 404;
    case Destination::Kind::user:
      return node.registrar.find(party.destination.name, now).empty() ? 480 : 0;
    case Destination::Kind::trunk:
    case Destination::Kind::service:
      return 0;
  }
  return 0;
}

void Engine::Impl::options(Turn& turn, const sip::RequestReceived& event, const Caller& caller) {
  // RFC 3261 §11.2: the answer that an INVITE would get. One that names nobody, or us, or that may
  // go no farther (§11), asks about ourselves: many a carrier's ping is such.
  const std::string dialled = dialled_by(caller, *sip::Uri::parse(event.request.request_uri()));
  const bool last_hop =
      sip::parse_delta_seconds(event.request.header(HeaderName::max_forwards).value_or("")) == 0u;
  const bool about_us = dialled.empty() || dialled == kContactUser || last_hop;
  const Party party =
      about_us ? Party{{Destination::Kind::service, {}}, {}} : called(caller, dialled, turn.at.now);
  const int refusal = invite_refusal(caller, party, turn.at.now);
  auto response =
      sip::make_response(event.request, refusal != 0 ? refusal : 200, node.random.token(12));
  add_capabilities(response);
  if (refusal == 503) response.add(HeaderName::retry_after, std::to_string(kRetryAfter));
  turn.respond(event.transaction, std::move(response));
}

Party Engine::Impl::called(const Caller& caller, const std::string& dialled, TimePoint now) const {
  const Destination to = route(caller, {dialled, {}}, now).destination;
  return {to, to.kind == Destination::Kind::user ? to.name : dialled};
}

std::vector<Place> Engine::Impl::places_for(Turn& turn, const sip::RequestReceived& event,
                                            const Caller& caller) {
  const auto refused = [&](int status, std::string_view why, const Headers& headers = {}) {
    refuse(turn, event, status, why, {}, headers);
    return std::vector<Place>{};
  };
  if (const int status = carriage_refusal(event.request)) {
    const std::string_view why = status == 483 ? "hops" : "media_type";
    return refused(status, why, status == 415 ? Headers{{HeaderName::accept, "*/*"}} : Headers{});
  }
  if (const auto missing = Privacy::of(event.request).unsatisfiable(); !missing.empty()) {
    refuse_privacy(turn, event, missing);
    return {};
  }
  const std::string dialled = dialled_by(caller, *sip::Uri::parse(event.request.request_uri()));
  const Party party = called(caller, dialled, turn.at.now);
  if (party.destination.kind == Destination::Kind::none) return refused(404, "no_route");
  if (party.destination.kind == Destination::Kind::service)
    return refused(405, "method",
                   {{HeaderName::allow, "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE"}});
  auto places = places_of(node, party, turn.at.now);
  // Nobody is asked about by itself, or gets its own message back.
  std::erase_if(places, [&](const Place& place) {
    return event.source.flow && place.target.flow == event.source.flow &&
           place.party.kind == Caller::Kind::user;
  });
  if (!places.empty()) return places;
  if (party.destination.kind == Destination::Kind::user) return refused(480, "no_route");
  return refused(503, "limit", later());
}

void Engine::Impl::carry(Turn& turn, const sip::RequestReceived& event, const Caller& caller) {
  if (exchanges.full()) return refuse(turn, event, 503, "overload", "exchanges", later());
  if (event.request.method() == Method::publish) {
    // RFC 3903 §6. State is published to who hosts it, and that is no browser.
    const auto package = EventPackage::parse(event.request.header(HeaderName::event).value_or(""));
    const std::string dialled = dialled_by(caller, *sip::Uri::parse(event.request.request_uri()));
    const auto kind = called(caller, dialled, turn.at.now).destination.kind;
    const bool hosted = kind == Destination::Kind::trunk || kind == Destination::Kind::none;
    if (!is_carried(package) || !hosted) return bad_event(turn, event);
  }
  const auto places = places_for(turn, event, caller);
  if (places.empty()) return;
  if (is_too_large(event.request, places.front().target))
    return refuse(turn, event, 513, "media_type", "too large for UDP");
  exchanges.begin(turn, event, places, caller);
}

void Engine::Impl::bad_event(Turn& turn, const sip::RequestReceived& event) {
  refuse(turn, event, 489, "method",
         std::string(event.request.header(HeaderName::event).value_or("")),
         {{HeaderName::allow_events, std::string(kEvents)}});
}

void Engine::Impl::subscribe(Turn& turn, const sip::RequestReceived& event, const Caller& caller) {
  const sip::Message& request = event.request;
  const auto package = EventPackage::parse(request.header(HeaderName::event).value_or(""));
  if (!is_carried(package)) return bad_event(turn, event);
  const auto contact = sip::contact_of(request);
  if (!contact || contact->wildcard)
    return refuse(turn, event, 400, "syntax", "SUBSCRIBE without a Contact");
  const auto expires = request.header(HeaderName::expires);
  const auto asked = expires ? sip::parse_delta_seconds(*expires) : std::nullopt;
  if (expires && !asked) return refuse(turn, event, 400, "syntax", "Expires");
  if (asked && *asked != 0 && *asked < Subscriptions::kMinExpires) {
    return refuse(turn, event, 423, "method", {},
                  {{HeaderName::min_expires, std::to_string(Subscriptions::kMinExpires)}});
  }
  if (subscriptions.full()) return refuse(turn, event, 503, "overload", "subscriptions", later());
  const auto places = places_for(turn, event, caller);
  if (places.empty()) return;
  // Of several devices the one that registered last is asked: two sources would contradict each
  // other in one subscription.
  subscriptions.begin(turn, event, caller, places.front());
}

void Engine::Impl::in_subscription(Turn& turn, const sip::RequestReceived& event,
                                   Subscriptions::End& end) {
  if (sip::is_websocket(event.source.transport) != (end.party.kind == Caller::Kind::user))
    return refuse(turn, event, 403, "acl", "not the transport of " + end.party.name);
  if (end.party.kind == Caller::Kind::trunk) {
    const Trunk* trunk = node.trunks.identify(event.source);
    if (trunk == nullptr || trunk->settings.name != end.party.name)
      return refuse(turn, event, 403, "acl", "not an address of trunk " + end.party.name);
  } else if (event.source.flow != end.target.flow) {
    return refuse(turn, event, 481, "dialog", "the connection of the subscription is gone");
  }
  subscriptions.receive(turn, event);
}

}  // namespace trunkline::call
