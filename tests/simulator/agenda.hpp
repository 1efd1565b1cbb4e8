#pragma once
#include "base/time.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace trunkline::simulator {

/// The clock of a run and what is still to happen, in order of time and, at one moment, in the
/// order in which it was put down.
class Agenda {
 public:
  using Action = std::function<void()>;

  TimePoint now() const { return now_; }
  void at(TimePoint when, Action action);
  void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }
  /// When the first of them is due; kNever if there is none.
  TimePoint next() const { return entries_.empty() ? kNever : entries_.front().when; }
  /// Moves the clock on.
  void advance(TimePoint to) { now_ = std::max(now_, to); }
  /// Takes the first out and does it, at its time.
  void run_next();

 private:
  struct Entry {
    TimePoint when;
    std::uint64_t order = 0;
    Action action;
  };
  static bool later(const Entry& one, const Entry& other);

  TimePoint now_{seconds{1000}};
  std::uint64_t order_ = 0;
  std::vector<Entry> entries_;  ///< a heap
};

}  // namespace trunkline::simulator
