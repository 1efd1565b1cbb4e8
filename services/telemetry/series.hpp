#pragma once
#include "base/metrics.hpp"

#include "telemetry/exposition.hpp"
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::telemetry {

/// What a metric is called and by what it is divided.
struct Description {
  std::string_view name, help;
  std::vector<std::string_view> labels;
};

/// All series of one metric, each made by `prepare`: nobody can make one by what he sends. One
/// thread may count while another reads, without a lock; `prepare` and `forget` once the metric is
/// shared need the owner's, against those who read.
template <class Value>
class SeriesOf {
 public:
  using Labelled = std::vector<std::string>;  ///< values of the labels, in their order

  explicit SeriesOf(Description description) : description_(std::move(description)) {}
  template <class... Args>
  void prepare(Labelled values, Args&&... args) {
    all_.try_emplace(std::move(values), std::forward<Args>(args)...);
  }
  /// Removes the series with this value of the label.
  void forget(std::string_view label, const std::string& value) {
    const auto at = std::ranges::find(description_.labels, label);
    if (at == description_.labels.end()) return;
    const auto index = static_cast<std::size_t>(at - description_.labels.begin());
    std::erase_if(all_, [&](const auto& series) { return series.first[index] == value; });
  }
  /// Null: there is no such series.
  Value* find(const Labelled& values) {
    const auto found = all_.find(values);
    return found == all_.end() ? nullptr : &found->second;
  }

 protected:
  template <class Visit>
  void for_each(Visit visit) const {
    Labels labels(description_.labels.size());
    for (const auto& [values, value] : all_) {
      for (std::size_t i = 0; i < values.size(); ++i)
        labels[i] = {description_.labels[i], values[i]};
      visit(labels, value);
    }
  }
  Description description_;

 private:
  std::map<Labelled, Value> all_;
};

/// A counter or a gauge.
class Series final : public SeriesOf<Cell> {
 public:
  using SeriesOf::SeriesOf;
  /// False: there is no such series.
  bool add(const Labelled& values, std::int64_t amount) {
    Cell* const cell = find(values);
    if (cell != nullptr) cell->add(amount);
    return cell != nullptr;
  }
  void set(const Labelled& values, std::int64_t value) {
    if (Cell* const cell = find(values)) cell->set(value);
  }
  void collect_counters(Exposition& out) const {
    for_each([&](const Labels& labels, const Cell& cell) {
      out.append_counter(description_.name, description_.help, labels,
                         static_cast<double>(cell.get()));
    });
  }
  void collect_gauges(Exposition& out) const {
    for_each([&](const Labels& labels, const Cell& cell) {
      out.append_gauge(description_.name, description_.help, labels,
                       static_cast<double>(cell.get()));
    });
  }
};

class HistogramSeries final : public SeriesOf<HistogramCell> {
 public:
  HistogramSeries(Description description, std::vector<double> bounds)
      : SeriesOf(std::move(description)), bounds_(std::move(bounds)) {}
  void prepare(Labelled values) { SeriesOf::prepare(std::move(values), bounds_); }
  void observe(const Labelled& values, double value) {
    if (HistogramCell* const cell = find(values)) cell->observe(value);
  }
  void collect(Exposition& out) const {
    for_each([&](const Labels& labels, const HistogramCell& cell) {
      out.append_histogram(description_.name, description_.help, labels, cell);
    });
  }

 private:
  std::vector<double> bounds_;
};

}  // namespace trunkline::telemetry
