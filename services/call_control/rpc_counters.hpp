#pragma once
#include "base/metrics.hpp"
#include "base/time.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

namespace trunkline::call_control {

/// The RPCs of the API by method: how they ended and how long they took, and the streams that are
/// open. Any thread.
class RpcCounters final : public MetricSource {
 public:
  /// `methods`: all there are, as "CallService.GetCall"; those whose name begins with "Watch" are
  /// streams.
  explicit RpcCounters(std::span<const std::string_view> methods);

  /// Nothing for a name that is no method's.
  struct Started {
    RpcCounters* counters = nullptr;
    std::size_t method = 0;
    TimePoint at{};
    /// With this google.rpc.Code.
    void over(int code) const;
    void stream_over(int code) const;
  };
  Started started(std::string_view method);
  Started stream_started(std::string_view method);

  void collect(MetricSink& sink) const override;

 private:
  static constexpr std::size_t kCodes = 17;
  struct Method {
    explicit Method(std::string_view whole);
    std::string_view service, name;
    bool stream;
    std::array<std::atomic<std::int64_t>, kCodes> handled{};
    std::atomic<std::int64_t> streams{0};
    std::mutex mutex;  ///< a histogram has one writer
    HistogramCell duration;
  };
  void count(std::size_t method, int code, Duration took);

  std::vector<std::unique_ptr<Method>> methods_;
};

}  // namespace trunkline::call_control
