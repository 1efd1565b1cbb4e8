#include "media/srtp_framing.hpp"

#include <openssl/evp.h>

namespace trunkline::media {

namespace {

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

class OpensslCounterMode {
 public:
  explicit OpensslCounterMode(Context context) : context_(std::move(context)) {}
  void crypt(const CounterBlock& first, MutableBytes data) {
    int written = 0;
    EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, first.data());
    EVP_EncryptUpdate(context_.get(), data.data(), &written, data.data(),
                      static_cast<int>(data.size()));
  }

 private:
  Context context_;
};

class OpensslGcm {
 public:
  explicit OpensslGcm(Context context) : context_(std::move(context)) {}
  void seal(const GcmNonce& nonce, ByteView associated, MutableBytes data, std::uint8_t* tag) {
    crypt(nonce, associated, data);
    int written = 0;
    EVP_CipherFinal_ex(context_.get(), tag, &written);
    EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTag, tag);
  }
  bool open(const GcmNonce& nonce, ByteView associated, MutableBytes data,
            const std::uint8_t* tag) {
    crypt(nonce, associated, data);
    GcmTag expected, nothing;
    std::copy_n(tag, kGcmTag, expected.begin());
    EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTag, expected.data());
    int written = 0;
    return EVP_CipherFinal_ex(context_.get(), nothing.data(), &written) == 1;
  }

 private:
  void crypt(const GcmNonce& nonce, ByteView associated, MutableBytes data) {
    int written = 0;
    EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce.data(), -1);
    EVP_CipherUpdate(context_.get(), nullptr, &written, associated.data(),
                     static_cast<int>(associated.size()));
    if (data.empty()) return;
    EVP_CipherUpdate(context_.get(), data.data(), &written, data.data(),
                     static_cast<int>(data.size()));
  }
  Context context_;
};

const EVP_CIPHER* algorithm_of(const SrtpProfileTraits& lengths) {
  if (!lengths.aead) return EVP_aes_128_ctr();
  return lengths.key == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
}

}  // namespace

namespace engines {

std::unique_ptr<SrtpTransform> openssl_transform(SrtpProfile profile, const SrtpSessionKeys& keys,
                                                 SrtpStreamKind kind, SrtpWay way) {
  const SrtpProfileTraits& lengths = traits(profile);
  Context context(EVP_CIPHER_CTX_new());
  // Counter mode opens as it seals.
  const bool encrypts = way == SrtpWay::seal || !lengths.aead;
  if (!context || EVP_CipherInit_ex(context.get(), algorithm_of(lengths), nullptr,
                                    keys.cipher.data(), nullptr, encrypts ? 1 : 0) != 1) {
    return nullptr;
  }
  if (lengths.aead) {
    return std::make_unique<GcmTransform<OpensslGcm>>(keys, OpensslGcm(std::move(context)));
  }
  return std::make_unique<CounterModeTransform<OpensslCounterMode>>(
      keys, tag_size(profile, kind), OpensslCounterMode(std::move(context)));
}

}  // namespace engines

}  // namespace trunkline::media
