#include "call/places.hpp"

#include "call/carried_headers.hpp"
#include "call/header_lists.hpp"

#include <algorithm>

namespace trunkline::call {

using sip::HeaderName;

std::vector<Place> places_of(Node& node, const Party& party, TimePoint now) {
  std::vector<Place> places;
  const std::string& name = party.destination.name;
  if (party.destination.kind == Destination::Kind::user) {
    for (const Binding& binding : node.registrar.find(name, now)) {
      Place place{
          {Caller::Kind::user, name}, binding.target, binding.contact.uri, {}, binding.path};
      place.request_uri.headers.clear();
      place.to.uri = sip::Uri::sip(name, node.settings.domain);
      places.push_back(std::move(place));
    }
    return places;
  }
  if (party.destination.kind != Destination::Kind::trunk) return places;
  const Trunk* trunk = node.trunks.find(name);
  const auto target = trunk != nullptr && trunk->enabled ? Trunks::target(*trunk) : std::nullopt;
  if (!target) return places;
  Place place{{Caller::Kind::trunk, name}, *target, request_uri_at(*trunk, party.number), {}, {}};
  place.to.uri = to_at(*trunk, party.number);
  places.push_back(std::move(place));
  return places;
}

Place place_at(const Node& node, const std::string& user, const Location& location) {
  const SocketAddress& at = location.address.remote;
  Place place{{Caller::Kind::trunk, std::string(kReplicas)},
              location.address,
              sip::Uri::sip(user, at.ip.is_v6() ? "[" + at.ip.text() + "]" : at.ip.text()),
              {}};
  place.request_uri.port = at.port;
  sip::set_parameter(place.request_uri.parameters, "transport",
                     std::string(sip::transport_label(location.address.transport)));
  place.to.uri = sip::Uri::sip(user, node.settings.domain);
  place.replica = location.registration.node;
  return place;
}

std::vector<Place> places_elsewhere(const Node& node, const std::string& user,
                                    const Locations& found) {
  std::vector<Location> newest = found.all;
  std::ranges::stable_sort(newest, std::ranges::greater{},
                           [](const Location& one) { return one.registration.registered; });
  std::vector<Place> places;
  for (const Location& one : newest) {
    if (std::ranges::find(places, one.registration.node, &Place::replica) == places.end())
      places.push_back(place_at(node, user, one));
  }
  return places;
}

Identity sender_of(const Node& node, const sip::Message& request, const Caller& sender) {
  const Trunk* trunk = sender.kind == Caller::Kind::trunk ? node.trunks.find(sender.name) : nullptr;
  return trunk != nullptr ? identity_of_peer(*trunk, request)
                          : identity_of_user(node.settings.users, sender.name, request);
}

void carry_listed(Turn& turn, const sip::Message& message, const Parties& between,
                  const Identity* sender, sip::Message& copy) {
  const auto settings_of = [&node = turn.node](const Caller& party) -> const TrunkSettings* {
    const Trunk* trunk = party.kind == Caller::Kind::trunk ? node.trunks.find(party.name) : nullptr;
    return trunk != nullptr ? &trunk->settings : nullptr;
  };
  std::size_t left_out = 0;
  add_fields(copy, listed_fields(message, {settings_of(between.from), settings_of(between.to)},
                                 sender, left_out));
  turn.node.left_out(left_out, turn.at.now);
}

sip::Message fresh_request(Node& node, const sip::Message& original, const Place& place,
                           const Identity& sender) {
  const Trunk* trunk =
      place.party.kind == Caller::Kind::trunk ? node.trunks.find(place.party.name) : nullptr;
  const Presentation shown = present(sender, node.settings.domain, trunk);
  sip::NameAddress tagged = shown.from;
  sip::set_parameter(tagged.parameters, "tag", node.random.token(12));
  sip::Message request = sip::Message::request(original.method(), place.request_uri.text());
  request.add(HeaderName::max_forwards, std::to_string(forwards_left(original)));
  request.add(HeaderName::from, tagged.text());
  request.add(HeaderName::to, place.to.text());
  request.add(HeaderName::call_id, node.random.token(24));
  for (const std::string& value : shown.asserted)
    request.add(HeaderName::p_asserted_identity, value);
  if (!shown.privacy.empty()) request.add(HeaderName::privacy, shown.privacy);
  for (const std::string& proxy : place.route)
    request.add(HeaderName::route, proxy);
  return request;
}

}  // namespace trunkline::call
