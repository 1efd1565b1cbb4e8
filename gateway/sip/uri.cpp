#include "sip/uri.hpp"

#include "base/net_address.hpp"
#include "sip/parts.hpp"
#include "sip/syntax.hpp"
#include "sip/uri_header.hpp"

#include <algorithm>
#include <array>

namespace trunkline::sip {
namespace {

// Comparing is quadratic in the parameters; no URI in use has a tenth of these.
constexpr int kMaxParameters = 64;

// RFC 3261 §25.1 `reserved`: an escaped one is not the same as the plain one (§19.1.4).
constexpr std::string_view kReserved = ";/?:@&=+$,";
// What may stand unescaped in `user` besides letters and digits: mark and user-unreserved.
constexpr std::string_view kUserPlain = "-_.!~*'()&=+$,;?/";
// The same in a parameter: mark and param-unreserved.
constexpr std::string_view kParameterPlain = "-_.!~*'()[]/:&+$";
constexpr std::string_view kHex = "0123456789ABCDEF";

std::string escape(std::string_view text, std::string_view plain) {
  std::string escaped;
  escaped.reserve(text.size());
  for (char c : text) {
    if (is_alphanumeric(c) || plain.find(c) != std::string_view::npos) {
      escaped.push_back(c);
      continue;
    }
    const auto code = static_cast<unsigned char>(c);
    escaped.push_back('%');
    escaped.push_back(kHex[code >> 4]);
    escaped.push_back(kHex[code & 15]);
  }
  return escaped;
}

bool is_uri_char(char c) {
  return !is_control(c) && c != ' ' && c != '<' && c != '>' && c != '"';
}

bool is_scheme(std::string_view text) {
  return !text.empty() && is_alpha(text.front()) && std::ranges::all_of(text, [](char c) {
    return is_alphanumeric(c) || c == '+' || c == '-' || c == '.';
  });
}

Uri::Scheme scheme_of(std::string_view name) {
  if (equals_ignoring_case(name, "sip")) return Uri::Scheme::sip;
  if (equals_ignoring_case(name, "sips")) return Uri::Scheme::sips;
  if (equals_ignoring_case(name, "tel")) return Uri::Scheme::tel;
  return Uri::Scheme::other;
}

std::string_view scheme_text(Uri::Scheme scheme) {
  switch (scheme) {
    case Uri::Scheme::sip:
      return "sip:";
    case Uri::Scheme::sips:
      return "sips:";
    case Uri::Scheme::tel:
      return "tel:";
    case Uri::Scheme::other:
      return "";
  }
  return "";
}

/// Cuts `text` at the first of `stops` and returns what was in front; `text` keeps the rest with
/// the stop.
std::string_view cut(std::string_view& text, std::string_view stops) {
  const auto end = std::ranges::find_first_of(text, stops);
  const std::string_view front(text.begin(), end);
  text.remove_prefix(front.size());
  return front;
}

bool are_uri_parameters(std::string_view text) {
  for (int count = 0; !text.empty(); ++count) {
    if (count == kMaxParameters) return false;
    const std::string_view parameter = cut(text, ";");
    if (!text.empty()) text.remove_prefix(1);
    if (!parameter.empty() && parameter.front() == '=') return false;
  }
  return true;
}

bool split_userinfo(std::string_view& rest, UriParts& parts) {
  const std::size_t at = rest.find('@');
  if (at == std::string_view::npos) return true;
  std::string_view userinfo = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  parts.user = cut(userinfo, ":");
  if (!userinfo.empty()) parts.password = userinfo.substr(1);
  return !parts.user.empty();
}

bool split_host_port(std::string_view& rest, UriParts& parts) {
  if (!rest.empty() && rest.front() == '[') {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return false;
    parts.host = rest.substr(0, end + 1);
    rest.remove_prefix(end + 1);
  } else {
    parts.host = cut(rest, ":;?");
  }
  if (!is_host(parts.host)) return false;
  if (rest.empty() || rest.front() != ':') return true;
  rest.remove_prefix(1);
  parts.port = parse_port(cut(rest, ";?"));
  return parts.port.has_value();
}

bool split_tail(std::string_view rest, UriParts& parts) {
  if (!rest.empty() && rest.front() == ';') {
    rest.remove_prefix(1);
    parts.parameters = cut(rest, "?");
    if (!are_uri_parameters(parts.parameters)) return false;
  }
  if (rest.empty()) return true;
  if (rest.front() != '?') return false;
  parts.headers = rest.substr(1);
  return true;
}

bool is_telephone_char(char c) {
  return hex_value(c) >= 0 || std::string_view("+*#-.()").find(c) != std::string_view::npos;
}

bool split_tel(std::string_view rest, UriParts& parts) {
  parts.user = cut(rest, ";");
  if (!std::ranges::all_of(parts.user, is_telephone_char)) return false;
  if (parts.user.rfind('+') != 0 && parts.user.find('+') != std::string_view::npos) return false;
  if (!std::ranges::any_of(parts.user,
                           [](char c) { return hex_value(c) >= 0 || c == '*' || c == '#'; }))
    return false;
  if (!rest.empty()) parts.parameters = rest.substr(1);
  return are_uri_parameters(parts.parameters);
}

/// Escapes of characters that need none are resolved, the others written in one way, so that equal
/// texts mean equal parts (RFC 3261 §19.1.4).
std::string normalized(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || i + 2 >= text.size() || hex_value(text[i + 1]) < 0 ||
        hex_value(text[i + 2]) < 0) {
      result.push_back(text[i]);
      continue;
    }
    const int code = hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]);
    const char plain = static_cast<char>(code);
    if (plain == '%' || kReserved.find(plain) != std::string_view::npos) {
      result.push_back('%');
      result.push_back(kHex[static_cast<std::size_t>(code) >> 4]);
      result.push_back(kHex[static_cast<std::size_t>(code) & 15]);
    } else {
      result.push_back(plain);
    }
    i += 2;
  }
  return result;
}

bool same_text(std::string_view a, std::string_view b) {
  return equals_ignoring_case(normalized(a), normalized(b));
}

bool same_name(std::string_view a, std::string_view b) {
  const bool escaped =
      a.find('%') != std::string_view::npos || b.find('%') != std::string_view::npos;
  return escaped ? same_text(a, b) : equals_ignoring_case(a, b);
}

const Parameter* find_normalized(const Parameters& parameters, std::string_view name) {
  const auto found = std::ranges::find_if(
      parameters, [&](const Parameter& other) { return same_name(other.name, name); });
  return found == parameters.end() ? nullptr : &*found;
}

/// A name must not come twice (RFC 3261 §19.1.1); if it does, the first counts for everybody.
Parameters uri_parameters(std::string_view text) {
  Parameters parameters;
  while (!text.empty()) {
    std::string_view value = cut(text, ";");
    if (!text.empty()) text.remove_prefix(1);
    const std::string_view name = cut(value, "=");
    if (name.empty() || find_normalized(parameters, name) != nullptr) continue;
    Parameter& parameter = parameters.emplace_back();
    parameter.name = name;
    if (!value.empty()) parameter.value = value.substr(1);
  }
  return parameters;
}

bool same_value(const Parameter& a, const Parameter& b) {
  return a.value.has_value() == b.value.has_value() && (!a.value || same_text(*a.value, *b.value));
}

/// Every parameter of `a` agrees with `b`. With `all`, none may be missing there; else only those
/// that change where or how a request goes (RFC 3261 §19.1.4).
bool parameters_agree(const Parameters& a, const Parameters& b, bool all) {
  static constexpr std::array<std::string_view, 5> kNeverIgnored = {"user", "ttl", "method",
                                                                    "maddr", "transport"};
  return std::ranges::all_of(a, [&](const Parameter& parameter) {
    if (const Parameter* other = find_normalized(b, parameter.name))
      return same_value(parameter, *other);
    return !all && std::ranges::none_of(kNeverIgnored, [&](std::string_view name) {
      return same_name(parameter.name, name);
    });
  });
}

bool same_host(std::string_view a, std::string_view b) {
  if (equals_ignoring_case(a, b)) return true;
  if (a.empty() || b.empty() || a.front() != '[' || b.front() != '[') return false;
  return IpAddress::parse(a) == IpAddress::parse(b);
}

/// Header components compare as a set: the order does not matter, but none may be missing.
std::vector<std::string> header_set(std::string_view headers) {
  std::vector<std::string> set;
  while (!headers.empty()) {
    std::string_view value = cut(headers, "&");
    if (!headers.empty()) headers.remove_prefix(1);
    const std::string_view name = cut(value, "=");
    set.push_back(lower_case(normalized(name)) + normalized(value));
  }
  std::ranges::sort(set);
  return set;
}

std::string without_separators(std::string_view number) {
  std::string digits = lower_case(number);
  std::erase_if(digits,
                [](char c) { return std::string_view("-.()").find(c) != std::string_view::npos; });
  return digits;
}

/// phone-context is compared as a number if it is one (RFC 3966 §5).
Parameters comparable_tel_parameters(Parameters parameters) {
  for (Parameter& parameter : parameters) {
    const bool number = parameter.value && parameter.value->starts_with('+');
    if (number) parameter.value = without_separators(*parameter.value);
  }
  return parameters;
}

}  // namespace

std::optional<UriParts> split_uri(std::string_view text) {
  if (!std::ranges::all_of(text, is_uri_char)) return std::nullopt;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon))) return std::nullopt;
  UriParts parts;
  parts.scheme = scheme_of(text.substr(0, colon));
  std::string_view rest = text.substr(colon + 1);
  if (rest.empty()) return std::nullopt;
  bool good = true;
  switch (parts.scheme) {
    case Uri::Scheme::sip:
    case Uri::Scheme::sips:
      good = split_userinfo(rest, parts) && split_host_port(rest, parts) && split_tail(rest, parts);
      break;
    case Uri::Scheme::tel:
      good = split_tel(rest, parts);
      break;
    case Uri::Scheme::other:
      break;
  }
  if (!good) return std::nullopt;
  return parts;
}

const Parameter* find_parameter(const Parameters& parameters, std::string_view name) {
  const auto found = std::ranges::find_if(parameters, [&](const Parameter& parameter) {
    return equals_ignoring_case(parameter.name, name);
  });
  return found == parameters.end() ? nullptr : &*found;
}

std::string_view parameter_value(const Parameters& parameters, std::string_view name) {
  const Parameter* const parameter = find_parameter(parameters, name);
  return parameter != nullptr && parameter->value ? std::string_view(*parameter->value)
                                                  : std::string_view();
}

void set_parameter(Parameters& parameters, std::string_view name,
                   std::optional<std::string> value) {
  const auto found = std::ranges::find_if(parameters, [&](const Parameter& parameter) {
    return equals_ignoring_case(parameter.name, name);
  });
  if (found != parameters.end()) {
    found->value = std::move(value);
  } else {
    parameters.push_back({std::string(name), std::move(value)});
  }
}

Result<Uri> Uri::parse(std::string_view text) {
  const auto parts = split_uri(text);
  if (!parts) return fail("not a URI");
  Uri uri;
  uri.scheme = parts->scheme;
  if (uri.scheme == Scheme::other) {
    uri.opaque = text;
    return uri;
  }
  uri.user = parts->user;
  if (parts->password) uri.password = std::string(*parts->password);
  uri.host = host_text(parts->host);
  uri.port = parts->port;
  uri.parameters = uri_parameters(parts->parameters);
  uri.headers = parts->headers;
  return uri;
}

std::string Uri::text() const {
  if (scheme == Scheme::other) return opaque;
  std::string result(scheme_text(scheme));
  result += user;
  if (scheme != Scheme::tel) {
    if (password) result.append(":").append(*password);
    if (!user.empty()) result += '@';
    result += host;
    if (port) result.append(":").append(std::to_string(*port));
  }
  for (const Parameter& parameter : parameters) {
    result.append(";").append(parameter.name);
    if (parameter.value) result.append("=").append(*parameter.value);
  }
  if (!headers.empty()) result.append("?").append(headers);
  return result;
}

std::string Uri::unescaped_user() const {
  return unescape(user);
}

std::string Uri::transport() const {
  return lower_case(parameter("transport"));
}

bool Uri::equivalent(const Uri& other) const {
  if (scheme != other.scheme) return false;
  switch (scheme) {
    case Scheme::other:
      return opaque == other.opaque;
    case Scheme::tel: {
      const Parameters mine = comparable_tel_parameters(parameters);
      const Parameters theirs = comparable_tel_parameters(other.parameters);
      return without_separators(user) == without_separators(other.user) &&
             parameters_agree(mine, theirs, true) && parameters_agree(theirs, mine, true);
    }
    case Scheme::sip:
    case Scheme::sips:
      return normalized(user) == normalized(other.user) &&
             password.has_value() == other.password.has_value() &&
             normalized(password.value_or("")) == normalized(other.password.value_or("")) &&
             same_host(host, other.host) && port == other.port &&
             parameters_agree(parameters, other.parameters, false) &&
             parameters_agree(other.parameters, parameters, false) &&
             header_set(headers) == header_set(other.headers);
  }
  return false;
}

Uri Uri::sip(std::string_view user, std::string_view host, std::optional<std::uint16_t> port) {
  Uri uri;
  uri.user = escape_user(user);
  const bool bare_v6 = host.find(':') != std::string_view::npos && host.front() != '[';
  uri.host = bare_v6 ? "[" + std::string(host) + "]" : std::string(host);
  uri.port = port;
  return uri;
}

std::string unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
                        hex_value(text[i + 2]) >= 0;
    if (!escape) {
      plain.push_back(text[i]);
      continue;
    }
    plain.push_back(static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
    i += 2;
  }
  return plain;
}

std::string escape_user(std::string_view user) {
  return escape(user, kUserPlain);
}

std::string escape_parameter(std::string_view value) {
  return escape(value, kParameterPlain);
}

}  // namespace trunkline::sip
