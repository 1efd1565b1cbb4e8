#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline {

/// A counter or gauge with one writing thread and any number of readers: an addition is a plain
/// load and store, never a locked instruction, so it may stand on a packet path.
class Cell {
 public:
  void add(std::int64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::int64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// As a `MetricSink` takes it.
inline double value(const Cell& cell) {
  return static_cast<double>(cell.get());
}

/// Visits each value of an enum whose last enumerator is `count_`.
template <class Enum, class Visit>
void for_each(Visit visit) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(Enum::count_); ++i)
    visit(static_cast<Enum>(i));
}

/// One `Cell` per value of an enum whose last enumerator is `count_`.
template <class Enum>
class CellArray {
 public:
  Cell& operator[](Enum key) { return cells_[static_cast<std::size_t>(key)]; }
  const Cell& operator[](Enum key) const { return cells_[static_cast<std::size_t>(key)]; }

 private:
  std::array<Cell, static_cast<std::size_t>(Enum::count_)> cells_{};
};

/// A histogram with fixed upper bounds and one writing thread. Values in the metric's base unit
/// (seconds, bytes).
class HistogramCell {
 public:
  explicit HistogramCell(std::vector<double> bounds)
      : bounds_(std::move(bounds)), buckets_(bounds_.size() + 1) {}
  void observe(double value) {
    std::size_t bucket = 0;
    while (bucket < bounds_.size() && value > bounds_[bucket])
      ++bucket;
    buckets_[bucket].add();
    sum_micro_.add(static_cast<std::int64_t>(value * 1e6));
  }
  std::span<const double> bounds() const { return bounds_; }
  /// Not cumulative; one more than `bounds()` (the last is +Inf).
  std::vector<std::uint64_t> counts() const {
    std::vector<std::uint64_t> counts;
    for (const Cell& cell : buckets_)
      counts.push_back(static_cast<std::uint64_t>(cell.get()));
    return counts;
  }
  double sum() const { return static_cast<double>(sum_micro_.get()) / 1e6; }

 private:
  std::vector<double> bounds_;
  std::vector<Cell> buckets_;
  Cell sum_micro_;
};

using MetricLabels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Takes the values of all metrics at a scrape. Names are full ("trunkline_calls_active"); labels
/// come only from configuration and enums. Called on the scraping thread.
class MetricSink {
 public:
  virtual ~MetricSink() = default;
  virtual void counter(std::string_view name, std::string_view help, MetricLabels labels,
                       double value) = 0;
  virtual void gauge(std::string_view name, std::string_view help, MetricLabels labels,
                     double value) = 0;
  virtual void histogram(std::string_view name, std::string_view help, MetricLabels labels,
                         const HistogramCell& value) = 0;
};

/// Something that has metrics: each layer's counters implement it. `collect` is called from the
/// scraping thread while the owner goes on counting.
class MetricSource {
 public:
  virtual ~MetricSource() = default;
  virtual void collect(MetricSink& sink) const = 0;
};

}  // namespace trunkline
