#include "call/published_bindings.hpp"

#include <gmock/gmock.h>

// What is written to the store, in which order, and what is written again.
namespace trunkline::call {
namespace {

using Write = PublishedBindings::Write;
using StoreOutcome = PublishedBindings::Outcome;
using Kind = RegistrationChanged::Kind;
using Wall = PublishedBindings::Wall;

struct PublishedBindingsTest : testing::Test {
  PublishedBindings bindings{"edge-1", 3};
  Wall now{seconds{1'700'000'000}};

  Registration device(const std::string& id, const std::string& user = "alice",
                      const std::string& instance = "urn:uuid:1") {
    Registration one;
    one.id = id;
    one.user = user;
    one.instance = instance;
    one.registered = now;
    one.expires = now + seconds{600};
    return one;
  }
  void change(Kind kind, const Registration& registration) {
    bindings.changed({kind, registration}, now);
  }
  Write next() {
    const auto write = bindings.next(now);
    EXPECT_TRUE(write);
    return write.value_or(Write{});
  }
  Write written(std::int64_t at = 0, StoreOutcome outcome = StoreOutcome::done) {
    Write write = next();
    bindings.finished(write, outcome, at == 0 ? write.at : at);
    return write;
  }
};

TEST_F(PublishedBindingsTest, ARegistrationIsPublishedOnceForItsLifeTime) {
  change(Kind::added, device("1"));
  const Write write = written();
  EXPECT_EQ(write.kind, Write::Kind::publish);
  EXPECT_EQ(write.user, "alice");
  EXPECT_EQ(write.device, "urn:uuid:1");
  EXPECT_EQ(write.lifetime, seconds{600});
  EXPECT_EQ(write.at, 1'700'000'000'000);
  EXPECT_TRUE(write.fresh);
  EXPECT_FALSE(bindings.next(now));
}

TEST_F(PublishedBindingsTest, ManyChangesWhileTheStoreIsAwayAreOneWrite) {
  change(Kind::added, device("1"));
  for (int i = 0; i < 1000; ++i)
    change(Kind::refreshed, device("1"));
  EXPECT_EQ(bindings.waiting(), 1U);
  written();
  EXPECT_EQ(bindings.waiting(), 0U);
}

TEST_F(PublishedBindingsTest, AnEndedRegistrationIsWithdrawn) {
  change(Kind::added, device("1"));
  written();
  change(Kind::flow_lost, device("1"));
  EXPECT_EQ(written().kind, Write::Kind::withdraw);
  EXPECT_EQ(bindings.devices(), 0U);
}

TEST_F(PublishedBindingsTest, ADeviceWithAnotherFlowStays) {
  change(Kind::added, device("1"));
  change(Kind::added, device("2"));
  change(Kind::flow_lost, device("2"));
  const Write write = written();
  EXPECT_EQ(write.kind, Write::Kind::publish);
  EXPECT_EQ(write.registration.id, "1");
}

TEST_F(PublishedBindingsTest, DevicesWithoutAnInstanceAreTheNodesOwn) {
  change(Kind::added, device("1", "alice", ""));
  change(Kind::added, device("2", "alice", ""));
  EXPECT_EQ(written().device, "edge-1#1");
  EXPECT_EQ(written().device, "edge-1#2");
}

TEST_F(PublishedBindingsTest, AllIsSaidAgainAfterALossAndChangesGoFirst) {
  change(Kind::added, device("1", "alice"));
  change(Kind::added, device("2", "bob"));
  written();
  written();
  bindings.assert_all();
  change(Kind::added, device("3", "carol"));
  EXPECT_EQ(written().user, "carol");
  const Write again = written();
  EXPECT_EQ(again.user, "alice");
  EXPECT_FALSE(again.fresh);
  EXPECT_EQ(written().user, "bob");
  EXPECT_FALSE(bindings.next(now));
}

TEST_F(PublishedBindingsTest, WhatFailedComesAgain) {
  change(Kind::added, device("1"));
  written(0, StoreOutcome::failed);
  EXPECT_TRUE(written().fresh);
}

TEST_F(PublishedBindingsTest, AChangeWhileItIsWrittenIsWrittenToo) {
  change(Kind::added, device("1"));
  const Write write = next();
  change(Kind::removed, device("1"));
  bindings.finished(write, StoreOutcome::done, write.at);
  EXPECT_EQ(written().kind, Write::Kind::withdraw);
  EXPECT_EQ(bindings.devices(), 0U);
}

TEST_F(PublishedBindingsTest, ADeviceThatMovedIsNotClaimedUntilItComesBack) {
  change(Kind::added, device("1"));
  written();
  bindings.assert_all();
  written(-1, StoreOutcome::superseded);
  bindings.assert_all();
  EXPECT_FALSE(bindings.next(now));
  change(Kind::refreshed, device("1"));
  EXPECT_TRUE(written().fresh);
}

TEST_F(PublishedBindingsTest, TheStoresTimeCounts) {
  change(Kind::added, device("1"));
  written(1'700'000'009'000);  // it came after one of a node whose clock runs ahead
  bindings.assert_all();
  EXPECT_EQ(next().at, 1'700'000'009'000);
}

TEST_F(PublishedBindingsTest, WhatHasExpiredIsNotPublished) {
  change(Kind::added, device("1"));
  now += seconds{600};
  EXPECT_FALSE(bindings.next(now));
}

TEST_F(PublishedBindingsTest, WithdrawalsThatWaitAreBounded) {
  for (int i = 0; i < 10; ++i) {
    const Registration one = device("1", "user-" + std::to_string(i));
    change(Kind::added, one);
    change(Kind::removed, one);
  }
  EXPECT_EQ(bindings.waiting(), 3U);
  EXPECT_EQ(bindings.given_up(), 7U);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(written().kind, Write::Kind::withdraw);
  EXPECT_FALSE(bindings.next(now));
  EXPECT_EQ(bindings.devices(), 0U);
}

TEST_F(PublishedBindingsTest, AReplacementFindsWhatWasMissed) {
  change(Kind::added, device("1", "alice"));
  change(Kind::added, device("2", "bob"));
  written();
  written();
  bindings.replace({device("2", "bob"), device("3", "carol")}, now);
  std::vector<std::pair<std::string, Write::Kind>> writes;
  while (bindings.waiting() > 0) {
    const Write write = written();
    writes.emplace_back(write.user, write.kind);
  }
  EXPECT_THAT(writes, testing::UnorderedElementsAre(testing::Pair("alice", Write::Kind::withdraw),
                                                    testing::Pair("carol", Write::Kind::publish)));
}

}  // namespace
}  // namespace trunkline::call
