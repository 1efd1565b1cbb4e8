#pragma once
#include "call/observer.hpp"

#include <string>

/// Calls as the gateway would show them.
namespace trunkline::call_control {

inline call::CallView new_call(const std::string& name) {
  call::CallView view;
  view.name = name;
  view.direction = call::Direction::outbound;
  view.trunk = "carrier";
  view.from = "user:alice";
  view.to = "trunk:carrier";
  view.caller = "alice";
  view.dialled = view.to_number = "+4930123";
  view.created = std::chrono::system_clock::time_point{std::chrono::seconds{1'700'000'000}};
  call::LegView from, to;
  from.id = "from";
  from.from = true;
  from.party = "user:alice";
  to.id = "to";
  to.party = "trunk:carrier";
  to.sip_call_id = name + "@gw";
  view.legs = {from, to};
  return view;
}

inline call::CallView ringing(call::CallView view) {
  view.state = call::CallState::ringing;
  view.legs[1].state = call::LegState::ringing;
  view.ringing = view.created;
  return view;
}

inline call::CallView answered(call::CallView view) {
  view.state = call::CallState::answered;
  view.legs[0].state = view.legs[1].state = call::LegState::answered;
  view.answered = view.created + std::chrono::milliseconds{1500};
  return view;
}

inline call::CallView ended(call::CallView view, const call::Failure& end) {
  view.state = call::CallState::ended;
  for (call::LegView& leg : view.legs) {
    leg.state = call::LegState::ended;
    if (!leg.from) leg.end = end;
  }
  view.legs[0].end = call::Failure::local(call::EndReason::hangup);
  view.ended = view.created + std::chrono::seconds{9};
  view.end = end;
  return view;
}

}  // namespace trunkline::call_control
