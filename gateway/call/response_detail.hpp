#pragma once
#include "call/failure.hpp"
#include "sip/message.hpp"

/// What a peer's message says of a failure.
namespace trunkline::call {

/// The peer's final response as a failure, with all that it tells.
Failure failure_of(const sip::Message& response);

/// What the Reason values of the peer's message (RFC 3326) tell: those that can be read, at most
/// 512 octets of them, are carried across.
void read_reasons(const sip::Message& message, Failure& failure);

}  // namespace trunkline::call
