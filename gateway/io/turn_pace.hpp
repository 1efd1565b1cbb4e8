#pragma once
#include "base/time.hpp"

#include <algorithm>
#include <cstddef>

namespace trunkline::io {

/// How far apart the turns of a media worker begin. Waking costs more than a packet does, so a busy
/// worker lets some gather and handles them together, while one with little to do handles each as
/// it comes. Its clock is an argument; one thread.
class TurnPace {
 public:
  /// Below `kFrom` packets a second nothing waits; from `kTo` on the whole of what `kGathered` need
  /// to come, and never longer than `kLongest`: audio has 20 ms between two packets.
  static constexpr double kFrom = 8000, kTo = 16000, kGathered = 16;
  static constexpr Duration kLongest = milliseconds{1};
  /// Over which the rate is measured.
  static constexpr Duration kWindow = milliseconds{50};

  void count(std::size_t packets) { packets_ += packets; }

  void end_turn(TimePoint now) {
    if (now - begun_ >= kWindow) measure(now);
  }
  /// From the begin of one turn to that of the next.
  Duration interval() const { return interval_; }

 private:
  void measure(TimePoint now) {
    const double rate =
        static_cast<double>(packets_) / std::chrono::duration<double>(now - begun_).count();
    const double share = std::clamp((rate - kFrom) / (kTo - kFrom), 0.0, 1.0);
    interval_ = share == 0 ? Duration{}
                           : std::min(kLongest,
                                      std::chrono::duration_cast<Duration>(
                                          std::chrono::duration<double>(share * kGathered / rate)));
    packets_ = 0;
    begun_ = now;
  }

  std::size_t packets_ = 0;
  TimePoint begun_{};
  Duration interval_{};
};

}  // namespace trunkline::io
