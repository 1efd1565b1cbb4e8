#pragma once
#include <cstdint>
#include <re2/re2.h>

namespace trunkline::call {

/// How the expressions of the configuration are compiled: quiet, and bounded in memory.
inline RE2::Options expression_options() {
  constexpr std::int64_t kExpressionMemory = 1 << 20;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kExpressionMemory);
  return options;
}

}  // namespace trunkline::call
