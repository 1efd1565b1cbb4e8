#include "telemetry/metrics.hpp"

#include "base/log.hpp"
#include "base/log_totals.hpp"

#include "telemetry/call_counters.hpp"
#include "telemetry/process_metrics.hpp"
#include "telemetry/quality_counters.hpp"
#include <array>
#include <chrono>
#include <mutex>

namespace trunkline::telemetry {

struct Metrics::Impl {
  explicit Impl(const MetricsSettings& settings)
      : version(settings.version),
        configuration(settings.configuration),
        calls(settings.trunks),
        quality(settings.trunks) {}

  std::string version, configuration;
  CallCounters calls;
  QualityCounters quality;
  mutable std::mutex sources_mutex;
  std::vector<const MetricSource*> sources;
};

Metrics::Metrics(const MetricsSettings& settings) : impl_(std::make_unique<Impl>(settings)) {}
Metrics::~Metrics() = default;

void Metrics::observe(const call::Observation& observation) {
  impl_->calls.observe(observation);
  if (const auto* measured = std::get_if<call::CallMeasured>(&observation))
    impl_->quality.take(*measured);
}

void Metrics::add_source(const MetricSource& source) {
  const std::scoped_lock lock(impl_->sources_mutex);
  impl_->sources.push_back(&source);
}

std::string Metrics::text() const {
  Exposition out;
  impl_->calls.collect(out);
  impl_->quality.collect(out);
  {
    const std::scoped_lock lock(impl_->sources_mutex);
    for (const MetricSource* source : impl_->sources)
      source->collect(out);
  }
  out.add_gauge("trunkline_build_info", "What is running; always 1.",
                {{"version", impl_->version}, {"compiler", __VERSION__}}, 1);
  out.add_gauge("trunkline_config_hash_info",
                "The configuration that is in force, by its hash; always 1.",
                {{"hash", impl_->configuration}}, 1);
  const log::Totals lines = log::totals();
  const auto queued = log::totals_by_level();
  constexpr std::array kLevels{"trace", "debug", "info", "warn", "error"};
  for (std::size_t level = 0; level < kLevels.size(); ++level) {
    out.add_counter("trunkline_log_messages_total", "Log lines.", {{"level", kLevels[level]}},
                    static_cast<double>(queued[level]));
  }
  out.add_counter("trunkline_log_dropped_total", "Log lines dropped because the writer was behind.",
                  {}, static_cast<double>(lines.dropped));
  collect_process(out);
  return out.text();
}

}  // namespace trunkline::telemetry
