#pragma once
#include "base/net_address.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Session descriptions as values (RFC 8866, RFC 3264, RFC 8829 attributes).
namespace trunkline::sdp {

enum class Direction : std::uint8_t { sendrecv, sendonly, recvonly, inactive };
std::string_view direction_text(Direction direction);
/// The same stream seen from the other side: sendonly becomes recvonly.
Direction reversed(Direction direction);
/// What both directions allow, from the first one's point of view: sends where both send, receives
/// where both receive.
Direction common(Direction one, Direction other);
inline bool sends(Direction direction) {
  return direction == Direction::sendrecv || direction == Direction::sendonly;
}
inline bool receives(Direction direction) {
  return direction == Direction::sendrecv || direction == Direction::recvonly;
}
Direction make_direction(bool send, bool receive);

enum class Setup : std::uint8_t { none, active, passive, actpass, holdconn };

/// One payload type of an m= line: rtpmap and fmtp. Static types (RFC 3551) are filled in when
/// rtpmap is absent.
struct Codec {
  std::string name;                 ///< as written
  std::uint32_t clock_rate = 8000;  ///< Hz
  std::uint8_t channels = 1;
  std::uint8_t payload_type = 0;
  std::string fmtp;
  bool operator==(const Codec&) const = default;
};

struct Origin {
  std::string user = "-";
  std::string session_id, session_version;
  std::string address;
};

/// One m= section. Session-level attributes that a section inherits (c=, direction, ice,
/// fingerprint, setup) are already put into it by the parser.
struct Media {
  std::string kind;  ///< "audio", "video", "application" …
  std::uint16_t port = 0;
  std::string protocol;              ///< "RTP/AVP", "UDP/TLS/RTP/SAVPF" …
  std::vector<std::string> formats;  ///< as written
  std::string connection;            ///< address of c= as written; may be a name or ".local"
  std::vector<Codec> codecs;
  Direction direction = Direction::sendrecv;
  std::string mid;
  bool rtcp_mux = false;
  std::optional<std::uint16_t> rtcp_port;
  std::string rtcp_address;
  std::string ice_ufrag, ice_pwd;
  bool renomination = false;            ///< a=ice-options
  std::vector<std::string> candidates;  ///< as written, at most 40
  std::vector<std::pair<std::string, std::string>> fingerprints;
  Setup setup = Setup::none;
  std::string tls_id;
  std::optional<std::uint32_t> ptime_ms, maxptime_ms;
  std::vector<std::string> crypto;  ///< a=crypto values as written (RFC 4568), at most 16
};

struct Session {
  Origin origin;
  std::vector<Media> media;
  std::vector<std::vector<std::string>> bundles;  ///< a=group:BUNDLE, mids
  bool ice_lite = false;
};

/// Limits of the parser; more is refused (whole text, lines) or ignored (candidates, payload
/// types).
inline constexpr std::size_t kMaxText = 65536, kMaxLines = 2048, kMaxLine = 4096, kMaxMedia = 16,
                             kMaxCandidates = 40, kMaxPayloadTypes = 64, kMaxFingerprints = 8,
                             kMaxCrypto = 16;

/// Parses a description, tolerant of order and unknown lines, strict about what it uses. Linear
/// time.
Result<Session> parse_session(std::string_view text);

/// Same encoding: name without case, clock rate, channels.
bool same_codec(const Codec& one, const Codec& other);
bool is_telephone_event(const Codec& codec);
/// The first codec that is not telephone-event: of what a peer has agreed to, the one that it will
/// send. Null if there is none.
const Codec* audio_codec(const std::vector<Codec>& codecs);
/// The one with that encoding; null if absent.
const Codec* find_codec(const std::vector<Codec>& codecs, const Codec& like);

}  // namespace trunkline::sdp
