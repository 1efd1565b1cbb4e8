#pragma once
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/audio_codec.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace trunkline::media {

/// A packet of audio as it came from a peer, opened. `timestamp` counts in `rtp_clock(codec)`.
struct CodedPacket {
  AudioCodec codec = AudioCodec::none;
  std::uint32_t ssrc = 0;
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  ByteView payload;
};

/// Brings the packets of one source into order and says which is to be played next: as late as the
/// network's jitter asks for, and no later. It takes what comes and is asked at the pace of the
/// playing; a lost packet is known by those behind it, an empty buffer by nothing there. The delay
/// wanted is the 95th percentile of how late the last packets were against the fastest of the last
/// seconds. One thread; room for a payload is only asked for when more wait, or longer ones, than
/// ever before.
class JitterBuffer {
 public:
  /// Packets that are kept; one that does not fit empties the buffer.
  static constexpr std::size_t kSlots = 64;
  static constexpr std::size_t kMaxPayload = 1280;
  static constexpr Duration kShortestDelay = milliseconds{20}, kLongestDelay = milliseconds{200};

  enum class Verdict : std::uint8_t {
    kept,
    restarted,  ///< another codec or SSRC, or far from what came before: all that waited is gone
    duplicate,
    late,      ///< its time has passed
    malformed  ///< can't be a payload of its codec
  };

  Verdict push(const CodedPacket& packet, TimePoint now);

  enum class Next : std::uint8_t {
    waiting,  ///< nothing yet, or still gathering what the jitter asks for
    packet,   ///< `payload()` is to be played
    lost      ///< one is missing; `payload()` is the one behind it, or empty
  };
  /// What is to be played now; moves on by one packet unless it says `waiting`.
  Next next(TimePoint now);
  ByteView payload() const { return payload_; }  ///< until the next `next` or `push`
  /// Of the packet, or as long as the packets before, if it is lost; in ticks of the codec's clock.
  std::uint32_t ticks() const { return ticks_; }
  AudioCodec codec() const { return codec_; }

  /// The play-out has nothing for so long that the delay may be chosen anew with the next packet.
  void pause() { gathering_ = true; }
  /// How much audio waits, and how much should.
  Duration level() const;
  Duration wanted() const { return wanted_; }
  TimePoint last_arrival() const { return last_arrival_; }

 private:
  struct Slot {
    bool filled = false;
    std::uint8_t room = 0;  ///< its payload: where in `rooms_`
    std::uint16_t sequence = 0;
    std::uint32_t timestamp = 0, ticks = 0;
  };

  Slot& slot(std::uint16_t sequence) { return slots_[sequence % kSlots]; }
  const Slot& slot(std::uint16_t sequence) const { return slots_[sequence % kSlots]; }
  void restart(const CodedPacket& packet);
  std::uint8_t keep(ByteView payload);
  void leave(Slot& place);
  void measure(std::uint32_t timestamp, TimePoint now);
  const Slot* first_waiting() const;
  Duration as_time(std::int64_t ticks) const;

  static constexpr std::size_t kMeasured = 64;

  std::array<Slot, kSlots> slots_{};
  // As many as ever waited, not as there are slots: of 64 packets few wait at a time.
  std::vector<std::vector<std::uint8_t>> rooms_;
  std::vector<std::uint8_t> free_rooms_;
  std::optional<std::uint8_t> playing_;  ///< the room that `payload_` shows
  AudioCodec codec_ = AudioCodec::none;
  std::uint32_t ssrc_ = 0;
  bool started_ = false, gathering_ = true;
  std::uint16_t next_ = 0, newest_ = 0;  ///< sequence numbers; `newest_` is the highest kept
  std::size_t waiting_ = 0;
  std::uint32_t ticks_ = 0;
  ByteView payload_;
  TimePoint last_arrival_{}, gathered_since_{};

  // How late packets are: against the earliest of this and the last period.
  TimePoint period_begin_{};
  std::optional<std::int64_t> earliest_, earliest_before_;  ///< microseconds
  std::int64_t unwrapped_ = 0;
  std::uint32_t last_timestamp_ = 0;
  std::array<std::int64_t, kMeasured> lateness_{};
  std::size_t measured_ = 0;
  Duration wanted_ = kShortestDelay;
};

}  // namespace trunkline::media
