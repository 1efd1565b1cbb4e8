#include "rtp/timeline.hpp"

#include "rtp/packet.hpp"

#include <algorithm>
#include <chrono>

namespace trunkline::rtp {
namespace {

constexpr std::uint16_t kFirstSequence = 1000, kFirstSequenceEnd = 32768;
constexpr std::int32_t kWindow = 64;
constexpr std::uint64_t kAllTaken = ~std::uint64_t{0};
// After a splice, packets of the old source may still be under way.
constexpr Duration kPreviousLife = seconds{1};
// Timestamps may run ahead of, or fall behind, the sequence by this much before they count as begun
// anew.
constexpr std::int64_t kMaxLeadSeconds = 10;
constexpr std::int64_t kBackwardsDivisor = 10;
// Beyond this the signed difference of two timestamps means nothing (12 h at 48 kHz).
constexpr Duration kMaxGap = std::chrono::hours{6};
// A pause in the timestamps without one in the sequence is discontinuous transmission from 100 ms
// on: no packet is as long.
constexpr std::uint32_t kPauseDivisor = 10;

std::int32_t signed_step(std::uint16_t to, std::uint16_t from) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(to - from));
}

}  // namespace

Timeline::Timeline(std::uint32_t ssrc, Random& random)
    : ssrc_(ssrc),
      last_sequence_(static_cast<std::uint16_t>(
          kFirstSequence + random.below(kFirstSequenceEnd - kFirstSequence) - 1)),
      last_timestamp_(random.number32()) {}

std::optional<LinePosition> Timeline::map(const SourcePacket& packet, TimePoint now) {
  if (force_splice_ || !current_.same(packet)) {
    if (!force_splice_ && is_late_of_previous(packet, now)) return std::nullopt;
    begin_source(packet, now);
    return forward(packet, now);
  }
  switch (order_of(packet.sequence)) {
    case Order::forward:
      jump_pending_ = false;
      return forward(packet, now);
    case Order::late:
      return late(packet, now);
    case Order::duplicate:
      return std::nullopt;
    case Order::wild:
      break;
  }
  if (!confirms_jump(packet.sequence)) return std::nullopt;
  begin_source(packet, now);
  return forward(packet, now);
}

Timeline::Order Timeline::order_of(std::uint16_t sequence) const {
  const std::int32_t step = signed_step(sequence, current_.highest);
  if (step > 0) return step <= kMaxDropout ? Order::forward : Order::wild;
  if (-step >= kWindow) return Order::wild;
  return ((window_ >> -step) & 1) != 0 ? Order::duplicate : Order::late;
}

bool Timeline::is_late_of_previous(const SourcePacket& packet, TimePoint now) const {
  if (!previous_.same(packet) || now >= previous_until_) return false;
  const std::int32_t step = signed_step(packet.sequence, previous_.highest);
  return step <= 0 && step > -kMaxDropout;
}

bool Timeline::confirms_jump(std::uint16_t sequence) {
  if (jump_pending_ && sequence == expected_jump_) return true;
  jump_pending_ = true;
  expected_jump_ = static_cast<std::uint16_t>(sequence + 1);
  return false;
}

void Timeline::begin_source(const SourcePacket& packet, TimePoint now) {
  if (!current_.same(packet)) {
    previous_ = current_;
    previous_until_ = now + kPreviousLife;
  }
  current_ = {packet.source, packet.ssrc, static_cast<std::uint16_t>(packet.sequence - 1), true};
  sequence_shift_ = static_cast<std::uint16_t>(last_sequence_ + 1 - packet.sequence);
  // What the source sent before this packet would fall on numbers that are used up.
  window_ = kAllTaken;
  timestamp_known_ = force_splice_ = jump_pending_ = event_was_last_ = false;
  marker_due_ = true;
}

LinePosition Timeline::forward(const SourcePacket& packet, TimePoint now) {
  const std::int32_t step = signed_step(packet.sequence, current_.highest);
  window_ = step >= kWindow ? 1 : (window_ << step) | 1;
  current_.highest = packet.sequence;
  last_sequence_ = static_cast<std::uint16_t>(packet.sequence + sequence_shift_);
  LinePosition position{last_sequence_, 0, packet.marker};

  if (is_foreign(packet)) {
    event_was_last_ = true;
    position.timestamp = timestamp_at(now);
    return position;
  }
  auto advance = static_cast<std::int32_t>(packet.timestamp + timestamp_shift_ - last_timestamp_);
  const bool continues =
      timestamp_known_ && packet.clock == clock_ && is_plausible(packet, advance, now);
  if (!continues) {
    shift_timestamps(packet, now);
    advance = 0;
  }
  if (!packet.telephone_event) {
    const bool after_pause = continues && step == 1 && !event_was_last_ && advance > 0 &&
                             static_cast<std::uint32_t>(advance) >= clock_ / kPauseDivisor;
    position.marker = packet.marker || marker_due_ || after_pause;
    marker_due_ = false;
  }
  event_was_last_ = packet.telephone_event;
  position.timestamp = packet.timestamp + timestamp_shift_;
  // All packets of an event have the timestamp of its begin: only an advance says what time it is
  // on the line.
  if (advance > 0) {
    last_timestamp_ = position.timestamp;
    last_time_ = now;
  }
  return position;
}

std::optional<LinePosition> Timeline::late(const SourcePacket& packet, TimePoint now) {
  const bool foreign = is_foreign(packet);
  if (!foreign && (!timestamp_known_ || packet.clock != clock_)) return std::nullopt;
  window_ |= std::uint64_t{1} << -signed_step(packet.sequence, current_.highest);
  return LinePosition{static_cast<std::uint16_t>(packet.sequence + sequence_shift_),
                      foreign ? timestamp_at(now) : packet.timestamp + timestamp_shift_,
                      packet.marker};
}

void Timeline::shift_timestamps(const SourcePacket& packet, TimePoint now) {
  clock_ = packet.clock;
  if (started_) {
    last_timestamp_ += static_cast<std::uint32_t>(std::max<std::int64_t>(1, ticks_since_last(now)));
  }
  // Packets from before the shift can't be placed any more.
  if (timestamp_known_) window_ = kAllTaken;
  timestamp_shift_ = last_timestamp_ - packet.timestamp;
  timestamp_known_ = started_ = marker_due_ = true;
  last_time_ = now;
}

bool Timeline::is_plausible(const SourcePacket& packet, std::int32_t advance, TimePoint now) const {
  const std::int64_t clock = clock_;
  // Audio may go on beside an event, whose packets all keep the timestamp of its begin.
  const std::int64_t back =
      packet.telephone_event ? kMaxLeadSeconds * clock : clock / kBackwardsDivisor;
  return now - last_time_ < kMaxGap && advance >= -back &&
         advance <= ticks_since_last(now) + kMaxLeadSeconds * clock;
}

std::int64_t Timeline::ticks_since_last(TimePoint now) const {
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::microseconds>(now - last_time_).count();
  return std::max<std::int64_t>(0, elapsed) * static_cast<std::int64_t>(clock_) / 1'000'000;
}

void Timeline::skip(const SourcePacket& packet) {
  if (!current_.same(packet) || order_of(packet.sequence) != Order::forward) return;
  const std::int32_t step = signed_step(packet.sequence, current_.highest);
  current_.highest = packet.sequence;
  sequence_shift_ = static_cast<std::uint16_t>(sequence_shift_ - step);
  window_ = kAllTaken;
  jump_pending_ = false;
}

LinePosition Timeline::insert(std::uint32_t timestamp, bool marker, TimePoint now) {
  ++last_sequence_;
  ++sequence_shift_;
  window_ = kAllTaken;
  event_was_last_ = true;
  if (!started_) {
    started_ = true;
    last_timestamp_ = timestamp;
    last_time_ = now;
  }
  return {last_sequence_, timestamp, marker};
}

std::uint32_t Timeline::timestamp_at(TimePoint now) const {
  if (!started_) return last_timestamp_;
  return last_timestamp_ + static_cast<std::uint32_t>(ticks_since_last(now));
}

void Timeline::set_clock(std::uint32_t clock, TimePoint now) {
  if (clock == clock_) return;
  last_timestamp_ = timestamp_at(now);
  last_time_ = now;
  clock_ = clock;
  timestamp_known_ = false;
}

}  // namespace trunkline::rtp
