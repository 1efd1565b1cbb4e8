#pragma once
#include "base/bytes.hpp"
#include "media/api.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

/// Audio between its coded form and linear samples: 16 bits, one channel. G.711 by its tables,
/// G.722 by spandsp, Opus by libopus. Nothing here allocates after it is made. One thread each.
namespace trunkline::media {

/// The longest packet of audio that is taken: 120 ms of Opus (RFC 6716 §3.2.5) at 16 kHz.
inline constexpr std::size_t kMaxPacketSamples = 120 * 16;
/// The longest payload that an encoder writes for 20 ms.
inline constexpr std::size_t kMaxEncoded = 256;

/// Ticks of a codec's RTP clock in one second: 48,000 for Opus (RFC 7587 §4.1), 8,000 for G.722,
/// though it samples at 16 kHz (RFC 3551 §4.5.2).
constexpr std::uint32_t rtp_clock(AudioCodec codec) {
  return codec == AudioCodec::opus ? 48000 : 8000;
}

/// Samples a second that both codecs can be run at without another conversion: 16,000 between the
/// two wideband codecs, 8,000 as soon as G.711 is one of them.
constexpr std::uint32_t common_rate(AudioCodec one, AudioCodec other) {
  const auto wide = [](AudioCodec codec) {
    return codec == AudioCodec::opus || codec == AudioCodec::g722;
  };
  return wide(one) && wide(other) ? 16000 : 8000;
}

/// How long the audio of a payload is, in ticks of the codec's RTP clock. Nothing when it can't be
/// a payload of that codec, or is longer than 120 ms.
std::optional<std::uint32_t> payload_ticks(AudioCodec codec, ByteView payload);

/// From payloads to samples.
class AudioDecoder {
 public:
  /// `rate`: samples a second, 8,000 or 16,000 (G.711: 8,000 only). Null if the library refuses.
  static std::unique_ptr<AudioDecoder> make(AudioCodec codec, std::uint32_t rate);
  virtual ~AudioDecoder() = default;
  /// Writes the payload's samples and says how many; 0 when it can't be decoded. `out` has room for
  /// `kMaxPacketSamples`.
  virtual std::size_t decode(ByteView payload, std::span<std::int16_t> out) = 0;
  /// Fills `out` with what a lost piece of that length may have been. `next`: the payload behind
  /// the loss, if it is there; Opus may carry a copy of what was lost in it (RFC 6716 §2.1.7).
  virtual void conceal(std::span<std::int16_t> out, ByteView next) = 0;
};

/// From samples to payloads.
class AudioEncoder {
 public:
  static std::unique_ptr<AudioEncoder> make(AudioCodec codec, std::uint32_t rate);
  virtual ~AudioEncoder() = default;
  /// Encodes 20 ms. The size of the payload in `out`, which has room for `kMaxEncoded`; 0 when the
  /// library refuses.
  virtual std::size_t encode(std::span<const std::int16_t> samples, MutableBytes out) = 0;
};

}  // namespace trunkline::media
