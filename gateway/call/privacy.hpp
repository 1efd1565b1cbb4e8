#pragma once
#include "sip/message.hpp"
#include "sip/uri.hpp"

#include <string>
#include <vector>

namespace trunkline::call {

/// What a peer asks us to keep from others (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1). A B2BUA
/// that ends signalling and media gives `header` and `session` to everybody; the rest is decided
/// where a party is presented.
struct Privacy {
  bool none = false;  ///< nothing may be hidden, whatever else stands there
  bool header = false, session = false, user = false, id = false, history = false;
  bool critical = false;             ///< refuse the request rather than leave out one of these
  std::vector<std::string> unknown;  ///< other values, in lower case; at most kMaxPrivacyValues

  /// Values without case, of all Privacy fields.
  static Privacy of(const sip::Message& message);
  /// Who asks for anonymity by any way, `id` included: a number in From would give away what
  /// P-Asserted-Identity keeps.
  static Privacy anonymous();

  /// Number and name stay here.
  bool hides_party() const { return !none && (user || id); }
  /// So do those who have sent the call on.
  bool hides_history() const { return !none && (history || header || session); }
  /// The values that must be given and can't be, comma-separated; empty: all can.
  std::string unsatisfiable() const;
  /// The Privacy value for a peer that is trusted to keep it: what we have not done ourselves (RFC
  /// 3323 §5). Empty: no field. `history`: it is told of diversions.
  std::string passed_on(bool history) const;
};

inline constexpr std::size_t kMaxPrivacyValues = 8;

/// Whether a URI says that it names nobody (RFC 3323 §4.1.1.3).
bool names_nobody(const sip::Uri& uri);
/// So, or in the ways that carriers say it: anonymous at any host.
bool is_anonymous(const sip::Uri& uri);
/// Anonymous <sip:anonymous@anonymous.invalid>
sip::Uri anonymous_uri();
inline constexpr std::string_view kAnonymous = "Anonymous";

}  // namespace trunkline::call
