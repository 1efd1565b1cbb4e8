#include "base/rate_limit.hpp"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

using std::chrono::milliseconds;

class RateLimitBucket : public testing::Test {
 protected:
  int allowed(int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i)
      count += limit_.allow(now_) ? 1 : 0;
    return count;
  }
  RateLimit limit_{10, 3};
  TimePoint now_ = TimePoint{} + std::chrono::hours{1};
};

TEST_F(RateLimitBucket, AllowsTheBurstAtOnce) {
  EXPECT_EQ(allowed(10), 3);
}

TEST_F(RateLimitBucket, RefillsWithTime) {
  allowed(10);
  now_ += milliseconds{99};
  EXPECT_EQ(allowed(10), 0);
  now_ += milliseconds{2};
  EXPECT_EQ(allowed(10), 1);
}

TEST_F(RateLimitBucket, NeverHoldsMoreThanTheBurst) {
  allowed(10);
  now_ += std::chrono::hours{24};
  EXPECT_EQ(allowed(10), 3);
}

TEST_F(RateLimitBucket, TellsHowManyWereRefusedBefore) {
  allowed(10);
  now_ += std::chrono::seconds{1};
  EXPECT_TRUE(limit_.allow(now_));
  EXPECT_EQ(limit_.suppressed(), 7U);
  EXPECT_TRUE(limit_.allow(now_));
  EXPECT_EQ(limit_.suppressed(), 0U);
}

}  // namespace
}  // namespace trunkline
