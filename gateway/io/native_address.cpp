#include "io/native_address.hpp"

#include <algorithm>
#include <cstring>
#include <netinet/in.h>

namespace trunkline::io {

NativeAddress::NativeAddress(const SocketAddress& address) {
  const auto& bytes = address.ip.bytes();
  if (address.ip.is_v6()) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(address.port);
    std::memcpy(&six.sin6_addr, bytes.data(), 16);
    std::memcpy(&storage, &six, sizeof(six));
    size = sizeof(six);
    return;
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(address.port);
  std::memcpy(&four.sin_addr, bytes.data(), 4);
  std::memcpy(&storage, &four, sizeof(four));
  size = sizeof(four);
}

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof(value));
}

SocketAddress from_native(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, address, sizeof(four));
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &four.sin_addr, 4);
    return {IpAddress::v4(bytes), ntohs(four.sin_port)};
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, address, sizeof(six));
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &six.sin6_addr, 16);
    return {IpAddress::v6(bytes), ntohs(six.sin6_port)};
  }
  return {};
}

}  // namespace trunkline::io
