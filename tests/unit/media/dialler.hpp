#pragma once
#include "media/audio_codec.hpp"
#include "media/jitter_buffer.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <spandsp.h>
#include <string>
#include <vector>

namespace trunkline::media::test {

/// A source that dials in its sound, 20 ms a packet; the tones are spandsp's.
class Dialler {
 public:
  explicit Dialler(AudioCodec codec)
      : codec_(codec), encoder_(AudioEncoder::make(codec, 8000)), tones_(dtmf_tx_init(nullptr)) {}
  ~Dialler() { dtmf_tx_free(tones_); }
  Dialler(const Dialler&) = delete;
  Dialler& operator=(const Dialler&) = delete;

  void dial(const std::string& digits, int on_ms = 100, int off_ms = 80) {
    dtmf_tx_set_timing(tones_, on_ms, off_ms);
    dtmf_tx_put(tones_, digits.c_str(), -1);
  }
  /// The next 20 ms; the view is good until the next call.
  CodedPacket say() {
    std::array<std::int16_t, 160> samples{};
    dtmf_tx(tones_, samples.data(), static_cast<int>(samples.size()));
    payload_.resize(kMaxEncoded);
    payload_.resize(encoder_->encode(samples, payload_));
    const CodedPacket packet{codec_, 0x77770001, sequence_++, timestamp_, payload_};
    timestamp_ += rtp_clock(codec_) / 50;
    return packet;
  }

 private:
  AudioCodec codec_;
  std::unique_ptr<AudioEncoder> encoder_;
  dtmf_tx_state_t* tones_;
  std::uint16_t sequence_ = 65530;
  std::uint32_t timestamp_ = 0xfffffc00;
  std::vector<std::uint8_t> payload_;
};

}  // namespace trunkline::media::test
