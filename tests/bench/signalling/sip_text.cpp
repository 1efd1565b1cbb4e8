#include "sip_text.hpp"

#include <charconv>

namespace trunkline::bench {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

/// Where the line after `from` that begins with `name` and a colon begins; npos: none.
std::size_t find_line(std::string_view message, std::string_view name, std::size_t from) {
  for (std::size_t at = message.find(kLineEnd, from); at != std::string_view::npos;
       at = message.find(kLineEnd, at)) {
    at += kLineEnd.size();
    const std::string_view line = message.substr(at);
    if (line.starts_with(kLineEnd)) return std::string_view::npos;
    if (line.size() > name.size() && line[name.size()] == ':' && line.starts_with(name)) return at;
  }
  return std::string_view::npos;
}

std::string_view value_at(std::string_view message, std::size_t line, std::size_t name_size) {
  std::string_view value =
      message.substr(line, message.find(kLineEnd, line) - line).substr(name_size + 1);
  while (value.starts_with(' '))
    value.remove_prefix(1);
  return value;
}

}  // namespace

std::string_view field(std::string_view message, std::string_view name) {
  const std::size_t line = find_line(message, name, 0);
  return line == std::string_view::npos ? std::string_view{} : value_at(message, line, name.size());
}

std::string field_lines(std::string_view message, std::string_view name) {
  std::string lines;
  for (std::size_t at = find_line(message, name, 0); at != std::string_view::npos;
       at = find_line(message, name, at)) {
    lines += message.substr(at, message.find(kLineEnd, at) + kLineEnd.size() - at);
  }
  return lines;
}

int status_of(std::string_view message) {
  constexpr std::string_view kVersion = "SIP/2.0 ";
  if (!message.starts_with(kVersion)) return 0;
  int status = 0;
  std::from_chars(message.data() + kVersion.size(), message.data() + message.size(), status);
  return status;
}

std::string_view method_of(std::string_view request) {
  return request.substr(0, request.find(' '));
}

std::string_view uri_of(std::string_view address) {
  const std::size_t open = address.find('<');
  if (open == std::string_view::npos) return address.substr(0, address.find(';'));
  return address.substr(open + 1, address.find('>', open) - open - 1);
}

std::string routes_of(std::string_view response) {
  std::string routes;
  constexpr std::string_view kName = "Record-Route";
  for (std::size_t at = find_line(response, kName, 0); at != std::string_view::npos;
       at = find_line(response, kName, at)) {
    std::string_view values = value_at(response, at, kName.size());
    while (!values.empty()) {
      const std::size_t comma = values.find(',');
      routes.insert(0, "Route: " + std::string(values.substr(0, comma)) + "\r\n");
      values = comma == std::string_view::npos ? std::string_view{} : values.substr(comma + 1);
    }
  }
  return routes;
}

}  // namespace trunkline::bench
