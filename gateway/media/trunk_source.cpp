#include "media/trunk_source.hpp"

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace trunkline::media {

namespace {

/// A rival stream heard this recently forbids the lock.
constexpr Duration kRivalMemory = milliseconds{200};

bool same(const TrunkRemote& a, const TrunkRemote& b) {
  return a.rtp == b.rtp && a.rtcp == b.rtcp && a.rtcp_mux == b.rtcp_mux && a.host == b.host;
}

/// The range of these that the address lies in; null: none.
const AddressRange* range_of(const IpAddress& ip, const std::vector<AddressRange>& ranges) {
  const auto found =
      std::ranges::find_if(ranges, [&](const AddressRange& range) { return range.contains(ip); });
  return found == ranges.end() ? nullptr : &*found;
}

std::vector<AddressRange> ranges_of(std::initializer_list<std::string_view> texts) {
  std::vector<AddressRange> ranges;
  for (const std::string_view text : texts)
    ranges.push_back(*AddressRange::parse(text));
  return ranges;
}

/// No peer is there (RFC 6890): "this network", groups, reserved and broadcast.
bool is_nowhere(const IpAddress& ip) {
  static const auto ranges =
      ranges_of({"0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::", "ff00::/8"});
  return range_of(ip, ranges) != nullptr;
}
/// This machine, and what is on its link: a cloud's metadata service is.
const AddressRange* near_range(const IpAddress& ip) {
  static const auto ranges = ranges_of({"127.0.0.0/8", "::1", "169.254.0.0/16", "fe80::/10"});
  return range_of(ip, ranges);
}
/// Networks behind a border (RFC 1918, RFC 4193, RFC 6598).
bool is_private(const IpAddress& ip) {
  static const auto ranges =
      ranges_of({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"});
  return range_of(ip, ranges) != nullptr;
}

}  // namespace

TrunkSource::TrunkSource(SourcePolicy policy, std::vector<AddressRange> allow,
                         Duration learn_window, const SocketAddress& own)
    : policy_(policy), allow_(std::move(allow)), window_(learn_window), own_(own) {}

void TrunkSource::describe(const TrunkRemote& remote, TimePoint now) {
  if (same(remote, remote_)) return;
  remote_ = remote;
  locked_ = {};
  candidates_ = {};
  window_end_ = now + window_;
  rtp_destination_ = sendable(remote.rtp) ? remote.rtp : SocketAddress{};
  const SocketAddress& rtcp = remote.rtcp_mux ? remote.rtp : remote.rtcp;
  // RTCP to another host than the audio would make us a reflector.
  const bool rtcp_sendable =
      !rtp_destination_.empty() && sendable(rtcp) && rtcp.ip == remote.rtp.ip;
  rtcp_destination_ = rtcp_sendable ? rtcp : SocketAddress{};
}

void TrunkSource::move(const SocketAddress& own) {
  own_ = own;
  describe({}, {});
}

bool TrunkSource::sendable(const SocketAddress& address) const {
  if (address.empty() || address.port == 0 || is_nowhere(address.ip) || address == own_)
    return false;
  if (allowed(address)) return true;
  // A description must not aim our packets at places that its writer can't reach itself.
  const IpAddress& host = remote_.host;
  if (const AddressRange* near = near_range(address.ip))
    return near->contains(own_.ip) || (!host.empty() && near->contains(host));
  const bool from_outside = !host.empty() && !is_private(host) && near_range(host) == nullptr;
  return !(from_outside && is_private(address.ip));
}

bool TrunkSource::allowed(const SocketAddress& address) const {
  return std::any_of(allow_.begin(), allow_.end(),
                     [&](const AddressRange& range) { return range.contains(address); });
}

bool TrunkSource::may_send(const SocketAddress& from, TimePoint now) const {
  if (remote_.rtp.empty()) return undescribed(from);
  switch (policy_) {
    case SourcePolicy::pinned:
      return from == remote_.rtp;
    case SourcePolicy::same_host:
      return from.ip == remote_.rtp.ip;
    case SourcePolicy::subnet:
      return from == remote_.rtp || allowed(from);
    case SourcePolicy::learn:
      if (locked()) return from == locked_;
      return from == remote_.rtp || (now < window_end_ && (allow_.empty() || allowed(from)));
  }
  return false;
}

bool TrunkSource::accept_rtp(const SocketAddress& from, std::uint32_t ssrc, std::uint16_t sequence,
                             bool known_payload, TimePoint now) {
  if (!may_send(from, now)) return false;
  if (remote_.rtp.empty() || policy_ != SourcePolicy::learn) return true;
  return learn(from, ssrc, sequence, known_payload, now);
}

bool TrunkSource::undescribed(const SocketAddress& from) const {
  if (!remote_.host.empty() && from.ip == remote_.host) return true;
  return policy_ == SourcePolicy::subnet && allowed(from);
}

bool TrunkSource::learn(const SocketAddress& from, std::uint32_t ssrc, std::uint16_t sequence,
                        bool known_payload, TimePoint now) {
  if (locked()) return true;
  if (from == remote_.rtp) {
    locked_ = from;
    return true;
  }
  if (!known_payload) return false;
  Candidate& candidate = candidate_for(from);
  const bool follows =
      candidate.packets > 0 && candidate.ssrc == ssrc && candidate.next == sequence;
  candidate.packets = follows ? candidate.packets + 1 : 1;
  candidate.from = from;
  candidate.ssrc = ssrc;
  candidate.next = static_cast<std::uint16_t>(sequence + 1);
  candidate.last = now;
  if (candidate.packets < kPacketsInSequence || contested(candidate, now)) return false;
  locked_ = from;
  // A peer held by address stays held: learning finds where it really is, not whether it wants
  // audio.
  if (!rtp_destination_.empty()) {
    rtp_destination_ = from;
    rtcp_destination_ =
        remote_.rtcp_mux ? from : SocketAddress{from.ip, static_cast<std::uint16_t>(from.port + 1)};
  }
  return true;
}

TrunkSource::Candidate& TrunkSource::candidate_for(const SocketAddress& from) {
  for (Candidate& candidate : candidates_) {
    if (candidate.packets > 0 && candidate.from == from) return candidate;
  }
  Candidate& oldest =
      *std::min_element(candidates_.begin(), candidates_.end(),
                        [](const Candidate& a, const Candidate& b) { return a.last < b.last; });
  oldest = Candidate{};
  return oldest;
}

bool TrunkSource::contested(const Candidate& winner, TimePoint now) const {
  return std::any_of(candidates_.begin(), candidates_.end(), [&](const Candidate& rival) {
    return &rival != &winner && rival.packets > 1 && now - rival.last < kRivalMemory;
  });
}

bool TrunkSource::accept_rtcp(const SocketAddress& from) {
  if (remote_.rtp.empty()) return undescribed(from);
  if (locked()) return from.ip == locked_.ip;
  if (policy_ == SourcePolicy::subnet && allowed({from.ip, remote_.rtp.port})) return true;
  return from.ip == remote_.rtp.ip;
}

}  // namespace trunkline::media
