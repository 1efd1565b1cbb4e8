#pragma once
#include "io/spsc_ring.hpp"

#include <atomic>
#include <cstddef>
#include <deque>
#include <utility>

namespace trunkline::io {

/// Values from one thread to another, in order: a ring that neither waits for, and behind it on the
/// writer's side a bounded queue for bursts.
template <class T>
class Mailbox {
 public:
  Mailbox(std::size_t ring, std::size_t overflow) : ring_(ring), max_overflow_(overflow) {}

  enum class Posted { sent, deferred, dropped };
  /// Writer. `deferred`: it leaves with a later `retry`.
  Posted post(T value) {
    if (overflow_.empty() && ring_.push(std::move(value))) return Posted::sent;
    if (overflow_.size() >= max_overflow_) return Posted::dropped;
    // A full ring has not taken it. NOLINTNEXTLINE(bugprone-use-after-move)
    overflow_.push_back(std::move(value));
    writer_waits_.store(true, std::memory_order_release);
    return Posted::deferred;
  }
  /// Writer. Moves what waited into the ring; true if anything moved, and the reader should be
  /// woken.
  bool retry() {
    bool moved = false;
    while (!overflow_.empty() && ring_.push(std::move(overflow_.front()))) {
      overflow_.pop_front();
      moved = true;
    }
    if (!overflow_.empty()) writer_waits_.store(true, std::memory_order_release);
    return moved;
  }
  std::size_t deferred() const { return overflow_.size(); }

  /// Reader.
  bool take(T& value) { return ring_.pop(value); }
  /// Reader, after it took what there was: true once when the writer has more and should be woken.
  bool writer_waits() { return writer_waits_.exchange(false, std::memory_order_acq_rel); }

 private:
  SpscRing<T> ring_;
  std::deque<T> overflow_;
  std::size_t max_overflow_;
  std::atomic<bool> writer_waits_{false};
};

}  // namespace trunkline::io
