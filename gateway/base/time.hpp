#pragma once
#include <algorithm>
#include <chrono>

namespace trunkline {

/// Monotonic time. Machines never read a clock: time is an argument of every input.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The deadline of a machine that waits for nothing.
inline constexpr TimePoint kNever = TimePoint::max();

}  // namespace trunkline
