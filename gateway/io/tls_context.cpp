#include "io/tls_context.hpp"

#include "base/net_address.hpp"
#include "sip/syntax.hpp"
#include "sip/uri.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/verify_context.hpp>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace trunkline::io {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
/// Sessions of servers that ask for certificates are known by it.
constexpr std::string_view kSessions = "trunkline";

Result<TlsContext> make_context(ssl::context::method method) {
  auto context = std::make_shared<ssl::context>(method);
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

boost::asio::const_buffer bytes_of(const std::string& text) {
  return boost::asio::buffer(text.data(), text.size());
}

Result<void> show(ssl::context& context, const TlsMaterial& material) {
  if (material.certificate.empty()) return {};
  error_code error;
  context.use_certificate_chain(bytes_of(material.certificate), error);
  if (error) return fail("can't use the certificate: " + error.message());
  context.use_private_key(bytes_of(material.key), ssl::context::pem, error);
  if (error) return fail("can't use the key: " + error.message());
  if (SSL_CTX_check_private_key(context.native_handle()) != 1)
    return fail("the key does not belong to the certificate");
  return {};
}

/// The names of the authorities, by which a client chooses what to show.
void tell_authorities(ssl::context& context, const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  while (X509* one = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    SSL_CTX_add_client_CA(context.native_handle(), one);
    X509_free(one);
  }
  BIO_free(bio);
  ERR_clear_error();
}

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

/// RFC 5922 §7.1: a sip URI without user part stands for its domain.
bool sip_uri_proves(X509* certificate, const std::string& host) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  bool found = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    const auto uri = sip::Uri::parse(text_of(name->d.uniformResourceIdentifier));
    found = uri && uri->scheme == sip::Uri::Scheme::sip && uri->user.empty() &&
            sip::equals_ignoring_case(uri->host, host);
  }
  GENERAL_NAMES_free(names);
  return found;
}

TlsFailure failure_of(long verdict) {
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return TlsFailure::expired;
    case X509_V_ERR_HOSTNAME_MISMATCH:
      return TlsFailure::name;
    default:
      return TlsFailure::untrusted;
  }
}

}  // namespace

Result<TlsContext> make_server_tls(const TlsMaterial& material) {
  auto context = make_context(ssl::context::tls_server);
  if (!context) return context;
  if (const auto shown = show(**context, material); !shown) return fail(shown.error());
  if (material.authorities.empty()) return context;
  error_code error;
  (*context)->add_certificate_authority(bytes_of(material.authorities), error);
  if (error) return fail("can't use the authorities: " + error.message());
  tell_authorities(**context, material.authorities);
  (*context)->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
  SSL_CTX_set_session_id_context((*context)->native_handle(),
                                 reinterpret_cast<const unsigned char*>(kSessions.data()),
                                 static_cast<unsigned int>(kSessions.size()));
  return context;
}

Result<TlsContext> make_client_tls(const TlsMaterial& material) {
  auto context = make_context(ssl::context::tls_client);
  if (!context) return context;
  error_code error;
  if (material.authorities.empty()) {
    (*context)->set_default_verify_paths(error);
    if (error) return fail("can't read the system's certificate authorities: " + error.message());
  } else {
    (*context)->add_certificate_authority(bytes_of(material.authorities), error);
    if (error) return fail("can't use the authorities: " + error.message());
  }
  if (const auto shown = show(**context, material); !shown) return fail(shown.error());
  return context;
}

bool proves(X509* certificate, const std::string& host, bool wildcards) {
  if (const auto address = IpAddress::parse(host)) {
    if (X509_check_ip_asc(certificate, address->text().c_str(), 0) == 1) return true;
    return sip_uri_proves(certificate, host);
  }
  unsigned int flags =
      wildcards ? X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS : X509_CHECK_FLAG_NO_WILDCARDS;
  // §7.1: the common name counts only in a certificate that has no alternative names.
  if (X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0)
    flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
  return X509_check_host(certificate, host.data(), host.size(), flags, nullptr) == 1 ||
         sip_uri_proves(certificate, host);
}

void expect_peer(ByteStream::Tls& tls, const std::string& host, bool wildcards) {
  if (!IpAddress::parse(host)) {
    SSL_ctrl(tls.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(host.c_str()));
  }
  error_code ignored;
  tls.set_verify_mode(ssl::verify_peer, ignored);
  tls.set_verify_callback(
      [host, wildcards](bool trusted, ssl::verify_context& context) {
        X509_STORE_CTX* store = context.native_handle();
        const bool of_peer = X509_STORE_CTX_get_error_depth(store) == 0;
        if (!trusted || !of_peer) return trusted;
        if (proves(X509_STORE_CTX_get_current_cert(store), host, wildcards)) return true;
        X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
        return false;
      },
      ignored);
}

std::string_view tls_failure_label(TlsFailure failure) {
  switch (failure) {
    case TlsFailure::untrusted:
      return "untrusted";
    case TlsFailure::expired:
      return "expired";
    case TlsFailure::name:
      return "name";
    case TlsFailure::refused:
      return "refused";
    case TlsFailure::protocol:
    case TlsFailure::count_:
      break;
  }
  return "protocol";
}

bool is_certificate_alert(const error_code& error) {
  if (error.category() != boost::asio::error::get_ssl_category()) return false;
  switch (ERR_GET_REASON(static_cast<unsigned long>(error.value()))) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

namespace {
/// TLS 1.2 has no alert of its own for a certificate that is asked for and not shown (RFC 5246
/// §7.4.6).
bool wanted_certificate(SSL* tls, const error_code& error) {
  return error.category() == boost::asio::error::get_ssl_category() &&
         ERR_GET_REASON(static_cast<unsigned long>(error.value())) ==
             SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE &&
         SSL_is_server(tls) == 0 && SSL_get0_peer_CA_list(tls) != nullptr &&
         SSL_get_certificate(tls) == nullptr;
}
}  // namespace

TlsFault handshake_fault(ByteStream::Tls& tls, const error_code& error) {
  const long verdict = SSL_get_verify_result(tls.native_handle());
  if (verdict != X509_V_OK)
    return {failure_of(verdict),
            std::string("certificate: ") + X509_verify_cert_error_string(verdict)};
  TlsFailure failure = TlsFailure::protocol;
  if (is_certificate_alert(error) || wanted_certificate(tls.native_handle(), error))
    failure = TlsFailure::refused;
  const bool of_tls = error.category() == boost::asio::error::get_ssl_category();
  if (of_tls && ERR_GET_REASON(static_cast<unsigned long>(error.value())) ==
                    SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    failure = TlsFailure::untrusted;
  return {failure, "TLS: " + error.message()};
}

}  // namespace trunkline::io
