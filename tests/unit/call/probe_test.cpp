#include "simulation.hpp"
#include <gmock/gmock.h>

// OPTIONS to the targets of a trunk by the clock: what they say of it, and what calls make of that.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::IsEmpty;
using testing::SizeIs;

struct Probes : testing::Test {
  World world;
  Peer* first = nullptr;
  Peer* second = nullptr;

  void SetUp() override {
    world.settings.trunks[0].options_interval = seconds{30};
    world.restart();
    first = &world.trunk();
  }
  void locate_two() {
    second = &world.other_trunk("192.0.2.20:5060");
    world.engine->trunk_located(
        "carrier", {{sip::Transport::udp, *SocketAddress::parse("192.0.2.9:5060"), 1, 0, 0},
                    {sip::Transport::udp, *SocketAddress::parse("192.0.2.20:5060"), 2, 0, 1}});
  }
  /// Answers what has been asked with this status; how many there were.
  int answer(Peer& peer, int status = 200) {
    int count = 0;
    while (const auto options = peer.take_request(Method::options)) {
      peer.respond(*options, status);
      world.settle();
      ++count;
    }
    return count;
  }
  TrunkView view() {
    const auto views = world.reply<TrunkViews>(world.ask(ListTrunks{}));
    return views ? views->all.front() : TrunkView{};
  }
  std::vector<TrunkChanged> changes() const { return world.observed<TrunkChanged>(); }
};

// RFC 3261 §11: OPTIONS asks whether a server is there
TEST_F(Probes, AskAtOnceAndThenByTheInterval) {
  EXPECT_EQ(view().up, std::nullopt);
  world.pass(seconds{1});
  const auto options = first->take_request(Method::options);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->request.request_uri(), "sip:192.0.2.9:5060");
  EXPECT_EQ(options->request.header(HeaderName::max_forwards), "70");
  first->respond(*options, 200);
  world.settle();
  EXPECT_EQ(view().up, true);
  ASSERT_THAT(changes(), SizeIs(1));
  EXPECT_TRUE(changes()[0].up);
  int asked = 0;
  for (int second_count = 0; second_count < 300; ++second_count) {
    world.pass(seconds{1});
    asked += answer(*first);
  }
  EXPECT_GE(asked, 9);
  EXPECT_LE(asked, 11);
  EXPECT_THAT(changes(), SizeIs(1)) << "nothing has changed";
}

TEST_F(Probes, AreSpreadOut) {
  std::vector<Duration> gaps;
  TimePoint last{};
  for (int step = 0; step < 3000; ++step) {
    world.pass(milliseconds{100});
    if (answer(*first) == 0) continue;
    if (last != TimePoint{}) gaps.push_back(world.now - last);
    last = world.now;
  }
  ASSERT_GE(gaps.size(), 8U);
  for (const Duration gap : gaps) {
    EXPECT_GE(gap, milliseconds{26900});
    EXPECT_LE(gap, milliseconds{33100});
  }
  EXPECT_NE(*std::ranges::min_element(gaps), *std::ranges::max_element(gaps));
}

TEST_F(Probes, CallATrunkDownThatDoesNotAnswerAndUpWhenItDoes) {
  first->silent = true;
  world.pass(seconds{6});
  EXPECT_EQ(view().up, false);
  ASSERT_THAT(changes(), SizeIs(1));
  EXPECT_FALSE(changes()[0].up);
  EXPECT_EQ(changes()[0].detail, "no answer");
  first->silent = false;
  first->requests.clear();
  for (int count = 0; count < 80 && (view().up != true || view().degraded); ++count) {
    world.pass(seconds{1});
    answer(*first);
  }
  EXPECT_EQ(view().up, true);
  EXPECT_FALSE(view().degraded);
}

TEST_F(Probes, CountAnyAnswerButA503AsGood) {
  world.pass(seconds{1});
  EXPECT_EQ(answer(*first, 404), 1);
  EXPECT_EQ(view().up, true);
  EXPECT_FALSE(view().degraded);
}

TEST_F(Probes, CallATrunkDegradedThatAnswers503) {
  world.pass(seconds{1});
  EXPECT_EQ(answer(*first, 503), 1);
  EXPECT_EQ(view().up, true);
  EXPECT_TRUE(view().degraded);
  EXPECT_EQ(view().targets[0].state, "refusing");
}

TEST_F(Probes, CallATrunkDegradedThatAnswersLate) {
  world.pass(seconds{1});
  const auto options = first->take_request(Method::options);
  ASSERT_TRUE(options);
  world.pass(seconds{3});
  first->respond(*options, 200);
  world.settle();
  EXPECT_TRUE(view().degraded);
  EXPECT_EQ(view().targets[0].state, "late");
}

TEST_F(Probes, CallATrunkDegradedThatHasOneTargetDown) {
  locate_two();
  second->silent = true;
  for (int count = 0; count < 7; ++count) {
    world.pass(seconds{1});
    answer(*first);
  }
  EXPECT_EQ(view().up, true);
  EXPECT_TRUE(view().degraded);
  ASSERT_THAT(view().targets, SizeIs(2));
  EXPECT_EQ(view().targets[0].state, "up");
  EXPECT_EQ(view().targets[1].state, "down");
  EXPECT_EQ(view().targets[1].address, "192.0.2.20:5060");
}

TEST_F(Probes, CallsTryADownTargetLastButTryIt) {
  locate_two();
  first->silent = true;
  for (int count = 0; count < 7; ++count) {
    world.pass(seconds{1});
    answer(*second);
  }
  Peer& alice = world.registered("alice", 100000);
  auto call =
      world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
  first->silent = false;
  auto invite = second->take_request(Method::invite);
  ASSERT_TRUE(invite);
  second->respond(*invite, 503);
  world.settle();
  invite = first->take_request(Method::invite);
  ASSERT_TRUE(invite);
  first->respond(*invite, 486);
  world.settle();
  EXPECT_TRUE(alice.take_response(486, call));
}

TEST_F(Probes, AreNotSentWithoutAnInterval) {
  world.settings.trunks[0].options_interval = {};
  world.restart();
  world.pass(seconds{300});
  EXPECT_FALSE(first->take_request(Method::options));
  EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(Probes, WaitForTheHostToBeLocated) {
  world.settings.trunks[0].uri = *sip::Uri::parse("sip:carrier.test");
  world.restart();
  world.pass(seconds{60});
  EXPECT_FALSE(first->take_request(Method::options));
  locate_two();
  world.pass(seconds{2});
  EXPECT_EQ(answer(*first), 1);
  EXPECT_EQ(answer(*second), 1);
}

}  // namespace
}  // namespace trunkline::call::simulation
