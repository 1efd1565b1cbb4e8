#include "media/digit_listener.hpp"

#include <algorithm>
#include <array>
#include <spandsp.h>

namespace trunkline::media {

struct DigitListener::Detector {
  Detector() : state(dtmf_rx_init(nullptr, nullptr, nullptr)) { dc_restore_init(&offset); }
  ~Detector() { dtmf_rx_free(state); }
  Detector(const Detector&) = delete;
  Detector& operator=(const Detector&) = delete;

  std::optional<char> heard() const {
    std::array<char, 2> digits{};  // and a zero behind
    return dtmf_rx_get(state, digits.data(), 1) == 1 ? std::optional(digits[0]) : std::nullopt;
  }

  dtmf_rx_state_t* state;
  dc_restore_state_t offset{};  // a carrier's converters may have one, which the detector minds
};

DigitListener::DigitListener() : detector_(std::make_unique<Detector>()) {}
DigitListener::~DigitListener() = default;

std::optional<char> DigitListener::next(TimePoint now) {
  if (const auto digit = detector_->heard()) return digit;
  while (const auto piece = playout_.next(now)) {
    std::array<std::int16_t, kMaxPacketSamples> samples;
    const std::size_t count = std::min(piece->samples.size(), samples.size());
    for (std::size_t i = 0; i < count; ++i)
      samples[i] = dc_restore(&detector_->offset, piece->samples[i]);
    dtmf_rx(detector_->state, samples.data(), static_cast<int>(count));
    if (const auto digit = detector_->heard()) return digit;
  }
  return std::nullopt;
}

}  // namespace trunkline::media
