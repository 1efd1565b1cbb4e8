#pragma once
#include "base/ids.hpp"
#include "base/time.hpp"
#include "call/failure.hpp"
#include "call/observer.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// What other programs may ask of the gateway, as values: a request goes to the signalling thread,
/// one reply comes back. How calls go on afterwards is told by observations (call/observer.hpp).
namespace trunkline::call {

struct HeaderField {
  std::string name, value;
  bool operator==(const HeaderField&) const = default;
};
/// What the callee sees of the caller. Empty members: what the gateway would say anyway.
struct CallerId {
  std::string number, name;
  bool anonymous = false;  ///< the callee learns of neither (RFC 3323)
  bool operator==(const CallerId&) const = default;
};

// ---------------------------------------------------------------- requests on calls

/// Calls `from` first, then `to`, and joins them. Both are "user:NAME", "service:NAME", a number or
/// a SIP URI; the last two go through the routes (as the API), or to `trunk` if it is named. Reply:
/// CallView, once the call exists; how it goes on is observed. The same `request_id` with the same
/// request gives the same call again (`Replayed`), for ten minutes, even after it has ended; with
/// another request it is refused. The last 20,000 ids are known. `ring_timeout` counts for each
/// party by itself, `max_duration` from the answer of `to`.
struct CreateCall {
  std::string request_id;
  std::string from, to, trunk;
  std::optional<Duration> ring_timeout, max_duration;
  CallerId caller_id;
  std::vector<HeaderField> headers;  ///< for the INVITE to `to`; checked by whoever asks
  std::map<std::string, std::string> metadata;
  bool operator==(const CreateCall&) const = default;
};
/// Answers a parked call. With a `target` ("user:NAME", number …) the call is sent there; without,
/// the gateway itself answers, and the caller waits in silence until a transfer. Reply: CallView.
struct AnswerCall {
  std::string call, target;
};
/// Refuses a call that is parked or rings. Reply: CallView.
struct RejectCall {
  std::string call;
  int sip_code = 603;
  std::string reason;
};
/// Ends a call in any state. `sip_code` 0: 487 before the answer, else normal clearing. Reply:
/// CallView.
struct HangupCall {
  std::string call;
  int sip_code = 0;
  std::string reason;
};
/// A call and one of its legs, by LegView::id; "from" and "to" are the parties of these sides now.
/// Empty: "to", or the one party that there is beside a service.
struct LegName {
  std::string call, leg;
};
/// Re-INVITE with sendonly, and silence; reply CallView once the peer has agreed, its refusal as a
/// Failure else.
struct HoldCall {
  LegName on;
};
struct ResumeCall {
  LegName on;
};
enum class MuteDirection : std::uint8_t { from_leg, to_leg };
/// Stops the audio of one direction in the gateway, without signalling. Reply: CallView.
struct MuteCall {
  LegName on;
  MuteDirection direction = MuteDirection::from_leg;
  bool muted = true;
};
/// Digits 0-9 * # A-D, sent as RFC 4733 events, or by INFO where the leg has no telephone-event.
/// Reply: Done, once they are queued (RFC 4733) or the peer has taken the last INFO.
struct SendDtmf {
  LegName on;
  std::string digits;
  std::uint32_t duration_ms = 160;
};
enum class TransferMode : std::uint8_t { automatic, refer, gateway };
/// Connects the party of the leg with `target`; the other leg is released. `target` is "user:NAME",
/// "service:NAME", a number or a SIP URI, which go through the routes (as the API), or
/// "trunk:NAME", which dials the call's own number there. By REFER on that leg, or by a new leg of
/// ours; `automatic` tries REFER on a trunk leg whose peer allows it, for a target that no route
/// leads to or one through that trunk, and falls back when it is refused or has no answer after 5
/// s. Reply when the target's real outcome is known: CallView, or the target's Failure, and then
/// the call is as it was. A peer that accepts REFER and hangs up before it tells the outcome has
/// taken the call over.
struct TransferCall {
  LegName on;
  std::string target;
  TransferMode mode = TransferMode::automatic;
  std::optional<Duration> ring_timeout;
};
/// Joins the party of `call`'s leg with the `to` party of `consult_call`; both calls' other legs
/// are released. Reply: CallView of `call`.
struct AttendedTransfer {
  LegName on;
  std::string consult_call;
};
/// Reply: CallStatistics, within a second.
struct GetStatistics {
  std::string call;
};
/// Reply: Trace. For live and recently ended calls.
struct GetTrace {
  std::string call;
  enum class Format : std::uint8_t { text, json, pcapng } format = Format::text;
};

// ---------------------------------------------------------------- requests on the rest of the node

struct ListRegistrations {
  std::string user;  ///< empty: of all users
};
/// Removes the bindings of a user, or one of them by its `Registration::id`. Reply: Registrations,
/// those removed.
struct DeleteRegistration {
  std::string user, id;
};
struct CreateCredential {
  std::string user;
  Duration ttl{};  ///< zero: the configured maximum
};
struct ListTrunks {};
struct SetTrunkEnabled {
  std::string trunk;
  bool enabled = true;
};
/// OPTIONS now. Reply: TrunkPing, also when nothing answers.
struct PingTrunk {
  std::string trunk;
};
/// What would happen to a call; places nothing. `source`: "user:NAME", "trunk:NAME", "api", or the
/// ADDR:PORT of a trunk's peer. Reply: RouteExplanation.
struct ExplainRoute {
  std::string from, to, source;
};
struct GetNode {};
struct Drain {
  std::optional<Duration> timeout;  ///< absent: as configured
};
struct Undrain {};

using Request =
    std::variant<CreateCall, AnswerCall, RejectCall, HangupCall, HoldCall, ResumeCall, MuteCall,
                 SendDtmf, TransferCall, AttendedTransfer, GetStatistics, GetTrace,
                 ListRegistrations, DeleteRegistration, CreateCredential, ListTrunks,
                 SetTrunkEnabled, PingTrunk, ExplainRoute, GetNode, Drain, Undrain>;

// ---------------------------------------------------------------- replies

struct Done {};
/// The call that this request_id has made before.
struct Replayed {
  CallView call;
};
struct CallStatistics {
  std::string call;
  std::vector<LegQuality> legs;
};
struct Trace {
  std::string content;  ///< text, JSON, or the octets of a pcapng file
};
struct Registrations {
  std::vector<Registration> all;
};
struct Credential {
  std::string username, password;
  std::chrono::system_clock::time_point expires;
};
struct TrunkTargetView {
  std::string transport, address, state;  ///< "udp", ADDR:PORT, "up"
  std::uint32_t priority = 0, weight = 0;
  std::optional<Duration> rests;  ///< takes no calls for so long (Retry-After of a 503)
};
struct TrunkRegistrationView {
  std::string state;                ///< "registered"
  std::string failure;              ///< why the last attempt failed; empty: it did not
  std::optional<Duration> expires;  ///< the binding lives for so long; nothing: there is none
};
struct TrunkView {
  std::string name, uri;
  bool enabled = true;
  std::optional<bool> up;  ///< nothing: never probed
  bool degraded = false;
  std::vector<TrunkTargetView> targets;
  std::optional<TrunkRegistrationView> registration;  ///< nothing: it does not register
  std::vector<std::string> addresses;
  std::uint32_t calls = 0, max_calls = 0;
};
struct TrunkViews {
  std::vector<TrunkView> all;
};
struct TrunkPing {
  std::string trunk;
  bool answered = false;
  int sip_code = 0;
  std::string reason;
  Duration round_trip{};
};
struct RouteTry {
  std::string rule;
  bool matched = false;
  std::string why;
};
struct RouteExplanation {
  std::vector<RouteTry> steps;
  std::string target;       ///< "trunk:carrier", "user:alice"; empty: none
  std::string request_uri;  ///< what would be sent first; empty: nothing
  std::string next_hop;     ///< where to
  int refused_with = 0;     ///< the SIP code that the caller would get; 0: none
  std::string text;         ///< all of it in words, as logged for a refused call
};
struct NodeView {
  std::string node, domain;
  bool draining = false;
  std::size_t calls = 0, max_calls = 0, registrations = 0;
};
/// The request could not be done for a reason of the gateway's own, not of SIP.
struct Refusal {
  enum class Kind : std::uint8_t {
    not_found,
    invalid,  ///< `field` says which
    wrong_state,
    conflict,     ///< request_id used for another request
    in_progress,  ///< another operation on the call has not ended
    capacity,
    unavailable,
    unsupported,
  } kind = Kind::invalid;
  std::string reason;  ///< ErrorInfo.reason: "CALL_NOT_FOUND"
  std::string message, field;
  std::optional<std::uint32_t> retry_after;  ///< seconds
};

using Reply =
    std::variant<Done, CallView, Replayed, CallStatistics, Trace, Registrations, Credential,
                 TrunkViews, TrunkPing, RouteExplanation, NodeView, Failure, Refusal>;

/// Puts requests to the gateway. Any thread. The reply comes exactly once, on the signalling
/// thread, which the handler must not block; a full queue and a stopped node reply at once on the
/// caller's thread (Refusal `unavailable`).
class Control {
 public:
  using ReplyHandler = std::function<void(Reply)>;
  virtual ~Control() = default;
  virtual void submit(Request request, ReplyHandler handler) = 0;
};

// ---------------------------------------------------------------- questions to the user's policy
// service

struct RouteQuestion {
  std::string call, from, to;
  std::string source;  ///< "user:alice", "trunk:carrier"
  std::vector<HeaderField> headers;
};
struct AuthenticationQuestion {
  std::string user, realm, source;
};
using PolicyQuestion = std::variant<RouteQuestion, AuthenticationQuestion>;

struct RouteTargets {
  /// "trunk:NAME", "user:NAME", "service:NAME", number or URI, at most 10; tried in order while the
  /// failure allows another and no person was reached.
  std::vector<std::string> targets;
  CallerId caller_id;
  std::vector<HeaderField> headers;
};
struct Park {
  Duration timeout{};  ///< zero: the ring time-out
};
struct PolicyRejection {
  int sip_code = 403;
  std::string reason;
  std::optional<std::uint32_t> retry_after{};  ///< seconds, for a 503; absent: the gateway's own
};
/// No answer that can be used: the configured fallback counts, or `sip_code` if it is not 0.
struct PolicyFailed {
  std::string why;  ///< label: "unavailable", "timeout", "invalid", "error"
  int sip_code = 0;
};
struct Ha1 {
  std::string ha1;  ///< MD5 of user:realm:password, lower-case hex
};
using PolicyAnswer = std::variant<RouteTargets, Park, PolicyRejection, Ha1, PolicyFailed>;

/// Asks the user's service. Called on the signalling thread and must not block; `handler` is called
/// once, on any thread, at the latest after the configured time-out.
class Policy {
 public:
  using AnswerHandler = std::function<void(PolicyAnswer)>;
  virtual ~Policy() = default;
  virtual void ask(PolicyQuestion question, AnswerHandler handler) = 0;
};

}  // namespace trunkline::call
