#pragma once
#include "base/result.hpp"
#include "sip/message.hpp"
#include "sip/uri.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Header field values as types. Each has `parse` for one field value (one element of a list) and
/// `text()` for the wire.
namespace trunkline::sip {

/// From, To, Contact, Route, Record-Route, Refer-To, P-Asserted-Identity …: name-addr or addr-spec
/// with parameters (RFC 3261 §20.10, §20.20, §20.30, §20.34, §20.39). For an addr-spec without
/// brackets, parameters are the field's.
struct NameAddress {
  std::string display_name;  ///< unquoted, unescaped
  Uri uri;
  Parameters parameters;  ///< of the header field
  bool wildcard = false;  ///< Contact: *

  static Result<NameAddress> parse(std::string_view value);
  std::string text() const;
  std::string_view tag() const { return parameter_value(parameters, "tag"); }
  std::string_view parameter(std::string_view name) const {
    return parameter_value(parameters, name);
  }
};

/// One Via element (RFC 3261 §20.42, RFC 3581).
struct Via {
  std::string protocol = "SIP/2.0";
  std::string transport;  ///< upper case: UDP, TCP, TLS, WS, WSS, SCTP …
  std::string host;       ///< sent-by host as written; IPv6 with brackets
  std::optional<std::uint16_t> port;
  Parameters parameters;

  static Result<Via> parse(std::string_view value);
  std::string text() const;
  std::string_view branch() const { return parameter_value(parameters, "branch"); }
  std::string sent_by()
      const;  ///< host in lower case with the port, or with the transport's default port
};

/// Sequence number below 2^32 - the parser refuses more - and method (RFC 3261 §20.16).
struct CSeq {
  std::uint32_t number = 0;
  Method method = Method::unknown;
  std::string method_text;

  static Result<CSeq> parse(std::string_view value);
  std::string text() const;
};

/// Session-Expires (RFC 4028 §4).
struct SessionExpires {
  enum class Refresher { unspecified, uac, uas };
  std::uint32_t delta_seconds = 0;
  Refresher refresher = Refresher::unspecified;

  static Result<SessionExpires> parse(std::string_view value);
  std::string text() const;
};

/// One Reason value (RFC 3326): `SIP;cause=487;text="…"` or `Q.850;cause=16`.
struct Reason {
  std::string protocol;
  int cause = 0;
  std::string text_phrase;

  static Result<Reason> parse(std::string_view value);
  std::string text() const;
};

/// One Warning value (RFC 3261 §20.43): `305 sbc.example.test "Incompatible media format"`.
struct Warning {
  int code = 0;       ///< three digits
  std::string agent;  ///< who says so: a host or a pseudonym
  std::string text;   ///< unquoted

  static Result<Warning> parse(std::string_view value);
};

/// RAck (RFC 3262 §7.2).
struct RAck {
  std::uint32_t rseq = 0;
  CSeq cseq;
  static Result<RAck> parse(std::string_view value);
  std::string text() const;
};

/// Replaces (RFC 3891 §6.1).
struct Replaces {
  std::string call_id, to_tag, from_tag;
  bool early_only = false;
  static Result<Replaces> parse(std::string_view value);
  std::string text() const;
};

/// media-type and parameters of Content-Type and Accept elements (RFC 3261 §20.15). Type and
/// subtype in lower case.
struct MediaType {
  std::string type, subtype;
  Parameters parameters;
  static Result<MediaType> parse(std::string_view value);
  bool is(std::string_view type_slash_subtype) const;
};

/// delta-seconds; larger than 2^32-1 counts as 2^32-1 (RFC 3261 §25.1, §20.19). Nothing if not a
/// number.
std::optional<std::uint32_t> parse_delta_seconds(std::string_view value);
/// Retry-After's seconds, comment and parameters ignored.
std::optional<std::uint32_t> parse_retry_after(std::string_view value);
/// A `q` parameter in thousandths, 0 to 1000; 1000 for one that is absent or malformed (RFC 3261
/// §20.10, §25.1).
int parse_qvalue(std::string_view value);
/// A token list element compares without case: option tags, methods in Allow keep case.
bool has_token(const Message& message, HeaderName name, std::string_view token);
/// Quotes and escapes as quoted-string (RFC 3261 §25.1); CR, LF and NUL become spaces.
std::string quote(std::string_view text);
/// The content of a quoted-string, escapes resolved; other text as it is.
std::string unquote(std::string_view text);
/// Date field value for a wall-clock time (RFC 3261 §20.17).
std::string date_text(std::chrono::system_clock::time_point time);

/// Shorthands on a parsed message, whose Via, From, To, Call-ID and CSeq are known to be well
/// formed.
Via top_via(const Message& message);
NameAddress from_of(const Message& message);
NameAddress to_of(const Message& message);
CSeq cseq_of(const Message& message);
std::string_view call_id_of(const Message& message);
/// The first Contact, if it is a well-formed address; nothing for "*".
std::optional<NameAddress> contact_of(const Message& message);

}  // namespace trunkline::sip
