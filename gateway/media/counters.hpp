#pragma once
#include "base/metrics.hpp"
#include "media/api.hpp"
#include "media/srtp.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace trunkline::media {

enum class LegKind : std::uint8_t { webrtc, sip, count_ };
enum class Direction : std::uint8_t { received, sent, count_ };

/// Why a datagram went no further: one per guard of the ladder, in the order of the guards.
enum class DropReason : std::uint8_t {
  size,              ///< empty, or longer than `kMaxDatagram`
  unknown_protocol,  ///< neither STUN, DTLS, RTP nor RTCP
  unknown_source,    ///< no leg has that address
  rate,              ///< more packets a second than four times what audio needs
  malformed,
  stun,             ///< a check that ICE refuses
  dtls_limit,       ///< as many handshakes as allowed are under way
  not_ready,        ///< before the keys are there and the fingerprint is right
  srtp,             ///< wrong tag, or replayed
  unknown_payload,  ///< no route lists the payload type
  no_route,
  held,      ///< nowhere to send it
  late,      ///< a duplicate, or too late for the line it would go out on
  replaced,  ///< audio beside a telephone event or a tone of ours
  queue,     ///< the outbox is full
  count_
};
std::string_view drop_label(DropReason reason);

enum class IceResult : std::uint8_t { connected, timeout, consent_expired, count_ };
enum class DtlsResult : std::uint8_t { connected, timeout, fingerprint, alert, profile, count_ };

/// One row per kind of leg.
template <class Enum>
class PerLeg {
 public:
  CellArray<Enum>& operator[](LegKind leg) { return rows_[static_cast<std::size_t>(leg)]; }
  const CellArray<Enum>& operator[](LegKind leg) const {
    return rows_[static_cast<std::size_t>(leg)];
  }

 private:
  std::array<CellArray<Enum>, static_cast<std::size_t>(LegKind::count_)> rows_{};
};

/// The address family of the first pair that ICE connected on.
enum class Family : std::uint8_t { ipv4, ipv6, count_ };

/// The counters of one worker. Written by its thread only; `collect` on any thread.
struct MediaCounters final : MetricSource {
  CellArray<LegKind> sessions;  ///< gauge
  CellArray<IceResult> ice;
  CellArray<DtlsResult> dtls;
  PerLeg<SrtpVerdict> srtp_errors;
  PerLeg<Direction> packets, bytes;
  PerLeg<DropReason> dropped;
  PerLeg<Direction> digits, tones;  ///< DTMF as telephone events, and in the sound
  CellArray<Family> selected_pairs, selected_tcp_pairs;  ///< over UDP, and by ICE-TCP
  /// From the moment both descriptions are known to the first valid check, and from there to keys.
  HistogramCell ice_connect{{0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30}};
  HistogramCell dtls_handshake{{0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15}};

  void collect(MetricSink& sink) const override;
};

}  // namespace trunkline::media
