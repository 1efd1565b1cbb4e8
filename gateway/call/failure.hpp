#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::call {

/// Whose fault an end or a failure is.
enum class Fault : std::uint8_t { success, user, client, server, upstream, indeterminate, count_ };
std::string_view fault_label(
    Fault fault);  ///< "success", "user_error", "client_error" … (metric label `result`)

/// google.rpc.Code numbers.
enum class GrpcCode : std::uint8_t {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16
};

std::string_view grpc_code_name(GrpcCode code);  ///< "FAILED_PRECONDITION"

/// Where the time for a RetryInfo comes from.
enum class RetrySource : std::uint8_t { none, retry_after, computed };

/// What one final SIP response code of a peer means.
struct StatusMapping {
  int sip_code;
  std::string_view sip_name;
  GrpcCode grpc_code;
  std::string_view reason;  ///< ErrorInfo.reason, "CALLEE_BUSY"
  bool failover;            ///< another trunk may be tried
  Fault fault;
  RetrySource retry = RetrySource::none;
  /// In words, when the code alone does not decide about `failover`; else empty.
  std::string_view failover_condition{};
};
/// The row of the code; an unlisted xNN maps as x00 with reason "SIP_xNN" (then `reason` is empty
/// and the caller forms it).
const StatusMapping& map_status(int sip_code);
/// ErrorInfo.reason for any code: that of its row, else "SIP_xNN"; empty below 300.
std::string status_reason(int sip_code);
/// Every registered code in ascending order: what documentation and API show. Provisional rows are
/// events, never a status: their gRPC code means nothing.
std::span<const StatusMapping> all_status_mappings();

/// Why a call ended or could not be made, as far as the gateway knows: the metric label `reason`.
enum class EndReason : std::uint8_t {
  hangup,       ///< a party hung up an answered call
  transferred,  ///< its party talks to somebody else now
  cancelled,    ///< the caller gave up before the answer
  rejected,     ///< a final response of the far end: see sip_code
  ring_timeout,
  no_response,
  trunk_unreachable,
  trunk_tls,  ///< its certificate was refused, or ours by it, or both agree on no TLS
  not_registered,
  no_route,
  no_codec,
  no_ports,
  bad_offer,
  limit,
  draining,
  media_timeout,
  ice_failed,
  dtls_failed,
  browser_lost,
  ack_missing,
  dialog_lost,
  session_expired,
  max_duration,    ///< the time that CreateCall gave it is over
  trunk_disabled,  ///< by the API
  policy_failed,   ///< the policy service gave no usable answer; sip_code: the configured fallback
  internal,
  count_
};
std::string_view end_reason_label(EndReason reason);

/// Who ended it.
enum class EndedBy : std::uint8_t { caller, callee, gateway, api, count_ };
std::string_view ended_by_label(EndedBy ended_by);

/// How far the call to a party had come.
enum class Phase : std::uint8_t {
  no_response,  ///< not a word, or nothing was sent
  trying,       ///< somebody works on it, or refused it at once
  ringing,      ///< a 18x: a person may have heard it
  early_media,  ///< a 18x with a description of media
  answered,
  count_
};
std::string_view phase_label(Phase phase);  ///< "no_response"

/// What a peer's response says besides its code and phrase. All texts are cut to a bounded length;
/// of what a peer may send any number of, the first few are kept.
struct ResponseDetail {
  int q850_cause = 0;     ///< of a Reason with protocol Q.850 (RFC 3326), 1 to 127; 0: none
  std::string q850_text;  ///< and its text
  std::vector<std::string> warnings;  ///< texts of Warning (RFC 3261 §20.43)
  std::vector<std::string> contacts;  ///< URIs of a 3xx or a 485, in the order of the response
  std::vector<std::string> redress;   ///< https:, tel: and mailto: URIs where to contest a block
  /// More for ErrorInfo.metadata, as the code has it: allow, unsupported, required, min_se,
  /// min_expires, location, provider_error_code.
  std::map<std::string, std::string> facts;
  /// ATIS-1000099: not the callee refused, but an analytics service on the way.
  bool blocked_by_network = false;
};

/// Made once, where the fact is known; carries every face of the failure.
struct Failure {
  EndReason reason = EndReason::internal;
  EndedBy ended_by = EndedBy::gateway;
  int sip_code = 500;  ///< the code that caused the end
  /// Reason phrase of a remote response, or what the API or the policy service wants to be read
  /// there.
  std::string phrase;
  bool remote = false;  ///< a peer's response rather than our own finding
  std::optional<std::uint32_t> retry_after;
  /// Reason values for the other legs: of the peer's message, or as the API wants it.
  std::string peer_reason;
  Phase phase = Phase::no_response;
  bool trunk_full = false;  ///< the trunk has no room for the call, whatever code it says so with
  ResponseDetail detail;

  static Failure local(EndReason reason);
  /// A refusal with this code that somebody else has asked us for.
  static Failure ordered(int code, std::string phrase);
  static Failure from_response(int code, std::string phrase,
                               std::optional<std::uint32_t> retry_after = std::nullopt);

  /// A peer's 480 or 5xx that means that the network has no room for the call: by its Q.850 cause,
  /// or `by_phrase`.
  bool names_full_network(bool by_phrase = false) const;

  Fault fault() const;
  GrpcCode grpc_code() const;
  std::string grpc_reason() const;  ///< ErrorInfo.reason; empty for success
  /// Whether another target of the same call may be tried (status-mapping, column "Another trunk").
  /// `rang`: a 18x had come.
  bool allows_failover(bool rang) const;
  /// What the other leg's caller is told (status-mapping, "what the caller's SIP leg gets"): a
  /// trunk's 401/407 becomes 403, its 503 becomes 500; not registered 480; no codec 488; ring
  /// time-out 480; trunk unreachable 500 …
  int relayed_code() const;
  /// A Reason header value (RFC 3326) for the BYE or CANCEL that the other leg gets.
  std::string reason_header() const;
};

}  // namespace trunkline::call
