#pragma once
#include "media/srtp.hpp"
#include "media/srtp_keys.hpp"

#include <cstdint>
#include <memory>

namespace trunkline::media {

/// The cryptographic transform of one direction and one kind of stream, keyed once, over OpenSSL.
/// It knows no state of a stream: the caller gives the index. Works in place, allocates nothing per
/// packet.
class SrtpTransform {
 public:
  virtual ~SrtpTransform() = default;
  /// Encrypts all after `header` octets and appends the tag. `index`: 48 bits, roll-over counter
  /// and sequence number.
  virtual void seal_rtp(Packet& packet, std::size_t header, std::uint64_t index) = 0;
  /// False when the tag is wrong; the payload is then destroyed, unless
  /// `keeps_packet_on_failure()`.
  virtual bool open_rtp(Packet& packet, std::size_t header, std::uint64_t index) = 0;
  /// `index`: 31 bits. Appends tag and index word, E bit set.
  virtual void seal_rtcp(Packet& packet, std::uint32_t index) = 0;
  virtual bool open_rtcp(Packet& packet, std::uint32_t index) = 0;
  virtual bool keeps_packet_on_failure() const = 0;
};

/// Null only if OpenSSL refuses the cipher.
std::unique_ptr<SrtpTransform> make_srtp_transform(SrtpProfile profile, const SrtpSessionKeys& keys,
                                                   SrtpStreamKind kind, bool sealing);

}  // namespace trunkline::media
