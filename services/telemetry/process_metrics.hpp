#pragma once
#include "telemetry/exposition.hpp"

namespace trunkline::telemetry {

/// Reads what Linux knows of this process (/proc/self) into the usual process_* metrics. What can't
/// be read is left out.
void collect_process(Exposition& out);

}  // namespace trunkline::telemetry
