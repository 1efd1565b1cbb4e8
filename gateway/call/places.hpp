#pragma once
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
};

/// All places of a party: each device of a user's, the last registered first, or the trunk. Empty:
/// it can't be reached now, or is a service of ours.
std::vector<Place> places_of(Node& node, const Party& party, TimePoint now);

/// How the sender of a request is named to others: as a number or user of our domain.
sip::NameAddress shown_sender(const Node& node, const sip::Message& request, const Caller& sender);

/// A request outside of any dialog, complete but for its CSeq and body: with From tag, Call-ID and
/// what Max-Forwards leaves of `original`.
sip::Message fresh_request(Node& node, const sip::Message& original, const Place& place,
                           const sip::NameAddress& from);

}  // namespace trunkline::call
