#pragma once
#include "base/time.hpp"
#include "call/observer.hpp"
#include "sip/effects.hpp"

#include <string>
#include <vector>

namespace trunkline::call {

/// How long the store's answer is waited for. Its own limit counts; this one is for an answer that
/// never comes at all.
inline constexpr Duration kLookUpPatience = std::chrono::seconds{1};

/// Where a user has a binding on another node, as that node has told the store.
struct Location {
  sip::Target address;  ///< at which the node takes calls of the others
  Registration registration;
};

/// What the store says of one user.
struct Locations {
  bool known = false;  ///< it has answered, and in time
  std::vector<Location> all;
};

}  // namespace trunkline::call
