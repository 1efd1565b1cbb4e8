#include "call_control/policy_answer.hpp"

#include "call_control/validation.hpp"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "trunkline/v1/status.pb.h"
#include <algorithm>
#include <cstdint>
#include <optional>

namespace trunkline::call_control {
namespace {

/// Of the google.rpc.Status that a status carries; the first that is of this type.
template <class Detail>
std::optional<Detail> detail_of(const grpc::Status& status) {
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details()))
    return std::nullopt;
  for (const auto& packed : details.details()) {
    Detail detail;
    if (packed.Is<Detail>() && packed.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

/// Whether what is wrong is the number: so, unless the service names other fields.
bool blames_number(const grpc::Status& status) {
  const auto bad = detail_of<google::rpc::BadRequest>(status);
  if (!bad || bad->field_violations().empty()) return true;
  return std::ranges::any_of(bad->field_violations(),
                             [](const auto& violation) { return violation.field() == "to"; });
}

/// SIP code for a refusal by status; nothing: the service has not answered.
std::optional<int> sip_code_of(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE:
      return blames_number(status) ? 484 : 400;
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return 403;
    case grpc::StatusCode::NOT_FOUND:
      return 404;
    case grpc::StatusCode::ALREADY_EXISTS:
      return 482;
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::ABORTED:
      return 480;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return 503;
    case grpc::StatusCode::CANCELLED:
      return 487;
    case grpc::StatusCode::UNIMPLEMENTED:
      return 501;
    default:
      return std::nullopt;
  }
}

call::PolicyFailed failed(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {"timeout"};
    case grpc::StatusCode::UNAVAILABLE:
      return {"unavailable"};
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::DATA_LOSS:
      return {"error", 500};  // it has answered, and that it is broken
    default:
      return {"invalid"};
  }
}

/// Seconds, rounded up; nothing without a RetryInfo or with an absurd one.
std::optional<std::uint32_t> retry_after_of(const grpc::Status& status) {
  constexpr std::int64_t kLongest = 86400;
  const auto retry = detail_of<google::rpc::RetryInfo>(status);
  if (!retry || retry->retry_delay().seconds() < 0 || retry->retry_delay().nanos() < 0)
    return std::nullopt;
  const std::int64_t whole = std::min(retry->retry_delay().seconds(), kLongest) +
                             (retry->retry_delay().nanos() > 0 ? 1 : 0);
  return static_cast<std::uint32_t>(std::min(whole, kLongest));
}

}  // namespace

call::PolicyAnswer read_policy_status(const grpc::Status& status) {
  if (const auto sip = detail_of<v1::SipStatus>(status)) {
    Violations wrong;
    wrong.check_refusal_code("code", sip->code());
    wrong.check_text("reason_phrase", sip->reason_phrase(), kMaxReason);
    if (sip->code() == 0 || !wrong.none()) return call::PolicyFailed{"invalid"};
    return call::PolicyRejection{sip->code(), sip->reason_phrase(), retry_after_of(status)};
  }
  if (const auto code = sip_code_of(status))
    return call::PolicyRejection{*code, {}, retry_after_of(status)};
  return failed(status.error_code());
}

}  // namespace trunkline::call_control
