#pragma once
#include "call/observer.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::telemetry {

/// The version of the records' form: `schema` of each. A field that is new does not change it; one
/// that goes or means something else does.
inline constexpr int kCdrSchema = 1;

/// The records of a call that has ended: one line of JSON for the call, then one for each of its
/// legs, without line ends. docs/cdr.schema.json says all of it.
std::vector<std::string> cdr_lines(const call::CallMeasured& call, std::string_view node);

}  // namespace trunkline::telemetry
