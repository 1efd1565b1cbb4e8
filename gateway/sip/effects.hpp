#pragma once
#include "base/ids.hpp"
#include "base/net_address.hpp"
#include "sip/message.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

/// The values that pass between sip::Endpoint and its two neighbours: the sockets below and the
/// transaction user above.
namespace trunkline::sip {

enum class Transport : std::uint8_t { udp, tcp, tls, ws, wss, count_ };
std::string_view transport_label(Transport transport);  ///< "udp" …: metric label and URI parameter
std::string_view transport_via(Transport transport);    ///< "UDP" …: Via
std::optional<Transport> parse_transport(std::string_view name);
/// Delivers each message or reports a failure, so nothing is retransmitted (RFC 3261 §17).
inline bool is_reliable(Transport transport) {
  return transport != Transport::udp;
}
inline bool is_websocket(Transport transport) {
  return transport == Transport::ws || transport == Transport::wss;
}

/// Who is at the other end of TLS, as the owner of the sockets and the transaction user both number
/// it.
using PeerId = Id<struct PeerTag>;

/// A place to send to. With a `flow` only that path is used, and it failing is a transport error
/// (RFC 5626 §5.3: a browser is reached by no other). Without one, io takes the open connection to
/// `remote` or opens one; for UDP the listener whose family fits. `peer` is whom a TLS connection
/// that is opened must find there; of a source, who has proved by its certificate to be there.
struct Target {
  Transport transport = Transport::udp;
  SocketAddress remote;
  FlowId flow;
  PeerId peer{};
  bool operator==(const Target&) const = default;
};

/// A transaction. Server transactions get their id from the Endpoint, client transactions from the
/// caller (`Endpoint::next_transaction()`), both from one sequence.
using TransactionId = Id<struct TransactionTag>;

// ---------------------------------------- what the endpoint tells the transaction user

/// A new request, not a retransmission: INVITE, or any other but ACK and CANCEL. The endpoint has
/// already refused what cannot be a request for us at all (syntax, version, CSeq mismatch, merged
/// request 482). Must be answered with `Respond`; 100 Trying to an INVITE is sent by the endpoint
/// itself after 200 ms.
struct RequestReceived {
  TransactionId transaction;
  Message request;
  Target source;  ///< remote is the address the octets came from
};
/// ACK to a 2xx that we sent in this INVITE transaction: retransmission of the 2xx has stopped. May
/// carry an answer. Given once; copies of the ACK are absorbed.
struct AckReceived {
  TransactionId transaction;
  Message ack;
};
/// A CANCEL matched this INVITE transaction; the endpoint has answered the CANCEL with 200. If the
/// INVITE has no final response yet the user answers it with 487. Given once, and not at all after
/// a final response.
struct CancelReceived {
  TransactionId transaction;
  Message cancel;
};
/// A response to our request: every 1xx, the first final, and every 2xx to INVITE that differs in
/// To tag from the ones before (a fork). Retransmitted 2xx are answered with the stored ACK by the
/// endpoint. Non-2xx finals are ACKed by it.
struct ResponseReceived {
  TransactionId transaction;
  Message response;
  Target source;
};
/// No final response to our request, and none will come.
struct RequestFailed {
  enum class Cause {
    timeout,      ///< Timer B or F
    transport,    ///< it could not be sent, or ICMP
    tls,          ///< one side did not take the other's certificate, or they agreed on no TLS
    flow_closed,  ///< the flow is gone
  } cause;
  TransactionId transaction;
  bool provisional_seen = false;
};
/// A 2xx or a non-2xx final of ours was never acknowledged within 64*T1 (Timer H, RFC 3261
/// §13.3.1.4).
struct AckMissing {
  TransactionId transaction;
  int status = 0;
};
/// The transaction is over and its id is dead.
struct TransactionEnded {
  TransactionId transaction;
};
/// A connection-oriented flow is gone; client transactions on it were failed before this.
struct FlowClosed {
  FlowId flow;
};

using Event = std::variant<RequestReceived, AckReceived, CancelReceived, ResponseReceived,
                           RequestFailed, AckMissing, TransactionEnded, FlowClosed>;

// ---------------------------------------- what the endpoint tells the sockets

/// Send these octets. `transaction`: whose failure it is if they can't be sent (0: nobody's).
struct SendBytes {
  Target target;
  std::string bytes;
  TransactionId transaction;
  /// Of a response by TCP or TLS: where it goes on a new connection if the flow of `target` is gone
  /// before it has left (RFC 3261 §18.2.2).
  std::optional<SocketAddress> reconnect{};
  /// UDP is the other way if no connection comes about: there is no point in waiting long.
  bool hurry = false;
};
/// Why octets could not be sent.
enum class Unsent : std::uint8_t { unreachable, tls };
/// Close a connection-oriented flow: its peer broke framing or limits.
struct CloseFlow {
  FlowId flow;
  std::string reason;
};
using Transmission = std::variant<SendBytes, CloseFlow>;

/// Everything one input produced, in order within each list. The driver sends `transmissions`, then
/// hands `events` to the transaction user, then runs the commands that come back.
struct Effects {
  std::vector<Event> events;
  std::vector<Transmission> transmissions;
  void clear() {
    events.clear();
    transmissions.clear();
  }
  bool empty() const { return events.empty() && transmissions.empty(); }
};

// ---------------------------------------- what the transaction user tells the endpoint

/// Start a client transaction. The request is complete but for its Via, which the endpoint puts on
/// top (branch, rport, sent-by of the path taken). Not for ACK and CANCEL. A request of more than
/// 1,300 octets for UDP goes by TCP where we listen for TCP, and by UDP after all if no connection
/// comes about (RFC 3261 §18.1.1).
struct SendRequest {
  TransactionId transaction;
  Message request;
  Target target;
};
/// Answer a server transaction: any number of 1xx, one final. A 2xx to INVITE is retransmitted on
/// every transport until its ACK comes (RFC 3261 §13.3.1.4). Responses to a finished or unknown
/// transaction are ignored.
struct Respond {
  TransactionId transaction;
  Message response;
};
/// ACK a 2xx of this INVITE client transaction. The ACK is complete but for its Via; it is kept and
/// sent again for each copy of the 2xx with the same To tag until 64*T1 (RFC 6026 Timer M).
struct SendAck {
  TransactionId transaction;
  Message ack;
  Target target;
};
/// CANCEL our INVITE (RFC 3261 §9.1): held back until a 1xx has come, dropped if the final comes
/// first. `reasons` are Reason field values. 64*T1 after the CANCEL without a final the transaction
/// fails with timeout.
struct SendCancel {
  TransactionId transaction;
  std::vector<std::string> reasons;
};
using Command = std::variant<SendRequest, Respond, SendAck, SendCancel, CloseFlow>;

}  // namespace trunkline::sip
