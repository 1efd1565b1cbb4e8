#include "io/sip_websocket.hpp"

#include "base/log.hpp"

namespace trunkline::io {
namespace {

using boost::asio::ip::tcp;

// Connections beyond the limit that are still told so in words; more are dropped.
constexpr std::size_t kToldOff = 64;
constexpr std::uint16_t kGoingAway = 1001, kServiceRestart = 1012;

}  // namespace

SipWebSocket::SipWebSocket(boost::asio::io_context& context, const WebSocketSettings& settings,
                           std::vector<WebFile> files, IdSequence<FlowId>& flows,
                           SignallingInput& input, Counters& counters, TlsContexts& tls)
    : context_(context),
      settings_(settings),
      door_(std::move(files), settings.allowed_origins),
      flows_(flows),
      input_(input),
      counters_(counters),
      tls_(tls) {}

SipWebSocket::~SipWebSocket() {
  for (const auto& listener : listeners_)
    listener->close();
}

Result<SocketAddress> SipWebSocket::listen(const WebSocketListener& listener) {
  std::optional<TlsContexts::Slot> tls;
  if (listener.tls) {
    const auto added = tls_.add_listener("wss " + listener.bind.text(), *listener.tls);
    if (!added) return fail(added.error());
    tls = *added;
  }
  auto made = TcpListener::make(context_, listener.bind, tls ? "wss" : "ws",
                                [this, tls](tcp::socket socket, const SocketAddress& remote) {
                                  accepted(std::move(socket), remote, tls);
                                });
  if (!made) return fail(made.error());
  listeners_.push_back(std::move(*made));
  return listeners_.back()->local();
}

void SipWebSocket::start() {
  for (const auto& listener : listeners_)
    listener->start();
}

void SipWebSocket::accepted(tcp::socket socket, const SocketAddress& remote,
                            std::optional<TlsContexts::Slot> tls) {
  if (connections_.size() >= settings_.max_connections + kToldOff) {
    counters_.handshake_failures[HandshakeFailure::limit].add();
    return;
  }
  const std::size_t same_address = ++per_address_[remote.ip];
  const bool crowded = connections_.size() >= settings_.max_connections ||
                       same_address > settings_.max_connections_per_address;
  const sip::Target self{tls ? sip::Transport::wss : sip::Transport::ws, remote, flows_.next()};
  boost::asio::ssl::context* const context = tls ? &tls_.of(*tls) : nullptr;
  const auto connection = make_websocket_connection(
      std::move(socket), {door_, settings_, counters_, context}, self, crowded, *this);
  connections_.emplace(self.flow, Entry{connection, self});
  connection->start();
}

void SipWebSocket::send(sip::SendBytes order) {
  const auto found = connections_.find(order.target.flow);
  const auto connection = found == connections_.end() ? nullptr : found->second.connection;
  if (connection != nullptr && connection->send(std::move(order.bytes))) return;
  if (order.transaction) input_.send_failed(order.transaction, sip::Unsent::unreachable);
}

bool SipWebSocket::close(FlowId flow, std::string_view why) {
  const auto found = connections_.find(flow);
  if (found == connections_.end()) return false;
  const auto connection = found->second.connection;
  connection->close(kPolicyViolation, why, Disconnect::refused);
  return true;
}

std::vector<FlowId> SipWebSocket::flows() const {
  std::vector<FlowId> all;
  all.reserve(connections_.size());
  for (const auto& [flow, entry] : connections_)
    all.push_back(flow);
  return all;
}

void SipWebSocket::move(FlowId flow) {
  const auto found = connections_.find(flow);
  if (found == connections_.end()) return;
  const auto connection = found->second.connection;
  connection->close(kServiceRestart, "the gateway is about to end: connect again",
                    Disconnect::drained);
}

void SipWebSocket::stop() {
  for (const auto& listener : listeners_)
    listener->close();
  const auto connections = connections_;
  for (const auto& [flow, entry] : connections)
    entry.connection->close(kGoingAway, "shutdown", Disconnect::shutdown);
}

// ------------------------------------------------------------------------------------
// WebSocketConnection::Owner

void SipWebSocket::on_open(const sip::Target& self) {
  counters_.connections[self.transport].add();
  counters_.connections_total[self.transport].add();
  log::debug("WebSocket open", {{"transport", sip::transport_label(self.transport)},
                                {"peer", self.remote.text()},
                                {"flow", self.flow.value}});
}

void SipWebSocket::on_message(const sip::Target& self, std::string bytes) {
  input_.received(std::move(bytes), self);
}

void SipWebSocket::on_closed(const sip::Target& self, Disconnect why) {
  counters_.connections[self.transport].add(-1);
  counters_.disconnects[why].add();
  const bool broke_a_rule = why == Disconnect::too_big || why == Disconnect::protocol ||
                            why == Disconnect::flood || why == Disconnect::slow;
  if (!broke_a_rule || log_limit_.allow(Clock::now())) {
    log::write(broke_a_rule ? log::Level::warn : log::Level::debug, "WebSocket closed",
               {{"peer", self.remote.text()},
                {"flow", self.flow.value},
                {"reason", disconnect_label(why)}});
  }
  input_.closed(self.flow);
}

void SipWebSocket::on_gone(const sip::Target& self, std::optional<HandshakeFailure> why) {
  if (why) {
    counters_.handshake_failures[*why].add();
    if (log_limit_.allow(Clock::now())) {
      log::info("WebSocket handshake failed", {{"peer", self.remote.text()},
                                               {"reason", handshake_failure_label(*why)},
                                               {"suppressed", log_limit_.suppressed()}});
    }
  }
  connections_.erase(self.flow);
  const auto count = per_address_.find(self.remote.ip);
  if (count != per_address_.end() && --count->second == 0) per_address_.erase(count);
}

}  // namespace trunkline::io
