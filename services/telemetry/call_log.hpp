#pragma once
#include "base/rate_limit.hpp"
#include "call/observer.hpp"

#include <functional>

namespace trunkline::telemetry {

/// Writes the log lines of calls and registrations: one for each step of a call, with the same keys
/// everywhere (call_id, leg, trunk, code, reason, fault, ended_by). Lines that strangers can cause
/// - refused requests, wrong credentials - are limited in rate and say how many were left out.
/// Digits are never written. Signalling thread.
class CallLog final : public call::Observer {
 public:
  explicit CallLog(std::function<TimePoint()> now = Clock::now);
  void observe(const call::Observation& observation) override;

 private:
  void take(const call::CallStarted& event);
  void take(const call::CallRinging& event);
  void take(const call::CallAnswered& event);
  void take(const call::CallHeld& event);
  void take(const call::DtmfPassed& event);
  void take(const call::CallParked& event);
  void take(const call::CallTransferred& event);
  void take(const call::MediaChanged& event);
  void take(const call::LegEnded& event);
  void take(const call::PolicyFault& event);
  void take(const call::CallEnded& event);
  void take(const call::CallSampled&) {}
  void take(const call::CallMeasured&) {}
  void take(const call::RequestRefused& event);
  void take(const call::RegistrationChanged& event);
  void take(const call::AuthenticationResult& event);
  void take(const call::TrunkChanged& event);
  void take(const call::TrunksConfigured&) {}

  std::function<TimePoint()> now_;
  RateLimit refused_, unauthenticated_, policy_faults_;
};

}  // namespace trunkline::telemetry
