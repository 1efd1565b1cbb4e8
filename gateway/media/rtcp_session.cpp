#include "media/rtcp_session.hpp"

namespace trunkline::media {

namespace {

constexpr double kWholeFraction = 256;  // of a report block's fraction lost

rtp::NtpTime ntp_of(TimePoint now) {
  return rtp::ntp_time(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()));
}

}  // namespace

void RtcpSession::start(TimePoint now) {
  if (next_ != kNever) return;
  next_ = now + milliseconds{100 + random_.below(400)};
}

std::size_t RtcpSession::write(MutableBytes out, const OutgoingLine& line,
                               rtp::ReceiveStatistics& received, TimePoint now, bool bye) {
  next_ = now + rtp::rtcp_interval(interval_, random_);
  rtp::RtcpReport report;
  report.ssrc = line.ssrc();
  report.cname = cname_;
  report.bye = bye;
  // RFC 3550 §6.4: a sender is who sent since the report before the last.
  if (line.packets_sent() > 0 && now - line.last_sent() < 2 * interval_) {
    report.sender = rtp::SenderInfo{ntp_of(now), line.timeline().timestamp_at(now),
                                    static_cast<std::uint32_t>(line.packets_sent()),
                                    static_cast<std::uint32_t>(line.octets_sent())};
  }
  const auto block = received.report(now);
  if (block) report.blocks = {&*block, 1};
  return rtp::write_report(out, report);
}

bool RtcpSession::receive(ByteView compound, const OutgoingLine& line,
                          rtp::ReceiveStatistics& received, TimePoint now) {
  auto reader = rtp::RtcpReader::open(compound);
  last_report_.reset();
  if (!reader) return false;
  while (const auto packet = reader->next()) {
    if (packet->is(rtp::RtcpType::sender_report)) {
      const auto info = rtp::sender_info(*packet);
      const auto ssrc = rtp::sender_ssrc(*packet);
      if (info && ssrc) received.on_sender_report(*ssrc, info->ntp, now);
    }
    if (!packet->is(rtp::RtcpType::sender_report) && !packet->is(rtp::RtcpType::receiver_report)) {
      continue;
    }
    if (!last_report_) last_report_.emplace();
    for (std::size_t i = 0; const auto block = rtp::report_block(*packet, i); ++i) {
      if (block->ssrc != line.ssrc()) continue;
      last_report_->highest = block->highest_sequence;
      at_peer_ = Reception{block->fraction_lost / kWholeFraction,
                           static_cast<double>(block->jitter) / line.timeline().clock()};
      if (const auto trip = rtp::round_trip(*block, ntp_of(now))) round_trip_ = trip;
    }
  }
  return true;
}

}  // namespace trunkline::media
