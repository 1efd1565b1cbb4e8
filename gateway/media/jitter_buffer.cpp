#include "media/jitter_buffer.hpp"

#include <algorithm>

namespace trunkline::media {
namespace {

// A step beyond this is a source that began anew.
constexpr std::int32_t kMaxStep = JitterBuffer::kSlots;
constexpr Duration kPeriod = seconds{3};
constexpr std::size_t kMeasureEvery = 8;

std::int32_t step_from(std::uint16_t from, std::uint16_t to) {
  return static_cast<std::int16_t>(static_cast<std::uint16_t>(to - from));
}

}  // namespace

static_assert(JitterBuffer::kSlots < UINT8_MAX);  // of a room's number

JitterBuffer::Verdict JitterBuffer::push(const CodedPacket& packet, TimePoint now) {
  const auto ticks = payload_ticks(packet.codec, packet.payload);
  if (!ticks || packet.payload.size() > kMaxPayload) return Verdict::malformed;
  Verdict verdict = Verdict::kept;
  const bool same = started_ && packet.codec == codec_ && packet.ssrc == ssrc_;
  const std::int32_t step = step_from(next_, packet.sequence);
  if (!same || step >= kMaxStep || step <= -kMaxStep) {
    restart(packet);
    verdict = Verdict::restarted;
  } else if (step < 0) {
    return Verdict::late;
  }
  Slot& place = slot(packet.sequence);
  if (place.filled) return Verdict::duplicate;
  if (waiting_ == 0) {
    gathered_since_ = now;
    newest_ = packet.sequence;
  } else if (step_from(newest_, packet.sequence) > 0) {
    newest_ = packet.sequence;
  }
  place.filled = true;
  place.sequence = packet.sequence;
  place.timestamp = packet.timestamp;
  place.ticks = *ticks;
  place.room = keep(packet.payload);
  ++waiting_;
  last_arrival_ = now;
  measure(packet.timestamp, now);
  return verdict;
}

void JitterBuffer::restart(const CodedPacket& packet) {
  for (Slot& place : slots_) {
    if (place.filled) leave(place);
  }
  waiting_ = 0;
  codec_ = packet.codec;
  ssrc_ = packet.ssrc;
  next_ = packet.sequence;
  started_ = gathering_ = true;
  ticks_ = rtp_clock(codec_) / 50;
  earliest_.reset();
  earliest_before_.reset();
  unwrapped_ = 0;
  last_timestamp_ = packet.timestamp;
  measured_ = 0;
}

std::uint8_t JitterBuffer::keep(ByteView payload) {
  if (free_rooms_.empty()) {
    free_rooms_.push_back(static_cast<std::uint8_t>(rooms_.size()));
    rooms_.emplace_back();
  }
  const std::uint8_t room = free_rooms_.back();
  free_rooms_.pop_back();
  rooms_[room].assign(payload.begin(), payload.end());
  return room;
}

void JitterBuffer::leave(Slot& place) {
  place.filled = false;
  free_rooms_.push_back(place.room);
}

void JitterBuffer::measure(std::uint32_t timestamp, TimePoint now) {
  unwrapped_ += static_cast<std::int32_t>(timestamp - last_timestamp_);
  last_timestamp_ = timestamp;
  const auto arrival =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  const std::int64_t transit =
      arrival - unwrapped_ * 1'000'000 / static_cast<std::int64_t>(rtp_clock(codec_));
  if (now - period_begin_ >= kPeriod) {
    earliest_before_ = now - period_begin_ < 2 * kPeriod ? earliest_ : std::nullopt;
    earliest_.reset();
    period_begin_ = now;
  }
  earliest_ = std::min(earliest_.value_or(transit), transit);
  const std::int64_t base = std::min(*earliest_, earliest_before_.value_or(*earliest_));
  lateness_[measured_ % kMeasured] = transit - base;
  ++measured_;
  if (measured_ % kMeasureEvery != 0) return;
  auto sorted = lateness_;
  const std::size_t count = std::min(measured_, kMeasured);
  const auto rank = sorted.begin() + static_cast<std::ptrdiff_t>(count * 95 / 100);
  std::nth_element(sorted.begin(), rank, sorted.begin() + static_cast<std::ptrdiff_t>(count));
  const Duration needed = kShortestDelay + std::chrono::microseconds{*rank};
  wanted_ = std::clamp(needed, kShortestDelay, kLongestDelay);
}

const JitterBuffer::Slot* JitterBuffer::first_waiting() const {
  if (waiting_ == 0) return nullptr;
  for (std::size_t ahead = 0; ahead < kSlots; ++ahead) {
    const Slot& place = slot(static_cast<std::uint16_t>(next_ + ahead));
    if (place.filled) return &place;
  }
  return nullptr;
}

Duration JitterBuffer::as_time(std::int64_t ticks) const {
  if (codec_ == AudioCodec::none) return {};
  return std::chrono::microseconds{ticks * 1'000'000 /
                                   static_cast<std::int64_t>(rtp_clock(codec_))};
}

Duration JitterBuffer::level() const {
  const Slot* first = first_waiting();
  if (first == nullptr) return {};
  const Slot& last = slot(newest_);
  return as_time(static_cast<std::int32_t>(last.timestamp + last.ticks - first->timestamp));
}

JitterBuffer::Next JitterBuffer::next(TimePoint now) {
  payload_ = {};
  if (playing_) free_rooms_.push_back(*playing_);
  playing_.reset();
  const Slot* first = first_waiting();
  if (first == nullptr) return Next::waiting;
  if (gathering_) {
    if (now - gathered_since_ < wanted_ && level() < wanted_) return Next::waiting;
    gathering_ = false;
    next_ = first->sequence;
  }
  Slot& due = slot(next_);
  ++next_;
  if (due.filled) {
    due.filled = false;
    --waiting_;
    playing_ = due.room;
    payload_ = rooms_[due.room];
    ticks_ = due.ticks;
    return Next::packet;
  }
  if (first->sequence == next_) payload_ = rooms_[first->room];
  return Next::lost;
}

}  // namespace trunkline::media
