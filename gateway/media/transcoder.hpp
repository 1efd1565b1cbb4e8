#pragma once
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/audio_codec.hpp"
#include "media/playout.hpp"

#include <cstdint>
#include <memory>
#include <optional>

namespace trunkline::media {

/// One direction of a call whose legs share no codec: the play-out of its source, coded anew, so
/// that a trunk hears a continuous stream. One frame of 20 ms out every 20 ms. Sans I/O, one
/// thread; memory is only asked for when a codec is new.
class Transcoder {
 public:
  explicit Transcoder(AudioCodec to) : to_(to), playout_(to) {}

  void receive(const CodedPacket& packet, TimePoint now) { playout_.receive(packet, now); }

  /// A frame that is due, counted in the RTP clock of the codec made.
  struct Frame {
    std::uint16_t sequence = 0;
    std::uint32_t timestamp = 0;
    bool marker = false;  ///< the first after a silence
    std::size_t size = 0;
  };
  /// Writes the payload of the frame that is due, if one is; called until it says no. `out` has
  /// room for `kMaxEncoded`.
  std::optional<Frame> next(MutableBytes out, TimePoint now);
  TimePoint deadline() const { return playout_.deadline(); }

  AudioCodec to() const { return to_; }
  const PlayoutStatistics& statistics() const { return playout_.statistics(); }
  Duration delay() const { return playout_.delay(); }

 private:
  AudioCodec to_;
  Playout playout_;
  std::unique_ptr<AudioEncoder> encoder_;
  std::uint32_t rate_ = 0;  ///< of the encoder's samples, Hz
  std::uint16_t sequence_ = 0;
  std::uint32_t timestamp_ = 0;
  bool marker_ = true;
};

}  // namespace trunkline::media
