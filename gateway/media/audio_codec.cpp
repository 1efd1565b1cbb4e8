#include "media/audio_codec.hpp"

#include "rtp/g711.hpp"

#include <algorithm>
#include <opus/opus.h>
#include <spandsp.h>

namespace trunkline::media {
namespace {

constexpr int kG722BitRate = 64000;
// RFC 7587 §3.1.1: 16 to 20 kbit/s carry wideband speech; 24 leave room for the redundancy.
constexpr opus_int32 kOpusBitRate = 24000;
// Speech gains nothing audible above this, and each step costs time.
constexpr opus_int32 kOpusComplexity = 5;
// Per cent. Without any assumed the encoder puts no redundancy in.
constexpr opus_int32 kAssumedLoss = 5;
constexpr std::uint32_t kOpusClock = 48000;
constexpr std::uint32_t kLongestPacketMs = 120;

class G711Decoder final : public AudioDecoder {
 public:
  explicit G711Decoder(bool a_law) : a_law_(a_law) { plc_init(&concealment_); }

  std::size_t decode(ByteView payload, std::span<std::int16_t> out) override {
    const std::size_t count = std::min(payload.size(), out.size());
    for (std::size_t i = 0; i < count; ++i)
      out[i] = a_law_ ? rtp::pcma_decode(payload[i]) : rtp::pcmu_decode(payload[i]);
    plc_rx(&concealment_, out.data(), static_cast<int>(count));
    return count;
  }
  void conceal(std::span<std::int16_t> out, ByteView /*next*/) override {
    plc_fillin(&concealment_, out.data(), static_cast<int>(out.size()));
  }

 private:
  bool a_law_;
  plc_state_t concealment_{};
};

class G711Encoder final : public AudioEncoder {
 public:
  explicit G711Encoder(bool a_law) : a_law_(a_law) {}

  std::size_t encode(std::span<const std::int16_t> samples, MutableBytes out) override {
    const std::size_t count = std::min(samples.size(), out.size());
    for (std::size_t i = 0; i < count; ++i)
      out[i] = a_law_ ? rtp::pcma_encode(samples[i]) : rtp::pcmu_encode(samples[i]);
    return count;
  }

 private:
  bool a_law_;
};

struct G722Release {
  void operator()(g722_decode_state_t* state) const { g722_decode_free(state); }
  void operator()(g722_encode_state_t* state) const { g722_encode_free(state); }
};

class G722Decoder final : public AudioDecoder {
 public:
  explicit G722Decoder(std::uint32_t rate)
      : narrow_(rate == 8000),
        state_(g722_decode_init(nullptr, kG722BitRate, narrow_ ? G722_SAMPLE_RATE_8000 : 0)) {
    plc_init(&concealment_);
  }
  bool ready() const { return state_ != nullptr; }

  std::size_t decode(ByteView payload, std::span<std::int16_t> out) override {
    const std::size_t samples_an_octet = narrow_ ? 1 : 2;
    const std::size_t octets = std::min(payload.size(), out.size() / samples_an_octet);
    const int made =
        g722_decode(state_.get(), out.data(), payload.data(), static_cast<int>(octets));
    if (made <= 0) return 0;
    plc_rx(&concealment_, out.data(), made);
    return static_cast<std::size_t>(made);
  }
  void conceal(std::span<std::int16_t> out, ByteView /*next*/) override {
    plc_fillin(&concealment_, out.data(), static_cast<int>(out.size()));
  }

 private:
  bool narrow_;
  std::unique_ptr<g722_decode_state_t, G722Release> state_;
  plc_state_t concealment_{};
};

class G722Encoder final : public AudioEncoder {
 public:
  explicit G722Encoder(std::uint32_t rate)
      : narrow_(rate == 8000),
        state_(g722_encode_init(nullptr, kG722BitRate, narrow_ ? G722_SAMPLE_RATE_8000 : 0)) {}
  bool ready() const { return state_ != nullptr; }

  std::size_t encode(std::span<const std::int16_t> samples, MutableBytes out) override {
    const std::size_t samples_an_octet = narrow_ ? 1 : 2;
    if (out.size() < samples.size() / samples_an_octet) return 0;
    const int made =
        g722_encode(state_.get(), out.data(), samples.data(), static_cast<int>(samples.size()));
    return made > 0 ? static_cast<std::size_t>(made) : 0;
  }

 private:
  bool narrow_;
  std::unique_ptr<g722_encode_state_t, G722Release> state_;
};

struct OpusRelease {
  void operator()(OpusDecoder* state) const { opus_decoder_destroy(state); }
  void operator()(OpusEncoder* state) const { opus_encoder_destroy(state); }
};

class OpusAudioDecoder final : public AudioDecoder {
 public:
  explicit OpusAudioDecoder(std::uint32_t rate)
      : state_(opus_decoder_create(static_cast<opus_int32>(rate), 1, nullptr)) {}
  bool ready() const { return state_ != nullptr; }

  std::size_t decode(ByteView payload, std::span<std::int16_t> out) override {
    if (payload.empty()) return 0;
    const int made =
        opus_decode(state_.get(), payload.data(), static_cast<opus_int32>(payload.size()),
                    out.data(), static_cast<int>(out.size()), 0);
    return made > 0 ? static_cast<std::size_t>(made) : 0;
  }
  void conceal(std::span<std::int16_t> out, ByteView next) override {
    const auto wanted = static_cast<int>(out.size());
    int made = 0;
    if (!next.empty()) {
      made = opus_decode(state_.get(), next.data(), static_cast<opus_int32>(next.size()),
                         out.data(), wanted, 1);
    }
    if (made <= 0) made = opus_decode(state_.get(), nullptr, 0, out.data(), wanted, 0);
    const auto written = static_cast<std::size_t>(std::max(made, 0));
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(std::min(written, out.size())), out.end(),
              std::int16_t{0});
  }

 private:
  std::unique_ptr<OpusDecoder, OpusRelease> state_;
};

class OpusAudioEncoder final : public AudioEncoder {
 public:
  explicit OpusAudioEncoder(std::uint32_t rate)
      : state_(
            opus_encoder_create(static_cast<opus_int32>(rate), 1, OPUS_APPLICATION_VOIP, nullptr)) {
    if (!state_) return;
    opus_encoder_ctl(state_.get(), OPUS_SET_BITRATE(kOpusBitRate));
    opus_encoder_ctl(state_.get(), OPUS_SET_COMPLEXITY(kOpusComplexity));
    opus_encoder_ctl(state_.get(), OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
    opus_encoder_ctl(state_.get(), OPUS_SET_INBAND_FEC(1));
    opus_encoder_ctl(state_.get(), OPUS_SET_PACKET_LOSS_PERC(kAssumedLoss));
  }
  bool ready() const { return state_ != nullptr; }

  std::size_t encode(std::span<const std::int16_t> samples, MutableBytes out) override {
    const int made = opus_encode(state_.get(), samples.data(), static_cast<int>(samples.size()),
                                 out.data(), static_cast<opus_int32>(out.size()));
    return made > 0 ? static_cast<std::size_t>(made) : 0;
  }

 private:
  std::unique_ptr<OpusEncoder, OpusRelease> state_;
};

template <class Made, class Base>
std::unique_ptr<Base> if_ready(std::uint32_t rate) {
  auto made = std::make_unique<Made>(rate);
  if (!made->ready()) return nullptr;
  return made;
}

}  // namespace

std::optional<std::uint32_t> payload_ticks(AudioCodec codec, ByteView payload) {
  if (payload.empty()) return std::nullopt;
  std::uint32_t ticks = static_cast<std::uint32_t>(payload.size());
  if (codec == AudioCodec::opus) {
    const int samples =
        opus_packet_get_nb_samples(payload.data(), static_cast<opus_int32>(payload.size()),
                                   static_cast<opus_int32>(kOpusClock));
    if (samples <= 0) return std::nullopt;
    ticks = static_cast<std::uint32_t>(samples);
  }
  if (ticks > rtp_clock(codec) / 1000 * kLongestPacketMs) return std::nullopt;
  return ticks;
}

std::unique_ptr<AudioDecoder> AudioDecoder::make(AudioCodec codec, std::uint32_t rate) {
  switch (codec) {
    case AudioCodec::pcmu:
    case AudioCodec::pcma:
      return std::make_unique<G711Decoder>(codec == AudioCodec::pcma);
    case AudioCodec::g722:
      return if_ready<G722Decoder, AudioDecoder>(rate);
    case AudioCodec::opus:
      return if_ready<OpusAudioDecoder, AudioDecoder>(rate);
    case AudioCodec::none:
      break;
  }
  return nullptr;
}

std::unique_ptr<AudioEncoder> AudioEncoder::make(AudioCodec codec, std::uint32_t rate) {
  switch (codec) {
    case AudioCodec::pcmu:
    case AudioCodec::pcma:
      return std::make_unique<G711Encoder>(codec == AudioCodec::pcma);
    case AudioCodec::g722:
      return if_ready<G722Encoder, AudioEncoder>(rate);
    case AudioCodec::opus:
      return if_ready<OpusAudioEncoder, AudioEncoder>(rate);
    case AudioCodec::none:
      break;
  }
  return nullptr;
}

}  // namespace trunkline::media
