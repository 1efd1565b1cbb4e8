#include "call/counters.hpp"

namespace trunkline::call {
namespace {

std::string_view failover_label(FailoverReason reason) {
  switch (reason) {
    case FailoverReason::no_response:
      return "no_response";
    case FailoverReason::unreachable:
      return "unreachable";
    case FailoverReason::tls:
      return "tls";
    case FailoverReason::refused:
      return "refused";
    case FailoverReason::count_:
      break;
  }
  return "";
}

std::string_view stuck_label(Stuck kind) {
  return kind == Stuck::setup ? "setup" : "teardown";
}

}  // namespace

std::string_view peer_label(PeerKind peer) {
  return peer == PeerKind::webrtc ? "webrtc" : "sip";
}

void Counters::collect(MetricSink& sink) const {
  for_each<PeerKind>([&](PeerKind peer) {
    const PeerCounters& of = peers_[static_cast<std::size_t>(peer)];
    sink.histogram("trunkline_call_teardown_duration_seconds",
                   "Time from our BYE to its final response.", {{"leg", peer_label(peer)}},
                   of.teardown);
    for_each<RefreshMethod>([&](RefreshMethod method) {
      for_each<Outcome>([&](Outcome outcome) {
        sink.counter("trunkline_session_refreshes_total",
                     "Session refreshes that we sent (RFC 4028), by how they ended.",
                     {{"leg", peer_label(peer)},
                      {"method", method == RefreshMethod::update ? "UPDATE" : "INVITE"},
                      {"result", outcome == Outcome::ok ? "ok" : "failed"}},
                     value(of.refreshes(method)[outcome]));
      });
    });
  });
  for_each<Stuck>([&](Stuck kind) {
    sink.gauge("trunkline_calls_stuck",
               "Calls that should long have been answered or refused, or that have ended and are "
               "still known.",
               {{"reason", stuck_label(kind)}}, value(stuck[kind]));
  });
}

void TrunkCounters::collect(MetricSink& sink, std::string_view trunk) const {
  sink.histogram("trunkline_trunk_options_rtt_seconds",
                 "Time from an OPTIONS of ours to its final response.", {{"trunk", trunk}},
                 options_round_trip);
  sink.histogram("trunkline_trunk_first_response_seconds",
                 "Time from our INVITE to the first response of any kind.", {{"trunk", trunk}},
                 first_response);
  for_each<FailoverReason>([&](FailoverReason reason) {
    sink.counter("trunkline_trunk_failovers_total",
                 "Calls that went on to the next target of the trunk, by what was wrong with the "
                 "one before.",
                 {{"trunk", trunk}, {"reason", failover_label(reason)}}, value(failovers[reason]));
  });
}

}  // namespace trunkline::call
