#include "web_call.hpp"

#include <charconv>
#include <sstream>

namespace trunkline::test {
namespace {

std::string line_value(std::string_view sdp, std::string_view prefix) {
  std::size_t at = 0;
  while (at < sdp.size()) {
    const std::size_t end = std::min(sdp.find("\r\n", at), sdp.size());
    const auto line = sdp.substr(at, end - at);
    if (line.substr(0, prefix.size()) == prefix) return std::string(line.substr(prefix.size()));
    at = end + 2;
  }
  return {};
}

std::optional<SocketAddress> read_candidate(const std::string& line) {
  std::istringstream words(line);
  std::string foundation, component, transport, priority, address, port;
  words >> foundation >> component >> transport >> priority >> address >> port;
  const auto ip = IpAddress::parse(address);
  std::uint16_t number = 0;
  std::from_chars(port.data(), port.data() + port.size(), number);
  if (!ip || number == 0) return std::nullopt;
  return SocketAddress{*ip, number};
}

/// The candidate that stands in c= and m= too, by which a test chooses the family; else the first.
std::optional<SocketAddress> default_candidate(std::string_view sdp) {
  constexpr std::string_view kPrefix = "a=candidate:";
  std::istringstream connection(line_value(sdp, "c=IN "));
  std::string family, address;
  connection >> family >> address;
  std::optional<SocketAddress> first;
  for (std::size_t at = sdp.find(kPrefix); at != std::string_view::npos;
       at = sdp.find(kPrefix, at + 1)) {
    const auto candidate = read_candidate(line_value(sdp.substr(at), kPrefix));
    if (!first) first = candidate;
    if (candidate && candidate->ip == IpAddress::parse(address)) return candidate;
  }
  return first;
}

}  // namespace

std::optional<GatewayMedia> read_gateway_media(std::string_view sdp) {
  GatewayMedia media;
  media.ice = {line_value(sdp, "a=ice-ufrag:"), line_value(sdp, "a=ice-pwd:")};
  std::istringstream fingerprint(line_value(sdp, "a=fingerprint:"));
  fingerprint >> media.fingerprint.hash >> media.fingerprint.value;
  media.setup = line_value(sdp, "a=setup:");
  for (const std::string_view direction : {"sendrecv", "sendonly", "recvonly", "inactive"}) {
    if (sdp.find("a=" + std::string(direction) + "\r\n") != std::string_view::npos)
      media.direction = direction;
  }
  const auto candidate = default_candidate(sdp);
  const bool usable = candidate && !media.ice.ufrag.empty() && !media.fingerprint.value.empty() &&
                      sdp.find("a=rtcp-mux\r\n") != std::string_view::npos;
  if (!usable) return std::nullopt;
  media.candidate = *candidate;
  const std::string passive = candidate->ip.text() + " " + std::to_string(candidate->port) +
                              " typ host tcptype passive\r\n";
  if (sdp.find(passive) != std::string_view::npos) media.tcp_candidate = candidate;
  return media;
}

WebCall::WebCall(int call_number, BrowserMediaSettings chosen, double listen_frequency,
                 Random& random)
    : number(call_number), format(std::move(chosen)) {
  listen(listen_frequency, random);
}

void WebCall::listen(double frequency, Random& random) {
  BrowserMediaSettings settings = format;
  settings.listen_frequency = listens_to = frequency;
  media = std::make_unique<BrowserMedia>(settings, random);
}

std::string WebCall::sdp(std::string_view setup) const {
  std::ostringstream text;
  text << "v=0\r\no=- 4611 " << version
       << " IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
       << "m=audio 9 UDP/TLS/RTP/SAVPF " << +format.payload_type << " "
       << +format.event_payload_type << "\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
       << "a=ice-ufrag:" << media->ice().ufrag << "\r\na=ice-pwd:" << media->ice().pwd << "\r\n"
       << "a=ice-options:trickle\r\na=fingerprint:" << media->fingerprint().hash << " "
       << media->fingerprint().value << "\r\na=setup:" << setup << "\r\na=mid:0\r\na=" << direction
       << "\r\na=rtcp-mux\r\na=rtpmap:" << +format.payload_type << " "
       << (format.opus ? "opus/48000/2" : "PCMU/8000")
       << "\r\na=rtpmap:" << +format.event_payload_type << " telephone-event/" << format.clock
       << "\r\na=ssrc:" << media->ssrc() << " cname:synthetic\r\n";
  return text.str();
}

bool WebCall::take(std::string_view sdp, TimePoint now) {
  const auto gateway = read_gateway_media(sdp);
  if (!gateway) return false;
  if (remote.empty()) {
    // JSEP: an actpass offer is answered active, so we are the DTLS client unless the gateway chose
    // to be.
    media->connect(gateway->ice, gateway->fingerprint, gateway->setup != "active", now);
  }
  remote = gateway->candidate;
  remote_tcp = gateway->tcp_candidate;
  remote_ufrag = gateway->ice.ufrag;
  return true;
}

bool WebCall::take_restart(std::string_view sdp, TimePoint now) {
  const auto gateway = read_gateway_media(sdp);
  if (!gateway || gateway->ice.ufrag == remote_ufrag) return false;
  media->connect(gateway->ice, gateway->fingerprint, gateway->setup != "active", now);
  remote_ufrag = gateway->ice.ufrag;
  return true;
}

void WebCall::move(const GatewayMedia& gateway, Random& random, TimePoint now) {
  listen(listens_to, random);
  media->connect(gateway.ice, gateway.fingerprint, true, now);
  media_reported = false;
  digits_reported.clear();
  remote = gateway.candidate;
  remote_tcp = gateway.tcp_candidate;
  remote_ufrag = gateway.ice.ufrag;
}

}  // namespace trunkline::test
