#include "base/bytes.hpp"
#include "rtp/rtcp.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

// Any octets as an RTCP compound. Besides not crashing: the packets of what opens lie within the
// datagram, and a report block that was read can be written and reads back the same.
namespace trunkline::rtp {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_block(const ReportBlock& block) {
  std::vector<std::uint8_t> buffer(128);
  buffer.resize(write_report(buffer, {.ssrc = 1, .blocks = {&block, 1}, .cname = "c"}));
  auto reader = RtcpReader::open(buffer);
  require(reader.has_value());
  const auto packet = reader->next();
  const auto again = report_block(*packet, 0);
  require(again && again->ssrc == block.ssrc && again->cumulative_lost == block.cumulative_lost);
  require(again->fraction_lost == block.fraction_lost && again->jitter == block.jitter);
  if (const auto time = round_trip(block, {0x1234567890abcdef}))
    require(*time >= Duration{} && *time <= seconds{30});
}

void check_packet(ByteView datagram, const RtcpPacket& packet) {
  require(packet.body.empty() || packet.body.data() >= datagram.data());
  require(packet.body.empty() ||
          packet.body.data() + packet.body.size() <= datagram.data() + datagram.size());
  static_cast<void>(sender_ssrc(packet));
  static_cast<void>(sender_info(packet));
  for (std::size_t i = 0; i <= kMaxReportBlocks; ++i) {
    if (const auto block = report_block(packet, i)) check_block(*block);
    static_cast<void>(bye_ssrc(packet, i));
  }
  if (const auto name = cname(packet)) require(name->size() <= 255);
  static_cast<void>(delay_of_last_rr(packet, 0));
}

void check_compound(ByteView datagram) {
  auto reader = RtcpReader::open(datagram);
  if (!reader) {
    require(!label(reader.error()).empty());
    return;
  }
  std::size_t packets = 0;
  while (const auto packet = reader->next()) {
    check_packet(datagram, *packet);
    ++packets;
  }
  require(packets >= 1 && packets <= datagram.size() / 4);
}

}  // namespace
}  // namespace trunkline::rtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trunkline::rtp::check_compound({data, size});
  return 0;
}
