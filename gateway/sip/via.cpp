#include "sip/header.hpp"
#include "sip/parts.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

namespace trunkline::sip {
namespace {

constexpr std::uint16_t kDefaultWsPort = 80;
constexpr std::uint16_t kDefaultWssPort = 443;

/// RFC 3261 §18.2.2, RFC 7118 §5.
std::uint16_t default_port(std::string_view transport) {
  if (transport == "TLS" || transport == "TLS-SCTP") return kDefaultTlsPort;
  if (transport == "WS") return kDefaultWsPort;
  if (transport == "WSS") return kDefaultWssPort;
  return kDefaultPort;
}

}  // namespace

std::optional<ViaParts> split_via(std::string_view value) {
  Cursor cursor(value);
  ViaParts parts;
  parts.protocol = cursor.take_token();
  if (!cursor.take('/')) return std::nullopt;
  parts.version = cursor.take_token();
  if (!cursor.take('/')) return std::nullopt;
  parts.transport = cursor.take_token();
  if (cursor.peek() == '[') {
    parts.host = cursor.take_until(";,]");
    if (!cursor.take(']')) return std::nullopt;
    parts.host = {parts.host.data(), parts.host.size() + 1};
  } else {
    parts.host = cursor.take_until(":;,");
  }
  if (parts.protocol.empty() || parts.version.empty() || parts.transport.empty() ||
      !is_host(parts.host)) {
    return std::nullopt;
  }
  if (cursor.take(':')) {
    parts.port = parse_port(cursor.take_until(";,"));
    if (!parts.port) return std::nullopt;
  }
  parts.parameters = cursor.rest();
  if (!read_parameters(parts.parameters)) return std::nullopt;
  return parts;
}

Result<Via> Via::parse(std::string_view value) {
  const auto parts = split_via(value);
  if (!parts) return fail("malformed Via");
  Via via;
  via.protocol = std::string(parts->protocol).append("/").append(parts->version);
  via.transport = parts->transport;
  std::ranges::transform(via.transport, via.transport.begin(), to_upper);
  via.host = parts->host;
  via.port = parts->port;
  read_parameters(parts->parameters, &via.parameters);
  return via;
}

std::string Via::text() const {
  std::string result = protocol + "/" + transport + " " + host;
  if (port) result.append(":").append(std::to_string(*port));
  result += parameters_text(parameters);
  return result;
}

std::string Via::sent_by() const {
  return lower_case(host) + ":" + std::to_string(port.value_or(default_port(transport)));
}

}  // namespace trunkline::sip
