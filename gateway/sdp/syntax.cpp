#include "sdp/syntax.hpp"

#include <algorithm>

namespace trunkline::sdp {
namespace {

// Of the locale's functions none is wanted here: they ask a table that a program may change.
bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool is_token_char(char c) {
  return is_alphanumeric(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`{|}~").find(c) != std::string_view::npos);
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f');
}

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= kMaxToken &&
         std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_protocol(std::string_view text) {
  return !text.empty() && text.size() <= kMaxToken &&
         std::all_of(text.begin(), text.end(), [](char c) { return c == '/' || is_token_char(c); });
}

bool is_ice_text(std::string_view text, std::size_t shortest) {
  return text.size() >= shortest && text.size() <= 256 &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '+' || c == '/'; });
}

bool is_fingerprint_value(std::string_view text) {
  if (text.size() % 3 != 2) return false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at % 3 == 2 ? text[at] != ':' : !is_hex(text[at])) return false;
  }
  return true;
}

bool same_without_case(std::string_view one, std::string_view other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

std::string upper_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), upper);
  return result;
}

std::string_view next_word(std::string_view& rest) {
  const auto* start = std::find_if_not(rest.begin(), rest.end(), is_space);
  const auto* end = std::find_if(start, rest.end(), is_space);
  const std::string_view word(start, static_cast<std::size_t>(end - start));
  rest = std::string_view(end, static_cast<std::size_t>(rest.end() - end));
  return word;
}

}  // namespace trunkline::sdp
