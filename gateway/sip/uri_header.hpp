#pragma once
#include "sip/uri.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace trunkline::sip {

/// The value of a header of the URI, "Replaces" for one, with %-escapes decoded once (RFC 3261
/// §19.1.1): the first of that name, nothing if absent.
std::optional<std::string> uri_header(const Uri& uri, std::string_view name);

}  // namespace trunkline::sip
