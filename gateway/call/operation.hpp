#pragma once
#include "base/boxed.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "call/control.hpp"
#include "call/engine.hpp"
#include "call/failure.hpp"
#include "call/router.hpp"
#include "sip/effects.hpp"
#include "sip/uri.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Requests of the API that a call has begun and not yet replied to. Each has its one reply at the
/// latest with the end of the call.
namespace trunkline::call {

/// What another offer or request stands in the way of is tried again after this.
inline constexpr Duration kTryAgain = seconds{2};
/// For a party's agreement to be joined with another, other offers in its way included.
inline constexpr Duration kJoinPatience = seconds{40};

/// Hold or resume of a leg, until its peer agrees. One at a time.
struct HoldOperation {
  RequestId request;
  LegId leg;
  bool hold = true;
  int collisions = 0;           ///< offers that crossed one of the peer (RFC 3261 §14.1)
  TimePoint again_at = kNever;  ///< our offer could not be made, or collided
  TimePoint give_up_at = kNever;
};

/// Whom a transfer means.
struct TransferTarget {
  Destination destination;      ///< of a leg of ours; none: the routes know no way
  std::string number;           ///< dialled there; a user's name
  std::optional<sip::Uri> uri;  ///< as asked for, if it was one: what REFER names
  bool referable = true;        ///< says something to a peer: a trunk or a service of ours does not
};

/// What a REFER of a peer's asks for, as far as the routes and the other calls tell (RFC 3515).
struct Referral {
  int refused = 0;    ///< what the REFER itself is answered with; 0: it may be taken
  std::string asked;  ///< its Refer-To
  TransferTarget target;
  LegId own;        ///< with Replaces: the referrer's leg of another call, whose partner is meant
  int outcome = 0;  ///< what it is known to come to; 0: that has to be tried
};

/// A transfer until its outcome is known. One at a time, and not beside a hold.
struct TransferOperation {
  enum class Stage : std::uint8_t {
    referring,  ///< REFER has no answer yet
    referred,   ///< accepted; a NOTIFY will tell the outcome
    dialling,   ///< legs of ours ring at the target
    joining     ///< the target has answered; the party has yet to agree to its codec
  };
  RequestId request;  ///< of the API; none: a peer has asked for it
  LegId referrer;     ///< the leg whose peer did by REFER, and is told of it by NOTIFY
  std::uint32_t refer_sequence = 0;  ///< and the CSeq of that REFER
  LegId leg;                         ///< of the party that is transferred
  std::string asked;
  TransferTarget target;
  Duration ring_timeout{};
  bool fall_back = false;  ///< to a leg of ours, if REFER is refused or not answered
  Stage stage = Stage::dialling;
  sip::TransactionId refer;
  bool accepted = false;       ///< REFER, by its 2xx or a NOTIFY
  std::vector<LegId> dialled;  ///< legs of ours to the target; with `joining` the one that answered
  LegId consulted;             ///< of an attended transfer: the leg of the other call
  bool try_now = false;        ///< the two may be ready to be joined
  Boxed<Failure> best_refusal;
  bool offered = false;  ///< a codec of the target's, to the party
  bool aligned = false;  ///< the party has agreed to it
  TimePoint fall_back_at = kNever, give_up_at = kNever, again_at = kNever;
};

/// Digits sent one after the other by INFO. One at a time.
struct DigitsOperation {
  RequestId request;
  LegId leg;
  std::string left;  ///< the first is on its way
  std::uint32_t duration_ms = 0;
  sip::TransactionId info;
};

/// A question to the media worker about all legs; requests that come meanwhile share its answer.
struct StatisticsOperation {
  std::uint64_t query = 0;
  bool sample = false;  ///< the answer is observed, too
  std::vector<RequestId> requests;
  std::vector<LegId> awaited;
  CallStatistics gathered;
  TimePoint give_up_at = kNever;
};

}  // namespace trunkline::call
