#include "call_control/policy_answer.hpp"

#include "call_control/validation.hpp"
#include "google/rpc/status.pb.h"
#include "trunkline/v1/status.pb.h"
#include <optional>

namespace trunkline::call_control {
namespace {

/// SIP code for a refusal by status; nothing: the service has not answered.
std::optional<int> sip_code_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE:
      return 484;
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
    default:
      return {"invalid"};
  }
}

std::optional<v1::SipStatus> sip_status_in(const grpc::Status& status) {
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details()))
    return std::nullopt;
  for (const auto& detail : details.details()) {
    v1::SipStatus sip;
    if (detail.Is<v1::SipStatus>() && detail.UnpackTo(&sip)) return sip;
  }
  return std::nullopt;
}

}  // namespace

call::PolicyAnswer read_policy_status(const grpc::Status& status) {
  if (const auto sip = sip_status_in(status)) {
    Violations wrong;
    wrong.check_refusal_code("code", sip->code());
    wrong.check_text("reason_phrase", sip->reason_phrase(), kMaxReason);
    if (sip->code() == 0 || !wrong.none()) return call::PolicyFailed{"invalid"};
    return call::PolicyRejection{sip->code(), sip->reason_phrase()};
  }
  if (const auto code = sip_code_of(status.error_code())) return call::PolicyRejection{*code, {}};
  return failed(status.error_code());
}

}  // namespace trunkline::call_control
