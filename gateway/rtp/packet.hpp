#pragma once
#include "base/bytes.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

/// RTP packets in place (RFC 3550 §5). Nothing here allocates.
namespace trunkline::rtp {

/// RFC 3550 A.1, MAX_DROPOUT: a larger step of the sequence is a source that began anew, or a stray
/// packet.
inline constexpr std::int32_t kMaxDropout = 3000;

inline constexpr std::size_t kFixedHeaderSize = 12;

/// What a datagram on a shared port is, by its first octet (RFC 7983 §7).
enum class DatagramKind : std::uint8_t { stun, zrtp, dtls, turn, rtp, unknown, count_ };
/// `rtp` stands for SRTP, RTP and RTCP alike: see `is_rtcp`. An empty datagram is `unknown`.
DatagramKind classify(ByteView datagram);
std::string_view label(DatagramKind kind);

/// RTCP rather than RTP, by the second octet: 192 to 223 (RFC 5761 §4). Only for datagrams of the
/// kind `rtp`.
inline bool is_rtcp(ByteView datagram) {
  return datagram.size() > 1 && datagram[1] >= 192 && datagram[1] <= 223;
}

/// The header of a plain (or opened) packet, all lengths checked.
struct Header {
  bool marker = false;
  std::uint8_t payload_type = 0;  ///< 0 to 127
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;  ///< in ticks of the payload's clock
  std::uint32_t ssrc = 0;
  std::size_t payload_at = kFixedHeaderSize;  ///< behind the CSRCs and the extension
  std::size_t payload_size = 0;               ///< without padding
};

enum class HeaderError : std::uint8_t {
  too_short,
  version,    ///< not 2
  csrc,       ///< the CSRC list runs past the end
  extension,  ///< the header extension runs past the end
  padding,    ///< the padding count is 0 or longer than the payload
  count_
};
std::string_view label(HeaderError error);

Result<Header, HeaderError> parse_header(ByteView packet);

/// Where a packet lies in its buffer.
struct Extent {
  std::size_t offset = 0, size = 0;
};
/// Makes the packet one with a bare 12-octet header: CSRCs, extension and padding go. The payload
/// stays where it is; the fixed header moves forward to stand right before it. `header` is what
/// `parse_header` said of this packet.
Extent strip(MutableBytes packet, const Header& header);

/// Writes a bare fixed header (no padding, extension, CSRC) into the first 12 octets.
void write_header(MutableBytes packet, const Header& header);

/// Each changes one field of a packet whose header has been checked.
inline void set_marker(MutableBytes packet, bool marker) {
  packet[1] = static_cast<std::uint8_t>((packet[1] & 0x7f) | (marker ? 0x80 : 0));
}
inline void set_payload_type(MutableBytes packet, std::uint8_t payload_type) {
  packet[1] = static_cast<std::uint8_t>((packet[1] & 0x80) | (payload_type & 0x7f));
}
inline void set_sequence(MutableBytes packet, std::uint16_t sequence) {
  store16(packet, 2, sequence);
}
inline void set_timestamp(MutableBytes packet, std::uint32_t timestamp) {
  store32(packet, 4, timestamp);
}
inline void set_ssrc(MutableBytes packet, std::uint32_t ssrc) {
  store32(packet, 8, ssrc);
}

}  // namespace trunkline::rtp
