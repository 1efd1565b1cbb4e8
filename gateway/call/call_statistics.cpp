#include "call/call.hpp"
#include "call/refusals.hpp"

#include <algorithm>
#include <utility>

// What the media workers tell of a call's legs: their state, and their statistics when asked.
namespace trunkline::call {
namespace {

/// Requests that wait for one report at once.
constexpr std::size_t kMaxReportsWaiting = 64;

std::string codec_of(const Leg& leg) {
  const sdp::Codec* audio = sdp::audio_codec(leg.media->sdp().agreed_codecs());
  return audio == nullptr ? std::string{} : audio->name;
}

/// Of the DTLS association, or of the keys in the descriptions; empty: not encrypted.
std::string srtp_profile_of(const Leg& leg) {
  const auto& remote = leg.media->sdp().remote();
  if (!remote || !remote->crypto) return leg.srtp_profile;
  return std::string(sdp::suite_name(remote->crypto->suite));
}

/// The party has said that it sends, and is there.
bool should_be_heard(const Leg& leg) {
  return sdp::sends(leg.peer_direction) && leg.reconnect_by == kNever && !leg.held && leg.media;
}

LegQuality quality_of(const Leg& leg, const media::LegStatistics& statistics) {
  LegQuality quality;
  quality.leg = leg.name;
  quality.codec = codec_of(leg);
  quality.srtp_profile = srtp_profile_of(leg);
  quality.packets_received = statistics.packets_received;
  quality.bytes_received = statistics.bytes_received;
  quality.packets_sent = statistics.packets_sent;
  quality.bytes_sent = statistics.bytes_sent;
  quality.packets_lost = statistics.packets_lost;
  quality.packets_expected = statistics.packets_expected;
  quality.packets_dropped = statistics.packets_dropped;
  quality.srtp_failures = statistics.srtp_failures;
  quality.jitter_seconds = statistics.jitter_seconds;
  quality.round_trip_seconds = statistics.round_trip_seconds;
  quality.mos = statistics.mos;
  quality.silence = leg.silence;
  quality.interval_loss = statistics.interval_loss;
  quality.interval_mos = statistics.interval_mos;
  if (const auto& there = statistics.at_peer)
    quality.at_peer = {there->loss, there->jitter_seconds, there->mos};
  return quality;
}

}  // namespace

void Call::media_changed(Turn& turn, const media::Event& event) {
  const LegId id = std::visit([](const auto& specific) { return specific.leg; }, event);
  Leg* leg = find(id);
  if (ended() || leg == nullptr || !leg->alive()) return;
  std::string_view what;
  // No DTLS before ICE: with it both are there.
  if (const auto* dtls = std::get_if<media::DtlsConnected>(&event)) {
    leg->srtp_profile = dtls->profile;
    what = "connected";
  } else if (std::holds_alternative<media::FirstPacket>(event)) {
    what = "flowing";
    leg->flowing = true;
    leg->silent_at = leg->judged_by = kNever;
  } else if (const auto* failed = std::get_if<media::LegFailed>(&event)) {
    what = media::failure_label(failed->failure);
  }
  if (!what.empty()) turn.observe(MediaChanged{view(), leg->name, std::string(what)});
}

void Call::listen(TimePoint now) {
  for (const auto& leg : legs_) {
    if (joined(*leg) && leg->media && !leg->flowing) leg->silent_at = now + kSilentAfter;
  }
  if (sample_at_ == kNever) sample_at_ = now + kFirstSampleAfter;
}

void Call::stays_silent(Turn& turn, Leg& leg) {
  leg.silent_at = kNever;
  if (!should_be_heard(leg)) return;
  leg.judged_by = turn.at.now + kReportPatience;
  turn.media(leg.media->worker(), media::JudgeMedia{leg.id});
}

void Call::judged(Turn& turn, const media::MediaJudged& verdict) {
  Leg* leg = find(verdict.leg);
  if (leg == nullptr || !leg->alive()) return;
  const bool nothing_comes = verdict.received != media::Silence::none;
  const bool asked = std::exchange(leg->judged_by, kNever) != kNever;
  // Unasked it is told when what came has stopped, or does not arrive.
  const bool stopped = nothing_comes && std::exchange(leg->flowing, false);
  if (!joined(*leg) || !view_.answered) return;
  if (nothing_comes && (asked || stopped))
    tell_silence(turn, *leg, media::silence_label(verdict.received));
  if (verdict.sent == media::Silence::none || leg->unheard) return;
  leg->unheard = true;
  leg->silence = media::silence_label(verdict.sent);
  turn.observe(MediaChanged{view(), leg->name, "unheard", leg->silence});
}

void Call::tell_silence(Turn& turn, Leg& leg, std::string_view cause) {
  leg.judged_by = kNever;
  leg.flowing = false;
  if (!should_be_heard(leg)) return;
  leg.silence = cause;
  turn.observe(MediaChanged{view(), leg.name, "silent", leg.silence});
}

void Call::execute(Turn& turn, RequestId id, const GetStatistics&) {
  if (statistics_) {
    if (statistics_->requests.size() == kMaxReportsWaiting)
      return turn.reply(id, in_progress("too many wait for the statistics of this call"));
    return statistics_->requests.push_back(id);
  }
  StatisticsOperation asked;
  asked.requests = {id};
  ask_for_statistics(turn, std::move(asked));
}

void Call::sample(Turn& turn) {
  sample_at_ = turn.at.now + kSampleInterval;
  if (statistics_) {
    statistics_->sample = true;
    return;
  }
  StatisticsOperation asked;
  asked.sample = true;
  ask_for_statistics(turn, std::move(asked));
}

void Call::ask_for_statistics(Turn& turn, StatisticsOperation asked) {
  asked.query = ++statistics_queries_;
  asked.gathered.call = name();
  asked.give_up_at = turn.at.now + kReportPatience;
  for (const auto& leg : legs_) {
    if (!leg->alive() || !leg->media || !leg->media->is_open()) continue;
    asked.awaited.push_back(leg->id);
    turn.media(leg->media->worker(), media::QueryStatistics{leg->id, asked.query, asked.sample});
  }
  statistics_ = std::move(asked);
  if (statistics_->awaited.empty()) reply_statistics(turn);
}

void Call::statistics_reported(Turn& turn, const media::StatisticsReported& report) {
  if (!statistics_ || statistics_->query != report.query) return;
  const Leg* leg = find(report.leg);
  if (leg == nullptr || std::erase(statistics_->awaited, report.leg) == 0) return;
  LegQuality& quality =
      statistics_->gathered.legs.emplace_back(quality_of(*leg, report.statistics));
  quality.joined = joined(*leg);
  if (statistics_->awaited.empty()) reply_statistics(turn);
}

void Call::leg_measured(Turn& turn, const media::LegClosed& closed) {
  Leg* leg = find(closed.leg);
  // One that goes on has moved to another worker; what the old one counted is not told.
  if (leg == nullptr || !leg->media || !leg->media->awaits_report() || leg->alive()) return;
  leg->media->reported();
  leg->measured_by = kNever;
  LegQuality& quality = measured_.emplace_back(quality_of(*leg, closed.statistics));
  quality.joined = leg->id == from_ || leg->id == winner_;
  tell_measured(turn);
}

void Call::measured_no_longer(Turn& turn) {
  bool given_up = false;
  for (const auto& leg : legs_) {
    if (turn.at.now < leg->measured_by) continue;
    leg->measured_by = kNever;
    leg->media->reported();
    given_up = true;
  }
  if (given_up) tell_measured(turn);
}

void Call::tell_measured(Turn& turn) {
  const auto awaited = [](const auto& leg) { return leg->measured_by != kNever; };
  if (!ended() || told_measured_ || std::ranges::any_of(legs_, awaited)) return;
  told_measured_ = true;
  turn.observe(CallMeasured{view(), std::move(measured_)});
}

void Call::count_answer(Turn& turn, const Leg& leg, Leg::Outgoing& sent, int status) {
  const double took = std::chrono::duration<double>(turn.at.now - sent.sent_at).count();
  PeerCounters& counters = turn.node.counters.of(leg.peer_kind());
  if (sent.purpose == Leg::Purpose::invite && status != 0 && sent.sent_at != TimePoint{}) {
    sent.sent_at = {};
    if (leg.trunk != nullptr) leg.trunk->counters->first_response.observe(took);
  }
  if (sent.purpose == Leg::Purpose::bye && status >= 200) counters.teardown.observe(took);
  if (sent.purpose == Leg::Purpose::refresh && (status == 0 || status >= 200)) {
    const auto method = sent.request.method() == sip::Method::update ? RefreshMethod::update
                                                                     : RefreshMethod::invite;
    const bool ok = status >= 200 && status < 300;
    counters.refreshes(method)[ok ? Outcome::ok : Outcome::failed].add();
  }
}

void Call::reply_statistics(Turn& turn) {
  const StatisticsOperation done = std::move(*statistics_);
  statistics_.reset();
  for (const RequestId request : done.requests)
    turn.reply(request, done.gathered);
  if (done.sample && !ended() && !done.gathered.legs.empty())
    turn.observe(CallSampled{name(), turn.at.wall, done.gathered.legs});
}

}  // namespace trunkline::call
