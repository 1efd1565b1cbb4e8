#pragma once
#include "base/result.hpp"
#include "base/tls_files.hpp"
#include "io/byte_stream.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace trunkline::io {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

/// A TLS server: TLS 1.2 and 1.3 (RFC 8996), no renegotiation, no compression, no early data. With
/// authorities it takes only clients that show a certificate of one of them. Connections outlive
/// the context that they were made with.
Result<TlsContext> make_server_tls(const TlsMaterial& material);

/// A TLS client that trusts these authorities, without any those of the system, and shows its
/// certificate to servers that ask.
Result<TlsContext> make_client_tls(const TlsMaterial& material);

/// Whether a certificate proves this domain or address (RFC 5922 §7.1): by a sip URI or a DNS name
/// or an address among its alternative names, or if it has none at all by its common name. Names
/// are compared in their entirety (§7.2), but for a leading `*.` with `wildcards`.
bool proves(X509* certificate, const std::string& host, bool wildcards);

/// Makes the handshake as client succeed only if the peer proves `host`, which is told to it as SNI
/// (RFC 6066 §3) unless it is an address.
void expect_peer(ByteStream::Tls& tls, const std::string& host, bool wildcards);

/// Why TLS came to nothing: label of trunkline_trunk_tls_failures_total.
enum class TlsFailure : std::uint8_t {
  untrusted,  ///< no authority that we know vouches for the peer
  expired,    ///< its certificate has expired, or is not valid yet
  name,       ///< its certificate proves another name
  refused,    ///< it does not take our certificate, or wants one
  protocol,   ///< anything else: no common version or cipher, no TLS at all
  count_
};
std::string_view tls_failure_label(TlsFailure failure);  ///< "untrusted"

/// What a failed handshake, or a failed read after it, was about; nothing: not about TLS.
struct TlsFault {
  TlsFailure failure;
  std::string text;  ///< in words for a log line
};
TlsFault handshake_fault(ByteStream::Tls& tls, const boost::system::error_code& error);
/// The alert by which a peer that speaks TLS 1.3 refuses our certificate: after the handshake.
bool is_certificate_alert(const boost::system::error_code& error);

}  // namespace trunkline::io
