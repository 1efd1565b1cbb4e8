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
  void collect_configuration(Exposition& out) const;

  std::string version;
  mutable std::mutex configuration_mutex;
  std::string configuration;
  bool config_read = true, needs_restart = false;
  std::chrono::system_clock::time_point loaded = std::chrono::system_clock::now();
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
  if (const auto* configured = std::get_if<call::TrunksConfigured>(&observation))
    impl_->quality.reconfigure(impl_->calls.reconfigure(configured->trunks));
}

void Metrics::config_loaded(std::string hash, bool needs_restart) {
  const std::scoped_lock lock(impl_->configuration_mutex);
  impl_->configuration = std::move(hash);
  impl_->needs_restart = needs_restart;
  impl_->config_read = true;
  impl_->loaded = std::chrono::system_clock::now();
}

void Metrics::config_refused() {
  const std::scoped_lock lock(impl_->configuration_mutex);
  impl_->config_read = false;
}

/// Of the configuration that is in force, and of the last attempt to read it.
void Metrics::Impl::collect_configuration(Exposition& out) const {
  const std::scoped_lock lock(configuration_mutex);
  out.add_gauge("trunkline_config_hash_info",
                "The configuration that is in force, by its hash; always 1.",
                {{"hash", configuration}}, 1);
  out.add_gauge("trunkline_config_last_reload_successful",
                "Whether the configuration file was of use when it was last read.", {},
                config_read ? 1 : 0);
  out.add_gauge("trunkline_config_last_reload_success_timestamp_seconds",
                "When the configuration file was last read and of use, Unix time.", {},
                std::chrono::duration<double>(loaded.time_since_epoch()).count());
  out.add_gauge("trunkline_config_needs_restart",
                "Whether the configuration file has keys that are not in force before a restart.",
                {}, needs_restart ? 1 : 0);
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
  impl_->collect_configuration(out);
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
