#include "call_control/validation.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <array>

namespace trunkline::call_control {
namespace {

constexpr auto kAllowedHeaders = std::to_array<std::string_view>(
    {"subject", "priority", "alert-info", "call-info", "user-to-user", "accept-language",
     "answer-mode", "priv-answer-mode", "p-asserted-service", "p-preferred-service",
     "resource-priority"});

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool consists_of(std::string_view text, std::string_view marks) {
  return std::ranges::all_of(
      text, [marks](char c) { return is_alphanumeric(c) || marks.find(c) != marks.npos; });
}

/// RFC 3261 §25.1 token.
bool is_token(std::string_view text) {
  return !text.empty() && consists_of(text, "-.!%*_+`'~");
}

/// Of RFC 3261's user part what needs no escape and separates nothing; and '#', which the writer
/// escapes.
bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNumber && consists_of(text, "+*#-._~!'()");
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxId && consists_of(text, "-._~+:@");
}

/// All that a URI may hold (RFC 3986 §2) but what could end it inside a header.
bool is_uri(std::string_view text) {
  return text.size() <= kMaxUri && consists_of(text, "-._~:/?#[]@!$&'()*+,;=%");
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

bool has_uri_scheme(std::string_view text) {
  const std::string head = lowered(text.substr(0, 5));
  return head.starts_with("sip:") || head.starts_with("sips:") || head.starts_with("tel:");
}

bool is_party(std::string_view value) {
  if (value.starts_with("user:")) return is_number(value.substr(5));
  if (value.starts_with("service:")) return is_name(value.substr(8));
  if (has_uri_scheme(value)) return is_uri(value) && value.find(':') + 1 < value.size();
  return is_number(value);
}

constexpr std::string_view kPartyForms =
    "is none of user:NAME, service:NAME, a number, or a sip:, sips: or tel: URI";

}  // namespace

bool is_printable(std::string_view text) {
  if (!is_utf8(text)) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<unsigned char>(text[i]);
    if (octet < 0x20 || octet == 0x7f) return false;
    if (octet == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;
    if (text.substr(i, 3) == "\xe2\x80\xa8" || text.substr(i, 3) == "\xe2\x80\xa9") return false;
  }
  return true;
}

bool is_allowed_header(std::string_view name) {
  if (!is_token(name) || name.size() > kMaxHeaderName) return false;
  const std::string key = lowered(name);
  if (key.starts_with("x-")) return key.size() > 2;
  return std::ranges::find(kAllowedHeaders, key) != kAllowedHeaders.end();
}

void Violations::check_party(std::string_view field, std::string_view value, Presence presence) {
  if (value.empty()) {
    if (presence == Presence::required) add(std::string(field), "is required");
  } else if (!is_party(value)) {
    add(std::string(field), std::string(kPartyForms));
  }
}

void Violations::check_target(std::string_view field, std::string_view value, Presence presence) {
  if (value.starts_with("trunk:")) return check_name(field, value.substr(6), Presence::required);
  check_party(field, value, presence);
}

void Violations::check_number(std::string_view field, std::string_view value, Presence presence) {
  if (value.empty()) {
    if (presence == Presence::required) add(std::string(field), "is required");
  } else if (!is_number(value)) {
    add(std::string(field), "holds what a number or user name can't, or is longer than " +
                                std::to_string(kMaxNumber) + " characters");
  }
}

void Violations::check_name(std::string_view field, std::string_view value, Presence presence) {
  if (value.empty()) {
    if (presence == Presence::required) add(std::string(field), "is required");
  } else if (!is_name(value)) {
    add(std::string(field),
        "is no such name: letters, digits and -._~+:@, at most " + std::to_string(kMaxId));
  }
}

void Violations::check_text(std::string_view field, std::string_view value, std::size_t max) {
  if (value.size() > max) {
    add(std::string(field), "is longer than " + std::to_string(max) + " octets");
  } else if (!is_printable(value)) {
    add(std::string(field), "holds control characters or is not UTF-8");
  }
}

void Violations::check_header(std::string_view field, std::string_view name,
                              std::string_view value) {
  if (!is_allowed_header(name)) {
    add(std::string(field) + ".name",
        "may not be set: a name that begins with X- or one of the list in the documentation");
  }
  check_text(std::string(field) + ".value", value, kMaxHeaderValue);
}

void Violations::check_request_id(std::string_view field, std::string_view value) {
  const bool ascii = std::ranges::all_of(value, [](char c) { return c > 0x20 && c < 0x7f; });
  if (value.size() > kMaxRequestId || !ascii) {
    add(std::string(field),
        "is not of at most " + std::to_string(kMaxRequestId) + " printable ASCII characters");
  }
}

void Violations::check_digits(std::string_view field, std::string_view value) {
  if (value.empty()) return add(std::string(field), "is required");
  if (value.size() > kMaxDigits || value.find_first_not_of("0123456789*#ABCD") != value.npos) {
    add(std::string(field),
        "is not of at most " + std::to_string(kMaxDigits) + " of 0 to 9, *, #, A to D");
  }
}

void Violations::check_refusal_code(std::string_view field, int value) {
  if (value != 0 && (value < 400 || value > 699)) add(std::string(field), "is not in 400 to 699");
}

std::optional<Duration> Violations::check_duration(std::string_view field,
                                                   const google::protobuf::Duration& value,
                                                   Duration least, Duration most) {
  using std::chrono::duration_cast;
  const auto in_seconds = [](Duration d) { return duration_cast<seconds>(d).count(); };
  // Seconds are compared first, so that no sum can overflow.
  const bool proper = value.nanos() >= 0 && value.nanos() < 1'000'000'000 && value.seconds() >= 0 &&
                      value.seconds() <= in_seconds(most);
  const Duration length = proper
                              ? Duration(seconds{value.seconds()}) +
                                    duration_cast<Duration>(std::chrono::nanoseconds{value.nanos()})
                              : Duration{};
  if (!proper || length < least || length > most) {
    const auto in_words = [](Duration d) {
      return std::to_string(duration_cast<milliseconds>(d).count()) + " ms";
    };
    add(std::string(field), "is not from " + in_words(least) + " to " + in_words(most));
    return std::nullopt;
  }
  return length;
}

}  // namespace trunkline::call_control
