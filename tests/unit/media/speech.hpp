#pragma once
#include "media/audio_codec.hpp"
#include "media/jitter_buffer.hpp"

#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <span>
#include <vector>

namespace trunkline::media::test {

/// A source that says a sine wave in some codec, 20 ms a packet.
class Speaker {
 public:
  Speaker(AudioCodec codec, double frequency, std::uint32_t ssrc = 0x1234)
      : codec_(codec),
        rate_(codec == AudioCodec::pcmu || codec == AudioCodec::pcma ? 8000 : 16000),
        frequency_(frequency),
        encoder_(AudioEncoder::make(codec, rate_)),
        ssrc_(ssrc) {}

  /// The next 20 ms. The view is good until the next call.
  CodedPacket say(double amplitude = 8000) {
    samples_.resize(rate_ / 50);
    for (std::int16_t& sample : samples_) {
      const double angle = 2 * std::numbers::pi * frequency_ * static_cast<double>(said_++) / rate_;
      sample = static_cast<std::int16_t>(amplitude * std::sin(angle));
    }
    payload_.resize(kMaxEncoded);
    payload_.resize(encoder_->encode(samples_, payload_));
    const CodedPacket packet{codec_, ssrc_, sequence_++, timestamp_, payload_};
    timestamp_ += rtp_clock(codec_) / 50;
    return packet;
  }
  /// Says nothing for some packets' time, and counts none (discontinuous transmission).
  void pause(std::uint32_t packets) { timestamp_ += packets * (rtp_clock(codec_) / 50); }
  /// Packets that the network loses.
  void lose(int packets) {
    while (packets-- > 0)
      say();
  }

 private:
  AudioCodec codec_;
  std::uint32_t rate_;
  double frequency_;
  std::unique_ptr<AudioEncoder> encoder_;
  std::uint32_t ssrc_;
  std::uint16_t sequence_ = 65500;  // rolls over early
  std::uint32_t timestamp_ = 0xffffff00;
  std::uint64_t said_ = 0;
  std::vector<std::int16_t> samples_;
  std::vector<std::uint8_t> payload_;
};

/// What a peer that hears some codec makes of it.
class Listener {
 public:
  explicit Listener(AudioCodec codec)
      : rate_(codec == AudioCodec::pcmu || codec == AudioCodec::pcma ? 8000 : 16000),
        decoder_(AudioDecoder::make(codec, rate_)) {}

  void hear(ByteView payload) {
    const std::size_t before = heard_.size();
    heard_.resize(before + kMaxPacketSamples);
    heard_.resize(before + decoder_->decode(payload, std::span(heard_).subspan(before)));
  }
  std::size_t samples() const { return heard_.size(); }
  std::uint32_t rate() const { return rate_; }
  /// Share of the energy of the last `window` seconds that lies at the frequency: near 1 for a pure
  /// tone.
  double share(double frequency, double window = 0.5) const {
    const auto count = std::min(heard_.size(), static_cast<std::size_t>(window * rate_));
    double in_phase = 0, quadrature = 0, energy = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double sample = heard_[heard_.size() - count + i];
      const double angle = 2 * std::numbers::pi * frequency * static_cast<double>(i) / rate_;
      in_phase += sample * std::cos(angle);
      quadrature += sample * std::sin(angle);
      energy += sample * sample;
    }
    if (energy == 0) return 0;
    return 2 * (in_phase * in_phase + quadrature * quadrature) /
           (energy * static_cast<double>(count));
  }
  /// Root mean square of the last `window` seconds.
  double loudness(double window = 0.2) const {
    const auto count = std::min(heard_.size(), static_cast<std::size_t>(window * rate_));
    double energy = 0;
    for (std::size_t i = heard_.size() - count; i < heard_.size(); ++i)
      energy += static_cast<double>(heard_[i]) * heard_[i];
    return count == 0 ? 0 : std::sqrt(energy / static_cast<double>(count));
  }

 private:
  std::uint32_t rate_;
  std::unique_ptr<AudioDecoder> decoder_;
  std::vector<std::int16_t> heard_;
};

}  // namespace trunkline::media::test
