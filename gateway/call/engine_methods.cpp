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
  if (refusal != 480 || !may_be_elsewhere(event, party)) return tell_of_us(turn, event, refusal);
  look_up(turn, party.destination.name, [this, event, party](Turn& then, const Locations& found) {
    tell_of_us(then, event, found.all.empty() ? unreached(party) : 0);
  });
}

void Engine::Impl::tell_of_us(Turn& turn, const sip::RequestReceived& event, int refusal) {
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

bool Engine::Impl::uncarriable(Turn& turn, const sip::RequestReceived& event) {
  if (const int status = carriage_refusal(event.request)) {
    refuse(turn, event, status, status == 483 ? "hops" : "media_type", {},
           status == 415 ? Headers{{HeaderName::accept, "*/*"}} : Headers{});
    return true;
  }
  const auto missing = Privacy::of(event.request).unsatisfiable();
  if (!missing.empty()) refuse_privacy(turn, event, missing);
  return !missing.empty();
}

std::optional<Party> Engine::Impl::party_for(Turn& turn, const sip::RequestReceived& event,
                                             const Caller& caller) {
  if (uncarriable(turn, event)) return std::nullopt;
  const std::string dialled = dialled_by(caller, *sip::Uri::parse(event.request.request_uri()));
  Party party = called(caller, dialled, turn.at.now);
  switch (party.destination.kind) {
    case Destination::Kind::none:
      return refuse(turn, event, 404, "no_route"), std::nullopt;
    case Destination::Kind::service:
      refuse(turn, event, 405, "method", {},
             {{HeaderName::allow, "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE"}});
      return std::nullopt;
    case Destination::Kind::user:
    case Destination::Kind::trunk:
      break;
  }
  return party;
}

std::vector<Place> Engine::Impl::places_here(const sip::RequestReceived& event, const Party& party,
                                             TimePoint now) {
  auto places = places_of(node, party, now);
  // Nobody is asked about by itself, or gets its own message back.
  std::erase_if(places, [&](const Place& place) {
    return event.source.flow && place.target.flow == event.source.flow &&
           place.party.kind == Caller::Kind::user;
  });
  return places;
}

bool Engine::Impl::may_be_elsewhere(const sip::RequestReceived& event, const Party& party) const {
  // Between nodes there is no TLS, which a sips URI wants on every hop.
  const auto uri = sip::Uri::parse(event.request.request_uri());
  return node.replicas.enabled() && party.destination.kind == Destination::Kind::user && uri &&
         uri->scheme != sip::Uri::Scheme::sips;
}

int Engine::Impl::unreached(const Party& party) {
  if (party.destination.kind != Destination::Kind::user) return 503;
  return party.destination.unlisted ? 404 : 480;
}

void Engine::Impl::refuse_unreached(Turn& turn, const sip::RequestReceived& event,
                                    const Party& party) {
  const int status = unreached(party);
  refuse(turn, event, status, status == 503 ? "limit" : "no_route", {},
         status == 503 ? later() : Headers{});
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
  const auto party = party_for(turn, event, caller);
  if (!party) return;
  const auto places = places_here(event, *party, turn.at.now);
  const bool seeking = may_be_elsewhere(event, *party);
  if (places.empty() && !seeking) return refuse_unreached(turn, event, *party);
  if (!places.empty() && is_too_large(event.request, places.front().target))
    return refuse(turn, event, 513, "media_type", "too large for UDP");
  const auto exchange = exchanges.begin(turn, event, places, caller, seeking);
  if (!seeking) return;
  look_up(turn, party->destination.name,
          [this, event, exchange, party = *party](Turn& then, const Locations& found) {
            const auto more = places_elsewhere(node, party.destination.name, found);
            if (!exchanges.found(then, exchange, more)) refuse_unreached(then, event, party);
          });
}

void Engine::Impl::bad_event(Turn& turn, const sip::RequestReceived& event) {
  refuse(turn, event, 489, "method",
         std::string(event.request.header(HeaderName::event).value_or("")),
         {{HeaderName::allow_events, std::string(kEvents)}});
}

bool Engine::Impl::unsubscribable(Turn& turn, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  const auto refused = [&](int status, std::string_view why, std::string detail,
                           const Headers& headers = {}) {
    refuse(turn, event, status, why, std::move(detail), headers);
    return true;
  };
  const auto package = EventPackage::parse(request.header(HeaderName::event).value_or(""));
  if (!is_carried(package)) return bad_event(turn, event), true;
  const auto contact = sip::contact_of(request);
  if (!contact || contact->wildcard) return refused(400, "syntax", "SUBSCRIBE without a Contact");
  const auto expires = request.header(HeaderName::expires);
  const auto asked = expires ? sip::parse_delta_seconds(*expires) : std::nullopt;
  if (expires && !asked) return refused(400, "syntax", "Expires");
  if (asked && *asked != 0 && *asked < Subscriptions::kMinExpires) {
    return refused(423, "method", {},
                   {{HeaderName::min_expires, std::to_string(Subscriptions::kMinExpires)}});
  }
  return subscriptions.full() && refused(503, "overload", "subscriptions", later());
}

void Engine::Impl::subscribe(Turn& turn, const sip::RequestReceived& event, const Caller& caller) {
  if (unsubscribable(turn, event)) return;
  const auto party = party_for(turn, event, caller);
  if (!party) return;
  // Of several devices the one that registered last is asked: two sources would contradict each
  // other in one subscription. One that is here goes before those of other nodes.
  const auto places = places_here(event, *party, turn.at.now);
  if (!places.empty()) return subscriptions.begin(turn, event, caller, places.front());
  if (!may_be_elsewhere(event, *party)) return refuse_unreached(turn, event, *party);
  look_up(turn, party->destination.name,
          [this, event, caller, party = *party](Turn& then, const Locations& found) {
            const auto there = places_elsewhere(node, party.destination.name, found);
            if (there.empty()) return refuse_unreached(then, event, party);
            if (subscriptions.full())
              return refuse(then, event, 503, "overload", "subscriptions", later());
            subscriptions.begin(then, event, caller, there.front());
          });
}

void Engine::Impl::in_subscription(Turn& turn, const sip::RequestReceived& event,
                                   Subscriptions::End& end) {
  if (sip::is_websocket(event.source.transport) != (end.party.kind == Caller::Kind::user))
    return refuse(turn, event, 403, "acl", "not the transport of " + end.party.name);
  if (!end.replica.empty()) {
    const auto from = node.replicas.check(event.request, turn.at.wall_seconds());
    if (!from) return refuse(turn, event, 403, "replica", from.error().message);
  } else if (end.party.kind == Caller::Kind::trunk) {
    const Trunk* trunk = node.trunks.identify(event.source);
    if (trunk == nullptr || trunk->settings.name != end.party.name)
      return refuse(turn, event, 403, "acl", "not an address of trunk " + end.party.name);
  } else if (event.source.flow != end.target.flow) {
    return refuse(turn, event, 481, "dialog", "the connection of the subscription is gone");
  }
  subscriptions.receive(turn, event);
}

}  // namespace trunkline::call
