#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "media/audio_codec.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace trunkline::media {

/// A sound that is prepared once, in every codec, as frames of 20 ms, and then sent to any number
/// of legs, over and over. Never changed after it is made: all threads may read it.
class Clip {
 public:
  static constexpr Duration kFrame = milliseconds{20};
  static constexpr std::size_t kMaxSeconds = 300;
  /// Octets of a file: the samples, and what stands before them.
  static constexpr std::size_t kMaxWav = kMaxSeconds * 16000 * 2 + 65536;

  /// `samples`: 16 bits, one channel; `rate`: 8,000 or 16,000 a second. Codecs that need the other
  /// rate get what is in both. Not empty, and `kMaxSeconds` at most.
  static Result<std::shared_ptr<const Clip>> make(std::vector<std::int16_t> samples,
                                                  std::uint32_t rate);
  /// A RIFF/WAVE file of such samples (PCM).
  static Result<std::shared_ptr<const Clip>> from_wav(ByteView file);
  /// Sines of these frequencies (Hz) together for `on`, then silence for `off`; all after a silence
  /// of `lead`.
  static Result<std::shared_ptr<const Clip>> cadence(std::span<const double> frequencies,
                                                     milliseconds on, milliseconds off,
                                                     milliseconds lead = {});

  std::size_t frames() const { return frames_; }
  /// The payload of a frame; empty for a codec that is none.
  ByteView frame(AudioCodec codec, std::size_t index) const;

 private:
  /// One codec's payloads, one behind the other; `ends[i]` is where frame i ends.
  struct Coded {
    std::vector<std::uint8_t> octets;
    std::vector<std::uint32_t> ends;
  };
  static constexpr std::size_t kCodecs = 5;

  bool encode(AudioCodec codec, std::span<const std::int16_t> samples, std::uint32_t rate);

  std::size_t frames_ = 0;
  std::array<Coded, kCodecs> coded_;
};

/// One leg's place in a clip: a packet of 20 ms at a time. Its clock does not drift: packet n is
/// due at begin + n · 20 ms.
class ClipPlayer {
 public:
  /// `order`: the codec and its payload type.
  ClipPlayer(const StartSound& order, std::shared_ptr<const Clip> clip, TimePoint now);

  std::uint8_t payload_type() const { return order_.payload_type; }
  std::uint32_t clock() const { return rtp_clock(order_.codec); }
  std::uint16_t sequence() const { return sequence_; }
  std::uint32_t timestamp() const { return timestamp_; }
  bool first() const { return sequence_ == 0 && timestamp_ == 0; }
  /// Whether it plays what is ordered.
  bool plays(const StartSound& order) const { return order_ == order; }
  /// Writes the payload, which has room for `kMaxEncoded`, and moves on. Its size. When the worker
  /// has slept for more than 200 ms the frames in between are left out.
  std::size_t next(MutableBytes payload, TimePoint now);
  TimePoint deadline() const { return due_; }
  /// It has been played to its end, and begins anew.
  bool played() const { return rounds_ > 0; }

 private:
  StartSound order_;
  std::shared_ptr<const Clip> clip_;
  std::size_t at_ = 0, rounds_ = 0;
  std::uint16_t sequence_ = 0;
  std::uint32_t timestamp_ = 0;
  TimePoint due_;
};

}  // namespace trunkline::media
