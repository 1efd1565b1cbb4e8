#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace trunkline {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

/// What `say` makes the log write to standard output.
template <class Say>
std::vector<std::string> lines(log::Level level, log::Format format, Say say) {
  testing::internal::CaptureStdout();
  log::start(level, format, "edge-1");
  say();
  log::stop();
  std::istringstream captured(testing::internal::GetCapturedStdout());
  std::vector<std::string> result;
  for (std::string line; std::getline(captured, line);)
    result.push_back(line);
  return result;
}

TEST(Log, JsonLineHasTimeLevelMessageNodeThenFieldsInOrder) {
  const auto written = lines(log::Level::info, log::Format::json, [] {
    log::info("call started", {{"call_id", "c1"}, {"code", 180}, {"up", true}, {"took", 0.5}});
  });
  ASSERT_EQ(written.size(), 1U);
  EXPECT_THAT(written[0],
              MatchesRegex("\\{\"ts\":\"[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z\","
                           "\"level\":\"info\",\"msg\":\"call started\",\"node\":\"edge-1\","
                           "\"call_id\":\"c1\",\"code\":180,\"up\":true,\"took\":0.5\\}"));
}

TEST(Log, HostileValuesStayOneValidJsonLine) {
  const auto written = lines(log::Level::info, log::Format::json, [] {
    log::warn("request refused", {{"dialled", "a\"\n\xff\x1b[2J"}, {"level", "forged"}});
  });
  ASSERT_EQ(written.size(), 1U);
  const auto line = nlohmann::json::parse(written[0]);
  EXPECT_EQ(line["level"], "warn");
  EXPECT_EQ(line["dialled"], "a\"\n\xef\xbf\xbd\x1b[2J");
}

TEST(Log, LongValuesAreCut) {
  const auto written = lines(log::Level::info, log::Format::json, [] {
    log::info("long", {{"value", std::string(5000, 'x')}});
  });
  ASSERT_EQ(written.size(), 1U);
  EXPECT_EQ(nlohmann::json::parse(written[0])["value"].get<std::string>().size(), 1024U);
}

TEST(Log, LinesBelowTheLevelAreNotWritten) {
  const auto written = lines(log::Level::warn, log::Format::json, [] {
    log::info("quiet");
    log::error("loud");
    log::set_level(log::Level::debug);
    log::debug("now heard");
  });
  ASSERT_EQ(written.size(), 2U);
  EXPECT_THAT(written[0], HasSubstr("loud"));
  EXPECT_THAT(written[1], HasSubstr("now heard"));
}

TEST(Log, ConsoleLineIsTextWithQuotedValuesWhereNeeded) {
  const auto written = lines(log::Level::info, log::Format::console, [] {
    log::info("call ended", {{"code", 486}, {"reason", "busy here"}, {"trunk", "carrier"}});
  });
  ASSERT_EQ(written.size(), 1U);
  EXPECT_THAT(written[0], MatchesRegex("[0-9]+:[0-9]+:[0-9]+ info  call ended  code=486  "
                                       "reason=\"busy here\"  trunk=carrier"));
}

TEST(Log, ConsoleValuesCannotForgeLinesOrTerminalCommands) {
  const auto written = lines(log::Level::info, log::Format::console, [] {
    log::info("refused", {{"dialled", "x\n12:00:00 info  forged\x1b[2J"}});
  });
  ASSERT_EQ(written.size(), 1U);
  EXPECT_THAT(written[0], HasSubstr("\\u001b"));
}

TEST(Log, NothingIsWrittenOrEnabledBeforeStart) {
  testing::internal::CaptureStdout();
  log::error("nobody listens");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_FALSE(log::enabled(log::Level::error));
}

TEST(Log, CountsWrittenLines) {
  lines(log::Level::info, log::Format::json, [] {
    for (int i = 0; i < 10; ++i)
      log::info("line");
    log::debug("not counted");
  });
  EXPECT_EQ(log::totals().written, 10U);
  EXPECT_EQ(log::totals().dropped, 0U);
}

TEST(Log, AFullQueueDropsAndCountsInsteadOfBlocking) {
  constexpr int kLines = 60000;
  const auto written = lines(log::Level::info, log::Format::json, [] {
    for (int i = 0; i < kLines; ++i)
      log::info("flood", {{"i", i}});
  });
  const auto totals = log::totals();
  EXPECT_EQ(totals.written + totals.dropped, static_cast<std::uint64_t>(kLines));
  EXPECT_EQ(written.size(), totals.written);
  EXPECT_THAT(written.back(), HasSubstr("\"i\":59999"));
}

TEST(Log, LevelNamesParse) {
  EXPECT_EQ(log::parse_level("debug").value(), log::Level::debug);
  EXPECT_EQ(log::parse_level("off").value(), log::Level::off);
  EXPECT_THAT(log::parse_level("loud").error().message, HasSubstr("use trace, debug"));
}

}  // namespace
}  // namespace trunkline
