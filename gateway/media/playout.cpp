#include "media/playout.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::media {
namespace {

// After so much made-up sound the source is taken to pause: its next packets are gathered anew.
constexpr int kPauseFrames = 3;
constexpr Duration kLevelPeriod = seconds{1};
// A worker that slept longer leaves the frames in between out.
constexpr Duration kIdle = milliseconds{200};

TimePoint on_grid(TimePoint time) {
  const auto since = time.time_since_epoch();
  const auto over = since % Playout::kGrid;
  return over == Duration{} ? time : time + (Playout::kGrid - over);
}

}  // namespace

void Playout::receive(const CodedPacket& packet, TimePoint now) {
  ++statistics_.packets;
  switch (buffer_.push(packet, now)) {
    case JitterBuffer::Verdict::malformed:
      ++statistics_.malformed;
      return;
    case JitterBuffer::Verdict::late:
    case JitterBuffer::Verdict::duplicate:
      ++statistics_.late;
      return;
    case JitterBuffer::Verdict::restarted:
      concealed_ahead_ = 0;
      least_level_ = Duration::max();
      surplus_ = false;
      break;
    case JitterBuffer::Verdict::kept:
      break;
  }
  if (due_ != kNever) return;
  due_ = on_grid(now);
  period_end_ = now + kLevelPeriod;
  first_ = true;
}

bool Playout::prepare(AudioCodec from) {
  if (from == from_) return decoder_ != nullptr;
  from_ = from;
  const std::uint32_t rate = common_rate(from, to_);
  decoder_ = AudioDecoder::make(from, rate);
  if (rate != rate_) held_ = concealed_ahead_ = 0;
  rate_ = rate;
  return decoder_ != nullptr;
}

void Playout::forget_played() {
  const auto begin = samples_.begin();
  std::copy(begin + static_cast<std::ptrdiff_t>(played_),
            begin + static_cast<std::ptrdiff_t>(held_), begin);
  held_ -= played_;
  played_ = 0;
}

/// Behind those held; less if there can't be so much.
std::span<std::int16_t> Playout::room_for(std::size_t samples) {
  samples = std::min(samples, kRoom - held_);
  if (samples_.size() < held_ + samples) samples_.resize(held_ + samples);
  return std::span(samples_).subspan(held_, samples);
}

void Playout::conceal(std::size_t samples, ByteView next) {
  const auto room = room_for(samples);
  decoder_->conceal(room, next);
  held_ += room.size();
}

/// Moves on by one packet, there or lost; false when nothing waits.
bool Playout::take(TimePoint now) {
  const JitterBuffer::Next next = buffer_.next(now);
  if (next == JitterBuffer::Next::waiting) return false;
  const std::size_t length = std::size_t{buffer_.ticks()} * rate_ / rtp_clock(buffer_.codec());
  if (next == JitterBuffer::Next::lost) {
    ++statistics_.lost;
    // Its time has been filled already while it was waited for.
    if (concealed_ahead_ >= length) {
      concealed_ahead_ -= length;
    } else {
      conceal(length, buffer_.payload());
    }
    return true;
  }
  concealed_ahead_ = 0;
  if (kRoom - held_ < kMaxPacketSamples) return true;
  const std::size_t made = decoder_->decode(buffer_.payload(), room_for(length));
  if (made == 0) {
    ++statistics_.malformed;
    conceal(length, {});
  }
  held_ += made;
  return true;
}

void Playout::fill(std::size_t wanted, TimePoint now) {
  while (held_ < wanted) {
    if (take(now)) continue;
    ++statistics_.starved;
    const std::size_t missing = wanted - held_;
    conceal(missing, {});
    concealed_ahead_ += missing;
    if (concealed_ahead_ >= kPauseFrames * frame_samples()) buffer_.pause();
  }
}

void Playout::watch_level(TimePoint now) {
  least_level_ = std::min(least_level_, buffer_.level());
  if (now < period_end_) return;
  // One frame of slack: the level swings by a packet between two arrivals.
  surplus_ = least_level_ != Duration::max() && least_level_ >= buffer_.wanted() + kFrame;
  least_level_ = Duration::max();
  period_end_ = now + kLevelPeriod;
}

/// Blends two frames into one.
void Playout::shorten(TimePoint now) {
  const std::size_t frame = frame_samples();
  while (held_ < 2 * frame) {
    if (!take(now)) return;
  }
  for (std::size_t i = 0; i < frame; ++i) {
    const auto into = static_cast<std::int32_t>(i);
    const auto whole = static_cast<std::int32_t>(frame);
    const std::int32_t mixed = (samples_[i] * (whole - into) + samples_[i + frame] * into) / whole;
    samples_[i] = static_cast<std::int16_t>(mixed);
  }
  std::copy(samples_.begin() + static_cast<std::ptrdiff_t>(2 * frame),
            samples_.begin() + static_cast<std::ptrdiff_t>(held_),
            samples_.begin() + static_cast<std::ptrdiff_t>(frame));
  held_ -= frame;
  ++statistics_.shortened;
  surplus_ = false;
}

std::optional<Playout::Piece> Playout::next(TimePoint now) {
  forget_played();
  if (due_ > now) return std::nullopt;
  if (now - buffer_.last_arrival() >= kSilentAfter || !prepare(buffer_.codec())) {
    due_ = kNever;
    buffer_.pause();
    return std::nullopt;
  }
  Piece piece;
  if (now - due_ > kIdle) {
    const auto missed = (now - due_) / kFrame;
    due_ += missed * kFrame;
    piece.skipped = static_cast<std::uint32_t>(missed);
  }
  watch_level(now);
  if (surplus_) shorten(now);
  played_ = frame_samples();
  fill(played_, now);
  due_ += kFrame;
  piece.samples = std::span(samples_).first(played_);
  piece.rate = rate_;
  piece.first = std::exchange(first_, false);
  return piece;
}

Duration Playout::delay() const {
  const Duration held =
      rate_ == 0 ? Duration{}
                 : Duration{std::chrono::microseconds{(held_ - played_) * 1'000'000 / rate_}};
  return held + buffer_.level();
}

}  // namespace trunkline::media
