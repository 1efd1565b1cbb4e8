#include "media/srtp_framing.hpp"

#ifdef TRUNKLINE_IPSEC_MB

// Its old short names are those of OpenSSL's functions.
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>

namespace trunkline::media {

namespace {

struct ManagerDeleter {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};
using Manager = std::unique_ptr<IMB_MGR, ManagerDeleter>;

constexpr std::uint64_t kNeeded = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;

/// The library's functions for this processor. It tests itself against known answers first.
Manager make_manager() {
  Manager manager(alloc_mb_mgr(0));
  if (!manager) return nullptr;
  init_mb_mgr_auto(manager.get(), nullptr);
  if (imb_get_errno(manager.get()) != 0) return nullptr;
  if ((manager->features & kNeeded) != kNeeded) return nullptr;
  if ((manager->features & IMB_FEATURE_SELF_TEST) != 0 &&
      (manager->features & IMB_FEATURE_SELF_TEST_PASS) == 0) {
    return nullptr;
  }
  return manager;
}

/// It notes its last error in itself, so each thread has its own. Null where it can't work.
IMB_MGR* manager() {
  thread_local const Manager mine = make_manager();
  return mine.get();
}

/// The library's multi-buffer HMAC is made for eight packets at once and costs one alone three
/// times as much as `HmacSha1`: of it the counter mode only is used, one packet at a time.
class IpsecMbCounterMode {
 public:
  explicit IpsecMbCounterMode(const SrtpSessionKeys& keys) {
    alignas(16) std::array<std::uint32_t, kWords> for_decryption;
    IMB_AES_KEYEXP_128(manager(), keys.cipher.data(), expanded_.data(), for_decryption.data());
    OPENSSL_cleanse(for_decryption.data(), sizeof for_decryption);
  }
  IpsecMbCounterMode(const IpsecMbCounterMode&) = default;
  IpsecMbCounterMode& operator=(const IpsecMbCounterMode&) = delete;
  ~IpsecMbCounterMode() { OPENSSL_cleanse(expanded_.data(), sizeof expanded_); }

  void crypt(const CounterBlock& first, MutableBytes data) const {
    IMB_JOB job{};
    job.cipher_mode = IMB_CIPHER_CNTR;
    job.cipher_direction = IMB_DIR_ENCRYPT;
    job.enc_keys = job.dec_keys = expanded_.data();
    job.key_len_in_bytes = IMB_KEY_128_BYTES;
    job.iv = first.data();
    job.iv_len_in_bytes = first.size();
    job.src = job.dst = data.data();
    job.msg_len_to_cipher_in_bytes = data.size();
    IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager(), &job, 1, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT,
                                    IMB_KEY_128_BYTES);
  }

 private:
  static constexpr std::size_t kWords = 4 * 11;  // of AES-128's eleven round keys
  alignas(16) std::array<std::uint32_t, kWords> expanded_;
};

class IpsecMbGcm {
 public:
  IpsecMbGcm(const SrtpSessionKeys& keys, std::size_t key_size)
      : seal_(key_size == 32 ? manager()->gcm256_enc : manager()->gcm128_enc),
        open_(key_size == 32 ? manager()->gcm256_dec : manager()->gcm128_dec) {
    (key_size == 32 ? manager()->gcm256_pre : manager()->gcm128_pre)(keys.cipher.data(), &key_);
  }
  IpsecMbGcm(const IpsecMbGcm&) = default;
  IpsecMbGcm& operator=(const IpsecMbGcm&) = delete;
  ~IpsecMbGcm() { OPENSSL_cleanse(&key_, sizeof key_); }

  void seal(const GcmNonce& nonce, ByteView associated, MutableBytes data,
            std::uint8_t* tag) const {
    gcm_context_data context;
    seal_(&key_, &context, data.data(), data.data(), data.size(), nonce.data(), associated.data(),
          associated.size(), tag, kGcmTag);
  }
  bool open(const GcmNonce& nonce, ByteView associated, MutableBytes data,
            const std::uint8_t* tag) const {
    gcm_context_data context;
    GcmTag computed;
    open_(&key_, &context, data.data(), data.data(), data.size(), nonce.data(), associated.data(),
          associated.size(), computed.data(), kGcmTag);
    return CRYPTO_memcmp(computed.data(), tag, kGcmTag) == 0;
  }

 private:
  alignas(64) gcm_key_data key_;
  aes_gcm_enc_dec_t seal_, open_;
};

}  // namespace

namespace engines {

bool ipsec_mb_available() {
  return manager() != nullptr;
}

std::unique_ptr<SrtpTransform> ipsec_mb_transform(SrtpProfile profile, const SrtpSessionKeys& keys,
                                                  SrtpStreamKind kind, SrtpWay) {
  if (!ipsec_mb_available()) return nullptr;
  if (traits(profile).aead) {
    return std::make_unique<GcmTransform<IpsecMbGcm>>(keys, IpsecMbGcm(keys, traits(profile).key));
  }
  return std::make_unique<CounterModeTransform<IpsecMbCounterMode>>(keys, tag_size(profile, kind),
                                                                    IpsecMbCounterMode(keys));
}

}  // namespace engines

}  // namespace trunkline::media

#else

namespace trunkline::media::engines {

bool ipsec_mb_available() {
  return false;
}

std::unique_ptr<SrtpTransform> ipsec_mb_transform(SrtpProfile, const SrtpSessionKeys&,
                                                  SrtpStreamKind, SrtpWay) {
  return nullptr;
}

}  // namespace trunkline::media::engines

#endif
