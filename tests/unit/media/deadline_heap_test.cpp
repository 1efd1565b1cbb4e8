#include "media/deadline_heap.hpp"

#include "base/random.hpp"

#include <algorithm>
#include <gmock/gmock.h>

namespace trunkline::media {
namespace {

/// A leg whose only deadline is what the test says.
class TimedLeg final : public Leg {
 public:
  TimedLeg(LegId id, WorkerContext& worker) : Leg(id, LegKind::sip, 1, "cname", worker) {}
  TimePoint due = kNever;

 private:
  std::optional<DropReason> transmit(Packet&, Stream, Turn&) override { return std::nullopt; }
  void on_transport_deadline(Turn&) override {}
  TimePoint transport_deadline() const override { return due; }
  void close_transport(Turn&) override {}
  void add_transport_facts(ReceivingFacts&) const override {}
};

class Heap : public testing::Test {
 protected:
  TimedLeg& add(seconds due) {
    legs_.push_back(std::make_unique<TimedLeg>(LegId{legs_.size() + 1}, worker_));
    legs_.back()->due = at(due);
    heap_.add(*legs_.back());
    return *legs_.back();
  }
  static TimePoint at(seconds due) { return TimePoint{} + due; }

  SeededRandom random_{1};
  PlaneSettings settings_;
  MediaCounters counters_;
  HandshakeBudget budget_;
  WorkerContext worker_{settings_, random_, counters_, budget_};
  std::vector<std::unique_ptr<TimedLeg>> legs_;
  DeadlineHeap heap_;
};

TEST_F(Heap, WaitsForNothingWhenItIsEmpty) {
  EXPECT_EQ(heap_.deadline(), kNever);
  EXPECT_EQ(heap_.first(), nullptr);
}

TEST_F(Heap, HasTheEarliestLegInFront) {
  add(seconds{5});
  TimedLeg& earliest = add(seconds{2});
  add(seconds{9});
  EXPECT_EQ(heap_.first(), &earliest);
  EXPECT_EQ(heap_.deadline(), at(seconds{2}));
}

TEST_F(Heap, HastensALegAtOnce) {
  add(seconds{5});
  TimedLeg& leg = add(seconds{9});
  leg.due = at(seconds{1});
  heap_.hasten(leg);
  EXPECT_EQ(heap_.first(), &leg);
}

TEST_F(Heap, NoticesALaterDeadlineOnlyWhenItSettles) {
  TimedLeg& leg = add(seconds{2});
  add(seconds{5});
  leg.due = at(seconds{9});
  heap_.hasten(leg);
  EXPECT_EQ(heap_.deadline(), at(seconds{2}));
  heap_.settle(leg);
  EXPECT_EQ(heap_.deadline(), at(seconds{5}));
}

TEST_F(Heap, StaysInOrderThroughManyChanges) {
  std::vector<TimedLeg*> inside;
  for (int i = 0; i < 5000; ++i) {
    const auto due = seconds{random_.below(1000)};
    const std::uint32_t dice = random_.below(4);
    if (inside.empty() || (dice == 0 && inside.size() < 60)) {
      inside.push_back(&add(due));
    } else if (dice == 1) {
      const std::uint32_t which = random_.below(static_cast<std::uint32_t>(inside.size()));
      heap_.remove(*inside[which]);
      inside.erase(inside.begin() + which);
    } else {
      TimedLeg& leg = *inside[random_.below(static_cast<std::uint32_t>(inside.size()))];
      leg.due = at(due);
      heap_.settle(leg);
    }
    TimePoint earliest = kNever;
    for (const TimedLeg* leg : inside)
      earliest = std::min(earliest, leg->due);
    ASSERT_EQ(heap_.deadline(), earliest);
  }
}

}  // namespace
}  // namespace trunkline::media
