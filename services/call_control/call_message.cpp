#include "call_control/call_message.hpp"

#include "base/utf8.hpp"

namespace trunkline::call_control {
namespace {

constexpr std::string_view kTrunkParty = "trunk:", kServiceParty = "service:";

v1::CallDirection direction(call::Direction direction) {
  switch (direction) {
    case call::Direction::inbound:
      return v1::CALL_DIRECTION_INBOUND;
    case call::Direction::outbound:
      return v1::CALL_DIRECTION_OUTBOUND;
    case call::Direction::internal:
      return v1::CALL_DIRECTION_INTERNAL;
    case call::Direction::count_:
      break;
  }
  return v1::CALL_DIRECTION_UNSPECIFIED;
}

v1::CallState state_of(call::LegState state) {
  switch (state) {
    case call::LegState::calling:
      return v1::CALL_STATE_CREATED;
    case call::LegState::ringing:
      return v1::CALL_STATE_RINGING;
    case call::LegState::early_media:
      return v1::CALL_STATE_EARLY_MEDIA;
    case call::LegState::answered:
      return v1::CALL_STATE_ANSWERED;
    case call::LegState::held:
      return v1::CALL_STATE_HELD;
    case call::LegState::ended:
      return v1::CALL_STATE_ENDED;
  }
  return v1::CALL_STATE_UNSPECIFIED;
}

v1::EndedBy ended_by(call::EndedBy ended_by) {
  switch (ended_by) {
    case call::EndedBy::caller:
      return v1::ENDED_BY_CALLER;
    case call::EndedBy::callee:
      return v1::ENDED_BY_CALLEE;
    case call::EndedBy::gateway:
      return v1::ENDED_BY_GATEWAY;
    case call::EndedBy::api:
      return v1::ENDED_BY_API;
    case call::EndedBy::count_:
      break;
  }
  return v1::ENDED_BY_UNSPECIFIED;
}

v1::Fault fault(call::Fault fault) {
  switch (fault) {
    case call::Fault::success:
      return v1::FAULT_SUCCESS;
    case call::Fault::user:
      return v1::FAULT_USER;
    case call::Fault::client:
      return v1::FAULT_CLIENT;
    case call::Fault::server:
      return v1::FAULT_SERVER;
    case call::Fault::upstream:
      return v1::FAULT_UPSTREAM;
    case call::Fault::indeterminate:
      return v1::FAULT_INDETERMINATE;
    case call::Fault::count_:
      break;
  }
  return v1::FAULT_UNSPECIFIED;
}

v1::RetrySource retry_source(call::RetrySource source) {
  switch (source) {
    case call::RetrySource::none:
      return v1::RETRY_SOURCE_UNSPECIFIED;
    case call::RetrySource::retry_after:
      return v1::RETRY_SOURCE_RETRY_AFTER;
    case call::RetrySource::computed:
      return v1::RETRY_SOURCE_COMPUTED;
  }
  return v1::RETRY_SOURCE_UNSPECIFIED;
}

/// A trunk says nothing about who is behind it: then the number does.
std::string party(const std::string& party, const std::string& number) {
  const bool trunk = std::string_view(party).starts_with(kTrunkParty);
  return to_utf8((trunk || party.empty()) && !number.empty() ? number : party);
}

FailureScene scene_of(const call::CallView& call, const call::LegView* leg) {
  FailureScene scene;
  scene.call_id = call.name;
  scene.trunk = call.trunk;
  scene.from_leg = call.from_failed;
  if (leg != nullptr) {
    scene.leg_id = leg->id;
    scene.sip_call_id = leg->sip_call_id;
    scene.from_leg = leg->from;
    // Of several trunks that were tried, the one that this leg was on.
    const std::string_view party = leg->party;
    if (party.starts_with(kTrunkParty)) scene.trunk = party.substr(kTrunkParty.size());
  }
  return scene;
}

void write(const call::LegView& leg, const call::CallView& call, v1::Leg& out) {
  out.set_leg_id(leg.id);
  out.set_state(state_of(leg.state));
  out.set_sip_call_id(to_utf8(leg.sip_call_id));
  out.set_party(to_utf8(leg.party));
  if (leg.end) write(*leg.end, scene_of(call, &leg), *out.mutable_end());
  out.set_muted_from_leg(leg.muted_from);
  out.set_muted_to_leg(leg.muted_to);
  out.set_held(leg.held);
}

}  // namespace

v1::CallState state_of(call::CallState state) {
  switch (state) {
    case call::CallState::created:
    case call::CallState::parked:
      return v1::CALL_STATE_CREATED;
    case call::CallState::ringing:
      return v1::CALL_STATE_RINGING;
    case call::CallState::early_media:
      return v1::CALL_STATE_EARLY_MEDIA;
    case call::CallState::answered:
      return v1::CALL_STATE_ANSWERED;
    case call::CallState::held:
      return v1::CALL_STATE_HELD;
    case call::CallState::ended:
      return v1::CALL_STATE_ENDED;
  }
  return v1::CALL_STATE_UNSPECIFIED;
}

void write(std::chrono::system_clock::time_point time, google::protobuf::Timestamp& out) {
  const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
  const auto whole = std::chrono::floor<seconds>(since);
  out.set_seconds(whole.count());
  out.set_nanos(static_cast<std::int32_t>((since - whole).count()));
}

void write(Duration length, google::protobuf::Duration& out) {
  const auto whole = std::chrono::duration_cast<seconds>(length);
  out.set_seconds(whole.count());
  out.set_nanos(static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(length - whole).count()));
}

void write(const call::Failure& end, const FailureScene& scene, v1::CallEnd& out) {
  out.set_sip_code(end.sip_code);
  out.set_reason(end.grpc_reason());
  out.set_ended_by(ended_by(end.ended_by));
  out.set_fault(fault(end.fault()));
  *out.mutable_status() = failure_status(end, scene);
  out.set_cause(std::string(call::end_reason_label(end.reason)));
}

FailureScene scene_of(const call::CallView& call, const call::Failure& end) {
  const call::LegView* found = nullptr;
  for (const call::LegView& leg : call.legs) {
    if (std::string_view(leg.party).starts_with(kServiceParty)) continue;  // it never fails
    if (call.from_failed && leg.from) return scene_of(call, &leg);
    const bool same = leg.end && leg.end->sip_code == end.sip_code &&
                      leg.end->reason == end.reason && leg.end->remote == end.remote;
    // A failure that both legs end with is the to leg's, which the call follows.
    if (same && (found == nullptr || found->from)) found = &leg;
    if (found == nullptr && !leg.end && !leg.from) found = &leg;
  }
  return scene_of(call, found);
}

void write(const call::CallView& call, std::string_view node, v1::Call& out) {
  out.set_call_id(call.name);
  out.set_state(state_of(call.state));
  for (const call::LegView& leg : call.legs)
    write(leg, call, *out.add_legs());
  out.set_from(party(call.from, call.from_number));
  out.set_to(party(call.to, call.to_number));
  out.set_trunk(call.trunk);
  write(call.created, *out.mutable_create_time());
  if (call.ringing) write(*call.ringing, *out.mutable_ring_time());
  if (call.answered) write(*call.answered, *out.mutable_answer_time());
  if (call.ended) write(*call.ended, *out.mutable_end_time());
  if (call.end) write(*call.end, scene_of(call, *call.end), *out.mutable_end());
  for (const auto& [key, value] : call.metadata)
    (*out.mutable_metadata())[key] = to_utf8(value);
  out.set_direction(direction(call.direction));
  out.set_caller(to_utf8(call.caller));
  out.set_dialled(to_utf8(call.dialled));
  out.set_node(std::string(node));
  out.set_caller_hidden(call.caller_hidden);
  out.set_session_id(call.session_id);
  out.set_parked(call.state == call::CallState::parked);
}

void write(const call::LegQuality& leg, v1::LegStats& out) {
  const auto count = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  out.set_leg_id(leg.leg);
  out.set_codec(to_utf8(leg.codec));
  out.set_srtp_profile(leg.srtp_profile);
  out.set_packets_received(count(leg.packets_received));
  out.set_bytes_received(count(leg.bytes_received));
  out.set_packets_sent(count(leg.packets_sent));
  out.set_bytes_sent(count(leg.bytes_sent));
  out.set_packets_lost(count(leg.packets_lost));
  out.set_packets_expected(count(leg.packets_expected));
  out.set_packets_dropped(count(leg.packets_dropped));
  out.set_srtp_failures(count(leg.srtp_failures));
  out.set_jitter_seconds(leg.jitter_seconds);
  if (leg.round_trip_seconds) out.set_round_trip_seconds(*leg.round_trip_seconds);
  if (leg.mos) out.set_mos(*leg.mos);
}

void write(const call::Registration& registration, v1::Registration& out) {
  out.set_registration_id(to_utf8(registration.id));
  out.set_user(to_utf8(registration.user));
  out.set_contact(to_utf8(registration.contact));
  out.set_instance(to_utf8(registration.instance));
  out.set_user_agent(to_utf8(registration.user_agent));
  out.set_transport(registration.transport);
  out.set_source(registration.source);
  out.set_node(to_utf8(registration.node));
  write(registration.registered, *out.mutable_register_time());
  write(registration.expires, *out.mutable_expire_time());
}

namespace {

v1::TrunkTargetState target_state_of(std::string_view label) {
  if (label == "up") return v1::TRUNK_TARGET_STATE_UP;
  if (label == "late") return v1::TRUNK_TARGET_STATE_LATE;
  if (label == "refusing") return v1::TRUNK_TARGET_STATE_REFUSING;
  return label == "down" ? v1::TRUNK_TARGET_STATE_DOWN : v1::TRUNK_TARGET_STATE_UNSPECIFIED;
}

v1::TrunkRegistrationState registration_state_of(std::string_view label) {
  if (label == "registered") return v1::TRUNK_REGISTRATION_STATE_REGISTERED;
  if (label == "failed") return v1::TRUNK_REGISTRATION_STATE_FAILED;
  if (label == "leaving") return v1::TRUNK_REGISTRATION_STATE_LEAVING;
  return label == "gone" ? v1::TRUNK_REGISTRATION_STATE_GONE
                         : v1::TRUNK_REGISTRATION_STATE_REGISTERING;
}

void write_target(const call::TrunkTargetView& target, v1::TrunkTarget& out) {
  out.set_transport(target.transport);
  out.set_address(target.address);
  out.set_state(target_state_of(target.state));
  out.set_priority(target.priority);
  out.set_weight(target.weight);
  if (target.rests) call_control::write(*target.rests, *out.mutable_rest());
}

}  // namespace

void write(const call::TrunkView& trunk, v1::Trunk& out) {
  out.set_trunk(trunk.name);
  out.set_uri(trunk.uri);
  out.set_enabled(trunk.enabled);
  if (!trunk.enabled) {
    out.set_state(v1::TRUNK_STATE_DISABLED);
  } else if (trunk.up) {
    out.set_state(!*trunk.up       ? v1::TRUNK_STATE_DOWN
                  : trunk.degraded ? v1::TRUNK_STATE_DEGRADED
                                   : v1::TRUNK_STATE_UP);
  }
  for (const std::string& address : trunk.addresses)
    out.add_addresses(address);
  out.set_calls(static_cast<std::int32_t>(trunk.calls));
  out.set_max_calls(static_cast<std::int32_t>(trunk.max_calls));
  for (const call::TrunkTargetView& target : trunk.targets)
    write_target(target, *out.add_targets());
  if (!trunk.registration) return;
  v1::TrunkRegistration& registration = *out.mutable_registration();
  registration.set_state(registration_state_of(trunk.registration->state));
  registration.set_failure(to_utf8(trunk.registration->failure));
  if (trunk.registration->expires)
    write(*trunk.registration->expires, *registration.mutable_expires());
}

void write(const call::RouteExplanation& explanation, v1::ExplainRouteResponse& out) {
  for (const call::RouteTry& one : explanation.steps) {
    v1::RouteStep& step = *out.add_steps();
    step.set_rule(to_utf8(one.rule));
    step.set_matched(one.matched);
    step.set_why(to_utf8(one.why));
  }
  out.set_target(to_utf8(explanation.target));
  out.set_request_uri(to_utf8(explanation.request_uri));
  out.set_next_hop(to_utf8(explanation.next_hop));
  out.set_sip_code(explanation.refused_with);
  out.set_text(to_utf8(explanation.text));
}

void write(const call::StatusMapping& row, int sip_code, v1::StatusMapping& out) {
  out.set_sip_code(sip_code);
  out.set_sip_name(std::string(row.sip_name));
  out.set_grpc_code(static_cast<google::rpc::Code>(row.grpc_code));
  out.set_reason(call::status_reason(sip_code));
  out.set_provisional(sip_code < 200);
  out.set_retry(retry_source(row.retry));
  out.set_failover(row.failover);
  out.set_failover_condition(std::string(row.failover_condition));
  out.set_fault(fault(row.fault));
}

}  // namespace trunkline::call_control
