#pragma once
#include "base/ids.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/parser.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace trunkline::sip {

/// The base timers (RFC 3261 §17, table 4) and limits of the transaction layer.
struct EndpointSettings {
  milliseconds t1{500}, t2{4000}, t4{5000};
  ParserLimits parser{};
  std::size_t max_transactions = 100000;  ///< new requests beyond it get 503
  std::string server_name = "Trunkline";  ///< Server and User-Agent
  /// Allow of the 501 that the endpoint answers to unknown methods (RFC 3261 §8.2.1).
  std::string allow =
      "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, PRACK, UPDATE, INFO, REFER, NOTIFY, MESSAGE";
};

struct EndpointCounters;

/// Bytes in, events out; commands in, bytes out: message syntax, transactions and transport rules
/// of RFC 3261 §8, §17, §18 with RFC 3581, RFC 4320, RFC 6026 and RFC 7118. Sans I/O: owns no
/// socket, clock or thread. One thread. It keeps no dialogs: those belong to the transaction user.
class Endpoint {
 public:
  Endpoint(EndpointSettings settings, Random& random);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  /// The sent-by ("host" or "host:port") to put in Via for requests over this transport and address
  /// family, as told by the configuration (advertised address). WebSocket needs none: the endpoint
  /// takes a random ".invalid" name.
  void set_sent_by(Transport transport, bool ipv6, std::string_view sent_by);

  /// One whole message (datagram, WebSocket message, or what the stream framer cut). `bytes` is
  /// consumed. CRLF keep-alives must have been taken out before, except that datagrams and
  /// WebSocket messages of CRLFs alone are answered or ignored here (RFC 5626 §3.5.1, §4.4.1).
  void receive(std::string bytes, const Target& source, TimePoint now, Effects& out);
  /// The stream framer lost framing: answer if possible, count, close (RFC 3261 §18.3).
  void receive_broken(std::string bytes, ParseErrorReason reason, const Target& source,
                      TimePoint now, Effects& out);
  void execute(Command command, TimePoint now, Effects& out);
  /// A connection is gone, for whatever reason. Requests waiting on it fail at once. Server
  /// transactions on a WebSocket just end: neither AckReceived nor AckMissing will come; those on
  /// TCP and TLS go on, and answer on a new connection (RFC 3261 §18.2.2). Answered INVITEs of ours
  /// stay, to repeat their ACK on any flow.
  void flow_closed(FlowId flow, TimePoint now, Effects& out);
  /// Octets given out as `SendBytes` could not be sent (connection refused, ICMP unreachable, no
  /// route).
  void send_failed(TransactionId transaction, TimePoint now, Effects& out,
                   Unsent why = Unsent::unreachable);
  void on_deadline(TimePoint now, Effects& out);
  TimePoint deadline() const;

  /// An id for the caller's next `SendRequest`.
  TransactionId next_transaction();
  std::size_t transactions() const;
  const MetricSource& metrics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A response to `request` with what RFC 3261 §8.2.6.2 copies (Via, From, To, Call-ID, CSeq) and,
/// for a status above 100, this To tag unless the request's To already has one.
Message make_response(const Message& request, int status, std::string_view to_tag,
                      std::string_view reason = {});

}  // namespace trunkline::sip
