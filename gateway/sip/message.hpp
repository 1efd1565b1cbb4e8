#pragma once
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::sip {

/// Request methods of RFC 3261 and its extensions. `unknown` is any other token: the message keeps
/// its spelling.
enum class Method : std::uint8_t {
  unknown,
  invite,
  ack,
  bye,
  cancel,
  register_,
  options,
  prack,
  update,
  info,
  refer,
  subscribe,
  notify,
  publish,
  message,
  count_
};
std::string_view method_name(Method method);
/// Case-sensitive (RFC 3261 §7.1).
Method parse_method(std::string_view token);

/// Header fields that the gateway reads or writes by meaning; every other field is `other` and
/// carried by its name.
enum class HeaderName : std::uint8_t {
  other,
  accept,
  accept_encoding,
  accept_language,
  alert_info,
  allow,
  allow_events,
  authentication_info,
  authorization,
  call_id,
  call_info,
  contact,
  content_disposition,
  content_encoding,
  content_language,
  content_length,
  content_type,
  cseq,
  date,
  diversion,
  error_info,
  event,
  expires,
  flow_timer,
  from,
  history_info,
  identity,
  in_reply_to,
  max_breadth,
  max_forwards,
  mime_version,
  min_expires,
  min_se,
  organization,
  p_asserted_identity,
  p_early_media,
  p_preferred_identity,
  path,
  priority,
  privacy,
  proxy_authenticate,
  proxy_authorization,
  proxy_require,
  rack,
  reason,
  record_route,
  recv_info,
  refer_sub,
  refer_to,
  referred_by,
  replaces,
  reply_to,
  require,
  retry_after,
  route,
  rseq,
  server,
  service_route,
  session_expires,
  session_id,
  sip_etag,
  sip_if_match,
  subject,
  subscription_state,
  supported,
  timestamp,
  to,
  unsupported,
  user_agent,
  via,
  warning,
  www_authenticate,
  count_
};
/// The canonical spelling ("Call-ID"); empty for `other`.
std::string_view header_name_text(HeaderName name);
/// Long and compact forms, without case.
HeaderName parse_header_name(std::string_view text);

/// A SIP request or response (RFC 3261 §7). Owns its text: a parsed message keeps the octets it
/// came in, and its fields are offsets into them, so parsing copies nothing and the message may be
/// moved and copied freely. Fields added later are appended to the same text. Views that it hands
/// out are valid until it is changed, moved or destroyed.
class Message {
 public:
  /// One header field line, or one element of a comma-separated line where RFC 3261 §7.3.1 makes
  /// that the same.
  struct Field {
    HeaderName name = HeaderName::other;
    std::uint32_t name_at = 0, name_size = 0;  ///< the name as written
    std::uint32_t value_at = 0,
                  value_size =
                      0;  ///< without leading and trailing white space, folding replaced by SP
  };

  static Message request(Method method, std::string_view uri);
  /// Any method token, for `Method::unknown`.
  static Message request(std::string_view method, std::string_view uri);
  static Message response(int status,
                          std::string_view reason = {});  ///< empty reason: the registered phrase

  bool is_request() const { return status_ == 0; }
  bool is_response() const { return status_ != 0; }
  Method method() const { return method_; }  ///< of a request
  std::string_view method_text() const { return view(method_at_, method_size_); }
  std::string_view request_uri() const { return view(target_at_, target_size_); }
  int status() const { return status_; }  ///< of a response; 0 for a request
  std::string_view reason() const { return view(target_at_, target_size_); }

  /// The first field of that name; nothing if absent.
  std::optional<std::string_view> header(HeaderName name) const;
  /// The first field spelled so (any case, long form), for names the enum does not know.
  std::optional<std::string_view> header(std::string_view name) const;
  /// All fields of that name in order. Comma-separated lists are already split by the parser (never
  /// the ones that RFC 3261 §7.3.1 exempts: Authorization, Proxy-Authorization, WWW-Authenticate,
  /// Proxy-Authenticate; nor Date, Subject and the like whose grammar has no list).
  std::vector<std::string_view> headers(HeaderName name) const;
  std::size_t count(HeaderName name) const;
  const std::vector<Field>& fields() const { return fields_; }
  std::string_view field_name(const Field& field) const;  ///< canonical if known, else as written
  std::string_view field_value(const Field& field) const {
    return view(field.value_at, field.value_size);
  }

  void add(HeaderName name, std::string_view value);
  void add(std::string_view name, std::string_view value);
  /// In front of the others of its name (a Via).
  void prepend(HeaderName name, std::string_view value);
  /// Replaces all fields of that name by this one.
  void set(HeaderName name, std::string_view value);
  void remove(HeaderName name);
  void remove_first(HeaderName name);
  void set_request_uri(std::string_view uri);

  std::string_view body() const { return view(body_at_, body_size_); }
  /// Replaces body and Content-Type. An empty body removes both.
  void set_body(std::string_view content_type, std::string_view body);

  /// The octets for the wire: canonical names, one line a field, Content-Length always right (RFC
  /// 3261 §7.3). Values are guarded: a CR, LF or NUL inside a value is replaced by a space (but a
  /// NUL that is a quoted-pair stays), and a field whose name is not a token is left out, so no
  /// field can forge another.
  std::string serialize() const;

 private:
  friend class Parser;
  std::string_view view(std::uint32_t at, std::uint32_t size) const {
    return std::string_view(text_).substr(at, size);
  }
  std::uint32_t append(std::string_view text);
  Field make_field(HeaderName name, std::string_view spelled, std::string_view value);

  std::string text_;
  int status_ = 0;
  Method method_ = Method::unknown;
  std::uint32_t method_at_ = 0, method_size_ = 0;
  std::uint32_t target_at_ = 0, target_size_ = 0;  ///< Request-URI or reason phrase
  std::uint32_t body_at_ = 0, body_size_ = 0;
  std::vector<Field> fields_;
};

}  // namespace trunkline::sip
