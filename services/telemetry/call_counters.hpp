#pragma once
#include "call/observer.hpp"

#include "telemetry/series.hpp"
#include <string>
#include <unordered_set>
#include <vector>

namespace trunkline::telemetry {

/// The counters and histograms that follow from observations. The owner's lock guards it.
class CallCounters {
 public:
  explicit CallCounters(std::vector<std::string> trunks);
  void observe(const call::Observation& observation);
  void collect(Exposition& out) const;

 private:
  void take(const call::CallStarted& event);
  void take(const call::CallRinging& event);
  void take(const call::CallAnswered& event);
  void take(const call::CallHeld& event);
  void take(const call::DtmfPassed& event);
  void take(const call::CallParked&) {}
  void take(const call::CallTransferred& event);
  void take(const call::MediaChanged& event);
  void take(const call::LegEnded&) {}
  void take(const call::PolicyFault& event);
  void take(const call::CallEnded& event);
  void take(const call::RequestRefused& event);
  void take(const call::RegistrationChanged& event);
  void take(const call::AuthenticationResult& event);
  void take(const call::TrunkChanged& event);

  void prepare();
  void prepare_calls(call::Direction direction, const std::string& trunk);
  std::vector<std::string> where(const call::CallView& view) const;

  std::vector<std::string> trunks_;
  std::unordered_set<std::uint64_t> ringing_;  ///< calls whose ringing time is taken
  Series active_, setup_active_, attempts_, answered_, ended_, failures_, rejections_;
  Series registrations_, registration_changes_, authentications_, digits_, holds_, trunk_up_,
      trunk_degraded_;
  Series transfers_, policy_faults_, silent_;
  HistogramSeries setup_duration_, duration_;
};

}  // namespace trunkline::telemetry
