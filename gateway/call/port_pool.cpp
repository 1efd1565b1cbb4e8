#include "call/port_pool.hpp"

namespace trunkline::call {

std::optional<std::uint16_t> PortPool::take(Random& random, TimePoint now) {
  wake(now);
  if (free_.empty()) return std::nullopt;
  std::swap(free_[random.below(static_cast<std::uint32_t>(free_.size()))], free_.back());
  const std::uint16_t port = free_.back();
  free_.pop_back();
  lent_.insert(port);
  return port;
}

void PortPool::give_back(std::uint16_t port, TimePoint now) {
  // Not lent: a second return must not put the port into the pool twice.
  if (lent_.erase(port) == 0) return;
  resting_.push_back({port, now + quarantine_});
}

void PortPool::wake(TimePoint now) {
  while (!resting_.empty() && resting_.front().until <= now) {
    free_.push_back(resting_.front().port);
    resting_.pop_front();
  }
}

}  // namespace trunkline::call
