#include "io/websocket_drain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

// When browsers are sent elsewhere while the node drains.
namespace trunkline::io {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct WebSocketDrainTest : testing::Test {
  WebSocketDrain drain;
  SeededRandom random{7};
  TimePoint now{seconds{100}};
  std::vector<FlowId> open;
  std::vector<FlowId> busy;

  std::vector<FlowId> due() {
    return drain.due(
        open, [this](FlowId flow) { return std::ranges::find(busy, flow) != busy.end(); }, now,
        random);
  }
};

TEST_F(WebSocketDrainTest, ClosesNobodyUnlessTheNodeDrains) {
  open = {FlowId{1}};
  EXPECT_THAT(due(), IsEmpty());
  drain.begin(seconds{0}, now);
  EXPECT_THAT(due(), ElementsAre(FlowId{1}));
  drain.stop();
  EXPECT_THAT(due(), IsEmpty());
}

TEST_F(WebSocketDrainTest, GivesEachAMomentWithinTheSpread) {
  constexpr int kBrowsers = 1000;
  for (std::uint64_t flow = 1; flow <= kBrowsers; ++flow)
    open.push_back(FlowId{flow});
  drain.begin(seconds{30}, now);
  std::map<std::int64_t, int> in_second;
  for (int tick = 0; tick <= 150; ++tick) {
    for (const FlowId flow : due()) {
      std::erase(open, flow);
      ++in_second[tick / 5];
    }
    EXPECT_EQ(drain.over(), tick >= 150) << tick;
    now += milliseconds{200};
  }
  EXPECT_THAT(open, IsEmpty());
  for (std::int64_t second = 0; second < 30; ++second) {
    EXPECT_GT(in_second[second], kBrowsers / 30 / 3) << second;
    EXPECT_LT(in_second[second], kBrowsers / 30 * 3) << second;
  }
}

TEST_F(WebSocketDrainTest, IsNotOverBeforeTheLastIsClosed) {
  for (std::uint64_t flow = 1; flow <= 1000; ++flow)
    open.push_back(FlowId{flow});
  drain.begin(milliseconds{20}, now);
  EXPECT_FALSE(drain.over());
  while (!drain.over()) {
    now += milliseconds{7};  // the first question comes late, too
    for (const FlowId flow : due())
      std::erase(open, flow);
  }
  EXPECT_THAT(open, IsEmpty());
}

TEST_F(WebSocketDrainTest, WaitsForTheEndOfACall) {
  open = {FlowId{1}, FlowId{2}};
  busy = {FlowId{2}};
  drain.begin(seconds{10}, now);
  due();
  now += seconds{11};
  EXPECT_THAT(due(), ElementsAre(FlowId{1}));
  std::erase(open, FlowId{1});
  now += seconds{60};
  EXPECT_THAT(due(), IsEmpty());
  busy.clear();
  EXPECT_THAT(due(), ElementsAre(FlowId{2}));
}

TEST_F(WebSocketDrainTest, GivesWhoComesBackTheWholeSpread) {
  drain.begin(seconds{10}, now);
  due();
  now += seconds{30};
  for (std::uint64_t flow = 1; flow <= 100; ++flow)
    open.push_back(FlowId{flow});
  EXPECT_LT(due().size(), 10U);
  now += seconds{10};
  EXPECT_EQ(due().size(), 100U);
}

}  // namespace
}  // namespace trunkline::io
