#pragma once
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "media/api.hpp"
#include "media/outbox.hpp"
#include "media/srtp.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::media {

/// A DTLS identity of ours: a key and a self-signed certificate (ECDSA P-256, RFC 8827). Copies are
/// the same identity; any thread.
class DtlsIdentity {
 public:
  static Result<DtlsIdentity> make();
  const Fingerprint& fingerprint() const;  ///< sha-256
  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit DtlsIdentity(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

class Clip;
class DigitTones;

struct PlaneSettings {
  Duration ice_connect_timeout = seconds{30};  ///< no valid check since the leg began
  Duration consent_timeout = seconds{30};      ///< RFC 7675: no valid check on the selected pair
  Duration dtls_timeout = seconds{15};
  Duration learn_window = seconds{3};  ///< SourcePolicy::learn, from the first remote description
  Duration rtcp_interval = seconds{5};
  SrtpEngines srtp_engines = SrtpEngineKind::automatic;
  std::size_t max_legs = 4000;
  /// Directions of calls, those that have just ended too; the audio of one more is dropped.
  std::size_t max_transcoded = 800;
  std::size_t dtls_handshakes = 256;  ///< unfinished at once; a ClientHello beyond it is dropped
  /// By `Sound`; null: there is none.
  std::array<std::shared_ptr<const Clip>, static_cast<std::size_t>(Sound::count_)> sounds{};
  /// Digits as sound; null: none are sent so.
  std::shared_ptr<const DigitTones> digit_tones{};
};

struct SocketSpec {
  enum class Use : std::uint8_t { browser, trunk_rtp, trunk_rtcp } use = Use::browser;
  SocketAddress local;
};

struct TranscodedFrame;
struct DigitHeard;

/// All media of one worker, without its sockets: commands, packets and time in; packets and events
/// out. Sans I/O, one thread. Per packet it allocates nothing, takes no lock, reads no clock.
class Plane {
 public:
  /// `sockets`: what the worker has bound; their places in this list are the `SocketIndex` values.
  /// `identity`: the first; `AddIdentity` brings others.
  Plane(PlaneSettings settings, const DtlsIdentity& identity, std::vector<SocketSpec> sockets,
        Random& random);
  ~Plane();
  Plane(const Plane&) = delete;
  Plane& operator=(const Plane&) = delete;

  void execute(const Command& command, TimePoint now, Outbox& out, std::vector<Event>& events);
  /// One datagram from a socket, with the room promised by `Packet`. It may be rewritten and pushed
  /// to `out` in place.
  void receive(SocketIndex socket, const SocketAddress& from, Packet packet, TimePoint now,
               Outbox& out, std::vector<Event>& events);
  /// A frame from the transcoding thread, made of `Outbox::coded`. One whose route has gone is
  /// dropped.
  void receive(const TranscodedFrame& frame, TimePoint now, Outbox& out,
               std::vector<Event>& events);
  /// A digit that the transcoding thread has heard. One of a leg that has gone is nobody's.
  void receive(const DigitHeard& digit, std::vector<Event>& events);
  /// Once a turn, after the packets. What is left of a burst of handshakes is due at once again.
  void on_deadline(TimePoint now, Outbox& out, std::vector<Event>& events);
  TimePoint deadline() const;

  /// A browser's TCP connection is closed. Frames that came over it were given to `receive` with
  /// its number.
  void close_connection(SocketIndex connection, TimePoint now);
  /// Whether a leg has had a valid check over this connection, and still lives.
  bool serves(SocketIndex connection) const;

  std::size_t legs() const;
  /// Cells written by the worker's thread only; `collect` may run on any thread.
  const MetricSource& metrics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::media
