#pragma once
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::sip {

/// A `name[=value]` parameter of a URI or a header field. Names compare without case.
struct Parameter {
  std::string name;
  std::optional<std::string> value;  ///< as written; quoted strings keep their quotes
  bool operator==(const Parameter&) const = default;
};
using Parameters = std::vector<Parameter>;

const Parameter* find_parameter(const Parameters& parameters, std::string_view name);
/// The value of a parameter; empty when it is absent or has none.
std::string_view parameter_value(const Parameters& parameters, std::string_view name);
/// Sets or replaces a parameter.
void set_parameter(Parameters& parameters, std::string_view name, std::optional<std::string> value);

/// A SIP, SIPS or tel URI, or another absolute URI kept as opaque text (RFC 3261 §19.1, RFC 3966).
/// Owns its text. The parts are kept as written, escapes included: `unescaped_user()` decodes once.
struct Uri {
  enum class Scheme { sip, sips, tel, other };

  Scheme scheme = Scheme::sip;
  std::string user;  ///< as written, without password; the number for tel
  std::optional<std::string> password;
  std::string host;  ///< as written; IPv6 with brackets; empty for tel and other
  std::optional<std::uint16_t> port;
  Parameters parameters;
  std::string headers;  ///< after '?', as written
  std::string opaque;   ///< scheme other: the whole URI as written

  static Result<Uri> parse(std::string_view text);
  std::string text() const;

  /// The user part with %-escapes decoded once (RFC 3261 §19.1.2). May hold any octet, NUL
  /// included.
  std::string unescaped_user() const;
  /// "transport" parameter in lower case; empty if absent.
  std::string transport() const;
  bool has_parameter(std::string_view name) const {
    return find_parameter(parameters, name) != nullptr;
  }
  std::string_view parameter(std::string_view name) const {
    return parameter_value(parameters, name);
  }
  bool is_sip() const { return scheme == Scheme::sip || scheme == Scheme::sips; }

  /// Equality by RFC 3261 §19.1.4 (not transitive; escapes, case, default ports, parameter rules),
  /// RFC 3966 §5 for tel, octets for others.
  bool equivalent(const Uri& other) const;

  /// sip:user@host[:port]; `user` is escaped as needed.
  static Uri sip(std::string_view user, std::string_view host,
                 std::optional<std::uint16_t> port = std::nullopt);
};

/// Escapes what may not stand unescaped in a URI's user part, and in a parameter's value.
std::string escape_user(std::string_view user);
std::string escape_parameter(std::string_view value);
/// The text with its %-escapes decoded once. May hold any octet, NUL included.
std::string unescape(std::string_view text);

}  // namespace trunkline::sip
