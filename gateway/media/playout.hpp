#pragma once
#include "base/time.hpp"
#include "media/audio_codec.hpp"
#include "media/jitter_buffer.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace trunkline::media {

/// What became of the packets of one source since its play-out was made.
struct PlayoutStatistics {
  std::uint64_t packets = 0;    ///< taken in
  std::uint64_t late = 0;       ///< came after their time, or twice
  std::uint64_t malformed = 0;  ///< not a payload of their codec
  std::uint64_t lost = 0;       ///< never came, and were concealed
  std::uint64_t starved = 0;    ///< frames made while nothing waited: a pause, or late packets
  std::uint64_t shortened = 0;  ///< frames taken out, because more waited than was needed
};

/// One source of audio as linear samples: packets in, in any order and at the network's pace; 20 ms
/// of samples out every 20 ms, without a gap. Losses are concealed, pauses of the source
/// (discontinuous transmission) filled; a clock that runs faster or slower than ours is made up for
/// by a frame more or less, blended in. Five seconds after the last packet it falls silent until
/// the next one. Sans I/O, one thread; memory is only asked for when a codec is new, or more
/// samples wait than ever before.
class Playout {
 public:
  static constexpr Duration kFrame = milliseconds{20};
  static constexpr Duration kSilentAfter = seconds{5};
  /// Due times lie on this grid, so that several of them wake their thread once.
  static constexpr Duration kGrid = milliseconds{5};

  /// `to`: the codec that the samples are for, which decides their rate with that of the source
  /// (`common_rate`); none: 8,000.
  explicit Playout(AudioCodec to) : to_(to) {}

  void receive(const CodedPacket& packet, TimePoint now);

  /// 20 ms of sound that are due.
  struct Piece {
    std::span<const std::int16_t> samples;  ///< until the next call
    std::uint32_t rate = 0;                 ///< of the samples, Hz
    std::uint32_t skipped = 0;              ///< frames left out before it: the thread has slept
    bool first = false;                     ///< of the source, or after a silence
  };
  /// Called until it says no.
  std::optional<Piece> next(TimePoint now);
  TimePoint deadline() const { return due_; }

  const PlayoutStatistics& statistics() const { return statistics_; }
  /// How much audio waits to be played.
  Duration delay() const;

 private:
  static constexpr std::size_t kRoom = 2 * kMaxPacketSamples;

  bool prepare(AudioCodec from);
  void forget_played();
  std::span<std::int16_t> room_for(std::size_t samples);
  void fill(std::size_t wanted, TimePoint now);
  bool take(TimePoint now);
  void conceal(std::size_t samples, ByteView next);
  void shorten(TimePoint now);
  void watch_level(TimePoint now);
  std::size_t frame_samples() const { return rate_ / 50; }

  AudioCodec to_, from_ = AudioCodec::none;
  std::uint32_t rate_ = 0;  ///< of the samples, Hz
  JitterBuffer buffer_;
  std::unique_ptr<AudioDecoder> decoder_;
  std::vector<std::int16_t> samples_;  ///< at most `kRoom`
  std::size_t held_ = 0;               ///< of `samples_`
  std::size_t played_ = 0;             ///< of them, at the front: what `next` has given away
  std::size_t concealed_ahead_ = 0;    ///< samples made up for packets that had not come
  TimePoint due_ = kNever;
  bool first_ = true;
  // The least that waited in this period: what is over the wanted delay is taken out.
  Duration least_level_ = Duration::max();
  TimePoint period_end_{};
  bool surplus_ = false;
  PlayoutStatistics statistics_;
};

}  // namespace trunkline::media
