#include "telemetry/quality_counters.hpp"

#include "telemetry/call_counters.hpp"
#include <algorithm>
#include <array>
#include <chrono>

namespace trunkline::telemetry {
namespace {

/// Fewer packets than this in a call of at least `kHeardAfter` are no audio.
constexpr std::uint64_t kHeard = 10;
constexpr std::chrono::seconds kHeardAfter{5};

/// How users find a call whose MOS is at least so much (ITU-T G.107 annex B, table B.1).
struct Grade {
  double mos;
  const char* label;
};
constexpr std::array kGrades{Grade{4.03, "good"}, Grade{3.60, "fair"}, Grade{3.10, "poor"},
                             Grade{0, "bad"}};

const char* grade_of(double mos) {
  return std::ranges::find_if(kGrades, [mos](const Grade& grade) { return mos >= grade.mos; })
      ->label;
}

}  // namespace

QualityCounters::QualityCounters(const std::vector<std::string>& trunks)
    : trunks_(trunks),
      lost_({"trunkline_rtp_packets_lost_total",
             "RTP packets that peers sent and that did not come, counted when their leg ended.",
             {"leg", "trunk"}}),
      expected_({"trunkline_rtp_packets_expected_total",
                 "RTP packets that peers sent, by their sequence numbers, counted when their leg "
                 "ended.",
                 {"leg", "trunk"}}),
      grades_({"trunkline_call_quality_total",
               "Legs ended, by the MOS of what their peer sent.",
               {"leg", "trunk", "grade"}}),
      one_way_({"trunkline_one_way_audio_calls_total",
                "Answered calls in which one party was heard and the other was not; `leg` is the "
                "silent one.",
                {"leg", "trunk"}}),
      no_media_({"trunkline_no_media_calls_total",
                 "Answered calls in which neither party was heard.",
                 {"trunk"}}),
      jitter_({"trunkline_rtp_jitter_seconds",
               "Jitter of what a leg's peer sent (RFC 3550), once a leg.",
               {"leg", "trunk"}},
              {0.005, 0.01, 0.02, 0.03, 0.05, 0.1}),
      round_trip_({"trunkline_rtp_rtt_seconds",
                   "Round trip to a leg's peer by RTCP, once a leg.",
                   {"leg", "trunk"}},
                  {0.025, 0.05, 0.1, 0.15, 0.25, 0.5}),
      mos_({"trunkline_call_mos",
            "MOS of what a leg's peer sent, by the E-model (ITU-T G.107), once a leg.",
            {"leg", "trunk"}},
           {2, 2.5, 3.1, 3.6, 4.03, 4.3}) {
  prepare();
}

void QualityCounters::reconfigure(const std::vector<std::string>& trunks) {
  const std::scoped_lock lock(mutex_);
  for (const std::string& trunk : trunks_) {
    if (std::ranges::find(trunks, trunk) != trunks.end()) continue;
    for (Series* series : {&lost_, &expected_, &grades_, &one_way_, &no_media_})
      series->forget("trunk", trunk);
    for (HistogramSeries* series : {&jitter_, &round_trip_, &mos_})
      series->forget("trunk", trunk);
  }
  trunks_ = trunks;
  prepare();
}

void QualityCounters::prepare() {
  std::vector<std::vector<std::string>> places{{"webrtc", ""}, {"sip", kOther}};
  for (const std::string& trunk : trunks_)
    places.push_back({"sip", trunk});
  for (const auto& place : places) {
    lost_.prepare(place);
    expected_.prepare(place);
    for (const Grade& grade : kGrades)
      grades_.prepare({place[0], place[1], grade.label});
    jitter_.prepare(place);
    round_trip_.prepare(place);
    mos_.prepare(place);
  }
  std::vector<std::string> labels{"", kOther};
  labels.insert(labels.end(), trunks_.begin(), trunks_.end());
  for (const std::string& trunk : labels) {
    no_media_.prepare({trunk});
    for (const char* leg : {"webrtc", "sip"})
      one_way_.prepare({leg, trunk});
  }
}

std::string QualityCounters::trunk_label(const std::string& trunk) const {
  return trunk.empty() || std::ranges::find(trunks_, trunk) != trunks_.end() ? trunk : kOther;
}

void QualityCounters::take(const call::CallMeasured& event) {
  for (const call::LegQuality& leg : event.legs)
    take_leg(event.call, leg);
  take_silence(event);
}

void QualityCounters::take_leg(const call::CallView& call, const call::LegQuality& leg) {
  const std::string kind(leg_label(call, leg.leg));
  const auto party = std::ranges::find(call.legs, leg.leg, &call::LegView::id);
  if (kind == "service" || party == call.legs.end()) return;
  constexpr std::string_view kTrunk = "trunk:";
  const std::vector<std::string> place{
      kind, kind == "sip" ? trunk_label(party->party.substr(kTrunk.size())) : std::string{}};
  lost_.add(place, static_cast<std::int64_t>(leg.packets_lost));
  expected_.add(place, static_cast<std::int64_t>(leg.packets_expected));
  if (leg.round_trip_seconds) round_trip_.observe(place, *leg.round_trip_seconds);
  if (!leg.mos) return;
  jitter_.observe(place, leg.jitter_seconds);
  mos_.observe(place, *leg.mos);
  grades_.add({place[0], place[1], grade_of(*leg.mos)}, 1);
}

void QualityCounters::take_silence(const call::CallMeasured& event) {
  const call::CallView& call = event.call;
  if (!call.answered || !call.ended || *call.ended - *call.answered < kHeardAfter) return;
  std::vector<const call::LegQuality*> joined, silent;
  for (const call::LegQuality& leg : event.legs) {
    if (!leg.joined) continue;
    joined.push_back(&leg);
    if (leg.packets_received < kHeard) silent.push_back(&leg);
  }
  if (silent.empty()) return;
  if (silent.size() == joined.size()) {
    no_media_.add({trunk_label(call.trunk)}, 1);
  } else {
    one_way_.add({std::string(leg_label(call, silent.front()->leg)), trunk_label(call.trunk)}, 1);
  }
}

void QualityCounters::collect(Exposition& out) const {
  const std::scoped_lock lock(mutex_);
  for (const Series* counter : {&lost_, &expected_, &grades_, &one_way_, &no_media_})
    counter->collect_counters(out);
  for (const HistogramSeries* histogram : {&jitter_, &round_trip_, &mos_})
    histogram->collect(out);
}

}  // namespace trunkline::telemetry
