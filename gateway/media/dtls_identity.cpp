#include "media/dtls_identity.hpp"

#include "media/dtls_callbacks.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <array>

namespace trunkline::media {

namespace {

constexpr long kValidSeconds = 365L * 24 * 3600;
constexpr long kMaxCertificates = 16L * 1024;  ///< octets a peer's certificates may take
/// GCM first: it costs a third of the others. As server, OpenSSL obeys our order.
constexpr const char* kSrtpProfiles =
    "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CertificateDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyDeleter>;
using Certificate = std::unique_ptr<X509, CertificateDeleter>;

Certificate self_signed(EVP_PKEY* key) {
  Certificate certificate(X509_new());
  if (!certificate) return nullptr;
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -24L * 3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kValidSeconds);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const std::array<unsigned char, 6> common_name{'W', 'e', 'b', 'R', 'T', 'C'};
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name.data(),
                             static_cast<int>(common_name.size()), -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  if (X509_set_pubkey(certificate.get(), key) != 1 ||
      X509_sign(certificate.get(), key, EVP_sha256()) == 0) {
    return nullptr;
  }
  return certificate;
}

bool configure(SSL_CTX* context, X509* certificate, EVP_PKEY* key) {
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, kMaxCertificates);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &DtlsCallbacks::verify, nullptr);
  return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_use_certificate(context, certificate) == 1 &&
         SSL_CTX_use_PrivateKey(context, key) == 1 &&
         SSL_CTX_set_cipher_list(context, kCiphers) == 1 &&
         SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
         SSL_CTX_set_tlsext_use_srtp(context, kSrtpProfiles) == 0;
}

}  // namespace

std::string certificate_fingerprint(const X509* certificate, std::string_view hash) {
  const EVP_MD* digest = hash == "sha-256"   ? EVP_sha256()
                         : hash == "sha-384" ? EVP_sha384()
                         : hash == "sha-512" ? EVP_sha512()
                                             : nullptr;
  std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
  unsigned int size = 0;
  if (!digest || X509_digest(certificate, digest, octets.data(), &size) != 1) return {};
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    if (i > 0) text += ':';
    text += kHex[octets[i] >> 4];
    text += kHex[octets[i] & 15];
  }
  return text;
}

const Fingerprint& DtlsIdentity::fingerprint() const {
  return impl_->fingerprint;
}

Result<DtlsIdentity> DtlsIdentity::make() {
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return fail("OpenSSL can't make a P-256 key");
  const Certificate certificate = self_signed(key.get());
  if (!certificate) return fail("OpenSSL can't sign a certificate");
  const auto impl = std::make_shared<Impl>();
  impl->context.reset(SSL_CTX_new(DTLS_method()));
  if (!impl->context || !configure(impl->context.get(), certificate.get(), key.get())) {
    return fail("OpenSSL can't make a DTLS 1.2 context with use_srtp");
  }
  impl->fingerprint = {"sha-256", certificate_fingerprint(certificate.get(), "sha-256")};
  return DtlsIdentity(impl);
}

}  // namespace trunkline::media
