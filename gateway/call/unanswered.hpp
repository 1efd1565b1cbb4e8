#pragma once
#include "call/failure.hpp"
#include "call/leg.hpp"

#include <algorithm>
#include <ranges>

namespace trunkline::call {

/// What a ring time-out of these legs means: trunks from which nothing came at all have rung
/// nobody.
template <std::ranges::forward_range Legs>
EndReason unanswered(const Legs& rung) {
  const bool silent = !std::ranges::empty(rung) && std::ranges::all_of(rung, [](const auto& leg) {
    return leg->kind == Leg::Kind::trunk && leg->phase == Phase::no_response;
  });
  return silent ? EndReason::no_response : EndReason::ring_timeout;
}

}  // namespace trunkline::call
