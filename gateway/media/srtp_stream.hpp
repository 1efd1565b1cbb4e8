#pragma once
#include "media/srtp.hpp"

#include <cstdint>
#include <memory>

namespace trunkline::media {

/// The highest index that an earlier context used under the same key: the next one goes on behind
/// it (RFC 3711 §9.1).
struct SrtpPosition {
  std::uint64_t rtp = 0;   ///< 48 bits, roll-over counter and sequence number
  std::uint32_t rtcp = 0;  ///< 31 bits
};

/// Our own RFC 3711 streams - index, roll-over, replay, lifetime - over the transform of `engine`.
/// Null when the engine has none.
std::unique_ptr<SrtpSender> make_stream_sender(SrtpEngineKind engine, SrtpProfile profile,
                                               const SrtpMasterKey& key, std::uint32_t ssrc,
                                               SrtpPosition last = {});
std::unique_ptr<SrtpReceiver> make_stream_receiver(SrtpEngineKind engine, SrtpProfile profile,
                                                   const SrtpMasterKey& key);

}  // namespace trunkline::media
