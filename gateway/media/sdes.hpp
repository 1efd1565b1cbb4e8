#pragma once
#include "base/time.hpp"
#include "media/api.hpp"
#include "media/srtp.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace trunkline::media {

/// The SRTP of a leg whose keys come in its description (SDES, RFC 4568): the contexts of both
/// directions over all descriptions of a call. RTP and RTCP have the same master key and a context
/// each (RFC 3711 §3.2.3).
class Sdes {
 public:
  /// So long after a new key of the peer what it sealed with the old one is still opened: it may be
  /// on the way.
  static constexpr Duration kOldKey = seconds{2};

  Sdes(const SrtpEngines& engines, std::uint32_t ssrc) : engines_(engines), ssrc_(ssrc) {}

  /// What the descriptions agree on now; nothing: the media is plain. A key that is known keeps its
  /// context, with roll-over counter and replay window.
  void describe(const std::optional<SrtpKeys>& keys, TimePoint now);
  bool active() const { return active_; }

  /// While `active`.
  SrtpVerdict protect(Packet& packet, bool rtcp);
  SrtpVerdict unprotect(Packet& packet, bool rtcp, TimePoint now);

 private:
  struct Sending {
    SrtpProfile profile{};
    Secret key;
    std::unique_ptr<SrtpSender> context;
  };
  struct Receiving {
    SrtpProfile profile{};
    Secret key;
    std::unique_ptr<SrtpReceiver> context;
  };
  static SrtpVerdict open(SrtpReceiver& receiver, Packet& packet, bool rtcp);
  void use_to_send(SrtpProfile profile, const Secret& key);
  void use_to_receive(const SrtpKeys& keys, TimePoint now);

  SrtpEngines engines_;
  std::uint32_t ssrc_;
  bool active_ = false;
  /// The first is in use. A key that comes back must find its context: an index never serves twice
  /// (RFC 3711 §9.1).
  std::array<Sending, 4> sending_;
  std::array<Receiving, 2> receiving_;  ///< now, and before
  TimePoint old_key_until_{};
};

}  // namespace trunkline::media
