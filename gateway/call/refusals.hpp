#pragma once
#include "call/control.hpp"

#include <string>
#include <string_view>

/// What is said to requests of the API that cannot be done.
namespace trunkline::call {

/// `field`: of the request, if it is one that is wrong.
Refusal refusal(Refusal::Kind kind, std::string reason, std::string message,
                std::string field = {});
/// There is no such call, trunk or user.
Refusal not_found(std::string_view what, std::string_view name);
Refusal leg_not_found(std::string_view leg);
Refusal wrong_state(std::string message);
/// Another operation has to end first.
Refusal in_progress(std::string message);
Refusal invalid_field(std::string field, std::string message);

}  // namespace trunkline::call
