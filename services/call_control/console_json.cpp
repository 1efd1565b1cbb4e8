#include "call_control/console_json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

namespace trunkline::call_control {
namespace {

constexpr double kMilliseconds = 1000;
constexpr double kDigits = 10'000;  ///< of a figure that is drawn: four behind the point

std::string_view label(call::CallState state) {
  switch (state) {
    case call::CallState::created:
      return "created";
    case call::CallState::parked:
      return "parked";
    case call::CallState::ringing:
      return "ringing";
    case call::CallState::early_media:
      return "early_media";
    case call::CallState::answered:
      return "answered";
    case call::CallState::held:
      return "held";
    case call::CallState::ended:
      break;
  }
  return "ended";
}

std::string_view label(call::LegState state) {
  switch (state) {
    case call::LegState::calling:
      return "calling";
    case call::LegState::ringing:
      return "ringing";
    case call::LegState::early_media:
      return "early_media";
    case call::LegState::answered:
      return "answered";
    case call::LegState::held:
      return "held";
    case call::LegState::ended:
      break;
  }
  return "ended";
}

std::string_view label(const call::TrunkView& trunk) {
  if (!trunk.enabled) return "disabled";
  if (!trunk.up) return "unknown";
  if (!*trunk.up) return "down";
  return trunk.degraded ? "degraded" : "up";
}

Json time_or_null(const std::optional<std::chrono::system_clock::time_point>& time) {
  return time ? Json(json_time(*time)) : Json();
}

Json or_null(const std::optional<double>& value, double unit = 1) {
  return value ? Json(*value * unit) : Json();
}

Json or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json in_seconds(const std::optional<Duration>& length) {
  return length ? Json(std::chrono::ceil<seconds>(*length).count()) : Json();
}

Json figure(float value) {
  return std::isnan(value) ? Json() : Json(std::round(value * kDigits) / kDigits);
}

Json media_of(const LegMedia& media) {
  const call::LegQuality& leg = media.last;
  Json out;
  out["codec"] = or_null(leg.codec);
  out["srtp_profile"] = or_null(leg.srtp_profile);
  out["joined"] = leg.joined;
  out["packets_received"] = leg.packets_received;
  out["bytes_received"] = leg.bytes_received;
  out["packets_sent"] = leg.packets_sent;
  out["bytes_sent"] = leg.bytes_sent;
  out["packets_expected"] = leg.packets_expected;
  out["packets_lost"] = leg.packets_lost;
  out["packets_dropped"] = leg.packets_dropped;
  out["srtp_failures"] = leg.srtp_failures;
  out["mos"] = or_null(leg.mos);
  out["round_trip_ms"] = or_null(leg.round_trip_seconds, kMilliseconds);
  out["now"] = {
      {"loss", or_null(leg.interval_loss)},
      {"jitter_ms", leg.interval_loss ? Json(leg.jitter_seconds * kMilliseconds) : Json()},
      {"mos", or_null(leg.interval_mos)}};
  const auto& there = leg.at_peer;
  out["at_peer"] = there ? Json{{"loss", there->loss},
                                {"jitter_ms", there->jitter_seconds * kMilliseconds},
                                {"mos", there->mos}}
                         : Json();
  const std::string& cause = media.cause.empty() ? leg.silence : media.cause;
  const bool wrong = media.silent || media.unheard;
  out["verdict"] =
      wrong || !cause.empty()
          ? Json{{"cause", or_null(cause)}, {"silent", media.silent}, {"unheard", media.unheard}}
          : Json();
  return out;
}

Json leg_of(const call::LegView& leg, const LegMedia* media) {
  Json out;
  out["leg_id"] = leg.id;
  out["side"] = leg.from ? "from" : "to";
  out["party"] = leg.party;
  out["state"] = label(leg.state);
  out["sip_call_id"] = or_null(leg.sip_call_id);
  out["held"] = leg.held;
  out["muted_from_leg"] = leg.muted_from;
  out["muted_to_leg"] = leg.muted_to;
  out["end"] = leg.end ? to_json(*leg.end) : Json();
  out["media"] = media != nullptr ? media_of(*media) : Json();
  return out;
}

/// A figure of all points.
Json column(const QualityHistory& history, float QualityPoint::*figure_of) {
  Json out = Json::array();
  for (const QualityPoint& point : history.points())
    out.push_back(figure(point.*figure_of));
  return out;
}

Json history_of(const QualityHistory& history) {
  Json out;
  out["at"] = column(history, &QualityPoint::at);
  out["sent"] = {{"loss", column(history, &QualityPoint::loss)},
                 {"jitter_ms", column(history, &QualityPoint::jitter_ms)},
                 {"mos", column(history, &QualityPoint::mos)}};
  out["at_peer"] = {{"loss", column(history, &QualityPoint::peer_loss)},
                    {"jitter_ms", column(history, &QualityPoint::peer_jitter_ms)},
                    {"mos", column(history, &QualityPoint::peer_mos)}};
  out["round_trip_ms"] = column(history, &QualityPoint::round_trip_ms);
  return out;
}

}  // namespace

std::int64_t json_time(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Json to_json(const call::CallView& call, const CallMedia& media) {
  Json out;
  out["call_id"] = call.name;
  out["state"] = label(call.state);
  out["direction"] = direction_label(call.direction);
  out["trunk"] = or_null(call.trunk);
  out["from"] = call.from;
  out["to"] = call.to;
  out["from_number"] = call.from_number;
  out["to_number"] = call.to_number;
  out["caller"] = call.caller;
  out["caller_hidden"] = call.caller_hidden;
  out["dialled"] = call.dialled;
  out["session_id"] = or_null(call.session_id);
  out["create_time"] = json_time(call.created);
  out["ring_time"] = time_or_null(call.ringing);
  out["answer_time"] = time_or_null(call.answered);
  out["end_time"] = time_or_null(call.ended);
  out["end"] = call.end ? to_json(*call.end) : Json();
  out["legs"] = Json::array();
  for (const call::LegView& leg : call.legs)
    out["legs"].push_back(leg_of(leg, media.find(leg.id)));
  out["metadata"] = Json::object();
  for (const auto& [name, value] : call.metadata)
    out["metadata"][name] = value;
  return out;
}

Json to_json_with_history(const call::CallView& call, const CallMedia& media) {
  Json out = to_json(call, media);
  for (Json& leg : out["legs"]) {
    const LegMedia* known = media.find(leg["leg_id"].get<std::string>());
    leg["history"] = known != nullptr ? history_of(known->history) : Json();
  }
  return out;
}

Json to_json(const call::Failure& end) {
  Json out;
  out["sip_code"] = end.sip_code;
  out["sip_name"] = end.sip_code >= 300 ? Json(call::map_status(end.sip_code).sip_name) : Json();
  out["phrase"] = or_null(end.phrase);
  out["remote"] = end.remote;
  out["cause"] = end_reason_label(end.reason);
  out["reason"] = or_null(end.grpc_reason());
  out["ended_by"] = ended_by_label(end.ended_by);
  out["fault"] = fault_label(end.fault());
  out["phase"] = phase_label(end.phase);
  out["q850_cause"] = end.detail.q850_cause == 0 ? Json() : Json(end.detail.q850_cause);
  out["q850_text"] = or_null(end.detail.q850_text);
  out["reason_header"] = or_null(end.peer_reason);
  out["warnings"] = end.detail.warnings;
  out["retry_after"] = end.retry_after ? Json(*end.retry_after) : Json();
  return out;
}

Json to_json(const call::Registration& registration) {
  return {{"registration_id", registration.id},
          {"user", registration.user},
          {"contact", registration.contact},
          {"instance", or_null(registration.instance)},
          {"user_agent", or_null(registration.user_agent)},
          {"transport", registration.transport},
          {"source", registration.source},
          {"register_time", json_time(registration.registered)},
          {"expire_time", json_time(registration.expires)}};
}

Json to_json(const call::TrunkView& trunk) {
  Json out;
  out["trunk"] = trunk.name;
  out["uri"] = trunk.uri;
  out["state"] = label(trunk);
  out["addresses"] = trunk.addresses;
  out["calls"] = trunk.calls;
  out["max_calls"] = trunk.max_calls;
  out["targets"] = Json::array();
  for (const call::TrunkTargetView& target : trunk.targets) {
    out["targets"].push_back({{"transport", target.transport},
                              {"address", target.address},
                              {"state", target.state},
                              {"priority", target.priority},
                              {"weight", target.weight},
                              {"rests_for", in_seconds(target.rests)}});
  }
  out["registration"] = trunk.registration
                            ? Json{{"state", trunk.registration->state},
                                   {"failure", or_null(trunk.registration->failure)},
                                   {"expires_in", in_seconds(trunk.registration->expires)}}
                            : Json();
  return out;
}

Json to_json(const call::NodeView& node, const Settings& settings) {
  return {{"node", node.node},           {"domain", node.domain},
          {"version", settings.version}, {"start_time", json_time(settings.started)},
          {"draining", node.draining},   {"calls", node.calls},
          {"max_calls", node.max_calls}, {"registrations", node.registrations}};
}

std::string text_of(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace trunkline::call_control
