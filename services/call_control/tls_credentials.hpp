#pragma once
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include "call_control/policy.hpp"
#include "call_control/server.hpp"
#include <memory>

namespace trunkline::call_control {

/// Plain, or TLS from files that are read again when they change. Fails, in words for an operator,
/// if a file can't be used now.
Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const Settings& settings);
Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(
    const std::optional<PolicyTls>& tls);

}  // namespace trunkline::call_control
