#pragma once
#include <iosfwd>
#include <trunkline/v1/call.pb.h>
#include <vector>

namespace trunkline::client {

/// One call, all that is known of it, on stdout.
void print(const v1::Call& call);
/// Calls as a table, one a line.
void print(const std::vector<const v1::Call*>& calls, std::ostream& out);

}  // namespace trunkline::client
