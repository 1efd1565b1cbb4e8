#pragma once
#include <atomic>
#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

namespace trunkline::io {

/// A bounded queue with one writing and one reading thread. Neither ever waits.
template <class T>
class SpscRing {
 public:
  /// Room for at least `capacity` values.
  explicit SpscRing(std::size_t capacity)
      : slots_(std::bit_ceil(capacity)), mask_(slots_.size() - 1) {}

  /// Writer. False, and `value` untouched, when the ring is full.
  bool push(T&& value) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == slots_.size()) return false;
    slots_[tail & mask_] = std::move(value);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// Reader. False when the ring is empty.
  bool pop(T& value) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    value = std::move(slots_[head & mask_]);
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  // A line of its own for each index: writer and reader don't slow each other down.
  static constexpr std::size_t kCacheLine = 64;
  std::vector<T> slots_;
  std::size_t mask_;
  alignas(kCacheLine) std::atomic<std::size_t> head_{0};
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
};

}  // namespace trunkline::io
