#pragma once
#include "io/counters.hpp"
#include "io/http_door.hpp"
#include "io/settings.hpp"
#include "sip/effects.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::io {

inline constexpr std::uint16_t kPolicyViolation = 1008;  ///< RFC 6455 §7.4.1

/// One connection to a WebSocket port: TLS, HTTP, and if the door lets it in a SIP WebSocket (RFC
/// 6455, RFC 7118). Signalling thread.
class WebSocketConnection {
 public:
  /// Whom a connection reports to; outlives it or is gone only after the io_context stopped.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_open(const sip::Target& self) = 0;
    /// One whole WebSocket message, text or binary.
    virtual void on_message(const sip::Target& self, std::string bytes) = 0;
    /// After `on_open`: it takes and gives no more messages; its end may take a moment yet.
    virtual void on_closed(const sip::Target& self, Disconnect why) = 0;
    /// The last call. `why`: it never was a WebSocket, though it tried.
    virtual void on_gone(const sip::Target& self, std::optional<HandshakeFailure> why) = 0;
  };

  virtual ~WebSocketConnection() = default;
  virtual void start() = 0;
  /// False: it is not open, and the octets are lost. What goes beyond the send queue closes it
  /// (1013).
  virtual bool send(std::string bytes) = 0;
  /// Ends it with this code and reason when what is queued has left.
  virtual void close(std::uint16_t code, std::string_view reason, Disconnect why) = 0;
};

struct WebSocketPlace {
  const HttpDoor& door;
  const WebSocketSettings& settings;
  Counters& counters;
  boost::asio::ssl::context* tls = nullptr;
};

/// `crowded`: there is no room, an upgrade is answered 503. Settings and door outlive the
/// connection.
std::shared_ptr<WebSocketConnection> make_websocket_connection(boost::asio::ip::tcp::socket socket,
                                                               const WebSocketPlace& place,
                                                               const sip::Target& self,
                                                               bool crowded,
                                                               WebSocketConnection::Owner& owner);

}  // namespace trunkline::io
