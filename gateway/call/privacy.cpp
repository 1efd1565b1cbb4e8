#include "call/privacy.hpp"

#include "sip/syntax.hpp"

#include <algorithm>

namespace trunkline::call {
namespace {

constexpr std::string_view kNobody = "anonymous", kNowhere = "anonymous.invalid";
constexpr std::size_t kLongestValue = 32;  ///< octets

void take(Privacy& privacy, std::string_view value) {
  const std::string word = sip::lower_case(sip::trim(value));
  if (word == "none") {
    privacy.none = true;
  } else if (word == "header") {
    privacy.header = true;
  } else if (word == "session") {
    privacy.session = true;
  } else if (word == "user") {
    privacy.user = true;
  } else if (word == "id") {
    privacy.id = true;
  } else if (word == "history") {
    privacy.history = true;
  } else if (word == "critical") {
    privacy.critical = true;
  } else if (sip::is_token(word) && word.size() <= kLongestValue &&
             privacy.unknown.size() < kMaxPrivacyValues &&
             std::ranges::find(privacy.unknown, word) == privacy.unknown.end()) {
    privacy.unknown.push_back(word);
  }
}

}  // namespace

Privacy Privacy::of(const sip::Message& message) {
  Privacy privacy;
  for (std::string_view field : message.headers(sip::HeaderName::privacy)) {
    // RFC 3323 §4.2 separates by semicolons; commas are what some write.
    while (!field.empty()) {
      const std::size_t end = std::min(field.find_first_of(";,"), field.size());
      take(privacy, field.substr(0, end));
      field.remove_prefix(std::min(end + 1, field.size()));
    }
  }
  return privacy;
}

Privacy Privacy::anonymous() {
  Privacy privacy;
  privacy.user = privacy.id = true;
  return privacy;
}

std::string Privacy::unsatisfiable() const {
  std::string values;
  if (!critical || none) return values;
  for (const std::string& value : unknown)
    values += (values.empty() ? "" : ", ") + value;
  return values;
}

std::string Privacy::passed_on(bool with_history) const {
  if (none) return "none";
  std::string values;
  const auto add = [&values](std::string_view value) {
    values += (values.empty() ? "" : ";") + std::string(value);
  };
  // Without `id` the next one would show the identity that we assert.
  if (hides_party()) add("id");
  if (with_history && hides_history()) add("history");
  for (const std::string& value : unknown)
    add(value);
  if (critical && !values.empty()) add("critical");
  return values;
}

bool names_nobody(const sip::Uri& uri) {
  return sip::equals_ignoring_case(uri.host, kNowhere);
}

bool is_anonymous(const sip::Uri& uri) {
  return names_nobody(uri) || sip::equals_ignoring_case(uri.unescaped_user(), kNobody);
}

sip::Uri anonymous_uri() {
  return sip::Uri::sip(kNobody, kNowhere);
}

}  // namespace trunkline::call
