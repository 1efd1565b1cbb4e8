#pragma once
#include "base/bytes.hpp"
#include "media/api.hpp"
#include "media/outbox.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

/// SRTP and SRTCP (RFC 3711, RFC 7714): one interface, several engines that agree octet for octet.
/// Packets are changed in place, in the head and tail room that `Packet` promises. After
/// construction nothing allocates. One thread each.
namespace trunkline::media {

inline constexpr std::array<SrtpProfile, 4> kSrtpProfiles{
    SrtpProfile::aes_cm_128_hmac_sha1_80, SrtpProfile::aes_cm_128_hmac_sha1_32,
    SrtpProfile::aead_aes_128_gcm, SrtpProfile::aead_aes_256_gcm};

/// The lengths of a profile, in octets. SRTCP of the 32-bit profile has the 80-bit tag (RFC 5764
/// §4.1.2).
struct SrtpProfileTraits {
  std::string_view name;
  std::size_t key = 16, salt = 14, rtp_tag = 10, rtcp_tag = 10;
  bool aead = false;
};
const SrtpProfileTraits& traits(SrtpProfile profile);

inline constexpr std::size_t kMaxSrtpKey = 32, kMaxSrtpSalt = 14;

/// A master key and salt; only the first `traits().key` and `.salt` octets count. Wiped when it
/// dies.
struct SrtpMasterKey {
  std::array<std::uint8_t, kMaxSrtpKey> key{};
  std::array<std::uint8_t, kMaxSrtpSalt> salt{};
  SrtpMasterKey() = default;
  SrtpMasterKey(const SrtpMasterKey&) = default;
  SrtpMasterKey& operator=(const SrtpMasterKey&) = default;
  ~SrtpMasterKey();
};

/// What became of a packet. After anything but `ok` its octets are unspecified and it must be
/// dropped.
enum class SrtpVerdict : std::uint8_t {
  ok,
  malformed,       ///< too short, or its header runs past its end; SRTCP that is not encrypted
  authentication,  ///< the tag is wrong
  replayed,        ///< its index was seen, or lies before the replay window
  refused,         ///< sender only: another SSRC, or the key's lifetime is over (RFC 3711 §9.2)
  count_
};
std::string_view verdict_label(SrtpVerdict verdict);

/// Protects what one SSRC sends under one key. An index is never used twice (RFC 3711 §9.1).
class SrtpSender {
 public:
  virtual ~SrtpSender() = default;
  virtual SrtpVerdict protect_rtp(Packet& packet) = 0;
  virtual SrtpVerdict protect_rtcp(Packet& packet) = 0;
};

/// Where one stream of a peer stands: the highest index that was opened.
struct SrtpStreamIndex {
  std::uint32_t ssrc = 0;
  std::uint64_t rtp = 0;
};

/// Opens what a peer sends under one key, from any SSRC: the `kMaxSsrcs` last heard are remembered.
/// State changes only after authentication.
class SrtpReceiver {
 public:
  static constexpr std::size_t kMaxSsrcs = 8;
  virtual ~SrtpReceiver() = default;
  virtual SrtpVerdict unprotect_rtp(Packet& packet) = 0;
  virtual SrtpVerdict unprotect_rtcp(Packet& packet) = 0;

  using Indices = std::array<std::optional<SrtpStreamIndex>, kMaxSsrcs>;
  virtual Indices indices() const = 0;
  /// The context before this one, under another key, ended so. A peer may go on with its roll-over
  /// counters, as RFC 3711 §3.3.1 has it, or begin anew, as RFC 4568 §7.1.4 has it: both are
  /// understood.
  virtual void follow(const Indices& before) = 0;
};

/// contract: media.srtp_engine.
enum class SrtpEngineKind : std::uint8_t {
  automatic,  ///< ipsec_mb where it is there, else openssl; at start measured: `SrtpEngines`
  openssl,
  ipsec_mb,  ///< x86-64 with AES and carry-less multiplication only
  libsrtp
};
inline constexpr std::array<SrtpEngineKind, 3> kSrtpEngines{
    SrtpEngineKind::openssl, SrtpEngineKind::ipsec_mb, SrtpEngineKind::libsrtp};

/// "auto", "openssl", "ipsec-mb" or "libsrtp", as in the configuration.
std::string_view srtp_engine_name(SrtpEngineKind kind);
/// Whether this build and this processor have it.
bool srtp_engine_available(SrtpEngineKind kind);

/// The engine of each profile: one profile may be fastest here with another engine than the next.
struct SrtpEngines {
  std::array<SrtpEngineKind, kSrtpProfiles.size()> by_profile{};
  // Implicit, as one engine for all profiles is what one mostly wants to say.
  SrtpEngines(SrtpEngineKind all = SrtpEngineKind::automatic) { by_profile.fill(all); }
  SrtpEngineKind operator[](SrtpProfile profile) const {
    return by_profile[static_cast<std::size_t>(profile)];
  }
  SrtpEngineKind& operator[](SrtpProfile profile) {
    return by_profile[static_cast<std::size_t>(profile)];
  }
  bool operator==(const SrtpEngines&) const = default;
};

/// Null only if the engine is not there, or its library refuses to work.
std::unique_ptr<SrtpSender> make_srtp_sender(SrtpEngineKind kind, SrtpProfile profile,
                                             const SrtpMasterKey& key, std::uint32_t ssrc);
std::unique_ptr<SrtpReceiver> make_srtp_receiver(SrtpEngineKind kind, SrtpProfile profile,
                                                 const SrtpMasterKey& key);

namespace engines {
std::unique_ptr<SrtpSender> libsrtp_sender(SrtpProfile profile, const SrtpMasterKey& key,
                                           std::uint32_t ssrc);
std::unique_ptr<SrtpReceiver> libsrtp_receiver(SrtpProfile profile, const SrtpMasterKey& key);
}  // namespace engines

/// Where the encrypted part of an RTP packet begins: after the fixed header, the CSRCs and the
/// extension (RFC 3711 §3.1). Nothing when the header runs past the end, or the version is not 2.
std::optional<std::size_t> rtp_header_size(ByteView packet);

/// The 31-bit index of an SRTCP packet (RFC 3711 §3.4, RFC 7714 §9). Nothing when the
/// packet is too short to have one, or is not encrypted: our profiles demand it.
std::optional<std::uint32_t> srtcp_index(SrtpProfile profile, ByteView packet);

inline constexpr std::uint32_t kSrtcpEncrypted = 0x80000000;
inline constexpr std::size_t kRtcpHeaderSize =
    8;  ///< the part of an RTCP packet that SRTCP leaves clear

}  // namespace trunkline::media
