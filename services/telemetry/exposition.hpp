#pragma once
#include "base/metrics.hpp"

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::telemetry {

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

/// Collects the values of one scrape into metric families: one HELP and TYPE a name, whoever
/// reports it, and one line a series. Sources that report the same series (the media workers) are
/// added up. A name keeps the type it came with first; what contradicts it is left out, since the
/// text would be invalid. One thread.
class Exposition final : public MetricSink {
 public:
  void counter(std::string_view name, std::string_view help, MetricLabels labels,
               double value) override;
  void gauge(std::string_view name, std::string_view help, MetricLabels labels,
             double value) override;
  void histogram(std::string_view name, std::string_view help, MetricLabels labels,
                 const HistogramCell& value) override;

  /// The same for label sets made at run time.
  void add_counter(std::string_view name, std::string_view help, const Labels& labels,
                   double value);
  void add_gauge(std::string_view name, std::string_view help, const Labels& labels, double value);
  void add_histogram(std::string_view name, std::string_view help, const Labels& labels,
                     const HistogramCell& value);

  /// The same for series of which each is given only once, by one source: they are not looked up.
  void append_counter(std::string_view name, std::string_view help, const Labels& labels,
                      double value);
  void append_gauge(std::string_view name, std::string_view help, const Labels& labels,
                    double value);
  void append_histogram(std::string_view name, std::string_view help, const Labels& labels,
                        const HistogramCell& value);

  /// Prometheus text format 0.0.4, once: what was collected is gone then.
  std::string text();

 private:
  using Metric = prometheus::ClientMetric;
  struct Family {
    prometheus::MetricFamily family;
    std::map<std::vector<prometheus::ClientMetric::Label>, std::size_t> places;
  };
  /// Null when the name has another type.
  Family* family(std::string_view name, std::string_view help, prometheus::MetricType type);
  Metric* fresh(std::string_view name, std::string_view help, const Labels& labels,
                prometheus::MetricType type);
  /// The series, new or known; null when the name has another type.
  Metric* series(std::string_view name, std::string_view help, const Labels& labels,
                 prometheus::MetricType type);

  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace trunkline::telemetry
