#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The basic rules of RFC 3261 §25.1 on views: nothing here copies or allocates unless it returns a
/// string.
namespace trunkline::sip {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_alphanumeric(char c) {
  return is_digit(c) || is_alpha(c);
}
constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
/// CTL of RFC 2234.
constexpr bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}
constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr char to_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
/// 0 to 15, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = 0; c < 128; ++c)
    table[static_cast<std::size_t>(c)] = is_alphanumeric(static_cast<char>(c));
  for (char c : std::string_view("-.!%*_+`'~"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
inline constexpr std::array<bool, 256> kTokenTable = make_token_table();
constexpr bool is_token_char(char c) {
  return kTokenTable[static_cast<unsigned char>(c)];
}

inline constexpr std::string_view kSipVersion = "SIP/2.0";
inline constexpr std::string_view kLineEnd = "\r\n";
inline constexpr std::uint16_t kDefaultPort = 5060, kDefaultTlsPort = 5061;  ///< RFC 3261 §19.1.2

/// A non-empty token.
bool is_token(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
bool begins_ignoring_case(std::string_view text, std::string_view start);
bool contains_ignoring_case(std::string_view text, std::string_view part);
std::string lower_case(std::string_view text);
/// Without SP and HT at both ends.
std::string_view trim(std::string_view text);
/// Digits only; nothing for an empty text, other characters or a number that does not fit.
std::optional<std::uint32_t> parse_number(std::string_view digits);
std::optional<std::uint16_t> parse_port(std::string_view digits);
/// Where the quoted-string that begins at `at` ends (one past its closing quote); npos if it never
/// does.
std::size_t end_of_quoted(std::string_view text, std::size_t at);
/// A host name, IPv4 address or IPv6 reference in brackets. Underscores are tolerated: container
/// networks use them.
bool is_host(std::string_view text);

/// Reads one value from left to right. Every `take` skips linear white space in front of what it
/// takes.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  void skip_blanks();
  bool at_end();                  ///< nothing but white space is left
  char peek();                    ///< the next character after white space; NUL at the end
  bool take(char c);              ///< takes `c` if it is next
  std::string_view take_token();  ///< empty if none is next
  std::string_view take_until(std::string_view stops);  ///< up to one of `stops` or white space
  std::string_view take_quoted();  ///< with its quotes; empty if none is next or it has no end
  std::string_view rest();         ///< all that is left, trimmed

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

/// Walks the `;name[=value]` parameters of a header field (generic-param, RFC 3261 §25.1). Values
/// are tokens, hosts or quoted strings; other visible characters but `;,<>"` are tolerated in them.
class ParameterCursor {
 public:
  explicit ParameterCursor(std::string_view text) : cursor_(text) {}

  /// Reads the next one; false at the end and at the first malformed one, which clears `ok()`.
  bool next();
  bool ok() const { return ok_; }
  std::string_view name() const { return name_; }
  /// As written; a quoted string with its quotes.
  const std::optional<std::string_view>& value() const { return value_; }

 private:
  Cursor cursor_;
  bool ok_ = true;
  std::string_view name_;
  std::optional<std::string_view> value_;
};

/// Cuts a comma-separated list: commas in quoted strings and between `<` and `>` do not count.
class ListCursor {
 public:
  explicit ListCursor(std::string_view text) : text_(text) {}
  /// The next element, trimmed and perhaps empty; nothing after the last.
  std::optional<std::string_view> next();

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  bool done_ = false;
};

}  // namespace trunkline::sip
