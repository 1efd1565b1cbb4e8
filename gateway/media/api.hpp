#pragma once
#include "base/ids.hpp"
#include "base/net_address.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The values that cross between the signalling thread and the media workers. All that `call` knows
/// of media.
///
/// A worker owns legs. A leg is a browser leg (ICE-lite, DTLS-SRTP, one shared UDP port) or a trunk
/// leg (RTP and RTCP on a port pair of the pool). Audio flows along routes: "what leg A receives,
/// leg B sends". Both legs of a call live on one worker. A leg may be routed to itself: that is the
/// echo service.
namespace trunkline::media {

/// An ICE user fragment and password (RFC 8839 §5.4).
struct IceCredentials {
  std::string ufrag, pwd;
  bool operator==(const IceCredentials&) const = default;
};

/// A certificate's fingerprint (RFC 8122): hash name in lower case ("sha-256"), upper-case hex with
/// colons.
struct Fingerprint {
  std::string hash, value;
  bool operator==(const Fingerprint&) const = default;
};

enum class DtlsRole : std::uint8_t {
  undecided,  ///< we offered actpass and no answer has come: take a ClientHello (server) but start
              ///< none
  client,
  server
};

/// What a peer is allowed to be as a source of RTP (contract: trunks[].media_source).
enum class SourcePolicy : std::uint8_t {
  pinned,     ///< only the signalled address and port
  same_host,  ///< the signalled address, any port
  learn,      ///< the signalled address, or once, inside the learning window, the first plausible
              ///< source; then locked
  subnet      ///< the signalled address, or any source within `allow`
};

/// Protection profiles of SRTP (RFC 5764 §4.1.2, RFC 7714 §14.2).
enum class SrtpProfile : std::uint8_t {
  aes_cm_128_hmac_sha1_80,
  aes_cm_128_hmac_sha1_32,
  aead_aes_128_gcm,
  aead_aes_256_gcm
};

/// What two descriptions with a=crypto agree on (RFC 4568); each secret is a master key and then
/// its salt.
struct SrtpKeys {
  SrtpProfile profile{};
  Secret send, receive;
  /// The peer may begin its sequence numbers anew with any description, under the same key: then
  /// each begins a new context, and what was sealed before it could be played back once.
  bool begins_anew = false;
  bool operator==(const SrtpKeys&) const = default;
};

/// The codecs between which the gateway itself can translate.
enum class AudioCodec : std::uint8_t { none, pcmu, pcma, g722, opus };

/// What one payload type of the receiving leg becomes on the sending leg.
struct PayloadRoute {
  std::uint8_t from = 0, to = 0;                     ///< payload types, 0 to 127
  std::uint32_t from_clock = 8000, to_clock = 8000;  ///< Hz; they differ only for telephone events
  bool telephone_event = false;
  /// Both set: the legs share no codec for this payload, and its audio is made anew.
  AudioCodec decode = AudioCodec::none, encode = AudioCodec::none;
  bool reported_only = false;  ///< of an event: the sending leg's peer takes none
  bool transcoded() const { return encode != AudioCodec::none; }
  bool operator==(const PayloadRoute&) const = default;
};

/// What of one leg can be described anew while the call runs. Absent members stay as they are.
struct BrowserRemote {
  std::optional<IceCredentials>
      ice;  ///< the peer's; a change together with `local_ice` is an ICE restart
  std::optional<IceCredentials> local_ice;  ///< ours after an ICE restart
  std::vector<Fingerprint> fingerprints;    ///< empty: not yet known
  DtlsRole role = DtlsRole::undecided;
  /// Of the peer's DTLS association (RFC 8842 §4); empty: none. Another one, other fingerprints or
  /// another role begin a new association; the keys of the old one serve until it is verified.
  std::string tls_id{};
};
struct TrunkRemote {
  SocketAddress
      rtp;  ///< empty: not yet known, nothing is sent. 0.0.0.0: hold by address, nothing is sent
  SocketAddress rtcp;
  bool rtcp_mux = false;
  /// Where its signalling is: RTP from there is the peer's while `rtp` does not say better
  /// (RFC 3264 §5.1). Empty: nobody's is.
  IpAddress host{};
  std::optional<SrtpKeys> srtp = std::nullopt;  ///< nothing: plain RTP
};

// ---------------------------------------------------------------- commands to a worker

struct AddBrowserLeg {
  LegId leg;
  IceCredentials local_ice;
  BrowserRemote remote;
  std::uint32_t ssrc = 0;  ///< the one SSRC that this leg sends with, for its whole life
  std::string cname;       ///< RTCP SDES CNAME (RFC 7022)
  /// Value of the fingerprint of ours that the peer is shown; empty: of the newest certificate.
  std::string certificate{};
};
struct UpdateBrowserLeg {
  LegId leg;
  BrowserRemote remote;
};
struct AddTrunkLeg {
  LegId leg;
  SocketAddress local;  ///< address and even RTP port of the pool; RTCP is the next port
  TrunkRemote remote;
  SourcePolicy policy = SourcePolicy::pinned;
  std::vector<AddressRange> allow;  ///< for `subnet`
  std::uint32_t ssrc = 0;
  std::string cname;
};
struct UpdateTrunkLeg {
  LegId leg;
  TrunkRemote remote;
  /// Address and even RTP port of the pool from now on: another family than before is another pair.
  /// Absent: the same.
  std::optional<SocketAddress> local{};
};
/// Ends a leg: RTCP BYE, DTLS close_notify, its routes go, its `LegClosed` follows with the final
/// statistics.
struct RemoveLeg {
  LegId leg;
};
/// What `from` receives, `to` sends. Replaces the route between the two. `clock` is the RTP clock
/// of the audio codec in use; RTP with a payload type that is not listed is dropped and counted.
struct SetRoute {
  LegId from, to;
  std::vector<PayloadRoute> payloads;
};
struct ClearRoute {
  LegId from, to;
};
enum class ToneCodec : std::uint8_t { pcmu, pcma };
/// Sends a sine wave to a leg, 20 ms packets, until `StopTone` or the leg ends.
struct StartTone {
  LegId to;
  ToneCodec codec = ToneCodec::pcmu;
  std::uint8_t payload_type = 0;
  std::uint32_t frequency = 440;  ///< Hz
};
/// The sounds that the configuration gives, prepared at start.
enum class Sound : std::uint8_t {
  play,        ///< of service:play
  hold_music,  ///< for a party that is on hold
  ringback,    ///< for a party that waits for the other one
  count_
};
/// Sends a sound to a leg, over and over, until `StopTone` or the leg ends. While it plays what
/// other legs send there is left out. The same order again changes nothing; a sound that the
/// configuration does not give is none.
struct StartSound {
  LegId to;
  Sound sound = Sound::play;
  AudioCodec codec = AudioCodec::pcmu;
  std::uint8_t payload_type = 0;
  bool operator==(const StartSound&) const = default;
};
/// Ends a tone or a sound.
struct StopTone {
  LegId to;
};
/// How long the peer of a leg may send nothing - no RTP, no RTCP - from now on, if it has sent
/// something ever; then `MediaSilent` is reported, once. Zero: as long as it likes.
struct ExpectMedia {
  LegId leg;
  Duration within{};
};
/// Telephone events that may wait for one leg: the longest string of digits that the API takes.
inline constexpr std::size_t kMaxQueuedDigits = 64;
/// Sends one telephone event (RFC 4733) to a leg, after those already queued; one more than
/// `kMaxQueuedDigits` is dropped.
struct SendDigit {
  LegId to;
  char digit = '0';  ///< 0-9 * # A-D
  std::uint32_t duration_ms = 160;
  std::uint8_t payload_type = 101;
  std::uint32_t clock = 8000;  ///< Hz of that payload type
  /// The peer takes no events: the digit is a sound of this codec, `payload_type` that codec's, as
  /// long as `kDigitTone`, with silences of `kDigitPause` in all around it.
  AudioCodec tone = AudioCodec::none;
};
inline constexpr milliseconds kDigitTone{160}, kDigitPause{80};
/// The peer of a leg has no telephone events: digits are heard in its sound (ITU-T Q.24), in
/// packets of this payload type, and reported. No codec: no longer.
struct DetectDigits {
  LegId leg;
  AudioCodec codec = AudioCodec::none;
  std::uint8_t payload_type = 0;
  bool operator==(const DetectDigits&) const = default;
};
/// Asks for the leg's statistics as they are now: `StatisticsReported` follows at once, of a leg
/// that the worker does not have with zeros.
struct QueryStatistics {
  LegId leg;
  std::uint64_t query = 0;     ///< repeated in the report
  bool ends_interval = false;  ///< the one of `LegStatistics::interval_loss`; the next begins
};

class DtlsIdentity;
/// One more certificate of ours: for the legs whose `AddBrowserLeg` names it. Those that have the
/// old one keep it.
struct AddIdentity {
  std::shared_ptr<const DtlsIdentity> identity;
};

/// Asks why nothing is heard from, or by, the leg's peer now: `MediaJudged` follows at once, if the
/// worker has the leg.
struct JudgeMedia {
  LegId leg;
};

using Command =
    std::variant<AddBrowserLeg, UpdateBrowserLeg, AddTrunkLeg, UpdateTrunkLeg, RemoveLeg, SetRoute,
                 ClearRoute, StartTone, StartSound, StopTone, ExpectMedia, DetectDigits, SendDigit,
                 QueryStatistics, AddIdentity, JudgeMedia>;

// ---------------------------------------------------------------- events from a worker

/// What a peer has last reported of that which we send to it (RFC 3550 §6.4.1).
struct PeerReception {
  double loss = 0;  ///< 0 to 1, since its report before
  double jitter_seconds = 0;
  double mos = 0;  ///< as in LegStatistics, of these two
};

/// Per direction as seen by us; received means from that leg's peer.
struct LegStatistics {
  std::uint64_t packets_received = 0, bytes_received = 0, packets_sent = 0, bytes_sent = 0;
  std::uint64_t packets_lost = 0, packets_expected = 0;  ///< of the received stream (RFC 3550 A.3)
  std::uint64_t packets_dropped = 0, srtp_failures = 0;
  double jitter_seconds = 0;
  std::optional<double> round_trip_seconds;
  /// 1 to 4.5 of the received stream as the E-model judges it (ITU-T G.107): its loss, its jitter
  /// as what a play-out buffer would wait, and half the round trip, for G.711 with concealment.
  /// Nothing before the first packet.
  std::optional<double> mos;
  /// Of what the peer sent since the last query that ended an interval: its loss, 0 to 1, and the
  /// MOS of that; nothing if it sent nothing.
  std::optional<double> interval_loss, interval_mos;
  std::optional<PeerReception> at_peer;  ///< nothing: it has reported nothing yet
};

struct IceConnected {
  LegId leg;
  SocketAddress remote;
};
struct DtlsConnected {
  LegId leg;
  std::string profile;  ///< "AEAD_AES_128_GCM" …
};
enum class MediaFailure : std::uint8_t {
  ice_timeout,
  consent_expired,
  dtls_timeout,
  dtls_fingerprint,
  dtls_alert,
  dtls_profile,
  dtls_closed,
  count_
};
/// The leg's transport is dead (or was never up); it sends and takes nothing more. The call decides
/// what follows.
struct LegFailed {
  LegId leg;
  MediaFailure failure = MediaFailure::ice_timeout;
};
/// The first RTP of this leg's peer was accepted (for a browser leg: decrypted); once more when
/// some comes after `MediaJudged` has told that none did.
struct FirstPacket {
  LegId leg;
  SocketAddress remote;
};
/// The peer of the leg has sent nothing for as long as `ExpectMedia` allows.
struct MediaSilent {
  LegId leg;
};
/// A whole telephone event came in from this leg's peer, or a digit was heard in its sound;
/// reported once.
struct DigitReceived {
  LegId leg;
  char digit = '0';
  std::uint32_t duration_ms = 0;  ///< of one that was heard: 0, it may still sound
  bool heard = false;
};
struct LegClosed {
  LegId leg;
  LegStatistics statistics;
};
struct StatisticsReported {
  LegId leg;
  std::uint64_t query = 0;
  LegStatistics statistics;
};
/// Why nothing is heard in one direction between us and a leg's peer.
enum class Silence : std::uint8_t {
  none,  ///< it is heard
  // from the peer
  browser_sent_no_ice_checks,  ///< UDP to us is shut, or we are told to be elsewhere
  ice_checks_refused,          ///< they come with the wrong password
  browser_never_started_dtls,
  dtls_not_finished,
  transport_failed,  ///< ICE or DTLS has ended the leg
  browser_sends_nothing,
  trunk_sends_nothing,
  peer_address_unknown,  ///< the peer has described no place that its media come from
  wrong_source_address,  ///< they come from another place than it has described
  srtp_auth_failing,     ///< sealed with other keys than agreed, or not at all
  unknown_payload_type,  ///< in no codec that was agreed
  malformed_media,
  // by the peer
  one_way_to_browser,  ///< what we send does not arrive, by its RTCP
  one_way_to_trunk,
  count_
};

/// What `JudgeMedia` asks for; also told unasked, once, when nothing has come for two seconds after
/// something did, and when the peer's RTCP says that it does not hear.
struct MediaJudged {
  LegId leg;
  Silence received = Silence::none, sent = Silence::none;
};
using Event = std::variant<IceConnected, DtlsConnected, LegFailed, FirstPacket, MediaSilent,
                           DigitReceived, LegClosed, StatisticsReported, MediaJudged>;

/// The name of a cause in events, records, the log and metrics: "TRUNK_SENDS_NOTHING"; of `none` it
/// is empty.
inline std::string_view silence_label(Silence silence) {
  switch (silence) {
    case Silence::browser_sent_no_ice_checks:
      return "BROWSER_SENT_NO_ICE_CHECKS";
    case Silence::ice_checks_refused:
      return "ICE_CHECKS_REFUSED";
    case Silence::browser_never_started_dtls:
      return "BROWSER_NEVER_STARTED_DTLS";
    case Silence::dtls_not_finished:
      return "DTLS_NOT_FINISHED";
    case Silence::transport_failed:
      return "TRANSPORT_FAILED";
    case Silence::browser_sends_nothing:
      return "BROWSER_SENDS_NOTHING";
    case Silence::trunk_sends_nothing:
      return "TRUNK_SENDS_NOTHING";
    case Silence::peer_address_unknown:
      return "PEER_ADDRESS_UNKNOWN";
    case Silence::wrong_source_address:
      return "WRONG_SOURCE_ADDRESS";
    case Silence::srtp_auth_failing:
      return "SRTP_AUTH_FAILING";
    case Silence::unknown_payload_type:
      return "UNKNOWN_PAYLOAD_TYPE";
    case Silence::malformed_media:
      return "MALFORMED_MEDIA";
    case Silence::one_way_to_browser:
      return "ONE_WAY_TO_BROWSER";
    case Silence::one_way_to_trunk:
      return "ONE_WAY_TO_TRUNK";
    case Silence::none:
    case Silence::count_:
      break;
  }
  return "";
}

/// The metric label of a failure: its enumerator's name.
inline std::string_view failure_label(MediaFailure failure) {
  switch (failure) {
    case MediaFailure::ice_timeout:
      return "ice_timeout";
    case MediaFailure::consent_expired:
      return "consent_expired";
    case MediaFailure::dtls_timeout:
      return "dtls_timeout";
    case MediaFailure::dtls_fingerprint:
      return "dtls_fingerprint";
    case MediaFailure::dtls_alert:
      return "dtls_alert";
    case MediaFailure::dtls_profile:
      return "dtls_profile";
    case MediaFailure::dtls_closed:
      return "dtls_closed";
    case MediaFailure::count_:
      break;
  }
  return "";
}

}  // namespace trunkline::media
