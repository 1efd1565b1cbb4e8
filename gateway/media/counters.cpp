#include "media/counters.hpp"

namespace trunkline::media {

namespace {

std::string_view leg_label(LegKind leg) {
  return leg == LegKind::webrtc ? "webrtc" : "sip";
}
std::string_view direction_label(Direction direction) {
  return direction == Direction::received ? "in" : "out";
}

std::string_view ice_label(IceResult result) {
  switch (result) {
    case IceResult::connected:
      return "connected";
    case IceResult::timeout:
      return "timeout";
    case IceResult::consent_expired:
      return "consent_expired";
    case IceResult::count_:
      break;
  }
  return "";
}

std::string_view dtls_reason(DtlsResult result) {
  switch (result) {
    case DtlsResult::connected:
      return "none";
    case DtlsResult::timeout:
      return "timeout";
    case DtlsResult::fingerprint:
      return "fingerprint";
    case DtlsResult::alert:
      return "alert";
    case DtlsResult::profile:
      return "profile";
    case DtlsResult::count_:
      break;
  }
  return "";
}

}  // namespace

std::string_view drop_label(DropReason reason) {
  switch (reason) {
    case DropReason::size:
      return "size";
    case DropReason::unknown_protocol:
      return "unknown_protocol";
    case DropReason::unknown_source:
      return "unknown_source";
    case DropReason::rate:
      return "rate";
    case DropReason::malformed:
      return "malformed";
    case DropReason::stun:
      return "stun";
    case DropReason::dtls_limit:
      return "dtls_limit";
    case DropReason::not_ready:
      return "not_ready";
    case DropReason::srtp:
      return "srtp";
    case DropReason::unknown_payload:
      return "unknown_payload";
    case DropReason::no_route:
      return "no_route";
    case DropReason::held:
      return "held";
    case DropReason::late:
      return "late";
    case DropReason::replaced:
      return "replaced";
    case DropReason::queue:
      return "queue";
    case DropReason::count_:
      break;
  }
  return "";
}

void MediaCounters::collect(MetricSink& sink) const {
  for_each<IceResult>([&](IceResult result) {
    sink.counter("trunkline_ice_sessions_total", "ICE sessions by how they went.",
                 {{"result", ice_label(result)}}, value(ice[result]));
  });
  for_each<DtlsResult>([&](DtlsResult result) {
    sink.counter("trunkline_dtls_handshakes_total", "DTLS handshakes by how they ended.",
                 {{"result", result == DtlsResult::connected ? "connected" : "failed"},
                  {"reason", dtls_reason(result)}},
                 value(dtls[result]));
  });
  for_each<Family>([&](Family family) {
    const auto count = [&](const char* protocol, const Cell& cell) {
      sink.counter("trunkline_ice_selected_pair_total", "ICE sessions connected, by their pair.",
                   {{"protocol", protocol}, {"family", family == Family::ipv6 ? "ipv6" : "ipv4"}},
                   value(cell));
    };
    count("udp", selected_pairs[family]);
    count("tcp", selected_tcp_pairs[family]);
  });
  sink.histogram("trunkline_ice_connect_duration_seconds",
                 "Time from both descriptions to the first valid check of the browser.", {},
                 ice_connect);
  sink.histogram("trunkline_dtls_handshake_duration_seconds",
                 "Time from ICE's connection to the keys of SRTP.", {}, dtls_handshake);
  for_each<LegKind>([&](LegKind leg) {
    sink.gauge("trunkline_media_sessions", "Media legs alive.", {{"leg", leg_label(leg)}},
               value(sessions[leg]));
    for_each<SrtpVerdict>([&](SrtpVerdict verdict) {
      if (verdict == SrtpVerdict::ok) return;
      sink.counter("trunkline_srtp_errors_total",
                   "SRTP and SRTCP packets not opened or not sealed.",
                   {{"leg", leg_label(leg)}, {"kind", verdict_label(verdict)}},
                   value(srtp_errors[leg][verdict]));
    });
    for_each<DropReason>([&](DropReason reason) {
      sink.counter("trunkline_rtp_packets_dropped_total", "Datagrams of media ports not forwarded.",
                   {{"leg", leg_label(leg)}, {"reason", drop_label(reason)}},
                   value(dropped[leg][reason]));
    });
    for_each<Direction>([&](Direction direction) {
      const std::string_view label = direction_label(direction);
      sink.counter("trunkline_rtp_packets_total", "RTP packets accepted from and sent to peers.",
                   {{"leg", leg_label(leg)}, {"direction", label}}, value(packets[leg][direction]));
      sink.counter("trunkline_rtp_bytes_total", "Octets of RTP payload accepted and sent.",
                   {{"leg", leg_label(leg)}, {"direction", label}}, value(bytes[leg][direction]));
      const auto dtmf = [&](const char* method, const Cell& cell) {
        sink.counter("trunkline_dtmf_events_total", "DTMF digits received and sent in RTP.",
                     {{"leg", leg_label(leg)}, {"direction", label}, {"method", method}},
                     value(cell));
      };
      dtmf("rfc4733", digits[leg][direction]);
      dtmf("inband", tones[leg][direction]);
    });
  });
}

}  // namespace trunkline::media
