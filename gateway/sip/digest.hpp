#pragma once
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "sip/message.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// HTTP Digest as SIP uses it (RFC 3261 §22, RFC 7616, RFC 8760). Hashing by OpenSSL.
namespace trunkline::sip {

enum class DigestAlgorithm : std::uint8_t { md5, sha256 };

/// A WWW-Authenticate or Proxy-Authenticate value.
struct DigestChallenge {
  std::string realm, nonce, opaque;
  std::optional<DigestAlgorithm> algorithm;  ///< nothing: absent in the field, which means MD5
  bool unknown_algorithm = false;            ///< named one that we don't have
  bool qop_auth = false;
  bool qop_present = false;
  bool stale = false;
  /// Fails for schemes other than Digest and for a missing realm or nonce.
  static Result<DigestChallenge> parse(std::string_view value);
  std::string text() const;
};

/// An Authorization or Proxy-Authorization value.
struct DigestCredentials {
  std::string username, realm, nonce, uri, response, opaque, cnonce, nc;
  std::optional<DigestAlgorithm> algorithm;
  bool unknown_algorithm = false;
  bool qop_auth = false;
  static Result<DigestCredentials> parse(std::string_view value);
  std::string text() const;
};

/// H(user:realm:password) in lower-case hex.
std::string digest_ha1(DigestAlgorithm algorithm, std::string_view user, std::string_view realm,
                       std::string_view password);

/// What only these two sides know, proven for one request (RFC 7616 §3.4.1), in lower-case hex:
/// `response` of `credentials`, from its nonce, uri and, with qop=auth, nc and cnonce.
std::string digest_response(const DigestCredentials& credentials, std::string_view ha1,
                            std::string_view method);

/// HMAC-SHA-256 (RFC 2104, FIPS 180-4): nonces and short-lived passwords. All zero if the library
/// refuses it.
std::array<std::uint8_t, 32> hmac_sha256(std::string_view key, std::string_view text);

/// The server's side. Nonces are stateless: time stamp and HMAC over realm and time with a secret
/// (shared by replicas or made at start); nonce counts of live nonces are remembered in a bounded
/// table, so that a captured request can't be replayed (RFC 7616 §3.4.6: nc must rise; a window
/// tolerates pipelined requests).
class DigestServer {
 public:
  struct Settings {
    std::string secret;  ///< key of the nonce HMAC
    seconds nonce_lifetime{300};
    std::size_t nonce_count_entries = 65536;  ///< remembered nonces
  };
  DigestServer(Settings settings, Random& random);

  /// A fresh challenge for a 401. `wall` is seconds since 1970.
  DigestChallenge challenge(std::string_view realm, DigestAlgorithm algorithm, bool stale,
                            std::int64_t wall);

  /// What the caller does: `stale` and `replayed` ask for a new challenge with stale=true, for the
  /// password was right; the others but `ok` for one without.
  enum class Verdict { ok, no_credentials, stale, wrong, replayed, unknown_user };
  /// `ha1` of the user for the credentials' algorithm; an unknown user passes nothing and takes as
  /// long as a known one. Without qop there is no nonce count, and a nonce serves for one request
  /// only. `body` is not hashed: auth-int is never offered.
  Verdict verify(const DigestCredentials& credentials, std::string_view method,
                 std::string_view body, const std::optional<std::string>& ha1, std::int64_t wall);
  /// Whether the nonce in these credentials was made with our secret, at whatever time: who sends
  /// it has heard a challenge.
  bool challenged(const DigestCredentials& credentials) const;

 private:
  bool nonce_is_ours(const DigestCredentials& credentials, std::int64_t& made) const;
  std::string sign(std::string_view stamp, std::string_view realm) const;
  Verdict count_use(const DigestCredentials& credentials, std::int64_t made, std::int64_t wall);
  void forget_old(std::int64_t wall);
  Settings settings_;
  Random& random_;
  struct Use {
    std::uint32_t highest = 0;
    std::uint64_t window = 0;
    std::int64_t made = 0;
  };
  std::unordered_map<std::string, Use> uses_;
  std::deque<std::string> order_;  ///< the nonces of uses_, first used first
  /// Nonces made up to here and not in uses_ may have been used.
  std::optional<std::int64_t> forgotten_;
};

/// Challenges in a row that one request of ours answers.
inline constexpr int kMaxChallenges = 3;

/// The client's side for one peer: answers challenges, keeps nonce and count per realm for later
/// requests of the dialog (RFC 3261 §22.2, §22.3).
class DigestClient {
 public:
  DigestClient(std::string username, std::string password, Random& random);

  /// Whether the response's challenges (401: WWW-, 407: Proxy-Authenticate) can be answered, and if
  /// so puts the right header fields on `request` (which keeps Call-ID and From tag; the caller
  /// raises CSeq and takes a new branch). False: no algorithm we know, or these credentials were
  /// just refused (same nonce, not stale).
  bool authorize(const Message& challenge_response, Message& request);
  /// Credentials for a further request to the same peer, from the nonces already known.
  void preload(Message& request);

 private:
  struct Realm {
    DigestChallenge challenge;
    bool proxy = false;
    std::uint32_t count = 0;  ///< uses of the nonce
    int refusals = 0;         ///< challenges to our own credentials since the last fresh request
    bool in_request = false;
  };
  bool learn(const DigestChallenge& challenge, bool proxy);
  void mark_sent(const Message& request);
  void put_credentials(Message& request);
  std::string credentials(Realm& realm, const Message& request);
  std::string username_, password_;
  Random& random_;
  std::vector<Realm> realms_;
};

}  // namespace trunkline::sip
