#pragma once
#include "base/result.hpp"
#include "base/time.hpp"
#include "call/control.hpp"

#include <memory>
#include <optional>
#include <string>

/// The client of the user's CallPolicyService (contract: policy).
namespace trunkline::call_control {

struct PolicyTls {
  std::string ca;                ///< PEM file; empty: the system's
  std::string certificate, key;  ///< PEM files of our own, if the service wants them
};

struct PolicySettings {
  std::string endpoint;  ///< "HOST:PORT"
  Duration timeout = milliseconds{500};
  std::optional<PolicyTls> tls;
  std::size_t connections = 2;
  std::size_t pending = 1024;  ///< questions at a time; one more fails at once
};

/// Connects lazily, and again after failures. The destructor waits for the open questions, each of
/// which is answered.
Result<std::unique_ptr<call::Policy>> make_policy(const PolicySettings& settings);

}  // namespace trunkline::call_control
