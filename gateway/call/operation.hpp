#pragma once
#include "base/ids.hpp"
#include "base/time.hpp"
#include "call/control.hpp"
#include "call/engine.hpp"
#include "sip/effects.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// Requests of the API that a call has begun and not yet replied to. Each has its one reply at the
/// latest with the end of the call.
namespace trunkline::call {

/// Hold or resume of a leg, until its peer agrees. One at a time.
struct HoldOperation {
  RequestId request;
  LegId leg;
  bool hold = true;
  int collisions = 0;           ///< offers that crossed one of the peer (RFC 3261 §14.1)
  TimePoint again_at = kNever;  ///< our offer could not be made, or collided
  TimePoint give_up_at = kNever;
};

/// Digits sent one after the other by INFO. One at a time.
struct DigitsOperation {
  RequestId request;
  LegId leg;
  std::string left;  ///< the first is on its way
  std::uint32_t duration_ms = 0;
  sip::TransactionId info;
};

/// A question to the media worker about all legs; requests that come meanwhile share its answer.
struct StatisticsOperation {
  std::uint64_t query = 0;
  std::vector<RequestId> requests;
  std::vector<LegId> awaited;
  CallStatistics gathered;
  TimePoint give_up_at = kNever;
};

}  // namespace trunkline::call
