#pragma once
#include "base/random.hpp"
#include "sip/dialog.hpp"
#include "sip/effects.hpp"

#include "support/browser_media.hpp"
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::test {

/// What the gateway's description says, as far as a browser needs it.
struct GatewayMedia {
  media::IceCredentials ice;
  media::Fingerprint fingerprint;
  std::string setup, direction;
  SocketAddress candidate;
  std::optional<SocketAddress> tcp_candidate;  ///< the passive one of the same address
};
std::optional<GatewayMedia> read_gateway_media(std::string_view sdp);

/// One call of the synthetic browser: its dialog and its media.
struct WebCall {
  /// `format`: codec and losses.
  WebCall(int number, BrowserMediaSettings format, double listen_frequency, Random& random);
  /// Measures this frequency (Hz) instead; only before the media are connected.
  void listen(double frequency, Random& random);

  int number;
  BrowserMediaSettings format;
  bool outgoing = false, connected = false, over = false, media_reported = false;
  sip::TransactionId invite;
  sip::Message request;  ///< the INVITE sent or received
  std::optional<sip::Dialog> dialog;
  std::unique_ptr<BrowserMedia> media;
  SocketAddress remote;  ///< the gateway's candidate
  std::optional<SocketAddress> remote_tcp;
  bool by_tcp = false;  ///< the network blocks UDP
  int network = 0;      ///< another number is another network, with other addresses
  std::string remote_ufrag;
  std::string offered_ufrag;  ///< ours, while an offer to begin ICE anew waits for its answer
  double tone = 0, listens_to = 0;
  std::string direction = "sendrecv";
  int version = 1;
  std::string digits_reported;

  /// Our description, shaped like Chromium's without candidates: the gateway learns our address
  /// from the checks.
  std::string sdp(std::string_view setup) const;
  /// Takes the gateway's description. False if it is none that a browser would accept.
  bool take(std::string_view sdp, TimePoint now);
  /// Takes the answer to our ICE restart.
  bool take_restart(std::string_view sdp, TimePoint now);
  /// The gateway's media are elsewhere now, by a new ICE generation and a new DTLS association: so
  /// are ours.
  void move(const GatewayMedia& gateway, Random& random, TimePoint now);
};

}  // namespace trunkline::test
