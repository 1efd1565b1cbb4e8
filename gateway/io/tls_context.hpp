#pragma once
#include "base/net_address.hpp"
#include "base/result.hpp"
#include "io/byte_stream.hpp"
#include "io/settings.hpp"

#include <boost/asio/ssl/context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::io {

/// A TLS server of these PEM files: TLS 1.2 and 1.3, no renegotiation, no compression, no early
/// data. Fails in words for an operator, naming the file.
Result<std::unique_ptr<boost::asio::ssl::context>> make_server_tls(const TlsSettings& settings);

/// A TLS client that trusts the system's certificate authorities.
Result<std::unique_ptr<boost::asio::ssl::context>> make_client_tls();

/// Makes the handshake as client succeed only if the peer's certificate holds one of `hosts`, or
/// `peer` itself when there are none (RFC 5922 §7.3); the first host is sent as SNI.
void expect_peer(ByteStream::Tls& tls, const std::vector<std::string>& hosts,
                 const IpAddress& peer);

}  // namespace trunkline::io
