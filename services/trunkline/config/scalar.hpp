#pragma once
#include "base/result.hpp"

#include "config/problem.hpp"
#include "config/value.hpp"
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::config {

/// Looks up an environment variable.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// What is wrong with a scalar, and what would be right.
struct ScalarError {
  std::string wrong, right;
};

/// Replaces `${NAME}` and `${NAME:-default}` (the default also when NAME is empty); `$${` stands
/// for `${`. What comes in is not looked at again.
Result<std::string, ScalarError> expand(std::string_view text, const Environment& environment);

/// Checks `value.text` against its key and fills `number` and `last`.
std::optional<ScalarError> check_scalar(Value& value);

}  // namespace trunkline::config
