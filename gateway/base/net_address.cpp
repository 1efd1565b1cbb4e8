#include "base/net_address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>

namespace trunkline {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

template <class Number>
std::optional<Number> parse_number(std::string_view text, unsigned maximum) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > maximum)
    return std::nullopt;
  return static_cast<Number>(value);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  return parse_number<std::uint16_t>(text, 65535);
}

}  // namespace

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
  IpAddress ip;
  ip.family_ = 4;
  std::copy(bytes.begin(), bytes.end(), ip.bytes_.begin());
  return ip;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())) {
    return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
  }
  IpAddress ip;
  ip.family_ = 6;
  ip.bytes_ = bytes;
  return ip;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
    if (text.find(':') == std::string_view::npos) return std::nullopt;
  }
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.empty() || text.size() >= buffer.size()) return std::nullopt;
  std::copy(text.begin(), text.end(), buffer.begin());
  std::array<std::uint8_t, 4> four{};
  if (inet_pton(AF_INET, buffer.data(), four.data()) == 1) return v4(four);
  std::array<std::uint8_t, 16> sixteen{};
  if (inet_pton(AF_INET6, buffer.data(), sixteen.data()) == 1) return v6(sixteen);
  return std::nullopt;
}

bool IpAddress::is_unspecified() const {
  return !empty() &&
         std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  static constexpr std::array<std::uint8_t, 16> kLoopback{0, 0, 0, 0, 0, 0, 0, 0,
                                                          0, 0, 0, 0, 0, 0, 0, 1};
  return is_v6() && bytes_ == kLoopback;
}

bool IpAddress::is_multicast() const {
  if (is_v4()) return (bytes_[0] & 0xf0) == 224;
  return is_v6() && bytes_[0] == 0xff;
}

std::string IpAddress::text() const {
  if (empty()) return {};
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (is_v6()) {
    inet_ntop(AF_INET6, bytes_.data(), buffer.data(), buffer.size());
    return buffer.data();
  }
  // Written several times for each message, and inet_ntop takes its time.
  char* at = buffer.data();
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) *at++ = '.';
    at = std::to_chars(at, buffer.data() + buffer.size(), unsigned{bytes_[i]}).ptr;
  }
  return {buffer.data(), at};
}

std::string IpAddress::uri_text() const {
  return is_v6() ? "[" + text() + "]" : text();
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto host = text.substr(0, colon);
  // An IPv6 address must stand in brackets here: without them its last group would be read as a
  // port.
  if (host.find(':') != std::string_view::npos && host.front() != '[') return std::nullopt;
  const auto ip = IpAddress::parse(host);
  const auto port = parse_port(text.substr(colon + 1));
  if (!ip || !port) return std::nullopt;
  return SocketAddress{*ip, *port};
}

std::string SocketAddress::text() const {
  return ip.uri_text() + ":" + std::to_string(port);
}

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  AddressRange range;
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    const auto ip = IpAddress::parse(text.substr(0, slash));
    if (!ip) return std::nullopt;
    // A range of IPv4-mapped addresses is one of IPv4.
    const bool mapped = ip->is_v4() && text.substr(0, slash).find(':') != std::string_view::npos;
    const auto prefix =
        parse_number<int>(text.substr(slash + 1), ip->is_v4() && !mapped ? 32 : 128);
    if (!prefix || (mapped && *prefix < kMappedBits)) return std::nullopt;
    range.base_ = *ip;
    range.prefix_ = mapped ? *prefix - kMappedBits : *prefix;
    return range;
  }
  if (const auto ip = IpAddress::parse(text)) {
    range.base_ = *ip;
  } else if (const auto address = SocketAddress::parse(text)) {
    range.base_ = address->ip;
    range.port_ = address->port;
  } else {
    return std::nullopt;
  }
  range.prefix_ = range.base_.is_v4() ? 32 : 128;
  return range;
}

bool AddressRange::contains(const IpAddress& address) const {
  if (address.is_v4() != base_.is_v4() || address.empty()) return false;
  const auto whole = static_cast<std::size_t>(prefix_ / 8);
  if (std::memcmp(address.bytes().data(), base_.bytes().data(), whole) != 0) return false;
  const int rest = prefix_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (address.bytes()[whole] & mask) == (base_.bytes()[whole] & mask);
}

bool AddressRange::contains(const SocketAddress& address) const {
  return contains(address.ip) && (!port_ || *port_ == address.port);
}

std::string AddressRange::text() const {
  if (port_) return SocketAddress{base_, *port_}.text();
  return base_.text() + "/" + std::to_string(prefix_);
}

}  // namespace trunkline

std::size_t std::hash<trunkline::IpAddress>::operator()(
    const trunkline::IpAddress& ip) const noexcept {
  const auto& bytes = ip.bytes();
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::size_t std::hash<trunkline::SocketAddress>::operator()(
    const trunkline::SocketAddress& address) const noexcept {
  return std::hash<trunkline::IpAddress>{}(address.ip) * 31 + address.port;
}
