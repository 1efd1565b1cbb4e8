#include "call/refusals.hpp"

#include <utility>

namespace trunkline::call {
namespace {

/// What a client is asked to wait for another operation, in seconds: most end within one.
constexpr std::uint32_t kRetryAfter = 1;

Refusal make(Refusal::Kind kind, std::string_view reason, std::string message) {
  Refusal made;
  made.kind = kind;
  made.reason = reason;
  made.message = std::move(message);
  return made;
}

}  // namespace

Refusal leg_not_found(std::string_view leg) {
  return make(Refusal::Kind::not_found, "LEG_NOT_FOUND",
              "the call has no leg '" + std::string(leg) + "'");
}

Refusal wrong_state(std::string message) {
  return make(Refusal::Kind::wrong_state, "WRONG_CALL_STATE", std::move(message));
}

Refusal in_progress(std::string message) {
  Refusal made = make(Refusal::Kind::in_progress, "OPERATION_IN_PROGRESS", std::move(message));
  made.retry_after = kRetryAfter;
  return made;
}

Refusal invalid_field(std::string field, std::string message) {
  Refusal made = make(Refusal::Kind::invalid, "INVALID_ARGUMENT", std::move(message));
  made.field = std::move(field);
  return made;
}

}  // namespace trunkline::call
