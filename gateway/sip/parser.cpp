#include "sip/parser.hpp"

#include "sip/parts.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <array>
#include <bitset>

namespace trunkline::sip {
namespace {

constexpr std::size_t kTypicalFieldCount = 48;
constexpr int kBadRequest = 400;
constexpr int kUriTooLong = 414;
constexpr int kVersionNotSupported = 505;
constexpr int kMessageTooLarge = 513;

/// What a response must be able to copy (RFC 3261 §8.2.6.2).
constexpr std::array kMandatory = {HeaderName::via, HeaderName::from, HeaderName::to,
                                   HeaderName::call_id, HeaderName::cseq};

constexpr std::array<bool, 256> make_plain_table() {
  std::array<bool, 256> table{};
  for (std::size_t c = 0; c < 256; ++c)
    table[c] = !is_control(static_cast<char>(c));
  table['\t'] = true;
  table['"'] = table['\\'] = false;
  return table;
}
/// Octets that a line scan may pass without looking closer.
constexpr std::array<bool, 256> kPlain = make_plain_table();

bool is_plain(char c) {
  return kPlain[static_cast<unsigned char>(c)];
}

/// From or To: an address, not the "*" that only Contact knows.
bool is_address(std::string_view value) {
  const auto parts = split_name_address(value);
  return parts && !parts->wildcard && split_uri(parts->uri);
}

bool is_call_id(std::string_view value) {
  return !value.empty() &&
         std::ranges::none_of(value, [](char c) { return is_blank(c) || is_control(c); });
}

bool is_well_formed(HeaderName name, std::string_view value) {
  switch (name) {
    case HeaderName::via:
      return split_via(value).has_value();
    case HeaderName::cseq:
      return split_cseq(value).has_value();
    case HeaderName::call_id:
      return is_call_id(value);
    default:
      return is_address(value);
  }
}

bool looks_like_version(std::string_view text) {
  constexpr std::size_t kPrefix = 4;
  if (!equals_ignoring_case(text.substr(0, kPrefix), "SIP/")) return false;
  const std::string_view numbers = text.substr(kPrefix);
  const std::size_t dot = numbers.find('.');
  return dot != std::string_view::npos && parse_number(numbers.substr(0, dot)) &&
         parse_number(numbers.substr(dot + 1));
}

}  // namespace

std::string_view parse_error_label(ParseErrorReason reason) {
  switch (reason) {
    case ParseErrorReason::empty:
      return "empty";
    case ParseErrorReason::start_line:
      return "start_line";
    case ParseErrorReason::version:
      return "version";
    case ParseErrorReason::header_syntax:
      return "header_syntax";
    case ParseErrorReason::header_too_long:
      return "header_too_long";
    case ParseErrorReason::too_many_headers:
      return "too_many_headers";
    case ParseErrorReason::missing_header:
      return "missing_header";
    case ParseErrorReason::duplicate_header:
      return "duplicate_header";
    case ParseErrorReason::cseq:
      return "cseq";
    case ParseErrorReason::via:
      return "via";
    case ParseErrorReason::content_length:
      return "content_length";
    case ParseErrorReason::body_truncated:
      return "body_truncated";
    case ParseErrorReason::too_large:
      return "too_large";
    case ParseErrorReason::control_character:
      return "control_character";
    case ParseErrorReason::count_:
      break;
  }
  return "unknown";
}

/// One message being read. The first fault decides the verdict; reading goes on after it, so that
/// the fields which an answer needs are found wherever they stand.
class Parser::Reader {
 public:
  Reader(const ParserLimits& limits, Framing framing, std::string text)
      : limits_(limits), framing_(framing) {
    message_.text_ = std::move(text);
  }

  Result<Message, ParseError> read();

 private:
  struct Line {
    std::size_t begin = 0, end = 0;
  };

  void fault(ParseErrorReason reason, int status, std::string detail);
  std::string_view text(Line line) const {
    return std::string_view(message_.text_).substr(line.begin, line.end - line.begin);
  }
  std::uint32_t offset(std::string_view part) const {
    return static_cast<std::uint32_t>(part.data() - message_.text_.data());
  }

  void skip_line_ends();
  std::optional<Line> next_line();
  bool read_start_line();
  bool read_request_line(std::string_view line);
  void read_status_line(std::string_view line);
  void read_fields();
  void read_field(std::string_view line);
  void add_elements(Message::Field field, std::string_view value);
  void add_field(Message::Field field, std::string_view value);
  void check_mandatory();
  void read_body();
  bool repair_for_answer();
  ParseError error();

  ParserLimits limits_;
  Framing framing_;
  Message message_;
  std::size_t at_ = 0;
  bool is_request_ = false;
  std::bitset<static_cast<std::size_t>(HeaderName::count_)> seen_;
  std::optional<ParseError> error_;
};

void Parser::Reader::fault(ParseErrorReason reason, int status, std::string detail) {
  if (!error_) error_ = ParseError{reason, status, std::move(detail), std::nullopt};
}

Result<Message, ParseError> Parser::Reader::read() {
  if (message_.text_.size() > limits_.message_size) {
    fault(ParseErrorReason::too_large, kMessageTooLarge, "Message too large");
    message_.text_.resize(limits_.message_size);
  }
  skip_line_ends();
  if (at_ == message_.text_.size()) {
    fault(ParseErrorReason::empty, 0, "Nothing but line ends");
    return fail(error());
  }
  if (!read_start_line()) return fail(error());
  read_fields();
  check_mandatory();
  read_body();
  if (error_) return fail(error());
  return std::move(message_);
}

void Parser::Reader::skip_line_ends() {
  const std::string& octets = message_.text_;
  while (at_ < octets.size() && (octets[at_] == '\r' || octets[at_] == '\n'))
    ++at_;
}

/// The next line without its CRLF, folded lines joined and stray control characters blanked in
/// place. Nothing if no CRLF is left.
std::optional<Parser::Reader::Line> Parser::Reader::next_line() {
  std::string& octets = message_.text_;
  const std::size_t size = octets.size();
  const std::size_t begin = at_;
  bool quoted = false;
  while (at_ < size) {
    const char c = octets[at_];
    if (is_plain(c)) {
      ++at_;
    } else if (c == '"') {
      quoted = !quoted;
      ++at_;
    } else if (c == '\\') {
      // A quoted-pair may carry any octet but CR and LF (RFC 3261 §25.1), NUL included.
      const bool pair =
          quoted && at_ + 1 < size && octets[at_ + 1] != '\r' && octets[at_ + 1] != '\n';
      at_ += pair ? 2 : 1;
    } else if (c == '\r' && at_ + 1 < size && octets[at_ + 1] == '\n') {
      at_ += 2;
      if (at_ == begin + 2 || at_ == size || !is_blank(octets[at_])) return Line{begin, at_ - 2};
      octets[at_ - 2] = octets[at_ - 1] = ' ';
    } else {
      fault(ParseErrorReason::control_character, kBadRequest,
            "Control character in the header fields");
      octets[at_++] = ' ';
    }
  }
  return std::nullopt;
}

/// False if nothing can be made of it, not even an answer.
bool Parser::Reader::read_start_line() {
  const auto line = next_line();
  if (!line) {
    fault(ParseErrorReason::start_line, 0, "No complete start line");
    return false;
  }
  const std::string_view start = text(*line);
  if (equals_ignoring_case(start.substr(0, 4), "SIP/")) {
    read_status_line(start);
    return !error_;
  }
  is_request_ = true;
  if (start.size() > limits_.header_size) {
    fault(ParseErrorReason::header_too_long, kUriTooLong, "Request line too long");
  }
  return read_request_line(start);
}

bool Parser::Reader::read_request_line(std::string_view line) {
  // RFC 3261 §7.1: single spaces, nothing else around or between the three parts.
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  const std::string_view method = line.substr(0, first);
  if (first == std::string_view::npos || !is_token(method)) {
    fault(ParseErrorReason::start_line, 0, "Neither a request nor a response");
    return false;
  }
  message_.method_ = parse_method(method);
  message_.method_at_ = offset(method);
  message_.method_size_ = static_cast<std::uint32_t>(method.size());
  const std::string_view version = line.substr(last + 1);
  if (first == last) {
    fault(ParseErrorReason::start_line, kBadRequest, "Request line without version");
    return true;
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  message_.target_at_ = offset(target);
  message_.target_size_ = static_cast<std::uint32_t>(target.size());
  if (!equals_ignoring_case(version, kSipVersion)) {
    if (looks_like_version(version)) {
      fault(ParseErrorReason::version, kVersionNotSupported, "Version Not Supported");
    } else {
      fault(ParseErrorReason::start_line, kBadRequest, "Malformed request line");
    }
  } else if (!split_uri(target)) {
    fault(ParseErrorReason::start_line, kBadRequest, "Malformed Request-URI");
  }
  return true;
}

void Parser::Reader::read_status_line(std::string_view line) {
  constexpr std::size_t kCodeDigits = 3;
  const std::size_t space = line.find(' ');
  if (!equals_ignoring_case(line.substr(0, space), kSipVersion)) {
    fault(ParseErrorReason::version, 0, "Response of another version");
    return;
  }
  if (space == std::string_view::npos || line.size() > limits_.header_size) {
    fault(ParseErrorReason::start_line, 0, "Malformed status line");
    return;
  }
  const std::string_view rest = line.substr(space + 1);
  const std::string_view digits = rest.substr(0, kCodeDigits);
  const auto code = parse_number(digits);
  // The space before an empty reason phrase is often forgotten.
  const bool ends = rest.size() <= kCodeDigits || rest[kCodeDigits] == ' ';
  if (digits.size() != kCodeDigits || !ends || !code || *code < 100 || *code > 699) {
    fault(ParseErrorReason::start_line, 0, "Status code out of range");
    return;
  }
  message_.status_ = static_cast<int>(*code);
  const std::string_view reason = trim(rest.substr(kCodeDigits));
  message_.target_at_ = offset(reason);
  message_.target_size_ = static_cast<std::uint32_t>(reason.size());
}

void Parser::Reader::read_fields() {
  message_.fields_.reserve(std::min(kTypicalFieldCount, limits_.header_count));
  while (const auto line = next_line()) {
    const std::string_view field = text(*line);
    if (field.empty()) return;
    if (field.size() > limits_.header_size) {
      fault(ParseErrorReason::header_too_long, kMessageTooLarge, "Header field too long");
    } else {
      read_field(field);
    }
  }
  fault(ParseErrorReason::header_syntax, kBadRequest, "No empty line after the header fields");
}

void Parser::Reader::read_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = trim(line.substr(0, colon));
  if (colon == std::string_view::npos || !is_token(name) || is_blank(line.front())) {
    fault(ParseErrorReason::header_syntax, kBadRequest, "Malformed header field");
    return;
  }
  Message::Field field;
  field.name = parse_header_name(name);
  field.name_at = offset(name);
  field.name_size = static_cast<std::uint32_t>(name.size());
  const std::string_view value = trim(line.substr(colon + 1));
  const auto index = static_cast<std::size_t>(field.name);
  if (is_single_field(field.name) && seen_[index]) {
    fault(ParseErrorReason::duplicate_header, kBadRequest,
          "More than one " + std::string(header_name_text(field.name)));
    return;
  }
  seen_.set(index);
  if (is_list_field(field.name) && !value.empty()) {
    add_elements(field, value);
  } else {
    add_field(field, value);
  }
}

void Parser::Reader::add_elements(Message::Field field, std::string_view value) {
  ListCursor list(value);
  while (const auto element = list.next()) {
    if (!element->empty()) {
      add_field(field, *element);
    } else if (field.name == HeaderName::via) {
      fault(ParseErrorReason::via, kBadRequest, "Malformed Via");
    }
  }
}

void Parser::Reader::add_field(Message::Field field, std::string_view value) {
  if (message_.fields_.size() >= limits_.header_count) {
    fault(ParseErrorReason::too_many_headers, kMessageTooLarge, "Too many header fields");
    return;
  }
  // A later Via is only carried, but one that is not even the start of a Via shows a list that was
  // cut wrongly.
  if (field.name == HeaderName::via && (value.empty() || !is_token_char(value.front()))) {
    fault(ParseErrorReason::via, kBadRequest, "Malformed Via");
    return;
  }
  field.value_at = offset(value);
  field.value_size = static_cast<std::uint32_t>(value.size());
  message_.fields_.push_back(field);
}

void Parser::Reader::check_mandatory() {
  for (HeaderName name : kMandatory) {
    const auto value = message_.header(name);
    const std::string label(header_name_text(name));
    if (!value) {
      fault(ParseErrorReason::missing_header, kBadRequest, "Missing " + label);
    } else if (!is_well_formed(name, *value)) {
      const ParseErrorReason reason = name == HeaderName::via    ? ParseErrorReason::via
                                      : name == HeaderName::cseq ? ParseErrorReason::cseq
                                                                 : ParseErrorReason::header_syntax;
      fault(reason, kBadRequest, "Malformed " + label);
    }
  }
}

void Parser::Reader::read_body() {
  const std::size_t available = message_.text_.size() - at_;
  std::size_t size = available;
  if (const auto value = message_.header(HeaderName::content_length)) {
    const auto length = parse_number(*value);
    if (!length) {
      fault(ParseErrorReason::content_length, kBadRequest, "Malformed Content-Length");
    } else if (framing_ == Framing::stream && *length > limits_.message_size - at_) {
      fault(ParseErrorReason::too_large, kMessageTooLarge, "Message too large");
    } else if (*length > available) {
      fault(ParseErrorReason::body_truncated, kBadRequest,
            "Content-Length is larger than the body");
    } else {
      size = *length;
    }
  } else if (framing_ == Framing::stream) {
    fault(ParseErrorReason::content_length, kBadRequest, "Missing Content-Length");
  }
  message_.body_at_ = static_cast<std::uint32_t>(at_);
  message_.body_size_ = static_cast<std::uint32_t>(size);
}

/// Leaves of a faulty request what a response copies. False if that is not enough to answer to.
bool Parser::Reader::repair_for_answer() {
  const auto needed = [](const Message::Field& field) {
    return std::ranges::find(kMandatory, field.name) != kMandatory.end();
  };
  std::erase_if(message_.fields_, [&](const Message::Field& field) { return !needed(field); });
  message_.body_size_ = 0;
  const bool complete = std::ranges::all_of(
      kMandatory, [&](HeaderName name) { return message_.header(name).has_value(); });
  if (!complete) return false;
  // Where the answer goes is in the first part of the top Via; parameters that can't be read are
  // left out.
  const auto via = std::ranges::find(message_.fields_, HeaderName::via, &Message::Field::name);
  const std::string_view value = message_.field_value(*via);
  if (split_via(value)) return true;
  const std::string_view start = trim(value.substr(0, value.find(';')));
  via->value_size = static_cast<std::uint32_t>(start.size());
  return split_via(start).has_value();
}

ParseError Parser::Reader::error() {
  ParseError result = std::move(*error_);
  // An ACK is never answered (RFC 3261 §17), nor is a response.
  const bool answerable = is_request_ && message_.method_ != Method::ack && result.status != 0;
  if (answerable && repair_for_answer()) {
    result.request = std::move(message_);
  } else {
    result.status = 0;
  }
  return result;
}

Result<Message, ParseError> Parser::parse(std::string text, Framing framing) const {
  return Reader(limits_, framing, std::move(text)).read();
}

}  // namespace trunkline::sip
