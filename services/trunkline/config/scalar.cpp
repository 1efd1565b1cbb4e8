#include "config/scalar.hpp"

#include "base/net_address.hpp"
#include "sip/uri.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace trunkline::config {
namespace {

constexpr std::size_t kMaxName = 64, kMaxHost = 253;

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr std::array<Unit, 5> kDurations{Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000},
                                         Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
constexpr std::array<Unit, 4> kSizes{Unit{"B", 1}, Unit{"KiB", 1 << 10}, Unit{"MiB", 1 << 20},
                                     Unit{"GiB", 1 << 30}};

bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// A whole number and a unit, without a space; a unit is needed even for 0.
std::optional<std::int64_t> parse_quantity(std::string_view text, std::span<const Unit> units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_integer(text.substr(0, digits));
  const std::string_view unit = text.substr(digits);
  const auto known = std::ranges::find(units, unit, &Unit::name);
  if (!number || known == units.end()) return std::nullopt;
  if (*number > std::numeric_limits<std::int64_t>::max() / known->factor) return std::nullopt;
  return *number * known->factor;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_integer(text);
  if (!number || *number < 1 || *number > 65535 || text[0] == '+') return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

bool is_host(std::string_view text) {
  if (IpAddress::parse(text)) return true;
  if (text.empty() || text.size() > kMaxHost || text.front() == '-' || text.front() == '.')
    return false;
  return std::ranges::all_of(
             text, [](char c) { return alphanumeric(c) || c == '-' || c == '.' || c == '_'; }) &&
         text.find("..") == std::string_view::npos;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && std::ranges::all_of(text, [](char c) {
    return alphanumeric(c) || c == '-' || c == '_' || c == '.';
  });
}

bool is_user(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < '\x7f' &&
           std::string_view("\"<>@:;/?%\\,").find(c) == std::string_view::npos;
  });
}

bool is_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  return colon != std::string_view::npos && is_host(text.substr(0, colon)) &&
         parse_port(text.substr(colon + 1));
}

bool is_origin(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view authority = text.substr(scheme.size());
    return is_host(authority) || is_endpoint(authority);
  }
  return false;
}

bool is_sip_uri(const std::string& text) {
  const auto uri = sip::Uri::parse(text);
  return uri && uri->is_sip() && !uri->host.empty();
}

bool parse_ports(std::string_view text, Value& value) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return false;
  const auto first = parse_port(text.substr(0, dash));
  const auto last = parse_port(text.substr(dash + 1));
  if (!first || !last) return false;
  value.number = *first;
  value.last = *last;
  return true;
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

std::string unit_text(std::int64_t amount, std::span<const Unit> units) {
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    if (amount % unit->factor == 0 && (amount != 0 || unit->factor == 1000)) {
      return std::to_string(amount / unit->factor) + std::string(unit->name);
    }
  }
  return std::to_string(amount);
}

std::string amount_text(Kind kind, std::int64_t amount) {
  if (kind == Kind::duration) return unit_text(amount, kDurations);
  if (kind == Kind::size) return unit_text(amount, kSizes);
  return std::to_string(amount);
}

std::optional<ScalarError> check_bounds(const Value& value) {
  const Key& key = *value.key;
  if (key.maximum == 0 || (value.number >= key.minimum && value.number <= key.maximum))
    return std::nullopt;
  return ScalarError{
      quoted(value.text) + " is out of range",
      "use " + amount_text(key.kind, key.minimum) + " to " + amount_text(key.kind, key.maximum)};
}

std::optional<ScalarError> check_length(const Value& value) {
  const Key& key = *value.key;
  const auto length = static_cast<std::int64_t>(value.text.size());
  if (length == 0 && key.minimum > 0)
    return ScalarError{"is empty", "write " + std::string(kind_words(key.kind))};
  if (length < key.minimum) {
    return ScalarError{"is too short",
                       "use at least " + std::to_string(key.minimum) + " characters"};
  }
  if (key.maximum != 0 && length > key.maximum) {
    return ScalarError{"is too long", "use at most " + std::to_string(key.maximum) + " characters"};
  }
  return std::nullopt;
}

std::optional<ScalarError> check_secret(const Value& value) {
  if (value.text.empty())
    return ScalarError{"is empty", "give the secret, or " + std::string(value.key->name) + "_file"};
  if (std::ranges::any_of(value.text, [](char c) { return static_cast<unsigned char>(c) < ' '; })) {
    return ScalarError{"holds a control character", "use printable text"};
  }
  return check_length(value);
}

std::optional<ScalarError> check_choice(const Value& value) {
  const auto& choices = value.key->choices;
  if (std::ranges::find(choices, std::string_view(value.text)) != choices.end())
    return std::nullopt;
  std::string right;
  for (const std::string_view choice : choices)
    right += (right.empty() ? "use " : ", ") + std::string(choice);
  const std::string near = suggest(value.text, {choices.begin(), choices.end()});
  return ScalarError{quoted(value.text) + " is not known",
                     near.empty() ? right : right + " (" + near + ")"};
}

bool take_quantity(Value& value, std::span<const Unit> units) {
  const auto amount = parse_quantity(value.text, units);
  if (amount) value.number = *amount;
  return amount.has_value();
}

bool take_boolean(Value& value) {
  value.number = value.text == "true" ? 1 : 0;
  return value.text == "true" || value.text == "false";
}

bool take_integer(Value& value) {
  const auto number = parse_integer(value.text);
  if (number) value.number = *number;
  return number.has_value();
}

/// Whether the text is of its kind at all; fills the numbers.
bool take(Value& value) {
  switch (value.key->kind) {
    case Kind::integer:
      return take_integer(value);
    case Kind::boolean:
      return take_boolean(value);
    case Kind::duration:
      return take_quantity(value, kDurations);
    case Kind::size:
      return take_quantity(value, kSizes);
    case Kind::name:
      return is_name(value.text);
    case Kind::user:
      return is_user(value.text);
    case Kind::host:
      return is_host(value.text);
    case Kind::ip:
      return IpAddress::parse(value.text).has_value();
    case Kind::socket_address:
      return SocketAddress::parse(value.text).has_value();
    case Kind::endpoint:
      return is_endpoint(value.text);
    case Kind::address_range:
      return AddressRange::parse(value.text).has_value();
    case Kind::port_range:
      return parse_ports(value.text, value);
    case Kind::origin:
      return is_origin(value.text);
    case Kind::sip_uri:
      return is_sip_uri(value.text);
    case Kind::file:
      return !value.text.empty();
    case Kind::section:
    case Kind::text:
    case Kind::secret:
    case Kind::expression:
    case Kind::choice:
      return true;
  }
  return true;
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::ranges::all_of(name, [](char c) { return alphanumeric(c) || c == '_'; });
}

/// The value of "NAME" or "NAME:-default", the text between the braces.
Result<std::string, ScalarError> variable(std::string_view inside, const Environment& environment) {
  const std::size_t split = inside.find(":-");
  const std::string name(inside.substr(0, split));
  if (!is_variable_name(name)) {
    return fail(
        ScalarError{"${" + std::string(inside) + "} is not a variable",
                    "write ${NAME} or ${NAME:-default}, and $${ for the characters themselves"});
  }
  auto found = environment(name);
  if (split != std::string_view::npos && (!found || found->empty()))
    return std::string(inside.substr(split + 2));
  if (!found) {
    return fail(ScalarError{"the environment variable " + name + " is not set",
                            "set it, or give a default with ${" + name + ":-default}"});
  }
  return std::move(*found);
}

}  // namespace

Result<std::string, ScalarError> expand(std::string_view text, const Environment& environment) {
  std::string result;
  while (true) {
    const std::size_t at = text.find("${");
    if (at == std::string_view::npos) return result + std::string(text);
    if (at > 0 && text[at - 1] == '$') {
      result += std::string(text.substr(0, at - 1)) + "${";
      text.remove_prefix(at + 2);
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) {
      return fail(ScalarError{"${ has no closing }", "write ${NAME} or ${NAME:-default}"});
    }
    auto inserted = variable(text.substr(at + 2, end - at - 2), environment);
    if (!inserted) return inserted;
    result += std::string(text.substr(0, at)) + *inserted;
    text.remove_prefix(end + 1);
  }
}

std::optional<ScalarError> check_scalar(Value& value) {
  const Kind kind = value.key->kind;
  if (!take(value)) {
    return ScalarError{quoted(value.text) + " is not valid",
                       "write " + std::string(kind_words(kind))};
  }
  if (kind == Kind::choice) return check_choice(value);
  if (kind == Kind::secret) return check_secret(value);
  if (kind == Kind::text || kind == Kind::expression) return check_length(value);
  if (kind == Kind::integer || kind == Kind::duration || kind == Kind::size)
    return check_bounds(value);
  return std::nullopt;
}

}  // namespace trunkline::config
