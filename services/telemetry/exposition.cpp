#include "telemetry/exposition.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace trunkline::telemetry {

prometheus::ClientMetric* Exposition::series(std::string_view name, std::string_view help,
                                             const Labels& labels, prometheus::MetricType type) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_.emplace(std::string(name), Family{}).first;
    found->second.family.name = name;
    found->second.family.help = help;
    found->second.family.type = type;
  }
  Family& family = found->second;
  if (family.family.type != type) return nullptr;
  std::vector<prometheus::ClientMetric::Label> key;
  for (const auto& [label, value] : labels)
    key.push_back({std::string(label), std::string(value)});
  std::ranges::sort(key, {}, &prometheus::ClientMetric::Label::name);
  const auto [place, added] = family.places.emplace(key, family.family.metric.size());
  if (added) family.family.metric.emplace_back().label = std::move(key);
  return &family.family.metric[place->second];
}

void Exposition::add_counter(std::string_view name, std::string_view help, const Labels& labels,
                             double value) {
  if (auto* metric = series(name, help, labels, prometheus::MetricType::Counter))
    metric->counter.value += value;
}

void Exposition::add_gauge(std::string_view name, std::string_view help, const Labels& labels,
                           double value) {
  if (auto* metric = series(name, help, labels, prometheus::MetricType::Gauge))
    metric->gauge.value += value;
}

void Exposition::add_histogram(std::string_view name, std::string_view help, const Labels& labels,
                               const HistogramCell& value) {
  auto* metric = series(name, help, labels, prometheus::MetricType::Histogram);
  if (metric == nullptr) return;
  auto& histogram = metric->histogram;
  const std::vector<std::uint64_t> counts = value.counts();
  if (histogram.bucket.empty()) {
    for (const double bound : value.bounds())
      histogram.bucket.push_back({0, bound});
    histogram.bucket.push_back({0, std::numeric_limits<double>::infinity()});
  }
  if (histogram.bucket.size() != counts.size()) return;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    histogram.bucket[i].cumulative_count += cumulative;
  }
  histogram.sample_count += cumulative;
  histogram.sample_sum += value.sum();
}

void Exposition::counter(std::string_view name, std::string_view help, MetricLabels labels,
                         double value) {
  add_counter(name, help, Labels(labels), value);
}

void Exposition::gauge(std::string_view name, std::string_view help, MetricLabels labels,
                       double value) {
  add_gauge(name, help, Labels(labels), value);
}

void Exposition::histogram(std::string_view name, std::string_view help, MetricLabels labels,
                           const HistogramCell& value) {
  add_histogram(name, help, Labels(labels), value);
}

std::string Exposition::text() const {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& [name, family] : families_)
    families.push_back(family.family);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace trunkline::telemetry
