#include "sip/message.hpp"

#include "sip/status.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

namespace trunkline::sip {
namespace {

constexpr std::string_view kContentLength = "Content-Length: ";
// Room for start line and fixed parts; the rest is counted.
constexpr std::size_t kSerializeSlack = 128;

bool breaks_line(char c) {
  return c == '\r' || c == '\n' || c == '\0';
}

/// Appends a value so that it stays on its line. A NUL that a quoted-pair makes legal (RFC 4475
/// §3.1.1.2) is kept, for fields that are echoed must come back as they were.
void append_guarded(std::string& out, std::string_view value) {
  const std::size_t begin = out.size();
  out += value;
  if (std::ranges::none_of(value, breaks_line)) return;
  bool quoted = false;
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (quoted && out[i] == '\\' && i + 1 < out.size() && out[i + 1] != '\r' &&
        out[i + 1] != '\n') {
      ++i;
    } else if (out[i] == '"') {
      quoted = !quoted;
    } else if (breaks_line(out[i])) {
      out[i] = ' ';
    }
  }
}

/// A Request-URI ends at the first space: what would end it early is escaped.
void append_target(std::string& out, std::string_view uri) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  for (char c : uri) {
    if (!is_control(c) && c != ' ') {
      out.push_back(c);
      continue;
    }
    const auto code = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kHex[code >> 4]);
    out.push_back(kHex[code & 15]);
  }
}

}  // namespace

Message Message::request(Method method, std::string_view uri) {
  return request(method_name(method), uri);
}

Message Message::request(std::string_view method, std::string_view uri) {
  Message message;
  message.method_ = parse_method(method);
  message.method_at_ = message.append(method);
  message.method_size_ = static_cast<std::uint32_t>(method.size());
  message.set_request_uri(uri);
  return message;
}

Message Message::response(int status, std::string_view reason) {
  Message message;
  message.status_ = status;
  const std::string_view phrase = reason.empty() ? reason_phrase(status) : reason;
  message.target_at_ = message.append(phrase);
  message.target_size_ = static_cast<std::uint32_t>(phrase.size());
  return message;
}

std::optional<std::string_view> Message::header(HeaderName name) const {
  const auto found = std::ranges::find(fields_, name, &Field::name);
  if (found == fields_.end()) return std::nullopt;
  return field_value(*found);
}

std::optional<std::string_view> Message::header(std::string_view name) const {
  const HeaderName known = parse_header_name(name);
  if (known != HeaderName::other) return header(known);
  const auto found = std::ranges::find_if(fields_, [&](const Field& field) {
    return field.name == HeaderName::other && equals_ignoring_case(field_name(field), name);
  });
  if (found == fields_.end()) return std::nullopt;
  return field_value(*found);
}

std::vector<std::string_view> Message::headers(HeaderName name) const {
  std::vector<std::string_view> values;
  for (const Field& field : fields_) {
    if (field.name == name) values.push_back(field_value(field));
  }
  return values;
}

std::size_t Message::count(HeaderName name) const {
  return static_cast<std::size_t>(std::ranges::count(fields_, name, &Field::name));
}

std::string_view Message::field_name(const Field& field) const {
  return field.name != HeaderName::other ? header_name_text(field.name)
                                         : view(field.name_at, field.name_size);
}

std::uint32_t Message::append(std::string_view text) {
  const auto at = static_cast<std::uint32_t>(text_.size());
  text_.append(text);
  return at;
}

Message::Field Message::make_field(HeaderName name, std::string_view spelled,
                                   std::string_view value) {
  // Either view may point into text_, which the first append moves: keep the name aside.
  const std::string kept_name(name == HeaderName::other ? spelled : std::string_view());
  const std::string_view trimmed = trim(value);
  Field field;
  field.name = name;
  field.value_size = static_cast<std::uint32_t>(trimmed.size());
  field.value_at = append(trimmed);
  field.name_size = static_cast<std::uint32_t>(kept_name.size());
  field.name_at = append(kept_name);
  return field;
}

void Message::add(HeaderName name, std::string_view value) {
  fields_.push_back(make_field(name, {}, value));
}

void Message::add(std::string_view name, std::string_view value) {
  fields_.push_back(make_field(parse_header_name(name), name, value));
}

void Message::prepend(HeaderName name, std::string_view value) {
  const auto first = std::ranges::find(fields_, name, &Field::name);
  fields_.insert(first == fields_.end() ? fields_.begin() : first, make_field(name, {}, value));
}

void Message::set(HeaderName name, std::string_view value) {
  const Field field = make_field(name, {}, value);
  const auto first = std::ranges::find(fields_, name, &Field::name);
  if (first == fields_.end()) {
    fields_.push_back(field);
    return;
  }
  *first = field;
  const auto same = [name](const Field& other) { return other.name == name; };
  fields_.erase(std::remove_if(first + 1, fields_.end(), same), fields_.end());
}

void Message::remove(HeaderName name) {
  std::erase_if(fields_, [name](const Field& field) { return field.name == name; });
}

void Message::remove_first(HeaderName name) {
  const auto first = std::ranges::find(fields_, name, &Field::name);
  if (first != fields_.end()) fields_.erase(first);
}

void Message::set_request_uri(std::string_view uri) {
  target_size_ = static_cast<std::uint32_t>(uri.size());
  target_at_ = append(uri);
}

void Message::set_body(std::string_view content_type, std::string_view body) {
  const std::string type(content_type);
  body_size_ = static_cast<std::uint32_t>(body.size());
  body_at_ = append(body);
  if (body.empty()) {
    remove(HeaderName::content_type);
  } else {
    set(HeaderName::content_type, type);
  }
}

std::string Message::serialize() const {
  std::string out;
  std::size_t size = kSerializeSlack + method_size_ + target_size_ + body_size_;
  for (const Field& field : fields_)
    size += field_name(field).size() + field.value_size + 4;
  out.reserve(size);
  if (is_request()) {
    append_guarded(out, method_text());
    out += ' ';
    append_target(out, request_uri());
    out.append(" ").append(kSipVersion);
  } else {
    out.append(kSipVersion).append(" ").append(std::to_string(status_)).append(" ");
    append_guarded(out, reason());
  }
  out += "\r\n";
  for (const Field& field : fields_) {
    const std::string_view name = field_name(field);
    if (field.name == HeaderName::content_length || !is_token(name)) continue;
    out.append(name).append(": ");
    append_guarded(out, field_value(field));
    out += "\r\n";
  }
  out.append(kContentLength).append(std::to_string(body_size_)).append("\r\n\r\n").append(body());
  return out;
}

}  // namespace trunkline::sip
