#include "io/sip_stream.hpp"

#include "base/log.hpp"
#include "io/tls_context.hpp"

namespace trunkline::io {

using boost::asio::ip::tcp;

SipStream::SipStream(boost::asio::io_context& context, const StreamSettings& settings,
                     const sip::ParserLimits& limits, IdSequence<FlowId>& flows,
                     SignallingInput& input, Counters& counters, HostsOf hosts_of)
    : context_(context),
      settings_(settings),
      limits_(limits),
      flows_(flows),
      input_(input),
      counters_(counters),
      hosts_of_(std::move(hosts_of)) {}

SipStream::~SipStream() {
  for (const auto& listener : listeners_)
    listener->close();
}

Result<SocketAddress> SipStream::listen(const SipListener& listener) {
  boost::asio::ssl::context* tls = nullptr;
  if (listener.transport == sip::Transport::tls) {
    if (!listener.tls)
      return fail("the TLS listener " + listener.bind.text() + " has no certificate");
    auto made = make_server_tls(*listener.tls);
    if (!made) return fail(made.error());
    server_tls_.push_back(std::move(*made));
    tls = server_tls_.back().get();
  }
  const sip::Transport transport = listener.transport;
  auto made =
      TcpListener::make(context_, listener.bind, sip::transport_label(transport),
                        [this, transport, tls](tcp::socket socket, const SocketAddress& remote) {
                          accepted(std::move(socket), remote, transport, tls);
                        });
  if (!made) return fail(made.error());
  listeners_.push_back(std::move(*made));
  return listeners_.back()->local();
}

void SipStream::start() {
  for (const auto& listener : listeners_)
    listener->start();
}

void SipStream::accepted(tcp::socket socket, const SocketAddress& remote, sip::Transport transport,
                         boost::asio::ssl::context* tls) {
  if (connections_.size() >= settings_.max_connections) {
    counters_.drops[IoDrop::stream_full].add();
    if (log_limit_.allow(Clock::now()))
      log::warn("too many SIP connections", {{"peer", remote.text()}});
    return;
  }
  const sip::Target self{transport, remote, flows_.next()};
  const auto connection =
      std::make_shared<StreamConnection>(std::move(socket), tls, self, settings_, limits_, *this);
  connections_.emplace(self.flow, connection);
  // A TLS peer that came to us has proved no name, so nothing is sent to it but on its own flow
  // (RFC 5923 §3).
  if (transport == sip::Transport::tcp) by_peer_[{transport, remote}] = self.flow;
  connection->accept();
}

// ------------------------------------------------------------------------------------ sending

StreamConnection* SipStream::find(const sip::Target& target) {
  FlowId flow = target.flow;
  if (!flow) {
    const auto known = by_peer_.find({target.transport, target.remote});
    if (known == by_peer_.end()) return nullptr;
    flow = known->second;
  }
  const auto found = connections_.find(flow);
  return found == connections_.end() ? nullptr : found->second.get();
}

void SipStream::send(sip::SendBytes order) {
  std::shared_ptr<StreamConnection> fresh;
  StreamConnection* connection = find(order.target);
  if (connection == nullptr && !order.target.flow) {
    fresh = connect(order.target);
    connection = fresh.get();
  }
  if (connection == nullptr) return on_unsent(order.transaction);
  const auto alive = connection->shared_from_this();
  alive->send(std::move(order.bytes), order.transaction);
}

std::shared_ptr<StreamConnection> SipStream::connect(const sip::Target& target) {
  if (connections_.size() >= settings_.max_connections) {
    counters_.drops[IoDrop::stream_full].add();
    return nullptr;
  }
  boost::asio::ssl::context* tls = nullptr;
  if (target.transport == sip::Transport::tls) {
    const auto made = client_tls();
    if (!made) {
      log::error("no TLS", {{"why", made.error().message}});
      return nullptr;
    }
    tls = *made;
  }
  const sip::Target self{target.transport, target.remote, flows_.next()};
  auto connection = std::make_shared<StreamConnection>(tcp::socket(context_), tls, self, settings_,
                                                       limits_, *this);
  connections_.emplace(self.flow, connection);
  by_peer_[{self.transport, self.remote}] = self.flow;
  connection->connect(hosts_of_(target.remote.ip));
  return connection;
}

Result<boost::asio::ssl::context*> SipStream::client_tls() {
  if (client_tls_ == nullptr) {
    auto made = make_client_tls();
    if (!made) return fail(made.error());
    client_tls_ = std::move(*made);
  }
  return client_tls_.get();
}

bool SipStream::close(FlowId flow, std::string_view why) {
  const auto found = connections_.find(flow);
  if (found == connections_.end()) return false;
  const auto connection = found->second;
  connection->close(why);
  return true;
}

void SipStream::stop() {
  for (const auto& listener : listeners_)
    listener->close();
  const auto connections = connections_;
  for (const auto& [flow, connection] : connections)
    connection->close("shutdown");
}

// ------------------------------------------------------------------------------------
// StreamConnection::Owner

void SipStream::on_open(StreamConnection& connection) {
  const sip::Target& self = connection.self();
  counters_.connections[self.transport].add();
  counters_.connections_total[self.transport].add();
  log::debug("SIP connection open", {{"transport", sip::transport_label(self.transport)},
                                     {"peer", self.remote.text()},
                                     {"flow", self.flow.value}});
}

void SipStream::on_message(StreamConnection& connection, std::string bytes) {
  input_.received(std::move(bytes), connection.self());
}

void SipStream::on_broken(StreamConnection& connection, std::string bytes,
                          sip::ParseErrorReason reason) {
  if (log_limit_.allow(Clock::now())) {
    log::warn("SIP stream broken", {{"peer", connection.self().remote.text()},
                                    {"reason", sip::parse_error_label(reason)},
                                    {"suppressed", log_limit_.suppressed()}});
  }
  input_.broken(std::move(bytes), reason, connection.self());
}

void SipStream::on_unsent(sip::TransactionId transaction) {
  if (transaction) input_.send_failed(transaction);
}

void SipStream::on_gone(StreamConnection& connection, bool was_open, std::string_view why) {
  const sip::Target self = connection.self();
  const auto known = by_peer_.find({self.transport, self.remote});
  if (known != by_peer_.end() && known->second == self.flow) by_peer_.erase(known);
  connections_.erase(self.flow);
  if (was_open) {
    counters_.connections[self.transport].add(-1);
    log::debug("SIP connection closed",
               {{"peer", self.remote.text()}, {"flow", self.flow.value}, {"why", why}});
    input_.closed(self.flow);
    return;
  }
  counters_.connect_failures.add();
  if (log_limit_.allow(Clock::now())) {
    log::warn("SIP connection failed", {{"transport", sip::transport_label(self.transport)},
                                        {"peer", self.remote.text()},
                                        {"why", why}});
  }
}

}  // namespace trunkline::io
