#include "rtp/telephone_event.hpp"

#include <algorithm>
#include <string_view>

namespace trunkline::rtp {
namespace {

constexpr std::string_view kDigits = "0123456789*#ABCD";
constexpr std::uint32_t kSegment = 0xffff;
// An older timestamp of the same source is a packet that lost its way, unless it is older by this
// and by a segment.
constexpr std::uint32_t kStaleSeconds = 5;

}  // namespace

std::optional<EventPayload> parse_event(ByteView payload) {
  if (payload.size() < kEventPayloadSize) return std::nullopt;
  return EventPayload{payload[0], (payload[1] & 0x80) != 0,
                      static_cast<std::uint8_t>(payload[1] & 0x3f), load16(payload, 2)};
}

void write_event(MutableBytes out, const EventPayload& event) {
  out[0] = event.event;
  out[1] = static_cast<std::uint8_t>((event.end ? 0x80 : 0) | (event.volume & 0x3f));
  store16(out, 2, event.duration);
}

std::optional<std::uint8_t> event_of(char digit) {
  if (digit >= 'a' && digit <= 'd') digit = static_cast<char>(digit - 'a' + 'A');
  const std::size_t event = kDigits.find(digit);
  if (event == std::string_view::npos) return std::nullopt;
  return static_cast<std::uint8_t>(event);
}

std::optional<char> digit_of(std::uint8_t event) {
  if (event >= kDigits.size()) return std::nullopt;
  return kDigits[event];
}

Digits EventReceiver::receive(std::uint32_t ssrc, std::uint32_t timestamp,
                              const EventPayload& payload, std::uint32_t clock, TimePoint now) {
  Digits digits;
  const Key key{ssrc, timestamp, payload.event};
  if (!active_ || !(key == current_)) {
    if (is_stale(key, clock)) return digits;
    const bool next_segment =
        active_ && key == Key{current_.ssrc, current_.timestamp + kSegment, current_.event};
    if (next_segment) {
      earlier_ticks_ += kSegment;
    } else {
      if (active_) finish(digits);
      earlier_ticks_ = 0;
    }
    active_ = true;
    current_ = key;
    ticks_ = 0;
  }
  clock_ = std::max<std::uint32_t>(1, clock);
  ticks_ = std::max(ticks_, payload.duration);
  last_packet_ = now;
  if (payload.end) finish(digits);
  return digits;
}

bool EventReceiver::is_stale(const Key& key, std::uint32_t clock) const {
  const auto known = finished_.begin() + static_cast<std::ptrdiff_t>(finished_count_);
  if (std::find(finished_.begin(), known, key) != known) return true;
  const Key* newest = nullptr;
  if (active_) {
    newest = &current_;
  } else if (finished_count_ != 0) {
    newest = &finished_[(next_finished_ + kRemembered - 1) % kRemembered];
  }
  if (newest == nullptr || newest->ssrc != key.ssrc) return false;
  const std::uint32_t behind = newest->timestamp - key.timestamp;
  return behind != 0 && behind <= std::max(kStaleSeconds * clock, kSegment);
}

void EventReceiver::finish(Digits& digits) {
  active_ = false;
  finished_[next_finished_] = current_;
  next_finished_ = (next_finished_ + 1) % kRemembered;
  finished_count_ = std::min(finished_count_ + 1, kRemembered);
  if (const auto digit = digit_of(current_.event)) {
    const milliseconds duration{(earlier_ticks_ + ticks_) * 1000 / clock_};
    digits.add({*digit, std::max(duration, kShortest)});
  }
}

Digits EventReceiver::on_deadline(TimePoint now) {
  Digits digits;
  if (active_ && now >= deadline()) finish(digits);
  return digits;
}

TimePoint EventReceiver::deadline() const {
  return active_ ? last_packet_ + kSilence : kNever;
}

bool EventSender::queue(char digit, milliseconds duration, std::uint32_t clock, TimePoint now) {
  const auto event = event_of(digit);
  if (!event || size_ == kMaxQueued || clock < 1000 || clock > 192000) return false;
  const auto length = static_cast<std::uint32_t>(std::clamp(duration, kShortest, kLongest).count());
  const std::uint32_t per_millisecond = clock / 1000;
  if (queue_.empty()) queue_.resize(kMaxQueued);
  if (size_ == 0) next_at_ = std::max(next_at_, now);
  queue_[(first_ + size_) % kMaxQueued] = {
      *event, length * per_millisecond,
      static_cast<std::uint32_t>(kInterval.count()) * per_millisecond};
  ++size_;
  return true;
}

std::optional<EventPacket> EventSender::next(std::uint32_t timestamp_now, TimePoint now) {
  if (size_ == 0 || now < next_at_) return std::nullopt;
  const Item item = queue_[first_];
  EventPacket packet;
  if (!begun_) {
    begun_ = packet.marker = true;
    timestamp_ = timestamp_now;
    sent_ticks_ = earlier_ticks_ = 0;
    ends_sent_ = 0;
  }
  if (ends_sent_ == 0) sent_ticks_ = std::min(sent_ticks_ + item.step, item.ticks - earlier_ticks_);
  packet.timestamp = timestamp_;
  packet.payload.event = item.event;
  packet.payload.duration = static_cast<std::uint16_t>(std::min(sent_ticks_, kSegment));
  packet.payload.end = sent_ticks_ <= kSegment && earlier_ticks_ + sent_ticks_ == item.ticks;
  if (sent_ticks_ > kSegment) {
    // RFC 4733 §2.5.1.3: the next segment begins where this one is full.
    earlier_ticks_ += kSegment;
    timestamp_ += kSegment;
    sent_ticks_ = 0;
  }
  // A late turn of the worker delays the rest instead of being made up for in a burst.
  next_at_ = (now - next_at_ > kInterval ? now : next_at_) + kInterval;
  if (packet.payload.end && ++ends_sent_ == kEndPackets) {
    begun_ = false;
    first_ = (first_ + 1) % kMaxQueued;
    --size_;
    next_at_ += kPause - kInterval;
  }
  return packet;
}

TimePoint EventSender::deadline() const {
  return size_ == 0 ? kNever : next_at_;
}

void EventSender::clear() {
  size_ = 0;
  begun_ = false;
}

EventConverter::Converted EventConverter::convert(std::uint32_t ssrc, std::uint32_t timestamp,
                                                  const EventPayload& payload,
                                                  std::uint32_t from_clock, std::uint32_t to_clock,
                                                  std::uint32_t line_timestamp) {
  const auto [event, segment] = place(ssrc, timestamp, payload.event, line_timestamp);
  const std::uint64_t ticks = (std::uint64_t{segment} * kSegment + payload.duration) * to_clock /
                              std::max<std::uint32_t>(1, from_clock);
  const std::uint64_t full = ticks == 0 ? 0 : (ticks - 1) / kSegment;
  Converted converted{event->out + static_cast<std::uint32_t>(full * kSegment), payload};
  converted.payload.duration = static_cast<std::uint16_t>(ticks - full * kSegment);
  return converted;
}

std::pair<const EventConverter::Event*, std::uint32_t> EventConverter::place(
    std::uint32_t ssrc, std::uint32_t timestamp, std::uint8_t event, std::uint32_t line_timestamp) {
  for (Event& known : events_) {
    if (!known.valid || known.ssrc != ssrc || known.event != event) continue;
    const std::uint32_t since = timestamp - known.begin;
    if (since % kSegment != 0 || since / kSegment > known.segments + 1) continue;
    known.segments = std::max(known.segments, since / kSegment);
    return {&known, since / kSegment};
  }
  Event& begun = events_[next_];
  next_ = (next_ + 1) % events_.size();
  begun = {true, event, ssrc, timestamp, 0, line_timestamp};
  return {&begun, 0};
}

}  // namespace trunkline::rtp
