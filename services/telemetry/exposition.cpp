#include "telemetry/exposition.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <limits>

namespace trunkline::telemetry {

namespace {

using Label = prometheus::ClientMetric::Label;

std::vector<Label> sorted(const Labels& labels) {
  std::vector<Label> all;
  all.reserve(labels.size());
  for (const auto& [label, value] : labels)
    all.push_back({std::string(label), std::string(value)});
  std::ranges::sort(all, {}, &Label::name);
  return all;
}

void add(prometheus::ClientMetric::Histogram& histogram, const HistogramCell& value) {
  const std::vector<std::uint64_t> counts = value.counts();
  if (histogram.bucket.empty()) {
    histogram.bucket.reserve(counts.size());
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

}  // namespace

Exposition::Family* Exposition::family(std::string_view name, std::string_view help,
                                       prometheus::MetricType type) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_.emplace(std::string(name), Family{}).first;
    found->second.family.name = name;
    found->second.family.help = help;
    found->second.family.type = type;
  }
  return found->second.family.type == type ? &found->second : nullptr;
}

Exposition::Metric* Exposition::series(std::string_view name, std::string_view help,
                                       const Labels& labels, prometheus::MetricType type) {
  Family* const known = family(name, help, type);
  if (known == nullptr) return nullptr;
  auto key = sorted(labels);
  const auto [place, added] = known->places.emplace(key, known->family.metric.size());
  if (added) known->family.metric.emplace_back().label = std::move(key);
  return &known->family.metric[place->second];
}

Exposition::Metric* Exposition::fresh(std::string_view name, std::string_view help,
                                      const Labels& labels, prometheus::MetricType type) {
  Family* const known = family(name, help, type);
  if (known == nullptr) return nullptr;
  Metric& metric = known->family.metric.emplace_back();
  metric.label = sorted(labels);
  return &metric;
}

void Exposition::append_counter(std::string_view name, std::string_view help, const Labels& labels,
                                double value) {
  if (Metric* metric = fresh(name, help, labels, prometheus::MetricType::Counter))
    metric->counter.value = value;
}

void Exposition::append_gauge(std::string_view name, std::string_view help, const Labels& labels,
                              double value) {
  if (Metric* metric = fresh(name, help, labels, prometheus::MetricType::Gauge))
    metric->gauge.value = value;
}

void Exposition::append_histogram(std::string_view name, std::string_view help,
                                  const Labels& labels, const HistogramCell& value) {
  if (Metric* metric = fresh(name, help, labels, prometheus::MetricType::Histogram))
    add(metric->histogram, value);
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
  if (auto* metric = series(name, help, labels, prometheus::MetricType::Histogram))
    add(metric->histogram, value);
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

std::string Exposition::text() {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(families_.size());
  for (auto& [name, family] : families_)
    families.push_back(std::move(family.family));
  families_.clear();
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace trunkline::telemetry
