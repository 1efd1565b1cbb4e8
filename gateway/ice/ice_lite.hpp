#pragma once
#include "base/bytes.hpp"
#include "base/net_address.hpp"
#include "base/rate_limit.hpp"
#include "base/time.hpp"
#include "ice/stun.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// ICE-lite (RFC 8445 §2.5): we have host candidates only, send no checks, are always controlled,
/// and answer.
namespace trunkline::ice {

struct Credentials {
  std::string ufrag, pwd;
};

/// Where a datagram came from and by which socket: the socket is an opaque number of the owner.
struct Tuple {
  SocketAddress remote;
  std::uint32_t local_socket = 0;
  bool operator==(const Tuple&) const = default;
};

/// What became of a STUN datagram. Everything up to `unknown_attribute` is answered, the rest is
/// dropped in silence: an unauthenticated source never gets a reply (a deliberate deviation from
/// RFC 8489 §9.1.3, which would make us a reflector).
enum class CheckVerdict : std::uint8_t {
  valid,              ///< answered with success
  role_conflict,      ///< answered with 487: the peer claims the controlled role
  unknown_attribute,  ///< answered with 420
  malformed,          ///< not a STUN message, or broken
  no_fingerprint,
  not_binding,     ///< another method
  indication,      ///< a keepalive: never answered, no consent (RFC 8489 §6.3.2)
  response,        ///< we asked nothing
  no_credentials,  ///< USERNAME or MESSAGE-INTEGRITY is missing
  unknown_ufrag,   ///< neither our ufrag nor the one before the restart, or not the peer's ufrag
  rate_limited,
  integrity,  ///< MESSAGE-INTEGRITY is wrong
  replayed,   ///< a transaction id that came from another address before
  closed,     ///< the session has failed
  count_
};
std::string_view label(CheckVerdict verdict);

enum class IceFailure : std::uint8_t { connect_timeout, consent_expired, count_ };
std::string_view label(IceFailure failure);

struct IceSettings {
  Duration connect_timeout = seconds{30};  ///< until the first valid check
  Duration consent_timeout =
      seconds{30};  ///< RFC 7675: since the last valid check on the selected pair
};

/// The effects of one check.
struct CheckOutcome {
  CheckVerdict verdict = CheckVerdict::malformed;
  /// Octets of the reply buffer to send to the source by the same socket; 0: none.
  std::size_t reply_size = 0;
  /// The first valid check of the session, or after a failure and a restart.
  bool connected = false;
  /// The first valid check with the credentials of the restart: the old ones are void.
  bool restarted = false;
  bool tuple_added = false;       ///< the source is validated from now on
  bool selected_changed = false;  ///< `selected()` is another pair now
  std::optional<Tuple> evicted;   ///< validated no longer: its place was needed
};

/// The effects of time.
struct TimeOutcome {
  std::optional<IceFailure> failure;  ///< the session is dead until `restart`
  bool selected_changed = false;
};

/// The ICE session of one browser leg. Sans I/O, one thread; nothing allocates after construction
/// but `restart`.
///
/// Selection: the pair that was nominated (USE-CANDIDATE) last, at once, whatever its priority (RFC
/// 8445 §7.3.1.5), with two guards. While authentic media flows on the selected pair, another is
/// taken only when authentic media comes from it too, or the selected one has been silent for
/// `kSilence`: a replayed or stolen check moves nothing. And a peer that nominates all its pairs
/// again and again (aggressive nomination) moves it only by nominating one twice in a row. A peer
/// that numbers its nominations (renomination) moves it by a higher number alone, in whatever order
/// the checks come.
class IceLite {
 public:
  static constexpr std::size_t kMaxPairs = 8;
  static constexpr std::size_t kRememberedTransactions = 256;
  static constexpr Duration kSilence = seconds{1};
  /// A nomination that had to wait longer than this is stale.
  static constexpr Duration kPendingLife = seconds{5};
  static constexpr std::size_t kReplySize = 128;  ///< no reply is longer
  using Reply = std::array<std::uint8_t, kReplySize>;

  IceLite(const IceSettings& settings, Credentials local, std::optional<std::string> remote_ufrag,
          TimePoint now);

  /// The descriptions are not exchanged yet: the peer can't have begun, so `connect_timeout` does
  /// not run. It runs from `begin_connecting`, which does nothing the second time.
  void await_descriptions() { began_ = kNever; }
  void begin_connecting(TimePoint now) {
    if (began_ == kNever) began_ = now;
  }
  /// The peer's ufrag of the current generation, once its description is known. Until then checks
  /// need only our part.
  void set_remote_ufrag(std::string ufrag);
  /// ICE restart (RFC 8445 §9): new credentials of ours, and the peer's if already known. The old
  /// ones stay good until the first valid check with the new; media stays on the selected pair.
  /// Revives a failed session, which then has no validated tuple.
  void restart(Credentials local, std::optional<std::string> remote_ufrag, TimePoint now);

  CheckOutcome receive(ByteView datagram, const SocketAddress& from, std::uint32_t local_socket,
                       TimePoint now, Reply& reply);
  /// For the owner of many sessions, who has parsed the datagram to find this one by
  /// `receiver_ufrag()`.
  CheckOutcome receive(const StunMessage& message, const SocketAddress& from,
                       std::uint32_t local_socket, TimePoint now, Reply& reply);
  /// Authentic media (opened SRTP, or DTLS application of a finished handshake) came from a
  /// validated tuple. Per packet. True if the selected pair changed by that.
  bool on_traffic(const Tuple& tuple, TimePoint now);

  /// A connection is closed: no pair over that socket is validated any more. What was selected
  /// gives way to the pair nominated last of those alive, if there is one; else consent runs on
  /// from its last check. True if the selected pair changed.
  bool forget(std::uint32_t local_socket, TimePoint now);

  TimeOutcome on_deadline(TimePoint now);
  TimePoint deadline() const;

  /// A valid check came from there in this session: DTLS and SRTP may be taken from it, nothing
  /// else may.
  bool is_validated(const Tuple& tuple) const { return find(tuple) != kNone; }
  /// The nominated pair that media goes to.
  std::optional<Tuple> selected() const;
  /// Where to send: the selected pair, or before any nomination the pair checked last (RFC 8445
  /// §12.1).
  std::optional<Tuple> destination() const;
  bool connected() const { return connected_; }
  bool failed() const { return failed_; }
  /// Our ufrags under which the owner must find this session: the current, and the one before an
  /// unfinished restart (empty when there is none).
  std::string_view local_ufrag() const { return current_.local_ufrag; }
  std::string_view previous_local_ufrag() const {
    return previous_ ? std::string_view(previous_->local_ufrag) : std::string_view{};
  }

 private:
  static constexpr std::size_t kNone = kMaxPairs;

  struct Generation {
    std::string local_ufrag;
    std::optional<std::string> remote_ufrag;
    StunKey key;
  };
  struct Pair {
    Tuple tuple;
    std::uint32_t serial = 0;       ///< 0: the place is free
    std::uint64_t nomination = 0;   ///< the number of its last nomination; 0: never nominated
    std::uint32_t nominations = 0;  ///< since the selected pair was last nominated
    TimePoint last_check{}, last_traffic{};
    RateLimit limit{kCheckRate, kCheckBurst};
  };
  struct Transaction {
    StunTransactionId id{};
    std::uint32_t pair_serial = 0;
  };
  enum class Seen : std::uint8_t { never, here, elsewhere };
  /// Checks a second, and at once, of one source before the HMAC.
  static constexpr double kCheckRate = 100, kCheckBurst = 200;

  std::size_t find(const Tuple& tuple) const;
  std::size_t destination_index() const;
  const Generation* generation_of(const StunMessage& message) const;
  CheckVerdict judge(const StunMessage& message, const Generation* generation, std::size_t pair,
                     TimePoint now);
  void accept(const StunMessage& message, bool newest, const Tuple& tuple, TimePoint now,
              CheckOutcome& outcome);
  std::size_t add_pair(const Tuple& tuple, CheckOutcome& outcome);
  void remember(const Transaction& transaction);
  Seen seen(const StunTransactionId& id, std::size_t pair) const;
  void nominate(std::size_t pair, std::optional<std::uint32_t> number, TimePoint now,
                CheckOutcome& outcome);
  TimePoint consent_until() const;
  bool silent(const Pair& pair, TimePoint now) const;
  void select(std::size_t pair);
  bool select_pending(TimePoint now);
  bool select_nominated_alive(TimePoint now);
  void end_previous();

  IceSettings settings_;
  Generation current_;
  std::optional<Generation> previous_;
  std::array<Pair, kMaxPairs> pairs_{};
  std::vector<Transaction> transactions_;  ///< grows to `kRememberedTransactions`, then a ring
  std::size_t next_transaction_ = 0;
  std::uint32_t last_serial_ = 0;
  std::uint64_t last_nomination_ = 0;
  std::uint32_t highest_number_ = 0;  ///< of the peer's numbered nominations
  std::size_t selected_ = kNone;
  std::size_t pending_ = kNone;  ///< nominated, waits for the silence of the selected one
  RateLimit strangers_{kCheckRate, kCheckBurst};
  TimePoint began_;
  TimePoint last_consent_{};  ///< over pairs that are gone
  bool connected_ = false;
  bool failed_ = false;
};

}  // namespace trunkline::ice
