#include "call_control/tls_credentials.hpp"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace trunkline::call_control {
namespace {

namespace tls = grpc::experimental;

/// How often the files are looked at.
constexpr unsigned kRefreshSeconds = 10;

struct Deleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, Deleter>;

Result<Owned<BIO>> open(const std::string& path) {
  Owned<BIO> file(BIO_new_file(path.c_str(), "r"));
  if (!file) return fail("can't read " + path);
  return file;
}

Result<Owned<X509>> read_certificate(const std::string& path) {
  const auto file = open(path);
  if (!file) return fail(file.error());
  Owned<X509> certificate(PEM_read_bio_X509(file->get(), nullptr, nullptr, nullptr));
  if (!certificate) return fail(path + " holds no certificate in PEM");
  return certificate;
}

Result<void> check_pair(const std::string& certificate_path, const std::string& key_path) {
  const auto certificate = read_certificate(certificate_path);
  if (!certificate) return fail(certificate.error());
  const auto file = open(key_path);
  if (!file) return fail(file.error());
  // An empty pass phrase: a key that needs one is refused, not asked for on the terminal.
  std::string none;
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(file->get(), nullptr, nullptr, none.data()));
  if (!key) return fail(key_path + " holds no private key in PEM without a pass phrase");
  if (X509_check_private_key(certificate->get(), key.get()) != 1)
    return fail(key_path + " is not the key of " + certificate_path);
  return {};
}

Result<std::string> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return fail("can't read " + path);
  return text.str();
}

}  // namespace

Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const Settings& settings) {
  if (!settings.tls) return grpc::InsecureServerCredentials();
  const TlsFiles& files = *settings.tls;
  if (const auto fits = check_pair(files.certificate, files.key); !fits) return fail(fits.error());
  const bool ask_clients = !files.client_ca.empty();
  if (ask_clients) {
    if (const auto ca = read_certificate(files.client_ca); !ca) return fail(ca.error());
  }
  tls::TlsServerCredentialsOptions options(std::make_shared<tls::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.client_ca, kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  if (ask_clients) {
    options.watch_root_certs();
    // With tokens too, a client may show either.
    options.set_cert_request_type(settings.tokens.empty()
                                      ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                      : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return tls::TlsServerCredentials(options);
}

Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(
    const std::optional<PolicyTls>& tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  const auto load = [](const std::string& path, std::string& into) -> Result<void> {
    if (path.empty()) return {};
    auto text = read(path);
    if (!text) return fail(text.error());
    into = std::move(*text);
    return {};
  };
  for (const auto& [path, into] : {std::pair{&tls->ca, &options.pem_root_certs},
                                   std::pair{&tls->certificate, &options.pem_cert_chain},
                                   std::pair{&tls->key, &options.pem_private_key}}) {
    if (const auto loaded = load(*path, *into); !loaded) return fail(loaded.error());
  }
  return grpc::SslCredentials(options);
}

}  // namespace trunkline::call_control
