#pragma once
#include "base/random.hpp"
#include "base/time.hpp"
#include "media/api.hpp"
#include "media/counters.hpp"
#include "media/dtls_transport.hpp"
#include "media/outbox.hpp"
#include "media/plane.hpp"

#include <vector>

namespace trunkline::media {

/// One input's time and the places for its effects.
struct Turn {
  TimePoint now;
  Outbox& out;
  std::vector<Event>& events;
};

/// What all legs of one worker share.
struct WorkerContext {
  const PlaneSettings& settings;
  Random& random;
  MediaCounters& counters;
  HandshakeBudget& handshakes;
};

}  // namespace trunkline::media
