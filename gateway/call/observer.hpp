#pragma once
#include "base/ids.hpp"
#include "call/failure.hpp"

#include <chrono>
#include <cstdint>
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

/// A call as seen from outside, at one moment.
struct CallView {
  CallId id;
  std::string name;  ///< stable, unguessable text id: the call_id of logs and API
  Direction direction = Direction::internal;
  std::string trunk;  ///< empty for a call without a trunk
  std::string from,
      to;  ///< "user:alice", "trunk:carrier", "service:echo"; dialled number in `dialled`
  std::string caller, dialled;
  std::chrono::system_clock::time_point created;
  std::optional<std::chrono::system_clock::time_point> ringing, answered, ended;
};

struct CallStarted {
  CallView call;
};
struct CallRinging {
  CallView call;
  int code = 180;
};
struct CallAnswered {
  CallView call;
};
struct CallHeld {
  CallView call;
  bool held = true;
};
struct DtmfPassed {
  CallView call;
  std::string leg;  ///< "from" or "to": where it came from
  char digit = '0';
  std::string method;  ///< "info" or "rfc4733"
};
/// Exactly one for each CallStarted.
struct CallEnded {
  CallView call;
  Failure end;
};
/// A request was refused before it became a call. `reason` is a metric label: draining, overload,
/// cps, limit, acl, auth, no_route, no_codec, policy, ports, loop, hops, extension, media_type,
/// method.
struct RequestRefused {
  std::string method, reason, source, dialled, detail;
  int code = 0;
};
struct RegistrationChanged {
  enum class Kind { added, refreshed, removed, expired, flow_lost } kind;
  std::string user, contact, user_agent;
};
/// The outcome of one REGISTER or other authenticated request: label of
/// trunkline_registrations_total / sip_auth_total.
struct AuthenticationResult {
  std::string result;  ///< ok, challenge, bad, stale, replay, unknown_user
  std::string user, source;
};
struct TrunkChanged {
  std::string trunk;
  bool up = false;
  std::string detail;
};

using Observation =
    std::variant<CallStarted, CallRinging, CallAnswered, CallHeld, DtmfPassed, CallEnded,
                 RequestRefused, RegistrationChanged, AuthenticationResult, TrunkChanged>;

/// Takes observations. Called on the signalling thread: must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void observe(const Observation& observation) = 0;
};

}  // namespace trunkline::call
