#include "rtp/quality.hpp"

#include <gmock/gmock.h>

namespace trunkline::rtp {
namespace {

using Arrival = ReceiveStatistics::Arrival;
using testing::DoubleNear;

class ReceiveStatisticsTest : public testing::Test {
 protected:
  // A 20 ms packet of PCMU, in time.
  Arrival packet(std::uint16_t sequence) {
    return statistics_.update(ssrc_, sequence, std::uint32_t{sequence} * 160, 8000,
                              begin_ + milliseconds{20} * sequence);
  }
  void packets(std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t sequence = from; sequence < to; ++sequence)
      packet(static_cast<std::uint16_t>(sequence));
  }
  ReportBlock report() { return statistics_.report(begin_ + seconds{60}).value_or(ReportBlock{}); }

  ReceiveStatistics statistics_;
  TimePoint begin_ = TimePoint{} + seconds{1000};
  std::uint32_t ssrc_ = 7;
};

TEST_F(ReceiveStatisticsTest, KnowsNothingBeforeTheFirstPacket) {
  EXPECT_FALSE(statistics_.started());
  EXPECT_EQ(statistics_.expected(), 0U);
  EXPECT_EQ(statistics_.lost(), 0U);
  EXPECT_FALSE(statistics_.report(begin_));
}

TEST_F(ReceiveStatisticsTest, CountsAnUnbrokenStream) {
  packets(100, 200);
  EXPECT_EQ(statistics_.received(), 100U);
  EXPECT_EQ(statistics_.expected(), 100U);
  EXPECT_EQ(statistics_.lost(), 0U);
  EXPECT_EQ(report().highest_sequence, 199U);
}

// RFC 3550 §A.3: loss [receive-counts]
TEST_F(ReceiveStatisticsTest, CountsLoss) {
  packets(100, 150);
  packets(160, 200);
  EXPECT_EQ(statistics_.expected(), 100U);
  EXPECT_EQ(statistics_.lost(), 10U);
  const ReportBlock block = report();
  EXPECT_EQ(block.cumulative_lost, 10);
  EXPECT_EQ(block.fraction_lost, 25) << "10/100 of 256";
  EXPECT_DOUBLE_EQ(statistics_.interval_loss(), 0.1);
}

TEST_F(ReceiveStatisticsTest, TheFractionIsThatOfTheInterval) {
  packets(0, 50);
  packets(60, 100);
  report();
  packets(100, 200);
  const ReportBlock block = report();
  EXPECT_EQ(block.fraction_lost, 0);
  EXPECT_EQ(block.cumulative_lost, 10);
}

TEST_F(ReceiveStatisticsTest, AnIntervalWithoutPacketsHasNoLoss) {
  packets(0, 50);
  report();
  EXPECT_EQ(report().fraction_lost, 0);
}

// RFC 3550 §A.3: reordering is none [receive-counts]
TEST_F(ReceiveStatisticsTest, ReorderedPacketsAreNotLost) {
  packet(1);
  packet(3);
  EXPECT_EQ(packet(2), Arrival::reordered);
  EXPECT_EQ(statistics_.lost(), 0U);
  EXPECT_EQ(statistics_.reordered(), 1U);
}

TEST_F(ReceiveStatisticsTest, DuplicatesMakeTheLossNegativeInTheReportOnly) {
  packets(1, 5);
  EXPECT_EQ(packet(4), Arrival::duplicate);
  EXPECT_EQ(packet(2), Arrival::duplicate);
  EXPECT_EQ(statistics_.duplicates(), 2U);
  EXPECT_EQ(statistics_.lost(), 0U);
  EXPECT_EQ(report().cumulative_lost, -2);
  EXPECT_EQ(report().fraction_lost, 0);
}

// RFC 3550 §A.3: the roll-over [receive-counts]
TEST_F(ReceiveStatisticsTest, GoesThroughTheRollOver) {
  packets(65500, 65536);
  packets(0, 10);
  EXPECT_EQ(statistics_.expected(), 46U);
  EXPECT_EQ(statistics_.lost(), 0U);
  EXPECT_EQ(report().highest_sequence, 0x10009U);
}

TEST_F(ReceiveStatisticsTest, ALateOneFromBeforeTheRollOverDoesNotCountTwice) {
  packet(65535);
  packet(1);
  EXPECT_EQ(packet(0), Arrival::reordered);
  packets(2, 10);
  EXPECT_EQ(statistics_.expected(), 11U);
  EXPECT_EQ(report().highest_sequence, 0x10009U);
}

TEST_F(ReceiveStatisticsTest, ALoneWildPacketIsNotCounted) {
  packets(1, 10);
  EXPECT_EQ(packet(30000), Arrival::wild);
  EXPECT_EQ(packet(10), Arrival::in_order);
  EXPECT_EQ(statistics_.received(), 10U);
  EXPECT_EQ(statistics_.expected(), 10U);
}

TEST_F(ReceiveStatisticsTest, TwoWildPacketsInARowAreASourceThatBeganAnew) {
  packets(1, 11);
  packet(30000);
  EXPECT_EQ(packet(30001), Arrival::restarted);
  packets(30002, 30010);
  EXPECT_EQ(statistics_.expected(), 19U);
  EXPECT_EQ(statistics_.lost(), 0U);
}

TEST_F(ReceiveStatisticsTest, AnotherSsrcGoesOnWithTheTotalsAndBeginsAReport) {
  packets(1, 5);
  packets(6, 11);
  ssrc_ = 8;
  EXPECT_EQ(packet(40000), Arrival::restarted);
  EXPECT_EQ(statistics_.received(), 10U);
  EXPECT_EQ(statistics_.lost(), 1U);
  EXPECT_EQ(report().ssrc, 8U);
  EXPECT_EQ(report().cumulative_lost, 0);
  EXPECT_EQ(report().highest_sequence, 40000U);
}

TEST_F(ReceiveStatisticsTest, AllOfAnIntervalLostIsAFullFraction) {
  packets(0, 10);
  report();
  packet(2000);
  EXPECT_EQ(report().fraction_lost, 255);
}

// ---------------------------------------------------------------- jitter

// RFC 3550 §A.8: an even stream has none [jitter]
TEST_F(ReceiveStatisticsTest, AnEvenStreamHasNoJitter) {
  packets(0, 500);
  EXPECT_EQ(statistics_.jitter_seconds(), 0);
}

// RFC 3550 §A.8: by a sixteenth [jitter]
TEST_F(ReceiveStatisticsTest, JitterGainsASixteenthOfTheDifference) {
  statistics_.update(1, 1, 0, 8000, begin_);
  statistics_.update(1, 2, 160, 8000, begin_ + milliseconds{36});  // 16 ms late: 128 ticks
  EXPECT_DOUBLE_EQ(statistics_.jitter_seconds(), 0.001);
  EXPECT_EQ(statistics_.report(begin_)->jitter, 8U);
}

TEST_F(ReceiveStatisticsTest, JitterConvergesToTheMeanDeviation) {
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const Duration late = i % 2 == 0 ? Duration{} : Duration{milliseconds{10}};
    statistics_.update(1, static_cast<std::uint16_t>(i), i * 960, 48000,
                       begin_ + milliseconds{20} * i + late);
  }
  EXPECT_THAT(statistics_.jitter_seconds(), DoubleNear(0.010, 0.0005));
}

TEST_F(ReceiveStatisticsTest, AJumpOfTheTimestampIsNoJitter) {
  packets(0, 10);
  statistics_.update(ssrc_, 10, 0x80000000, 8000, begin_ + milliseconds{200});
  statistics_.update(ssrc_, 11, 0x80000000 + 160, 8000, begin_ + milliseconds{220});
  EXPECT_EQ(statistics_.jitter_seconds(), 0);
}

// RFC 3550 §A.8: events and marked packets do not count [jitter]
TEST_F(ReceiveStatisticsTest, SkippedPacketsBreakTheMeasurement) {
  statistics_.update(1, 1, 0, 8000, begin_);
  statistics_.update(1, 2, 160, 8000, begin_ + seconds{2}, true);
  statistics_.update(1, 3, 320, 8000, begin_ + seconds{3});
  EXPECT_EQ(statistics_.jitter_seconds(), 0);
}

TEST_F(ReceiveStatisticsTest, AnotherClockBreaksTheMeasurement) {
  statistics_.update(1, 1, 0, 8000, begin_);
  statistics_.update(1, 2, 500'000, 48000, begin_ + milliseconds{20});
  statistics_.update(1, 3, 500'960, 48000, begin_ + milliseconds{40});
  EXPECT_EQ(statistics_.jitter_seconds(), 0);
}

TEST_F(ReceiveStatisticsTest, GoesThroughTheRollOverOfTheTimestamp) {
  statistics_.update(1, 1, 0xffffffb0, 8000, begin_);
  statistics_.update(1, 2, 0x50, 8000, begin_ + milliseconds{20});
  EXPECT_EQ(statistics_.jitter_seconds(), 0);
}

// ---------------------------------------------------------------- LSR, DLSR

TEST_F(ReceiveStatisticsTest, ReportsTheLastSenderReportAndItsAge) {
  packet(1);
  EXPECT_EQ(report().last_sr, 0U);
  statistics_.on_sender_report(ssrc_, {0x1111222233334444}, begin_);
  const auto block = statistics_.report(begin_ + milliseconds{5250});
  EXPECT_EQ(block->last_sr, 0x22223333U);
  EXPECT_EQ(block->delay_since_sr, 0x00054000U);
}

TEST_F(ReceiveStatisticsTest, ASenderReportOfAnotherSourceIsNotReported) {
  packet(1);
  statistics_.on_sender_report(99, {0x1111222233334444}, begin_);
  EXPECT_EQ(report().last_sr, 0U);
}

// ---------------------------------------------------------------- E-model

// RFC 3611 §4.7.5: the maximum [mos]
TEST(Mos, IsTheKnownMaximumOnAPerfectLine) {
  EXPECT_THAT(r_factor(0, 0, kG711WithConcealment), DoubleNear(93.2, 1e-9));
  EXPECT_THAT(mos(0, 0, kG711WithConcealment), DoubleNear(4.41, 0.005));
}

TEST(Mos, FallsWithDelay) {
  // 0.024·150 = 3.6; at 400 ms 9.6 + 0.11·222.7 = 34.097.
  EXPECT_THAT(r_factor(0, 150, kG711WithConcealment), DoubleNear(89.6, 1e-9));
  EXPECT_THAT(r_factor(0, 400, kG711WithConcealment), DoubleNear(93.2 - 34.097, 1e-9));
}

// RFC 3611 §4.7.5: loss [mos]
TEST(Mos, FallsWithLossTheLessTheBetterTheConcealment) {
  EXPECT_THAT(r_factor(0.02, 0, kG711WithConcealment), DoubleNear(93.2 - 95 * 2 / 27.1, 1e-9));
  EXPECT_LT(r_factor(0.02, 0, kG711Plain), r_factor(0.02, 0, kG711WithConcealment));
}

TEST(Mos, StaysWithinOneAndFourAndAHalf) {
  EXPECT_EQ(mos(1, 10000, kG711Plain), 1);
  EXPECT_EQ(mos_of_r(-5), 1);
  EXPECT_EQ(mos_of_r(120), 4.5);
  EXPECT_GE(mos_of_r(3), 1) << "the polynomial dips below 1 there";
  EXPECT_EQ(mos(-1, -1, kG711WithConcealment), mos(0, 0, kG711WithConcealment));
}

}  // namespace
}  // namespace trunkline::rtp
