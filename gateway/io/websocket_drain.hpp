#pragma once
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/time.hpp"

#include <functional>
#include <unordered_map>
#include <vector>

namespace trunkline::io {

/// While a node drains: which WebSockets are closed when. Each has a moment of its own within a
/// spread of time, so that browsers do not all come back elsewhere at once; one that has a call
/// stays until that is over. Sans I/O; one thread.
class WebSocketDrain {
 public:
  void begin(Duration spread, TimePoint now);
  /// Nothing is closed any more.
  void stop() { active_ = false; }
  bool active() const { return active_; }
  /// Those of the open ones that are to be closed now. One that is new - a browser that has come
  /// back here - has the whole spread from now on. To be asked every few hundred milliseconds.
  std::vector<FlowId> due(const std::vector<FlowId>& open,
                          const std::function<bool(FlowId)>& has_call, TimePoint now,
                          Random& random);
  /// All that were there at the beginning have had their moment.
  bool over(TimePoint now) const { return now >= until_; }

 private:
  bool active_ = false;
  Duration spread_{};
  TimePoint until_{};
  std::unordered_map<FlowId, TimePoint> moments_;  ///< of those that are open
};

}  // namespace trunkline::io
