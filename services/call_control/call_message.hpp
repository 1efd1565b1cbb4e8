#pragma once
#include "call/control.hpp"
#include "call/observer.hpp"

#include "call_control/status_details.hpp"
#include "trunkline/v1/call.pb.h"
#include "trunkline/v1/call_service.pb.h"
#include "trunkline/v1/node_service.pb.h"
#include "trunkline/v1/registration_service.pb.h"
#include "trunkline/v1/routing_service.pb.h"
#include "trunkline/v1/trunk_service.pb.h"
#include <chrono>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

/// The gateway's values as messages of the API. What came from peers is made UTF-8. Pure.
namespace trunkline::call_control {

void write(std::chrono::system_clock::time_point time, google::protobuf::Timestamp& out);
void write(Duration length, google::protobuf::Duration& out);

v1::CallState state_of(call::CallState state);
void write(const call::CallView& call, std::string_view node, v1::Call& out);
void write(const call::Failure& end, const FailureScene& scene, v1::CallEnd& out);
void write(const call::LegQuality& leg, v1::LegStats& out);
void write(const call::Registration& registration, v1::Registration& out);
void write(const call::TrunkView& trunk, v1::Trunk& out);
void write(const call::RouteExplanation& explanation, v1::ExplainRouteResponse& out);
void write(const call::StatusMapping& row, int sip_code, v1::StatusMapping& out);

/// Where in the call the failure is: the leg that ended with it, else the to leg.
FailureScene scene_of(const call::CallView& call, const call::Failure& end);

}  // namespace trunkline::call_control
