#pragma once
#include "media/leg.hpp"

#include <vector>

namespace trunkline::media {

/// The legs by their next deadline: a binary heap in which every leg knows its place. A deadline
/// that moves later is noticed only when the old one comes, so that a packet rarely touches the
/// heap. Allocates only in `add`.
class DeadlineHeap {
 public:
  void reserve(std::size_t legs) { heap_.reserve(legs); }
  void add(Leg& leg) {
    heap_.push_back(&leg);
    leg.heap_at_ = heap_.size() - 1;
    leg.scheduled_ = leg.deadline();
    up(leg.heap_at_);
  }
  void remove(Leg& leg) {
    const std::size_t at = leg.heap_at_;
    Leg* last = heap_.back();
    heap_.pop_back();
    if (last == &leg) return;
    place(at, last);
    up(at);
    down(last->heap_at_);
  }
  /// The leg may have an earlier deadline now.
  void hasten(Leg& leg) {
    const TimePoint deadline = leg.deadline();
    if (deadline >= leg.scheduled_) return;
    leg.scheduled_ = deadline;
    up(leg.heap_at_);
  }
  /// After a leg's turn: its deadline, wherever that is now.
  void settle(Leg& leg) {
    leg.scheduled_ = leg.deadline();
    up(leg.heap_at_);
    down(leg.heap_at_);
  }
  Leg* first() const { return heap_.empty() ? nullptr : heap_.front(); }
  TimePoint deadline() const { return heap_.empty() ? kNever : heap_.front()->scheduled_; }

 private:
  void place(std::size_t at, Leg* leg) {
    heap_[at] = leg;
    leg->heap_at_ = at;
  }
  void up(std::size_t at) {
    Leg* leg = heap_[at];
    while (at > 0 && leg->scheduled_ < heap_[(at - 1) / 2]->scheduled_) {
      place(at, heap_[(at - 1) / 2]);
      at = (at - 1) / 2;
    }
    place(at, leg);
  }
  void down(std::size_t at) {
    Leg* leg = heap_[at];
    for (;;) {
      std::size_t child = 2 * at + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1]->scheduled_ < heap_[child]->scheduled_) {
        ++child;
      }
      if (heap_[child]->scheduled_ >= leg->scheduled_) break;
      place(at, heap_[child]);
      at = child;
    }
    place(at, leg);
  }

  std::vector<Leg*> heap_;
};

}  // namespace trunkline::media
