#include "sip/digest.hpp"
#include "sip/header.hpp"
#include "sip/parser.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

// Any octets through the text half of the sip layer. Besides not crashing, what is accepted must
// mean the same after it was written again, and the framer and the parser must agree on where a
// message ends.
namespace trunkline::sip {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

template <class Value>
void check_value(std::string_view text) {
  const auto value = Value::parse(text);
  if (!value) return;
  const std::string written = value->text();
  const auto again = Value::parse(written);
  require(again.has_value());
  require(again->text() == written);
}

void check_uri(std::string_view text) {
  const auto uri = Uri::parse(text);
  if (!uri) return;
  const auto again = Uri::parse(uri->text());
  require(again.has_value());
  require(again->text() == uri->text());
  require(uri->equivalent(*uri) && uri->equivalent(*again) && again->equivalent(*uri));
  require(Uri::parse(Uri::sip(uri->unescaped_user(), "h").text())->unescaped_user() ==
          uri->unescaped_user());
}

void check_values(std::string_view text) {
  check_uri(text);
  check_value<NameAddress>(text);
  check_value<Via>(text);
  check_value<CSeq>(text);
  check_value<SessionExpires>(text);
  check_value<Reason>(text);
  check_value<RAck>(text);
  check_value<Replaces>(text);
  check_value<DigestChallenge>(text);
  check_value<DigestCredentials>(text);
  static_cast<void>(MediaType::parse(text));
  static_cast<void>(parse_delta_seconds(text));
  static_cast<void>(parse_retry_after(text));
}

void check_error(const ParseError& error) {
  require(error.request.has_value() == (error.status != 0));
  require(error.detail.size() <= 80);
  if (!error.request) return;
  require(error.request->is_request() && error.request->method() != Method::ack);
  require(!top_via(*error.request).host.empty());
  for (HeaderName name :
       {HeaderName::from, HeaderName::to, HeaderName::call_id, HeaderName::cseq}) {
    require(error.request->count(name) == 1);
  }
  static_cast<void>(error.request->serialize());
}

void check_message(const Message& message) {
  require(!top_via(message).host.empty());
  require(!cseq_of(message).method_text.empty());
  require(!call_id_of(message).empty());
  for (const Message::Field& field : message.fields())
    check_values(message.field_value(field));
  const std::string wire = message.serialize();
  for (Framing framing : {Framing::datagram, Framing::stream, Framing::websocket}) {
    const auto again =
        Parser({.message_size = wire.size(), .header_size = wire.size(), .header_count = 4096})
            .parse(wire, framing);
    require(again.has_value());
    require(again->serialize() == wire);
    require(again->body() == message.body());
    require(again->request_uri() == message.request_uri() && again->status() == message.status());
  }
}

void check_parser(const std::string& octets) {
  for (Framing framing : {Framing::datagram, Framing::stream, Framing::websocket}) {
    for (const ParserLimits& limits :
         {ParserLimits{},
          ParserLimits{.message_size = 700, .header_size = 90, .header_count = 9}}) {
      const auto message = Parser(limits).parse(octets, framing);
      if (message) {
        check_message(*message);
      } else {
        check_error(message.error());
      }
    }
  }
}

struct Stream {
  std::string messages;  ///< all of them, each closed by a mark
  bool broken = false;
};

Stream frame(std::string_view octets, std::size_t step) {
  StreamFramer framer;
  Stream stream;
  for (std::size_t at = 0; at < octets.size() && !stream.broken; at += step) {
    framer.push(octets.substr(at, step));
    for (bool more = true; more;) {
      const StreamFramer::Frame next = framer.next();
      switch (next.kind) {
        case StreamFramer::Frame::Kind::message: {
          stream.messages.append(next.text).append("<end>");
          const auto message = Parser().parse(next.text, Framing::stream);
          if (message) require(next.text.ends_with(message->body()));
          if (!message) {
            require(message.error().reason != ParseErrorReason::content_length);
            require(message.error().reason != ParseErrorReason::body_truncated);
          }
          break;
        }
        case StreamFramer::Frame::Kind::ping:
          stream.messages.append("<ping>");
          break;
        case StreamFramer::Frame::Kind::need_more:
          more = false;
          break;
        case StreamFramer::Frame::Kind::broken:
          require(!Parser().parse(next.text, Framing::stream).has_value());
          stream.broken = true;
          more = false;
          break;
      }
    }
  }
  return stream;
}

void check_framer(std::string_view octets) {
  const Stream whole = frame(octets, octets.size());
  for (std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    const Stream pieces = frame(octets, step);
    require(pieces.messages == whole.messages && pieces.broken == whole.broken);
  }
}

}  // namespace
}  // namespace trunkline::sip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline::sip;
  const std::string octets(reinterpret_cast<const char*>(data), size);
  check_values(octets);
  check_parser(octets);
  if (size > 0) check_framer(octets);
  return 0;
}
