#pragma once
#include "base/net_address.hpp"
#include "base/time.hpp"
#include "sip/effects.hpp"

#include <array>
#include <cstddef>
#include <vector>

namespace trunkline::io {

/// Which requests went to which address a moment ago, so that an ICMP error can be laid at their
/// door (RFC 3261 §18.4). The oldest of `kCapacity` is forgotten first.
class RecentRequests {
 public:
  static constexpr std::size_t kCapacity = 1024;
  /// An ICMP error comes back within a round trip. One that comes later must not end a request that
  /// was retransmitted or answered since.
  static constexpr Duration kMemory = seconds{5};

  void remember(const SocketAddress& destination, sip::TransactionId transaction, TimePoint now) {
    entries_[next_++ % kCapacity] = {destination, transaction, now};
  }
  /// Requests that went to `destination` lately, each told once.
  std::vector<sip::TransactionId> take(const SocketAddress& destination, TimePoint now) {
    std::vector<sip::TransactionId> found;
    for (Entry& entry : entries_) {
      if (!entry.transaction || entry.destination != destination) continue;
      if (now - entry.at <= kMemory) found.push_back(entry.transaction);
      entry.transaction = {};
    }
    return found;
  }

 private:
  struct Entry {
    SocketAddress destination;
    sip::TransactionId transaction;
    TimePoint at;
  };
  std::array<Entry, kCapacity> entries_{};
  std::size_t next_ = 0;
};

}  // namespace trunkline::io
