#include "io/websocket_drain.hpp"

#include <algorithm>

namespace trunkline::io {

void WebSocketDrain::begin(Duration spread, TimePoint now) {
  active_ = true;
  spread_ = spread;
  until_ = now + spread;
  moments_.clear();
}

std::vector<FlowId> WebSocketDrain::due(const std::vector<FlowId>& open,
                                        const std::function<bool(FlowId)>& has_call, TimePoint now,
                                        Random& random) {
  std::vector<FlowId> due;
  if (!active_) return due;
  std::unordered_map<FlowId, TimePoint> moments;
  const auto whole = std::chrono::duration_cast<milliseconds>(spread_).count();
  for (const FlowId flow : open) {
    const auto known = moments_.find(flow);
    const TimePoint moment =
        known != moments_.end()
            ? known->second
            : now + milliseconds{random.below(static_cast<std::uint32_t>(whole) + 1)};
    moments.emplace(flow, moment);
    if (moment <= now && !has_call(flow)) due.push_back(flow);
  }
  moments_ = std::move(moments);
  return due;
}

}  // namespace trunkline::io
