#pragma once
#include "base/metrics.hpp"
#include "base/rate_limit.hpp"
#include "base/result.hpp"
#include "call/observer.hpp"

#include "telemetry/cdr_file.hpp"
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

namespace trunkline::telemetry {

struct CdrSettings {
  std::string path, node;
  CdrFile::Limits limits{};
  std::size_t queue = 10000;  ///< calls that wait to be written; of one more nothing is kept
};

/// Writes the records of calls that have ended to a file, in a thread of its own. While the file
/// can't be written, calls wait, and it is tried again every second.
class CdrWriter final : public call::Observer, public MetricSource {
 public:
  /// Fails, in words for an operator, if the file can't be opened.
  static Result<std::unique_ptr<CdrWriter>> start(CdrSettings settings);
  /// Tries once more to write what waits, and ends the thread.
  ~CdrWriter() override;

  /// Signalling thread.
  void observe(const call::Observation& observation) override;
  void collect(MetricSink& sink) const override;

 private:
  explicit CdrWriter(CdrSettings settings);
  void put(call::CallMeasured call);
  void run();
  Result<void> write(const std::deque<call::CallMeasured>& calls);

  const CdrSettings settings_;
  CdrFile file_;  ///< of the thread
  /// Ended, and not measured yet: a gateway that stops does not wait for that.
  std::unordered_map<std::uint64_t, call::CallMeasured> unmeasured_;

  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<call::CallMeasured> queue_;
  bool stopping_ = false;
  std::size_t in_hand_ = 0;  ///< calls that the thread has taken from the queue
  RateLimit complaints_{1.0 / 60, 1};
  Cell written_, failures_, spool_, removed_;  ///< of the thread
  Cell dropped_;                               ///< of the observer
  std::thread thread_;
};

}  // namespace trunkline::telemetry
