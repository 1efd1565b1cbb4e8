#pragma once
#include <span>
#include <string_view>

namespace trunkline::sip {

/// A response code and its registered name.
struct StatusName {
  int code;
  std::string_view name;
};

/// The IANA reason phrase of a response code from 100 to 699. An unknown code is named after its
/// class ("Client Error").
std::string_view reason_phrase(int code);
/// Every registered code that the gateway knows by name, ascending.
std::span<const StatusName> all_status_names();

}  // namespace trunkline::sip
