#pragma once
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "call/control.hpp"
#include "call/observer.hpp"
#include "call/settings.hpp"
#include "io/settings.hpp"
#include "media/plane.hpp"
#include "sip/endpoint.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::io {

struct RuntimeSettings {
  Settings io;
  sip::EndpointSettings sip;
  call::Settings call;
  media::PlaneSettings media;
};

/// What the node is doing; also the value of trunkline_node_state.
enum class NodeState { starting, ready, draining, overloaded, stopped };

/// The running gateway: sockets, the signalling thread and the media workers around the sans-I/O
/// core. The loop is bytes → sip::Endpoint → events → call::Engine → commands → endpoint, workers,
/// observers; then one timer for the smallest deadline.
class Runtime {
 public:
  /// Binds everything. Fails in words for an operator ("can't bind 0.0.0.0:5060/udp: address in
  /// use"). `observers` must outlive the runtime; they are called on the signalling thread.
  static Result<std::unique_ptr<Runtime>> make(RuntimeSettings settings,
                                               std::vector<call::Observer*> observers);
  ~Runtime();

  /// Runs the signalling loop in the calling thread until the node has stopped: drained, or
  /// `stop()`.
  void run();

  // ------------------------------------------------ any thread, also from a signal-handling thread
  /// Ends gracefully: readiness off, new calls refused, live calls served until the drain deadline,
  /// then BYE on both legs; `run()` returns when no call is left.
  void drain();
  /// Ends at once: BYE on both legs of each call, a short grace for the answers (at most 1 s), then
  /// `run()` returns.
  void stop();
  NodeState state() const;
  /// Takes from other settings what can change while the gateway runs: all that
  /// `call::Engine::reconfigure` takes, the TLS of the trunks, the origins of pages, and the spread
  /// of a drain. A trunk whose TLS is as before must have the same `sip::PeerId`, any other one
  /// that was not used before. With `policy` that one answers the questions from now on, as of
  /// `set_policy`; null: nobody does. Returns once all is in force. Fails, and changes nothing, if
  /// the settings contradict each other, a file is of no use, or the node has stopped. Any thread
  /// but that of `run`.
  Result<void> reconfigure(RuntimeSettings next,
                           std::optional<call::Policy*> policy = std::nullopt);
  /// Looks at once whether the PEM files of listeners and trunks have changed, as it does by itself
  /// every few seconds. What is connected stays.
  void reload_certificates();
  /// One more observer, which must outlive the runtime; before `run`.
  void add_observer(call::Observer& observer);
  /// Where requests of the API go (call::Control). Lives as long as the runtime.
  call::Control& control();
  /// Who answers the policy questions; before `run`, and to outlive it, or the `reconfigure` that
  /// names another. Without one each question fails at once.
  void set_policy(call::Policy& policy);
  /// The signalling loop and every worker have turned within the last seconds.
  bool healthy() const;
  /// All metrics of the core and of io. Safe from any thread.
  const MetricSource& metrics() const;
  /// Addresses really bound, for the start-up message and for tests that bind port 0: "ws
  /// 127.0.0.1:8080" …
  std::vector<std::string> listening() const;

 private:
  Runtime();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::io
