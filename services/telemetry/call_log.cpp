#include "telemetry/call_log.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <chrono>

namespace trunkline::telemetry {
namespace {

constexpr double kLinesPerSecond = 2, kBurst = 20;

std::int64_t milliseconds_between(std::chrono::system_clock::time_point from,
                                  std::chrono::system_clock::time_point to) {
  return std::chrono::duration_cast<milliseconds>(to - from).count();
}

std::string_view sentence(call::RegistrationChanged::Kind kind) {
  using Kind = call::RegistrationChanged::Kind;
  switch (kind) {
    case Kind::added:
      return "registered";
    case Kind::refreshed:
      return "registration refreshed";
    case Kind::removed:
      return "unregistered";
    case Kind::expired:
      return "registration expired";
    case Kind::flow_lost:
      return "registration lost with its connection";
  }
  return "registration changed";
}

}  // namespace

CallLog::CallLog(std::function<TimePoint()> now)
    : now_(std::move(now)),
      refused_(kLinesPerSecond, kBurst),
      unauthenticated_(kLinesPerSecond, kBurst),
      policy_faults_(kLinesPerSecond, kBurst) {}

void CallLog::observe(const call::Observation& observation) {
  std::visit([this](const auto& event) { take(event); }, observation);
}

void CallLog::take(const call::CallStarted& event) {
  const call::CallView& call = event.call;
  log::info("call started", {{"call_id", call.name},
                             {"direction", direction_label(call.direction)},
                             {"trunk", call.trunk},
                             {"from", call.from},
                             {"to", call.to},
                             {"caller", call.caller},
                             {"dialled", call.dialled},
                             {"session_id", call.session_id}});
}

void CallLog::take(const call::CallRinging& event) {
  log::info("call ringing",
            {{"call_id", event.call.name}, {"trunk", event.call.trunk}, {"code", event.code}});
}

void CallLog::take(const call::CallAnswered& event) {
  const auto answered = event.call.answered.value_or(event.call.created);
  log::info("call answered", {{"call_id", event.call.name},
                              {"trunk", event.call.trunk},
                              {"session_id", event.call.session_id},
                              {"setup_ms", milliseconds_between(event.call.created, answered)}});
}

void CallLog::take(const call::CallHeld& event) {
  log::info(event.held ? "call held" : "call resumed",
            {{"call_id", event.call.name}, {"leg", event.leg}, {"by_api", event.by_api}});
}

void CallLog::take(const call::DtmfPassed& event) {
  log::debug("digit passed",
             {{"call_id", event.call.name}, {"leg", event.leg}, {"method", event.method}});
}

void CallLog::take(const call::CallParked& event) {
  log::info("call parked", {{"call_id", event.call.name}, {"trunk", event.call.trunk}});
}

void CallLog::take(const call::CallTransferred& event) {
  log::info(event.failure ? "transfer failed" : "call transferred",
            {{"call_id", event.call.name},
             {"leg", event.leg},
             {"target", event.target},
             {"code", event.failure ? event.failure->sip_code : 200}});
}

void CallLog::take(const call::MediaChanged& event) {
  if (event.what == "silent" || event.what == "unheard") {
    const auto leg = std::ranges::find(event.call.legs, event.leg, &call::LegView::id);
    return log::warn(
        event.what == "silent" ? "no sound comes from a party" : "no sound reaches a party",
        {{"call_id", event.call.name},
         {"leg", event.leg},
         {"party", leg == event.call.legs.end() ? std::string{} : leg->party},
         {"trunk", event.call.trunk},
         {"cause", event.cause}});
  }
  log::debug("media", {{"call_id", event.call.name}, {"leg", event.leg}, {"what", event.what}});
}

void CallLog::take(const call::LegEnded& event) {
  log::debug("leg ended", {{"call_id", event.call.name},
                           {"leg", event.leg.id},
                           {"party", event.leg.party},
                           {"code", event.leg.end ? event.leg.end->sip_code : 0}});
}

void CallLog::take(const call::PolicyFault& event) {
  if (!policy_faults_.allow(now_())) return;
  log::warn("the policy service gave no answer", {{"call_id", event.call},
                                                  {"question", event.question},
                                                  {"why", event.why},
                                                  {"suppressed", policy_faults_.suppressed()}});
}

void CallLog::take(const call::CallEnded& event) {
  const call::CallView& call = event.call;
  const auto ended = call.ended.value_or(call.created);
  log::info("call ended",
            {{"call_id", call.name},
             {"direction", direction_label(call.direction)},
             {"trunk", call.trunk},
             {"session_id", call.session_id},
             {"code", event.end.sip_code},
             {"reason", end_reason_label(event.end.reason)},
             {"phrase", event.end.phrase},
             {"fault", fault_label(event.end.fault())},
             {"ended_by", ended_by_label(event.end.ended_by)},
             {"answered", call.answered.has_value()},
             {"duration_ms", milliseconds_between(call.answered.value_or(ended), ended)}});
}

void CallLog::take(const call::RequestRefused& event) {
  if (!refused_.allow(now_())) return;
  log::warn("request refused", {{"method", event.method},
                                {"code", event.code},
                                {"reason", event.reason},
                                {"detail", event.detail},
                                {"source", event.source},
                                {"dialled", event.dialled},
                                {"suppressed", refused_.suppressed()}});
}

void CallLog::take(const call::RegistrationChanged& event) {
  const auto level = event.kind == call::RegistrationChanged::Kind::refreshed ? log::Level::debug
                                                                              : log::Level::info;
  log::write(level, sentence(event.kind),
             {{"user", event.registration.user},
              {"contact", event.registration.contact},
              {"user_agent", event.registration.user_agent}});
}

void CallLog::take(const call::AuthenticationResult& event) {
  const bool wrong =
      event.result == "bad" || event.result == "unknown_user" || event.result == "replay";
  if (!wrong) {
    log::debug("authentication",
               {{"result", event.result}, {"user", event.user}, {"source", event.source}});
  } else if (unauthenticated_.allow(now_())) {
    log::warn("authentication failed", {{"result", event.result},
                                        {"user", event.user},
                                        {"source", event.source},
                                        {"suppressed", unauthenticated_.suppressed()}});
  }
}

void CallLog::take(const call::TrunkChanged& event) {
  log::write(event.up ? log::Level::info : log::Level::warn,
             !event.up        ? "trunk down"
             : event.degraded ? "trunk degraded"
                              : "trunk up",
             {{"trunk", event.trunk}, {"detail", event.detail}});
}

}  // namespace trunkline::telemetry
