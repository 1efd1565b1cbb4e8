#include "telemetry/call_log.hpp"

#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

namespace trunkline::telemetry {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class CallLogLines : public testing::Test {
 protected:
  CallLogLines() {
    view_.name = "call-1";
    view_.direction = call::Direction::outbound;
    view_.trunk = "carrier";
    view_.from = "user:alice";
    view_.to = "trunk:carrier";
    view_.dialled = "+15551234";
    view_.created = std::chrono::system_clock::time_point{1'700'000'000s};
  }

  std::vector<json> lines(const std::vector<call::Observation>& observations,
                          log::Level level = log::Level::info) {
    testing::internal::CaptureStdout();
    log::start(level, log::Format::json, "edge-1");
    for (const auto& observation : observations)
      log_.observe(observation);
    log::stop();
    std::istringstream captured(testing::internal::GetCapturedStdout());
    std::vector<json> result;
    for (std::string line; std::getline(captured, line);)
      result.push_back(json::parse(line));
    return result;
  }

  TimePoint now_ = TimePoint{} + 1h;
  CallLog log_{[this] { return now_; }};
  call::CallView view_;
};

TEST_F(CallLogLines, TellTheStepsOfACall) {
  call::CallView ringing = view_, answered = view_;
  ringing.ringing = view_.created + 1s;
  answered.answered = view_.created + 3s;
  const auto written = lines({call::CallStarted{view_}, call::CallRinging{ringing, 183},
                              call::CallAnswered{answered}, call::CallHeld{answered, true, "to"},
                              call::CallHeld{answered, false, "to"}});
  ASSERT_EQ(written.size(), 5U);
  EXPECT_EQ(written[0]["msg"], "call started");
  EXPECT_EQ(written[0]["call_id"], "call-1");
  EXPECT_EQ(written[0]["dialled"], "+15551234");
  EXPECT_EQ(written[1]["code"], 183);
  EXPECT_EQ(written[2]["setup_ms"], 3000);
  EXPECT_EQ(written[3]["msg"], "call held");
  EXPECT_EQ(written[4]["msg"], "call resumed");
}

TEST_F(CallLogLines, TellWhyACallEnded) {
  view_.ended = view_.created + 1s;
  const auto written =
      lines({call::CallEnded{view_, call::Failure::from_response(486, "Busy Here")}});
  ASSERT_EQ(written.size(), 1U);
  EXPECT_EQ(written[0]["code"], 486);
  EXPECT_EQ(written[0]["reason"], "rejected");
  EXPECT_EQ(written[0]["phrase"], "Busy Here");
  EXPECT_EQ(written[0]["answered"], false);
  EXPECT_EQ(written[0]["trunk"], "carrier");
  EXPECT_TRUE(written[0].contains("fault"));
  EXPECT_TRUE(written[0].contains("ended_by"));
}

TEST_F(CallLogLines, TellHowLongAnAnsweredCallTook) {
  view_.answered = view_.created + 2s;
  view_.ended = view_.created + 12s;
  const auto written =
      lines({call::CallEnded{view_, call::Failure::local(call::EndReason::hangup)}});
  EXPECT_EQ(written.at(0)["duration_ms"], 10000);
}

TEST_F(CallLogLines, NeverHoldDigits) {
  const auto written = lines({call::DtmfPassed{view_, "from", '7', "info"}}, log::Level::trace);
  ASSERT_EQ(written.size(), 1U);
  EXPECT_FALSE(written[0].contains("digit"));
  EXPECT_THAT(lines({call::DtmfPassed{view_, "from", '7', "info"}}), IsEmpty());
}

TEST_F(CallLogLines, OfRefusedRequestsAreLimitedAndSaySo) {
  const std::vector<call::Observation> flood(
      100, call::RequestRefused{"INVITE", "acl", "192.0.2.1:5060", "1001", "", 403});
  EXPECT_EQ(lines(flood).size(), 20U);
  now_ += 10s;
  const auto later = lines({flood[0]});
  ASSERT_EQ(later.size(), 1U);
  EXPECT_EQ(later[0]["suppressed"], 80);
  EXPECT_EQ(later[0]["reason"], "acl");
  EXPECT_EQ(later[0]["code"], 403);
}

TEST_F(CallLogLines, OfWrongCredentialsAreLimited) {
  EXPECT_EQ(lines(std::vector<call::Observation>(
                      100, call::AuthenticationResult{"bad", "alice", "192.0.2.1:1"}))
                .size(),
            20U);
}

call::RegistrationChanged changed(call::RegistrationChanged::Kind kind, std::string user_agent) {
  call::RegistrationChanged change{kind, {}};
  change.registration.user = "alice";
  change.registration.contact = "sip:x";
  change.registration.user_agent = std::move(user_agent);
  return change;
}

TEST_F(CallLogLines, AreQuietAboutRoutine) {
  EXPECT_THAT(lines({call::AuthenticationResult{"ok", "alice", ""},
                     call::AuthenticationResult{"challenge", "", ""},
                     changed(call::RegistrationChanged::Kind::refreshed, "ua")}),
              IsEmpty());
}

TEST_F(CallLogLines, TellRegistrationsAndTrunks) {
  const auto written = lines({changed(call::RegistrationChanged::Kind::added, "JsSIP"),
                              changed(call::RegistrationChanged::Kind::flow_lost, "JsSIP"),
                              call::TrunkChanged{"carrier", false, "no answer"}});
  ASSERT_EQ(written.size(), 3U);
  EXPECT_EQ(written[0]["msg"], "registered");
  EXPECT_EQ(written[1]["user"], "alice");
  EXPECT_EQ(written[2]["msg"], "trunk down");
  EXPECT_EQ(written[2]["level"], "warn");
}

}  // namespace
}  // namespace trunkline::telemetry
