#include "telemetry/cdr_record.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

namespace trunkline::telemetry {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::system_clock;
using Time = system_clock::time_point;

/// RFC 3339, UTC, with milliseconds.
std::string time_text(Time time) {
  const auto whole = std::chrono::floor<std::chrono::milliseconds>(time);
  const std::time_t second =
      system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  ::gmtime_r(&second, &parts);
  std::ostringstream text;
  text << std::put_time(&parts, "%Y-%m-%dT%H:%M:%S.") << std::setw(3) << std::setfill('0')
       << whole.time_since_epoch().count() % 1000 << 'Z';
  return text.str();
}

Json time_or_null(const std::optional<Time>& time) {
  return time ? Json(time_text(*time)) : Json();
}

std::int64_t milliseconds_between(Time from, Time to) {
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
  return std::max<std::int64_t>(passed, 0);
}

Json since(Time from, const std::optional<Time>& to) {
  return to ? Json(milliseconds_between(from, *to)) : Json();
}

Json or_null(const std::optional<double>& number, double unit = 1) {
  return number ? Json(*number * unit) : Json();
}

Json or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

void add_end(Json& record, const call::Failure& end) {
  record["sip_code"] = end.sip_code;
  record["reason"] = end_reason_label(end.reason);
  record["phrase"] = end.phrase;
  record["fault"] = fault_label(end.fault());
  record["ended_by"] = ended_by_label(end.ended_by);
  record["phase"] = phase_label(end.phase);
  record["q850_cause"] = end.detail.q850_cause == 0 ? Json() : Json(end.detail.q850_cause);
}

Json media_of(const call::LegQuality& leg) {
  constexpr double kMilliseconds = 1000;
  Json media;
  media["codec"] = leg.codec;
  media["srtp_profile"] = leg.srtp_profile;
  media["packets_received"] = leg.packets_received;
  media["bytes_received"] = leg.bytes_received;
  media["packets_sent"] = leg.packets_sent;
  media["bytes_sent"] = leg.bytes_sent;
  media["packets_expected"] = leg.packets_expected;
  media["packets_lost"] = leg.packets_lost;
  media["packets_dropped"] = leg.packets_dropped;
  media["srtp_failures"] = leg.srtp_failures;
  media["jitter_ms"] = leg.jitter_seconds * kMilliseconds;
  media["round_trip_ms"] = or_null(leg.round_trip_seconds, kMilliseconds);
  media["mos"] = or_null(leg.mos);
  media["silence"] = or_null(leg.silence);
  return media;
}

Json begin(std::string_view type, const call::CallView& call, std::string_view node) {
  return {{"schema", kCdrSchema}, {"type", type}, {"node", node}, {"call_id", call.name}};
}

/// Texts of peers may hold anything; what is no UTF-8 is replaced.
std::string line_of(const Json& record) {
  return record.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string call_line(const call::CallMeasured& measured, std::string_view node) {
  const call::CallView& call = measured.call;
  Json record = begin("call", call, node);
  record["session_id"] = call.session_id;
  record["direction"] = direction_label(call.direction);
  record["trunk"] = or_null(call.trunk);
  record["from"] = call.from;
  record["to"] = call.to;
  record["from_number"] = call.from_number;
  record["to_number"] = call.to_number;
  record["caller"] = call.caller;
  record["caller_hidden"] = call.caller_hidden;
  record["dialled"] = call.dialled;
  record["create_time"] = time_text(call.created);
  record["ringing_time"] = time_or_null(call.ringing);
  record["answer_time"] = time_or_null(call.answered);
  record["end_time"] = time_or_null(call.ended);
  record["post_dial_delay_ms"] = since(call.created, call.ringing);
  record["setup_ms"] = since(call.created, call.answered);
  record["duration_ms"] =
      call.answered && call.ended ? milliseconds_between(*call.answered, *call.ended) : 0;
  record["answered"] = call.answered.has_value();
  add_end(record, call.end.value_or(call::Failure{}));
  Json legs = Json::array();
  for (const call::LegView& leg : call.legs)
    legs.push_back(leg.id);
  record["legs"] = std::move(legs);
  record["metadata"] = Json::object();
  for (const auto& [name, value] : call.metadata)
    record["metadata"][name] = value;
  return line_of(record);
}

std::string leg_line(const call::CallMeasured& measured, const call::LegView& leg,
                     std::string_view node) {
  Json record = begin("leg", measured.call, node);
  record["leg_id"] = leg.id;
  record["side"] = leg.from ? "from" : "to";
  record["party"] = leg.party;
  record["sip_call_id"] = or_null(leg.sip_call_id);
  add_end(record, leg.end.value_or(measured.call.end.value_or(call::Failure{})));
  const auto counted = std::ranges::find(measured.legs, leg.id, &call::LegQuality::leg);
  const bool known = counted != measured.legs.end();
  record["joined"] = known && counted->joined;
  record["media"] = known ? media_of(*counted) : Json();
  return line_of(record);
}

}  // namespace

std::vector<std::string> cdr_lines(const call::CallMeasured& call, std::string_view node) {
  std::vector<std::string> lines{call_line(call, node)};
  for (const call::LegView& leg : call.call.legs)
    lines.push_back(leg_line(call, leg, node));
  return lines;
}

}  // namespace trunkline::telemetry
