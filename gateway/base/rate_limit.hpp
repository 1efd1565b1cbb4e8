#pragma once
#include "base/time.hpp"

#include <algorithm>
#include <cstdint>

namespace trunkline {

/// A token bucket: `rate` events a second, `burst` at once. Used for log lines about bad input,
/// calls per second and work before authentication. One thread.
class RateLimit {
 public:
  RateLimit(double rate, double burst) : rate_(rate), burst_(burst), tokens_(burst) {}

  /// Takes a token; false when there is none. The number refused since the last success is in
  /// `suppressed()`.
  bool allow(TimePoint now) {
    if (last_ != TimePoint{}) {
      const double elapsed = std::chrono::duration<double>(now - last_).count();
      tokens_ = std::min(burst_, tokens_ + elapsed * rate_);
    }
    last_ = now;
    if (tokens_ < 1) {
      ++suppressed_;
      return false;
    }
    tokens_ -= 1;
    reported_ = suppressed_;
    suppressed_ = 0;
    return true;
  }

  /// How many were refused before the last `allow` that succeeded.
  std::uint64_t suppressed() const { return reported_; }

 private:
  double rate_;
  double burst_;
  double tokens_;
  TimePoint last_{};
  std::uint64_t suppressed_ = 0;
  std::uint64_t reported_ = 0;
};

}  // namespace trunkline
