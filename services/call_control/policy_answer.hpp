#pragma once
#include "call/control.hpp"

#include <grpcpp/support/status.h>

namespace trunkline::call_control {

/// What a status of the policy service means for the call: a refusal with a SIP code, or no answer
/// at all. Pure.
call::PolicyAnswer read_policy_status(const grpc::Status& status);

}  // namespace trunkline::call_control
