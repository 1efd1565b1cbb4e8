#pragma once
#include "media/hmac_sha1.hpp"
#include "media/srtp_transform.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

/// How RFC 3711 and RFC 7714 lay a packet out around a cipher. An engine of ours is one cipher for
/// each of the two templates.
namespace trunkline::media {

inline constexpr std::size_t kSrtcpIndexWord = 4;
inline constexpr std::size_t kGcmTag = 16, kGcmNonce = 12;
using GcmNonce = std::array<std::uint8_t, kGcmNonce>;
using GcmTag = std::array<std::uint8_t, kGcmTag>;
using CounterBlock = std::array<std::uint8_t, 16>;

/// A session salt that is wiped when it dies.
struct SrtpSalt {
  std::array<std::uint8_t, kMaxSrtpSalt> octets{};
  explicit SrtpSalt(const std::array<std::uint8_t, kMaxSrtpSalt>& salt) : octets(salt) {}
  SrtpSalt(const SrtpSalt&) = delete;
  SrtpSalt& operator=(const SrtpSalt&) = delete;
  ~SrtpSalt() { OPENSSL_cleanse(octets.data(), octets.size()); }
};

/// AES_CM_128 with HMAC_SHA1_80 or _32 (RFC 3711 §4.1.1, §4.2.1).
/// `Cipher`: `void crypt(const CounterBlock& first, MutableBytes data)`, AES in counter mode.
template <class Cipher>
class CounterModeTransform final : public SrtpTransform {
 public:
  CounterModeTransform(const SrtpSessionKeys& keys, std::size_t tag, Cipher cipher)
      : cipher_(std::move(cipher)), mac_(keys.authentication), salt_(keys.salt), tag_(tag) {}

  void seal_rtp(Packet& packet, std::size_t header, std::uint64_t index) override {
    crypt(packet, header, load32(packet.bytes(), 8), index);
    append(rtp_digest(packet.bytes(), index), packet);
  }
  bool open_rtp(Packet& packet, std::size_t header, std::uint64_t index) override {
    const MutableBytes authenticated = packet.bytes().first(packet.size - tag_);
    if (!matches(rtp_digest(authenticated, index), packet)) return false;
    packet.size -= tag_;
    crypt(packet, header, load32(packet.bytes(), 8), index);
    return true;
  }
  void seal_rtcp(Packet& packet, std::uint32_t index) override {
    crypt(packet, kRtcpHeaderSize, load32(packet.bytes(), 4), index);
    store32({packet.data + packet.size, kSrtcpIndexWord}, 0, kSrtcpEncrypted | index);
    packet.size += kSrtcpIndexWord;
    append(mac_.compute(packet.bytes()), packet);
  }
  bool open_rtcp(Packet& packet, std::uint32_t index) override {
    if (!matches(mac_.compute(packet.bytes().first(packet.size - tag_)), packet)) return false;
    packet.size -= tag_ + kSrtcpIndexWord;
    crypt(packet, kRtcpHeaderSize, load32(packet.bytes(), 4), index);
    return true;
  }
  bool keeps_packet_on_failure() const override { return true; }

 private:
  /// RFC 3711 §4.2: the roll-over counter is authenticated, not sent.
  HmacSha1::Digest rtp_digest(ByteView authenticated, std::uint64_t index) const {
    std::array<std::uint8_t, 4> roll_over{};
    store32(roll_over, 0, static_cast<std::uint32_t>(index >> 16));
    return mac_.compute(authenticated, roll_over);
  }
  void append(const HmacSha1::Digest& digest, Packet& packet) const {
    std::memcpy(packet.data + packet.size, digest.data(), tag_);
    packet.size += tag_;
  }
  bool matches(const HmacSha1::Digest& digest, const Packet& packet) const {
    return CRYPTO_memcmp(digest.data(), packet.data + packet.size - tag_, tag_) == 0;
  }
  void crypt(Packet& packet, std::size_t from, std::uint32_t ssrc, std::uint64_t index) {
    CounterBlock counter{};
    std::copy(salt_.octets.begin(), salt_.octets.end(), counter.begin());
    for (std::size_t i = 0; i < 4; ++i) {
      counter[4 + i] ^= static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
    }
    for (std::size_t i = 0; i < 6; ++i) {
      counter[8 + i] ^= static_cast<std::uint8_t>(index >> (40 - 8 * i));
    }
    if (packet.size > from) cipher_.crypt(counter, packet.bytes().subspan(from));
  }

  Cipher cipher_;
  HmacSha1 mac_;
  SrtpSalt salt_;
  std::size_t tag_;
};

/// AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714).
/// `Cipher`: `void seal(const GcmNonce&, ByteView associated, MutableBytes data, std::uint8_t*
/// tag)`, and `bool open(…, const std::uint8_t* tag)`, which may destroy `data` when false.
template <class Cipher>
class GcmTransform final : public SrtpTransform {
 public:
  GcmTransform(const SrtpSessionKeys& keys, Cipher cipher)
      : cipher_(std::move(cipher)), salt_(keys.salt) {}

  void seal_rtp(Packet& packet, std::size_t header, std::uint64_t index) override {
    cipher_.seal(rtp_nonce(packet, index), packet.bytes().first(header),
                 packet.bytes().subspan(header), packet.data + packet.size);
    packet.size += kGcmTag;
  }
  bool open_rtp(Packet& packet, std::size_t header, std::uint64_t index) override {
    const std::size_t clear = packet.size - kGcmTag;
    if (!cipher_.open(rtp_nonce(packet, index), packet.bytes().first(header),
                      packet.bytes().subspan(header, clear - header), packet.data + clear)) {
      return false;
    }
    packet.size = clear;
    return true;
  }
  void seal_rtcp(Packet& packet, std::uint32_t index) override {
    const Associated associated = rtcp_associated(packet, kSrtcpEncrypted | index);
    cipher_.seal(rtcp_nonce(packet, index), associated, packet.bytes().subspan(kRtcpHeaderSize),
                 packet.data + packet.size);
    packet.size += kGcmTag;
    std::copy_n(associated.begin() + kRtcpHeaderSize, kSrtcpIndexWord, packet.data + packet.size);
    packet.size += kSrtcpIndexWord;
  }
  bool open_rtcp(Packet& packet, std::uint32_t index) override {
    const std::size_t clear = packet.size - kSrtcpIndexWord - kGcmTag;
    if (!cipher_.open(rtcp_nonce(packet, index), rtcp_associated(packet, kSrtcpEncrypted | index),
                      packet.bytes().subspan(kRtcpHeaderSize, clear - kRtcpHeaderSize),
                      packet.data + clear)) {
      return false;
    }
    packet.size = clear;
    return true;
  }
  bool keeps_packet_on_failure() const override { return false; }

 private:
  using Associated = std::array<std::uint8_t, kRtcpHeaderSize + kSrtcpIndexWord>;

  /// RFC 7714 §9.2: the first eight octets, and the word with E bit and index.
  static Associated rtcp_associated(const Packet& packet, std::uint32_t word) {
    Associated associated{};
    std::copy_n(packet.data, kRtcpHeaderSize, associated.begin());
    store32(associated, kRtcpHeaderSize, word);
    return associated;
  }
  /// RFC 7714 §8.1: two zero octets, SSRC, roll-over counter, sequence number; exclusive-or the
  /// salt.
  GcmNonce rtp_nonce(const Packet& packet, std::uint64_t index) const {
    GcmNonce nonce{};
    store32(nonce, 2, load32(packet.bytes(), 8));
    store32(nonce, 6, static_cast<std::uint32_t>(index >> 16));
    store16(nonce, 10, static_cast<std::uint16_t>(index));
    return salted(nonce);
  }
  /// RFC 7714 §9.1: two zero octets, SSRC, two zero octets, index; exclusive-or the salt.
  GcmNonce rtcp_nonce(const Packet& packet, std::uint32_t index) const {
    GcmNonce nonce{};
    store32(nonce, 2, load32(packet.bytes(), 4));
    store32(nonce, 8, index);
    return salted(nonce);
  }
  GcmNonce salted(GcmNonce nonce) const {
    for (std::size_t i = 0; i < nonce.size(); ++i)
      nonce[i] ^= salt_.octets[i];
    return nonce;
  }

  Cipher cipher_;
  SrtpSalt salt_;
};

}  // namespace trunkline::media
