#pragma once
#include "base/net_address.hpp"
#include "base/result.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>

namespace trunkline::io {

/// Accepts TCP connections. When the process is out of descriptors it waits a moment and goes on.
class TcpListener : public std::enable_shared_from_this<TcpListener> {
 public:
  using Accepted =
      std::function<void(boost::asio::ip::tcp::socket socket, const SocketAddress& remote)>;

  /// Binds and listens. `label` is for the error text: "127.0.0.1:5060/tcp".
  static Result<std::shared_ptr<TcpListener>> make(boost::asio::io_context& context,
                                                   const SocketAddress& bind,
                                                   std::string_view label, Accepted accepted);
  void start();
  /// No more connections. `Accepted` is not called again.
  void close();
  /// What is really bound.
  const SocketAddress& local() const { return local_; }

 private:
  TcpListener(boost::asio::io_context& context, Accepted accepted);
  void accept();
  void retry_later();

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  Accepted accepted_;
  SocketAddress local_;
};

/// Options of every SIP connection: no delay, keep-alive, DSCP CS3 for signalling (RFC 4594). Best
/// effort.
void set_connection_options(boost::asio::ip::tcp::socket& socket);

/// DSCP of SIP, as the octet of the IP header.
inline constexpr int kSignallingTrafficClass = 24 << 2;

}  // namespace trunkline::io
