#pragma once
#include "call/observer.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

/// How the media of a call's legs were over its life, as observed. One thread.
namespace trunkline::call_control {

/// One leg over some seconds. "Sent" is what its peer sent, as the gateway got it; "at peer" is
/// what the gateway sent, as the peer's RTCP tells. What is not known is not a number.
struct QualityPoint {
  float at = 0;  ///< seconds since the call began
  float loss, jitter_ms, mos;
  float peer_loss, peer_jitter_ms, peer_mos;  ///< losses are 0 to 1
  float round_trip_ms;
};

/// A leg's points, of its whole life, in bounded room: when there is no more, each two become one,
/// and what follows is as coarse. A point that stands for several has the worst of each figure.
class QualityHistory {
 public:
  static constexpr std::size_t kMaxPoints = 180;  ///< a quarter of an hour, a point each 5 seconds

  void add(const QualityPoint& point);
  const std::vector<QualityPoint>& points() const { return points_; }

 private:
  void coarsen();

  std::vector<QualityPoint> points_;
  std::size_t samples_ = 1, in_last_ = 0;  ///< that a point stands for, and that the last one has
};

/// What is known of one leg's media.
struct LegMedia {
  call::LegQuality last;  ///< as last told; of a leg that has ended, all that it counted
  QualityHistory history;
  bool silent = false, unheard = false;  ///< now: nothing comes from the peer, it gets nothing
  std::string cause;                     ///< the last of MediaChanged; empty: none, or not known
};

/// Of all legs of a call.
class CallMedia {
 public:
  /// Of one call: those of further legs are not kept.
  static constexpr std::size_t kMaxLegs = 8;

  void observe(const call::CallSampled& sample, std::chrono::system_clock::time_point call_began);
  void observe(const call::MediaChanged& change);
  void observe(const call::CallMeasured& measured);

  /// Null: nothing is known.
  const LegMedia* find(const std::string& leg) const;

 private:
  LegMedia* at(const std::string& leg);

  std::vector<LegMedia> legs_;
};

}  // namespace trunkline::call_control
