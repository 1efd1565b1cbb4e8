#include "sockets.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace trunkline::bench {
namespace {

constexpr std::size_t kPerAddress = 500;
constexpr int kBuffer = 8 << 20;
constexpr std::size_t kDatagram = 65536;
constexpr std::uint8_t kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;
constexpr std::string_view kUpgrade =
    "GET / HTTP/1.1\r\nHost: example.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: sip\r\n\r\n";

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(std::uint32_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + host);
  address.sin_port = htons(port);
  return address;
}

void bind_or_connect(int fd, const sockaddr_in& address,
                     int (*call)(int, const sockaddr*, socklen_t)) {
  if (call(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) fail("socket");
}

}  // namespace

// ---------------------------------------------------------------- WebSocketClient

WebSocketClient::WebSocketClient(std::uint16_t port, std::size_t number)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  const auto host = static_cast<std::uint32_t>(1 + number / kPerAddress);
  bind_or_connect(fd_, loopback(host, 0), ::bind);
  bind_or_connect(fd_, loopback(0, port), ::connect);
  if (::send(fd_, kUpgrade.data(), kUpgrade.size(), MSG_NOSIGNAL) < 0) fail("handshake");
  std::string answer;
  while (!answer.ends_with("\r\n\r\n")) {
    char octet = 0;
    if (::recv(fd_, &octet, 1, 0) != 1) fail("handshake");
    answer += octet;
  }
  if (!answer.starts_with("HTTP/1.1 101")) throw std::runtime_error("no WebSocket: " + answer);
  ::fcntl(fd_, F_SETFL, O_NONBLOCK);
}

WebSocketClient::~WebSocketClient() {
  ::close(fd_);
}

void WebSocketClient::send(std::string_view text) {
  send_frame(kText, text);
}

void WebSocketClient::send_frame(std::uint8_t opcode, std::string_view payload) {
  constexpr std::size_t kShort = 126;
  out_ += static_cast<char>(0x80 | opcode);
  if (payload.size() < kShort) {
    out_ += static_cast<char>(0x80 | payload.size());
  } else {
    out_ += static_cast<char>(0x80 | kShort);
    out_ += static_cast<char>(payload.size() >> 8);
    out_ += static_cast<char>(payload.size() & 0xff);
  }
  out_.append(4, '\0');
  out_ += payload;
  flush();
}

void WebSocketClient::flush() {
  const ssize_t sent = ::send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
  if (sent > 0) out_.erase(0, static_cast<std::size_t>(sent));
}

bool WebSocketClient::read(std::string& room) {
  in_.erase(0, at_);
  at_ = 0;
  const ssize_t size = ::recv(fd_, room.data(), room.size(), 0);
  if (size > 0) in_.append(room.data(), static_cast<std::size_t>(size));
  return size > 0 || (size < 0 && errno == EAGAIN);
}

std::string_view WebSocketClient::next() {
  for (;;) {
    const std::string_view rest = std::string_view(in_).substr(at_);
    if (rest.size() < 2) return {};
    const auto octet = [rest](std::size_t at) { return static_cast<unsigned char>(rest[at]); };
    std::size_t size = octet(1) & 0x7fU;
    std::size_t begin = 2;
    if (size == 127) throw std::runtime_error("a WebSocket message of more than 64 KiB");
    if (size == 126) {
      if (rest.size() < 4) return {};
      size = octet(2) * 256U + octet(3);
      begin = 4;
    }
    if (rest.size() < begin + size) return {};
    at_ += begin + size;
    const std::string_view payload = rest.substr(begin, size);
    switch (octet(0) & 0x0f) {
      case kText:
      case kBinary:
        return payload;
      case kPing:
        send_frame(kPong, payload);
        break;
      case kClose:
        throw std::runtime_error("the server closed a WebSocket: " + std::string(payload));
      default:
        break;
    }
  }
}

// ---------------------------------------------------------------- DatagramPort

DatagramPort::DatagramPort(std::uint16_t port, std::uint16_t server_port)
    : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      port_(port),
      buffer_(kDatagram, '\0') {
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof(kBuffer));
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &kBuffer, sizeof(kBuffer));
  bind_or_connect(fd_, loopback(0, port), ::bind);
  bind_or_connect(fd_, loopback(0, server_port), ::connect);
}

DatagramPort::~DatagramPort() {
  ::close(fd_);
}

void DatagramPort::send(std::string_view text) {
  // What is lost is sent again, as on any network.
  [[maybe_unused]] const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
}

std::string_view DatagramPort::receive() {
  const ssize_t size = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
  return {buffer_.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

}  // namespace trunkline::bench
