#pragma once
#include "call/failure.hpp"
#include "call/leg.hpp"

#include <algorithm>
#include <span>

namespace trunkline::call {

/// What a ring time-out of these legs means: trunks from which nothing came at all have rung
/// nobody.
inline EndReason unanswered(std::span<const Leg* const> rung) {
  const bool silent = !rung.empty() && std::ranges::all_of(rung, [](const Leg* leg) {
    return leg->kind == Leg::Kind::trunk && leg->phase == Phase::no_response;
  });
  return silent ? EndReason::no_response : EndReason::ring_timeout;
}

}  // namespace trunkline::call
