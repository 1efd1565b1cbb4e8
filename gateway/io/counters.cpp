#include "io/counters.hpp"

namespace trunkline::io {
namespace {

std::string_view drop_label(IoDrop drop) {
  switch (drop) {
    case IoDrop::udp_full:
      return "udp_full";
    case IoDrop::udp_error:
      return "udp_error";
    case IoDrop::stream_full:
      return "stream_full";
    case IoDrop::media_command:
      return "media_command";
    case IoDrop::input_queue:
      return "input_queue";
    case IoDrop::answer:
      return "answer";
    case IoDrop::count_:
      break;
  }
  return "";
}

HistogramCell round_trip_histogram() {
  return HistogramCell({0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5});
}

}  // namespace

HistogramCell lag_histogram() {
  return HistogramCell({0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1});
}

Counters::Counters()
    : ws_ping_round_trip(round_trip_histogram()),
      policy_{{{round_trip_histogram(), round_trip_histogram()},
               {round_trip_histogram(), round_trip_histogram()}}} {}

std::string_view handshake_failure_label(HandshakeFailure failure) {
  switch (failure) {
    case HandshakeFailure::subprotocol:
      return "subprotocol";
    case HandshakeFailure::origin:
      return "origin";
    case HandshakeFailure::auth:
      return "auth";
    case HandshakeFailure::tls:
      return "tls";
    case HandshakeFailure::limit:
      return "limit";
    case HandshakeFailure::http:
      return "http";
    case HandshakeFailure::count_:
      break;
  }
  return "";
}

std::string_view disconnect_label(Disconnect reason) {
  switch (reason) {
    case Disconnect::closed:
      return "closed";
    case Disconnect::lost:
      return "lost";
    case Disconnect::ping_timeout:
      return "ping_timeout";
    case Disconnect::slow:
      return "slow";
    case Disconnect::too_big:
      return "too_big";
    case Disconnect::protocol:
      return "protocol";
    case Disconnect::flood:
      return "flood";
    case Disconnect::refused:
      return "refused";
    case Disconnect::shutdown:
      return "shutdown";
    case Disconnect::drained:
      return "drained";
    case Disconnect::count_:
      break;
  }
  return "";
}

void Counters::collect(MetricSink& sink) const {
  for_each<sip::Transport>([&](sip::Transport transport) {
    if (transport == sip::Transport::udp) return;
    const MetricLabels labels = {{"transport", sip::transport_label(transport)}};
    const bool websocket = sip::is_websocket(transport);
    sink.gauge(websocket ? "trunkline_ws_connections" : "trunkline_sip_connections",
               websocket ? "SIP WebSocket connections open." : "SIP TCP and TLS connections open.",
               labels, value(connections[transport]));
    sink.counter(
        websocket ? "trunkline_ws_connections_total" : "trunkline_sip_connections_total",
        websocket ? "SIP WebSocket connections made." : "SIP TCP and TLS connections made.", labels,
        value(connections_total[transport]));
  });
  for_each<HandshakeFailure>([&](HandshakeFailure failure) {
    sink.counter(
        "trunkline_ws_handshake_failures_total", "Connections that did not become a SIP WebSocket.",
        {{"reason", handshake_failure_label(failure)}}, value(handshake_failures[failure]));
  });
  for_each<Disconnect>([&](Disconnect reason) {
    sink.counter("trunkline_ws_disconnects_total", "SIP WebSocket connections ended.",
                 {{"reason", disconnect_label(reason)}}, value(disconnects[reason]));
  });
  for_each<IoDrop>([&](IoDrop drop) {
    sink.counter("trunkline_io_drops_total", "What could not be queued or sent.",
                 {{"reason", drop_label(drop)}}, value(drops[drop]));
  });
  sink.gauge("trunkline_ws_send_queue_bytes", "Octets that wait to be sent to browsers.", {},
             value(ws_queued));
  sink.histogram("trunkline_ws_ping_rtt_seconds",
                 "Time from a ping of ours on a SIP WebSocket to its pong.", {},
                 ws_ping_round_trip);
  sink.histogram("trunkline_eventloop_lag_seconds",
                 "How much later than due a timer of the thread fired.", {{"thread", "signalling"}},
                 loop_lag);
  for_each<PolicyHook>([&](PolicyHook hook) {
    for_each<PolicyOutcome>([&](PolicyOutcome outcome) {
      sink.histogram("trunkline_policy_hook_duration_seconds",
                     "Time that the policy service took to answer.",
                     {{"hook", hook == PolicyHook::route ? "route" : "authenticate"},
                      {"result", outcome == PolicyOutcome::ok ? "ok" : "failed"}},
                     policy_[static_cast<std::size_t>(hook)][static_cast<std::size_t>(outcome)]);
    });
  });
  sink.counter("trunkline_sip_connect_failures_total",
               "SIP connections that failed before they were open.", {}, value(connect_failures));
  sink.counter("trunkline_sip_icmp_errors_total", "ICMP errors for SIP datagrams that we sent.", {},
               value(icmp_errors));
  sink.counter("trunkline_media_commands_deferred_total",
               "Commands that waited for room in a media worker's ring.", {},
               value(commands_deferred));
}

}  // namespace trunkline::io
