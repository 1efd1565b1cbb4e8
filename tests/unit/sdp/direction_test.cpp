#include "sdp/session.hpp"

#include <gtest/gtest.h>

namespace trunkline::sdp {
namespace {

constexpr Direction kAll[] = {Direction::sendrecv, Direction::sendonly, Direction::recvonly,
                              Direction::inactive};

TEST(DirectionTest, ReversingTwiceGivesTheSame) {
  for (const Direction one : kAll)
    EXPECT_EQ(reversed(reversed(one)), one);
}

TEST(DirectionTest, TheOtherSideReceivesWhatOneSends) {
  EXPECT_EQ(reversed(Direction::sendonly), Direction::recvonly);
  EXPECT_EQ(reversed(Direction::recvonly), Direction::sendonly);
  EXPECT_EQ(reversed(Direction::sendrecv), Direction::sendrecv);
  EXPECT_EQ(reversed(Direction::inactive), Direction::inactive);
}

TEST(DirectionTest, CommonAllowsOnlyWhatBothAllow) {
  for (const Direction one : kAll) {
    for (const Direction other : kAll) {
      EXPECT_EQ(sends(common(one, other)), sends(one) && sends(other));
      EXPECT_EQ(receives(common(one, other)), receives(one) && receives(other));
    }
  }
}

TEST(DirectionTest, TextIsTheAttribute) {
  EXPECT_EQ(direction_text(Direction::sendrecv), "sendrecv");
  EXPECT_EQ(direction_text(Direction::sendonly), "sendonly");
  EXPECT_EQ(direction_text(Direction::recvonly), "recvonly");
  EXPECT_EQ(direction_text(Direction::inactive), "inactive");
}

}  // namespace
}  // namespace trunkline::sdp
