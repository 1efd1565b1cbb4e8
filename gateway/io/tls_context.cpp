#include "io/tls_context.hpp"

#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/verify_context.hpp>

namespace trunkline::io {
namespace {

namespace ssl = boost::asio::ssl;

constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

Result<std::unique_ptr<ssl::context>> make_context(ssl::context::method method) {
  auto context = std::make_unique<ssl::context>(method);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_options(
      native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(native, kCiphers) != 1) {
    return fail("OpenSSL offers no TLS 1.2 with forward secrecy");
  }
  // Buffers of idle connections are given back: most of thousands are idle.
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace

Result<std::unique_ptr<ssl::context>> make_server_tls(const TlsSettings& settings) {
  auto context = make_context(ssl::context::tls_server);
  if (!context) return context;
  boost::system::error_code error;
  (*context)->use_certificate_chain_file(settings.certificate, error);
  if (error)
    return fail("can't use the certificate " + settings.certificate + ": " + error.message());
  (*context)->use_private_key_file(settings.key, ssl::context::pem, error);
  if (error) return fail("can't use the key " + settings.key + ": " + error.message());
  if (SSL_CTX_check_private_key((*context)->native_handle()) != 1) {
    return fail("the key " + settings.key + " does not belong to the certificate " +
                settings.certificate);
  }
  return context;
}

Result<std::unique_ptr<ssl::context>> make_client_tls() {
  auto context = make_context(ssl::context::tls_client);
  if (!context) return context;
  boost::system::error_code error;
  (*context)->set_default_verify_paths(error);
  if (error) return fail("can't read the system's certificate authorities: " + error.message());
  return context;
}

void expect_peer(ByteStream::Tls& tls, const std::vector<std::string>& hosts,
                 const IpAddress& peer) {
  std::vector<ssl::host_name_verification> names;
  names.reserve(hosts.size() + 1);
  for (const std::string& host : hosts)
    names.emplace_back(host);
  if (names.empty()) names.emplace_back(peer.text());
  if (!hosts.empty()) {
    SSL_ctrl(tls.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(hosts.front().c_str()));
  }
  boost::system::error_code ignored;
  tls.set_verify_mode(ssl::verify_peer, ignored);
  tls.set_verify_callback(
      [names = std::move(names)](bool trusted, ssl::verify_context& context) {
        for (const auto& name : names) {
          if (name(trusted, context)) return true;
        }
        return false;
      },
      ignored);
}

}  // namespace trunkline::io
