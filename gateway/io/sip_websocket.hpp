#pragma once
#include "base/ids.hpp"
#include "base/rate_limit.hpp"
#include "base/result.hpp"
#include "io/counters.hpp"
#include "io/http_door.hpp"
#include "io/settings.hpp"
#include "io/signalling_input.hpp"
#include "io/tcp_listener.hpp"
#include "io/tls_contexts.hpp"
#include "io/websocket_connection.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace trunkline::io {

/// SIP over WebSocket (RFC 7118) and the web phone's files: listeners, limits and the connections,
/// each a flow. Signalling thread.
class SipWebSocket final : public WebSocketConnection::Owner {
 public:
  SipWebSocket(boost::asio::io_context& context, const WebSocketSettings& settings,
               std::vector<WebFile> files, IdSequence<FlowId>& flows, SignallingInput& input,
               Counters& counters, TlsContexts& tls);
  ~SipWebSocket() override;

  Result<SocketAddress> listen(const WebSocketListener& listener);
  void start();
  /// Only on an open flow: a browser can't be called back otherwise (RFC 5626 §5.3).
  void send(sip::SendBytes order);
  /// False: not a flow of ours.
  bool close(FlowId flow, std::string_view why);
  /// Pages of these origins may connect from now on; empty: all.
  void allow(std::vector<std::string> origins) { door_.allow(std::move(origins)); }
  /// Those that are open.
  std::vector<FlowId> flows() const;
  /// Asks a browser to come back elsewhere: closes with 1012 (service restart).
  void move(FlowId flow);
  /// No more connections; those open are closed with 1001.
  void stop();

 private:
  struct Entry {
    std::shared_ptr<WebSocketConnection> connection;
    sip::Target self;
  };

  void on_open(const sip::Target& self) override;
  void on_message(const sip::Target& self, std::string bytes) override;
  void on_closed(const sip::Target& self, Disconnect why) override;
  void on_gone(const sip::Target& self, std::optional<HandshakeFailure> why) override;
  void accepted(boost::asio::ip::tcp::socket socket, const SocketAddress& remote,
                std::optional<TlsContexts::Slot> tls);

  boost::asio::io_context& context_;
  const WebSocketSettings settings_;
  HttpDoor door_;
  IdSequence<FlowId>& flows_;
  SignallingInput& input_;
  Counters& counters_;
  TlsContexts& tls_;
  std::vector<std::shared_ptr<TcpListener>> listeners_;
  std::unordered_map<FlowId, Entry> connections_;
  std::unordered_map<IpAddress, std::size_t> per_address_;
  RateLimit log_limit_{1, 5};
};

}  // namespace trunkline::io
