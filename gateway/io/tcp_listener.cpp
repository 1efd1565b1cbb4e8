#include "io/tcp_listener.hpp"

#include "base/log.hpp"
#include "base/time.hpp"
#include "io/native_address.hpp"

#include <boost/asio/ip/v6_only.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace trunkline::io {
namespace {

using boost::asio::ip::tcp;

constexpr int kBacklog = 1024;
constexpr milliseconds kRetry{100};
// A dead peer is found within about two minutes even if nothing is sent.
constexpr int kKeepAliveIdle = 60, kKeepAliveInterval = 20, kKeepAliveCount = 3;

}  // namespace

void set_connection_options(tcp::socket& socket) {
  const int fd = socket.native_handle();
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdle);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveInterval);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveCount);
  set_option(fd, IPPROTO_IP, IP_TOS, kSignallingTrafficClass);
  set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, kSignallingTrafficClass);
}

TcpListener::TcpListener(boost::asio::io_context& context, Accepted accepted)
    : acceptor_(context), retry_(context), accepted_(std::move(accepted)) {}

Result<std::shared_ptr<TcpListener>> TcpListener::make(boost::asio::io_context& context,
                                                       const SocketAddress& bind,
                                                       std::string_view label, Accepted accepted) {
  std::shared_ptr<TcpListener> listener(new TcpListener(context, std::move(accepted)));
  tcp::acceptor& acceptor = listener->acceptor_;
  const auto endpoint = to_endpoint<tcp::endpoint>(bind);
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && bind.ip.is_v6()) acceptor.set_option(boost::asio::ip::v6_only(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (error)
    return fail("can't bind " + bind.text() + "/" + std::string(label) + ": " + error.message());
  listener->local_ = from_native(acceptor.local_endpoint(error).data());
  return listener;
}

void TcpListener::start() {
  accept();
}

void TcpListener::close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
}

void TcpListener::accept() {
  acceptor_.async_accept(
      [self = shared_from_this()](boost::system::error_code error, tcp::socket socket) {
        if (!self->acceptor_.is_open()) return;
        if (error && error != boost::asio::error::connection_aborted) return self->retry_later();
        if (!error) {
          const tcp::endpoint remote = socket.remote_endpoint(error);
          if (!error) {
            set_connection_options(socket);
            self->accepted_(std::move(socket), from_native(remote.data()));
          }
        }
        self->accept();
      });
}

void TcpListener::retry_later() {
  log::warn("can't accept connections", {{"listener", local_.text()}});
  retry_.expires_after(kRetry);
  retry_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->accept();
  });
}

}  // namespace trunkline::io
