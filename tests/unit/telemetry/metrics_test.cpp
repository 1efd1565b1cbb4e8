#include "telemetry/metrics.hpp"

#include "telemetry/exposition.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

namespace trunkline::telemetry {
namespace {

using namespace std::chrono_literals;
using call::Direction;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::chrono::system_clock::time_point kStart{1'700'000'000s};

call::CallView outgoing(std::uint64_t id = 1, std::string trunk = "carrier") {
  call::CallView view;
  view.id = CallId{id};
  view.name = "c" + std::to_string(id);
  view.direction = Direction::outbound;
  view.trunk = std::move(trunk);
  view.created = kStart;
  return view;
}

/// Answered, with a browser and the trunk.
call::CallView joined(std::uint64_t id = 1) {
  call::CallView view = outgoing(id);
  view.answered = kStart + 5s;
  view.ended = kStart + 65s;
  for (const auto& [name, party] :
       {std::pair{"from", "user:alice"}, std::pair{"to", "trunk:carrier"}}) {
    call::LegView& leg = view.legs.emplace_back();
    leg.id = name;
    leg.from = leg.id == "from";
    leg.party = party;
  }
  return view;
}

call::LegQuality quality(std::string leg, std::uint64_t received, double mos = 4.3) {
  call::LegQuality seen;
  seen.leg = std::move(leg);
  seen.joined = true;
  seen.packets_received = received;
  seen.packets_expected = received + received / 10;
  seen.packets_lost = received / 10;
  seen.jitter_seconds = 0.004;
  seen.round_trip_seconds = 0.03;
  if (received > 0) seen.mos = mos;
  return seen;
}

class CallMetrics : public testing::Test {
 protected:
  /// How many series there are.
  std::size_t series() const {
    std::istringstream text(metrics_.text());
    std::size_t count = 0;
    for (std::string line; std::getline(text, line);)
      count += line.starts_with("#") ? 0 : 1;
    return count;
  }
  /// The value of one series by its whole left side; -1 when there is none.
  double value(const std::string& series) const {
    std::istringstream text(metrics_.text());
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
    }
    return -1;
  }
  Metrics metrics_{{.version = "1.2.3", .configuration = "0a1b", .trunks = {"carrier"}}};
};

TEST_F(CallMetrics, ChildrenFromConfigurationExistAtStart) {
  EXPECT_EQ(value("trunkline_call_attempts_total{direction=\"out\",trunk=\"carrier\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_active{direction=\"in\",trunk=\"carrier\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_active{direction=\"internal\",trunk=\"\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_setup_active{direction=\"out\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_ended_total{reason=\"hangup\",result=\"success\",trunk="
                  "\"carrier\"}"),
            0);
  EXPECT_EQ(value("trunkline_call_rejections_total{reason=\"no_route\"}"), 0);
  EXPECT_EQ(value("trunkline_sip_auth_total{result=\"bad\"}"), 0);
  EXPECT_EQ(value("trunkline_registrations"), 0);
  EXPECT_EQ(value("trunkline_call_duration_seconds_count{direction=\"out\",trunk=\"carrier\"}"), 0);
}

TEST_F(CallMetrics, FollowACallFromStartToEnd) {
  call::CallView view = outgoing();
  metrics_.observe(call::CallStarted{view});
  EXPECT_EQ(value("trunkline_call_attempts_total{direction=\"out\",trunk=\"carrier\"}"), 1);
  EXPECT_EQ(value("trunkline_calls_active{direction=\"out\",trunk=\"carrier\"}"), 1);
  EXPECT_EQ(value("trunkline_calls_setup_active{direction=\"out\"}"), 1);

  view.ringing = kStart + 2s;
  metrics_.observe(call::CallRinging{view, 180});
  view.answered = kStart + 7s;
  metrics_.observe(call::CallAnswered{view});
  EXPECT_EQ(value("trunkline_calls_answered_total{direction=\"out\",trunk=\"carrier\"}"), 1);
  EXPECT_EQ(value("trunkline_calls_setup_active{direction=\"out\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_active{direction=\"out\",trunk=\"carrier\"}"), 1);

  view.ended = kStart + 67s;
  metrics_.observe(call::CallEnded{view, call::Failure::local(call::EndReason::hangup)});
  EXPECT_EQ(value("trunkline_calls_active{direction=\"out\",trunk=\"carrier\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_ended_total{reason=\"hangup\",result=\"success\",trunk="
                  "\"carrier\"}"),
            1);
  EXPECT_EQ(value("trunkline_call_duration_seconds_sum{direction=\"out\",trunk=\"carrier\"}"), 60);
  EXPECT_EQ(value("trunkline_call_setup_duration_seconds_sum{direction=\"out\",stage=\"ringing\","
                  "trunk=\"carrier\"}"),
            2);
  EXPECT_EQ(value("trunkline_call_setup_duration_seconds_sum{direction=\"out\",stage=\"answer\","
                  "trunk=\"carrier\"}"),
            7);
  EXPECT_EQ(
      value("trunkline_call_failures_total{code=\"200\",direction=\"out\",trunk=\"carrier\"}"), -1);
}

TEST_F(CallMetrics, RingingTwiceIsMeasuredOnce) {
  call::CallView view = outgoing();
  metrics_.observe(call::CallStarted{view});
  view.ringing = kStart + 1s;
  metrics_.observe(call::CallRinging{view, 180});
  metrics_.observe(call::CallRinging{view, 183});
  EXPECT_EQ(value("trunkline_call_setup_duration_seconds_count{direction=\"out\",stage=\"ringing\","
                  "trunk=\"carrier\"}"),
            1);
}

TEST_F(CallMetrics, CountFailuresBeforeTheAnswerByCode) {
  call::CallView view = outgoing();
  metrics_.observe(call::CallStarted{view});
  view.ended = kStart + 1s;
  metrics_.observe(call::CallEnded{view, call::Failure::from_response(486, "Busy Here")});
  EXPECT_EQ(
      value("trunkline_call_failures_total{code=\"486\",direction=\"out\",trunk=\"carrier\"}"), 1);
  EXPECT_EQ(value("trunkline_calls_setup_active{direction=\"out\"}"), 0);
  EXPECT_EQ(value("trunkline_call_duration_seconds_count{direction=\"out\",trunk=\"carrier\"}"), 0);
}

TEST_F(CallMetrics, CountCodesThatOperatorsLookForAndTheOthersByTheirClass) {
  const auto fail = [this](Direction direction, int code) {
    call::CallView view = outgoing();
    view.direction = direction;
    metrics_.observe(call::CallStarted{view});
    metrics_.observe(call::CallEnded{view, call::Failure::from_response(code, "Said")});
  };
  const auto failures = [this](const std::string& direction, const std::string& code) {
    return value("trunkline_call_failures_total{code=\"" + code + "\",direction=\"" + direction +
                 "\",trunk=\"carrier\"}");
  };
  for (const int code : {302, 403, 420, 599, 607})
    fail(Direction::outbound, code);
  for (const char* code : {"3xx", "403", "4xx", "5xx", "6xx"})
    EXPECT_EQ(failures("out", code), 1) << code;
  for (const int code : {403, 486})
    fail(Direction::inbound, code);
  EXPECT_EQ(failures("in", "403"), -1);
  EXPECT_EQ(failures("in", "4xx"), 1);
  EXPECT_EQ(failures("in", "486"), 1);
}

TEST_F(CallMetrics, TheTimeThatABrowserTakesIsNoTrunks) {
  call::CallView view = outgoing();
  view.direction = Direction::inbound;
  metrics_.observe(call::CallStarted{view});
  view.ringing = kStart + 1s;
  metrics_.observe(call::CallRinging{view, 180});
  view.answered = kStart + 3s;
  metrics_.observe(call::CallAnswered{view});
  EXPECT_EQ(value("trunkline_call_setup_duration_seconds_sum{direction=\"in\",stage=\"ringing\","
                  "trunk=\"\"}"),
            1);
  EXPECT_EQ(value("trunkline_call_setup_duration_seconds_sum{direction=\"in\",stage=\"answer\","
                  "trunk=\"\"}"),
            3);
  EXPECT_EQ(value("trunkline_call_setup_duration_seconds_sum{direction=\"in\",stage=\"answer\","
                  "trunk=\"carrier\"}"),
            -1);
}

TEST_F(CallMetrics, UnknownLabelValuesAreOneValue) {
  metrics_.observe(call::CallStarted{outgoing(1, "stranger")});
  metrics_.observe(call::RequestRefused{"INVITE", "made up", "192.0.2.1:5060", "x", "", 403});
  EXPECT_EQ(value("trunkline_call_attempts_total{direction=\"out\",trunk=\"_other\"}"), 1);
  EXPECT_EQ(value("trunkline_call_rejections_total{reason=\"_other\"}"), 1);
  EXPECT_THAT(metrics_.text(), AllOf(Not(HasSubstr("stranger")), Not(HasSubstr("made up"))));
}

TEST_F(CallMetrics, MakeNoSeriesOfWhatStrangersSend) {
  const std::size_t before = series();
  for (int made_up = 0; made_up < 1000; ++made_up) {
    const std::string name = "x" + std::to_string(made_up);
    call::CallView view = outgoing(static_cast<std::uint64_t>(made_up), name);
    view.from = view.from_number = name;
    metrics_.observe(call::RequestRefused{name, name, name, name, name, 403});
    metrics_.observe(call::AuthenticationResult{name, name, name});
    metrics_.observe(call::CallStarted{view});
    metrics_.observe(call::DtmfPassed{view, name, '1', name});
    metrics_.observe(call::MediaChanged{view, name, "silent", name});
    metrics_.observe(call::TrunkChanged{name, true, name});
    metrics_.observe(call::PolicyFault{name, name, name});
    view.ended = kStart + 1s;
    metrics_.observe(
        call::CallEnded{view, call::Failure::from_response(300 + made_up % 400, name)});
    metrics_.observe(call::CallMeasured{view, {quality(name, 100)}});
  }
  EXPECT_EQ(series(), before);
  EXPECT_EQ(value("trunkline_call_attempts_total{direction=\"out\",trunk=\"_other\"}"), 1000);
  EXPECT_GT(value("trunkline_call_failures_total{code=\"4xx\",direction=\"out\",trunk=\"_other\"}"),
            0);
}

TEST_F(CallMetrics, ACallIsCountedWhereItBeganThoughATransferMovesIt) {
  call::CallView view = outgoing();
  metrics_.observe(call::CallStarted{view});
  view.trunk.clear();
  view.direction = Direction::internal;
  metrics_.observe(call::CallEnded{view, call::Failure::local(call::EndReason::hangup)});
  EXPECT_EQ(value("trunkline_calls_active{direction=\"out\",trunk=\"carrier\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_active{direction=\"internal\",trunk=\"\"}"), 0);
}

TEST_F(CallMetrics, TellWhatTheMediaOfEndedCallsWasLike) {
  metrics_.observe(call::CallMeasured{joined(), {quality("from", 1000), quality("to", 500, 3.2)}});
  EXPECT_EQ(value("trunkline_rtp_packets_lost_total{leg=\"webrtc\",trunk=\"\"}"), 100);
  EXPECT_EQ(value("trunkline_rtp_packets_expected_total{leg=\"sip\",trunk=\"carrier\"}"), 550);
  EXPECT_EQ(value("trunkline_call_quality_total{grade=\"good\",leg=\"webrtc\",trunk=\"\"}"), 1);
  EXPECT_EQ(value("trunkline_call_quality_total{grade=\"poor\",leg=\"sip\",trunk=\"carrier\"}"), 1);
  EXPECT_EQ(value("trunkline_call_mos_count{leg=\"sip\",trunk=\"carrier\"}"), 1);
  EXPECT_EQ(
      value("trunkline_rtp_jitter_seconds_bucket{leg=\"sip\",trunk=\"carrier\",le=\"0.005\"}"), 1);
  EXPECT_EQ(value("trunkline_rtp_rtt_seconds_sum{leg=\"sip\",trunk=\"carrier\"}"), 0.03);
  EXPECT_EQ(value("trunkline_no_media_calls_total{trunk=\"carrier\"}"), 0);
}

TEST_F(CallMetrics, CountSilencesByTheirCause) {
  metrics_.observe(call::MediaChanged{joined(), "to", "silent", "TRUNK_SENDS_NOTHING"});
  metrics_.observe(call::MediaChanged{joined(), "to", "silent", ""});
  metrics_.observe(call::MediaChanged{joined(), "from", "unheard", "ONE_WAY_TO_BROWSER"});
  metrics_.observe(call::MediaChanged{joined(), "from", "flowing", ""});
  EXPECT_EQ(value("trunkline_call_silences_total{cause=\"TRUNK_SENDS_NOTHING\",leg=\"sip\"}"), 1);
  EXPECT_EQ(value("trunkline_call_silences_total{cause=\"_other\",leg=\"sip\"}"), 1);
  EXPECT_EQ(value("trunkline_call_silences_total{cause=\"ONE_WAY_TO_BROWSER\",leg=\"webrtc\"}"), 1);
}

TEST_F(CallMetrics, TellOneWayAudioFromNone) {
  metrics_.observe(call::CallMeasured{joined(1), {quality("from", 1000), quality("to", 9)}});
  metrics_.observe(call::CallMeasured{joined(2), {quality("from", 0), quality("to", 0)}});
  call::CallView brief = joined(3);
  brief.ended = *brief.answered + 4s;
  metrics_.observe(call::CallMeasured{brief, {quality("from", 0), quality("to", 100)}});
  // A device that rang in vain was never to be heard.
  call::LegQuality rang = quality("to-2", 0);
  rang.joined = false;
  metrics_.observe(
      call::CallMeasured{joined(4), {quality("from", 1000), quality("to", 100), rang}});
  EXPECT_EQ(value("trunkline_one_way_audio_calls_total{leg=\"sip\",trunk=\"carrier\"}"), 1);
  EXPECT_EQ(value("trunkline_one_way_audio_calls_total{leg=\"webrtc\",trunk=\"carrier\"}"), 0);
  EXPECT_EQ(value("trunkline_no_media_calls_total{trunk=\"carrier\"}"), 1);
}

TEST_F(CallMetrics, FollowRegistrations) {
  using Kind = call::RegistrationChanged::Kind;
  for (const Kind kind : {Kind::added, Kind::added, Kind::refreshed, Kind::flow_lost}) {
    metrics_.observe(call::RegistrationChanged{kind, {}});
  }
  EXPECT_EQ(value("trunkline_registrations"), 1);
  EXPECT_EQ(value("trunkline_registrations_total{result=\"added\"}"), 2);
  EXPECT_EQ(value("trunkline_registrations_total{result=\"flow_lost\"}"), 1);
}

TEST_F(CallMetrics, CountTheRest) {
  metrics_.observe(call::AuthenticationResult{"bad", "alice", "192.0.2.1:1"});
  metrics_.observe(call::DtmfPassed{joined(), "from", '1', "info"});
  metrics_.observe(call::CallHeld{joined(), true, "to"});
  metrics_.observe(call::CallHeld{joined(), false, "to"});
  metrics_.observe(call::TrunkChanged{"carrier", true, ""});
  metrics_.observe(call::TrunkChanged{"carrier", true, ""});
  EXPECT_EQ(value("trunkline_sip_auth_total{result=\"bad\"}"), 1);
  EXPECT_EQ(value("trunkline_dtmf_digits_total{leg=\"webrtc\",method=\"info\"}"), 1);
  EXPECT_EQ(value("trunkline_holds_total{leg=\"sip\"}"), 1);
  EXPECT_EQ(value("trunkline_trunk_up{trunk=\"carrier\"}"), 1);
}

TEST_F(CallMetrics, TellTheBuildAndTheProcess) {
  EXPECT_THAT(metrics_.text(), HasSubstr("version=\"1.2.3\""));
  EXPECT_GT(value("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(value("process_threads"), 1);
  EXPECT_GE(value("process_open_fds"), 3);
  EXPECT_GT(value("process_max_fds"), 3);
  EXPECT_GT(value("process_start_time_seconds"), 1.6e9);
  EXPECT_GE(value("process_cpu_seconds_total"), 0);
  EXPECT_GE(value("trunkline_log_dropped_total"), 0);
  EXPECT_GE(value("trunkline_log_messages_total{level=\"warn\"}"), 0);
  EXPECT_EQ(value("trunkline_config_hash_info{hash=\"0a1b\"}"), 1);
}

TEST_F(CallMetrics, FollowTheTrunksOfAnotherConfiguration) {
  const call::CallView call = joined();
  metrics_.observe(call::CallStarted{call});
  metrics_.observe(call::TrunkChanged{"carrier", false, ""});
  metrics_.observe(call::TrunksConfigured{{"carrier", "fresh"}});
  EXPECT_EQ(value("trunkline_trunk_up{trunk=\"carrier\"}"), 0) << "as it was";
  EXPECT_EQ(value("trunkline_trunk_up{trunk=\"fresh\"}"), 1);
  EXPECT_EQ(value("trunkline_call_attempts_total{direction=\"out\",trunk=\"carrier\"}"), 1);
  EXPECT_EQ(value("trunkline_call_attempts_total{direction=\"out\",trunk=\"fresh\"}"), 0);
  metrics_.observe(call::TrunksConfigured{{"fresh"}});
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("trunkline_trunk_up{trunk=\"carrier\"}")));
  EXPECT_EQ(value("trunkline_calls_active{direction=\"out\",trunk=\"carrier\"}"), 1)
      << "it has a call";
  metrics_.observe(call::CallEnded{call, call::Failure::local(call::EndReason::hangup)});
  EXPECT_EQ(value("trunkline_calls_active{direction=\"out\",trunk=\"carrier\"}"), 0);
  metrics_.observe(call::TrunksConfigured{{"fresh"}});
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("trunk=\"carrier\"")));
}

TEST_F(CallMetrics, TellWhatBecameOfTheLastConfiguration) {
  EXPECT_EQ(value("trunkline_config_last_reload_successful"), 1);
  const double before = value("trunkline_config_last_reload_success_timestamp_seconds");
  EXPECT_GT(before, 1.6e9);
  metrics_.config_refused();
  EXPECT_EQ(value("trunkline_config_last_reload_successful"), 0);
  EXPECT_EQ(value("trunkline_config_hash_info{hash=\"0a1b\"}"), 1);
  EXPECT_EQ(value("trunkline_config_last_reload_success_timestamp_seconds"), before);
  metrics_.config_loaded("0c2d", true);
  EXPECT_EQ(value("trunkline_config_last_reload_successful"), 1);
  EXPECT_EQ(value("trunkline_config_hash_info{hash=\"0c2d\"}"), 1);
  EXPECT_THAT(metrics_.text(), Not(HasSubstr("0a1b")));
  EXPECT_EQ(value("trunkline_config_needs_restart"), 1);
  EXPECT_GE(value("trunkline_config_last_reload_success_timestamp_seconds"), before);
}

struct TwoWorkers : MetricSource {
  TwoWorkers() {
    durations[0].observe(0.5);
    durations[1].observe(0.5);
    durations[1].observe(3);
  }
  void collect(MetricSink& sink) const override {
    for (int worker = 0; worker < 2; ++worker) {
      sink.counter("trunkline_rtp_packets_total", "Packets.",
                   {{"leg", "webrtc"}, {"direction", "in"}}, 10);
      sink.gauge("trunkline_media_sessions", "Sessions.", {{"leg", "webrtc"}}, 2);
      sink.histogram("trunkline_test_seconds", "Test.", {}, durations[worker]);
    }
  }
  HistogramCell durations[2]{HistogramCell{{1, 2}}, HistogramCell{{1, 2}}};
};

TEST_F(CallMetrics, EqualSeriesOfASourceAreAddedUp) {
  const TwoWorkers workers;
  metrics_.add_source(workers);
  EXPECT_EQ(value("trunkline_rtp_packets_total{direction=\"in\",leg=\"webrtc\"}"), 20);
  EXPECT_EQ(value("trunkline_media_sessions{leg=\"webrtc\"}"), 4);
  EXPECT_EQ(value("trunkline_test_seconds_bucket{le=\"1\"}"), 2);
  EXPECT_EQ(value("trunkline_test_seconds_bucket{le=\"2\"}"), 2);
  EXPECT_EQ(value("trunkline_test_seconds_bucket{le=\"+Inf\"}"), 3);
  EXPECT_EQ(value("trunkline_test_seconds_count"), 3);
  EXPECT_EQ(value("trunkline_test_seconds_sum"), 4);
}

TEST_F(CallMetrics, TextIsValidPrometheus) {
  const TwoWorkers workers;
  metrics_.add_source(workers);
  std::istringstream text(metrics_.text());
  std::map<std::string, std::string> types;
  std::set<std::string> helped, series;
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string hash, what, name, type;
    words >> hash >> what >> name >> type;
    if (hash == "#" && what == "HELP") {
      EXPECT_TRUE(helped.insert(name).second) << "HELP twice: " << name;
    } else if (hash == "#" && what == "TYPE") {
      EXPECT_TRUE(types.emplace(name, type).second) << "TYPE twice: " << name;
      EXPECT_EQ(type == "counter", name.ends_with("_total")) << line;
    } else {
      EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second)
          << "series twice: " << line;
    }
  }
  EXPECT_EQ(helped.size(), types.size());
  EXPECT_GT(series.size(), 100U);
}

TEST(ExpositionText, EscapesLabelValues) {
  Exposition out;
  out.add_gauge("g", "Help.", {{"l", "a\"b\\c\nd"}}, 1);
  EXPECT_THAT(out.text(), HasSubstr("g{l=\"a\\\"b\\\\c\\nd\"} 1"));
}

TEST(ExpositionText, LeavesOutWhatContradictsTheFirstType) {
  Exposition out;
  out.counter("x_total", "First.", {}, 1);
  out.gauge("x_total", "Second.", {}, 5);
  EXPECT_THAT(out.text(), AllOf(HasSubstr("x_total 1"), Not(HasSubstr("gauge"))));
}

TEST(ExpositionText, SeriesAreTheSameWhateverTheOrderOfLabels) {
  Exposition out;
  out.counter("x_total", "X.", {{"a", "1"}, {"b", "2"}}, 1);
  out.counter("x_total", "X.", {{"b", "2"}, {"a", "1"}}, 1);
  EXPECT_THAT(out.text(), HasSubstr("x_total{a=\"1\",b=\"2\"} 2"));
}

}  // namespace
}  // namespace trunkline::telemetry
