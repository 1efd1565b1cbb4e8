#pragma once
#include "base/metrics.hpp"
#include "call/observer.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::telemetry {

struct MetricsSettings {
  std::string version;
  std::string configuration;  ///< a hash of it, to tell nodes apart that run different ones
  std::vector<std::string>
      trunks;  ///< configured names: the only values of the label `trunk`, besides "_other"
};

/// Counts what happens to calls and registrations, and writes all metrics of the process as
/// Prometheus text. Every series that configuration and enums can name exists with 0 from the
/// start, so that rate() sees the first event. A call without a trunk has an empty `trunk` label.
class Metrics final : public call::Observer {
 public:
  explicit Metrics(const MetricsSettings& settings);
  ~Metrics() override;

  /// On the signalling thread.
  void observe(const call::Observation& observation) override;

  /// The configuration was read again: its hash is the one in force now, unless it was not taken.
  /// With keys that wait for a restart. Any thread.
  void config_loaded(std::string hash, bool needs_restart);
  void config_refused();

  /// One more source, asked at each scrape and alive at the last. Any thread.
  void add_source(const MetricSource& source);

  /// The whole page, any thread.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::telemetry
