#include "call_control/event_feed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::call_control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Progress = EventFeed::Progress;
using TokenFault = EventFeed::TokenFault;

constexpr EventFeed::Limits kLimits{10, 1000, 5};

Bytes event(std::size_t size = 1) {
  return std::make_shared<const std::string>(size, 'x');
}

void append(EventFeed& feed, int count, std::size_t size = 1) {
  for (int i = 0; i < count; ++i)
    feed.append(event(size));
}

struct Reader : FeedReader {
  int woken = 0;
  void wake() override { ++woken; }
  void idle(const Bytes&) override {}
};

TEST(EventFeedTest, events_are_numbered_from_one) {
  EventFeed feed('c', 7, kLimits);
  EXPECT_EQ(feed.next_sequence(), 1);
  append(feed, 3);
  EXPECT_EQ(feed.last_sequence(), 3);
}

TEST(EventFeedTest, a_token_continues_after_its_event) {
  EventFeed feed('c', 7, kLimits);
  append(feed, 3);
  EXPECT_EQ(feed.resume(feed.token(0)), 1);
  EXPECT_EQ(feed.resume(feed.token(2)), 3);
  EXPECT_EQ(feed.resume(feed.token(3)), 4);
}

TEST(EventFeedTest, tokens_of_others_and_of_the_past_are_told_from_nonsense) {
  EventFeed feed('c', 7, kLimits), other_run('c', 8, kLimits), other_kind('r', 7, kLimits);
  append(feed, 12);
  EXPECT_EQ(feed.resume(feed.token(1)).error(), TokenFault::truncated);
  EXPECT_EQ(feed.resume(feed.token(2)), 3);
  EXPECT_EQ(feed.resume(feed.token(13)).error(), TokenFault::truncated);
  EXPECT_EQ(feed.resume(other_run.token(12)).error(), TokenFault::truncated);
  EXPECT_EQ(feed.resume(other_kind.token(12)).error(), TokenFault::malformed);
  for (const char* nonsense :
       {"x", "c", "c0000000000000007", "c0000000000000007-", "c0000000000000007-x",
        "c0000000000000007--1", "c0000000000000007-99999999999999999999", "c00000000000000g7-1"})
    EXPECT_EQ(feed.resume(nonsense).error(), TokenFault::malformed) << nonsense;
}

TEST(EventFeedTest, readers_share_the_events) {
  EventFeed feed('c', 7, kLimits);
  append(feed, 3);
  std::int64_t a = 1, b = 2;
  std::deque<Bytes> of_a, of_b;
  EXPECT_EQ(feed.read(a, 5, 2, of_a), Progress::read);
  EXPECT_EQ(a, 3);
  EXPECT_EQ(feed.read(b, 5, 10, of_b), Progress::read);
  EXPECT_EQ(b, 4);
  EXPECT_EQ(of_a[1], of_b[0]);
  EXPECT_EQ(feed.read(b, 5, 10, of_b), Progress::nothing);
}

TEST(EventFeedTest, who_is_too_far_behind_lags_but_can_still_come_back) {
  EventFeed feed('c', 7, kLimits);
  append(feed, 5);
  std::int64_t position = 1;
  EXPECT_FALSE(feed.lagging(position, 5));
  append(feed, 1);
  std::deque<Bytes> out;
  EXPECT_EQ(feed.read(position, 5, 1, out), Progress::lagging);
  EXPECT_EQ(feed.resume(feed.token(0)), 1);
  const std::int64_t allowed = feed.allowed_lag(1);
  EXPECT_EQ(allowed, 6);
  EXPECT_EQ(feed.read(position, allowed, 1, out), Progress::read);
  EXPECT_EQ(feed.allowed_lag(5), 5);
}

TEST(EventFeedTest, what_is_kept_is_bounded_by_bytes_too) {
  EventFeed feed('c', 7, kLimits);
  append(feed, 4, 400);
  EXPECT_EQ(feed.resume(feed.token(1)).error(), TokenFault::truncated);
  EXPECT_EQ(feed.resume(feed.token(2)), 3);
  append(feed, 1, 5000);
  EXPECT_EQ(feed.resume(feed.token(4)), 5);
}

TEST(EventFeedTest, nobody_resumes_across_a_gap) {
  EventFeed feed('c', 7, kLimits);
  append(feed, 3);
  const std::string token = feed.token(3);
  feed.truncate();
  EXPECT_EQ(feed.resume(token).error(), TokenFault::truncated);
  EXPECT_TRUE(feed.lagging(4, 5));
  append(feed, 1);
  EXPECT_EQ(feed.resume(feed.token(feed.last_sequence())), feed.next_sequence());
}

TEST(EventFeedTest, a_reader_is_ready_when_its_event_is_there) {
  EventFeed feed('c', 7, kLimits);
  const auto late = std::make_shared<Reader>(), early = std::make_shared<Reader>();
  append(feed, 1);
  EXPECT_FALSE(feed.wait(late, 1)) << "it is there already";
  EXPECT_TRUE(feed.wait(early, 2));
  EXPECT_THAT(feed.take_ready(), ElementsAre(late));
  EXPECT_THAT(feed.take_ready(), IsEmpty());
  append(feed, 1);
  EXPECT_THAT(feed.take_ready(), ElementsAre(early));
  EXPECT_THAT(feed.take_waiting(), IsEmpty());
}

TEST(EventFeedTest, who_waits_can_be_had_without_an_event) {
  EventFeed feed('c', 7, kLimits);
  const auto reader = std::make_shared<Reader>();
  EXPECT_TRUE(feed.wait(reader, 1));
  EXPECT_THAT(feed.take_waiting(), ElementsAre(reader));
  EXPECT_THAT(feed.take_waiting(), IsEmpty());
  EXPECT_TRUE(feed.wait(reader, 1));
  feed.forget(reader.get());
  EXPECT_THAT(feed.take_waiting(), IsEmpty());
}

}  // namespace
}  // namespace trunkline::call_control
