#include "call/trace_mask.hpp"

#include "sip/message.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace trunkline::call {
namespace {

constexpr char kMask = 'x';

bool is_line_end(char c) {
  return c == '\r' || c == '\n';
}

/// A set of octets, for loops that look at each.
class Octets {
 public:
  constexpr explicit Octets(std::string_view members) {
    for (const char c : members)
      table_[static_cast<unsigned char>(c)] = true;
  }
  bool has(char c) const { return table_[static_cast<unsigned char>(c)]; }

 private:
  std::array<bool, 256> table_{};
};

bool ends_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         sip::begins_ignoring_case(text.substr(text.size() - lower.size()), lower);
}

template <std::size_t count>
bool is_one_of(std::string_view text, const std::array<std::string_view, count>& names) {
  return std::ranges::any_of(
      names, [&](std::string_view name) { return sip::equals_ignoring_case(text, name); });
}

/// Whoever says so in a field's or parameter's name has a secret there.
constexpr std::array<std::string_view, 8> kSecretWords = {"ha1",   "passw",  "pwd",        "secret",
                                                          "token", "cookie", "credential", "key"};
/// What they begin with, for a first look.
constexpr Octets kSecretInitials("hpstckHPSTCK");
bool names_a_secret(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!kSecretInitials.has(name[i])) continue;
    const char initial = sip::to_lower(name[i]);
    for (const std::string_view word : kSecretWords) {
      if (word.front() == initial && sip::begins_ignoring_case(name.substr(i), word)) return true;
    }
  }
  return false;
}

/// Fields that most messages have, and whose names say nothing of a secret.
bool is_plain_field(sip::HeaderName name) {
  using sip::HeaderName;
  switch (name) {
    case HeaderName::via:
    case HeaderName::from:
    case HeaderName::to:
    case HeaderName::call_id:
    case HeaderName::cseq:
    case HeaderName::contact:
    case HeaderName::max_forwards:
    case HeaderName::route:
    case HeaderName::record_route:
    case HeaderName::allow:
    case HeaderName::supported:
    case HeaderName::require:
    case HeaderName::user_agent:
    case HeaderName::server:
    case HeaderName::expires:
    case HeaderName::session_expires:
    case HeaderName::min_se:
    case HeaderName::content_type:
    case HeaderName::content_length:
      return true;
    default:
      return false;
  }
}

constexpr std::array<std::string_view, 3> kSecretParameters = {"pn-prid", "pn-param", "postd"};
/// Parts of credentials and challenges that may be seen (RFC 7616 §3.3, §3.4).
constexpr std::array<std::string_view, 9> kOpenParts = {
    "username", "realm", "uri", "algorithm", "qop", "nc", "stale", "domain", "userhash"};
constexpr std::array<std::string_view, 7> kSecretParts = {
    "response", "nonce", "cnonce", "opaque", "nextnonce", "rspauth", "auts"};
constexpr std::array<std::string_view, 3> kSchemes = {"Digest", "Basic", "Bearer"};
constexpr std::array<std::string_view, 3> kOpenUriHeaders = {"Replaces", "Require", "Supported"};

bool is_secret_parameter(std::string_view name) {
  return names_a_secret(name) || sip::contains_ignoring_case(name, "auth") ||
         is_one_of(name, kSecretParameters);
}

/// Attributes of a description that hold keys, wherever in a line they stand before a colon.
constexpr std::array<std::string_view, 4> kKeyAttributes = {"crypto", "key-mgmt", "pwd", "inline"};

constexpr Octets kAtColon(":@");
constexpr Octets kFieldSeparators(" \t,;\r\n");
constexpr Octets kCredentialToken(" \t,;\"=\r\n");
constexpr Octets kCredentialValue(" \t,;\"\r\n");
constexpr Octets kUriEnd(" \t\r\n<>\"");
constexpr Octets kParameterStart(";?&");
constexpr Octets kParameterName("=;,?&<> \t\"");
constexpr Octets kParameterValue(";,?&> \t\"");
constexpr Octets kUriHeaderValue("&> \t\"");

/// Part of the message that is looked at: [begin, end).
struct Span {
  std::size_t begin = 0, end = 0;
};

class Masker {
 public:
  explicit Masker(std::string& text) : text_(text), feed_(std::min(text.find('\n'), text.size())) {}
  void run();

 private:
  enum class Field { plain, credentials, secret };
  enum class Body { none, description, fragment, hidden };

  std::string_view view(Span span) const {
    return std::string_view(text_).substr(span.begin, span.end - span.begin);
  }
  /// The line at `at_` without its end; moves behind it.
  Span next_line();
  /// The first of these octets from `at` on; the end of the span if there is none.
  std::size_t until(Span span, std::size_t at, const Octets& stops) const;
  void mask(Span span);

  void header_line(Span line);
  void note(sip::HeaderName known, std::string_view name, std::string_view value);
  void plain(Span span);
  void credentials(Span span);
  std::size_t quoted(Span span, std::size_t at, bool open);
  void uri_passwords(Span span);
  void parameters(Span span);
  void description_line(Span line);
  void crypto(Span span);
  void body();

  std::string& text_;
  std::size_t at_ = 0;
  std::size_t feed_;            ///< the first line feed from `at_` on, or where the text ends
  Field field_ = Field::plain;  ///< what the lines that continue a field belong to
  Body body_ = Body::none;
};

Span Masker::next_line() {
  const std::size_t begin = at_;
  if (feed_ < begin) feed_ = std::min(text_.find('\n', begin), text_.size());
  const std::size_t end = std::min(view({begin, feed_}).find('\r'), feed_ - begin) + begin;
  at_ = end;
  if (at_ < text_.size()) ++at_;
  if (text_[end] == '\r' && at_ < text_.size() && text_[at_] == '\n') ++at_;
  return {begin, end};
}

std::size_t Masker::until(Span span, std::size_t at, const Octets& stops) const {
  while (at < span.end && !stops.has(text_[at]))
    ++at;
  return at;
}

void Masker::mask(Span span) {
  for (std::size_t i = span.begin; i < span.end; ++i) {
    if (!is_line_end(text_[i])) text_[i] = kMask;
  }
}

void Masker::run() {
  while (at_ < text_.size() && is_line_end(text_[at_]))
    ++at_;
  const std::string_view start = view({at_, text_.size()});
  if (start.starts_with("INFO ") || start.starts_with("MESSAGE ")) body_ = Body::hidden;
  while (at_ < text_.size()) {
    const Span line = next_line();
    if (line.begin == line.end) return body();
    header_line(line);
  }
}

/// A line that continues the one before is looked at for itself too: what is a continuation to us
/// may be a field to others.
void Masker::header_line(Span line) {
  const bool continued = sip::is_blank(text_[line.begin]);
  const std::string_view text = view(line);
  std::size_t first = 0;
  while (first < text.size() && (sip::is_blank(text[first]) || sip::is_control(text[first])))
    ++first;
  const std::size_t colon = text.find(':');
  Span value = line;
  Field own = Field::plain;
  if (colon != std::string_view::npos && colon > first) {
    std::size_t last = colon;
    while (last > first && (sip::is_blank(text[last - 1]) || sip::is_control(text[last - 1])))
      --last;
    const std::string_view name = text.substr(first, last - first);
    const sip::HeaderName known = sip::parse_header_name(name);
    if (!is_plain_field(known)) {
      if (sip::contains_ignoring_case(name, "auth")) {
        own = Field::credentials;
      } else if (names_a_secret(name)) {
        own = Field::secret;
      }
    }
    if (own != Field::plain || !continued) value.begin = line.begin + colon + 1;
    note(known, name, sip::trim(text.substr(colon + 1)));
  }
  if (own != Field::plain || !continued) field_ = own;
  if (value.begin == line.begin && !continued) field_ = Field::plain;
  if (field_ == Field::secret) return mask(value);
  if (field_ == Field::credentials) credentials(value);
  plain(line);
  description_line(line);
}

/// What the field says of the body: it is shown only if all agree that it may be.
void Masker::note(sip::HeaderName known, std::string_view name, std::string_view value) {
  using sip::equals_ignoring_case;
  using sip::HeaderName;
  if (known == HeaderName::content_type) {
    const std::string_view type = sip::trim(value.substr(0, value.find(';')));
    Body named = Body::hidden;
    if (equals_ignoring_case(type, "application/sdp")) named = Body::description;
    if (equals_ignoring_case(type, "message/sipfrag")) named = Body::fragment;
    body_ = body_ == Body::none || body_ == named ? named : Body::hidden;
  } else if (known == HeaderName::cseq) {
    if (value.ends_with("INFO") || value.ends_with("MESSAGE")) body_ = Body::hidden;
  } else if (is_plain_field(known)) {
    return;
  } else if (sip::contains_ignoring_case(name, "encoding") ||
             known == HeaderName::content_encoding) {
    if (!sip::contains_ignoring_case(name, "accept") && !equals_ignoring_case(value, "identity"))
      body_ = Body::hidden;
  }
}

void Masker::plain(Span span) {
  uri_passwords(span);
  parameters(span);
}

/// Digest, Basic and other credentials and challenges, in a grammar that takes them all: what is
/// not known to be open is masked.
void Masker::credentials(Span span) {
  std::size_t at = span.begin;
  while (at < span.end) {
    if (kFieldSeparators.has(text_[at])) {
      ++at;
      continue;
    }
    if (text_[at] == '"') {
      at = quoted(span, at, false);
      continue;
    }
    const Span token{at, until(span, at, kCredentialToken)};
    std::size_t equals = token.end;
    while (equals < span.end && sip::is_blank(text_[equals]))
      ++equals;
    if (equals == span.end || text_[equals] != '=') {
      if (!is_one_of(view(token), kSchemes)) mask(token);
      at = token.end;
      continue;
    }
    const bool open = is_one_of(view(token), kOpenParts);
    if (!open && !is_one_of(view(token), kSecretParts)) mask(token);
    at = equals + 1;
    while (at < span.end && sip::is_blank(text_[at]))
      ++at;
    if (at < span.end && text_[at] == '"') {
      at = quoted(span, at, open);
      continue;
    }
    const Span value{at, until(span, at, kCredentialValue)};
    if (!open) mask(value);
    at = value.end;
  }
}

/// A quoted string; where it has no end, all the rest is taken for it and masked. Returns what is
/// behind.
std::size_t Masker::quoted(Span span, std::size_t at, bool open) {
  const std::size_t size = sip::end_of_quoted(view({at, span.end}), 0);
  if (size == std::string_view::npos) {
    mask({at + 1, span.end});
    return span.end;
  }
  if (!open) mask({at + 1, at + size - 1});
  return at + size;
}

/// user:password@ behind sip:, sips: and ://
void Masker::uri_passwords(Span span) {
  if (view(span).find('@') == std::string_view::npos) return;
  // The text without a blank that `at` stands in, and its last '@': looked for once, however many
  // URIs it looks like.
  Span word;
  std::size_t last = 0;
  for (std::size_t at = span.begin; at < span.end; ++at) {
    if (text_[at] != ':') continue;
    const std::string_view before = view({span.begin, at});
    const bool sip_uri = ends_ignoring_case(before, "sip") || ends_ignoring_case(before, "sips");
    if (!sip_uri && !view({at, span.end}).starts_with("://")) continue;
    const std::size_t begin = at + (sip_uri ? 1 : 3);
    if (begin > word.end) {
      word = {begin, until(span, begin, kUriEnd)};
      last = view(word).rfind('@');
      if (last != std::string_view::npos) last += begin;
    }
    if (last == std::string_view::npos || last < begin) continue;
    const std::size_t user_end = until(word, begin, kAtColon);
    if (user_end < last) mask({user_end + 1, last});
  }
}

/// ;name=value, and ?name=value&name=value of URIs.
void Masker::parameters(Span span) {
  for (std::size_t at = until(span, span.begin, kParameterStart); at < span.end;
       at = until(span, at + 1, kParameterStart)) {
    const bool uri_header = text_[at] != ';';
    std::size_t first = at + 1;
    while (first < span.end && sip::is_blank(text_[first]))
      ++first;
    const Span name{first, until(span, first, kParameterName)};
    std::size_t equals = name.end;
    while (equals < span.end && sip::is_blank(text_[equals]))
      ++equals;
    if (equals >= span.end || text_[equals] != '=') continue;
    const bool open =
        uri_header ? is_one_of(view(name), kOpenUriHeaders) : !is_secret_parameter(view(name));
    if (open) continue;
    std::size_t value = equals + 1;
    while (value < span.end && sip::is_blank(text_[value]))
      ++value;
    if (value < span.end && text_[value] == '"') {
      quoted(span, value, false);
    } else {
      mask({value, until(span, value, uri_header ? kUriHeaderValue : kParameterValue)});
    }
  }
}

/// A line of a session description (RFC 8866), attributes behind others included (RFC 5939).
void Masker::description_line(Span line) {
  const std::string_view text = view(line);
  if (text.size() < 2 || text[1] != '=') return;
  const char type = sip::to_lower(text[0]);
  if (type == 'k') return mask({line.begin + 2, line.end});
  if (type != 'a') return;
  const std::size_t name_end = std::min(text.find(':'), text.size());
  const std::string_view name = text.substr(2, name_end - 2);
  const std::size_t value = std::min(line.begin + name_end + 1, line.end);
  if (sip::equals_ignoring_case(name, "crypto")) return crypto({value, line.end});
  if (names_a_secret(name)) return mask({value, line.end});
  for (std::size_t at = value; at < line.end; ++at) {
    if (text_[at] != ':') continue;
    const std::string_view before = view({line.begin, at});
    if (std::ranges::any_of(kKeyAttributes, [&](std::string_view attribute) {
          return ends_ignoring_case(before, attribute);
        })) {
      return mask({at + 1, line.end});
    }
  }
}

/// a=crypto:TAG SUITE KEYS: tag, suite and the method's name stay (RFC 4568 §9.1).
void Masker::crypto(Span span) {
  constexpr std::size_t kLongestSuite = 32;
  const std::string_view text = view(span);
  const std::size_t tag = text.find_first_not_of("0123456789");
  const std::size_t suite = text.find_first_not_of(' ', std::min(tag, text.size()));
  const std::size_t keys = text.find(' ', std::min(suite, text.size()));
  const bool understood =
      keys != std::string_view::npos && tag < suite && keys - suite <= kLongestSuite &&
      std::ranges::all_of(text.substr(suite, keys - suite),
                          [](char c) { return sip::is_alphanumeric(c) || c == '_'; });
  if (!understood) return mask(span);
  std::size_t secret = std::min(text.find_first_not_of(' ', keys), text.size());
  constexpr std::string_view kMethod = "inline:";
  if (sip::equals_ignoring_case(text.substr(secret, kMethod.size()), kMethod))
    secret += kMethod.size();
  mask({span.begin + secret, span.end});
}

void Masker::body() {
  field_ = Field::plain;
  const Body kind = body_;
  while (at_ < text_.size()) {
    if (kind != Body::description && kind != Body::fragment) break;
    const Span line = next_line();
    if (line.begin == line.end) {
      if (kind == Body::fragment) break;
      continue;
    }
    const bool description = line.end - line.begin >= 2 && text_[line.begin + 1] == '=' &&
                             sip::is_alpha(text_[line.begin]);
    if (kind == Body::description && !description) {
      mask(line);
    } else {
      header_line(line);
    }
  }
  mask({at_, text_.size()});
}

}  // namespace

void mask_secrets(std::string& message) {
  Masker(message).run();
}

}  // namespace trunkline::call
