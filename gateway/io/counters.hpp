#pragma once
#include "base/metrics.hpp"
#include "sip/effects.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trunkline::io {

/// Why a connection never became a SIP WebSocket: label of trunkline_ws_handshake_failures_total.
enum class HandshakeFailure : std::uint8_t { subprotocol, origin, auth, tls, limit, http, count_ };
std::string_view handshake_failure_label(HandshakeFailure failure);

/// Why a SIP WebSocket ended: label of trunkline_ws_disconnects_total.
enum class Disconnect : std::uint8_t {
  closed,  ///< the peer's close handshake
  lost,    ///< reset, or the end of the stream without a close
  ping_timeout,
  slow,  ///< its send queue was full
  too_big,
  protocol,  ///< broke RFC 6455
  flood,     ///< too many fragments or control frames, or a message that took too long
  refused,   ///< we closed it because of what SIP it sent
  shutdown,
  drained,  ///< without a call while the node drains
  count_
};
std::string_view disconnect_label(Disconnect reason);

/// Why something that should have left was dropped: label of trunkline_io_drops_total.
enum class IoDrop : std::uint8_t {
  udp_full,
  udp_error,
  stream_full,
  media_command,
  input_queue,
  answer,  ///< a response whose connection is gone (RFC 3261 §18.2.2)
  count_
};

/// What the policy service was asked, and how that ended: labels of
/// trunkline_policy_hook_duration_seconds.
enum class PolicyHook : std::uint8_t { route, authenticate, count_ };
enum class PolicyOutcome : std::uint8_t { ok, failed, count_ };

/// Up to what trunkline_eventloop_lag_seconds tells apart: packets come every 20 ms.
HistogramCell lag_histogram();

/// Metrics of the signalling thread. Written by it.
struct Counters final : MetricSource {
  Counters();
  CellArray<sip::Transport> connections;  ///< open now; of ws and wss: after the upgrade
  CellArray<sip::Transport> connections_total;
  CellArray<HandshakeFailure> handshake_failures;
  CellArray<Disconnect> disconnects;
  CellArray<IoDrop> drops;
  Cell connect_failures;
  Cell icmp_errors;
  Cell commands_deferred;
  Cell ws_queued;  ///< octets that wait to be sent to browsers
  HistogramCell ws_ping_round_trip;
  HistogramCell loop_lag = lag_histogram();  ///< how late a timer of the loop fired
  void policy_took(PolicyHook hook, PolicyOutcome outcome, double seconds) {
    policy_[static_cast<std::size_t>(hook)][static_cast<std::size_t>(outcome)].observe(seconds);
  }

  void collect(MetricSink& sink) const override;

 private:
  std::array<std::array<HistogramCell, static_cast<std::size_t>(PolicyOutcome::count_)>,
             static_cast<std::size_t>(PolicyHook::count_)>
      policy_;
};

}  // namespace trunkline::io
