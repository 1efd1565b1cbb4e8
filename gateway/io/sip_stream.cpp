#include "io/sip_stream.hpp"

#include "base/log.hpp"

namespace trunkline::io {

using boost::asio::ip::tcp;

namespace {
// Connections for responses whose own is gone that are being made: a sender that leaves at once
// must not take all of our descriptors.
constexpr std::size_t kMaxAnswering = 64;
constexpr Duration kHurry = seconds{2};
}  // namespace

SipStream::SipStream(boost::asio::io_context& context, const StreamSettings& settings,
                     const sip::ParserLimits& limits, IdSequence<FlowId>& flows,
                     SignallingInput& input, Counters& counters, TlsContexts& tls)
    : context_(context),
      settings_(settings),
      limits_(limits),
      flows_(flows),
      input_(input),
      counters_(counters),
      tls_(tls) {}

SipStream::~SipStream() {
  for (const auto& listener : listeners_)
    listener->close();
}

Result<SocketAddress> SipStream::listen(const SipListener& listener) {
  const sip::Transport transport = listener.transport;
  std::optional<TlsContexts::Slot> tls;
  if (transport == sip::Transport::tls) {
    if (!listener.tls)
      return fail("the TLS listener " + listener.bind.text() + " has no certificate");
    const auto added = tls_.add_listener("tls " + listener.bind.text(), *listener.tls);
    if (!added) return fail(added.error());
    tls = *added;
  }
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
                         std::optional<TlsContexts::Slot> tls) {
  if (connections_.size() >= settings_.max_connections) {
    counters_.drops[IoDrop::stream_full].add();
    if (log_limit_.allow(Clock::now()))
      log::warn("too many SIP connections", {{"peer", remote.text()}});
    return;
  }
  const sip::Target self{transport, remote, flows_.next()};
  const auto connection = std::make_shared<StreamConnection>(
      std::move(socket), tls ? &tls_.of(*tls) : nullptr, self, settings_, limits_, *this);
  Entry& entry = connections_.emplace(self.flow, Entry{connection}).first->second;
  // A TLS peer that came to us has proved no name, so nothing is sent to it but on its own flow
  // (RFC 5923 §3).
  if (transport == sip::Transport::tcp) {
    entry.known_as = peer_of(self);
    by_peer_[*entry.known_as] = self.flow;
  }
  connection->accept();
}

// ------------------------------------------------------------------------------------ sending

SipStream::Peer SipStream::peer_of(const sip::Target& target) const {
  // Without TLS nobody proves anything: an address is an address.
  const TlsPeerSettings* expected =
      target.transport == sip::Transport::tls ? tls_.expected(target) : nullptr;
  return {target.transport, target.remote, expected == nullptr ? sip::PeerId{} : expected->id};
}

StreamConnection* SipStream::find(const sip::Target& target) {
  FlowId flow = target.flow;
  if (!flow) {
    const auto known = by_peer_.find(peer_of(target));
    if (known == by_peer_.end()) return nullptr;
    flow = known->second;
  }
  const auto found = connections_.find(flow);
  return found == connections_.end() ? nullptr : found->second.connection.get();
}

void SipStream::send(sip::SendBytes order) {
  std::shared_ptr<StreamConnection> fresh;
  StreamConnection* connection = find(order.target);
  if (connection == nullptr && order.reconnect) return on_unanswered(std::move(order));
  if (connection == nullptr && !order.target.flow) {
    fresh = connect(order.target, order.hurry);
    connection = fresh.get();
  }
  if (connection == nullptr) return on_unsent(order.transaction, sip::Unsent::unreachable);
  const auto alive = connection->shared_from_this();
  alive->send(std::move(order));
}

/// RFC 3261 §18.2.2: the connection of the request is gone, so there is a new one.
void SipStream::on_unanswered(sip::SendBytes response) {
  response.target.remote = *std::exchange(response.reconnect, std::nullopt);
  response.target.flow = {};
  if (find(response.target) != nullptr) return send(std::move(response));
  const auto fresh = answering_.size() < kMaxAnswering ? connect(response.target, false) : nullptr;
  if (fresh == nullptr) return counters_.drops[IoDrop::answer].add();
  answering_.insert(fresh->self().flow);
  fresh->send(std::move(response));
}

std::shared_ptr<StreamConnection> SipStream::connect(const sip::Target& target, bool hurry) {
  if (connections_.size() >= settings_.max_connections) {
    counters_.drops[IoDrop::stream_full].add();
    return nullptr;
  }
  const TlsPeerSettings* expected = nullptr;
  TlsContext tls;
  if (target.transport == sip::Transport::tls) {
    expected = tls_.expected(target);
    tls = tls_.towards(expected == nullptr ? sip::PeerId{} : expected->id);
    if (tls == nullptr) return nullptr;
  }
  const sip::Target self{target.transport, target.remote, flows_.next(),
                         expected == nullptr ? sip::PeerId{} : expected->id};
  auto connection = std::make_shared<StreamConnection>(tcp::socket(context_), tls.get(), self,
                                                       settings_, limits_, *this);
  const Peer known_as = peer_of(self);
  connections_.emplace(self.flow, Entry{connection, known_as});
  by_peer_[known_as] = self.flow;
  // RFC 5922 §4: a server proves the name in the URI, whatever SRV has made of it; without one, the
  // address that we go to.
  connection->connect(expected == nullptr ? target.remote.ip.text() : expected->host,
                      expected != nullptr && expected->wildcards,
                      hurry ? kHurry : settings_.connect_timeout);
  return connection;
}

bool SipStream::close(FlowId flow, std::string_view why) {
  const auto found = connections_.find(flow);
  if (found == connections_.end()) return false;
  const auto connection = found->second.connection;
  connection->close(why);
  return true;
}

void SipStream::stop() {
  for (const auto& listener : listeners_)
    listener->close();
  const auto connections = connections_;
  for (const auto& [flow, entry] : connections)
    entry.connection->close("shutdown");
}

// ------------------------------------------------------------------------------------
// StreamConnection::Owner

void SipStream::on_open(StreamConnection& connection) {
  // Without mutual TLS a client has proved nothing.
  if (connection.tls() != nullptr && !connection.self().peer)
    connection.identify(tls_.proved(*connection.tls()));
  const sip::Target& self = connection.self();
  answering_.erase(self.flow);
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

void SipStream::on_unsent(sip::TransactionId transaction, sip::Unsent why) {
  if (transaction) input_.send_failed(transaction, why);
}

void SipStream::on_gone(StreamConnection& connection, bool was_open, const StreamEnd& end) {
  const sip::Target self = connection.self();
  if (const auto known_as = connections_.at(self.flow).known_as) {
    const auto current = by_peer_.find(*known_as);
    if (current != by_peer_.end() && current->second == self.flow) by_peer_.erase(current);
  }
  answering_.erase(self.flow);
  connections_.erase(self.flow);
  if (end.tls) {
    tls_.count_failure(connection.is_ours() ? self.peer : sip::PeerId{}, *end.tls);
    if (was_open || log_limit_.allow(Clock::now())) {
      const TlsPeerSettings* trunk = connection.is_ours() ? tls_.expected(self) : nullptr;
      log::warn("TLS failed", {{"peer", self.remote.text()},
                               {"trunk", trunk == nullptr ? std::string() : trunk->name},
                               {"reason", tls_failure_label(*end.tls)},
                               {"why", end.why}});
    }
  }
  if (was_open) {
    counters_.connections[self.transport].add(-1);
    log::debug("SIP connection closed",
               {{"peer", self.remote.text()}, {"flow", self.flow.value}, {"why", end.why}});
    input_.closed(self.flow);
    return;
  }
  counters_.connect_failures.add();
  if (!end.tls && log_limit_.allow(Clock::now())) {
    log::warn("SIP connection failed", {{"transport", sip::transport_label(self.transport)},
                                        {"peer", self.remote.text()},
                                        {"why", end.why}});
  }
}

}  // namespace trunkline::io
