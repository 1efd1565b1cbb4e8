#pragma once
#include "media/srtp.hpp"

#include <array>
#include <cstddef>

namespace trunkline::io {

/// What each SRTP engine costs on this processor, measured at start.
struct SrtpSpeed {
  /// Nanoseconds to seal or to open a packet of 20 ms G.711, by profile and by place in
  /// `media::kSrtpEngines`; 0: the engine is not there, or was not asked for.
  std::array<std::array<double, media::kSrtpEngines.size()>, media::kSrtpProfiles.size()>
      nanoseconds{};
  /// Of each profile the one that was fastest.
  media::SrtpEngines fastest;
};

/// Takes some milliseconds. `wanted`: one engine, or `automatic` for all that are there.
SrtpSpeed measure_srtp_engines(media::SrtpEngineKind wanted);
/// One line that says of each profile which engine serves it and what it costs.
void log_srtp_engines(const SrtpSpeed& speed);

}  // namespace trunkline::io
