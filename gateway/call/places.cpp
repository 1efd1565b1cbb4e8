#include "call/places.hpp"

#include "call/carried_headers.hpp"

namespace trunkline::call {

using sip::HeaderName;

std::vector<Place> places_of(Node& node, const Party& party, TimePoint now) {
  std::vector<Place> places;
  const std::string& name = party.destination.name;
  if (party.destination.kind == Destination::Kind::user) {
    for (const Binding& binding : node.registrar.find(name, now)) {
      Place place{{Caller::Kind::user, name}, binding.target, binding.contact.uri, {}};
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
  const sip::Uri& uri = trunk->settings.uri;
  Place place{{Caller::Kind::trunk, name}, *target, uri, {}};
  place.request_uri.user = sip::escape_user(party.number);
  place.to.uri = sip::Uri::sip(party.number, uri.host, uri.port);
  places.push_back(std::move(place));
  return places;
}

sip::NameAddress shown_sender(const Node& node, const sip::Message& request, const Caller& sender) {
  const sip::NameAddress from = sip::from_of(request);
  sip::NameAddress shown;
  shown.display_name = from.display_name;
  shown.uri =
      sip::Uri::sip(sender.kind == Caller::Kind::user ? sender.name : from.uri.unescaped_user(),
                    node.settings.domain);
  return shown;
}

sip::Message fresh_request(Node& node, const sip::Message& original, const Place& place,
                           const sip::NameAddress& from) {
  sip::NameAddress tagged = from;
  sip::set_parameter(tagged.parameters, "tag", node.random.token(12));
  sip::Message request = sip::Message::request(original.method(), place.request_uri.text());
  request.add(HeaderName::max_forwards, std::to_string(forwards_left(original)));
  request.add(HeaderName::from, tagged.text());
  request.add(HeaderName::to, place.to.text());
  request.add(HeaderName::call_id, node.random.token(24));
  return request;
}

}  // namespace trunkline::call
