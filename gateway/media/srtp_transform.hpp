#pragma once
#include "media/srtp.hpp"
#include "media/srtp_keys.hpp"

#include <cstdint>
#include <memory>

namespace trunkline::media {

/// The cryptographic transform of one direction and one kind of stream, keyed once. It knows no
/// state of a stream: the caller gives the index. Works in place, allocates nothing per packet.
/// The caller has checked that the packet is long enough.
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

enum class SrtpWay : std::uint8_t { seal, open };

/// Null only if the engine is not there or refuses the cipher.
std::unique_ptr<SrtpTransform> make_srtp_transform(SrtpEngineKind engine, SrtpProfile profile,
                                                   const SrtpSessionKeys& keys, SrtpStreamKind kind,
                                                   SrtpWay way);

inline std::size_t tag_size(SrtpProfile profile, SrtpStreamKind kind) {
  return kind == SrtpStreamKind::rtp ? traits(profile).rtp_tag : traits(profile).rtcp_tag;
}

namespace engines {
std::unique_ptr<SrtpTransform> openssl_transform(SrtpProfile profile, const SrtpSessionKeys& keys,
                                                 SrtpStreamKind kind, SrtpWay way);
/// Null where the processor has no AES and carry-less multiplication.
std::unique_ptr<SrtpTransform> ipsec_mb_transform(SrtpProfile profile, const SrtpSessionKeys& keys,
                                                  SrtpStreamKind kind, SrtpWay way);
bool ipsec_mb_available();
}  // namespace engines

}  // namespace trunkline::media
