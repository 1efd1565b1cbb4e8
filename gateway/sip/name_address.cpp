#include "sip/header.hpp"
#include "sip/parts.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

namespace trunkline::sip {
namespace {

/// Tokens and white space. Other visible characters are tolerated, but not those that give another
/// structure to the field (RFC 4475 §3.1.2.15).
bool is_unquoted_display_name(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    return (is_control(c) && c != '\t') || c == ',' || c == ';' || c == ':' || c == '"';
  });
}

/// `text` begins with '<'.
std::optional<NameAddressParts> split_bracketed(std::string_view display_name,
                                                std::string_view text) {
  const std::size_t end = text.find('>');
  if (end == std::string_view::npos) return std::nullopt;
  NameAddressParts parts;
  parts.display_name = trim(display_name);
  parts.uri = text.substr(1, end - 1);
  parts.parameters = trim(text.substr(end + 1));
  return parts;
}

/// RFC 3261 §20.10: without brackets a semicolon begins the field's parameters; a URI with comma or
/// question mark needs brackets.
std::optional<NameAddressParts> split_bare(std::string_view value) {
  NameAddressParts parts;
  const std::size_t end = std::min(value.find(';'), value.size());
  parts.uri = trim(value.substr(0, end));
  parts.parameters = value.substr(end);
  if (parts.uri.find_first_of(",?") != std::string_view::npos) return std::nullopt;
  return parts;
}

std::optional<NameAddressParts> split_any(std::string_view value) {
  if (value.empty()) return std::nullopt;
  if (value.front() == '"') {
    const std::size_t end = end_of_quoted(value, 0);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = trim(value.substr(end));
    if (rest.empty() || rest.front() != '<') return std::nullopt;
    return split_bracketed(value.substr(0, end), rest);
  }
  const std::size_t at = value.find_first_of("<;\"");
  if (at == std::string_view::npos || value[at] == ';') return split_bare(value);
  if (value[at] == '"' || !is_unquoted_display_name(value.substr(0, at))) return std::nullopt;
  return split_bracketed(value.substr(0, at), value.substr(at));
}

}  // namespace

std::optional<NameAddressParts> split_name_address(std::string_view value) {
  value = trim(value);
  if (value == "*") {
    NameAddressParts parts;
    parts.wildcard = true;
    return parts;
  }
  auto parts = split_any(value);
  if (!parts || !read_parameters(parts->parameters)) return std::nullopt;
  return parts;
}

std::string_view tag_of(std::string_view address) {
  const auto parts = split_any(trim(address));
  if (!parts) return {};
  ParameterCursor parameters(parts->parameters);
  while (parameters.next()) {
    if (equals_ignoring_case(parameters.name(), "tag"))
      return parameters.value().value_or(std::string_view());
  }
  return {};
}

std::string_view from_tag(const Message& message) {
  return tag_of(message.header(HeaderName::from).value_or(""));
}

std::string_view to_tag(const Message& message) {
  return tag_of(message.header(HeaderName::to).value_or(""));
}

Result<NameAddress> NameAddress::parse(std::string_view value) {
  const auto parts = split_name_address(value);
  if (!parts) return fail("malformed address");
  NameAddress address;
  address.wildcard = parts->wildcard;
  if (address.wildcard) return address;
  auto uri = Uri::parse(parts->uri);
  if (!uri) return fail(uri.error());
  address.display_name = unquote(parts->display_name);
  address.uri = std::move(*uri);
  read_parameters(parts->parameters, &address.parameters);
  return address;
}

std::string NameAddress::text() const {
  if (wildcard) return "*";
  std::string result;
  if (!display_name.empty()) result.append(quote(display_name)).append(" ");
  result.append("<").append(uri.text()).append(">").append(parameters_text(parameters));
  return result;
}

}  // namespace trunkline::sip
