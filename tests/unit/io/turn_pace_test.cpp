#include "io/turn_pace.hpp"

namespace trunkline::io {
namespace {

/// Packets at so many a second, for a second.
Duration interval_at(TurnPace& pace, TimePoint& now, std::size_t rate) {
  for (int i = 0; i < 100; ++i) {
    now += milliseconds{10};
    pace.count(rate / 100);
    pace.end_turn(now);
  }
  return pace.interval();
}

TEST(TurnPace, AQuietWorkerWaitsForNothing) {
  TurnPace pace;
  TimePoint now{};
  EXPECT_EQ(interval_at(pace, now, 0), Duration{});
  EXPECT_EQ(interval_at(pace, now, 5000), Duration{});
}

TEST(TurnPace, ABusyWorkerLetsPacketsGather) {
  TurnPace pace;
  TimePoint now{};
  EXPECT_EQ(interval_at(pace, now, 16000), milliseconds{1});
  EXPECT_EQ(interval_at(pace, now, 160000), std::chrono::microseconds{100});
}

TEST(TurnPace, TheWaitGrowsWithTheLoadAndStaysBelowAMillisecond) {
  TurnPace pace;
  TimePoint now{};
  Duration before{};
  for (const std::size_t rate : {9000, 11000, 13000, 15000}) {
    const Duration wait = interval_at(pace, now, rate);
    EXPECT_GT(wait, before) << rate;
    EXPECT_LE(wait, TurnPace::kLongest) << rate;
    before = wait;
  }
}

TEST(TurnPace, WhenTheLoadHasGoneNothingWaitsAnyMore) {
  TurnPace pace;
  TimePoint now{};
  interval_at(pace, now, 50000);
  now += seconds{10};
  pace.end_turn(now);
  EXPECT_EQ(pace.interval(), Duration{});
}

}  // namespace
}  // namespace trunkline::io
