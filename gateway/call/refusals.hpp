#pragma once
#include "call/control.hpp"

#include <string>
#include <string_view>

/// What is said to requests of the API that a call cannot do now.
namespace trunkline::call {

Refusal leg_not_found(std::string_view leg);
Refusal wrong_state(std::string message);
/// Another operation has to end first.
Refusal in_progress(std::string message);
Refusal invalid_field(std::string field, std::string message);

}  // namespace trunkline::call
