#include "io/control_queue.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace trunkline::io {
namespace {

class ControlQueueTest : public ::testing::Test {
 protected:
  void submit(ControlQueue& to) {
    to.submit(call::GetNode{}, [this](call::Reply reply) { replies.push_back(std::move(reply)); });
  }
  static std::string refused_with(const call::Reply& reply) {
    const auto* refusal = std::get_if<call::Refusal>(&reply);
    return refusal == nullptr ? "" : refusal->reason;
  }

  int woken = 0;
  std::vector<call::Reply> replies;
  ControlQueue queue{[this] { ++woken; }, 2};
};

TEST_F(ControlQueueTest, hands_over_in_order_and_passes_each_reply_to_its_asker) {
  submit(queue);
  submit(queue);
  EXPECT_EQ(woken, 2);
  std::vector<call::RequestId> ids;
  queue.take([&](call::RequestId id, call::Request) { ids.push_back(id); });
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_LT(ids[0].value, ids[1].value);
  queue.reply({ids[1], call::Done{}});
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<call::Done>(replies[0]));
}

TEST_F(ControlQueueTest, a_second_reply_goes_nowhere) {
  submit(queue);
  call::RequestId asked;
  queue.take([&](call::RequestId id, call::Request) { asked = id; });
  queue.reply({asked, call::Done{}});
  queue.reply({asked, call::Done{}});
  EXPECT_EQ(replies.size(), 1u);
}

TEST_F(ControlQueueTest, refuses_at_once_what_is_too_much) {
  submit(queue);
  queue.take([](call::RequestId, call::Request) {});  // taken, and still without a reply
  submit(queue);
  submit(queue);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(refused_with(replies[0]), "NODE_OVERLOADED");
}

TEST_F(ControlQueueTest, a_stop_replies_to_all_that_wait_and_all_that_still_come) {
  submit(queue);
  queue.take([](call::RequestId, call::Request) {});
  submit(queue);
  queue.stop();
  submit(queue);
  ASSERT_EQ(replies.size(), 3u);
  for (const call::Reply& reply : replies)
    EXPECT_EQ(refused_with(reply), "NODE_STOPPED");
}

TEST_F(ControlQueueTest, takes_requests_of_many_threads) {
  constexpr int kThreads = 4, kEach = 500;
  std::atomic<int> replied{0};
  ControlQueue many([] {}, kThreads * kEach);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; ++j)
        many.submit(call::GetNode{}, [&](const call::Reply&) { ++replied; });
    });
  }
  int taken = 0;
  while (taken < kThreads * kEach) {
    many.take([&](call::RequestId id, call::Request) {
      ++taken;
      many.reply({id, call::Done{}});
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(replied, kThreads * kEach);
}

}  // namespace
}  // namespace trunkline::io
