#pragma once
#include "base/metrics.hpp"
#include "base/time.hpp"
#include "call/engine.hpp"
#include "call/locations.hpp"
#include "io/settings.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::io {

/// The bindings of all nodes, in Redis, by a thread of its own (contract: store). This node's are
/// written behind, and again after each connection, after the store has lost them, and now and
/// then: it holds soft state only, which may go at any time. A look-up is answered in time or
/// fails. Nothing here keeps the signalling thread waiting.
class LocationStore final : public call::Observer, public MetricSource {
 public:
  /// The answer to `look_up`; on the store's thread or the caller's, once each.
  using Found = std::function<void(call::QuestionId, call::Locations)>;
  LocationStore(StoreSettings settings, Found found);
  ~LocationStore() override;

  // ------------------------------------------------ signalling thread
  void start();
  /// The bindings of this node are no longer followed, if the store can be told in time.
  void stop();
  /// Changes of registrations are written.
  void observe(const call::Observation& observation) override;
  void look_up(call::QuestionId id, std::string user);
  /// Every second or so. True: a change was missed, and `replace` is due with all that there is.
  bool turn();
  void replace(std::vector<call::Registration> all);

  void collect(MetricSink& sink) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::io
