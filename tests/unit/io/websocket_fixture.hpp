#pragma once
#include "io/sip_websocket.hpp"

#include "unit/io/loopback.hpp"
#include "unit/io/websocket_peer.hpp"
#include <optional>
#include <string>

namespace trunkline::io {

/// A WebSocket listener on loopback and peers that speak it octet by octet.
class WebSocketTest : public Loopback {
 public:
  void begin(WebSocketSettings settings = {}) {
    websocket.emplace(context, settings,
                      std::vector<WebFile>{{"/", "text/html; charset=utf-8", "<p>phone"}}, flows,
                      input, counters, tls);
    const auto bound = websocket->listen({loopback(), {}});
    ASSERT_TRUE(bound) << bound.error().message;
    local = *bound;
    websocket->start();
  }
  /// The whole HTTP response head, once it is there; the rest stays gathered.
  std::string response(PeerSocket& peer) {
    EXPECT_TRUE(run_until(
        [&] { return peer.gather().find("\r\n\r\n") != std::string::npos || peer.closed(); }));
    std::string& bytes = peer.gathered();
    const std::size_t end = std::min(bytes.find("\r\n\r\n"), bytes.size());
    const std::string head = bytes.substr(0, end);
    bytes.erase(0, end + 4);
    return head;
  }
  std::string ask(std::string_view request) {
    PeerSocket peer = PeerSocket::tcp_to(local);
    peer.send(request);
    return response(peer);
  }
  /// A connection that is through the handshake.
  PeerSocket connect() {
    PeerSocket peer = PeerSocket::tcp_to(local);
    peer.send(upgrade_request());
    EXPECT_EQ(response(peer).substr(0, 12), "HTTP/1.1 101");
    return peer;
  }
  std::optional<ServerFrame> frame(PeerSocket& peer) {
    std::optional<ServerFrame> found;
    run_until([&] {
      peer.gather();
      return (found = take_frame(peer.gathered())).has_value() || peer.closed();
    });
    return found;
  }
  bool gone(PeerSocket& peer) {
    return run_until([&] {
      peer.gather();
      return peer.closed();
    });
  }
  /// The flow of a connection: told by its first message.
  sip::Target flow_of(const PeerSocket& peer) {
    const std::size_t before = input.messages.size();
    peer.send(client_frame(Opcode::text, "hello"));
    EXPECT_TRUE(run_until([&] { return input.messages.size() > before; }));
    return input.messages.back().source;
  }
  std::int64_t failures(HandshakeFailure why) const {
    return counters.handshake_failures[why].get();
  }
  std::int64_t disconnects(Disconnect why) const { return counters.disconnects[why].get(); }
  std::int64_t open() const { return counters.connections[sip::Transport::ws].get(); }

  std::optional<SipWebSocket> websocket;
  SocketAddress local;
};

}  // namespace trunkline::io
