#include "call_control/call_media.hpp"

#include <cmath>
#include <gtest/gtest.h>

namespace trunkline::call_control {
namespace {

using std::chrono::seconds;

const std::chrono::system_clock::time_point kBegan{seconds{1'700'000'000}};

call::CallSampled sample(int after, double loss, const std::string& leg = "to") {
  call::LegQuality quality;
  quality.leg = leg;
  quality.interval_loss = loss;
  quality.interval_mos = 4.4 - 2 * loss;
  quality.jitter_seconds = 0.01;
  return {"c1", kBegan + seconds{after}, {quality}};
}

TEST(CallMedia, APointIsWhatWasToldOfTheTimeSinceTheLastOne) {
  CallMedia media;
  media.observe(sample(2, 0.5), kBegan);
  media.observe(sample(7, 0), kBegan);
  ASSERT_NE(media.find("to"), nullptr);
  EXPECT_EQ(media.find("from"), nullptr);
  const auto& points = media.find("to")->history.points();
  ASSERT_EQ(points.size(), 2U);
  EXPECT_FLOAT_EQ(points[0].at, 2);
  EXPECT_FLOAT_EQ(points[0].loss, 0.5F);
  EXPECT_FLOAT_EQ(points[0].jitter_ms, 10);
  EXPECT_FLOAT_EQ(points[1].loss, 0);
  EXPECT_TRUE(std::isnan(points[1].peer_mos)) << "no RTCP came";
  EXPECT_TRUE(std::isnan(points[1].round_trip_ms));
}

TEST(CallMedia, ALongCallTakesNoMoreRoomAndKeepsItsWorst) {
  CallMedia media;
  const int samples = 5000;
  for (int i = 0; i < samples; ++i)
    media.observe(sample(5 * i, i == 1234 ? 0.75 : 0.01), kBegan);
  const auto& points = media.find("to")->history.points();
  EXPECT_LE(points.size(), QualityHistory::kMaxPoints);
  EXPECT_GE(points.size(), QualityHistory::kMaxPoints / 2);
  float worst = 0, before = -1;
  for (const QualityPoint& point : points) {
    EXPECT_GT(point.at, before);
    before = point.at;
    worst = std::fmax(worst, point.loss);
  }
  EXPECT_FLOAT_EQ(worst, 0.75F);
  EXPECT_FLOAT_EQ(points.back().at, 5 * (samples - 1));
  const float step = points[2].at - points[1].at;
  for (std::size_t i = 2; i + 1 < points.size(); ++i)
    EXPECT_NEAR(points[i].at - points[i - 1].at, step, 0.01F);
}

TEST(CallMedia, LegsAreBounded) {
  CallMedia media;
  for (int leg = 0; leg < 40; ++leg)
    media.observe(sample(leg, 0, "to-" + std::to_string(leg)), kBegan);
  EXPECT_NE(media.find("to-0"), nullptr);
  EXPECT_EQ(media.find("to-39"), nullptr);
}

TEST(CallMedia, AVerdictStandsUntilSoundComesAndIsRememberedThen) {
  CallMedia media;
  call::MediaChanged change;
  change.leg = "to";
  change.what = "silent";
  change.cause = "TRUNK_SENDS_NOTHING";
  media.observe(change);
  EXPECT_TRUE(media.find("to")->silent);
  EXPECT_EQ(media.find("to")->cause, "TRUNK_SENDS_NOTHING");
  change.what = "flowing";
  change.cause.clear();
  media.observe(change);
  EXPECT_FALSE(media.find("to")->silent);
  EXPECT_EQ(media.find("to")->cause, "TRUNK_SENDS_NOTHING");
  change.what = "unheard";
  change.cause = "ONE_WAY_TO_TRUNK";
  media.observe(change);
  EXPECT_TRUE(media.find("to")->unheard);
  call::CallSampled told = sample(5, 0);
  told.legs[0].at_peer = {0, 0.01, 4.4};
  media.observe(told, kBegan);
  EXPECT_FALSE(media.find("to")->unheard) << "it reports on what it gets";
  media.observe(change);
  media.observe(told, kBegan);
  EXPECT_TRUE(media.find("to")->unheard) << "it has nothing new to report";
  told.legs[0].at_peer->jitter_seconds = 0.02;
  media.observe(told, kBegan);
  EXPECT_FALSE(media.find("to")->unheard);
  change.what = "connected";
  change.leg = "from";
  media.observe(change);
  EXPECT_EQ(media.find("from"), nullptr);
}

TEST(CallMedia, InTheEndItIsAllThatWasCounted) {
  CallMedia media;
  media.observe(sample(2, 0), kBegan);
  call::CallMeasured measured;
  measured.legs.emplace_back();
  measured.legs.back().leg = "to";
  measured.legs.back().packets_received = 4711;
  media.observe(measured);
  EXPECT_EQ(media.find("to")->last.packets_received, 4711U);
  EXPECT_EQ(media.find("to")->history.points().size(), 1U);
}

}  // namespace
}  // namespace trunkline::call_control
