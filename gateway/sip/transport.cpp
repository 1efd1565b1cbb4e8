#include "sip/effects.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace trunkline::sip {
namespace {

struct Names {
  Transport transport;
  std::string_view label;
  std::string_view via;
};
constexpr std::array kNames{
    Names{Transport::udp, "udp", "UDP"}, Names{Transport::tcp, "tcp", "TCP"},
    Names{Transport::tls, "tls", "TLS"}, Names{Transport::ws, "ws", "WS"},
    Names{Transport::wss, "wss", "WSS"},
};

bool equal_without_case(std::string_view left, std::string_view right) {
  return std::equal(
      left.begin(), left.end(), right.begin(), right.end(),
      [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

}  // namespace

std::string_view transport_label(Transport transport) {
  for (const Names& names : kNames) {
    if (names.transport == transport) return names.label;
  }
  return {};
}

std::string_view transport_via(Transport transport) {
  for (const Names& names : kNames) {
    if (names.transport == transport) return names.via;
  }
  return {};
}

std::optional<Transport> parse_transport(std::string_view name) {
  for (const Names& names : kNames) {
    if (equal_without_case(names.label, name)) return names.transport;
  }
  return std::nullopt;
}

}  // namespace trunkline::sip
