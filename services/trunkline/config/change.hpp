#pragma once
#include "config/config.hpp"
#include <string>
#include <vector>

namespace trunkline::config {

/// What the node had when it started and can't get more of while it runs.
struct Bounds {
  std::vector<IpAddress> media;     ///< on which there are RTP ports
  std::size_t max_calls = 0;        ///< for which the media workers have room
  bool certificate_needed = false;  ///< the API's clients can't connect without one
};
Bounds bounds_of(const Config& started);

/// How a file differs from what is in force.
struct Changes {
  Value merged;  ///< what is to be in force now: the new values where they can be taken
  /// Paths of the keys with new values: those that are taken, and those that wait for a restart. An
  /// element of a list is called by its name where it has one: "trunks[carrier].max_calls", and
  /// "trunks[carrier]" if it is new or gone.
  std::vector<std::string> applied, needs_restart;
};
Changes compare(const Value& running, const Value& next, const Bounds& bounds);

}  // namespace trunkline::config
