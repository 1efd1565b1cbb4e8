#include "media/tone.hpp"

#include "rtp/g711.hpp"

#include <cmath>
#include <numbers>

namespace trunkline::media {

namespace {
constexpr double kAmplitude = 8000;
constexpr std::uint32_t kSampleRate = 8000;
constexpr Duration kLongestSleep = milliseconds{200};
}  // namespace

Tone::Tone(const StartTone& order, TimePoint now)
    : codec_(order.codec),
      payload_type_(order.payload_type),
      frequency_(order.frequency % (kSampleRate / 2)),
      due_(now) {}

std::size_t Tone::next(MutableBytes payload, TimePoint now) {
  for (std::uint32_t i = 0; i < kSamples; ++i) {
    // The wave of a whole number of hertz repeats each second: the angle stays small and exact.
    const std::uint32_t cycle = ((timestamp_ + i) % kSampleRate) * frequency_ % kSampleRate;
    const double angle = 2 * std::numbers::pi * cycle / kSampleRate;
    const auto sample = static_cast<std::int16_t>(kAmplitude * std::sin(angle));
    payload[i] = codec_ == ToneCodec::pcmu ? rtp::pcmu_encode(sample) : rtp::pcma_encode(sample);
  }
  ++sequence_;
  timestamp_ += kSamples;
  due_ += kInterval;
  if (now - due_ > kLongestSleep) {
    const auto missed = (now - due_) / kInterval;
    due_ += missed * kInterval;
    timestamp_ += static_cast<std::uint32_t>(missed) * static_cast<std::uint32_t>(kSamples);
  }
  return kSamples;
}

}  // namespace trunkline::media
