#pragma once
#include "base/net_address.hpp"
#include "base/time.hpp"
#include "media/api.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace trunkline::media {

/// Who may send to a trunk leg, and where the leg sends. Plain RTP has no proof of origin, so an
/// address is taken on trust only as the policy says; the wrong answer here is "RTP bleed". No
/// sending to a learnt address before it is locked, no learning after the window or after the lock;
/// only signalling opens it again. Nothing is sent to this machine or its link (unless we, or the
/// peer's signalling, are there too), nor into a private network for a peer outside: only where
/// `allow` says so.
class TrunkSource {
 public:
  /// `allow` narrows `learn` too, when it is not empty. `own`: our RTP address, never a
  /// destination.
  TrunkSource(SourcePolicy policy, std::vector<AddressRange> allow, Duration learn_window,
              const SocketAddress& own);

  /// What the peer's SDP says. The same as before changes nothing; anything else begins anew.
  void describe(const TrunkRemote& remote, TimePoint now);

  /// We are there now: the peer is not known any more until it is described.
  void move(const SocketAddress& own);
  const SocketAddress& own() const { return own_; }

  /// Whether an RTP packet from there could be taken at all. Changes nothing.
  bool may_send(const SocketAddress& from, TimePoint now) const;
  /// Whether an RTP packet from there is the peer's. `known_payload`: a route has its payload type.
  bool accept_rtp(const SocketAddress& from, std::uint32_t ssrc, std::uint16_t sequence,
                  bool known_payload, TimePoint now);
  bool accept_rtcp(const SocketAddress& from);

  /// Empty when there is nowhere to send: not described, held by address, or no place to send audio
  /// to.
  const SocketAddress& rtp_destination() const { return rtp_destination_; }
  const SocketAddress& rtcp_destination() const { return rtcp_destination_; }
  bool locked() const { return !locked_.empty(); }

  static constexpr std::uint32_t kPacketsInSequence = 4;

 private:
  struct Candidate {
    SocketAddress from;
    std::uint32_t ssrc = 0;
    std::uint16_t next = 0;
    std::uint32_t packets = 0;
    TimePoint last{};
  };

  bool learn(const SocketAddress& from, std::uint32_t ssrc, std::uint16_t sequence,
             bool known_payload, TimePoint now);
  /// Whether it may be the peer, of whom nothing is described.
  bool undescribed(const SocketAddress& from) const;
  Candidate& candidate_for(const SocketAddress& from);
  bool contested(const Candidate& winner, TimePoint now) const;
  bool allowed(const SocketAddress& address) const;
  bool sendable(const SocketAddress& address) const;

  SourcePolicy policy_;
  std::vector<AddressRange> allow_;
  Duration window_;
  SocketAddress own_;
  TrunkRemote remote_;
  TimePoint window_end_{};
  SocketAddress locked_;
  std::array<Candidate, 4> candidates_{};
  SocketAddress rtp_destination_, rtcp_destination_;
};

}  // namespace trunkline::media
