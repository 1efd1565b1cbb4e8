#include "media/srtp.hpp"

#include "media/srtp_stream.hpp"
#include "media/srtp_transform.hpp"

#include <openssl/crypto.h>

namespace trunkline::media {

namespace {

constexpr std::array<SrtpProfileTraits, 4> kProfiles{{
    {"SRTP_AES128_CM_HMAC_SHA1_80", 16, 14, 10, 10, false},
    {"SRTP_AES128_CM_HMAC_SHA1_32", 16, 14, 4, 10, false},
    {"AEAD_AES_128_GCM", 16, 12, 16, 16, true},
    {"AEAD_AES_256_GCM", 32, 12, 16, 16, true},
}};

}  // namespace

const SrtpProfileTraits& traits(SrtpProfile profile) {
  return kProfiles[static_cast<std::size_t>(profile)];
}

SrtpMasterKey::~SrtpMasterKey() {
  OPENSSL_cleanse(key.data(), key.size());
  OPENSSL_cleanse(salt.data(), salt.size());
}

std::string_view verdict_label(SrtpVerdict verdict) {
  switch (verdict) {
    case SrtpVerdict::ok:
      return "ok";
    case SrtpVerdict::malformed:
      return "malformed";
    case SrtpVerdict::authentication:
      return "auth";
    case SrtpVerdict::replayed:
      return "replay";
    case SrtpVerdict::refused:
      return "refused";
    case SrtpVerdict::count_:
      break;
  }
  return "";
}

std::string_view srtp_engine_name(SrtpEngineKind kind) {
  switch (kind) {
    case SrtpEngineKind::automatic:
      return "auto";
    case SrtpEngineKind::openssl:
      return "openssl";
    case SrtpEngineKind::ipsec_mb:
      return "ipsec-mb";
    case SrtpEngineKind::libsrtp:
      break;
  }
  return "libsrtp";
}

bool srtp_engine_available(SrtpEngineKind kind) {
  return kind != SrtpEngineKind::ipsec_mb || engines::ipsec_mb_available();
}

std::unique_ptr<SrtpTransform> make_srtp_transform(SrtpEngineKind engine, SrtpProfile profile,
                                                   const SrtpSessionKeys& keys, SrtpStreamKind kind,
                                                   SrtpWay way) {
  switch (engine) {
    case SrtpEngineKind::automatic:
      if (auto fast = engines::ipsec_mb_transform(profile, keys, kind, way)) return fast;
      return engines::openssl_transform(profile, keys, kind, way);
    case SrtpEngineKind::openssl:
      return engines::openssl_transform(profile, keys, kind, way);
    case SrtpEngineKind::ipsec_mb:
      return engines::ipsec_mb_transform(profile, keys, kind, way);
    case SrtpEngineKind::libsrtp:
      break;
  }
  return nullptr;
}

std::unique_ptr<SrtpSender> make_srtp_sender(SrtpEngineKind kind, SrtpProfile profile,
                                             const SrtpMasterKey& key, std::uint32_t ssrc) {
  return kind == SrtpEngineKind::libsrtp ? engines::libsrtp_sender(profile, key, ssrc)
                                         : make_stream_sender(kind, profile, key, ssrc);
}

std::unique_ptr<SrtpReceiver> make_srtp_receiver(SrtpEngineKind kind, SrtpProfile profile,
                                                 const SrtpMasterKey& key) {
  return kind == SrtpEngineKind::libsrtp ? engines::libsrtp_receiver(profile, key)
                                         : make_stream_receiver(kind, profile, key);
}

std::optional<std::size_t> rtp_header_size(ByteView packet) {
  if (packet.size() < 12 || packet[0] >> 6 != 2) return std::nullopt;
  std::size_t size = 12 + 4 * std::size_t{packet[0] & 0x0fu};
  if (packet[0] & 0x10) {
    if (packet.size() < size + 4) return std::nullopt;
    size += 4 + 4 * std::size_t{load16(packet, size + 2)};
  }
  if (packet.size() < size) return std::nullopt;
  return size;
}

std::optional<std::uint32_t> srtcp_index(SrtpProfile profile, ByteView packet) {
  if (packet.size() < kRtcpHeaderSize + 4 + traits(profile).rtcp_tag) return std::nullopt;
  const std::size_t behind = traits(profile).aead ? 0 : traits(profile).rtcp_tag;
  const std::uint32_t word = load32(packet, packet.size() - behind - 4);
  if (!(word & kSrtcpEncrypted)) return std::nullopt;
  return word & ~kSrtcpEncrypted;
}

}  // namespace trunkline::media
