#pragma once
#include "base/bytes.hpp"
#include "base/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

/// Telephone events, that is DTMF digits, in RTP (RFC 4733). Nothing here allocates.
namespace trunkline::rtp {

inline constexpr std::size_t kEventPayloadSize = 4;

/// RFC 4733 §2.3.
struct EventPayload {
  std::uint8_t event = 0;  ///< 0-9, 10 *, 11 #, 12-15 A-D, 16 flash
  bool end = false;
  std::uint8_t volume = 10;  ///< −dBm0, 0 to 63
  std::uint16_t duration =
      0;  ///< in ticks of the payload's clock, since the event's (or segment's) timestamp
  bool operator==(const EventPayload&) const = default;
};
/// Nothing if it is shorter than 4 octets. Further events of the same payload are not read.
std::optional<EventPayload> parse_event(ByteView payload);
/// Writes `kEventPayloadSize` octets.
void write_event(MutableBytes out, const EventPayload& event);

/// '0'-'9', '*', '#', 'A'-'D' (or lower case); nothing for other characters and events.
std::optional<std::uint8_t> event_of(char digit);
std::optional<char> digit_of(std::uint8_t event);

struct Digit {
  char digit = '0';
  milliseconds duration{};
  bool operator==(const Digit&) const = default;
};

/// The digits that one input made known: at most the one cut short by the next, and the next
/// itself.
class Digits {
 public:
  void add(const Digit& digit) {
    if (size_ < digits_.size()) digits_[size_++] = digit;
  }
  const Digit* begin() const { return digits_.data(); }
  const Digit* end() const { return digits_.data() + size_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  std::array<Digit, 2> digits_{};
  std::size_t size_ = 0;
};

/// Reports each digit of an incoming stream once, when it has ended: by its end bit, by the next
/// event, or because nothing came for `kSilence`. Any packet of an event is enough to know it. Long
/// events in several segments (RFC 4733 §2.5.1.3) are one digit. Events shorter than 40 ms are
/// reported as 40 ms; what is no DTMF digit is not reported.
class EventReceiver {
 public:
  static constexpr Duration kSilence = milliseconds{200};
  static constexpr milliseconds kShortest{40};

  /// `clock`: Hz of the event's payload type; `timestamp` of the RTP header.
  Digits receive(std::uint32_t ssrc, std::uint32_t timestamp, const EventPayload& payload,
                 std::uint32_t clock, TimePoint now);
  Digits on_deadline(TimePoint now);
  TimePoint deadline() const;

 private:
  struct Key {
    std::uint32_t ssrc = 0, timestamp = 0;
    std::uint8_t event = 0;
    bool operator==(const Key&) const = default;
  };
  static constexpr std::size_t kRemembered = 4;

  bool is_stale(const Key& key, std::uint32_t clock) const;
  void finish(Digits& digits);

  bool active_ = false;
  Key current_;
  std::uint32_t clock_ = 8000;
  std::uint64_t earlier_ticks_ = 0;  ///< of the segments before the current one
  std::uint16_t ticks_ = 0;
  TimePoint last_packet_{};
  std::array<Key, kRemembered> finished_{};
  std::size_t finished_count_ = 0, next_finished_ = 0;
};

/// One packet to send.
struct EventPacket {
  std::uint32_t timestamp = 0;
  bool marker = false;  ///< the first of the event
  EventPayload payload;
};

/// Turns queued digits into packets: one every 20 ms with a growing duration, the last one three
/// times (RFC 4733 §2.5.1.4), a pause behind the last. `next` is called when `deadline` has come,
/// until it returns nothing.
class EventSender {
 public:
  static constexpr std::size_t kMaxQueued = 64;
  static constexpr milliseconds kInterval{20}, kPause{60}, kShortest{40}, kLongest{10000};
  static constexpr int kEndPackets = 3;

  /// False: not a digit, or the queue is full. The duration is taken within `kShortest` and
  /// `kLongest`. `clock`: Hz.
  bool queue(char digit, milliseconds duration, std::uint32_t clock, TimePoint now);
  /// `timestamp_now`: the line's timestamp now; it becomes the event's own if one begins.
  std::optional<EventPacket> next(std::uint32_t timestamp_now, TimePoint now);
  TimePoint deadline() const;
  /// An event is on the line, or waits: audio of the source should not be mixed in.
  bool active() const { return size_ != 0; }
  void clear();

 private:
  struct Item {
    std::uint8_t event = 0;
    std::uint32_t ticks = 0;   ///< of the whole event
    std::uint32_t step = 160;  ///< ticks an interval
  };

  std::vector<Item> queue_;  ///< empty until the first digit, then of `kMaxQueued` places
  std::size_t first_ = 0, size_ = 0;
  TimePoint next_at_{};
  bool begun_ = false;
  std::uint32_t timestamp_ = 0;      ///< of the segment
  std::uint32_t sent_ticks_ = 0;     ///< of the segment
  std::uint32_t earlier_ticks_ = 0;  ///< of the segments before
  int ends_sent_ = 0;
};

/// Carries events from one clock to another: one outgoing timestamp an event, whatever repeats or
/// segments come in, and the duration in the other clock, in segments if it grows beyond 0xFFFF.
class EventConverter {
 public:
  struct Converted {
    std::uint32_t timestamp = 0;
    EventPayload payload;
  };
  /// `line_timestamp`: the outgoing line's timestamp now; it is taken for an event not seen before.
  Converted convert(std::uint32_t ssrc, std::uint32_t timestamp, const EventPayload& payload,
                    std::uint32_t from_clock, std::uint32_t to_clock, std::uint32_t line_timestamp);

 private:
  struct Event {
    bool valid = false;
    std::uint8_t event = 0;
    std::uint32_t ssrc = 0;
    std::uint32_t begin = 0;     ///< the incoming timestamp of its first segment
    std::uint32_t segments = 0;  ///< the number of its newest incoming segment, from 0
    std::uint32_t out = 0;       ///< its outgoing timestamp
  };
  /// The event and the number of the segment that a packet belongs to.
  std::pair<const Event*, std::uint32_t> place(std::uint32_t ssrc, std::uint32_t timestamp,
                                               std::uint8_t event, std::uint32_t line_timestamp);

  std::array<Event, 4> events_{};
  std::size_t next_ = 0;
};

}  // namespace trunkline::rtp
