#pragma once
#include "base/ids.hpp"
#include "base/time.hpp"
#include "call/failure.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What happens to calls and registrations, told to metrics, logs, records and streams. Values; in
/// order per call.
namespace trunkline::call {

enum class Direction : std::uint8_t {
  inbound,
  outbound,
  internal,
  count_
};                                                      ///< relative to the gateway's trunks
std::string_view direction_label(Direction direction);  ///< "in", "out", "internal"
/// All that `MediaChanged::cause` may be, but for the empty one.
std::vector<std::string_view> silence_causes();

enum class CallState : std::uint8_t {
  created,
  parked,
  ringing,
  early_media,
  answered,
  held,
  ended
};
enum class LegState : std::uint8_t { calling, ringing, early_media, answered, held, ended };

/// One leg of a call, at one moment.
struct LegView {
  /// The leg_id of the API, for life: "from" or "to" by the side of the call that it is on, and for
  /// each further leg of that side - another device that rings, the next target, the target of a
  /// transfer - "from-2", "to-2", "to-3" … Requests that say "from" or "to" mean the party that is
  /// on that side when they come.
  std::string id;
  bool from = false;        ///< the `from` side; else one of those called for it
  std::string party;        ///< "user:alice", "trunk:carrier", "service:echo"
  std::string sip_call_id;  ///< empty for a service
  LegState state = LegState::calling;
  bool held =
      false;  ///< by the API; `state` also tells of the party's own hold, and of the other's
  bool muted_from = false, muted_to = false;
  std::optional<Failure> end;
};

/// A call as seen from outside, at one moment.
struct CallView {
  CallId id;
  std::string name;  ///< stable, unguessable text id: the call_id of logs and API
  Direction direction = Direction::internal;
  std::string trunk;  ///< empty for a call without a trunk
  /// Who is there now: "user:alice", "trunk:carrier", "service:echo". A transfer changes the side
  /// that its target comes to.
  std::string from, to;
  std::string from_number, to_number;  ///< by which those are known; behind a trunk they tell who
  /// As they came in, by the rules of the trunk; an asserted identity counts before From.
  std::string caller, dialled;
  bool caller_hidden = false;  ///< asks that the callee does not learn of it
  std::string session_id;  ///< Session-ID (RFC 7989) as the `from` side says it; empty: none yet
  std::chrono::system_clock::time_point created;
  std::optional<std::chrono::system_clock::time_point> ringing, answered, ended;
  CallState state = CallState::created;
  std::vector<LegView> legs;
  std::map<std::string, std::string> metadata;  ///< of CreateCall
  std::optional<Failure> end;                   ///< with `ended`
  /// With `end`, in a call that the API made: its `from` party was not reached, or lost before `to`
  /// answered.
  bool from_failed = false;
};

/// One leg's media, received from and sent to its peer.
struct LegQuality {
  std::string leg;
  bool joined = false;              ///< one of the two that talk with each other, or did at the end
  std::string codec, srtp_profile;  ///< empty: none yet
  std::uint64_t packets_received = 0, bytes_received = 0, packets_sent = 0, bytes_sent = 0;
  std::uint64_t packets_lost = 0, packets_expected = 0, packets_dropped = 0, srtp_failures = 0;
  double jitter_seconds = 0;
  std::optional<double> round_trip_seconds, mos;
  /// Why nothing is heard from the peer, or by it, as last found: "TRUNK_SENDS_NOTHING"; empty: no
  /// silence is known.
  std::string silence;
  /// Of what the peer sent since the last sample (CallSampled): its loss, 0 to 1, and the MOS of
  /// that; nothing if it sent nothing.
  std::optional<double> interval_loss, interval_mos;
  /// What the peer's last report (RTCP) says of that which it gets.
  struct AtPeer {
    double loss = 0, jitter_seconds = 0, mos = 0;
  };
  std::optional<AtPeer> at_peer;
};

struct CallStarted {
  CallView call;
};
/// The called side rings, or sends early media; once more when it does so after it rang.
struct CallRinging {
  CallView call;
  int code = 180;
};
struct CallAnswered {
  CallView call;
};
/// A party was put on hold, or taken off it.
struct CallHeld {
  CallView call;
  bool held = true;
  std::string leg;      ///< whose party asked for it, or that the API named
  bool by_api = false;  ///< else by that party
};
struct DtmfPassed {
  CallView call;
  std::string leg;  ///< where it came from; if `sent`, where it went
  char digit = '0';
  std::string method;  ///< "info", "rfc4733" or "inband"
  bool sent = false;   ///< by the API, rather than received from the leg's peer
};
/// The call waits for AnswerCall or RejectCall.
struct CallParked {
  CallView call;
  Duration timeout{};  ///< then it is refused
};
/// A transfer came to its end, good or bad.
struct CallTransferred {
  CallView call;
  std::string leg, target;
  std::optional<Failure> failure;  ///< nothing: the party is connected with the target
};
/// Something of a leg's media: "connected" (ICE and DTLS), "flowing" (the first packet, also after
/// a silence), "silent" (nothing comes from a party that has said that it sends: told within three
/// seconds, after the answer or later), "unheard" (nothing that we send arrives), or a failure's
/// label.
struct MediaChanged {
  CallView call;
  std::string leg, what;
  std::string cause{};  ///< of "silent" and "unheard": "TRUNK_SENDS_NOTHING"; empty: not known
};
/// How the media of a live call's legs are, told one second after the answer and every five seconds
/// from then on.
struct CallSampled {
  std::string call;  ///< CallView::name
  std::chrono::system_clock::time_point at;
  std::vector<LegQuality> legs;  ///< those that live; at least one
};
/// Exactly one for each leg that a call had, before its CallEnded; for a leg that an attended
/// transfer has moved, that of the call that it went to.
struct LegEnded {
  CallView call;
  LegView leg;
};
/// Exactly one for each CallStarted.
struct CallEnded {
  CallView call;
  Failure end;
};
/// Exactly one for each CallEnded, after it: what the legs that had media counted in their lives.
/// Those of which a media worker has told nothing within a second are not among them.
struct CallMeasured {
  CallView call;
  std::vector<LegQuality> legs;
};
/// A request was refused before it became a call. `reason` is a metric label: draining, overload,
/// cps, limit, acl, auth, no_route, no_codec, policy, ports, loop, hops, extension, media_type,
/// method, transport, replica.
struct RequestRefused {
  std::string method, reason, source, dialled, detail;
  int code = 0;
};
/// A registered contact of a user.
struct Registration {
  /// `id` is the binding's own, refreshes included; `source` is the peer's ADDR:PORT.
  std::string id, user, contact, instance, user_agent, transport, source;
  std::string node{};  ///< the one that it is on; empty: this one
  std::chrono::system_clock::time_point registered, expires;
};
struct RegistrationChanged {
  enum class Kind { added, refreshed, removed, expired, flow_lost } kind = Kind::added;
  Registration registration;
};
/// The outcome of one REGISTER or other authenticated request: label of
/// trunkline_registrations_total / sip_auth_total.
struct AuthenticationResult {
  std::string result;  ///< ok, challenge, bad, stale, replay, unknown_user
  std::string user, source;
};
/// The policy service gave no answer that can be used.
struct PolicyFault {
  std::string question;  ///< "route" or "authenticate"
  std::string why;       ///< "unavailable", "timeout", "invalid", "error"
  std::string call;
};
/// A trunk answers, or does no longer.
struct TrunkChanged {
  std::string trunk;
  bool up = false;
  std::string detail;
  bool degraded = false;  ///< up, but some of its targets don't answer, or late, or with 503
};

/// The trunks of the configuration that is in force from now on, after one that was before.
struct TrunksConfigured {
  std::vector<std::string> trunks;
};

using Observation = std::variant<CallStarted, CallRinging, CallAnswered, CallHeld, DtmfPassed,
                                 CallParked, CallTransferred, MediaChanged, CallSampled, LegEnded,
                                 CallEnded, CallMeasured, RequestRefused, RegistrationChanged,
                                 AuthenticationResult, PolicyFault, TrunkChanged, TrunksConfigured>;

/// Takes observations. Called on the signalling thread: must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void observe(const Observation& observation) = 0;
};

}  // namespace trunkline::call
