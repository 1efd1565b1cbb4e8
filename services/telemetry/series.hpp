#pragma once
#include "base/metrics.hpp"

#include "telemetry/exposition.hpp"
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::telemetry {

/// What a metric is called and by what it is divided.
struct Description {
  std::string_view name, help;
  std::vector<std::string_view> labels;
};

/// More series than this are not made: label values come from configuration and enums, so it is
/// only a safety net.
inline constexpr std::size_t kMaxSeries = 20000;

/// All series of one counter or gauge. The owner's lock guards it.
class Series {
 public:
  explicit Series(Description description) : description_(std::move(description)) {}
  /// `values`: one a label. Adding 0 makes the series exist.
  void add(std::vector<std::string> values, std::int64_t amount) {
    const auto found = values_.find(values);
    if (found != values_.end()) {
      found->second += amount;
    } else if (values_.size() < kMaxSeries) {
      values_.emplace(std::move(values), amount);
    }
  }
  void set(std::vector<std::string> values, std::int64_t value) {
    if (values_.size() < kMaxSeries || values_.contains(values)) values_[std::move(values)] = value;
  }
  void collect_counters(Exposition& out) const {
    for (const auto& [values, number] : values_) {
      out.add_counter(description_.name, description_.help, labels(values),
                      static_cast<double>(number));
    }
  }
  void collect_gauges(Exposition& out) const {
    for (const auto& [values, number] : values_) {
      out.add_gauge(description_.name, description_.help, labels(values),
                    static_cast<double>(number));
    }
  }

 private:
  Labels labels(const std::vector<std::string>& values) const {
    Labels result;
    for (std::size_t i = 0; i < values.size(); ++i)
      result.emplace_back(description_.labels[i], values[i]);
    return result;
  }

  Description description_;
  std::map<std::vector<std::string>, std::int64_t> values_;
};

/// All series of one histogram.
class HistogramSeries {
 public:
  HistogramSeries(Description description, std::vector<double> bounds)
      : description_(std::move(description)), bounds_(std::move(bounds)) {}
  /// Makes the series exist; null when there are too many.
  HistogramCell* cell(std::vector<std::string> values) {
    const auto found = cells_.find(values);
    if (found != cells_.end()) return &found->second;
    if (cells_.size() >= kMaxSeries) return nullptr;
    return &cells_.try_emplace(std::move(values), bounds_).first->second;
  }
  void observe(std::vector<std::string> values, double value) {
    if (HistogramCell* found = cell(std::move(values))) found->observe(value);
  }
  void collect(Exposition& out) const {
    for (const auto& [values, cell] : cells_) {
      Labels labels;
      for (std::size_t i = 0; i < values.size(); ++i)
        labels.emplace_back(description_.labels[i], values[i]);
      out.add_histogram(description_.name, description_.help, labels, cell);
    }
  }

 private:
  Description description_;
  std::vector<double> bounds_;
  std::map<std::vector<std::string>, HistogramCell> cells_;
};

}  // namespace trunkline::telemetry
