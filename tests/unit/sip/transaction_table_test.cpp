#include "sip/transaction_table.hpp"

#include "transaction_messages.hpp"
#include <gmock/gmock.h>

namespace trunkline::sip {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

class TransactionTableTest : public ::testing::Test {
 protected:
  Transaction& add(std::uint64_t id, FlowId flow = {}, const std::string& merge_key = {}) {
    TransactionEffects effects;
    Transaction& transaction = table_.insert(
        {.id = TransactionId{id},
         .machine = NonInviteClientTransaction(parsed(request_text("OPTIONS")), tcp(), {},
                                               kStart + seconds(static_cast<int>(id)), effects),
         .key = "key" + std::to_string(id),
         .merge_key = merge_key,
         .flow = flow});
    table_.arm(transaction);
    return transaction;
  }

  TransactionTable table_;
};

TEST_F(TransactionTableTest, FindsByIdAndKey) {
  add(1);
  Transaction& second = add(2);
  EXPECT_EQ(table_.find(TransactionId{2}), &second);
  EXPECT_EQ(table_.find_client("key2"), &second);
  EXPECT_EQ(table_.find_server("key2"), nullptr);
  EXPECT_EQ(table_.find(TransactionId{3}), nullptr);
}

TEST_F(TransactionTableTest, EarliestIsTheFirstDeadline) {
  EXPECT_EQ(table_.earliest(), kNever);
  EXPECT_EQ(table_.due(kNever), nullptr);
  add(5);
  Transaction& first = add(1);
  EXPECT_EQ(table_.earliest(), kStart + 33s);
  EXPECT_EQ(table_.due(kStart + 32s), nullptr);
  EXPECT_EQ(table_.due(kStart + 33s), &first);
}

TEST_F(TransactionTableTest, ListsTheTransactionsOfAFlowInOrder) {
  add(2, FlowId{7});
  add(1, FlowId{7});
  add(3, FlowId{8});
  EXPECT_THAT(table_.on_flow(FlowId{7}), ElementsAre(TransactionId{1}, TransactionId{2}));
  EXPECT_THAT(table_.on_flow(FlowId{9}), IsEmpty());
}

TEST_F(TransactionTableTest, FlowOnceSetStays) {
  Transaction& transaction = add(1, FlowId{7});
  table_.set_flow(transaction, FlowId{8});
  EXPECT_THAT(table_.on_flow(FlowId{8}), IsEmpty());
}

TEST_F(TransactionTableTest, FirstOfAMergeKeyIsFoundUntilItIsOver) {
  Transaction& first = add(1, {}, "merge");
  Transaction& second = add(2, {}, "merge");
  EXPECT_EQ(table_.find_merged("merge"), &first);
  table_.erase(second);
  EXPECT_EQ(table_.find_merged("merge"), &first);
  table_.erase(first);
  EXPECT_EQ(table_.find_merged("merge"), nullptr);
}

TEST_F(TransactionTableTest, ErasedLeavesNothingBehind) {
  table_.erase(add(1, FlowId{7}, "merge"));
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(table_.earliest(), kNever);
  EXPECT_THAT(table_.on_flow(FlowId{7}), IsEmpty());
  EXPECT_EQ(table_.find_client("key1"), nullptr);
}

}  // namespace
}  // namespace trunkline::sip
