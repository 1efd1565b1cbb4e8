#pragma once
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include <optional>

/// Looking into a google.rpc.Status.
namespace trunkline::call_control {

template <class Detail>
std::optional<Detail> detail(const google::rpc::Status& status) {
  std::optional<Detail> found;
  for (const auto& one : status.details()) {
    Detail unpacked;
    if (!one.Is<Detail>() || !one.UnpackTo(&unpacked)) continue;
    if (found) return std::nullopt;  // each type at most once
    found = unpacked;
  }
  return found;
}

inline std::string reason_of(const google::rpc::Status& status) {
  const auto info = detail<google::rpc::ErrorInfo>(status);
  return info ? info->reason() : "";
}

}  // namespace trunkline::call_control
