#include "telemetry/call_counters.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

namespace trunkline::telemetry {
namespace {

using call::Direction;
using call::EndReason;
using call::Fault;

constexpr std::array kRefusals{"draining",  "overload",   "cps",    "limit",     "acl",     "auth",
                               "no_route",  "no_codec",   "policy", "ports",     "loop",    "hops",
                               "extension", "media_type", "method", "transport", "replica", kOther};
constexpr std::array kAuthentications{"ok",     "challenge",    "bad", "stale",
                                      "replay", "unknown_user", kOther};
constexpr std::array kPolicyFaults{"unavailable", "timeout", "invalid", "error", kOther};
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

/// The codes that the recorded figures need, and those that operators look for; others are one of
/// their class. A trunk that is called says more than a browser does.
constexpr std::array kTrunkCodes{401, 403, 404, 407, 408, 480, 484, 486, 487,
                                 488, 500, 502, 503, 504, 600, 603, 604};
constexpr std::array kBrowserCodes{404, 480, 486, 487, 488, 503, 600, 603, 604};
constexpr std::array kCodeClasses{"3xx", "4xx", "5xx", "6xx", kOther};

std::span<const int> codes_of(Direction direction) {
  if (direction == Direction::outbound) return kTrunkCodes;
  return kBrowserCodes;
}

std::string code_class(int code) {
  return code >= 300 && code < 700 ? std::to_string(code / 100) + "xx" : kOther;
}

/// Whose the time is that a call takes to ring and to be answered: a trunk's, or the browsers' that
/// it calls.
std::string setup_trunk(const std::string& direction, const std::string& trunk) {
  return direction == direction_label(Direction::outbound) ? trunk : std::string{};
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

std::string_view leg_label(const std::string& party) {
  if (party.starts_with("user:")) return "webrtc";
  return party.starts_with("trunk:") ? "sip" : "service";
}

std::string_view leg_label(const call::CallView& call, const std::string& leg) {
  const auto found = std::ranges::find(call.legs, leg, &call::LegView::id);
  return found == call.legs.end() ? "service" : leg_label(found->party);
}

CallCounters::CallCounters(std::vector<std::string> trunks)
    : trunks_(std::move(trunks)),
      active_(
          {"trunkline_calls_active", "Calls being set up or answered.", {"direction", "trunk"}}),
      setup_active_({"trunkline_calls_setup_active", "Calls not answered yet.", {"direction"}}),
      attempts_({"trunkline_call_attempts_total", "Calls begun.", {"direction", "trunk"}}),
      answered_({"trunkline_calls_answered_total", "Calls answered.", {"direction", "trunk"}}),
      ended_({"trunkline_calls_ended_total",
              "Calls ended, by whose fault and why.",
              {"trunk", "result", "reason"}}),
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
      holds_({"trunkline_holds_total", "Calls put on hold, by the leg that asked.", {"leg"}}),
      trunk_up_({"trunkline_trunk_up", "0 once the trunk is known not to answer.", {"trunk"}}),
      trunk_degraded_({"trunkline_trunk_degraded",
                       "Whether the trunk is up, but a target of it is down, late or refuses.",
                       {"trunk"}}),
      transfers_({"trunkline_transfers_total", "Transfers that came to an end.", {"result"}}),
      policy_faults_({"trunkline_policy_failures_total",
                      "Questions that the policy service left without a usable answer.",
                      {"question", "reason"}}),
      silent_(
          {"trunkline_call_silences_total",
           "Times that nothing was heard from a leg's peer, or by it, by what was found to cause "
           "it.",
           {"leg", "cause"}}),
      setup_duration_(
          {"trunkline_call_setup_duration_seconds",
           "Time from the start of a call to ringing or answer: the first is the post-dial "
           "delay.",
           {"direction", "trunk", "stage"}},
          {0.5, 1, 2, 4, 8, 15, 30, 60}),
      duration_({"trunkline_call_duration_seconds",
                 "Time from the answer to the end.",
                 {"direction", "trunk"}},
                {5, 30, 60, 180, 600, 1800}) {
  prepare();
}

void CallCounters::prepare() {
  prepare_calls(Direction::internal, "");
  for (const std::string& trunk : trunks_)
    prepare_trunk(trunk);
  for (const char* trunk : {"", kOther})
    prepare_ends(trunk);
  for (const Direction direction : {Direction::inbound, Direction::outbound, Direction::internal}) {
    prepare_calls(direction, kOther);
    setup_active_.prepare({label(direction_label(direction))});
  }
  for (const char* reason : kRefusals)
    rejections_.prepare({reason});
  for (const char* result : kAuthentications)
    authentications_.prepare({result});
  for (const char* result : kRegistrations)
    registration_changes_.prepare({result});
  for (const char* leg : {"webrtc", "sip", "service"}) {
    for (const char* method : {"info", "rfc4733", "inband"})
      digits_.prepare({leg, method});
    holds_.prepare({leg});
  }
  prepare_silences();
  for (const char* result : {"ok", "failed"})
    transfers_.prepare({result});
  for (const char* question : {"route", "authenticate"}) {
    for (const char* reason : kPolicyFaults)
      policy_faults_.prepare({question, reason});
  }
  registrations_.prepare({});
}

void CallCounters::prepare_trunk(const std::string& trunk) {
  prepare_calls(Direction::inbound, trunk);
  prepare_calls(Direction::outbound, trunk);
  prepare_ends(trunk);
  if (trunk_up_.find({trunk}) != nullptr) return;
  trunk_up_.prepare({trunk});
  trunk_up_.set({trunk}, 1);
  trunk_degraded_.prepare({trunk});
}

void CallCounters::forget_trunk(const std::string& trunk) {
  for (Series* series : {&active_, &attempts_, &answered_, &ended_, &failures_})
    series->forget("trunk", trunk);
  for (HistogramSeries* series : {&setup_duration_, &duration_})
    series->forget("trunk", trunk);
}

std::vector<std::string> CallCounters::reconfigure(const std::vector<std::string>& trunks) {
  std::vector<std::string> kept = trunks;
  const std::scoped_lock lock(mutex_);
  for (const std::string& trunk : trunks_) {
    if (std::ranges::find(trunks, trunk) != trunks.end()) continue;
    for (Series* series : {&trunk_up_, &trunk_degraded_})
      series->forget("trunk", trunk);
    const bool busy = std::ranges::any_of(
        calls_, [&](const auto& known) { return known.second.place.trunk == trunk; });
    if (busy) {
      kept.push_back(trunk);
    } else {
      forget_trunk(trunk);
    }
  }
  for (const std::string& trunk : trunks)
    prepare_trunk(trunk);
  trunks_ = kept;
  return kept;
}

void CallCounters::prepare_silences() {
  for (const std::string_view cause : call::silence_causes()) {
    if (cause.find("TRUNK") == std::string_view::npos) silent_.prepare({"webrtc", label(cause)});
    const bool of_browser = cause.find("BROWSER") != std::string_view::npos ||
                            cause.starts_with("ICE") || cause.starts_with("DTLS");
    if (!of_browser) silent_.prepare({"sip", label(cause)});
  }
  for (const char* leg : {"webrtc", "sip"})
    silent_.prepare({leg, kOther});
}

void CallCounters::prepare_calls(Direction direction, const std::string& trunk) {
  const std::vector<std::string> place{label(direction_label(direction)), trunk};
  for (Series* series : {&active_, &attempts_, &answered_})
    series->prepare(place);
  duration_.prepare(place);
  for (const char* stage : {"ringing", "answer"})
    setup_duration_.prepare({place[0], setup_trunk(place[0], trunk), stage});
  for (const int code : codes_of(direction))
    failures_.prepare({place[0], trunk, std::to_string(code)});
  for (const char* codes : kCodeClasses)
    failures_.prepare({place[0], trunk, codes});
}

void CallCounters::prepare_ends(const std::string& trunk) {
  const auto ended = [&](Fault fault, EndReason reason) {
    ended_.prepare({trunk, label(fault_label(fault)), label(end_reason_label(reason))});
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

std::string CallCounters::trunk_label(const std::string& trunk) const {
  return trunk.empty() || std::ranges::find(trunks_, trunk) != trunks_.end() ? trunk : kOther;
}

CallCounters::Place CallCounters::where(const call::CallView& view) const {
  const bool internal = view.direction == Direction::internal;
  const bool fits = internal == view.trunk.empty();
  return {label(direction_label(view.direction)), fits ? trunk_label(view.trunk) : kOther};
}

CallCounters::Place CallCounters::known(const call::CallView& view) const {
  const auto found = calls_.find(view.id.value);
  return found == calls_.end() ? where(view) : found->second.place;
}

void CallCounters::observe(const call::Observation& observation) {
  std::visit([this](const auto& event) { take(event); }, observation);
}

void CallCounters::take(const call::CallStarted& event) {
  const Place place = where(event.call);
  attempts_.add({place.direction, place.trunk}, 1);
  active_.add({place.direction, place.trunk}, 1);
  setup_active_.add({place.direction}, 1);
  calls_.insert_or_assign(event.call.id.value, Known{place});
}

void CallCounters::take(const call::CallRinging& event) {
  const auto found = calls_.find(event.call.id.value);
  if (!event.call.ringing || found == calls_.end() || std::exchange(found->second.rang, true))
    return;
  const Place& place = found->second.place;
  setup_duration_.observe({place.direction, setup_trunk(place.direction, place.trunk), "ringing"},
                          seconds_between(event.call.created, *event.call.ringing));
}

void CallCounters::take(const call::CallAnswered& event) {
  const Place place = known(event.call);
  answered_.add({place.direction, place.trunk}, 1);
  setup_active_.add({place.direction}, -1);
  if (!event.call.answered) return;
  setup_duration_.observe({place.direction, setup_trunk(place.direction, place.trunk), "answer"},
                          seconds_between(event.call.created, *event.call.answered));
}

void CallCounters::take(const call::CallHeld& event) {
  if (event.held) holds_.add({label(leg_label(event.call, event.leg))}, 1);
}

void CallCounters::take(const call::DtmfPassed& event) {
  digits_.add({label(leg_label(event.call, event.leg)), event.method}, 1);
}

void CallCounters::take(const call::MediaChanged& event) {
  if (event.what != "silent" && event.what != "unheard") return;
  const std::string leg = label(leg_label(event.call, event.leg));
  if (!silent_.add({leg, event.cause}, 1)) silent_.add({leg, kOther}, 1);
}

void CallCounters::take(const call::CallTransferred& event) {
  transfers_.add({event.failure ? "failed" : "ok"}, 1);
}

void CallCounters::take(const call::PolicyFault& event) {
  policy_faults_.add({event.question, bounded(kPolicyFaults, event.why)}, 1);
}

void CallCounters::take(const call::CallEnded& event) {
  const Place place = known(event.call);
  calls_.erase(event.call.id.value);
  active_.add({place.direction, place.trunk}, -1);
  const std::string reason = label(end_reason_label(event.end.reason));
  const auto ended_by_fault = [&](Fault fault) {
    return ended_.add({place.trunk, label(fault_label(fault)), reason}, 1);
  };
  if (!ended_by_fault(event.end.fault()))
    ended_by_fault(call::Failure::local(event.end.reason).fault());
  if (!event.call.answered) {
    setup_active_.add({place.direction}, -1);
    const int code = event.end.sip_code;
    if (!failures_.add({place.direction, place.trunk, std::to_string(code)}, 1))
      failures_.add({place.direction, place.trunk, code_class(code)}, 1);
  } else if (event.call.ended) {
    duration_.observe({place.direction, place.trunk},
                      seconds_between(*event.call.answered, *event.call.ended));
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
  trunk_up_.set({event.trunk}, event.up ? 1 : 0);
  trunk_degraded_.set({event.trunk}, event.degraded ? 1 : 0);
}

void CallCounters::collect(Exposition& out) const {
  const std::scoped_lock lock(mutex_);
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
