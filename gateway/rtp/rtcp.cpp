#include "rtp/rtcp.hpp"

#include <algorithm>

namespace trunkline::rtp {
namespace {

constexpr std::size_t kCommonHeaderSize = 4, kSsrcSize = 4, kSenderInfoSize = 20,
                      kReportBlockSize = 24;
constexpr std::uint64_t kNtpEpoch = 2'208'988'800;  // seconds from 1900 to 1970
constexpr std::uint8_t kCnameItem = 1, kDlrrBlock = 5;
constexpr std::uint32_t kMaxRoundTrip = 30U << 16;

constexpr std::size_t padded(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

std::size_t packet_size(ByteView bytes) {
  return kCommonHeaderSize + std::size_t{4} * load16(bytes, 2);
}

void write_common_header(MutableBytes out, std::size_t count, RtcpType type, std::size_t size) {
  out[0] = static_cast<std::uint8_t>(0x80 | count);
  out[1] = static_cast<std::uint8_t>(type);
  store16(out, 2, static_cast<std::uint16_t>(size / 4 - 1));
}

void write_sender_info(MutableBytes out, const SenderInfo& info) {
  store64(out, 0, info.ntp.value);
  store32(out, 8, info.rtp_timestamp);
  store32(out, 12, info.packets);
  store32(out, 16, info.octets);
}

void write_report_block(MutableBytes out, const ReportBlock& block) {
  const std::int32_t lost = std::clamp(block.cumulative_lost, -0x800000, 0x7fffff);
  store32(out, 0, block.ssrc);
  store32(
      out, 4,
      (std::uint32_t{block.fraction_lost} << 24) | (static_cast<std::uint32_t>(lost) & 0xffffff));
  store32(out, 8, block.highest_sequence);
  store32(out, 12, block.jitter);
  store32(out, 16, block.last_sr);
  store32(out, 20, block.delay_since_sr);
}

/// The CNAME of the chunk at `at`; moves `at` to the next chunk, or to the end of the body if this
/// one is broken.
std::optional<std::string_view> read_chunk(ByteView body, std::size_t& at) {
  std::optional<std::string_view> name;
  std::size_t item = at + kSsrcSize;
  while (item < body.size() && body[item] != 0) {
    if (body.size() - item < 2 || body.size() - item - 2 < body[item + 1]) {
      at = body.size();
      return name;
    }
    if (body[item] == kCnameItem && !name) name = as_text(body.subspan(item + 2, body[item + 1]));
    item += std::size_t{2} + body[item + 1];
  }
  at = std::min(body.size(), padded(item + 1));
  return name;
}

}  // namespace

NtpTime ntp_time(std::chrono::nanoseconds since_epoch) {
  const auto nanoseconds =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, since_epoch.count()));
  const std::uint64_t whole = nanoseconds / 1'000'000'000 + kNtpEpoch;
  const std::uint64_t fraction = ((nanoseconds % 1'000'000'000) << 32) / 1'000'000'000;
  return {(whole << 32) | fraction};
}

std::string_view label(RtcpError error) {
  switch (error) {
    case RtcpError::too_short:
      return "too_short";
    case RtcpError::version:
      return "version";
    case RtcpError::length:
      return "length";
    case RtcpError::padding:
      return "padding";
    case RtcpError::count_:
      break;
  }
  return "unknown";
}

Result<RtcpReader, RtcpError> RtcpReader::open(ByteView datagram) {
  if (datagram.size() < kCommonHeaderSize + kSsrcSize) return fail(RtcpError::too_short);
  for (ByteView rest = datagram; !rest.empty();) {
    if (rest.size() < kCommonHeaderSize) return fail(RtcpError::length);
    if ((rest[0] >> 6) != 2) return fail(RtcpError::version);
    const std::size_t size = packet_size(rest);
    if (size > rest.size()) return fail(RtcpError::length);
    if ((rest[0] & 0x20) != 0) {
      const std::size_t padding = rest[size - 1];
      const bool possible = padding != 0 && padding % 4 == 0 && padding <= size - kCommonHeaderSize;
      if (size != rest.size() || !possible) return fail(RtcpError::padding);
    }
    rest = rest.subspan(size);
  }
  return RtcpReader(datagram);
}

std::optional<RtcpPacket> RtcpReader::next() {
  if (rest_.empty()) return std::nullopt;
  const std::size_t size = packet_size(rest_);
  const std::size_t padding = (rest_[0] & 0x20) != 0 ? rest_[size - 1] : 0;
  RtcpPacket packet{rest_[1], static_cast<std::uint8_t>(rest_[0] & 0x1f),
                    rest_.subspan(kCommonHeaderSize, size - kCommonHeaderSize - padding)};
  rest_ = rest_.subspan(size);
  return packet;
}

std::optional<std::uint32_t> sender_ssrc(const RtcpPacket& packet) {
  if (packet.body.size() < kSsrcSize) return std::nullopt;
  return load32(packet.body, 0);
}

std::optional<SenderInfo> sender_info(const RtcpPacket& packet) {
  if (!packet.is(RtcpType::sender_report) || packet.body.size() < kSsrcSize + kSenderInfoSize)
    return std::nullopt;
  return SenderInfo{{load64(packet.body, 4)},
                    load32(packet.body, 12),
                    load32(packet.body, 16),
                    load32(packet.body, 20)};
}

std::optional<ReportBlock> report_block(const RtcpPacket& packet, std::size_t index) {
  std::size_t at = kSsrcSize;
  if (packet.is(RtcpType::sender_report)) {
    at += kSenderInfoSize;
  } else if (!packet.is(RtcpType::receiver_report)) {
    return std::nullopt;
  }
  at += index * kReportBlockSize;
  if (index >= packet.count || packet.body.size() < at + kReportBlockSize) return std::nullopt;
  const ByteView bytes = packet.body.subspan(at, kReportBlockSize);
  ReportBlock block;
  block.ssrc = load32(bytes, 0);
  block.fraction_lost = bytes[4];
  // Shifted up and down again, the 24-bit number keeps its sign.
  block.cumulative_lost = static_cast<std::int32_t>(load32(bytes, 4) << 8) >> 8;
  block.highest_sequence = load32(bytes, 8);
  block.jitter = load32(bytes, 12);
  block.last_sr = load32(bytes, 16);
  block.delay_since_sr = load32(bytes, 20);
  return block;
}

std::optional<std::string_view> cname(const RtcpPacket& packet) {
  if (!packet.is(RtcpType::source_description)) return std::nullopt;
  std::size_t at = 0;
  for (std::size_t chunk = 0; chunk < packet.count && packet.body.size() - at >= kSsrcSize;
       ++chunk) {
    if (const auto name = read_chunk(packet.body, at)) return name;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> bye_ssrc(const RtcpPacket& packet, std::size_t index) {
  if (!packet.is(RtcpType::bye) || index >= packet.count ||
      packet.body.size() < (index + 1) * kSsrcSize) {
    return std::nullopt;
  }
  return load32(packet.body, index * kSsrcSize);
}

std::optional<ReportBlock> delay_of_last_rr(const RtcpPacket& packet, std::uint32_t ssrc) {
  constexpr std::size_t kSubBlockSize = 12;
  if (!packet.is(RtcpType::extended_report)) return std::nullopt;
  for (std::size_t at = kSsrcSize; at + kCommonHeaderSize <= packet.body.size();) {
    const std::size_t end = at + packet_size(packet.body.subspan(at));
    if (end > packet.body.size()) return std::nullopt;
    if (packet.body[at] == kDlrrBlock) {
      for (std::size_t sub = at + kCommonHeaderSize; sub + kSubBlockSize <= end;
           sub += kSubBlockSize) {
        if (load32(packet.body, sub) != ssrc) continue;
        ReportBlock block;
        block.ssrc = ssrc;
        block.last_sr = load32(packet.body, sub + 4);
        block.delay_since_sr = load32(packet.body, sub + 8);
        return block;
      }
    }
    at = end;
  }
  return std::nullopt;
}

std::optional<Duration> round_trip(const ReportBlock& block, NtpTime now) {
  if (block.last_sr == 0) return std::nullopt;
  const std::uint32_t units = now.middle() - block.last_sr - block.delay_since_sr;
  if (units > kMaxRoundTrip) return std::nullopt;
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>((std::uint64_t{units} * 1'000'000'000) >> 16));
}

std::size_t write_report(MutableBytes out, const RtcpReport& report) {
  const std::size_t blocks = std::min(report.blocks.size(), kMaxReportBlocks);
  const std::string_view name = report.cname.substr(0, 255);
  const std::size_t report_size = kCommonHeaderSize + kSsrcSize +
                                  (report.sender ? kSenderInfoSize : 0) + blocks * kReportBlockSize;
  const std::size_t description_size = kCommonHeaderSize + kSsrcSize + padded(2 + name.size() + 1);
  const std::size_t bye_size = report.bye ? kCommonHeaderSize + kSsrcSize : 0;
  const std::size_t size = report_size + description_size + bye_size;
  if (size > out.size()) return 0;

  write_common_header(out, blocks,
                      report.sender ? RtcpType::sender_report : RtcpType::receiver_report,
                      report_size);
  store32(out, kCommonHeaderSize, report.ssrc);
  std::size_t at = kCommonHeaderSize + kSsrcSize;
  if (report.sender) {
    write_sender_info(out.subspan(at), *report.sender);
    at += kSenderInfoSize;
  }
  for (const ReportBlock& block : report.blocks.first(blocks)) {
    write_report_block(out.subspan(at), block);
    at += kReportBlockSize;
  }

  const MutableBytes description = out.subspan(report_size, description_size);
  std::fill(description.begin(), description.end(), std::uint8_t{0});
  write_common_header(description, 1, RtcpType::source_description, description_size);
  store32(description, 4, report.ssrc);
  description[8] = kCnameItem;
  description[9] = static_cast<std::uint8_t>(name.size());
  std::copy(name.begin(), name.end(), description.begin() + 10);

  if (report.bye) {
    const MutableBytes bye = out.subspan(report_size + description_size, bye_size);
    write_common_header(bye, 1, RtcpType::bye, bye_size);
    store32(bye, 4, report.ssrc);
  }
  return size;
}

Duration rtcp_interval(Duration base, Random& random) {
  constexpr std::uint32_t kSteps = 1000;
  return base * (kSteps / 2 + random.below(kSteps + 1)) / kSteps;
}

}  // namespace trunkline::rtp
