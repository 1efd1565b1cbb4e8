#pragma once
#include "call/control.hpp"
#include "call/observer.hpp"

#include "call_control/call_media.hpp"
#include "call_control/server.hpp"
#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>

/// The gateway's values as the console's JSON (docs/console.md). Times are milliseconds, those of
/// the wall clock since 1970; a loss is 0 to 1; what is not known is null. Pure.
namespace trunkline::call_control {

using Json = nlohmann::ordered_json;

std::int64_t json_time(std::chrono::system_clock::time_point time);
/// The call, its legs, and how their media are now.
Json to_json(const call::CallView& call, const CallMedia& media);
/// The same with all that is known of the media over the call's life.
Json to_json_with_history(const call::CallView& call, const CallMedia& media);
Json to_json(const call::Failure& end);
Json to_json(const call::Registration& registration);
Json to_json(const call::TrunkView& trunk);
Json to_json(const call::NodeView& node, const Settings& settings);

/// Whatever a peer has sent is in it as well-formed UTF-8.
std::string text_of(const Json& document);

}  // namespace trunkline::call_control
