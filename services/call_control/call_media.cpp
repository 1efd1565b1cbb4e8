#include "call_control/call_media.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace trunkline::call_control {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr double kMilliseconds = 1000;

float or_unknown(const std::optional<double>& value, double unit = 1) {
  return value ? static_cast<float>(*value * unit) : kUnknown;
}

QualityPoint point_of(const call::LegQuality& leg, float at) {
  QualityPoint point{};
  point.at = at;
  point.loss = or_unknown(leg.interval_loss);
  point.mos = or_unknown(leg.interval_mos);
  point.jitter_ms =
      leg.interval_loss ? static_cast<float>(leg.jitter_seconds * kMilliseconds) : kUnknown;
  point.peer_loss = point.peer_jitter_ms = point.peer_mos = kUnknown;
  if (const auto& there = leg.at_peer) {
    point.peer_loss = static_cast<float>(there->loss);
    point.peer_jitter_ms = static_cast<float>(there->jitter_seconds * kMilliseconds);
    point.peer_mos = static_cast<float>(there->mos);
  }
  point.round_trip_ms = or_unknown(leg.round_trip_seconds, kMilliseconds);
  return point;
}

/// Both stand for the same thing at two times; the later time counts. fmax and fmin prefer a number
/// to what is none.
QualityPoint worst_of(const QualityPoint& a, const QualityPoint& b) {
  QualityPoint worst{};
  worst.at = b.at;
  worst.loss = std::fmax(a.loss, b.loss);
  worst.jitter_ms = std::fmax(a.jitter_ms, b.jitter_ms);
  worst.mos = std::fmin(a.mos, b.mos);
  worst.peer_loss = std::fmax(a.peer_loss, b.peer_loss);
  worst.peer_jitter_ms = std::fmax(a.peer_jitter_ms, b.peer_jitter_ms);
  worst.peer_mos = std::fmin(a.peer_mos, b.peer_mos);
  worst.round_trip_ms = std::fmax(a.round_trip_ms, b.round_trip_ms);
  return worst;
}

/// The peer has had packets since: without any its jitter stays what it was (RFC 3550 A.8).
bool hears(const call::LegQuality& before, const call::LegQuality& now) {
  return now.at_peer &&
         (!before.at_peer || before.at_peer->jitter_seconds != now.at_peer->jitter_seconds);
}

}  // namespace

void QualityHistory::add(const QualityPoint& point) {
  if (!points_.empty() && in_last_ < samples_) {
    points_.back() = worst_of(points_.back(), point);
    ++in_last_;
    return;
  }
  if (points_.size() == kMaxPoints) coarsen();
  points_.push_back(point);
  in_last_ = 1;
}

void QualityHistory::coarsen() {
  for (std::size_t i = 0; 2 * i + 1 < points_.size(); ++i)
    points_[i] = worst_of(points_[2 * i], points_[2 * i + 1]);
  points_.resize(points_.size() / 2);
  samples_ *= 2;
}

LegMedia* CallMedia::at(const std::string& leg) {
  const auto known = std::ranges::find(
      legs_, leg, [](const LegMedia& one) -> const std::string& { return one.last.leg; });
  if (known != legs_.end()) return &*known;
  if (legs_.size() == kMaxLegs) return nullptr;
  LegMedia& added = legs_.emplace_back();
  added.last.leg = leg;
  return &added;
}

const LegMedia* CallMedia::find(const std::string& leg) const {
  for (const LegMedia& one : legs_) {
    if (one.last.leg == leg) return &one;
  }
  return nullptr;
}

void CallMedia::observe(const call::CallSampled& sample,
                        std::chrono::system_clock::time_point call_began) {
  const std::chrono::duration<float> since = sample.at - call_began;
  for (const call::LegQuality& leg : sample.legs) {
    LegMedia* known = at(leg.leg);
    if (known == nullptr) continue;
    if (hears(known->last, leg)) known->unheard = false;
    known->last = leg;
    known->history.add(point_of(leg, since.count()));
  }
}

void CallMedia::observe(const call::MediaChanged& change) {
  const bool silent = change.what == "silent", unheard = change.what == "unheard";
  if (!silent && !unheard && change.what != "flowing") return;
  LegMedia* known = at(change.leg);
  if (known == nullptr) return;
  if (!unheard) known->silent = silent;
  if (unheard) known->unheard = true;
  if (silent || unheard) known->cause = change.cause;
}

void CallMedia::observe(const call::CallMeasured& measured) {
  for (const call::LegQuality& leg : measured.legs) {
    if (LegMedia* known = at(leg.leg)) known->last = leg;
  }
}

}  // namespace trunkline::call_control
