#include "rtp/quality.hpp"

#include "rtp/packet.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace trunkline::rtp {
namespace {

constexpr std::int32_t kMaxMisorder = 100, kSeenWindow = 64;  // RFC 3550 A.1
constexpr double kMaxJumpSeconds = 10;
constexpr double kMaxR = 93.2;

}  // namespace

ReceiveStatistics::Arrival ReceiveStatistics::update(std::uint32_t ssrc, std::uint16_t sequence,
                                                     std::uint32_t timestamp, std::uint32_t clock,
                                                     TimePoint arrival, bool skip_jitter) {
  Arrival order = Arrival::in_order;
  const std::int32_t step =
      static_cast<std::int16_t>(static_cast<std::uint16_t>(sequence - highest_));
  if (!started_ || ssrc != ssrc_) {
    if (started_) order = Arrival::restarted;
    restart(ssrc, sequence);
  } else if (step > kMaxDropout || step <= -kMaxMisorder) {
    if (!jump_pending_ || sequence != expected_jump_) {
      jump_pending_ = true;
      expected_jump_ = static_cast<std::uint16_t>(sequence + 1);
      return Arrival::wild;
    }
    order = Arrival::restarted;
    restart(ssrc, sequence);
  } else if (step > 0) {
    if (sequence < highest_) cycles_ += 0x10000;
    window_ = step >= kSeenWindow ? 1 : (window_ << step) | 1;
    highest_ = sequence;
    jump_pending_ = false;
  } else {
    const std::uint64_t bit = -step < kSeenWindow ? std::uint64_t{1} << -step : 0;
    order = (window_ & bit) != 0 ? Arrival::duplicate : Arrival::reordered;
    window_ |= bit;
  }
  ++received_;
  if (order == Arrival::duplicate) {
    ++duplicates_;
    return order;
  }
  if (order == Arrival::reordered) ++reordered_;
  if (skip_jitter) {
    transit_known_ = false;
  } else {
    update_jitter(timestamp, clock, arrival);
  }
  return order;
}

void ReceiveStatistics::restart(std::uint32_t ssrc, std::uint16_t sequence) {
  past_expected_ += expected_of_source();
  past_received_ += received_;
  received_ = report_expected_ = report_received_ = 0;
  started_ = true;
  ssrc_ = ssrc;
  highest_ = base_ = sequence;
  cycles_ = 0;
  window_ = 1;
  jump_pending_ = transit_known_ = false;
  jitter_ticks_ = 0;
}

void ReceiveStatistics::update_jitter(std::uint32_t timestamp, std::uint32_t clock,
                                      TimePoint arrival) {
  const double rate = clock;
  if (transit_known_ && clock == clock_) {
    const double arrived = std::chrono::duration<double>(arrival - last_arrival_).count() * rate;
    const double sent = static_cast<std::int32_t>(timestamp - last_timestamp_);
    const double difference = std::abs(arrived - sent);
    if (difference < kMaxJumpSeconds * rate) jitter_ticks_ += (difference - jitter_ticks_) / 16;
  } else if (clock != clock_) {
    jitter_ticks_ = 0;
  }
  transit_known_ = true;
  clock_ = clock;
  last_arrival_ = arrival;
  last_timestamp_ = timestamp;
}

std::uint64_t ReceiveStatistics::expected_of_source() const {
  return started_ ? std::uint64_t{cycles_} + highest_ - base_ + 1 : 0;
}

std::uint64_t ReceiveStatistics::expected() const {
  return past_expected_ + expected_of_source();
}

std::uint64_t ReceiveStatistics::lost() const {
  return expected() > received() ? expected() - received() : 0;
}

double ReceiveStatistics::jitter_seconds() const {
  return clock_ == 0 ? 0 : jitter_ticks_ / clock_;
}

std::optional<ReportBlock> ReceiveStatistics::report(TimePoint now) {
  if (!started_) return std::nullopt;
  const std::uint64_t expected_now = expected_of_source();
  const auto expected_interval = static_cast<std::int64_t>(expected_now - report_expected_);
  const auto lost_interval =
      expected_interval - static_cast<std::int64_t>(received_ - report_received_);
  report_expected_ = expected_now;
  report_received_ = received_;

  ReportBlock block;
  block.ssrc = ssrc_;
  interval_loss_ = 0;
  if (expected_interval > 0 && lost_interval > 0) {
    block.fraction_lost = static_cast<std::uint8_t>(
        std::min<std::int64_t>(255, lost_interval * 256 / expected_interval));
    interval_loss_ = static_cast<double>(lost_interval) / static_cast<double>(expected_interval);
  }
  const std::int64_t lost_total =
      static_cast<std::int64_t>(expected_now) - static_cast<std::int64_t>(received_);
  block.cumulative_lost =
      static_cast<std::int32_t>(std::clamp<std::int64_t>(lost_total, -0x800000, 0x7fffff));
  block.highest_sequence = cycles_ + highest_;
  block.jitter = static_cast<std::uint32_t>(jitter_ticks_);
  if (last_sender_report_ != 0 && sender_report_ssrc_ == ssrc_) {
    const auto waited =
        std::chrono::duration_cast<std::chrono::microseconds>(now - sender_report_at_).count();
    block.last_sr = last_sender_report_;
    block.delay_since_sr =
        static_cast<std::uint32_t>((std::max<std::int64_t>(0, waited) << 16) / 1'000'000);
  }
  return block;
}

void ReceiveStatistics::on_sender_report(std::uint32_t ssrc, NtpTime ntp, TimePoint now) {
  sender_report_ssrc_ = ssrc;
  last_sender_report_ = ntp.middle();
  sender_report_at_ = now;
}

double r_factor(double loss, double one_way_delay_ms, const CodecQuality& codec,
                double burst_ratio) {
  const double percent = std::clamp(loss, 0.0, 1.0) * 100;
  const double delay = std::max(0.0, one_way_delay_ms);
  const double delay_impairment = 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0);
  const double equipment =
      codec.ie + (95 - codec.ie) * percent / (percent / std::max(1.0, burst_ratio) + codec.bpl);
  return std::clamp(kMaxR - delay_impairment - equipment, 0.0, kMaxR);
}

double mos_of_r(double r) {
  if (r <= 0) return 1;
  if (r >= 100) return 4.5;
  return std::max(1.0, 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r));
}

}  // namespace trunkline::rtp
