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
  /// Those of the open ones that are to be closed now. One that was not there at the first question
  /// - a browser that has come back here - has the whole spread from now on. To be asked every few
  /// hundred milliseconds.
  std::vector<FlowId> due(const std::vector<FlowId>& open,
                          const std::function<bool(FlowId)>& has_call, TimePoint now,
                          Random& random);
  /// All that were there at the beginning have had their moment, and were named by `due` unless
  /// they had a call.
  bool over() const { return asked_ >= until_; }

 private:
  bool active_ = false;
  Duration spread_{};
  TimePoint began_{}, until_{};
  TimePoint asked_{};                              ///< the last question; before `began_`: none yet
  std::unordered_map<FlowId, TimePoint> moments_;  ///< of those that are open
};

}  // namespace trunkline::io
