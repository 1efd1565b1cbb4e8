#pragma once
#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

/// RTCP (RFC 3550 §6, RFC 3611, RFC 4585, RFC 5506): read in place, written into the caller's
/// buffer. Nothing allocates.
namespace trunkline::rtp {

/// 64 bits: seconds since 1900 and their fraction.
struct NtpTime {
  std::uint64_t value = 0;
  /// The middle 32 bits: the LSR of report blocks, in 1/65536 s.
  std::uint32_t middle() const { return static_cast<std::uint32_t>(value >> 16); }
  bool operator==(const NtpTime&) const = default;
};
/// Of the time since 1970, or of any steady time with an arbitrary begin (RFC 3550 §6.4.1 permits
/// uptime).
NtpTime ntp_time(std::chrono::nanoseconds since_epoch);

struct SenderInfo {
  NtpTime ntp;
  std::uint32_t rtp_timestamp = 0, packets = 0, octets = 0;
};

struct ReportBlock {
  std::uint32_t ssrc = 0;              ///< of the stream that it reports on
  std::uint8_t fraction_lost = 0;      ///< of 256, in the last interval
  std::int32_t cumulative_lost = 0;    ///< 24 bits, signed
  std::uint32_t highest_sequence = 0;  ///< extended by the roll-overs
  std::uint32_t jitter = 0;            ///< in ticks
  std::uint32_t last_sr = 0;           ///< 0: none has come
  std::uint32_t delay_since_sr = 0;    ///< 1/65536 s
};
inline constexpr std::size_t kMaxReportBlocks = 31;

enum class RtcpType : std::uint8_t {
  fir = 192,
  nack = 193,
  sender_report = 200,
  receiver_report = 201,
  source_description = 202,
  bye = 203,
  app = 204,
  transport_feedback = 205,
  payload_feedback = 206,
  extended_report = 207
};

/// One packet of a compound. `body` is everything behind the 4-octet common header, without
/// padding.
struct RtcpPacket {
  std::uint8_t type = 0;   ///< an `RtcpType`, or a number that we don't know
  std::uint8_t count = 0;  ///< 0 to 31: report blocks, chunks, sources, or the format of feedback
  ByteView body;
  bool is(RtcpType wanted) const { return type == static_cast<std::uint8_t>(wanted); }
};

enum class RtcpError : std::uint8_t {
  too_short,  ///< no room for a common header and an SSRC
  version,    ///< not 2
  length,     ///< a packet runs past the end
  padding,    ///< padding elsewhere than in the last packet, or an impossible count
  count_
};
std::string_view label(RtcpError error);

/// Walks a compound (or, RFC 5506, reduced-size) packet that has been checked as a whole, so that
/// nothing of a broken one is believed.
class RtcpReader {
 public:
  static Result<RtcpReader, RtcpError> open(ByteView datagram);
  std::optional<RtcpPacket> next();

 private:
  explicit RtcpReader(ByteView datagram) : rest_(datagram) {}
  ByteView rest_;
};

/// Of any packet: the SSRC of who sent it, nothing when the body is too short.
std::optional<std::uint32_t> sender_ssrc(const RtcpPacket& packet);
/// Of an SR; nothing when it is none or too short.
std::optional<SenderInfo> sender_info(const RtcpPacket& packet);
/// Report block `index` of an SR or RR; nothing behind the last, or when the body is shorter than
/// its count says.
std::optional<ReportBlock> report_block(const RtcpPacket& packet, std::size_t index);
/// The CNAME of the first chunk of an SDES that has one.
std::optional<std::string_view> cname(const RtcpPacket& packet);
/// An SSRC that leaves with this BYE.
std::optional<std::uint32_t> bye_ssrc(const RtcpPacket& packet, std::size_t index);
/// LRR and DLRR of the first sub-block of an XR's DLRR block (RFC 3611 §4.5) about `ssrc`, as a
/// report block that has only `last_sr` and `delay_since_sr`.
std::optional<ReportBlock> delay_of_last_rr(const RtcpPacket& packet, std::uint32_t ssrc);

/// RFC 3550 §6.4.1: now − LSR − DLSR. Nothing when no SR had come, or the result is less than 0 or
/// more than 30 s (an impossible value). `now`: the middle bits of the same clock that our SR was
/// written with.
std::optional<Duration> round_trip(const ReportBlock& block, NtpTime now);

/// What we send: SR (if `sender`) or RR, with at most 31 blocks, SDES with the CNAME (at most 255
/// octets), and at the end of the session a BYE.
struct RtcpReport {
  std::uint32_t ssrc = 0;
  std::optional<SenderInfo> sender = {};
  std::span<const ReportBlock> blocks = {};
  std::string_view cname = {};
  bool bye = false;
};
/// The size of the compound, or 0 if it does not fit.
std::size_t write_report(MutableBytes out, const RtcpReport& report);

/// RFC 3550 §6.2: `base` times a random factor in 0.5 to 1.5, against synchronised reports.
Duration rtcp_interval(Duration base, Random& random);

}  // namespace trunkline::rtp
