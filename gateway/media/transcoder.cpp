#include "media/transcoder.hpp"

#include <algorithm>

namespace trunkline::media {
namespace {

// After so much made-up sound the source is taken to pause: its next packets are gathered anew.
constexpr int kPauseFrames = 3;
constexpr Duration kLevelPeriod = seconds{1};
// A worker that slept longer leaves the frames in between out.
constexpr Duration kIdle = milliseconds{200};

TimePoint on_grid(TimePoint time) {
  const auto since = time.time_since_epoch();
  const auto over = since % Transcoder::kGrid;
  return over == Duration{} ? time : time + (Transcoder::kGrid - over);
}

}  // namespace

Transcoder::Transcoder(AudioCodec to) : to_(to) {}

void Transcoder::receive(const CodedPacket& packet, TimePoint now) {
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
  marker_ = true;
}

bool Transcoder::prepare(AudioCodec from) {
  if (from == from_) return decoder_ && encoder_;
  from_ = from;
  const std::uint32_t rate = common_rate(from, to_);
  decoder_ = AudioDecoder::make(from, rate);
  if (rate != rate_ || !encoder_) encoder_ = AudioEncoder::make(to_, rate);
  if (rate != rate_) held_ = concealed_ahead_ = 0;
  rate_ = rate;
  return decoder_ && encoder_;
}

void Transcoder::conceal(std::size_t samples, ByteView next) {
  samples = std::min(samples, samples_.size() - held_);
  decoder_->conceal(std::span(samples_).subspan(held_, samples), next);
  held_ += samples;
}

/// Moves on by one packet, there or lost; false when nothing waits.
bool Transcoder::take(TimePoint now) {
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
  if (samples_.size() - held_ < kMaxPacketSamples) return true;
  const std::size_t made = decoder_->decode(buffer_.payload(), std::span(samples_).subspan(held_));
  if (made == 0) {
    ++statistics_.malformed;
    conceal(length, {});
  }
  held_ += made;
  return true;
}

void Transcoder::fill(std::size_t wanted, TimePoint now) {
  while (held_ < wanted) {
    if (take(now)) continue;
    ++statistics_.starved;
    const std::size_t missing = wanted - held_;
    conceal(missing, {});
    concealed_ahead_ += missing;
    if (concealed_ahead_ >= kPauseFrames * frame_samples()) buffer_.pause();
  }
}

void Transcoder::watch_level(TimePoint now) {
  least_level_ = std::min(least_level_, buffer_.level());
  if (now < period_end_) return;
  // One frame of slack: the level swings by a packet between two arrivals.
  surplus_ = least_level_ != Duration::max() && least_level_ >= buffer_.wanted() + kFrame;
  least_level_ = Duration::max();
  period_end_ = now + kLevelPeriod;
}

/// Blends two frames into one.
void Transcoder::shorten(TimePoint now) {
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

std::optional<Transcoder::Frame> Transcoder::next(MutableBytes out, TimePoint now) {
  while (due_ <= now) {
    if (now - buffer_.last_arrival() >= kSilentAfter || !prepare(buffer_.codec())) {
      due_ = kNever;
      buffer_.pause();
      return std::nullopt;
    }
    if (now - due_ > kIdle) {
      const auto missed = (now - due_) / kFrame;
      due_ += missed * kFrame;
      timestamp_ += static_cast<std::uint32_t>(missed) * (rtp_clock(to_) / 50);
    }
    watch_level(now);
    if (surplus_) shorten(now);
    const std::size_t frame = frame_samples();
    fill(frame, now);
    Frame made{sequence_, timestamp_, marker_, 0};
    made.size = encoder_->encode(std::span(samples_).first(frame), out);
    std::copy(samples_.begin() + static_cast<std::ptrdiff_t>(frame),
              samples_.begin() + static_cast<std::ptrdiff_t>(held_), samples_.begin());
    held_ -= frame;
    due_ += kFrame;
    timestamp_ += rtp_clock(to_) / 50;
    if (made.size == 0) continue;
    ++sequence_;
    marker_ = false;
    return made;
  }
  return std::nullopt;
}

Duration Transcoder::delay() const {
  const Duration held =
      rate_ == 0 ? Duration{} : Duration{std::chrono::microseconds{held_ * 1'000'000 / rate_}};
  return held + buffer_.level();
}

}  // namespace trunkline::media
