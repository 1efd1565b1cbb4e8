#include "io/mailbox.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <thread>

namespace trunkline::io {
namespace {

using Posted = Mailbox<int>::Posted;

TEST(MailboxTest, gives_values_in_order) {
  Mailbox<int> box(4, 4);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(box.post(i), Posted::sent);
  int value = -1;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(box.take(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(box.take(value));
}

TEST(MailboxTest, defers_what_the_ring_can_not_hold_and_keeps_the_order) {
  Mailbox<int> box(2, 10);
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(box.post(i), i < 2 ? Posted::sent : Posted::deferred);
  int value = -1;
  ASSERT_TRUE(box.take(value));
  // There is room again, but what waits goes first.
  EXPECT_EQ(box.post(4), Posted::deferred);
  EXPECT_TRUE(box.retry());
  int expected = 1;
  while (expected < 5) {
    if (!box.take(value)) {
      ASSERT_TRUE(box.retry());
      continue;
    }
    EXPECT_EQ(value, expected++);
  }
  EXPECT_EQ(box.deferred(), 0u);
}

TEST(MailboxTest, drops_what_the_overflow_can_not_hold) {
  Mailbox<int> box(2, 1);
  EXPECT_EQ(box.post(0), Posted::sent);
  EXPECT_EQ(box.post(1), Posted::sent);
  EXPECT_EQ(box.post(2), Posted::deferred);
  EXPECT_EQ(box.post(3), Posted::dropped);
}

TEST(MailboxTest, tells_the_reader_once_that_the_writer_waits) {
  Mailbox<int> box(2, 10);
  EXPECT_FALSE(box.writer_waits());
  for (int i = 0; i < 3; ++i)
    box.post(i);
  EXPECT_TRUE(box.writer_waits());
  EXPECT_FALSE(box.writer_waits());
}

TEST(MailboxTest, moves_values_that_can_not_be_copied) {
  Mailbox<std::unique_ptr<int>> box(2, 2);
  box.post(std::make_unique<int>(5));
  std::unique_ptr<int> value;
  ASSERT_TRUE(box.take(value));
  EXPECT_EQ(*value, 5);
}

TEST(MailboxTest, loses_nothing_between_two_threads) {
  constexpr int kCount = 50000;
  Mailbox<int> box(512, kCount);
  std::thread writer([&] {
    for (int i = 0; i < kCount; ++i)
      box.post(i);
    while (box.deferred() != 0) {
      if (!box.retry()) std::this_thread::yield();
    }
  });
  int expected = 0;
  int value = -1;
  while (expected < kCount) {
    if (!box.take(value)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(value, expected);
    ++expected;
  }
  writer.join();
}

}  // namespace
}  // namespace trunkline::io
