#pragma once
#include "base/time.hpp"
#include "rtp/rtcp.hpp"

#include <cstdint>
#include <optional>

/// Reception statistics (RFC 3550 §6.4, A.1, A.3, A.8) and what they mean to an ear (ITU-T G.107).
namespace trunkline::rtp {

/// What came from one peer. A new SSRC, or a source that started anew, begins a new count; the
/// totals go on.
class ReceiveStatistics {
 public:
  enum class Arrival : std::uint8_t {
    in_order,
    reordered,
    duplicate,
    wild,      ///< far from its neighbours, not counted (RFC 3550 A.1)
    restarted  ///< the second of a wild pair, or another SSRC
  };

  /// Per packet. `clock`: Hz. `arrival`: when the kernel got it, if known. `skip_jitter`: telephone
  /// events, the first packet after a pause (marker);
  /// such a packet also ends the interval that jitter is measured over.
  Arrival update(std::uint32_t ssrc, std::uint16_t sequence, std::uint32_t timestamp,
                 std::uint32_t clock, TimePoint arrival, bool skip_jitter = false);

  std::uint64_t received() const { return past_received_ + received_; }
  std::uint64_t expected() const;
  /// Duplicates can make it less than nothing; then it is 0 here (not in the report block).
  std::uint64_t lost() const;
  std::uint64_t duplicates() const { return duplicates_; }
  std::uint64_t reordered() const { return reordered_; }
  double jitter_seconds() const;
  bool started() const { return started_; }
  std::uint32_t ssrc() const { return ssrc_; }

  /// The report block for the next RR or SR: ends the interval of the fraction lost. Nothing before
  /// the first packet.
  std::optional<ReportBlock> report(TimePoint now);
  /// The loss of the interval that the last `report` ended, 0 to 1.
  double interval_loss() const { return interval_loss_; }
  /// An SR of the peer came: its middle 32 NTP bits go into our reports (LSR, DLSR).
  void on_sender_report(std::uint32_t ssrc, NtpTime ntp, TimePoint now);

 private:
  void restart(std::uint32_t ssrc, std::uint16_t sequence);
  std::uint64_t expected_of_source() const;
  void update_jitter(std::uint32_t timestamp, std::uint32_t clock, TimePoint arrival);

  bool started_ = false;
  std::uint32_t ssrc_ = 0;
  std::uint16_t highest_ = 0, base_ = 0;
  std::uint32_t cycles_ = 0;  ///< roll-overs · 65536
  std::uint64_t window_ = 0;  ///< bit i: `highest_ − i` came
  std::uint16_t expected_jump_ = 0;
  bool jump_pending_ = false;
  std::uint64_t received_ = 0, past_received_ = 0, past_expected_ = 0;
  std::uint64_t duplicates_ = 0, reordered_ = 0;
  std::uint64_t report_expected_ = 0, report_received_ = 0;
  double interval_loss_ = 0;

  bool transit_known_ = false;
  TimePoint last_arrival_{};
  std::uint32_t last_timestamp_ = 0, clock_ = 8000;
  double jitter_ticks_ = 0;

  std::uint32_t sender_report_ssrc_ = 0, last_sender_report_ = 0;
  TimePoint sender_report_at_{};
};

/// How a codec stands loss (ITU-T G.113 Appendix I): equipment impairment and robustness.
struct CodecQuality {
  double ie = 0;
  double bpl = 25.1;
};
inline constexpr CodecQuality kG711WithConcealment{0, 25.1}, kG711Plain{0, 4.3};

/// R of the E-model, 0 to 93.2. `loss` 0 to 1; `one_way_delay_ms` mouth to ear; `burst_ratio` 1 for
/// random loss.
double r_factor(double loss, double one_way_delay_ms, const CodecQuality& codec,
                double burst_ratio = 1);
/// 1 to 4.5 (ITU-T G.107 Annex B).
double mos_of_r(double r);
inline double mos(double loss, double one_way_delay_ms, const CodecQuality& codec) {
  return mos_of_r(r_factor(loss, one_way_delay_ms, codec));
}

}  // namespace trunkline::rtp
