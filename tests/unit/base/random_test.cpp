#include "base/random.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

namespace trunkline {
namespace {

TEST(Random, TheSameSeedGivesTheSameBytes) {
  SeededRandom one(7), same(7), other(8);
  const std::string first = one.token(32);
  EXPECT_EQ(first, same.token(32));
  EXPECT_NE(first, other.token(32));
}

TEST(Random, TokensAreLettersAndDigits) {
  SystemRandom random;
  const std::string token = random.token(1000);
  EXPECT_EQ(token.size(), 1000U);
  EXPECT_TRUE(std::ranges::all_of(token, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  }));
  EXPECT_GE(std::set<char>(token.begin(), token.end()).size(), 50U);
}

TEST(Random, BelowReachesEachValueAndNoOther) {
  SeededRandom random(1);
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i)
    seen.insert(random.below(5));
  EXPECT_EQ(seen, (std::set<std::uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(random.below(0), 0U);
  EXPECT_EQ(random.below(1), 0U);
}

TEST(Random, SystemBytesDiffer) {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i)
    seen.insert(random.number64());
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Random, FillsMoreThanItDrawsAtATime) {
  SystemRandom random;
  std::array<std::uint8_t, 5000> bytes{};
  random.number32();
  random.fill(bytes);
  for (std::size_t at = 0; at < bytes.size(); at += 50) {
    EXPECT_TRUE(std::any_of(bytes.begin() + at, bytes.begin() + at + 50,
                            [](std::uint8_t byte) { return byte != 0; }));
  }
}

}  // namespace
}  // namespace trunkline
