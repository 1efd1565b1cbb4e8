#include "sip/tcp_refusals.hpp"

namespace trunkline::sip {

void TcpRefusals::add(const SocketAddress& peer, TimePoint now) {
  if (until_.size() >= kMost)
    std::erase_if(until_, [now](const auto& entry) { return entry.second <= now; });
  if (until_.size() >= kMost && !until_.contains(peer)) return;
  until_[peer] = now + kMemory;
}

bool TcpRefusals::holds(const SocketAddress& peer, TimePoint now) const {
  const auto found = until_.find(peer);
  return found != until_.end() && found->second > now;
}

}  // namespace trunkline::sip
