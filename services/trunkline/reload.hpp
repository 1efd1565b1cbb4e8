#pragma once
#include "base/result.hpp"
#include "io/runtime.hpp"
#include "sip/effects.hpp"

#include "call_control/policy.hpp"
#include "call_control/server.hpp"
#include "config/change.hpp"
#include "config/config.hpp"
#include "telemetry/metrics.hpp"
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline {

/// What a running gateway is made of, as far as another configuration changes it. All outlive the
/// reload.
struct Running {
  io::Runtime* runtime = nullptr;
  call_control::Server* api = nullptr;  ///< null: there is none
  telemetry::Metrics* metrics = nullptr;
};

/// Reads the configuration file again and puts it in force, as far as that is possible while the
/// gateway runs; a file that is of no use changes nothing. What cannot change before a restart is
/// named and stays, the rest is taken. Says what it did in the log and in the metrics.
class Reload {
 public:
  /// `started`: what the gateway was started with, read from `file` (see config::load).
  Reload(std::string file, std::string variables, const config::Config& started);

  /// The gateway runs; `policy` answers its questions, if anybody does.
  void attach(Running running, std::unique_ptr<call::Policy> policy);
  /// Before the runtime goes.
  void detach();

  /// All that is read: the configuration, and what it names for secrets. Any thread.
  std::vector<std::string> files();
  /// One at a time; any thread but the signalling one. `why`: who asked, for the log.
  Result<call_control::Reloaded, call_control::ReloadRefused> now(std::string_view why);

 private:
  using Outcome = Result<call_control::Reloaded, call_control::ReloadRefused>;
  Outcome put_in_force();
  Outcome refuse(const std::vector<config::Problem>& problems, bool bad_file);
  Outcome refuse(std::string key, std::string message);
  void name_peers(config::Config& next);
  Result<std::unique_ptr<call::Policy>> make_policy(const config::Config& next) const;
  bool asks_elsewhere(const config::Config& next) const;

  const std::string file_, variables_, folder_;
  const config::Bounds bounds_;
  std::mutex mutex_;
  config::Config config_;  ///< in force
  Running running_;
  std::unique_ptr<call::Policy> policy_;
  std::uint64_t last_peer_ = 0;
};

}  // namespace trunkline
