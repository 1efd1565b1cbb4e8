#pragma once
#include "config/problem.hpp"
#include "config/scalar.hpp"
#include "config/value.hpp"
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::config {

/// The whole text of a file of at most `kMaxFile` octets, or why not.
inline constexpr std::size_t kMaxFile = 4 << 20;
Result<std::string> read_file(const std::string& path);

/// Reads the YAML text by the table of keys: unknown and doubled keys, wrong shapes and bad scalars
/// become problems. The tree that comes back is complete: what the file does not say has its
/// default, or is not `known`. `folder` is where relative paths of `X_file` start.
Value read(std::string_view text, const std::string& folder, const Environment& environment,
           Problems& problems);

/// `path` as seen from `folder`; absolute paths stay.
std::string in_folder(const std::string& folder, const std::string& path);

}  // namespace trunkline::config
