#pragma once
#include <cstddef>
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <string_view>

/// The sockets of the load generator, all on loopback.
namespace trunkline::bench {

/// One WebSocket of a browser (RFC 6455), client side, no TLS. Its mask is zero: the servers have
/// to unmask all the same.
class WebSocketClient {
 public:
  /// Connects and shakes hands, from an address of its own for every 500 of these: servers limit
  /// the connections of one. Blocks; throws if refused.
  WebSocketClient(std::uint16_t port, std::size_t number);
  ~WebSocketClient();
  WebSocketClient(const WebSocketClient&) = delete;
  WebSocketClient& operator=(const WebSocketClient&) = delete;

  int fd() const { return fd_; }
  /// Text. What the socket does not take waits for `flush`.
  void send(std::string_view text);
  void flush();
  bool waits_to_send() const { return !out_.empty(); }
  /// Through this buffer. False: the connection has ended.
  bool read(std::string& room);
  /// The next message that `read` brought; empty: none. Valid until the next call.
  std::string_view next();

 private:
  void send_frame(std::uint8_t opcode, std::string_view payload);

  int fd_ = -1;
  std::string in_, out_;
  std::size_t at_ = 0;  ///< in `in_`: of the next frame
};

/// A trunk's UDP port, which speaks to one server only.
class DatagramPort {
 public:
  DatagramPort(std::uint16_t port, std::uint16_t server_port);
  ~DatagramPort();
  DatagramPort(const DatagramPort&) = delete;
  DatagramPort& operator=(const DatagramPort&) = delete;

  int fd() const { return fd_; }
  std::uint16_t port() const { return port_; }
  void send(std::string_view text);
  /// The next datagram; empty: none waits. Valid until the next call.
  std::string_view receive();

 private:
  int fd_ = -1;
  std::uint16_t port_;
  std::string buffer_;
};

}  // namespace trunkline::bench
