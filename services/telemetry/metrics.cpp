#include "telemetry/metrics.hpp"

#include "base/log.hpp"

#include "telemetry/call_counters.hpp"
#include "telemetry/process_metrics.hpp"
#include <chrono>
#include <mutex>

namespace trunkline::telemetry {

struct Metrics::Impl {
  explicit Impl(const MetricsSettings& settings)
      : version(settings.version), calls(settings.trunks) {}

  std::string version;
  mutable std::mutex calls_mutex;  ///< a few calls a second on one side, a scrape on the other
  CallCounters calls;
  mutable std::mutex sources_mutex;
  std::vector<const MetricSource*> sources;
};

Metrics::Metrics(const MetricsSettings& settings) : impl_(std::make_unique<Impl>(settings)) {}
Metrics::~Metrics() = default;

void Metrics::observe(const call::Observation& observation) {
  const std::scoped_lock lock(impl_->calls_mutex);
  impl_->calls.observe(observation);
}

void Metrics::add_source(const MetricSource& source) {
  const std::scoped_lock lock(impl_->sources_mutex);
  impl_->sources.push_back(&source);
}

std::string Metrics::text() const {
  Exposition out;
  {
    const std::scoped_lock lock(impl_->calls_mutex);
    impl_->calls.collect(out);
  }
  {
    const std::scoped_lock lock(impl_->sources_mutex);
    for (const MetricSource* source : impl_->sources)
      source->collect(out);
  }
  out.add_gauge("trunkline_build_info", "What is running; always 1.",
                {{"version", impl_->version}, {"compiler", __VERSION__}}, 1);
  const log::Totals lines = log::totals();
  out.add_counter("trunkline_log_messages_total", "Log lines written.", {},
                  static_cast<double>(lines.written));
  out.add_counter("trunkline_log_dropped_total", "Log lines dropped because the writer was behind.",
                  {}, static_cast<double>(lines.dropped));
  collect_process(out);
  return out.text();
}

}  // namespace trunkline::telemetry
