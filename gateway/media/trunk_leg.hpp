#pragma once
#include "media/leg.hpp"
#include "media/sdes.hpp"
#include "media/trunk_source.hpp"

#include <optional>

namespace trunkline::media {

/// The sockets of one port pair.
struct TrunkSockets {
  SocketIndex rtp = 0;
  std::optional<SocketIndex> rtcp;
};

/// The leg of a carrier: RTP and RTCP on a port pair of the pool (RFC 3550 §11), or both on one
/// port when the peer muxes (RFC 5761); plain, or SRTP with the keys of its description.
class TrunkLeg final : public Leg {
 public:
  TrunkLeg(const AddTrunkLeg& order, const TrunkSockets& sockets, WorkerContext& worker,
           Turn& turn);

  void update(const TrunkRemote& remote, Turn& turn);
  /// A datagram of one of the leg's own sockets.
  void receive(Packet packet, const SocketAddress& from, SocketIndex socket, Turn& turn);

  const TrunkSockets& sockets() const { return sockets_; }
  const SocketAddress& local() const { return source_.own(); }
  /// To another pair. What the peer is told to be, and where it is, comes with the next `update`.
  void move(const SocketAddress& local, const TrunkSockets& sockets);

 private:
  std::optional<DropReason> transmit(Packet& packet, Stream stream, Turn& turn) override;
  void on_transport_deadline(Turn&) override {}
  TimePoint transport_deadline() const override { return kNever; }
  void close_transport(Turn&) override {}
  void add_transport_facts(ReceivingFacts& facts) const override {
    facts.described = !source_.rtp_destination().empty();
  }

  void describe(const TrunkRemote& remote, TimePoint now);
  /// False, and counted, when it is not the peer's.
  bool open(Packet& packet, bool rtcp, TimePoint now);

  TrunkSockets sockets_;
  TrunkSource source_;
  Sdes srtp_;
  bool mux_ = false;
};

}  // namespace trunkline::media
