#pragma once
#include "call/observer.hpp"

#include "telemetry/series.hpp"
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trunkline::telemetry {

/// The counters and histograms that follow from observations. One thread observes; any may collect.
/// All series are made here, from configuration and enums: what peers send makes none.
class CallCounters {
 public:
  explicit CallCounters(std::vector<std::string> trunks);
  void observe(const call::Observation& observation);
  /// Other trunks are configured: there are series for each of them from now on, and for those that
  /// are gone as long as they have calls. All that have some.
  std::vector<std::string> reconfigure(const std::vector<std::string>& trunks);
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
  void take(const call::CallSampled&) {}
  void take(const call::CallMeasured&) {}
  void take(const call::RequestRefused& event);
  void take(const call::RegistrationChanged& event);
  void take(const call::AuthenticationResult& event);
  void take(const call::TrunkChanged& event);
  void take(const call::TrunksConfigured&) {}

  /// Where a call is counted, from its start to its end: a transfer moves no call.
  struct Place {
    std::string direction, trunk;
  };
  struct Known {
    Place place;
    bool rang = false;
  };
  void prepare();
  void prepare_trunk(const std::string& trunk);
  void forget_trunk(const std::string& trunk);
  void prepare_silences();
  void prepare_calls(call::Direction direction, const std::string& trunk);
  void prepare_ends(const std::string& trunk);
  Place where(const call::CallView& view) const;
  /// Of a call that was told to have started, else as it looks now.
  Place known(const call::CallView& view) const;
  std::string trunk_label(const std::string& trunk) const;

  mutable std::mutex mutex_;  ///< of the sets of series: taken to change them, and to read them all
  std::vector<std::string> trunks_;
  std::unordered_map<std::uint64_t, Known> calls_;  ///< alive
  Series active_, setup_active_, attempts_, answered_, ended_, failures_, rejections_;
  Series registrations_, registration_changes_, authentications_, digits_, holds_, trunk_up_,
      trunk_degraded_;
  Series transfers_, policy_faults_, silent_;
  HistogramSeries setup_duration_, duration_;
};

/// The label `leg`: "webrtc" for a user, "sip" for a trunk, "service" for one of ours.
std::string_view leg_label(const std::string& party);
/// The label of a leg by its id; "service" if the call has none of that id.
std::string_view leg_label(const call::CallView& call, const std::string& leg);

/// What the label `trunk` is for one that is not configured.
inline constexpr const char* kOther = "_other";

}  // namespace trunkline::telemetry
