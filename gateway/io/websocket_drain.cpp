#include "io/websocket_drain.hpp"

#include <algorithm>

namespace trunkline::io {

void WebSocketDrain::begin(Duration spread, TimePoint now) {
  active_ = true;
  spread_ = spread;
  began_ = now;
  until_ = now + spread;
  asked_ = {};
  moments_.clear();
}

std::vector<FlowId> WebSocketDrain::due(const std::vector<FlowId>& open,
                                        const std::function<bool(FlowId)>& has_call, TimePoint now,
                                        Random& random) {
  std::vector<FlowId> due;
  if (!active_) return due;
  std::unordered_map<FlowId, TimePoint> moments;
  const TimePoint from = asked_ < began_ ? began_ : now;
  asked_ = now;
  const auto whole = std::chrono::duration_cast<milliseconds>(spread_).count();
  for (const FlowId flow : open) {
    const auto known = moments_.find(flow);
    const TimePoint moment =
        known != moments_.end()
            ? known->second
            : from + milliseconds{random.below(static_cast<std::uint32_t>(whole) + 1)};
    moments.emplace(flow, moment);
    if (moment <= now && !has_call(flow)) due.push_back(flow);
  }
  moments_ = std::move(moments);
  return due;
}

}  // namespace trunkline::io
