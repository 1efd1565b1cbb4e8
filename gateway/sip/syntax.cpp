#include "sip/syntax.hpp"

#include "base/net_address.hpp"
#include "sip/parts.hpp"

#include <algorithm>
#include <charconv>

namespace trunkline::sip {

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

bool begins_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && equals_ignoring_case(text.substr(0, start.size()), start);
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return to_lower(a) == to_lower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), to_lower);
  return lower;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

std::optional<std::uint32_t> parse_number(std::string_view digits) {
  std::uint32_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number);
  if (digits.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  const auto number = parse_number(digits);
  if (!number || *number > 0xffff) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

bool is_host(std::string_view text) {
  if (text.empty()) return false;
  if (text.front() == '[') {
    const auto ip = IpAddress::parse(host_text(text));
    return ip && text.back() == ']' && text.find(':') != std::string_view::npos;
  }
  return std::ranges::all_of(
      text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

std::string host_text(std::string_view host) {
  constexpr std::string_view kThreeColons = ":::";
  std::string text(host);
  const std::size_t at = host.find(kThreeColons);
  if (at == std::string_view::npos) return text;
  const std::string_view tail = host.substr(at + kThreeColons.size());
  const bool four = tail.ends_with(']') && IpAddress::parse(tail.substr(0, tail.size() - 1)) &&
                    tail.find(':') == std::string_view::npos;
  if (four) text.erase(at, 1);
  return text;
}

void Cursor::skip_blanks() {
  while (at_ < text_.size() && is_blank(text_[at_]))
    ++at_;
}

bool Cursor::at_end() {
  skip_blanks();
  return at_ == text_.size();
}

char Cursor::peek() {
  return at_end() ? '\0' : text_[at_];
}

bool Cursor::take(char c) {
  if (at_end() || text_[at_] != c) return false;
  ++at_;
  return true;
}

std::string_view Cursor::take_token() {
  skip_blanks();
  const std::size_t begin = at_;
  while (at_ < text_.size() && is_token_char(text_[at_]))
    ++at_;
  return text_.substr(begin, at_ - begin);
}

std::string_view Cursor::take_until(std::string_view stops) {
  skip_blanks();
  const std::size_t begin = at_;
  while (at_ < text_.size() && !is_blank(text_[at_]) &&
         std::ranges::find(stops, text_[at_]) == stops.end()) {
    ++at_;
  }
  return text_.substr(begin, at_ - begin);
}

std::string_view Cursor::take_quoted() {
  if (peek() != '"') return {};
  const std::size_t begin = at_;
  const std::size_t end = end_of_quoted(text_, begin);
  if (end == std::string_view::npos) return {};
  at_ = end;
  return text_.substr(begin, end - begin);
}

std::string_view Cursor::rest() {
  return trim(text_.substr(at_));
}

bool ParameterCursor::next() {
  if (!ok_ || cursor_.at_end()) return false;
  ok_ = false;
  if (!cursor_.take(';')) return false;
  name_ = cursor_.take_token();
  if (name_.empty()) return false;
  value_.reset();
  if (cursor_.take('=')) {
    value_ = cursor_.peek() == '"' ? cursor_.take_quoted() : cursor_.take_until(";,<>\"");
    if (value_->empty()) return false;
  }
  ok_ = true;
  return true;
}

std::optional<std::string_view> ListCursor::next() {
  if (done_) return std::nullopt;
  const std::size_t begin = at_;
  bool bracketed = false;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"' && !bracketed) {
      at_ = std::min(end_of_quoted(text_, at_), text_.size());
      continue;
    }
    if (c == ',' && !bracketed) return trim(text_.substr(begin, at_++ - begin));
    if (c == '<') bracketed = true;
    if (c == '>') bracketed = false;
    ++at_;
  }
  done_ = true;
  return trim(text_.substr(begin));
}

}  // namespace trunkline::sip
