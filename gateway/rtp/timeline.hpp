#pragma once
#include "base/random.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <optional>

namespace trunkline::rtp {

/// A packet of a source, as it came.
struct SourcePacket {
  std::uint64_t source = 0;  ///< what it comes from: a leg, a tone. A change is a splice
  std::uint32_t ssrc = 0;    ///< a change is a splice too
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  bool marker = false;
  std::uint32_t clock = 8000;  ///< Hz of `timestamp`
  bool telephone_event =
      false;  ///< shares the sequence with the audio, whatever its clock (RFC 4733 §2.1)
};

/// What the packet gets on the outgoing line.
struct LinePosition {
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  bool marker = false;
};

/// The outgoing line of one leg: one SSRC for life, one sequence without reuse, one timestamp that
/// never goes back, from sources that come and go (RFC 3550 §5.1). Within a source, loss and
/// reordering are kept: both numbers are shifted by a constant. At a splice (another source or
/// SSRC, a source that started anew, another clock) the sequence goes on with last + 1, the
/// timestamp with last + elapsed time · clock, and the marker is set, so that a receiver
/// resynchronises. No sequence number is ever given twice: SRTP would repeat its key stream (RFC
/// 3711 §9.1). One thread.
class Timeline {
 public:
  /// The first sequence number is random in 1000 to 32767, away from the roll-over (RFC 3711
  /// §3.3.1).
  Timeline(std::uint32_t ssrc, Random& random);

  std::uint32_t ssrc() const { return ssrc_; }

  /// Nothing: the packet must be dropped (a duplicate, too late, or the first of a wild jump).
  ///
  /// An event packet whose clock is not the line's keeps the line's timestamp mapping untouched;
  /// its own timestamp must come from an `EventConverter`, and the one returned here is
  /// `timestamp_at(now)`.
  std::optional<LinePosition> map(const SourcePacket& packet, TimePoint now);

  /// A packet of the source that is not sent on (audio while we send an event, a payload type
  /// without a route): the sequence closes over it, so that nobody takes it for lost.
  void skip(const SourcePacket& packet);

  /// A packet of our own between those of the source: the sequence is last + 1 and the source's
  /// packets move up by one. `timestamp` is as returned by `timestamp_at` (for all packets of an
  /// event the one at its begin).
  LinePosition insert(std::uint32_t timestamp, bool marker, TimePoint now);

  /// The line's timestamp at `now`, never before the last one. For SR, inserted packets and events.
  std::uint32_t timestamp_at(TimePoint now) const;
  /// Hz; 8000 before the first packet.
  std::uint32_t clock() const { return clock_; }
  /// Sets the clock before the first packet, if a packet of our own comes first.
  void set_clock(std::uint32_t clock, TimePoint now);
  /// The next packet is a splice, though source and SSRC may stay (after hold, after a transfer).
  void splice() { force_splice_ = true; }
  bool started() const { return started_; }

 private:
  struct Source {
    std::uint64_t source = 0;
    std::uint32_t ssrc = 0;
    std::uint16_t highest = 0;
    bool valid = false;
    bool same(const SourcePacket& packet) const {
      return valid && source == packet.source && ssrc == packet.ssrc;
    }
  };
  enum class Order : std::uint8_t { forward, late, duplicate, wild };

  Order order_of(std::uint16_t sequence) const;
  bool is_late_of_previous(const SourcePacket& packet, TimePoint now) const;
  bool confirms_jump(std::uint16_t sequence);
  void begin_source(const SourcePacket& packet, TimePoint now);
  LinePosition forward(const SourcePacket& packet, TimePoint now);
  std::optional<LinePosition> late(const SourcePacket& packet, TimePoint now);
  /// Its timestamp is not in the line's clock: an event beside audio of another clock.
  bool is_foreign(const SourcePacket& packet) const {
    return packet.telephone_event && started_ && packet.clock != clock_;
  }
  std::int64_t ticks_since_last(TimePoint now) const;
  bool is_plausible(const SourcePacket& packet, std::int32_t advance, TimePoint now) const;
  void shift_timestamps(const SourcePacket& packet, TimePoint now);

  std::uint32_t ssrc_;
  std::uint16_t last_sequence_;   ///< the highest given out
  std::uint32_t last_timestamp_;  ///< the highest given to a packet of a source, at `last_time_`
  TimePoint last_time_{};
  std::uint32_t clock_ = 8000;
  bool started_ = false;
  bool force_splice_ = false;
  bool marker_due_ = true;  ///< the next audio packet follows a splice
  bool event_was_last_ = false;

  Source current_, previous_;
  TimePoint previous_until_{};
  std::uint16_t sequence_shift_ = 0;   ///< outgoing − incoming
  std::uint32_t timestamp_shift_ = 0;  ///< outgoing − incoming
  bool timestamp_known_ = false;       ///< the shift belongs to the current source and clock
  std::uint64_t window_ = 0;           ///< bit i: `highest − i` was taken, or may not be
  std::uint16_t expected_jump_ = 0;
  bool jump_pending_ = false;
};

}  // namespace trunkline::rtp
