#pragma once
#include "media/plane.hpp"

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

namespace trunkline::media {

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

/// The TLS context that all associations of the process are made from. OpenSSL lets threads share
/// it.
struct DtlsIdentity::Impl {
  std::unique_ptr<SSL_CTX, SslContextDeleter> context;
  Fingerprint fingerprint;
};

/// The fingerprint of a certificate with a hash of RFC 8122's names; empty for a hash that we don't
/// accept: those shorter than SHA-256.
std::string certificate_fingerprint(const X509* certificate, std::string_view hash);

}  // namespace trunkline::media
