#include "media/transcoder.hpp"

namespace trunkline::media {

std::optional<Transcoder::Frame> Transcoder::next(MutableBytes out, TimePoint now) {
  const std::uint32_t ticks = rtp_clock(to_) / 50;
  while (const auto piece = playout_.next(now)) {
    if (piece->rate != rate_) encoder_ = AudioEncoder::make(to_, piece->rate);
    rate_ = piece->rate;
    timestamp_ += piece->skipped * ticks;
    marker_ = marker_ || piece->first;
    Frame made{sequence_, timestamp_, marker_, 0};
    if (encoder_) made.size = encoder_->encode(piece->samples, out);
    timestamp_ += ticks;
    if (made.size == 0) continue;
    ++sequence_;
    marker_ = false;
    return made;
  }
  return std::nullopt;
}

}  // namespace trunkline::media
