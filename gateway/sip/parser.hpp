#pragma once
#include "base/result.hpp"
#include "sip/message.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::sip {

/// Why octets are not a message. Also the label of trunkline_sip_parse_errors_total.
enum class ParseErrorReason : std::uint8_t {
  empty,
  start_line,
  version,
  header_syntax,
  header_too_long,
  too_many_headers,
  missing_header,
  duplicate_header,
  cseq,
  via,
  content_length,
  body_truncated,
  too_large,
  control_character,
  count_
};
std::string_view parse_error_label(ParseErrorReason reason);

struct ParseError {
  ParseErrorReason reason{};
  /// What to answer if it was a request whose Via, From, To, Call-ID and CSeq could be read: 400,
  /// 414, 505 or 513; 0: drop without an answer (a response, or nothing to answer to).
  int status = 0;
  /// For the log and the reason phrase: no control characters, at most 80 octets.
  std::string detail;
  /// As much of the request as a response needs (RFC 3261 §8.2.6.2); present exactly when `status`
  /// is not 0.
  std::optional<Message> request;
};

/// How the transport delimits messages, and so what a missing or wrong Content-Length means (RFC
/// 3261 §18.3, RFC 7118 §5).
enum class Framing { datagram, stream, websocket };

struct ParserLimits {
  std::size_t message_size = 65535;  ///< octets
  std::size_t header_size = 8192;    ///< octets of one field line
  std::size_t header_count = 256;
};

/// Tolerant SIP parser (RFC 3261 §7, §25; RFC 4475). Pure.
class Parser {
 public:
  explicit Parser(ParserLimits limits = {}) : limits_(limits) {}

  /// Parses one message. Takes the text: the message keeps it. A message that comes back has one
  /// well-formed top Via, From, To, Call-ID and CSeq, and a body cut to Content-Length.
  Result<Message, ParseError> parse(std::string text, Framing framing) const;

 private:
  class Reader;
  ParserLimits limits_;
};

/// Cuts a byte stream into messages (RFC 3261 §18.3) and finds keep-alives (RFC 5626 §3.5.1).
/// Bounded by the limits.
class StreamFramer {
 public:
  explicit StreamFramer(ParserLimits limits = {}) : limits_(limits) {}

  struct Frame {
    enum class Kind { message, ping, need_more, broken } kind = Kind::need_more;
    /// Of a message; of `broken`: what could be read, to be answered before closing.
    std::string text;
    /// Of `broken`: framing is lost, the connection must be closed.
    ParseErrorReason reason{};
  };

  void push(std::string_view bytes);
  /// The next message, double-CRLF ping (answer "\r\n"), or need_more. Call until need_more or
  /// broken, which is final.
  Frame next();
  /// Octets held that are not yet a message.
  std::size_t pending() const { return buffer_.size() - start_; }

 private:
  bool take_ping();
  Frame cut(std::size_t size);
  Frame give_up(ParseErrorReason reason, std::size_t size);

  ParserLimits limits_;
  std::string buffer_;
  std::size_t start_ = 0;    ///< of the message to come
  std::size_t scanned_ = 0;  ///< no header block ends before here
  std::size_t needed_ = 0;   ///< octets of that message, once its header block is complete
  std::optional<ParseErrorReason> broken_;
};

}  // namespace trunkline::sip
