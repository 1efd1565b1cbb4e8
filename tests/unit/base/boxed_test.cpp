#include "base/boxed.hpp"

#include <gtest/gtest.h>
#include <string>
#include <utility>

namespace trunkline {
namespace {

TEST(Boxed, HasNothingAtFirstAndTakesAPointersRoom) {
  const Boxed<std::string> box;
  EXPECT_FALSE(box);
  EXPECT_EQ(box.optional(), std::nullopt);
  EXPECT_EQ(sizeof box, sizeof(void*));
}

TEST(Boxed, ACopyHasAValueOfItsOwn) {
  Boxed<std::string> one = std::string("one");
  Boxed<std::string> other = one;
  *other += " more";
  EXPECT_EQ(*one, "one");
  other = one;
  EXPECT_EQ(*other, "one");
  const Boxed<std::string>& same = other;
  other = same;
  EXPECT_EQ(*other, "one");
}

TEST(Boxed, IsTakenOut) {
  Boxed<std::string> box;
  box.emplace(3u, 'x');
  const Boxed<std::string> taken = std::exchange(box, std::nullopt);
  EXPECT_FALSE(box.has_value());
  EXPECT_EQ(taken->size(), 3u);
  EXPECT_EQ(taken.optional(), "xxx");
}

TEST(Boxed, IsReset) {
  Boxed<std::string> box = std::string("value");
  box.reset();
  EXPECT_FALSE(box);
  box = std::string("again");
  EXPECT_EQ(*box, "again");
}

}  // namespace
}  // namespace trunkline
