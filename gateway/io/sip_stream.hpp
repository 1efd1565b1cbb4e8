#pragma once
#include "base/ids.hpp"
#include "base/rate_limit.hpp"
#include "base/result.hpp"
#include "io/counters.hpp"
#include "io/settings.hpp"
#include "io/signalling_input.hpp"
#include "io/stream_connection.hpp"
#include "io/tcp_listener.hpp"
#include "io/tls_contexts.hpp"

#include <boost/asio/io_context.hpp>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace trunkline::io {

/// SIP over TCP and TLS: listeners, and the connections made and taken, each a flow. Signalling
/// thread.
class SipStream final : public StreamConnection::Owner {
 public:
  /// `tls` outlives it.
  SipStream(boost::asio::io_context& context, const StreamSettings& settings,
            const sip::ParserLimits& limits, IdSequence<FlowId>& flows, SignallingInput& input,
            Counters& counters, TlsContexts& tls);
  ~SipStream() override;

  Result<SocketAddress> listen(const SipListener& listener);
  void start();
  /// On the flow of the target, or on the open connection to its address, or on a new one.
  void send(sip::SendBytes order);
  /// False: not a flow of ours.
  bool close(FlowId flow, std::string_view why);
  void stop();

 private:
  /// Where, and who proves to be there: a connection to one trunk is not another's, though both
  /// have the same address.
  using Peer = std::tuple<sip::Transport, SocketAddress, sip::PeerId>;
  struct Entry {
    std::shared_ptr<StreamConnection> connection;
    std::optional<Peer> known_as{};  ///< none: it is sent to on its own flow alone
  };

  void on_open(StreamConnection& connection) override;
  void on_message(StreamConnection& connection, std::string bytes) override;
  void on_broken(StreamConnection& connection, std::string bytes,
                 sip::ParseErrorReason reason) override;
  void on_unsent(sip::TransactionId transaction, sip::Unsent why) override;
  void on_unanswered(sip::SendBytes response) override;
  void on_gone(StreamConnection& connection, bool was_open, const StreamEnd& end) override;
  void accepted(boost::asio::ip::tcp::socket socket, const SocketAddress& remote,
                sip::Transport transport, std::optional<TlsContexts::Slot> tls);
  Peer peer_of(const sip::Target& target) const;
  StreamConnection* find(const sip::Target& target);
  std::shared_ptr<StreamConnection> connect(const sip::Target& target, bool hurry);

  boost::asio::io_context& context_;
  const StreamSettings settings_;
  const sip::ParserLimits limits_;
  IdSequence<FlowId>& flows_;
  SignallingInput& input_;
  Counters& counters_;
  TlsContexts& tls_;
  std::vector<std::shared_ptr<TcpListener>> listeners_;
  std::unordered_map<FlowId, Entry> connections_;
  std::map<Peer, FlowId> by_peer_;
  std::set<FlowId> answering_;  ///< made for a response, and not open yet
  RateLimit log_limit_{1, 5};
};

}  // namespace trunkline::io
