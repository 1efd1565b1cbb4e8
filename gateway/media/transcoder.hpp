#pragma once
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/audio_codec.hpp"
#include "media/jitter_buffer.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace trunkline::media {

/// What a transcoder has done since it was made.
struct TranscoderStatistics {
  std::uint64_t packets = 0;    ///< taken in
  std::uint64_t late = 0;       ///< came after their time, or twice
  std::uint64_t malformed = 0;  ///< not a payload of their codec
  std::uint64_t lost = 0;       ///< never came, and were concealed
  std::uint64_t starved = 0;    ///< frames made while nothing waited: a pause, or late packets
  std::uint64_t shortened = 0;  ///< frames taken out, because more waited than was needed
};

/// One direction of a call whose legs share no codec: packets of one codec in, in any order and at
/// the network's pace; one frame of 20 ms of another codec out every 20 ms, without a gap. Losses
/// are concealed, pauses of the source (discontinuous transmission) filled, so that a trunk hears a
/// continuous stream; a clock that runs faster or slower than ours is made up for by a frame more
/// or less, blended in. Five seconds after the last packet it falls silent until the next one. Sans
/// I/O, one thread; memory is only asked for when a codec is new.
class Transcoder {
 public:
  static constexpr Duration kFrame = milliseconds{20};
  static constexpr Duration kSilentAfter = seconds{5};
  /// Due times lie on this grid, so that several transcoders wake their thread once.
  static constexpr Duration kGrid = milliseconds{5};

  explicit Transcoder(AudioCodec to);

  void receive(const CodedPacket& packet, TimePoint now);

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
  TimePoint deadline() const { return due_; }

  AudioCodec to() const { return to_; }
  const TranscoderStatistics& statistics() const { return statistics_; }
  /// How much audio waits to be played.
  Duration delay() const;

 private:
  static constexpr std::size_t kRoom = 2 * kMaxPacketSamples;

  bool prepare(AudioCodec from);
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
  std::unique_ptr<AudioEncoder> encoder_;
  std::array<std::int16_t, kRoom> samples_{};
  std::size_t held_ = 0;             ///< of `samples_`
  std::size_t concealed_ahead_ = 0;  ///< samples made up for packets that had not come
  TimePoint due_ = kNever;
  std::uint16_t sequence_ = 0;
  std::uint32_t timestamp_ = 0;
  bool marker_ = true;
  // The least that waited in this period: what is over the wanted delay is taken out.
  Duration least_level_ = Duration::max();
  TimePoint period_end_{};
  bool surplus_ = false;
  TranscoderStatistics statistics_;
};

}  // namespace trunkline::media
