#pragma once
#include "call/replicas.hpp"

#include "simulation.hpp"
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace trunkline::call::simulation {

inline constexpr const char* kSecret = "a secret of all nodes";

/// The node shares its registrations with others.
inline void share_registrations(World& world) {
  TrunkSettings replicas;
  replicas.name = kReplicas;
  replicas.replicas = true;
  replicas.uri = *sip::Uri::parse("sip:10.0.0.1:5061");
  replicas.target_timeout = seconds{2};
  replicas.asserts_identity = replicas.accepts_identity = true;
  replicas.headers_to = replicas.headers_from = {"*"};
  world.settings.trunks.push_back(replicas);
  world.settings.replicas.enabled = true;
  world.settings.credentials.secret = kSecret;
}

/// The store knows alice at these.
inline Locations at(const std::vector<std::string>& nodes) {
  Locations found{.known = true, .all = {}};
  for (const std::string& node : nodes) {
    Location one{{sip::Transport::udp, *SocketAddress::parse("192.0.2.12:5060"), {}}, {}};
    one.registration.node = node;
    one.registration.user = "alice";
    one.registration.instance = "urn:uuid:" + node;
    found.all.push_back(one);
  }
  return found;
}

/// Another node, a peer here, that may have devices of alice.
struct OtherNode : testing::Test {
  World world;
  Peer* other = nullptr;
  Replicas there{{true}, kSecret, "edge-2"};

  void SetUp() override {
    share_registrations(world);
    world.restart();
    other = &world.other_trunk("192.0.2.12:5060");
  }

  /// What the other node sends bears its proof.
  void vouch(sip::Message& request) const {
    there.vouch(request, "test", {}, world.now.time_since_epoch() / seconds{1});
  }
};

}  // namespace trunkline::call::simulation
