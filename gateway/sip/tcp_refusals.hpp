#pragma once
#include "base/net_address.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <map>

namespace trunkline::sip {

/// The peers that took no TCP connection when a request was too large for UDP (RFC 3261 §18.1.1).
/// For five minutes such requests go to them by UDP at once, so that not each of them waits for the
/// refusal. At most 1,024 are remembered.
class TcpRefusals {
 public:
  static constexpr Duration kMemory = seconds{300};
  static constexpr std::size_t kMost = 1024;

  void add(const SocketAddress& peer, TimePoint now);
  bool holds(const SocketAddress& peer, TimePoint now) const;

 private:
  std::map<SocketAddress, TimePoint> until_;
};

}  // namespace trunkline::sip
