// HMAC-SHA1 here starts from two saved SHA-1 states, a plain copy of a struct. The replacement,
// EVP_MAC, allocates and copies its context on the heap for every packet, at twice the cost.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "media/srtp_transform.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

namespace trunkline::media {

namespace {

constexpr std::size_t kIndexWord = 4;
constexpr std::size_t kGcmTag = 16, kGcmNonce = 12;

struct CipherDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, CipherDeleter>;

std::uint32_t ssrc_of_rtp(const Packet& packet) {
  return load32({packet.data, packet.size}, 8);
}
std::uint32_t ssrc_of_rtcp(const Packet& packet) {
  return load32({packet.data, packet.size}, 4);
}

/// HMAC-SHA1 (RFC 2104) with the key's two blocks hashed in advance.
class HmacSha1 {
 public:
  explicit HmacSha1(ByteView key) {
    std::array<std::uint8_t, SHA_CBLOCK> block{};
    std::copy(key.begin(), key.end(), block.begin());
    for (std::uint8_t& octet : block)
      octet ^= 0x36;
    SHA1_Init(&inner_);
    SHA1_Update(&inner_, block.data(), block.size());
    for (std::uint8_t& octet : block)
      octet ^= 0x36 ^ 0x5c;
    SHA1_Init(&outer_);
    SHA1_Update(&outer_, block.data(), block.size());
    OPENSSL_cleanse(block.data(), block.size());
  }
  HmacSha1(const HmacSha1&) = delete;
  HmacSha1& operator=(const HmacSha1&) = delete;
  ~HmacSha1() {
    OPENSSL_cleanse(&inner_, sizeof inner_);
    OPENSSL_cleanse(&outer_, sizeof outer_);
  }

  using Digest = std::array<std::uint8_t, SHA_DIGEST_LENGTH>;
  Digest compute(ByteView message, ByteView suffix) const {
    Digest digest;
    SHA_CTX state = inner_;
    SHA1_Update(&state, message.data(), message.size());
    SHA1_Update(&state, suffix.data(), suffix.size());
    SHA1_Final(digest.data(), &state);
    state = outer_;
    SHA1_Update(&state, digest.data(), digest.size());
    SHA1_Final(digest.data(), &state);
    return digest;
  }

 private:
  SHA_CTX inner_{}, outer_{};
};

/// AES_CM_128 with HMAC_SHA1_80 or _32 (RFC 3711 §4.1.1, §4.2.1).
class CounterModeTransform final : public SrtpTransform {
 public:
  CounterModeTransform(const SrtpSessionKeys& keys, std::size_t tag, Cipher cipher)
      : keys_(keys), tag_(tag), cipher_(std::move(cipher)), mac_(keys.authentication) {}

  void seal_rtp(Packet& packet, std::size_t header, std::uint64_t index) override {
    crypt(packet, header, packet.size, ssrc_of_rtp(packet), index);
    const HmacSha1::Digest digest = rtp_digest({packet.data, packet.size}, index);
    std::memcpy(packet.data + packet.size, digest.data(), tag_);
    packet.size += tag_;
  }
  bool open_rtp(Packet& packet, std::size_t header, std::uint64_t index) override {
    const std::size_t size = packet.size - tag_;
    const HmacSha1::Digest digest = rtp_digest({packet.data, size}, index);
    if (CRYPTO_memcmp(digest.data(), packet.data + size, tag_) != 0) return false;
    packet.size = size;
    crypt(packet, header, size, ssrc_of_rtp(packet), index);
    return true;
  }
  void seal_rtcp(Packet& packet, std::uint32_t index) override {
    crypt(packet, kRtcpHeaderSize, packet.size, ssrc_of_rtcp(packet), index);
    store32({packet.data + packet.size, kIndexWord}, 0, kSrtcpEncrypted | index);
    packet.size += kIndexWord;
    const HmacSha1::Digest digest = mac_.compute({packet.data, packet.size}, {});
    std::memcpy(packet.data + packet.size, digest.data(), tag_);
    packet.size += tag_;
  }
  bool open_rtcp(Packet& packet, std::uint32_t index) override {
    const std::size_t authenticated = packet.size - tag_;
    const HmacSha1::Digest digest = mac_.compute({packet.data, authenticated}, {});
    if (CRYPTO_memcmp(digest.data(), packet.data + authenticated, tag_) != 0) return false;
    packet.size = authenticated - kIndexWord;
    crypt(packet, kRtcpHeaderSize, packet.size, ssrc_of_rtcp(packet), index);
    return true;
  }
  bool keeps_packet_on_failure() const override { return true; }

 private:
  HmacSha1::Digest rtp_digest(ByteView authenticated, std::uint64_t index) const {
    std::array<std::uint8_t, 4> roll_over{};
    store32(roll_over, 0, static_cast<std::uint32_t>(index >> 16));
    return mac_.compute(authenticated, roll_over);
  }
  void crypt(Packet& packet, std::size_t from, std::size_t to, std::uint32_t ssrc,
             std::uint64_t index) {
    std::array<std::uint8_t, 16> counter{};
    std::copy(keys_.salt.begin(), keys_.salt.end(), counter.begin());
    for (std::size_t i = 0; i < 4; ++i) {
      counter[4 + i] ^= static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
    }
    for (std::size_t i = 0; i < 6; ++i) {
      counter[8 + i] ^= static_cast<std::uint8_t>(index >> (40 - 8 * i));
    }
    int written = 0;
    EVP_EncryptInit_ex(cipher_.get(), nullptr, nullptr, nullptr, counter.data());
    EVP_EncryptUpdate(cipher_.get(), packet.data + from, &written, packet.data + from,
                      static_cast<int>(to - from));
  }

  SrtpSessionKeys keys_;
  std::size_t tag_;
  Cipher cipher_;
  HmacSha1 mac_;
};

/// AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714).
class GcmTransform final : public SrtpTransform {
 public:
  GcmTransform(const SrtpSessionKeys& keys, Cipher cipher)
      : keys_(keys), cipher_(std::move(cipher)) {}

  void seal_rtp(Packet& packet, std::size_t header, std::uint64_t index) override {
    begin(rtp_nonce(ssrc_of_rtp(packet), index));
    associate({packet.data, header});
    seal_rest(packet, header);
  }
  bool open_rtp(Packet& packet, std::size_t header, std::uint64_t index) override {
    begin(rtp_nonce(ssrc_of_rtp(packet), index));
    associate({packet.data, header});
    packet.size -= kGcmTag;
    return open_rest(packet, header);
  }
  void seal_rtcp(Packet& packet, std::uint32_t index) override {
    std::array<std::uint8_t, kIndexWord> word{};
    store32(word, 0, kSrtcpEncrypted | index);
    begin(rtcp_nonce(ssrc_of_rtcp(packet), index));
    associate({packet.data, kRtcpHeaderSize});
    associate(word);
    seal_rest(packet, kRtcpHeaderSize);
    std::copy(word.begin(), word.end(), packet.data + packet.size);
    packet.size += kIndexWord;
  }
  bool open_rtcp(Packet& packet, std::uint32_t index) override {
    begin(rtcp_nonce(ssrc_of_rtcp(packet), index));
    associate({packet.data, kRtcpHeaderSize});
    associate({packet.data + packet.size - kIndexWord, kIndexWord});
    packet.size -= kIndexWord + kGcmTag;
    return open_rest(packet, kRtcpHeaderSize);
  }
  bool keeps_packet_on_failure() const override { return false; }

 private:
  using Nonce = std::array<std::uint8_t, kGcmNonce>;

  /// RFC 7714 §8.1: two zero octets, SSRC, roll-over counter, sequence number; exclusive-or the
  /// salt.
  Nonce rtp_nonce(std::uint32_t ssrc, std::uint64_t index) const {
    Nonce nonce{};
    store32(nonce, 2, ssrc);
    store32(nonce, 6, static_cast<std::uint32_t>(index >> 16));
    store16(nonce, 10, static_cast<std::uint16_t>(index));
    return salted(nonce);
  }
  /// RFC 7714 §9.1: two zero octets, SSRC, two zero octets, index; exclusive-or the salt.
  Nonce rtcp_nonce(std::uint32_t ssrc, std::uint32_t index) const {
    Nonce nonce{};
    store32(nonce, 2, ssrc);
    store32(nonce, 8, index);
    return salted(nonce);
  }
  Nonce salted(Nonce nonce) const {
    for (std::size_t i = 0; i < nonce.size(); ++i)
      nonce[i] ^= keys_.salt[i];
    return nonce;
  }
  void begin(const Nonce& nonce) {
    EVP_CipherInit_ex(cipher_.get(), nullptr, nullptr, nullptr, nonce.data(), -1);
  }
  void associate(ByteView data) {
    int written = 0;
    EVP_CipherUpdate(cipher_.get(), nullptr, &written, data.data(), static_cast<int>(data.size()));
  }
  void crypt(Packet& packet, std::size_t from) {
    int written = 0;
    if (packet.size > from) {
      EVP_CipherUpdate(cipher_.get(), packet.data + from, &written, packet.data + from,
                       static_cast<int>(packet.size - from));
    }
  }
  void seal_rest(Packet& packet, std::size_t from) {
    crypt(packet, from);
    int written = 0;
    EVP_CipherFinal_ex(cipher_.get(), packet.data + packet.size, &written);
    EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTag, packet.data + packet.size);
    packet.size += kGcmTag;
  }
  bool open_rest(Packet& packet, std::size_t from) {
    crypt(packet, from);
    EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTag, packet.data + packet.size);
    int written = 0;
    std::array<std::uint8_t, kGcmTag> nothing{};
    return EVP_CipherFinal_ex(cipher_.get(), nothing.data(), &written) == 1;
  }

  SrtpSessionKeys keys_;
  Cipher cipher_;
};

}  // namespace

std::unique_ptr<SrtpTransform> make_srtp_transform(SrtpProfile profile, const SrtpSessionKeys& keys,
                                                   SrtpStreamKind kind, bool sealing) {
  const SrtpProfileTraits& lengths = traits(profile);
  Cipher cipher(EVP_CIPHER_CTX_new());
  const EVP_CIPHER* algorithm = !lengths.aead       ? EVP_aes_128_ctr()
                                : lengths.key == 32 ? EVP_aes_256_gcm()
                                                    : EVP_aes_128_gcm();
  const bool counter_mode = !lengths.aead;
  if (!cipher || EVP_CipherInit_ex(cipher.get(), algorithm, nullptr, keys.cipher.data(), nullptr,
                                   sealing || counter_mode ? 1 : 0) != 1) {
    return nullptr;
  }
  if (lengths.aead) return std::make_unique<GcmTransform>(keys, std::move(cipher));
  const std::size_t tag = kind == SrtpStreamKind::rtp ? lengths.rtp_tag : lengths.rtcp_tag;
  return std::make_unique<CounterModeTransform>(keys, tag, std::move(cipher));
}

}  // namespace trunkline::media
