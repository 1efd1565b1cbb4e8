#include "flow.hpp"

#include <algorithm>

namespace trunkline::bench {
namespace {

constexpr std::uint32_t kSamples = 160;
constexpr std::uint8_t kFiller = 0x55;
constexpr std::int64_t kPacketNanoseconds = 20'000'000;
constexpr double kMillisecond = 1e6;

}  // namespace

std::int64_t* Flow::write(MutableBytes packet, std::uint32_t period) {
  const std::uint32_t timestamp = period * kSamples;
  packet[0] = 0x80;
  packet[1] = 0;  // PCMU
  store16(packet, 2, static_cast<std::uint16_t>(sequence_ + sent_));
  store32(packet, 4, timestamp);
  store32(packet, 8, ssrc_);
  store32(packet, 12, id_);
  store32(packet, 16, sent_);
  std::fill(packet.begin() + 20, packet.begin() + kRtpPacket, kFiller);
  written_[sent_ % kRemembered] = timestamp;
  return &sent_at_[sent_++ % kRemembered];
}

void Flow::begin() {
  begun_ = next_ = sent_;
  heard_ = false;
  tally_ = {};
  tally_.latencies.reserve(1024);
}

void Flow::read(ByteView packet, std::int64_t at) {
  if (packet.size() != kRtpPacket || load32(packet, 12) != id_ || packet.back() != kFiller) {
    ++tally_.altered;
    return;
  }
  const std::uint32_t number = load32(packet, 16);
  const std::uint32_t ahead = number - next_;
  if (number - begun_ >= sent_ - begun_) {  // of the talk before
    return;
  }
  if (ahead >= kRemembered) {
    ++tally_.reordered;
    return;
  }
  const std::int64_t sent = sent_at_[number % kRemembered];
  const std::uint32_t written = written_[number % kRemembered];
  ++tally_.received;
  tally_.lost += ahead;
  tally_.latencies.push_back(at - sent);
  if (heard_) {
    const auto steps = static_cast<std::uint16_t>(ahead + 1);
    const bool smooth = load32(packet, 8) == last_ssrc_ &&
                        static_cast<std::uint16_t>(load16(packet, 2) - last_sequence_) == steps &&
                        load32(packet, 4) - last_timestamp_ == written - last_written_;
    if (!smooth) ++tally_.altered;
    const std::int64_t gap = at - last_arrival_;
    const std::int64_t late =
        std::max<std::int64_t>(0, sent - last_sent_ - steps * kPacketNanoseconds);
    tally_.gap = std::max(tally_.gap, static_cast<double>(gap) / kMillisecond);
    tally_.added_gap = std::max(tally_.added_gap, static_cast<double>(gap - late) / kMillisecond);
  }
  heard_ = true;
  next_ = number + 1;
  last_ssrc_ = load32(packet, 8);
  last_sequence_ = load16(packet, 2);
  last_timestamp_ = load32(packet, 4);
  last_written_ = written;
  last_arrival_ = at;
  last_sent_ = sent;
}

void Flow::end(Tally& tally) {
  tally.sent += sent_ - begun_;
  tally.received += tally_.received;
  tally.lost += tally_.lost + (sent_ - next_);
  tally.reordered += tally_.reordered;
  tally.altered += tally_.altered;
  tally.latencies.insert(tally.latencies.end(), tally_.latencies.begin(), tally_.latencies.end());
  tally.gap = std::max(tally.gap, tally_.gap);
  tally.added_gap = std::max(tally.added_gap, tally_.added_gap);
}

}  // namespace trunkline::bench
