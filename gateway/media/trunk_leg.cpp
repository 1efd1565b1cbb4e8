#include "media/trunk_leg.hpp"

namespace trunkline::media {

TrunkLeg::TrunkLeg(const AddTrunkLeg& order, const TrunkSockets& sockets, WorkerContext& context,
                   Turn& turn)
    : Leg(order.leg, LegKind::sip, order.ssrc, order.cname, context),
      sockets_(sockets),
      source_(order.policy, order.allow, context.settings.learn_window, order.local),
      srtp_(context.settings.srtp_engines, order.ssrc) {
  describe(order.remote, turn.now);
}

void TrunkLeg::update(const TrunkRemote& remote, Turn& turn) {
  const SocketAddress before = source_.rtp_destination();
  describe(remote, turn.now);
  // After hold, or at another place, the peer takes the line up again at a marked packet.
  if (source_.rtp_destination() != before) line().splice();
}

void TrunkLeg::move(const SocketAddress& local, const TrunkSockets& sockets) {
  sockets_ = sockets;
  source_.move(local);
}

void TrunkLeg::describe(const TrunkRemote& remote, TimePoint now) {
  mux_ = remote.rtcp_mux;
  source_.describe(remote, now);
  srtp_.describe(remote.srtp, now);
  if (!source_.rtp_destination().empty()) start_rtcp(now);
}

void TrunkLeg::receive(Packet packet, const SocketAddress& from, SocketIndex socket, Turn& turn) {
  if (rtp::classify(packet.bytes()) != rtp::DatagramKind::rtp) {
    return drop(DropReason::unknown_protocol);
  }
  const bool rtcp = rtp::is_rtcp(packet.bytes());
  if (rtcp || socket != sockets_.rtp) {
    if (!rtcp || !source_.accept_rtcp(from)) return drop(DropReason::unknown_source);
    if (within_rate(turn.now) && open(packet, true, turn.now)) receive_rtcp(packet.bytes(), turn);
    return;
  }
  const auto header = rtp::parse_header(packet.bytes());
  if (!header) return drop(DropReason::malformed);
  if (!source_.may_send(from, turn.now)) return drop(DropReason::unknown_source);
  // Nothing is learnt from a packet that the peer has not sealed.
  if (!open(packet, false, turn.now)) return;
  if (!source_.accept_rtp(from, header->ssrc, header->sequence,
                          routes_payload(header->payload_type), turn.now)) {
    return drop(DropReason::unknown_source);
  }
  // Only the peer's own packets count against its rate: a stranger can't use it up.
  if (within_rate(turn.now)) receive_rtp(packet, from, turn);
}

bool TrunkLeg::open(Packet& packet, bool rtcp, TimePoint now) {
  if (!srtp_.active()) return true;
  const SrtpVerdict verdict = srtp_.unprotect(packet, rtcp, now);
  if (verdict == SrtpVerdict::ok) return true;
  count_srtp(verdict);
  drop(DropReason::srtp);
  return false;
}

std::optional<DropReason> TrunkLeg::transmit(Packet& packet, Stream stream, Turn& turn) {
  const bool rtp = stream == Stream::rtp;
  const SocketAddress& to = rtp ? source_.rtp_destination() : source_.rtcp_destination();
  if (to.empty()) return DropReason::held;
  const std::optional<SocketIndex> socket = rtp || mux_ ? sockets_.rtp : sockets_.rtcp;
  if (srtp_.active()) {
    const SrtpVerdict verdict = srtp_.protect(packet, !rtp);
    if (verdict != SrtpVerdict::ok) {
      count_srtp(verdict);
      return DropReason::srtp;
    }
  }
  if (!socket || !turn.out.push(*socket, to, packet)) return DropReason::queue;
  return std::nullopt;
}

}  // namespace trunkline::media
