#include "base/bytes.hpp"
#include "base/random.hpp"
#include "rtp/packet.hpp"
#include "rtp/quality.hpp"
#include "rtp/telephone_event.hpp"
#include "rtp/timeline.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

// Any octets as one RTP packet, and as a stream of them. Besides not crashing: a stripped packet
// parses again and keeps its payload, and the outgoing line never gives a sequence number twice
// within its window.
namespace trunkline::rtp {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_packet(ByteView octets) {
  static_cast<void>(classify(octets));
  static_cast<void>(is_rtcp(octets));
  std::vector<std::uint8_t> packet(octets.begin(), octets.end());
  const auto header = parse_header(packet);
  if (!header) return;
  require(header->payload_at + header->payload_size <= packet.size());
  const Extent extent = strip(packet, *header);
  require(extent.offset + extent.size <= packet.size());
  const MutableBytes bare = MutableBytes(packet).subspan(extent.offset, extent.size);
  const auto again = parse_header(bare);
  require(again.has_value() && again->payload_at == kFixedHeaderSize);
  require(again->payload_size == header->payload_size && again->sequence == header->sequence);
  require(again->ssrc == header->ssrc && again->timestamp == header->timestamp);
  require(again->payload_type == header->payload_type && again->marker == header->marker);
  const ByteView payload = octets.subspan(header->payload_at, header->payload_size);
  require(std::equal(payload.begin(), payload.end(), bare.begin() + kFixedHeaderSize));
}

// Eight octets a packet: what a hostile or broken source may put into the numbers of its header.
void check_stream(ByteView octets) {
  SeededRandom random(1);
  Timeline line(1, random);
  ReceiveStatistics statistics;
  EventReceiver receiver;
  EventConverter converter;
  TimePoint now = TimePoint{} + seconds{1};
  std::int64_t highest = -1;
  std::vector<bool> given(1 << 18);
  for (std::size_t at = 0; at + 8 <= octets.size(); at += 8) {
    SourcePacket packet;
    packet.source = octets[at] & 1;
    packet.ssrc = (octets[at] >> 1) & 1;
    packet.telephone_event = (octets[at] & 4) != 0;
    packet.clock = (octets[at] & 8) != 0 ? 48000 : 8000;
    packet.sequence = load16(octets, at + 2);
    packet.timestamp = load32(octets, at + 4);
    now += milliseconds{octets[at + 1]};
    statistics.update(packet.ssrc, packet.sequence, packet.timestamp, packet.clock, now,
                      packet.telephone_event);
    if (packet.telephone_event) {
      const EventPayload payload{octets[at + 1], (octets[at] & 16) != 0, 10, packet.sequence};
      require(receiver.receive(packet.ssrc, packet.timestamp, payload, packet.clock, now).size() <=
              2);
      static_cast<void>(converter.convert(packet.ssrc, packet.timestamp, payload, packet.clock,
                                          8000, line.timestamp_at(now)));
    }
    std::optional<LinePosition> position;
    if ((octets[at] & 0xe0) == 0xe0) {
      position = line.insert(packet.timestamp, false, now);
    } else if ((octets[at] & 0xe0) == 0xc0) {
      line.skip(packet);
    } else {
      position = line.map(packet, now);
    }
    if (!position) continue;
    std::int64_t extended = position->sequence;
    if (highest >= 0) {
      extended = highest + static_cast<std::int16_t>(
                               static_cast<std::uint16_t>(position->sequence - highest));
    }
    highest = std::max(highest, extended);
    require(extended >= 0);
    if (extended >= static_cast<std::int64_t>(given.size())) return;
    require(!given[static_cast<std::size_t>(extended)]);
    given[static_cast<std::size_t>(extended)] = true;
  }
  if (const auto block = statistics.report(now)) require(block->cumulative_lost <= 0x7fffff);
  require(statistics.jitter_seconds() >= 0 && statistics.interval_loss() >= 0 &&
          statistics.interval_loss() <= 1);
}

}  // namespace
}  // namespace trunkline::rtp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline::rtp;
  check_packet({data, size});
  check_stream({data, size});
  static_cast<void>(parse_event({data, size}));
  return 0;
}
