#include "call/refusals.hpp"

#include <utility>

namespace trunkline::call {
namespace {

/// What a client is asked to wait for another operation, in seconds: most end within one.
constexpr std::uint32_t kNextTry = 1;

}  // namespace

Refusal refusal(Refusal::Kind kind, std::string reason, std::string message, std::string field) {
  Refusal made;
  made.kind = kind;
  made.reason = std::move(reason);
  made.message = std::move(message);
  made.field = std::move(field);
  return made;
}

Refusal not_found(std::string_view what, std::string_view name) {
  const std::string reason = what == "call"    ? "CALL_NOT_FOUND"
                             : what == "trunk" ? "TRUNK_NOT_FOUND"
                                               : "USER_NOT_FOUND";
  return refusal(Refusal::Kind::not_found, reason,
                 "there is no " + std::string(what) + " '" + std::string(name) + "'");
}

Refusal leg_not_found(std::string_view leg) {
  return refusal(Refusal::Kind::not_found, "LEG_NOT_FOUND",
                 "the call has no leg '" + std::string(leg) + "'");
}

Refusal wrong_state(std::string message) {
  return refusal(Refusal::Kind::wrong_state, "WRONG_CALL_STATE", std::move(message));
}

Refusal in_progress(std::string message) {
  Refusal made = refusal(Refusal::Kind::in_progress, "OPERATION_IN_PROGRESS", std::move(message));
  made.retry_after = kNextTry;
  return made;
}

Refusal invalid_field(std::string field, std::string message) {
  return refusal(Refusal::Kind::invalid, "INVALID_ARGUMENT", std::move(message), std::move(field));
}

}  // namespace trunkline::call
