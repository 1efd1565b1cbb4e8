#pragma once
#include "call/observer.hpp"

#include "telemetry/series.hpp"
#include <mutex>
#include <string>
#include <vector>

namespace trunkline::telemetry {

/// What the media of ended calls was like: one observation a leg, from what the workers counted in
/// its life. One thread observes; any may collect. A browser's leg is counted without its trunk,
/// but where the silence of one side of a call is told.
class QualityCounters {
 public:
  explicit QualityCounters(const std::vector<std::string>& trunks);
  void take(const call::CallMeasured& event);
  /// There are series for these trunks from now on, and for no others.
  void reconfigure(const std::vector<std::string>& trunks);
  void collect(Exposition& out) const;

 private:
  void take_leg(const call::CallView& call, const call::LegQuality& leg);
  void take_silence(const call::CallMeasured& event);
  std::string trunk_label(const std::string& trunk) const;

  void prepare();

  mutable std::mutex mutex_;  ///< of the sets of series: taken to change them, and to read them all
  std::vector<std::string> trunks_;
  Series lost_, expected_, grades_, one_way_, no_media_;
  HistogramSeries jitter_, round_trip_, mos_;
};

}  // namespace trunkline::telemetry
