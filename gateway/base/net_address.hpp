#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline {

/// An IPv4 or IPv6 address (a value, no resolving). IPv4-mapped IPv6 is kept as IPv4.
class IpAddress {
 public:
  IpAddress() = default;
  static IpAddress v4(std::array<std::uint8_t, 4> bytes);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);
  /// "192.0.2.1", "2001:db8::1" or "[2001:db8::1]"; nothing for anything else.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const { return family_ == 4; }
  bool is_v6() const { return family_ == 6; }
  /// No address at all (default constructed).
  bool empty() const { return family_ == 0; }
  bool is_unspecified() const;  ///< 0.0.0.0 or ::
  bool is_loopback() const;     ///< 127/8 or ::1
  bool is_multicast() const;    ///< 224/4 or ff00::/8
  /// 4 or 16 bytes in network order (the first 4 of the array for IPv4).
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  std::string text() const;      ///< without brackets
  std::string uri_text() const;  ///< with brackets for IPv6, as in URIs and Via
  auto operator<=>(const IpAddress&) const = default;  // NOLINT(modernize-use-nullptr)

 private:
  std::uint8_t family_ = 0;
  std::array<std::uint8_t, 16> bytes_{};
};

/// Address and port.
struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;
  /// "192.0.2.1:5060" or "[2001:db8::1]:5060"; nothing for anything else.
  static std::optional<SocketAddress> parse(std::string_view text);
  std::string text() const;
  bool empty() const { return ip.empty(); }
  auto operator<=>(const SocketAddress&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// A set of addresses: ADDR, ADDR/PREFIX or ADDR:PORT (the port then must match too).
class AddressRange {
 public:
  static std::optional<AddressRange> parse(std::string_view text);
  bool contains(const SocketAddress& address) const;
  bool contains(const IpAddress& address) const;
  /// How narrow it is: prefix bits, plus 256 when it names a port. The most specific of several
  /// matches wins.
  int specificity() const { return prefix_ + (port_ ? 256 : 0); }
  std::string text() const;

 private:
  IpAddress base_;
  int prefix_ = 0;
  std::optional<std::uint16_t> port_;
};

}  // namespace trunkline

template <>
struct std::hash<trunkline::IpAddress> {
  std::size_t operator()(const trunkline::IpAddress& ip) const noexcept;
};
template <>
struct std::hash<trunkline::SocketAddress> {
  std::size_t operator()(const trunkline::SocketAddress& address) const noexcept;
};
