#pragma once
#include "base/random.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

namespace trunkline::call {

/// The RTP ports of one worker and bind address: lent at random, and rested after use so that a
/// late sender never reaches the next call (reference I16).
class PortPool {
 public:
  PortPool(std::vector<std::uint16_t> ports, Duration quarantine)
      : free_(std::move(ports)), quarantine_(quarantine), total_(free_.size()) {}

  /// A random free port; nothing when all are in use or resting.
  std::optional<std::uint16_t> take(Random& random, TimePoint now);
  /// Ends the loan; the port rests until the quarantine is over. A port that is not lent is
  /// ignored.
  void give_back(std::uint16_t port, TimePoint now);
  std::size_t used() const { return total_ - free_.size() - resting_.size(); }
  std::size_t total() const { return total_; }

 private:
  struct Resting {
    std::uint16_t port = 0;
    TimePoint until;
  };
  void wake(TimePoint now);
  std::vector<std::uint16_t> free_;
  std::unordered_set<std::uint16_t> lent_;
  std::deque<Resting> resting_;
  Duration quarantine_;
  std::size_t total_;
};

}  // namespace trunkline::call
