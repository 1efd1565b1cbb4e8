#pragma once
#include "call/control.hpp"
#include "call/failure.hpp"

#include <grpcpp/support/status.h>

#include "google/rpc/status.pb.h"
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::call_control {
struct ReloadRefused;
}

/// Failures as clients see them: google.rpc.Status with its details, the same in an RPC's error and
/// in the event that ends a call. Pure; any thread.
namespace trunkline::call_control {

inline constexpr std::string_view kErrorDomain = "trunkline";

/// What a client library must know before it tries again by itself: the trailer
/// grpc-retry-pushback-ms.
struct Pushback {
  static constexpr std::string_view kTrailer = "grpc-retry-pushback-ms";
  int milliseconds = -1;  ///< -1: never by itself
};

/// An outcome that is not OK, ready for the wire.
struct Rejection {
  google::rpc::Status status;
  Pushback pushback;
};

/// Where a failure happened, as far as it is known.
struct FailureScene {
  std::string_view call_id, trunk, leg_id, sip_call_id, request_id;
  bool from_leg = false;
  bool invite_may_have_left = true;
};

/// One field of a request that is wrong.
struct Violation {
  std::string field, description;
};

/// The status of an end or a refused operation; code OK, without details, for a normal end.
google::rpc::Status failure_status(const call::Failure& failure, const FailureScene& scene);
Rejection reject(const call::Failure& failure, const FailureScene& scene);
Rejection reject(const call::Refusal& refusal);
/// INVALID_ARGUMENT with BadRequest.
Rejection reject(const std::vector<Violation>& violations);
/// INVALID_ARGUMENT with BadRequest, or FAILED_PRECONDITION with PreconditionFailure.
Rejection reject(const ReloadRefused& refused);
/// Any other, with ErrorInfo of this reason and metadata.
Rejection reject(call::GrpcCode code, std::string_view reason, std::string message,
                 std::initializer_list<std::pair<std::string_view, std::string_view>> metadata = {},
                 std::optional<std::uint32_t> retry_after = std::nullopt);

grpc::Status to_grpc(const google::rpc::Status& status);

}  // namespace trunkline::call_control
