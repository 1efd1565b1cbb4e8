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

class CallMetrics : public testing::Test {
 protected:
  /// The value of one series by its whole left side; -1 when there is none.
  double value(const std::string& series) const {
    std::istringstream text(metrics_.text());
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
    }
    return -1;
  }
  Metrics metrics_{{.version = "1.2.3", .trunks = {"carrier"}}};
};

TEST_F(CallMetrics, ChildrenFromConfigurationExistAtStart) {
  EXPECT_EQ(value("trunkline_call_attempts_total{direction=\"out\",trunk=\"carrier\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_active{direction=\"in\",trunk=\"carrier\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_active{direction=\"internal\",trunk=\"\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_setup_active{direction=\"out\"}"), 0);
  EXPECT_EQ(value("trunkline_calls_ended_total{direction=\"out\",reason=\"hangup\",result="
                  "\"success\",trunk=\"carrier\"}"),
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
  EXPECT_EQ(value("trunkline_calls_ended_total{direction=\"out\",reason=\"hangup\",result="
                  "\"success\",trunk=\"carrier\"}"),
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

TEST_F(CallMetrics, UnknownLabelValuesAreOneValue) {
  metrics_.observe(call::CallStarted{outgoing(1, "stranger")});
  metrics_.observe(call::RequestRefused{"INVITE", "made up", "192.0.2.1:5060", "x", "", 403});
  EXPECT_EQ(value("trunkline_call_attempts_total{direction=\"out\",trunk=\"_other\"}"), 1);
  EXPECT_EQ(value("trunkline_call_rejections_total{reason=\"_other\"}"), 1);
  EXPECT_THAT(metrics_.text(), AllOf(Not(HasSubstr("stranger")), Not(HasSubstr("made up"))));
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
  metrics_.observe(call::DtmfPassed{outgoing(), "from", '1', "info"});
  metrics_.observe(call::CallHeld{outgoing(), true, "to"});
  metrics_.observe(call::CallHeld{outgoing(), false, "to"});
  metrics_.observe(call::TrunkChanged{"carrier", true, ""});
  metrics_.observe(call::TrunkChanged{"carrier", true, ""});
  EXPECT_EQ(value("trunkline_sip_auth_total{result=\"bad\"}"), 1);
  EXPECT_EQ(value("trunkline_dtmf_digits_total{leg=\"from\",method=\"info\"}"), 1);
  EXPECT_EQ(value("trunkline_holds_total{direction=\"out\"}"), 1);
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
