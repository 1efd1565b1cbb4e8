#pragma once
#include "ice/ice_lite.hpp"
#include "media/dtls_transport.hpp"
#include "media/leg.hpp"
#include "media/srtp.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace trunkline::media {

/// The leg of a browser: ICE-lite, DTLS-SRTP, RTP and RTCP, all on the worker's shared sockets or
/// on TCP connections. Nothing but a check with the right password makes an address known; only
/// known addresses reach DTLS and SRTP (E1, D9).
class BrowserLeg final : public Leg {
 public:
  BrowserLeg(const AddBrowserLeg& order, const DtlsIdentity& identity, WorkerContext& worker,
             Turn& turn);

  void update(const BrowserRemote& remote, Turn& turn);

  /// A STUN datagram with one of our ufrags. The owner keeps its tables by the outcome.
  ice::CheckOutcome receive_stun(const ice::StunMessage& message, const ice::Tuple& from,
                                 Turn& turn);
  /// DTLS, SRTP or SRTCP from an address that the owner's table gives to this leg. True: it is the
  /// first of a handshake that waits for `shake_hands`.
  bool receive(Packet packet, const ice::Tuple& from, Turn& turn);
  /// One datagram of the handshake that waits. True if there are more.
  bool shake_hands(Turn& turn);
  void close_connection(SocketIndex connection, TimePoint now) { ice_.forget(connection, now); }

  /// Our ufrags now: the current one, and the one before an unfinished ICE restart (empty: none).
  std::string_view ufrag() const { return ice_.local_ufrag(); }
  std::string_view previous_ufrag() const { return ice_.previous_local_ufrag(); }
  /// When the peer was last heard with proof of who it is.
  TimePoint last_heard() const { return last_heard_; }

 private:
  /// More datagrams of a handshake than one flight has are dropped: the peer sends them again.
  static constexpr std::size_t kWaiting = 8;
  struct Waiting {
    ice::Tuple from;
    std::vector<std::uint8_t> datagram;
  };

  std::optional<DropReason> transmit(Packet& packet, Stream stream, Turn& turn) override;
  void on_transport_deadline(Turn& turn) override;
  TimePoint transport_deadline() const override;
  void close_transport(Turn& turn) override;
  void add_transport_facts(ReceivingFacts& facts) const override;

  bool receive_dtls(Packet packet, const ice::Tuple& from, Turn& turn);
  void receive_srtp(Packet packet, const ice::Tuple& tuple, bool rtcp, Turn& turn);
  void handle(const DtlsTransport::Outcome& outcome, Turn& turn);
  void use_keys(Turn& turn);
  void send_dtls(Turn& turn);
  void fail(MediaFailure failure, Turn& turn);

  ice::IceLite ice_;
  DtlsTransport dtls_;
  std::optional<ice::Tuple> dtls_peer_;  ///< where its last datagram came from
  std::vector<Waiting> waiting_;         ///< of its handshake
  std::unique_ptr<SrtpSender> sender_;
  std::unique_ptr<SrtpReceiver> receiver_;
  std::optional<MediaFailure> failed_;
  bool checked_ = false;  ///< a check has come, of whatever worth
  TimePoint last_heard_{};
  TimePoint described_ = kNever;        ///< both descriptions are known since then
  TimePoint handshake_begun_ = kNever;  ///< of the first handshake, while it runs
};

}  // namespace trunkline::media
