#include "call/failure.hpp"

#include "base/utf8.hpp"
#include "sip/header.hpp"
#include "sip/status.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace trunkline::call {
namespace {

using Grpc = GrpcCode;

/// Octets kept of a peer's reason phrase.
constexpr std::size_t kMaxPhrase = 128;
/// What a refused caller is asked to wait: long enough for a burst to pass, short enough for a
/// person.
constexpr std::uint32_t kRetryAfterSeconds = 10;

/// The faces of an end that the gateway itself found.
struct EndFaces {
  EndReason reason;
  std::string_view label;
  int sip_code;      ///< the code that caused the end
  int relayed_code;  ///< what the caller's leg gets before the answer
  Fault fault;
  Grpc grpc_code;
  std::string_view grpc_reason;
  std::string_view header;  ///< Reason value; empty: made from the SIP code
};

constexpr auto kFaces = std::to_array<EndFaces>({
    {EndReason::hangup, "hangup", 200, 200, Fault::success, Grpc::ok, "",
     "Q.850;cause=16;text=\"Normal call clearing\""},
    {EndReason::transferred, "transferred", 200, 200, Fault::success, Grpc::ok, "",
     "Q.850;cause=16;text=\"Call transferred\""},
    {EndReason::cancelled, "cancelled", 487, 487, Fault::user, Grpc::cancelled, "CALL_CANCELLED",
     ""},
    {EndReason::rejected, "rejected", 603, 603, Fault::user, Grpc::permission_denied,
     "CALLEE_DECLINED", ""},
    // The one 408 of our own that the caller sees as 480: his request was answered in time.
    {EndReason::ring_timeout, "ring_timeout", 408, 480, Fault::user, Grpc::deadline_exceeded,
     "NO_ANSWER", "Q.850;cause=19;text=\"No answer\""},
    {EndReason::no_response, "no_response", 408, 408, Fault::upstream, Grpc::deadline_exceeded,
     "TRUNK_NO_RESPONSE", "Q.850;cause=102;text=\"No response\""},
    // RFC 3261 §8.1.3.1 makes a transport error a 503, and §16.7 keeps a 503 from the caller.
    {EndReason::trunk_unreachable, "trunk_unreachable", 503, 500, Fault::upstream,
     Grpc::unavailable, "TRUNK_UNREACHABLE", "Q.850;cause=38;text=\"Network out of order\""},
    {EndReason::trunk_tls, "trunk_tls", 503, 500, Fault::upstream, Grpc::failed_precondition,
     "TRUNK_TLS", "Q.850;cause=38;text=\"TLS with the trunk failed\""},
    {EndReason::not_registered, "not_registered", 480, 480, Fault::user, Grpc::not_found,
     "USER_NOT_REGISTERED", "Q.850;cause=20;text=\"Subscriber absent\""},
    {EndReason::no_route, "no_route", 404, 404, Fault::client, Grpc::not_found, "NO_ROUTE",
     "Q.850;cause=3;text=\"No route to destination\""},
    {EndReason::no_codec, "no_codec", 488, 488, Fault::client, Grpc::failed_precondition,
     "MEDIA_NOT_ACCEPTABLE", "SIP;cause=488;text=\"No common codec\""},
    {EndReason::no_ports, "no_ports", 503, 503, Fault::server, Grpc::resource_exhausted,
     "GATEWAY_CAPACITY", "Q.850;cause=47;text=\"No media ports\""},
    {EndReason::bad_offer, "bad_offer", 400, 400, Fault::client, Grpc::invalid_argument,
     "SDP_INVALID", "SIP;cause=400;text=\"Bad session description\""},
    {EndReason::limit, "limit", 503, 503, Fault::server, Grpc::resource_exhausted,
     "GATEWAY_CAPACITY", "Q.850;cause=42;text=\"Call limit reached\""},
    {EndReason::draining, "draining", 503, 503, Fault::server, Grpc::unavailable, "DRAINING",
     "Q.850;cause=31;text=\"Gateway is shutting down\""},
    {EndReason::media_timeout, "media_timeout", 408, 480, Fault::indeterminate, Grpc::aborted,
     "MEDIA_TIMEOUT", "Q.850;cause=102;text=\"Media timeout\""},
    {EndReason::ice_failed, "ice_failed", 488, 488, Fault::indeterminate, Grpc::failed_precondition,
     "MEDIA_ICE_FAILED", "SIP;cause=488;text=\"ICE failed\""},
    {EndReason::dtls_failed, "dtls_failed", 488, 488, Fault::client, Grpc::failed_precondition,
     "MEDIA_DTLS_FAILED", "SIP;cause=488;text=\"DTLS failed\""},
    {EndReason::browser_lost, "browser_lost", 480, 480, Fault::client, Grpc::aborted,
     "BROWSER_LOST", "Q.850;cause=27;text=\"Browser lost\""},
    {EndReason::ack_missing, "ack_missing", 408, 408, Fault::indeterminate, Grpc::deadline_exceeded,
     "ACK_MISSING", "Q.850;cause=102;text=\"ACK missing\""},
    {EndReason::dialog_lost, "dialog_lost", 481, 481, Fault::upstream, Grpc::not_found,
     "DIALOG_GONE", "SIP;cause=481;text=\"Dialog lost\""},
    {EndReason::session_expired, "session_expired", 408, 408, Fault::indeterminate,
     Grpc::deadline_exceeded, "SESSION_EXPIRED", "Q.850;cause=102;text=\"Session expired\""},
    // The call went as it was asked for.
    {EndReason::max_duration, "max_duration", 200, 200, Fault::success, Grpc::ok, "",
     "Q.850;cause=16;text=\"Maximum duration reached\""},
    {EndReason::trunk_disabled, "trunk_disabled", 503, 503, Fault::server, Grpc::unavailable,
     "NO_TRUNK", "Q.850;cause=34;text=\"Trunk is disabled\""},
    {EndReason::policy_failed, "policy_failed", 503, 503, Fault::upstream, Grpc::unavailable,
     "POLICY_UNAVAILABLE", "Q.850;cause=41;text=\"No routing decision\""},
    {EndReason::internal, "internal", 500, 500, Fault::server, Grpc::internal, "INTERNAL_INVARIANT",
     "Q.850;cause=41;text=\"Temporary failure\""},
});

constexpr bool in_order() {
  for (std::size_t i = 0; i < kFaces.size(); ++i) {
    if (static_cast<std::size_t>(kFaces[i].reason) != i) return false;
  }
  return kFaces.size() == static_cast<std::size_t>(EndReason::count_);
}
static_assert(in_order(), "one row for each EndReason, in its order");

const EndFaces& faces(EndReason reason) {
  const auto index = static_cast<std::size_t>(reason);
  return index < kFaces.size() ? kFaces[index] : kFaces.back();
}

/// A peer's final code as the other leg may see it: its challenge was for us, its 503 is about one
/// hop only (RFC 3261 §16.7), and its redirection names places that the caller shall not learn.
int relay(int code) {
  switch (code) {
    case 401:
    case 407:
      return 403;
    case 503:
      return 500;
    default:
      break;
  }
  if (code >= 400 && code <= 699) return code;
  return code >= 300 && code <= 399 ? 480 : 500;
}

/// ATIS-1000099: the network, not the callee, refused the call.
bool blocked_by_network(const Failure& failure) {
  return failure.sip_code == 603 && (failure.detail.blocked_by_network ||
                                     sip::equals_ignoring_case(failure.phrase, "Network Blocked"));
}

/// Q.850 causes that say that the network has no room for the call.
constexpr std::array kFullNetwork{34, 42, 44, 47};

/// A Q.850 cause that says that the network, not the callee, was not there.
bool network_cause(int cause) {
  static constexpr std::array kAbsentNetwork{38, 41};
  return std::ranges::find(kAbsentNetwork, cause) != kAbsentNetwork.end() ||
         std::ranges::find(kFullNetwork, cause) != kFullNetwork.end();
}

}  // namespace

std::string_view fault_label(Fault fault) {
  switch (fault) {
    case Fault::success:
      return "success";
    case Fault::user:
      return "user_error";
    case Fault::client:
      return "client_error";
    case Fault::server:
      return "server_error";
    case Fault::upstream:
      return "upstream_error";
    case Fault::indeterminate:
    case Fault::count_:
      break;
  }
  return "indeterminate";
}

std::string_view end_reason_label(EndReason reason) {
  return faces(reason).label;
}

std::string_view phase_label(Phase phase) {
  switch (phase) {
    case Phase::no_response:
    case Phase::count_:
      break;
    case Phase::trying:
      return "trying";
    case Phase::ringing:
      return "ringing";
    case Phase::early_media:
      return "early_media";
    case Phase::answered:
      return "answered";
  }
  return "no_response";
}

std::string_view ended_by_label(EndedBy ended_by) {
  switch (ended_by) {
    case EndedBy::caller:
      return "caller";
    case EndedBy::callee:
      return "callee";
    case EndedBy::api:
      return "api";
    case EndedBy::gateway:
    case EndedBy::count_:
      break;
  }
  return "gateway";
}

Failure Failure::local(EndReason reason) {
  Failure failure;
  failure.reason = reason;
  failure.sip_code = faces(reason).sip_code;
  // Our own 503 always says when to come back.
  if (faces(reason).relayed_code == 503) failure.retry_after = kRetryAfterSeconds;
  return failure;
}

Failure Failure::ordered(int code, std::string phrase) {
  Failure failure = local(EndReason::rejected);
  failure.sip_code = code;
  failure.phrase = cut_text(std::move(phrase), kMaxPhrase);
  if (code == 503) failure.retry_after = kRetryAfterSeconds;
  return failure;
}

Failure Failure::from_response(int code, std::string phrase,
                               std::optional<std::uint32_t> retry_after) {
  Failure failure;
  failure.reason = EndReason::rejected;
  failure.ended_by = EndedBy::callee;
  failure.sip_code = code;
  failure.phrase = cut_text(std::move(phrase), kMaxPhrase);
  failure.remote = true;
  failure.retry_after = retry_after;
  failure.phase = Phase::trying;
  return failure;
}

bool Failure::names_full_network(bool by_phrase) const {
  const bool of_network = sip_code == 480 || (sip_code >= 500 && sip_code <= 599);
  const bool by_cause = std::ranges::find(kFullNetwork, detail.q850_cause) != kFullNetwork.end();
  return remote && of_network && (by_cause || by_phrase);
}

Fault Failure::fault() const {
  if (reason != EndReason::rejected) return faces(reason).fault;
  return trunk_full || blocked_by_network(*this) ? Fault::upstream : map_status(sip_code).fault;
}

GrpcCode Failure::grpc_code() const {
  if (reason != EndReason::rejected) return faces(reason).grpc_code;
  if (trunk_full) return GrpcCode::resource_exhausted;
  // We sent no CANCEL, or the reason would say so: the peer gave up by itself.
  if (sip_code == 487) return GrpcCode::aborted;
  return map_status(sip_code).grpc_code;
}

std::string Failure::grpc_reason() const {
  if (reason == EndReason::cancelled && ended_by == EndedBy::caller) return "CALLER_HUNG_UP";
  if (reason != EndReason::rejected) return std::string(faces(reason).grpc_reason);
  if (trunk_full) return "TRUNK_CAPACITY";
  if (sip_code == 487) return "CALL_ABANDONED_BY_PEER";
  if (blocked_by_network(*this)) return "CALL_BLOCKED_BY_NETWORK";
  return status_reason(sip_code);
}

int Failure::relayed_code() const {
  if (reason == EndReason::policy_failed) return sip_code;
  if (reason != EndReason::rejected) return faces(reason).relayed_code;
  return remote ? relay(sip_code) : sip_code;
}

bool Failure::allows_failover(bool rang) const {
  switch (reason) {
    case EndReason::rejected:
      // The conditions of the table: `failover_condition`.
      if (!remote) return false;
      if (sip_code == 408) return !rang;
      if (sip_code == 480) return !rang && (trunk_full || network_cause(detail.q850_cause));
      if (trunk_full) return true;
      return map_status(sip_code).failover;
    case EndReason::no_response:
      return !rang;
    case EndReason::trunk_unreachable:
    case EndReason::trunk_tls:
    case EndReason::trunk_disabled:
    case EndReason::limit:
    case EndReason::not_registered:
    case EndReason::no_route:
    case EndReason::no_codec:
    case EndReason::no_ports:
      return true;
    case EndReason::hangup:
    case EndReason::cancelled:
    case EndReason::ring_timeout:
    case EndReason::bad_offer:
    case EndReason::draining:
    case EndReason::media_timeout:
    case EndReason::ice_failed:
    case EndReason::dtls_failed:
    case EndReason::browser_lost:
    case EndReason::ack_missing:
    case EndReason::dialog_lost:
    case EndReason::session_expired:
    case EndReason::max_duration:
    case EndReason::transferred:
    case EndReason::policy_failed:
    case EndReason::internal:
    case EndReason::count_:
      break;
  }
  return false;
}

std::string Failure::reason_header() const {
  if (const std::string_view usual = faces(reason).header; !usual.empty()) {
    if (ended_by != EndedBy::api || phrase.empty()) return std::string(usual);
    static constexpr std::string_view kText = ";text=";
    return std::string(usual.substr(0, usual.find(kText) + kText.size())) + sip::quote(phrase);
  }
  const std::string_view text = phrase.empty() ? sip::reason_phrase(sip_code) : phrase;
  return "SIP;cause=" + std::to_string(sip_code) + ";text=" + sip::quote(text);
}

}  // namespace trunkline::call
