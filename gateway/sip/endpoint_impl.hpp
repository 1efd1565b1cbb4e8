#pragma once
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/rate_limit.hpp"
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/endpoint.hpp"
#include "sip/endpoint_counters.hpp"
#include "sip/header.hpp"
#include "sip/parser.hpp"
#include "sip/tcp_refusals.hpp"
#include "sip/transaction.hpp"
#include "sip/transaction_table.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::sip {

/// The inside of Endpoint, in three files: endpoint.cpp (time, failures, effects of the machines),
/// endpoint_receive.cpp (bytes to machines), endpoint_send.cpp (commands to machines).
struct Endpoint::Impl {
  /// One input: when it came, where its effects go, and the message that it was, if any.
  struct Turn {
    TimePoint now;
    Effects& out;
    Message* message = nullptr;
    const Target* source = nullptr;
  };
  /// Where a response goes, and where else once its connection is gone (SendBytes::reconnect).
  struct Reply {
    Target target;
    std::optional<SocketAddress> reconnect{};
  };

  Impl(EndpointSettings endpoint_settings, Random& random_source);

  // endpoint.cpp
  void apply(Transaction& transaction, TransactionEffects& effects, Turn& turn);
  void perform(Transaction& transaction, Transmit& transmit, Turn& turn);
  void perform(Transaction& transaction, PassResponse&, Turn& turn);
  void perform(Transaction& transaction, PassAck&, Turn& turn);
  void perform(Transaction& transaction, CancelNow&, Turn& turn);
  void perform(Transaction& transaction, Failed& failed, Turn& turn);
  void perform(Transaction& transaction, Unacknowledged& unacknowledged, Turn& turn);
  void perform(Transaction& transaction, Terminated&, Turn& turn);
  void emit(Transmit transmit, TransactionId transaction, Effects& out,
            const std::optional<SocketAddress>& reconnect = std::nullopt);
  void fail(Transaction& transaction, RequestFailed::Cause cause, Turn& turn);
  void flow_closed(FlowId flow, Turn& turn);
  void send_failed(Transaction& transaction, Unsent why, Turn& turn);
  bool move_to_udp(Transaction& transaction, Turn& turn);
  void on_deadline(Turn& turn);
  Transaction& start(Transaction transaction);

  // endpoint_receive.cpp
  void receive(std::string bytes, const Target& source, TimePoint now, Effects& out);
  void receive_broken(std::string bytes, ParseErrorReason reason, const Target& source,
                      Effects& out);
  void receive_keep_alive(std::string_view bytes, const Target& source, Effects& out);
  void note_malformed(ParseErrorReason reason, std::string_view detail, const Target& source,
                      TimePoint now);
  void receive_malformed(const ParseError& error, const Target& source, Effects& out);
  void receive_request(Turn& turn);
  void receive_ack(const std::string& key, Turn& turn);
  void receive_cancel(const std::string& key, const Reply& reply, Turn& turn);
  void receive_copy(Transaction& transaction, Turn& turn);
  void receive_new(const std::string& key, const Via& via, const Reply& reply, Turn& turn);
  void receive_response(Turn& turn);
  static Reply reply_to(const Via& via, const Target& source);
  void refuse(const Message& request, int status, const Reply& reply, Effects& out,
              std::string_view reason = {});
  void send_stateless(const Message& request, Message response, const Reply& reply, Effects& out);
  std::string stateless_tag(const Message& request) const;

  // endpoint_send.cpp
  void set_sent_by(Transport transport, bool ipv6, std::string_view sent_by);
  void set_sent_by_of(Via& via, const Target& target) const;
  /// Writes the path of this target into the top Via.
  void change_via(Message& request, const Target& target) const;
  Via make_via(const Target& target);
  /// The path that a request takes for its size: TCP for one that is too large for UDP. Puts its
  /// Via on top.
  Target choose_path(Message& request, const Target& target, TimePoint now);
  void execute(SendRequest command, Turn& turn);
  void execute(Respond command, Turn& turn);
  void execute(SendAck command, Turn& turn);
  void execute(SendCancel command, Turn& turn);
  void execute(CloseFlow command, Turn& turn);
  void start_client(TransactionId id, Message request, const Target& target,
                    std::unique_ptr<UdpWay> by_udp, bool unknown_to_user, Turn& turn);
  void start_cancel(const Transaction& invite, Turn& turn);

  EndpointSettings settings;
  TransactionTimers timers;
  Random& random;
  Parser parser;
  std::string tag_salt;      ///< makes To tags of stateless responses unpredictable
  std::string invalid_host;  ///< our name where no other is known (RFC 7118 §5.2)
  /// By transport and address family: host and port of our Via.
  std::array<std::array<std::optional<Via>, 2>, static_cast<std::size_t>(Transport::count_)>
      sent_by;
  IdSequence<TransactionId> ids;
  TransactionTable table;
  TcpRefusals tcp_refusals;
  EndpointCounters counters;
  RateLimit large_log{1, 5};
  RateLimit malformed_log{
      5, 20};  ///< lines a second, and at once: a flood of junk must not flood the log
};

}  // namespace trunkline::sip
