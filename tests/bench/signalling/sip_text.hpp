#pragma once
#include <string>
#include <string_view>

/// As much of SIP as a load generator reads, without a parser: both servers write field names as
/// they are written here, or copy ours.
namespace trunkline::bench {

/// The value of the first field of that name; empty if there is none.
std::string_view field(std::string_view message, std::string_view name);
/// All fields of that name as whole lines, in their order.
std::string field_lines(std::string_view message, std::string_view name);
/// 0: a request.
int status_of(std::string_view message);
std::string_view method_of(std::string_view request);
/// What stands between `<` and `>`, else the value up to its parameters.
std::string_view uri_of(std::string_view address);

/// The route set of a dialog's caller: the Record-Route values of a response in reverse order, as
/// Route lines (RFC 3261 §12.1.2).
std::string routes_of(std::string_view response);

}  // namespace trunkline::bench
