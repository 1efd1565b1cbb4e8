#include "call/port_pool.hpp"

#include <gtest/gtest.h>
#include <set>

namespace trunkline::call {
namespace {

class PortPoolTest : public testing::Test {
 protected:
  std::uint16_t take() {
    const auto port = pool_.take(random_, now_);
    EXPECT_TRUE(port.has_value());
    return port.value_or(0);
  }

  SeededRandom random_{1};
  TimePoint now_{seconds{100}};
  PortPool pool_{{20000, 20002, 20004, 20006}, seconds{10}};
};

TEST_F(PortPoolTest, LendsEveryPortOnceAndThenNone) {
  std::set<std::uint16_t> lent;
  for (int i = 0; i < 4; ++i)
    lent.insert(take());
  EXPECT_EQ(lent, (std::set<std::uint16_t>{20000, 20002, 20004, 20006}));
  EXPECT_EQ(pool_.take(random_, now_), std::nullopt);
  EXPECT_EQ(pool_.used(), 4u);
}

// RFC 6056 §3.3: at random [media-ports]
TEST_F(PortPoolTest, LendsInAnOrderThatDependsOnTheRandomSource) {
  std::vector<std::uint16_t> ports;
  for (std::uint16_t port = 1000; port < 1400; port = static_cast<std::uint16_t>(port + 2))
    ports.push_back(port);
  PortPool one(ports, seconds{1}), other(ports, seconds{1});
  SeededRandom first(1), second(2);
  std::vector<std::uint16_t> by_first, by_second;
  for (int i = 0; i < 20; ++i) {
    by_first.push_back(one.take(first, now_).value_or(0));
    by_second.push_back(other.take(second, now_).value_or(0));
  }
  EXPECT_NE(by_first, by_second);
}

// RFC 6056 §3.3: they rest [media-ports]
TEST_F(PortPoolTest, AReturnedPortRestsUntilTheQuarantineIsOver) {
  for (int i = 0; i < 4; ++i)
    take();
  pool_.give_back(20002, now_);
  EXPECT_EQ(pool_.used(), 3u);
  now_ += seconds{10} - milliseconds{1};
  EXPECT_EQ(pool_.take(random_, now_), std::nullopt);
  now_ += milliseconds{1};
  EXPECT_EQ(pool_.take(random_, now_), 20002);
}

TEST_F(PortPoolTest, PortsWakeInTheOrderOfTheirReturn) {
  for (int i = 0; i < 4; ++i)
    take();
  pool_.give_back(20006, now_);
  pool_.give_back(20000, now_ + seconds{5});
  EXPECT_EQ(pool_.take(random_, now_ + seconds{10}), 20006);
  EXPECT_EQ(pool_.take(random_, now_ + seconds{10}), std::nullopt);
  EXPECT_EQ(pool_.take(random_, now_ + seconds{15}), 20000);
}

TEST_F(PortPoolTest, IgnoresAPortThatIsNotItsOwn) {
  pool_.give_back(30000, now_);
  now_ += seconds{20};
  for (int i = 0; i < 4; ++i)
    EXPECT_NE(take(), 30000);
  EXPECT_EQ(pool_.take(random_, now_), std::nullopt);
}

TEST_F(PortPoolTest, ASecondReturnOfTheSamePortIsIgnored) {
  const std::uint16_t port = take();
  pool_.give_back(port, now_);
  pool_.give_back(port, now_);
  EXPECT_EQ(pool_.used(), 0u);
  now_ += seconds{10};
  for (int i = 0; i < 4; ++i)
    take();
  EXPECT_EQ(pool_.take(random_, now_), std::nullopt);
}

TEST_F(PortPoolTest, CountsTotalAndUsed) {
  EXPECT_EQ(pool_.total(), 4u);
  EXPECT_EQ(pool_.used(), 0u);
  take();
  EXPECT_EQ(pool_.used(), 1u);
  EXPECT_EQ(pool_.total(), 4u);
}

TEST(PortPool, WithoutPortsLendsNothing) {
  SeededRandom random(1);
  PortPool pool({}, seconds{10});
  EXPECT_EQ(pool.take(random, TimePoint{}), std::nullopt);
}

}  // namespace
}  // namespace trunkline::call
