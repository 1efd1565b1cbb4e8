#include "call_control/rpc_counters.hpp"

#include "call/failure.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace trunkline::call_control {
namespace {

constexpr std::string_view kPackage = "trunkline.v1.";

}  // namespace

RpcCounters::Method::Method(std::string_view whole)
    : service(whole.substr(0, whole.find('.'))),
      name(whole.substr(whole.find('.') + 1)),
      stream(name.starts_with("Watch")),
      duration({0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60}) {}

RpcCounters::RpcCounters(std::span<const std::string_view> methods) {
  for (const std::string_view method : methods)
    methods_.push_back(std::make_unique<Method>(method));
}

RpcCounters::Started RpcCounters::started(std::string_view method) {
  const auto found = std::ranges::find_if(methods_, [method](const auto& one) {
    return method.starts_with(one->service) && method.ends_with(one->name) &&
           method.size() == one->service.size() + 1 + one->name.size();
  });
  if (found == methods_.end()) return {};
  return {this, static_cast<std::size_t>(found - methods_.begin()), Clock::now()};
}

RpcCounters::Started RpcCounters::stream_started(std::string_view method) {
  const Started begun = started(method);
  if (begun.counters != nullptr) methods_[begun.method]->streams.fetch_add(1);
  return begun;
}

void RpcCounters::Started::over(int code) const {
  if (counters != nullptr) counters->count(method, code, Clock::now() - at);
}

void RpcCounters::Started::stream_over(int code) const {
  if (counters == nullptr) return;
  counters->methods_[method]->streams.fetch_sub(1);
  over(code);
}

void RpcCounters::count(std::size_t method, int code, Duration took) {
  Method& counted = *methods_[method];
  constexpr std::size_t kUnknown = 2;
  const auto at = static_cast<std::size_t>(code);
  counted.handled[at < kCodes ? at : kUnknown].fetch_add(1, std::memory_order_relaxed);
  if (counted.stream) return;  // lives as long as its client wants
  const std::scoped_lock lock(counted.mutex);
  counted.duration.observe(std::chrono::duration<double>(took).count());
}

void RpcCounters::collect(MetricSink& sink) const {
  for (const auto& method : methods_) {
    const std::string service = std::string(kPackage) + std::string(method->service);
    for (std::size_t code = 0; code < kCodes; ++code) {
      sink.counter("trunkline_grpc_server_handled_total", "RPCs of the API by how they ended.",
                   {{"service", service},
                    {"method", method->name},
                    {"code", call::grpc_code_name(static_cast<call::GrpcCode>(code))}},
                   static_cast<double>(method->handled[code].load(std::memory_order_relaxed)));
    }
    if (method->stream) {
      sink.gauge("trunkline_grpc_server_streams_active", "Watch RPCs that are open.",
                 {{"service", service}, {"method", method->name}},
                 static_cast<double>(method->streams.load(std::memory_order_relaxed)));
    } else {
      sink.histogram("trunkline_grpc_server_handling_seconds",
                     "Time from the start of an RPC to its answer.",
                     {{"service", service}, {"method", method->name}}, method->duration);
    }
  }
}

}  // namespace trunkline::call_control
