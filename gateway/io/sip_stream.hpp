#pragma once
#include "base/ids.hpp"
#include "base/rate_limit.hpp"
#include "base/result.hpp"
#include "io/counters.hpp"
#include "io/settings.hpp"
#include "io/signalling_input.hpp"
#include "io/stream_connection.hpp"
#include "io/tcp_listener.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace trunkline::io {

/// SIP over TCP and TLS: listeners, and the connections made and taken, each a flow. Signalling
/// thread.
class SipStream final : public StreamConnection::Owner {
 public:
  /// Host names whose certificate a peer at this address may show; none: the address itself.
  using HostsOf = std::function<std::vector<std::string>(const IpAddress& peer)>;

  SipStream(boost::asio::io_context& context, const StreamSettings& settings,
            const sip::ParserLimits& limits, IdSequence<FlowId>& flows, SignallingInput& input,
            Counters& counters, HostsOf hosts_of);
  ~SipStream() override;

  Result<SocketAddress> listen(const SipListener& listener);
  void start();
  /// On the flow of the target, or on the open connection to its address, or on a new one.
  void send(sip::SendBytes order);
  /// False: not a flow of ours.
  bool close(FlowId flow, std::string_view why);
  void stop();

 private:
  using Peer = std::pair<sip::Transport, SocketAddress>;

  void on_open(StreamConnection& connection) override;
  void on_message(StreamConnection& connection, std::string bytes) override;
  void on_broken(StreamConnection& connection, std::string bytes,
                 sip::ParseErrorReason reason) override;
  void on_unsent(sip::TransactionId transaction) override;
  void on_gone(StreamConnection& connection, bool was_open, std::string_view why) override;
  void accepted(boost::asio::ip::tcp::socket socket, const SocketAddress& remote,
                sip::Transport transport, boost::asio::ssl::context* tls);
  StreamConnection* find(const sip::Target& target);
  std::shared_ptr<StreamConnection> connect(const sip::Target& target);
  Result<boost::asio::ssl::context*> client_tls();

  boost::asio::io_context& context_;
  const StreamSettings settings_;
  const sip::ParserLimits limits_;
  IdSequence<FlowId>& flows_;
  SignallingInput& input_;
  Counters& counters_;
  HostsOf hosts_of_;
  std::vector<std::unique_ptr<boost::asio::ssl::context>> server_tls_;
  std::unique_ptr<boost::asio::ssl::context> client_tls_;
  std::vector<std::shared_ptr<TcpListener>> listeners_;
  std::unordered_map<FlowId, std::shared_ptr<StreamConnection>> connections_;
  std::map<Peer, FlowId> by_peer_;
  RateLimit log_limit_{1, 5};
};

}  // namespace trunkline::io
