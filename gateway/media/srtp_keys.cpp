#include "media/srtp_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

namespace trunkline::media {

namespace {

/// RFC 3711 §4.3.1, §4.3.2: the labels of SRTP; those of SRTCP are 3 more.
enum class Label : std::uint8_t { cipher = 0, authentication = 1, salt = 2 };

void derive(SrtpProfile profile, const SrtpMasterKey& master, std::uint8_t label,
            MutableBytes out) {
  std::array<std::uint8_t, 16> counter{};
  std::copy_n(master.salt.begin(), traits(profile).salt, counter.begin());
  counter[7] ^= label;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  const EVP_CIPHER* cipher = traits(profile).key == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
  int written = 0;
  EVP_EncryptInit_ex(context, cipher, nullptr, master.key.data(), counter.data());
  EVP_EncryptUpdate(context, out.data(), &written, out.data(), static_cast<int>(out.size()));
  EVP_CIPHER_CTX_free(context);
}

}  // namespace

SrtpSessionKeys::~SrtpSessionKeys() {
  OPENSSL_cleanse(cipher.data(), cipher.size());
  OPENSSL_cleanse(salt.data(), salt.size());
  OPENSSL_cleanse(authentication.data(), authentication.size());
}

SrtpSessionKeys derive_session_keys(SrtpProfile profile, const SrtpMasterKey& master,
                                    SrtpStreamKind kind) {
  const std::uint8_t base = kind == SrtpStreamKind::rtcp ? 3 : 0;
  const auto label = [base](Label of) {
    return static_cast<std::uint8_t>(base + static_cast<std::uint8_t>(of));
  };
  SrtpSessionKeys keys;
  derive(profile, master, label(Label::cipher),
         MutableBytes(keys.cipher).first(traits(profile).key));
  derive(profile, master, label(Label::salt), MutableBytes(keys.salt).first(traits(profile).salt));
  if (!traits(profile).aead) {
    derive(profile, master, label(Label::authentication), keys.authentication);
  }
  return keys;
}

}  // namespace trunkline::media
