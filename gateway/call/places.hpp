#pragma once
#include "call/identity.hpp"
#include "call/locations.hpp"
#include "call/node.hpp"
#include "call/router.hpp"
#include "sip/effects.hpp"
#include "sip/header.hpp"
#include "sip/uri.hpp"

#include <string>
#include <vector>

namespace trunkline::call {

/// Where a request of ours outside a call goes.
struct Place {
  Caller party;  ///< who is there: a user's device, or a trunk
  sip::Target target;
  sip::Uri request_uri;
  sip::NameAddress to;
  std::vector<std::string> route{};  ///< of a device: its Path (RFC 3327)
  std::string replica{};             ///< another node of ours, which is to be shown who asks
};

/// All places of a party: each device of a user's, the last registered first, or the trunk. Empty:
/// it can't be reached now, or is a service of ours.
std::vector<Place> places_of(Node& node, const Party& party, TimePoint now);

/// Another node, for its bindings of the user and nobody else's.
Place place_at(const Node& node, const std::string& user, const Location& location);
/// Each node that has some, that with the newest binding first.
std::vector<Place> places_elsewhere(const Node& node, const std::string& user,
                                    const Locations& found);

/// Who sends a request, as far as we know it.
Identity sender_of(const Node& node, const sip::Message& request, const Caller& sender);

/// Copies the fields that cross between two parties by the lists of their trunks.
struct Parties {
  const Caller& from;
  const Caller& to;
};
void carry_listed(Turn& turn, const sip::Message& message, const Parties& between,
                  const Identity* sender, sip::Message& copy);

/// A request outside of any dialog, complete but for its CSeq and body: with From tag, Call-ID,
/// what Max-Forwards leaves of `original`, and the sender as the place may know it.
sip::Message fresh_request(Node& node, const sip::Message& original, const Place& place,
                           const Identity& sender);

}  // namespace trunkline::call
