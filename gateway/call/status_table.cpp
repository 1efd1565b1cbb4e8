#include "call/failure.hpp"

#include <algorithm>
#include <array>

namespace trunkline::call {
namespace {

using Grpc = GrpcCode;
using Retry = RetrySource;

constexpr std::string_view kBeforeRinging = "only before any 18x";
constexpr std::string_view kNetworkCause =
    "only before any 18x, and with a Q.850 cause of 34, 38, 41, 42, 44 or 47";

// The one place that says what a SIP response means to others. A peer never causes INTERNAL,
// UNKNOWN or DATA_LOSS; UNAVAILABLE never means the callee; RESOURCE_EXHAUSTED is capacity, never a
// busy line.
constexpr auto kMappings = std::to_array<StatusMapping>({
    {100, "Trying", Grpc::ok, "", false, Fault::indeterminate},
    {180, "Ringing", Grpc::ok, "", false, Fault::indeterminate},
    {181, "Call Is Being Forwarded", Grpc::ok, "", false, Fault::indeterminate},
    {182, "Queued", Grpc::ok, "", false, Fault::indeterminate},
    {183, "Session Progress", Grpc::ok, "", false, Fault::indeterminate},
    {199, "Early Dialog Terminated", Grpc::ok, "", false, Fault::indeterminate},
    {200, "OK", Grpc::ok, "", false, Fault::success},
    {202, "Accepted", Grpc::ok, "", false, Fault::success},
    {204, "No Notification", Grpc::ok, "", false, Fault::success},
    {300, "Multiple Choices", Grpc::failed_precondition, "REDIRECT_CHOICE_NEEDED", false,
     Fault::client},
    {301, "Moved Permanently", Grpc::not_found, "MOVED_PERMANENTLY", false, Fault::client},
    {302, "Moved Temporarily", Grpc::failed_precondition, "REDIRECTED", false, Fault::client},
    {305, "Use Proxy", Grpc::failed_precondition, "PROXY_REQUIRED", false, Fault::client},
    {380, "Alternative Service", Grpc::failed_precondition, "ALTERNATIVE_SERVICE", false,
     Fault::client},
    {400, "Bad Request", Grpc::invalid_argument, "PEER_REJECTED_SYNTAX", false, Fault::client},
    {401, "Unauthorized", Grpc::unauthenticated, "PEER_CREDENTIALS_REJECTED", false,
     Fault::upstream},
    {402, "Payment Required", Grpc::failed_precondition, "TRUNK_PAYMENT_REQUIRED", true,
     Fault::upstream},
    {403, "Forbidden", Grpc::permission_denied, "PEER_FORBIDDEN", false, Fault::upstream},
    {404, "Not Found", Grpc::not_found, "NUMBER_NOT_FOUND", false, Fault::client,
     Retry::retry_after},
    {405, "Method Not Allowed", Grpc::unimplemented, "METHOD_NOT_ALLOWED", false, Fault::client},
    {406, "Not Acceptable", Grpc::failed_precondition, "NOT_ACCEPTABLE", false, Fault::client},
    {407, "Proxy Authentication Required", Grpc::unauthenticated, "PEER_CREDENTIALS_REJECTED",
     false, Fault::upstream},
    {408, "Request Timeout", Grpc::deadline_exceeded, "PEER_REQUEST_TIMEOUT", true,
     Fault::indeterminate, Retry::none, kBeforeRinging},
    {410, "Gone", Grpc::not_found, "NUMBER_GONE", false, Fault::client},
    {412, "Conditional Request Failed", Grpc::failed_precondition, "ETAG_MISMATCH", false,
     Fault::client},
    {413, "Request Entity Too Large", Grpc::invalid_argument, "BODY_TOO_LARGE", false,
     Fault::client, Retry::retry_after},
    {414, "Request-URI Too Long", Grpc::invalid_argument, "URI_TOO_LONG", false, Fault::client},
    {415, "Unsupported Media Type", Grpc::unimplemented, "BODY_TYPE_UNSUPPORTED", false,
     Fault::client},
    {416, "Unsupported URI Scheme", Grpc::invalid_argument, "URI_SCHEME_UNSUPPORTED", false,
     Fault::client},
    {417, "Unknown Resource-Priority", Grpc::invalid_argument, "RESOURCE_PRIORITY_UNKNOWN", false,
     Fault::client},
    {420, "Bad Extension", Grpc::unimplemented, "EXTENSION_UNSUPPORTED_BY_PEER", false,
     Fault::client},
    {421, "Extension Required", Grpc::unimplemented, "EXTENSION_REQUIRED_BY_PEER", true,
     Fault::client},
    {422, "Session Interval Too Small", Grpc::out_of_range, "SESSION_INTERVAL_TOO_SMALL", false,
     Fault::client},
    {423, "Interval Too Brief", Grpc::out_of_range, "INTERVAL_TOO_BRIEF", false, Fault::client},
    {424, "Bad Location Information", Grpc::invalid_argument, "BAD_LOCATION", false, Fault::client},
    {425, "Bad Alert Message", Grpc::invalid_argument, "BAD_ALERT_MESSAGE", false, Fault::client},
    {428, "Use Identity Header", Grpc::unauthenticated, "IDENTITY_REQUIRED", true, Fault::upstream},
    {429, "Provide Referrer Identity", Grpc::unauthenticated, "REFERRER_IDENTITY_REQUIRED", false,
     Fault::upstream},
    {430, "Flow Failed", Grpc::unavailable, "FLOW_FAILED", true, Fault::upstream, Retry::computed},
    {433, "Anonymity Disallowed", Grpc::permission_denied, "ANONYMOUS_CALLER_REJECTED", false,
     Fault::user},
    {436, "Bad Identity Info", Grpc::unauthenticated, "IDENTITY_INFO_UNREACHABLE", false,
     Fault::upstream},
    {437, "Unsupported Credential", Grpc::unauthenticated, "IDENTITY_CERT_UNSUPPORTED", false,
     Fault::upstream},
    {438, "Invalid Identity Header", Grpc::unauthenticated, "IDENTITY_INVALID", false,
     Fault::upstream},
    {439, "First Hop Lacks Outbound Support", Grpc::failed_precondition, "OUTBOUND_NOT_SUPPORTED",
     false, Fault::client},
    {440, "Max-Breadth Exceeded", Grpc::resource_exhausted, "FORK_BREADTH_EXCEEDED", false,
     Fault::upstream},
    {469, "Bad Info Package", Grpc::unimplemented, "INFO_PACKAGE_UNSUPPORTED", false,
     Fault::client},
    {470, "Consent Needed", Grpc::permission_denied, "CONSENT_NEEDED", false, Fault::user},
    {480, "Temporarily Unavailable", Grpc::failed_precondition, "CALLEE_UNAVAILABLE", false,
     Fault::user, Retry::retry_after, kNetworkCause},
    {481, "Call/Transaction Does Not Exist", Grpc::not_found, "DIALOG_GONE", false,
     Fault::upstream},
    {482, "Loop Detected", Grpc::failed_precondition, "ROUTING_LOOP", true, Fault::upstream},
    {483, "Too Many Hops", Grpc::failed_precondition, "TOO_MANY_HOPS", true, Fault::upstream},
    {484, "Address Incomplete", Grpc::invalid_argument, "NUMBER_INCOMPLETE", false, Fault::client},
    {485, "Ambiguous", Grpc::invalid_argument, "NUMBER_AMBIGUOUS", false, Fault::client},
    {486, "Busy Here", Grpc::failed_precondition, "CALLEE_BUSY", false, Fault::user,
     Retry::retry_after},
    {487, "Request Terminated", Grpc::cancelled, "CALL_CANCELLED", false, Fault::user},
    {488, "Not Acceptable Here", Grpc::failed_precondition, "MEDIA_NOT_ACCEPTABLE", true,
     Fault::client},
    {489, "Bad Event", Grpc::unimplemented, "EVENT_PACKAGE_UNSUPPORTED", false, Fault::client},
    {491, "Request Pending", Grpc::aborted, "GLARE", false, Fault::upstream, Retry::computed},
    {493, "Undecipherable", Grpc::failed_precondition, "BODY_UNDECIPHERABLE", false, Fault::client},
    {494, "Security Agreement Required", Grpc::failed_precondition, "SECURITY_AGREEMENT_REQUIRED",
     false, Fault::client},
    {500, "Server Internal Error", Grpc::unavailable, "PEER_INTERNAL_ERROR", true, Fault::upstream,
     Retry::retry_after},
    {501, "Not Implemented", Grpc::unimplemented, "PEER_NOT_IMPLEMENTED", false, Fault::client},
    {502, "Bad Gateway", Grpc::unavailable, "PEER_BAD_GATEWAY", true, Fault::upstream},
    {503, "Service Unavailable", Grpc::unavailable, "TRUNK_UNAVAILABLE", true, Fault::upstream,
     Retry::retry_after},
    {504, "Server Time-out", Grpc::deadline_exceeded, "PEER_UPSTREAM_TIMEOUT", true,
     Fault::upstream},
    {505, "Version Not Supported", Grpc::unimplemented, "SIP_VERSION_UNSUPPORTED", false,
     Fault::client},
    {513, "Message Too Large", Grpc::invalid_argument, "MESSAGE_TOO_LARGE", false, Fault::client},
    {555, "Push Notification Service Not Supported", Grpc::unimplemented, "PUSH_UNSUPPORTED", false,
     Fault::client},
    {580, "Precondition Failure", Grpc::failed_precondition, "QOS_PRECONDITION_FAILED", true,
     Fault::client},
    {600, "Busy Everywhere", Grpc::failed_precondition, "CALLEE_BUSY_EVERYWHERE", false,
     Fault::user, Retry::retry_after},
    {603, "Decline", Grpc::permission_denied, "CALLEE_DECLINED", false, Fault::user,
     Retry::retry_after},
    {604, "Does Not Exist Anywhere", Grpc::not_found, "NUMBER_NOT_FOUND_ANYWHERE", false,
     Fault::client},
    {606, "Not Acceptable", Grpc::failed_precondition, "MEDIA_NOT_ACCEPTABLE_ANYWHERE", false,
     Fault::client},
    {607, "Unwanted", Grpc::permission_denied, "CALL_UNWANTED", false, Fault::user},
    {608, "Rejected", Grpc::permission_denied, "CALL_REJECTED_BY_ANALYTICS", false,
     Fault::upstream},
});
static_assert(std::ranges::is_sorted(kMappings, {}, &StatusMapping::sip_code));

// Codes without registration that are met in the field: obsolete ones of RFC 2543, and send errors
// of Kamailio and OpenSIPS.
constexpr auto kUnregistered = std::to_array<StatusMapping>({
    {409, "Conflict", Grpc::aborted, "", false, Fault::upstream},
    {411, "Length Required", Grpc::invalid_argument, "", false, Fault::client},
    {476, "Unresolvable Destination", Grpc::unavailable, "", true, Fault::upstream},
    {477, "Next Hop Send Error", Grpc::unavailable, "", true, Fault::upstream},
    {478, "Unresolvable Destination", Grpc::unavailable, "", true, Fault::upstream},
});

// RFC 3261 §8.1.3.2: an unknown code is treated as the x00 of its class.
constexpr auto kClasses = std::to_array<StatusMapping>({
    {100, "Provisional", Grpc::ok, "", false, Fault::indeterminate},
    {200, "Successful", Grpc::ok, "", false, Fault::success},
    {300, "Redirection", Grpc::failed_precondition, "", false, Fault::client},
    {400, "Client Error", Grpc::invalid_argument, "", false, Fault::client},
    {500, "Server Error", Grpc::unavailable, "", true, Fault::upstream, Retry::retry_after},
    {600, "Global Failure", Grpc::failed_precondition, "", false, Fault::user},
});

}  // namespace

const StatusMapping& map_status(int sip_code) {
  const auto row = std::ranges::lower_bound(kMappings, sip_code, {}, &StatusMapping::sip_code);
  if (row != kMappings.end() && row->sip_code == sip_code) return *row;
  const auto known = std::ranges::find(kUnregistered, sip_code, &StatusMapping::sip_code);
  if (known != kUnregistered.end()) return *known;
  // What is no SIP code at all can't be the caller's doing.
  const int of_class = sip_code < 100 || sip_code > 699 ? 5 : sip_code / 100;
  return kClasses[static_cast<std::size_t>(of_class - 1)];
}

std::string status_reason(int sip_code) {
  if (sip_code < 300) return {};
  const std::string_view reason = map_status(sip_code).reason;
  return reason.empty() ? "SIP_" + std::to_string(sip_code) : std::string(reason);
}

std::span<const StatusMapping> all_status_mappings() {
  return kMappings;
}

std::string_view grpc_code_name(GrpcCode code) {
  switch (code) {
    case Grpc::ok:
      return "OK";
    case Grpc::cancelled:
      return "CANCELLED";
    case Grpc::unknown:
      return "UNKNOWN";
    case Grpc::invalid_argument:
      return "INVALID_ARGUMENT";
    case Grpc::deadline_exceeded:
      return "DEADLINE_EXCEEDED";
    case Grpc::not_found:
      return "NOT_FOUND";
    case Grpc::already_exists:
      return "ALREADY_EXISTS";
    case Grpc::permission_denied:
      return "PERMISSION_DENIED";
    case Grpc::resource_exhausted:
      return "RESOURCE_EXHAUSTED";
    case Grpc::failed_precondition:
      return "FAILED_PRECONDITION";
    case Grpc::aborted:
      return "ABORTED";
    case Grpc::out_of_range:
      return "OUT_OF_RANGE";
    case Grpc::unimplemented:
      return "UNIMPLEMENTED";
    case Grpc::internal:
      return "INTERNAL";
    case Grpc::unavailable:
      return "UNAVAILABLE";
    case Grpc::data_loss:
      return "DATA_LOSS";
    case Grpc::unauthenticated:
      return "UNAUTHENTICATED";
  }
  return "UNKNOWN";
}

}  // namespace trunkline::call
