#pragma once
#include "agenda.hpp"
#include "api_actor.hpp"
#include "books.hpp"
#include "browser_peer.hpp"
#include "gateway.hpp"
#include "journal.hpp"
#include "media_stub.hpp"
#include "network.hpp"
#include "trunk_peer.hpp"
#include "wire_rules.hpp"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::simulator {

/// What one run came to.
struct Outcome {
  std::vector<std::string> violations;
  std::size_t calls = 0, answered = 0, messages = 0;
};

/// One run: the gateway's core, its peers and the network between them, all from one seed.
class World {
 public:
  World(std::uint64_t seed, bool traced);
  Outcome run();

 private:
  call::Settings settings();
  static call::MediaResources resources(std::size_t workers);
  Habits trunk_habits();
  Faults faults(bool connection);
  void add_peers();
  void schedule_acts(TimePoint until);
  void run_until(TimePoint until);
  TimePoint next() const;
  void wind_up();
  void check_living();
  void check_trunks();
  void check_rest();

  std::uint64_t seed_;
  Agenda agenda_;
  Dice dice_;
  Journal journal_;
  WireRules rules_;
  Books books_;
  Network network_;
  MediaStub media_;
  sip::Transport trunk_transport_;
  bool twins_;  ///< the first trunk has two places
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<ApiActor> api_;
  std::vector<std::unique_ptr<BrowserPeer>> browsers_;
  std::vector<std::unique_ptr<TrunkPeer>> trunks_;
};

}  // namespace trunkline::simulator
