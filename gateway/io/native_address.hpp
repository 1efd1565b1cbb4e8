#pragma once
#include "base/net_address.hpp"

#include <cstring>
#include <sys/socket.h>

namespace trunkline::io {

/// A socket address as the kernel takes it.
struct NativeAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  NativeAddress() = default;
  explicit NativeAddress(const SocketAddress& address);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

inline constexpr int kExpeditedForwarding = 46 << 2;  ///< the traffic class of audio (RFC 8837)

/// An option of a socket; where the kernel does not know it, the socket does without.
void set_option(int fd, int level, int name, int value);

/// Empty for any family but IPv4 and IPv6.
SocketAddress from_native(const sockaddr* address);

/// `address` as an endpoint type of Asio.
template <class Endpoint>
Endpoint to_endpoint(const SocketAddress& address) {
  const NativeAddress native(address);
  Endpoint endpoint;
  endpoint.resize(native.size);
  std::memcpy(endpoint.data(), native.get(), native.size);
  return endpoint;
}

}  // namespace trunkline::io
