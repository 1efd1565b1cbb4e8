#include "unit/io/loopback.hpp"

#include "io/native_address.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace trunkline::io {
namespace {

UniqueFd bound(int type, std::uint16_t port = 0) {
  UniqueFd fd(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const NativeAddress any(loopback(port));
  EXPECT_EQ(::bind(fd.get(), any.get(), any.size), 0);
  return fd;
}

}  // namespace

PeerSocket PeerSocket::udp() {
  return PeerSocket(bound(SOCK_DGRAM));
}

PeerSocket PeerSocket::udp_on(std::uint16_t port) {
  return PeerSocket(bound(SOCK_DGRAM, port));
}

PeerSocket PeerSocket::tcp_listener() {
  PeerSocket socket(bound(SOCK_STREAM));
  EXPECT_EQ(::listen(socket.fd(), 16), 0);
  return socket;
}

PeerSocket PeerSocket::tcp_to(const SocketAddress& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const NativeAddress to(address);
  // The kernel completes the connection on its own: the listener need not run.
  EXPECT_EQ(::connect(fd.get(), to.get(), to.size), 0);
  EXPECT_EQ(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
  return PeerSocket(std::move(fd));
}

SocketAddress PeerSocket::local() const {
  NativeAddress name;
  EXPECT_EQ(::getsockname(fd_.get(), name.get(), &name.size), 0);
  return from_native(name.get());
}

void PeerSocket::send(std::string_view bytes) const {
  EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

void PeerSocket::send_to(std::string_view bytes, const SocketAddress& to) const {
  const NativeAddress native(to);
  EXPECT_EQ(::sendto(fd_.get(), bytes.data(), bytes.size(), 0, native.get(), native.size),
            static_cast<ssize_t>(bytes.size()));
}

std::string PeerSocket::receive(SocketAddress* from) const {
  std::array<char, 65536> buffer;
  NativeAddress name;
  const ssize_t size =
      ::recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT, name.get(), &name.size);
  if (size < 0) return {};
  if (from != nullptr) *from = from_native(name.get());
  return {buffer.data(), static_cast<std::size_t>(size)};
}

const std::string& PeerSocket::gather() {
  std::array<char, 65536> buffer;
  while (!closed_) {
    const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) {
      closed_ = true;
    } else {
      gathered_.append(buffer.data(), static_cast<std::size_t>(size));
    }
  }
  return gathered_;
}

std::optional<PeerSocket> PeerSocket::accept() const {
  UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) return std::nullopt;
  return PeerSocket(std::move(fd));
}

void PeerSocket::shrink_receive_buffer() const {
  const int size = 4096;
  EXPECT_EQ(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
}

void PeerSocket::reset() {
  const linger now{1, 0};
  EXPECT_EQ(::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
  fd_ = UniqueFd();
}

}  // namespace trunkline::io
