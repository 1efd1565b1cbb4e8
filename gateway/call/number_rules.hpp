#pragma once
#include "base/result.hpp"
#include "call/settings.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace trunkline::call {

/// A trunk's rules for numbers of one kind and direction, compiled. The first whose expression is
/// found in the number counts: what it has found is replaced. RE2: linear in the input, bounded in
/// memory. A value; copies share the expressions.
class NumberRules {
 public:
  /// Fails with what is wrong: "rule 2: match: …" or "rule 2: replace: …".
  static Result<NumberRules> make(const std::vector<RewriteRule>& rules);
  NumberRules() = default;

  /// The number as the rules make it. One that is longer than 256 octets stays as it is, and so
  /// does one of which a rule would make something empty, longer, or with control characters.
  std::string apply(std::string number) const;

 private:
  struct Rule {
    std::shared_ptr<const re2::RE2> expression;
    std::string replace;
  };
  std::vector<Rule> rules_;
};

/// Digits, * and #, A to D, and perhaps a plus sign in front.
bool is_telephone_number(std::string_view text);
/// The number or name that a URI means: its user part, unescaped. A telephone number (a tel: URI,
/// or user=phone, RFC 3261 §19.1.6) comes without visual separators and parameters (RFC 3966 §5.1).
std::string number_of(const sip::Uri& uri);
/// A URI for a number, or name, at a host, in the form that a trunk wants. What is no telephone
/// number is a plain SIP URI in any form. Of tel: URIs a local number has the host as its context
/// (RFC 3966 §5.1.5).
sip::Uri number_uri(std::string_view number, std::string_view host, NumberForm form);

}  // namespace trunkline::call
