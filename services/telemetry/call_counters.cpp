#include "telemetry/call_counters.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace trunkline::telemetry {
namespace {

using call::Direction;
using call::EndReason;
using call::Fault;

constexpr const char* kOther = "_other";

constexpr std::array kRefusals{"draining",  "overload",   "cps",    "limit",    "acl",  "auth",
                               "no_route",  "no_codec",   "policy", "ports",    "loop", "hops",
                               "extension", "media_type", "method", "transport"};
constexpr std::array kAuthentications{"ok", "challenge", "bad", "stale", "replay", "unknown_user"};
constexpr std::array kPolicyFaults{"unavailable", "timeout", "invalid", "error"};
constexpr std::array kRegistrations{"added", "refreshed", "removed", "expired", "flow_lost"};

std::string label(std::string_view text) {
  return std::string(text);
}

/// A label whose values are known in advance; anything else is one more value.
template <std::size_t N>
std::string bounded(const std::array<const char*, N>& known, const std::string& value) {
  return std::ranges::find(known, value) == known.end() ? kOther : value;
}

double seconds_between(std::chrono::system_clock::time_point from,
                       std::chrono::system_clock::time_point to) {
  return std::max(0.0, std::chrono::duration<double>(to - from).count());
}

/// The name of a leg begins with its side; the further ones of it are no labels of their own.
std::string side_of(const std::string& leg) {
  return leg.substr(0, leg.find('-'));
}

std::string kind_label(call::RegistrationChanged::Kind kind) {
  using Kind = call::RegistrationChanged::Kind;
  switch (kind) {
    case Kind::added:
      return "added";
    case Kind::refreshed:
      return "refreshed";
    case Kind::removed:
      return "removed";
    case Kind::expired:
      return "expired";
    case Kind::flow_lost:
      return "flow_lost";
  }
  return kOther;
}

}  // namespace

CallCounters::CallCounters(std::vector<std::string> trunks)
    : trunks_(std::move(trunks)),
      active_(
          {"trunkline_calls_active", "Calls being set up or answered.", {"direction", "trunk"}}),
      setup_active_({"trunkline_calls_setup_active", "Calls not answered yet.", {"direction"}}),
      attempts_({"trunkline_call_attempts_total", "Calls begun.", {"direction", "trunk"}}),
      answered_({"trunkline_calls_answered_total", "Calls answered.", {"direction", "trunk"}}),
      ended_({"trunkline_calls_ended_total",
              "Calls ended, by whose fault and why.",
              {"direction", "trunk", "result", "reason"}}),
      failures_({"trunkline_call_failures_total",
                 "Calls ended before an answer, by SIP status.",
                 {"direction", "trunk", "code"}}),
      rejections_({"trunkline_call_rejections_total",
                   "Requests refused before they became a call.",
                   {"reason"}}),
      registrations_({"trunkline_registrations", "Registered contacts.", {}}),
      registration_changes_(
          {"trunkline_registrations_total", "Changes of registered contacts.", {"result"}}),
      authentications_(
          {"trunkline_sip_auth_total", "Outcomes of SIP digest authentication.", {"result"}}),
      digits_({"trunkline_dtmf_digits_total",
               "DTMF digits passed on, by the leg they came from.",
               {"leg", "method"}}),
      holds_({"trunkline_holds_total", "Calls put on hold.", {"direction"}}),
      trunk_up_({"trunkline_trunk_up", "Whether the trunk answers.", {"trunk"}}),
      trunk_degraded_({"trunkline_trunk_degraded",
                       "Whether the trunk is up, but a target of it is down, late or refuses.",
                       {"trunk"}}),
      transfers_({"trunkline_transfers_total", "Transfers that came to an end.", {"result"}}),
      policy_faults_({"trunkline_policy_failures_total",
                      "Questions that the policy service left without a usable answer.",
                      {"question", "reason"}}),
      silent_({"trunkline_call_legs_silent_total",
               "Legs from which no packet had come five seconds after the answer.",
               {"leg", "trunk"}}),
      setup_duration_({"trunkline_call_setup_duration_seconds",
                       "Time from the start of a call to ringing or answer.",
                       {"direction", "trunk", "stage"}},
                      {0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 180}),
      duration_({"trunkline_call_duration_seconds",
                 "Time from the answer to the end.",
                 {"direction", "trunk"}},
                {1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200}) {
  prepare();
}

void CallCounters::prepare() {
  prepare_calls(Direction::internal, "");
  for (const std::string& trunk : trunks_) {
    prepare_calls(Direction::inbound, trunk);
    prepare_calls(Direction::outbound, trunk);
  }
  for (const Direction direction : {Direction::inbound, Direction::outbound, Direction::internal}) {
    setup_active_.add({label(direction_label(direction))}, 0);
    holds_.add({label(direction_label(direction))}, 0);
  }
  for (const char* reason : kRefusals)
    rejections_.add({reason}, 0);
  for (const char* result : kAuthentications)
    authentications_.add({result}, 0);
  for (const char* result : kRegistrations)
    registration_changes_.add({result}, 0);
  for (const char* leg : {"from", "to"}) {
    for (const char* method : {"info", "rfc4733"})
      digits_.add({leg, method}, 0);
    silent_.add({leg, ""}, 0);
    for (const std::string& trunk : trunks_)
      silent_.add({leg, trunk}, 0);
  }
  for (const char* result : {"ok", "failed"})
    transfers_.add({result}, 0);
  for (const char* question : {"route", "authenticate"}) {
    for (const char* reason : kPolicyFaults)
      policy_faults_.add({question, reason}, 0);
  }
  registrations_.add({}, 0);
}

void CallCounters::prepare_calls(Direction direction, const std::string& trunk) {
  const std::vector<std::string> place{label(direction_label(direction)), trunk};
  for (Series* series : {&active_, &attempts_, &answered_})
    series->add(place, 0);
  duration_.cell(place);
  for (const char* stage : {"ringing", "answer"})
    setup_duration_.cell({place[0], place[1], stage});
  const auto ended = [&](Fault fault, EndReason reason) {
    ended_.add({place[0], place[1], label(fault_label(fault)), label(end_reason_label(reason))}, 0);
  };
  for (std::size_t i = 0; i < static_cast<std::size_t>(EndReason::count_); ++i) {
    const auto reason = static_cast<EndReason>(i);
    // A far end's refusal may be anybody's fault; the rest have one each.
    if (reason != EndReason::rejected) ended(call::Failure::local(reason).fault(), reason);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(Fault::count_); ++i) {
    if (static_cast<Fault>(i) != Fault::success) ended(static_cast<Fault>(i), EndReason::rejected);
  }
}

std::vector<std::string> CallCounters::where(const call::CallView& view) const {
  const bool known = view.trunk.empty() || std::ranges::find(trunks_, view.trunk) != trunks_.end();
  return {label(direction_label(view.direction)), known ? view.trunk : kOther};
}

void CallCounters::observe(const call::Observation& observation) {
  std::visit([this](const auto& event) { take(event); }, observation);
}

void CallCounters::take(const call::CallStarted& event) {
  const auto place = where(event.call);
  attempts_.add(place, 1);
  active_.add(place, 1);
  setup_active_.add({place[0]}, 1);
}

void CallCounters::take(const call::CallRinging& event) {
  const auto place = where(event.call);
  if (!event.call.ringing || !ringing_.insert(event.call.id.value).second) return;
  setup_duration_.observe({place[0], place[1], "ringing"},
                          seconds_between(event.call.created, *event.call.ringing));
}

void CallCounters::take(const call::CallAnswered& event) {
  const auto place = where(event.call);
  answered_.add(place, 1);
  setup_active_.add({place[0]}, -1);
  ringing_.erase(event.call.id.value);
  if (!event.call.answered) return;
  setup_duration_.observe({place[0], place[1], "answer"},
                          seconds_between(event.call.created, *event.call.answered));
}

void CallCounters::take(const call::CallHeld& event) {
  if (event.held) holds_.add({label(direction_label(event.call.direction))}, 1);
}

void CallCounters::take(const call::DtmfPassed& event) {
  digits_.add({side_of(event.leg), event.method}, 1);
}

void CallCounters::take(const call::MediaChanged& event) {
  if (event.what == "silent") silent_.add({side_of(event.leg), where(event.call)[1]}, 1);
}

void CallCounters::take(const call::CallTransferred& event) {
  transfers_.add({event.failure ? "failed" : "ok"}, 1);
}

void CallCounters::take(const call::PolicyFault& event) {
  policy_faults_.add({event.question, bounded(kPolicyFaults, event.why)}, 1);
}

void CallCounters::take(const call::CallEnded& event) {
  const auto place = where(event.call);
  active_.add(place, -1);
  ringing_.erase(event.call.id.value);
  ended_.add({place[0], place[1], label(fault_label(event.end.fault())),
              label(end_reason_label(event.end.reason))},
             1);
  if (!event.call.answered) {
    setup_active_.add({place[0]}, -1);
    failures_.add({place[0], place[1], std::to_string(event.end.sip_code)}, 1);
  } else if (event.call.ended) {
    duration_.observe(place, seconds_between(*event.call.answered, *event.call.ended));
  }
}

void CallCounters::take(const call::RequestRefused& event) {
  rejections_.add({bounded(kRefusals, event.reason)}, 1);
}

void CallCounters::take(const call::RegistrationChanged& event) {
  using Kind = call::RegistrationChanged::Kind;
  registration_changes_.add({kind_label(event.kind)}, 1);
  if (event.kind == Kind::added) {
    registrations_.add({}, 1);
  } else if (event.kind != Kind::refreshed) {
    registrations_.add({}, -1);
  }
}

void CallCounters::take(const call::AuthenticationResult& event) {
  authentications_.add({bounded(kAuthentications, event.result)}, 1);
}

void CallCounters::take(const call::TrunkChanged& event) {
  const bool known = std::ranges::find(trunks_, event.trunk) != trunks_.end();
  trunk_up_.set({known ? event.trunk : kOther}, event.up ? 1 : 0);
  trunk_degraded_.set({known ? event.trunk : kOther}, event.degraded ? 1 : 0);
}

void CallCounters::collect(Exposition& out) const {
  for (const Series* gauge :
       {&active_, &setup_active_, &registrations_, &trunk_up_, &trunk_degraded_})
    gauge->collect_gauges(out);
  for (const Series* counter :
       {&attempts_, &answered_, &ended_, &failures_, &rejections_, &registration_changes_,
        &authentications_, &digits_, &holds_, &transfers_, &policy_faults_, &silent_}) {
    counter->collect_counters(out);
  }
  setup_duration_.collect(out);
  duration_.collect(out);
}

}  // namespace trunkline::telemetry
