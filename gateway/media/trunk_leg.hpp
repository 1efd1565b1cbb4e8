#pragma once
#include "media/leg.hpp"
#include "media/trunk_source.hpp"

#include <optional>

namespace trunkline::media {

/// The leg of a carrier: plain RTP and RTCP on a port pair of the pool (RFC 3550 §11), or both on
/// one port when the peer muxes (RFC 5761).
class TrunkLeg final : public Leg {
 public:
  TrunkLeg(const AddTrunkLeg& order, SocketIndex rtp_socket, std::optional<SocketIndex> rtcp_socket,
           WorkerContext& worker, Turn& turn);

  void update(const TrunkRemote& remote, Turn& turn);
  /// A datagram of one of the leg's own sockets.
  void receive(Packet packet, const SocketAddress& from, SocketIndex socket, Turn& turn);

  SocketIndex rtp_socket() const { return rtp_socket_; }
  std::optional<SocketIndex> rtcp_socket() const { return rtcp_socket_; }

 private:
  std::optional<DropReason> transmit(Packet& packet, Stream stream, Turn& turn) override;
  void on_transport_deadline(Turn&) override {}
  TimePoint transport_deadline() const override { return kNever; }
  void close_transport(Turn&) override {}

  void describe(const TrunkRemote& remote, TimePoint now);

  SocketIndex rtp_socket_;
  std::optional<SocketIndex> rtcp_socket_;
  TrunkSource source_;
  bool mux_ = false;
};

}  // namespace trunkline::media
