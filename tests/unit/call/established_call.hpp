#pragma once
#include "simulation.hpp"
#include <gtest/gtest.h>

namespace trunkline::call::simulation {

/// Alice, registered, in an answered call with the trunk that she dialled.
struct EstablishedCall : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* trunk = nullptr;

  void SetUp() override {
    alice = &world.registered("alice", 100000);
    trunk = &world.trunk();
    establish();
  }

  void establish() {
    const auto first = alice->invite("5551000", "alice", kBrowserOffer);
    const auto call = world.answer_challenge(*alice, first, "alice");
    const auto invite = trunk->take_request(sip::Method::invite);
    ASSERT_TRUE(invite);
    trunk->respond(*invite, 200, trunk_sdp());
    world.settle();
    const auto answer = alice->take_response(200, call);
    ASSERT_TRUE(answer);
    alice->ack(*answer);
    world.settle();
    ASSERT_EQ(trunk->acks, 1);
    while (alice->take_response()) {
    }
  }

  std::string call_name() const { return world.observed<CallStarted>().front().call.name; }
  /// The leg with this party in the call as it is now; empty if there is none.
  std::string leg_of(std::string_view party) {
    const auto asked = world.ask(MuteCall{{call_name(), {}}, MuteDirection::to_leg, false});
    const auto view = world.reply<CallView>(asked);
    if (!view) return {};
    for (const LegView& leg : view->legs) {
      if (leg.party == party && leg.state != LegState::ended) return leg.id;
    }
    return {};
  }

  /// The BYE that this peer must have got, answered with 200.
  std::optional<sip::RequestReceived> ended(Peer& peer) {
    auto bye = peer.take_request(sip::Method::bye);
    if (bye) peer.respond(*bye, 200);
    world.settle();
    return bye;
  }
};

}  // namespace trunkline::call::simulation
