#pragma once
#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "media/outgoing_line.hpp"
#include "rtp/quality.hpp"
#include "rtp/rtcp.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace trunkline::media {

/// The RTCP of one leg, ended here and never relayed (RFC 3550 §6): our own SR or RR with SDES at
/// random times around the interval, the first one soon; the peer's reports for the round trip. A
/// BYE of the peer ends nothing: on a trunk nobody proves who sent it.
class RtcpSession {
 public:
  RtcpSession(std::string cname, Duration interval, Random& random)
      : cname_(std::move(cname)), interval_(interval), random_(random) {}

  /// The leg can send: the first report comes within 500 ms.
  void start(TimePoint now);
  bool due(TimePoint now) const { return now >= next_; }
  TimePoint deadline() const { return next_; }
  /// Writes the report that is due into `out`; its size. Arms the next.
  std::size_t write(MutableBytes out, const OutgoingLine& line, rtp::ReceiveStatistics& received,
                    TimePoint now, bool bye = false);
  /// False when it is no RTCP.
  bool receive(ByteView compound, const OutgoingLine& line, rtp::ReceiveStatistics& received,
               TimePoint now);
  const std::optional<Duration>& round_trip() const { return round_trip_; }
  /// How our line arrives, by the peer's last report block on it.
  struct Reception {
    double loss = 0;  ///< 0 to 1
    double jitter_seconds = 0;
  };
  const std::optional<Reception>& at_peer() const { return at_peer_; }
  /// What the compound received last reports.
  struct PeerReport {
    std::optional<std::uint32_t> highest;  ///< extended sequence number of our line; none: no block
  };
  /// Nothing: it was no report.
  const std::optional<PeerReport>& last_report() const { return last_report_; }

 private:
  std::string cname_;
  Duration interval_;
  Random& random_;
  TimePoint next_ = kNever;
  std::optional<Duration> round_trip_;
  std::optional<Reception> at_peer_;
  std::optional<PeerReport> last_report_;
};

}  // namespace trunkline::media
