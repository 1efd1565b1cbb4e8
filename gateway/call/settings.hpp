#pragma once
#include "base/net_address.hpp"
#include "base/time.hpp"
#include "media/api.hpp"
#include "sdp/codec_match.hpp"
#include "sdp/offer_answer.hpp"
#include "sip/digest.hpp"
#include "sip/effects.hpp"
#include "sip/uri.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::call {

/// The time of an input: monotonic for deadlines, wall clock for what leaves the process (nonces,
/// Date, records).
struct Moment {
  TimePoint now;
  std::chrono::system_clock::time_point wall;
  std::int64_t wall_seconds() const {
    return std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
  }
};

/// A browser user (contract: users[]).
struct UserSettings {
  std::string name, password;
  /// What trunks may see of it instead of its name; the first one unless it prefers another.
  std::vector<std::string> numbers{};
  /// What its credentials may be made with, in the order of the challenges; empty: as for all.
  std::vector<sip::DigestAlgorithm> algorithms{};
};

/// An address of ours for media: what is bound, and what peers are told.
struct MediaAddress {
  IpAddress bind, advertise;
  bool operator==(const MediaAddress&) const = default;
};

/// One rule for the numbers of a trunk: what RE2 finds first is replaced.
struct RewriteRule {
  std::string match;
  std::string replace;  ///< \0 is what was found, \1 to \9 its captures
  bool operator==(const RewriteRule&) const = default;
};
/// How a trunk's URIs name telephone numbers: sip:N@HOST, with user=phone, or tel:N.
enum class NumberForm : std::uint8_t { sip, phone, tel };

/// How a trunk takes and brings DTMF digits. Telephone events (RFC 4733) go before all else where
/// both sides have agreed on them; `info` and `in_band` never agree.
enum class DtmfPolicy : std::uint8_t {
  automatic,  ///< else by INFO, or as sound if it has said that it takes no INFO; its sound counts
  rfc4733,    ///< else by INFO; its sound is not listened to
  info,       ///< by INFO; its sound is not listened to
  in_band     ///< as sound
};

/// A SIP trunk (contract: trunks[]).
struct TrunkSettings {
  std::string name;
  sip::PeerId peer{};  ///< under which the sockets know its certificate
  sip::Uri uri;
  std::vector<AddressRange> allow;  ///< empty: what `uri` resolves to
  std::string username, password;   ///< empty username: challenges can't be answered
  media::SourcePolicy media_source = media::SourcePolicy::pinned;
  std::vector<MediaAddress> media;  ///< one per family at most; empty: the media section's
  std::vector<std::string> codecs{"PCMU", "PCMA", "opus"};
  /// Between this trunk and browsers, if `Settings::translation` allows any.
  sdp::Translation translation = sdp::Translation::where_needed;
  DtmfPolicy dtmf = DtmfPolicy::automatic;
  sdp::SrtpPolicy srtp = sdp::SrtpPolicy::none;
  bool srtp_begins_anew = false;  ///< contract: srtp_reset_on_reinvite
  std::uint32_t max_calls = 100;
  std::uint32_t max_calls_per_second = 20;
  std::uint32_t session_expires_seconds = 1800;
  /// How often a call may be sent on to a contact of a 301 or 302, and only to an address of this
  /// trunk; 0: never.
  std::uint32_t max_redirects = 0;
  std::string capacity_phrase;  ///< RE2: a 480 or 5xx with such a phrase is about room; empty: none
  Duration options_interval{};  ///< between two health probes of a target; zero: none
  /// How long a target may stay without a word before the next one is tried; for the last one the
  /// transaction's own time-out counts.
  Duration target_timeout = seconds{4};
  /// Responses to an INVITE, before any 18x, after which the next target is tried. RFC 3263 §4.3
  /// names 503; behind a proxy it has become a 500 (RFC 3261 §16.7).
  std::vector<int> failover_codes{500, 502, 503, 504};
  bool registers = false;  ///< contract: register
  bool replicas = false;   ///< no trunk of the file, but the other nodes
  /// What the trunk is told of who calls, and what it says of it counts (RFC 3325 §2.3: it is in
  /// the trust domain).
  bool asserts_identity = false, accepts_identity = false;
  /// By which header fields the trunk is told of diversions; what it says by them counts.
  bool tells_diversion = false, tells_history = false;
  NumberForm number_form = NumberForm::sip;
  std::vector<RewriteRule> called_to, calling_to;      ///< towards the trunk
  std::vector<RewriteRule> called_from, calling_from;  ///< of what comes from it
  std::vector<std::string> headers_to, headers_from;   ///< fields that cross
  std::uint32_t register_expires_seconds = 3600;
};

/// One routing rule (contract: routes[]).
struct RouteSettings {
  std::string from;    ///< "user", "trunk:NAME" or "any"
  std::string match;   ///< RE2 on the unescaped user part of the Request-URI
  std::string target;  ///< "trunk:NAME", "user:NAME" (captures \1…) or "service:echo|tone|policy"
};

/// Where our own SIP address for a leg comes from: the advertised address of the listener of that
/// transport and family.
struct ContactAddress {
  sip::Transport transport = sip::Transport::udp;
  SocketAddress address;
};

struct RegistrarSettings {
  std::uint32_t min_expires = 60, default_expires = 600, max_expires = 3600;  ///< seconds
  std::size_t max_contacts = 10;          ///< of one user; one more is refused with 403
  std::size_t max_registrations = 20000;  ///< of all; one more is refused with 503 and Retry-After
};

/// The user's own service that decides about calls and users (contract: policy).
struct PolicySettings {
  bool enabled = false;
  Duration timeout = milliseconds{500};
  int fallback_reject = 503;        ///< SIP code where it gives no usable answer
  bool authenticate_users = false;  ///< asks it for users that `users` does not name
};

/// Short-lived credentials (contract: credentials).
struct CredentialSettings {
  std::string secret;  ///< of all replicas; made at start when empty
  Duration max_ttl = std::chrono::hours{24};
};

/// The nodes that share a store (contract: store). Their requests are known by
/// `CredentialSettings::secret`, and `trunks` has one for them.
struct ReplicaSettings {
  bool enabled = false;
};

/// What the call layer is told by the configuration.
struct Settings {
  std::string node, domain;
  std::vector<UserSettings> users;
  std::vector<TrunkSettings> trunks;
  std::vector<RouteSettings> routes;
  std::vector<ContactAddress> contacts;
  std::vector<std::string> browser_codecs{"PCMU", "PCMA", "opus", "G722"};
  /// Legs that share no codec are joined by a transcoder (contract: media.transcoding).
  sdp::Translation translation = sdp::Translation::never;
  /// How long a trunk may send neither RTP nor RTCP: while it should be heard, and on hold. Zero:
  /// as long as it likes. A browser's path is watched by its ICE checks (RFC 7675).
  Duration media_timeout{}, hold_timeout{};
  /// Which sounds there are (contract: media.sounds).
  struct Sounds {
    bool play = false, hold_music = false, ringback = false;
  };
  Sounds sounds;
  std::string digest_secret;  ///< nonces of all replicas; made at start when empty
  /// What users are challenged with, the best one first (RFC 8760 §2.3). JsSIP and SIP.js know MD5
  /// alone, and of several challenges they read the last.
  std::vector<sip::DigestAlgorithm> digest_algorithms{sip::DigestAlgorithm::sha256,
                                                      sip::DigestAlgorithm::md5};
  RegistrarSettings registrar;
  PolicySettings policy;
  CredentialSettings credentials;
  ReplicaSettings replicas;
  std::size_t max_transcoded_calls = 200;  ///< of one worker; the next one is refused
  std::size_t max_calls = 1000;
  /// Calls that have ended and whose last transactions still run out, up to 64*T1: one more is
  /// refused like one above `max_calls`.
  std::size_t max_ended_calls = 20000;
  Duration ring_timeout =
      seconds{180};  ///< from the INVITE to a final response; then CANCEL and 480
  Duration reconnect_grace = seconds{60};  ///< contract: websocket.grace
  Duration drain_timeout = seconds{300};
};

/// What the media workers have bound, told once they run.
struct MediaResources {
  struct Worker {
    std::vector<SocketAddress> candidates;  ///< advertised addresses of the browser port
    bool ice_tcp = false;                   ///< that port takes TCP too
    std::map<IpAddress, std::vector<std::uint16_t>>
        trunk_ports;  ///< by bind address: even ports that are open
    /// Its own certificate's, if it has one: a page whose media moves to another worker learns by
    /// it that DTLS begins anew. Absent: the one for all.
    std::optional<media::Fingerprint> fingerprint;
  };
  std::vector<Worker> workers;
  std::vector<MediaAddress> addresses;  ///< for trunks without their own; one per family at most
  media::Fingerprint fingerprint;
};

}  // namespace trunkline::call
