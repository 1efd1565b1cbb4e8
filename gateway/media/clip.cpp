#include "media/clip.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

namespace trunkline::media {
namespace {

constexpr std::uint32_t kNarrow = 8000, kWide = 16000;
constexpr Duration kLongestClipSleep = milliseconds{200};
constexpr double kCadenceAmplitude = 8000;
constexpr std::array kAllCodecs{AudioCodec::pcmu, AudioCodec::pcma, AudioCodec::g722,
                                AudioCodec::opus};

/// Half as many samples a second, without what lies above 3.6 kHz: it would be heard elsewhere.
std::vector<std::int16_t> halved(std::span<const std::int16_t> samples) {
  constexpr int kReach = 24;
  constexpr double kCut = 3600.0 / kWide;
  std::array<double, 2 * kReach + 1> taps{};
  double sum = 0;
  for (int i = -kReach; i <= kReach; ++i) {
    const double ideal =
        i == 0 ? 2 * kCut : std::sin(2 * std::numbers::pi * kCut * i) / (std::numbers::pi * i);
    const double window = 0.54 + 0.46 * std::cos(std::numbers::pi * i / (kReach + 1));
    sum += taps[static_cast<std::size_t>(i + kReach)] = ideal * window;
  }
  const auto size = static_cast<std::ptrdiff_t>(samples.size());
  std::vector<std::int16_t> made;
  made.reserve(samples.size() / 2);
  for (std::ptrdiff_t at = 0; at + 1 < size; at += 2) {
    double value = 0;
    for (std::ptrdiff_t i = -kReach; i <= kReach; ++i) {
      if (at + i < 0 || at + i >= size) continue;
      value +=
          taps[static_cast<std::size_t>(i + kReach)] * samples[static_cast<std::size_t>(at + i)];
    }
    made.push_back(static_cast<std::int16_t>(std::clamp(value / sum, -32768.0, 32767.0)));
  }
  return made;
}

std::uint32_t little32(ByteView bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} | std::uint32_t{bytes[at + 1]} << 8 |
         std::uint32_t{bytes[at + 2]} << 16 | std::uint32_t{bytes[at + 3]} << 24;
}
std::uint32_t little16(ByteView bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} | std::uint32_t{bytes[at + 1]} << 8;
}
bool is_named(ByteView bytes, std::size_t at, std::string_view name) {
  return std::equal(name.begin(), name.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char letter, std::uint8_t octet) { return octet == std::uint8_t(letter); });
}

}  // namespace

bool Clip::encode(AudioCodec codec, std::span<const std::int16_t> samples, std::uint32_t rate) {
  const auto encoder = AudioEncoder::make(codec, rate);
  if (!encoder) return false;
  Coded& coded = coded_[static_cast<std::size_t>(codec)];
  const std::size_t frame = rate / 50;
  std::array<std::uint8_t, kMaxEncoded> payload{};
  for (std::size_t at = 0; at + frame <= samples.size(); at += frame) {
    const std::size_t size = encoder->encode(samples.subspan(at, frame), payload);
    if (size == 0) return false;
    coded.octets.insert(coded.octets.end(), payload.begin(),
                        payload.begin() + static_cast<std::ptrdiff_t>(size));
    coded.ends.push_back(static_cast<std::uint32_t>(coded.octets.size()));
  }
  frames_ = coded.ends.size();
  return true;
}

Result<std::shared_ptr<const Clip>> Clip::make(std::vector<std::int16_t> samples,
                                               std::uint32_t rate) {
  if (rate != kNarrow && rate != kWide)
    return fail("has " + std::to_string(rate) + " samples a second, not 8000 or 16000");
  if (samples.empty()) return fail("has no samples");
  if (samples.size() > kMaxSeconds * rate)
    return fail("is longer than " + std::to_string(kMaxSeconds) + " s");
  // The last frame is whole too.
  const std::size_t frame = rate / 50;
  samples.resize((samples.size() + frame - 1) / frame * frame, 0);
  const auto narrow = rate == kWide ? halved(samples) : samples;
  auto clip = std::make_shared<Clip>();
  for (const AudioCodec codec : kAllCodecs) {
    const bool wide = codec == AudioCodec::g722 || codec == AudioCodec::opus;
    if (!clip->encode(codec, wide ? samples : narrow, wide ? rate : kNarrow))
      return fail("can't be encoded");
  }
  return clip;
}

Result<std::shared_ptr<const Clip>> Clip::from_wav(ByteView file) {
  constexpr std::size_t kHead = 12, kChunk = 8, kFormat = 16;
  constexpr std::uint32_t kPcm = 1, kExtensible = 0xfffe;
  if (file.size() < kHead || !is_named(file, 0, "RIFF") || !is_named(file, 8, "WAVE"))
    return fail("is no WAV file");
  if (file.size() > kMaxWav) return fail("is longer than " + std::to_string(kMaxSeconds) + " s");
  std::uint32_t rate = 0;
  for (std::size_t at = kHead; at + kChunk <= file.size();) {
    const std::size_t size =
        std::min<std::size_t>(little32(file, at + 4), file.size() - at - kChunk);
    const ByteView chunk = file.subspan(at + kChunk, size);
    if (is_named(file, at, "fmt ") && size >= kFormat) {
      const std::uint32_t format = little16(chunk, 0);
      if ((format != kPcm && format != kExtensible) || little16(chunk, 14) != 16)
        return fail("has no samples of 16 bits");
      if (little16(chunk, 2) != 1) return fail("has more than one channel");
      rate = little32(chunk, 4);
    }
    if (is_named(file, at, "data") && rate != 0) {
      std::vector<std::int16_t> samples(size / 2);
      for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = static_cast<std::int16_t>(little16(chunk, 2 * i));
      return make(std::move(samples), rate);
    }
    at += kChunk + size + size % 2;
  }
  return fail("has no samples");
}

Result<std::shared_ptr<const Clip>> Clip::cadence(std::span<const double> frequencies,
                                                  milliseconds on, milliseconds off,
                                                  milliseconds lead) {
  const auto samples_of = [](milliseconds time) {
    return static_cast<std::size_t>(time.count()) * kNarrow / 1000;
  };
  std::vector<std::int16_t> samples(samples_of(lead) + samples_of(on) + samples_of(off), 0);
  for (std::size_t i = 0; i < samples_of(on); ++i) {
    double value = 0;
    for (const double frequency : frequencies)
      value += std::sin(2 * std::numbers::pi * frequency * static_cast<double>(i) / kNarrow);
    samples[samples_of(lead) + i] = static_cast<std::int16_t>(
        value * kCadenceAmplitude / static_cast<double>(frequencies.size()));
  }
  return make(std::move(samples), kNarrow);
}

ByteView Clip::frame(AudioCodec codec, std::size_t index) const {
  const Coded& coded = coded_[static_cast<std::size_t>(codec)];
  if (index >= coded.ends.size()) return {};
  const std::size_t begin = index == 0 ? 0 : coded.ends[index - 1];
  return ByteView(coded.octets).subspan(begin, coded.ends[index] - begin);
}

ClipPlayer::ClipPlayer(const StartSound& order, std::shared_ptr<const Clip> clip, TimePoint now)
    : order_(order), clip_(std::move(clip)), due_(now) {}

std::size_t ClipPlayer::next(MutableBytes payload, TimePoint now) {
  const ByteView frame = clip_->frame(order_.codec, at_);
  const std::size_t size = std::min(frame.size(), payload.size());
  std::copy_n(frame.begin(), size, payload.begin());
  const auto advance = [this](std::size_t frames) {
    rounds_ += (at_ + frames) / clip_->frames();
    at_ = (at_ + frames) % clip_->frames();
    timestamp_ += static_cast<std::uint32_t>(frames) * (clock() / 50);
    due_ += static_cast<std::int64_t>(frames) * Clip::kFrame;
  };
  ++sequence_;
  advance(1);
  if (now - due_ > kLongestClipSleep)
    advance(static_cast<std::size_t>((now - due_) / Clip::kFrame));
  return size;
}

}  // namespace trunkline::media
