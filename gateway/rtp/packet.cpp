#include "rtp/packet.hpp"

#include <cstring>

namespace trunkline::rtp {

DatagramKind classify(ByteView datagram) {
  if (datagram.empty()) return DatagramKind::unknown;
  const std::uint8_t first = datagram[0];
  if (first <= 3) return DatagramKind::stun;
  if (first >= 16 && first <= 19) return DatagramKind::zrtp;
  if (first >= 20 && first <= 63) return DatagramKind::dtls;
  if (first >= 64 && first <= 79) return DatagramKind::turn;
  if (first >= 128 && first <= 191) return DatagramKind::rtp;
  return DatagramKind::unknown;
}

std::string_view label(DatagramKind kind) {
  switch (kind) {
    case DatagramKind::stun:
      return "stun";
    case DatagramKind::zrtp:
      return "zrtp";
    case DatagramKind::dtls:
      return "dtls";
    case DatagramKind::turn:
      return "turn";
    case DatagramKind::rtp:
      return "rtp";
    case DatagramKind::unknown:
    case DatagramKind::count_:
      break;
  }
  return "unknown";
}

std::string_view label(HeaderError error) {
  switch (error) {
    case HeaderError::too_short:
      return "too_short";
    case HeaderError::version:
      return "version";
    case HeaderError::csrc:
      return "csrc";
    case HeaderError::extension:
      return "extension";
    case HeaderError::padding:
      return "padding";
    case HeaderError::count_:
      break;
  }
  return "unknown";
}

Result<Header, HeaderError> parse_header(ByteView packet) {
  if (packet.size() < kFixedHeaderSize) return fail(HeaderError::too_short);
  if ((packet[0] >> 6) != 2) return fail(HeaderError::version);
  std::size_t at = kFixedHeaderSize + std::size_t{4} * (packet[0] & 0x0f);
  if (at > packet.size()) return fail(HeaderError::csrc);
  if ((packet[0] & 0x10) != 0) {
    if (packet.size() - at < 4) return fail(HeaderError::extension);
    const std::size_t extension = std::size_t{4} + std::size_t{4} * load16(packet, at + 2);
    if (packet.size() - at < extension) return fail(HeaderError::extension);
    at += extension;
  }
  std::size_t padding = 0;
  if ((packet[0] & 0x20) != 0) {
    padding = packet.back();
    if (padding == 0 || padding > packet.size() - at) return fail(HeaderError::padding);
  }
  Header header;
  header.marker = (packet[1] & 0x80) != 0;
  header.payload_type = packet[1] & 0x7f;
  header.sequence = load16(packet, 2);
  header.timestamp = load32(packet, 4);
  header.ssrc = load32(packet, 8);
  header.payload_at = at;
  header.payload_size = packet.size() - at - padding;
  return header;
}

Extent strip(MutableBytes packet, const Header& header) {
  const std::size_t offset = header.payload_at - kFixedHeaderSize;
  if (offset != 0) std::memmove(packet.data() + offset, packet.data(), kFixedHeaderSize);
  packet[offset] = 0x80;
  return {offset, kFixedHeaderSize + header.payload_size};
}

void write_header(MutableBytes packet, const Header& header) {
  packet[0] = 0x80;
  packet[1] = static_cast<std::uint8_t>((header.marker ? 0x80 : 0) | (header.payload_type & 0x7f));
  set_sequence(packet, header.sequence);
  set_timestamp(packet, header.timestamp);
  set_ssrc(packet, header.ssrc);
}

}  // namespace trunkline::rtp
