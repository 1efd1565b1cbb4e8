#pragma once
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/message.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

/// What the four transaction machines share: their base timers and the effects they give to their
/// owner, the Endpoint.
namespace trunkline::sip {

/// The values from which all transaction timers are made (RFC 3261 §17, table 4).
struct TransactionTimers {
  milliseconds t1{500};  ///< round-trip time estimate
  milliseconds t2{
      4000};  ///< longest interval between copies of a non-INVITE request or a final response
  milliseconds t4{5000};  ///< longest time a message stays in the network

  /// Timers B, F, H, J, L and M.
  milliseconds timeout() const { return 64 * t1; }
};

/// Why a transaction gave up; the label of trunkline_sip_transaction_timeouts_total. `cancel` is
/// the wait for a final response after a CANCEL (RFC 3261 §9.1).
enum class TimeoutTimer : std::uint8_t { b, f, h, l, cancel, count_ };

/// Send this message. Kept by the machines to send it again.
struct Transmit {
  Target target;
  std::string bytes;
  Method method = Method::unknown;  ///< of the request, or of the request that the response answers
  int status = 0;                   ///< of a response; 0: a request
  bool again = false;               ///< a copy of what was sent before
};
/// The response just received is for the transaction user.
struct PassResponse {};
/// The ACK just received is for the transaction user.
struct PassAck {};
/// The CANCEL that was asked for may leave now (RFC 3261 §9.1).
struct CancelNow {};
/// No final response, and none will come. Always followed by `Terminated`.
struct Failed {
  RequestFailed::Cause cause = RequestFailed::Cause::timeout;
  TimeoutTimer timer = TimeoutTimer::b;  ///< meaningful for `Cause::timeout`
  bool provisional_seen = false;
};
/// Our final response was never acknowledged. Always followed by `Terminated`.
struct Unacknowledged {
  int status = 0;
  TimeoutTimer timer = TimeoutTimer::h;
};
/// The machine is at its end and may be destroyed.
struct Terminated {};

using TransactionEffect =
    std::variant<Transmit, PassResponse, PassAck, CancelNow, Failed, Unacknowledged, Terminated>;
using TransactionEffects = std::vector<TransactionEffect>;

inline Transmit copy_of(const Transmit& sent) {
  Transmit copy = sent;
  copy.again = true;
  return copy;
}

}  // namespace trunkline::sip
