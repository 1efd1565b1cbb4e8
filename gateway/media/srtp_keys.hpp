#pragma once
#include "media/srtp.hpp"

#include <array>
#include <cstdint>

namespace trunkline::media {

/// The session keys of one direction, of SRTP or of SRTCP (RFC 3711 §4.3). Wiped when they die.
struct SrtpSessionKeys {
  std::array<std::uint8_t, kMaxSrtpKey> cipher{};
  std::array<std::uint8_t, kMaxSrtpSalt> salt{};
  std::array<std::uint8_t, 20> authentication{};  ///< HMAC-SHA1 only
  SrtpSessionKeys() = default;
  SrtpSessionKeys(const SrtpSessionKeys&) = default;
  SrtpSessionKeys& operator=(const SrtpSessionKeys&) = default;
  ~SrtpSessionKeys();
};

enum class SrtpStreamKind : std::uint8_t { rtp, rtcp };

/// AES-CM as PRF, key derivation rate 0: RFC 3711 §4.3.3; for GCM the 96-bit salt is padded on the
/// right and AES-256 keys use AES-256 (RFC 7714 §11).
SrtpSessionKeys derive_session_keys(SrtpProfile profile, const SrtpMasterKey& master,
                                    SrtpStreamKind kind);

}  // namespace trunkline::media
