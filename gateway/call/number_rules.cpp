#include "call/number_rules.hpp"

#include "call/expression.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

namespace trunkline::call {
namespace {

constexpr std::size_t kMaxNumber = 256;  ///< octets
constexpr std::string_view kSeparators = "-.()";

std::string without_separators(std::string_view number) {
  std::string plain;
  for (const char c : number.substr(0, number.find(';'))) {
    if (kSeparators.find(c) == std::string_view::npos) plain += c;
  }
  return is_telephone_number(plain) ? plain : std::string(number);
}

}  // namespace

Result<NumberRules> NumberRules::make(const std::vector<RewriteRule>& rules) {
  NumberRules made;
  for (const RewriteRule& rule : rules) {
    const std::string label = "rule " + std::to_string(made.rules_.size() + 1) + ": ";
    auto expression = std::make_shared<const RE2>(rule.match, expression_options());
    if (!expression->ok()) return fail(label + "match: " + expression->error());
    std::string problem;
    if (!expression->CheckRewriteString(rule.replace, &problem))
      return fail(label + "replace: " + problem);
    made.rules_.push_back({std::move(expression), rule.replace});
  }
  return made;
}

std::string NumberRules::apply(std::string number) const {
  if (number.size() > kMaxNumber) return number;
  for (const Rule& rule : rules_) {
    std::string changed = number;
    if (!RE2::Replace(&changed, *rule.expression, rule.replace)) continue;
    const bool usable = !changed.empty() && changed.size() <= kMaxNumber &&
                        std::ranges::none_of(changed, [](char c) { return sip::is_control(c); });
    return usable ? changed : number;
  }
  return number;
}

bool is_telephone_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return sip::is_digit(c) || c == '*' || c == '#' || (c >= 'A' && c <= 'D');
  });
}

std::string number_of(const sip::Uri& uri) {
  const std::string user = uri.unescaped_user();
  const bool telephone = uri.scheme == sip::Uri::Scheme::tel ||
                         sip::equals_ignoring_case(uri.parameter("user"), "phone");
  return telephone ? without_separators(user) : user;
}

sip::Uri number_uri(std::string_view number, std::string_view host, NumberForm form) {
  sip::Uri uri = sip::Uri::sip(number, host);
  if (form == NumberForm::sip || !is_telephone_number(number)) return uri;
  if (form == NumberForm::phone) {
    sip::set_parameter(uri.parameters, "user", "phone");
    return uri;
  }
  uri = {};
  uri.scheme = sip::Uri::Scheme::tel;
  uri.user = number;
  if (!number.starts_with('+'))
    sip::set_parameter(uri.parameters, "phone-context", std::string(host));
  return uri;
}

}  // namespace trunkline::call
