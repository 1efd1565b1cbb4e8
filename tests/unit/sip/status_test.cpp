#include "sip/status.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace trunkline::sip {
namespace {

TEST(Status, NamesRegisteredCodes) {
  EXPECT_EQ(reason_phrase(100), "Trying");
  EXPECT_EQ(reason_phrase(487), "Request Terminated");
  EXPECT_EQ(reason_phrase(608), "Rejected");
}

TEST(Status, NamesAnUnknownCodeAfterItsClass) {
  EXPECT_EQ(reason_phrase(150), "Provisional");
  EXPECT_EQ(reason_phrase(299), "Successful");
  EXPECT_EQ(reason_phrase(399), "Redirection");
  EXPECT_EQ(reason_phrase(499), "Client Error");
  EXPECT_EQ(reason_phrase(599), "Server Error");
  EXPECT_EQ(reason_phrase(699), "Global Failure");
}

TEST(Status, NamesWhatIsNoStatusUnknown) {
  EXPECT_EQ(reason_phrase(0), "Unknown");
  EXPECT_EQ(reason_phrase(-480), "Unknown");
  EXPECT_EQ(reason_phrase(700), "Unknown");
}

TEST(Status, ListsEveryCodeOnceAscending) {
  const auto names = all_status_names();
  EXPECT_GE(names.size(), 75U);
  EXPECT_EQ(std::ranges::adjacent_find(names, [](auto& a, auto& b) { return a.code >= b.code; }),
            names.end());
  EXPECT_TRUE(std::ranges::all_of(
      names, [](auto& status) { return reason_phrase(status.code) == status.name; }));
}

}  // namespace
}  // namespace trunkline::sip
