#pragma once
#include "base/log.hpp"

#include <array>
#include <cstdint>

namespace trunkline::log {

/// Lines queued since the start, by level: trace, debug, info, warn, error.
std::array<std::uint64_t, 5> totals_by_level();

}  // namespace trunkline::log
