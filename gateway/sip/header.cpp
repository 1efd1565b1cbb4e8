#include "sip/header.hpp"

#include "sip/parts.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

namespace trunkline::sip {
namespace {

constexpr std::uint32_t kMaxDeltaSeconds = std::numeric_limits<std::uint32_t>::max();

/// The digits at the start of `text`, as a number that saturates.
std::optional<std::uint32_t> leading_seconds(std::string_view digits) {
  if (digits.empty() || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  return parse_number(digits).value_or(kMaxDeltaSeconds);
}

}  // namespace

bool read_parameters(std::string_view text, Parameters* out) {
  ParameterCursor cursor(text);
  while (cursor.next()) {
    if (out == nullptr) continue;
    Parameter& parameter = out->emplace_back();
    parameter.name = cursor.name();
    if (cursor.value()) parameter.value = std::string(*cursor.value());
  }
  return cursor.ok();
}

std::string parameters_text(const Parameters& parameters) {
  std::string text;
  for (const Parameter& parameter : parameters) {
    text.append(";").append(parameter.name);
    if (parameter.value) text.append("=").append(*parameter.value);
  }
  return text;
}

std::optional<CSeqParts> split_cseq(std::string_view value) {
  Cursor cursor(value);
  const auto number = parse_number(cursor.take_until({}));
  CSeqParts parts;
  parts.method = cursor.take_token();
  if (!number || parts.method.empty() || !cursor.at_end()) return std::nullopt;
  parts.number = *number;
  return parts;
}

Result<CSeq> CSeq::parse(std::string_view value) {
  const auto parts = split_cseq(value);
  if (!parts) return fail("malformed CSeq");
  return CSeq{parts->number, parse_method(parts->method), std::string(parts->method)};
}

std::string CSeq::text() const {
  const std::string_view name = method == Method::unknown ? method_text : method_name(method);
  return std::to_string(number).append(" ").append(name);
}

Result<SessionExpires> SessionExpires::parse(std::string_view value) {
  Cursor cursor(value);
  const auto delta = parse_delta_seconds(cursor.take_until(";"));
  Parameters parameters;
  if (!delta || !read_parameters(cursor.rest(), &parameters))
    return fail("malformed Session-Expires");
  SessionExpires result;
  result.delta_seconds = *delta;
  const std::string_view refresher = parameter_value(parameters, "refresher");
  if (equals_ignoring_case(refresher, "uac")) result.refresher = Refresher::uac;
  if (equals_ignoring_case(refresher, "uas")) result.refresher = Refresher::uas;
  return result;
}

std::string SessionExpires::text() const {
  std::string result = std::to_string(delta_seconds);
  switch (refresher) {
    case Refresher::unspecified:
      break;
    case Refresher::uac:
      result += ";refresher=uac";
      break;
    case Refresher::uas:
      result += ";refresher=uas";
      break;
  }
  return result;
}

Result<Reason> Reason::parse(std::string_view value) {
  constexpr std::uint32_t kMaxCause = 999;
  Cursor cursor(value);
  Reason reason;
  reason.protocol = cursor.take_token();
  Parameters parameters;
  if (reason.protocol.empty() || !read_parameters(cursor.rest(), &parameters))
    return fail("malformed Reason");
  if (find_parameter(parameters, "cause") != nullptr) {
    const auto cause = parse_number(parameter_value(parameters, "cause"));
    if (!cause || *cause > kMaxCause) return fail("malformed Reason cause");
    reason.cause = static_cast<int>(*cause);
  }
  reason.text_phrase = unquote(parameter_value(parameters, "text"));
  return reason;
}

std::string Reason::text() const {
  std::string result = protocol;
  if (cause != 0) result.append(";cause=").append(std::to_string(cause));
  if (!text_phrase.empty()) result.append(";text=").append(quote(text_phrase));
  return result;
}

Result<Warning> Warning::parse(std::string_view value) {
  Cursor cursor(value);
  const std::string_view digits = cursor.take_until({});
  const auto code = parse_number(digits);
  Warning warning;
  warning.agent = cursor.take_until({});
  const std::string_view text = cursor.take_quoted();
  const bool complete = code && digits.size() == 3 && !warning.agent.empty() && !text.empty();
  if (!complete || !cursor.at_end()) return fail("malformed Warning");
  warning.code = static_cast<int>(*code);
  warning.text = unquote(text);
  return warning;
}

Result<RAck> RAck::parse(std::string_view value) {
  Cursor cursor(value);
  const auto rseq = parse_number(cursor.take_until({}));
  auto cseq = CSeq::parse(cursor.rest());
  if (!rseq || !cseq) return fail("malformed RAck");
  return RAck{*rseq, std::move(*cseq)};
}

std::string RAck::text() const {
  return std::to_string(rseq).append(" ").append(cseq.text());
}

Result<Replaces> Replaces::parse(std::string_view value) {
  Cursor cursor(value);
  Replaces replaces;
  replaces.call_id = cursor.take_until(";");
  Parameters parameters;
  if (replaces.call_id.empty() || !read_parameters(cursor.rest(), &parameters))
    return fail("malformed Replaces");
  replaces.to_tag = parameter_value(parameters, "to-tag");
  replaces.from_tag = parameter_value(parameters, "from-tag");
  replaces.early_only = find_parameter(parameters, "early-only") != nullptr;
  if (replaces.to_tag.empty() || replaces.from_tag.empty()) return fail("Replaces without tags");
  return replaces;
}

std::string Replaces::text() const {
  return call_id + ";to-tag=" + to_tag + ";from-tag=" + from_tag +
         (early_only ? ";early-only" : "");
}

Result<MediaType> MediaType::parse(std::string_view value) {
  Cursor cursor(value);
  MediaType media;
  media.type = lower_case(cursor.take_token());
  const bool slash = cursor.take('/');
  media.subtype = lower_case(cursor.take_token());
  const bool complete = slash && !media.type.empty() && !media.subtype.empty();
  if (!complete || !read_parameters(cursor.rest(), &media.parameters))
    return fail("malformed media type");
  return media;
}

bool MediaType::is(std::string_view type_slash_subtype) const {
  return equals_ignoring_case(type + "/" + subtype, type_slash_subtype);
}

std::optional<std::uint32_t> parse_delta_seconds(std::string_view value) {
  return leading_seconds(trim(value));
}

std::optional<std::uint32_t> parse_retry_after(std::string_view value) {
  return leading_seconds(Cursor(value).take_until("(;"));
}

int parse_qvalue(std::string_view value) {
  constexpr int kWhole = 1000;
  constexpr std::size_t kDecimals = 3;
  const bool one = value.starts_with('1');
  if (one || !value.starts_with('0')) return kWhole;
  value.remove_prefix(1);
  if (value.empty()) return 0;
  if (value.front() != '.' || value.size() > kDecimals + 1) return kWhole;
  std::string digits(value.substr(1));
  digits.resize(kDecimals, '0');
  const auto thousandths = parse_number(digits);
  return thousandths ? static_cast<int>(*thousandths) : kWhole;
}

bool has_token(const Message& message, HeaderName name, std::string_view token) {
  return std::ranges::any_of(message.fields(), [&](const Message::Field& field) {
    if (field.name != name) return false;
    const std::string_view value = message.field_value(field);
    const std::string_view element = trim(value.substr(0, value.find(';')));
    return name == HeaderName::allow ? element == token : equals_ignoring_case(element, token);
  });
}

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  quoted.reserve(text.size() + 2);
  for (char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
  }
  quoted.push_back('"');
  return quoted;
}

std::string unquote(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  if (!quoted) return std::string(text);
  text = text.substr(1, text.size() - 2);
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain.push_back(text[i]);
  }
  return plain;
}

std::string date_text(std::chrono::system_clock::time_point time) {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                       "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  const auto weekday = std::chrono::weekday(day).c_encoding();
  std::array<char, 64> text{};
  const int size = std::snprintf(
      text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", kDays[weekday],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<std::size_t>(size)};
}

Via top_via(const Message& message) {
  return Via::parse(message.header(HeaderName::via).value_or("")).value_or(Via{});
}

NameAddress from_of(const Message& message) {
  return NameAddress::parse(message.header(HeaderName::from).value_or("")).value_or(NameAddress{});
}

NameAddress to_of(const Message& message) {
  return NameAddress::parse(message.header(HeaderName::to).value_or("")).value_or(NameAddress{});
}

CSeq cseq_of(const Message& message) {
  return CSeq::parse(message.header(HeaderName::cseq).value_or("")).value_or(CSeq{});
}

std::string_view call_id_of(const Message& message) {
  return message.header(HeaderName::call_id).value_or("");
}

std::optional<NameAddress> contact_of(const Message& message) {
  auto contact = NameAddress::parse(message.header(HeaderName::contact).value_or(""));
  if (!contact || contact->wildcard) return std::nullopt;
  return std::move(*contact);
}

}  // namespace trunkline::sip
