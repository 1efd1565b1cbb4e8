#include "sip/parser.hpp"

#include "sip/header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace trunkline::sip {
namespace {

using namespace std::string_literals;

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr std::string_view kCommon =
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    "From: <sip:a@a.example>;tag=1\r\n"
    "To: <sip:b@b.example>\r\n"
    "Call-ID: 1@a.example\r\n"
    "CSeq: 1 OPTIONS\r\n";

/// A request with everything it needs, and `extra` lines after that.
std::string options(std::string_view extra = "", std::string_view body = "") {
  return std::string("OPTIONS sip:b@b.example SIP/2.0\r\n")
      .append(kCommon)
      .append(extra)
      .append("\r\n")
      .append(body);
}

/// A request with `line` in place of the field that it names.
std::string options_with(std::string_view name, std::string_view line) {
  std::string text = options();
  const std::size_t begin = text.find(std::string("\r\n").append(name).append(":")) + 2;
  return text.replace(begin, text.find("\r\n", begin) - begin, line);
}

Message parsed(std::string text, Framing framing = Framing::datagram) {
  auto message = Parser().parse(std::move(text), framing);
  EXPECT_TRUE(message.has_value()) << message.error().detail;
  return message ? std::move(*message) : Message();
}

ParseError refused(std::string text, Framing framing = Framing::datagram,
                   ParserLimits limits = {}) {
  auto message = Parser(limits).parse(std::move(text), framing);
  EXPECT_FALSE(message.has_value());
  if (message) return {};
  EXPECT_EQ(message.error().request.has_value(), message.error().status != 0);
  EXPECT_LE(message.error().detail.size(), 80U);
  return std::move(message.error());
}

void expect_refused(std::string text, ParseErrorReason reason, int status) {
  const ParseError error = refused(std::move(text));
  EXPECT_EQ(parse_error_label(error.reason), parse_error_label(reason)) << error.detail;
  EXPECT_EQ(error.status, status) << error.detail;
}

TEST(Parser, ReadsARequest) {
  const Message message = parsed(options("Content-Length: 2\r\n", "hi"));
  EXPECT_TRUE(message.is_request());
  EXPECT_EQ(message.method(), Method::options);
  EXPECT_EQ(message.request_uri(), "sip:b@b.example");
  EXPECT_EQ(message.body(), "hi");
  EXPECT_THAT(message.fields(), SizeIs(6));
}

TEST(Parser, ReadsAResponse) {
  const Message message =
      parsed(std::string("SIP/2.0 180 Ringing  now \r\n").append(kCommon).append("\r\n"));
  EXPECT_TRUE(message.is_response());
  EXPECT_EQ(message.status(), 180);
  EXPECT_EQ(message.reason(), "Ringing  now");
}

TEST(Parser, TakesAStatusLineWithoutReasonOrSpace) {
  EXPECT_EQ(parsed(std::string("SIP/2.0 100\r\n").append(kCommon).append("\r\n")).status(), 100);
}

TEST(Parser, TakesTheVersionInAnyCase) {
  EXPECT_EQ(parsed(std::string("sip/2.0 200 OK\r\n").append(kCommon).append("\r\n")).status(), 200);
  EXPECT_TRUE(
      parsed(std::string("OPTIONS sip:b sip/2.0\r\n").append(kCommon).append("\r\n")).is_request());
}

TEST(Parser, KeepsTheOctetsItWasGiven) {
  std::string text = options("Subject: " + std::string(200, 's') + "\r\n");
  const char* const octets = text.data();
  const Message message = parsed(std::move(text));
  EXPECT_GE(message.request_uri().data(), octets);
  EXPECT_LT(message.request_uri().data(), octets + 100);
}

// RFC 3261 §7.5: line ends before the start line are passed over [line-ends-before-start]
TEST(Parser, IgnoresLineEndsBeforeTheStartLine) {
  EXPECT_EQ(parsed("\r\n\r\n" + options()).method(), Method::options);
}

// RFC 3261 §7.3.1: folded lines are one [folded-lines]
TEST(Parser, JoinsFoldedLines) {
  const Message message =
      parsed(options("Subject: one\r\n two\r\n\tthree\r\nX-Empty:\r\n \r\nX-Last: z\r\n"));
  EXPECT_EQ(message.header(HeaderName::subject), "one   two  \tthree");
  EXPECT_EQ(message.header("X-Empty"), "");
  EXPECT_EQ(message.header("X-Last"), "z");
}

TEST(Parser, DoesNotFoldTheBodyIntoTheHeader) {
  EXPECT_EQ(parsed(options("", " starts with a space")).body(), " starts with a space");
}

// RFC 3261 §7.3.1: values behind commas are fields [comma-lists]
TEST(Parser, SplitsListsOutsideQuotesAndBrackets) {
  const Message message = parsed(
      options("Contact: \"a, b\" <sip:c,d@e>;q=1 ,<sip:f>;x=\"y,\\\",z\"\r\nSupported: a,b ,, c\r\n"
              "Allow: INVITE,ACK\r\nk: d\r\n"));
  EXPECT_THAT(message.headers(HeaderName::contact),
              ElementsAre("\"a, b\" <sip:c,d@e>;q=1", "<sip:f>;x=\"y,\\\",z\""));
  EXPECT_THAT(message.headers(HeaderName::supported), ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(message.count(HeaderName::allow), 2U);
}

// RFC 3261 §7.3.1: not so in challenges and credentials [comma-lists]
TEST(Parser, DoesNotSplitWhatIsNoList) {
  const Message message = parsed(options(
      "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\nAuthorization: Digest a=b, c=d\r\n"
      "Date: Sat, 13 Nov 2010 23:29:00 GMT\r\nSubject: a, b\r\nX-List: a, b\r\n"));
  EXPECT_EQ(message.header(HeaderName::www_authenticate), "Digest realm=\"a\", nonce=\"b\"");
  EXPECT_EQ(message.count(HeaderName::authorization), 1U);
  EXPECT_EQ(message.header(HeaderName::date), "Sat, 13 Nov 2010 23:29:00 GMT");
  EXPECT_EQ(message.header(HeaderName::subject), "a, b");
  EXPECT_EQ(message.header("X-List"), "a, b");
}

TEST(Parser, KeepsAnEmptyListField) {
  EXPECT_EQ(parsed(options("Supported:\r\n")).header(HeaderName::supported), "");
}

TEST(Parser, DoesNotAskForTheMagicCookie) {
  EXPECT_EQ(
      top_via(parsed(options_with("Via", "v: SIP/2.0/TCP [2001:db8::1]:5062;branch=1"))).branch(),
      "1");
}

// --------------------------------------------------------------------------------------------------------
// start line

TEST(Parser, AnswersABadRequestLineWith400) {
  for (std::string_view line :
       {"OPTIONS <sip:b@b> SIP/2.0", "OPTIONS  sip:b@b SIP/2.0", "OPTIONS sip:b@b  SIP/2.0",
        "OPTIONS sip:b@b SIP/2.0 ", "OPTIONS sip:b@b;x y SIP/2.0", "OPTIONS sip:b@b HTTP/1.1",
        "OPTIONS sip:b@b", "OPTIONS SIP/2.0", "OPTIONS  SIP/2.0", "OPTIONS sip: SIP/2.0",
        "OPTIONS nocolon SIP/2.0", "OPTIONS sip:b@b SIP/2.", "OPTIONS sip:b@b SIP/two.0"}) {
    expect_refused(std::string(line).append("\r\n").append(kCommon).append("\r\n"),
                   ParseErrorReason::start_line, 400);
  }
}

// RFC 3261 §21.5.6: another version gets 505 [version-505]
TEST(Parser, AnswersAnotherVersionWith505) {
  for (std::string_view version : {"SIP/3.0", "SIP/1.0", "sip/2.1", "SIP/22.0"}) {
    expect_refused(std::string("OPTIONS sip:b@b ")
                       .append(version)
                       .append("\r\n")
                       .append(kCommon)
                       .append("\r\n"),
                   ParseErrorReason::version, 505);
  }
}

TEST(Parser, DropsWhatIsNoSip) {
  expect_refused("GET", ParseErrorReason::start_line, 0);
  expect_refused("\x16\x03\x01 hello\r\n\r\n", ParseErrorReason::control_character, 0);
  expect_refused("(bad) sip:b SIP/2.0\r\n" + std::string(kCommon) + "\r\n",
                 ParseErrorReason::start_line, 0);
  expect_refused("GET / HTTP/1.1\r\nHost: x\r\n\r\n", ParseErrorReason::start_line, 0);
}

TEST(Parser, DropsNothingAndLineEnds) {
  expect_refused("", ParseErrorReason::empty, 0);
  expect_refused("\r\n\r\n", ParseErrorReason::empty, 0);
}

TEST(Parser, DropsResponsesWithABadStatusLine) {
  for (std::string_view line :
       {"SIP/2.0 700 X", "SIP/2.0 099 X", "SIP/2.0 2000 X", "SIP/2.0 20 X", "SIP/2.0 +20 X",
        "SIP/2.0  200 OK", "SIP/2.0 200OK", "SIP/2.0", "SIP/2.0 "}) {
    expect_refused(std::string(line).append("\r\n").append(kCommon).append("\r\n"),
                   ParseErrorReason::start_line, 0);
  }
  expect_refused(std::string("SIP/3.0 200 OK\r\n").append(kCommon).append("\r\n"),
                 ParseErrorReason::version, 0);
}

// ------------------------------------------------------------------------------------------------------
// header fields

TEST(Parser, AnswersAMalformedFieldWith400) {
  expect_refused(options("No colon\r\n"), ParseErrorReason::header_syntax, 400);
  expect_refused(options(": no name\r\n"), ParseErrorReason::header_syntax, 400);
  expect_refused(options("Bad name: x\r\n"), ParseErrorReason::header_syntax, 400);
  expect_refused(options("(x): y\r\n"), ParseErrorReason::header_syntax, 400);
}

TEST(Parser, AnswersAMissingEmptyLineWith400) {
  std::string text = options();
  text.resize(text.size() - 2);
  expect_refused(text, ParseErrorReason::header_syntax, 400);
}

// RFC 3261 §25.1: bare line ends in a field get 400 [control-characters]
TEST(Parser, AnswersControlCharactersWith400AndBlanksThem) {
  for (std::string_view value : {"a\nX-Forged: 1", "a\rb", "a\x01", "a\x7f"}) {
    expect_refused(options(std::string("Subject: ").append(value).append("\r\n")),
                   ParseErrorReason::control_character, 400);
  }
  const ParseError error =
      refused(options_with("From", "From: \"x\nX-Forged: 1\" <sip:a@a.example>;tag=1"));
  EXPECT_EQ(error.request->header(HeaderName::from), "\"x X-Forged: 1\" <sip:a@a.example>;tag=1");
}

// RFC 3261 §25.1: NUL stands in a quoted pair only [control-characters]
TEST(Parser, TakesANulOnlyAsQuotedPair) {
  const std::string quoted = options_with("To", "To: \"a\\\0b\" <sip:b@b>"s);
  EXPECT_EQ(to_of(parsed(quoted)).display_name, "a\0b"s);
  expect_refused(options_with("To", "To: \"a\0b\" <sip:b@b>"s), ParseErrorReason::control_character,
                 400);
  expect_refused(options("Subject: a\\\0b\r\n"s), ParseErrorReason::control_character, 400);
}

TEST(Parser, ABackslashDoesNotHideALineEnd) {
  const Message message = parsed(options("Subject: \"a\\\r\nX-Next: 1\r\n"));
  EXPECT_EQ(message.header("X-Next"), "1");
}

TEST(Parser, BareLineFeedsAreNoLineEnds) {
  std::string text = options();
  std::erase(text, '\r');
  expect_refused(text, ParseErrorReason::control_character, 0);
}

// RFC 3261 §8.1.1: without a mandatory field nothing can be answered [mandatory-fields]
TEST(Parser, DropsARequestThatCannotBeAnswered) {
  for (std::string_view name : {"Via", "From", "To", "Call-ID", "CSeq"}) {
    expect_refused(options_with(name, "X-Gone: 1"), ParseErrorReason::missing_header, 0);
  }
}

// RFC 3261 §8.1.1: malformed mandatory fields get 400 [mandatory-fields]
TEST(Parser, AnswersMalformedMandatoryFieldsWith400) {
  expect_refused(options_with("From", "From: sip:"), ParseErrorReason::header_syntax, 400);
  expect_refused(options_with("From", "From: *"), ParseErrorReason::header_syntax, 400);
  expect_refused(options_with("To", "To: Bell, A <sip:a@b>"), ParseErrorReason::header_syntax, 400);
  expect_refused(options_with("To", "To: <sip:a@b"), ParseErrorReason::header_syntax, 400);
  expect_refused(options_with("Call-ID", "Call-ID: a b"), ParseErrorReason::header_syntax, 400);
  expect_refused(options_with("Call-ID", "Call-ID:"), ParseErrorReason::header_syntax, 400);
}

TEST(Parser, AnswersABadCSeqWith400) {
  for (std::string_view value :
       {"4294967296 OPTIONS", "-1 OPTIONS", "1", "OPTIONS 1", "1 OPTIONS x", "1OPTIONS", ""}) {
    expect_refused(options_with("CSeq", std::string("CSeq: ").append(value)),
                   ParseErrorReason::cseq, 400);
  }
}

TEST(Parser, TakesTheLargestCSeq) {
  EXPECT_EQ(cseq_of(parsed(options_with("CSeq", "CSeq: 4294967295 OPTIONS"))).number, 4294967295U);
}

TEST(Parser, LeavesACSeqMismatchToItsCaller) {
  EXPECT_EQ(cseq_of(parsed(options_with("CSeq", "CSeq: 1 INVITE"))).method, Method::invite);
}

TEST(Parser, AnswersABadTopViaToItsHost) {
  const ParseError error =
      refused(options_with("Via", "Via: SIP/2.0/UDP h.example:5070;branch=;;"));
  EXPECT_EQ(error.status, 400);
  EXPECT_EQ(error.reason, ParseErrorReason::via);
  EXPECT_EQ(top_via(*error.request).sent_by(), "h.example:5070");
}

TEST(Parser, DropsARequestWithoutAReadableVia) {
  expect_refused(options_with("Via", "Via: SIP/2.0 h.example"), ParseErrorReason::via, 0);
  expect_refused(options_with("Via", "Via:"), ParseErrorReason::via, 0);
}

TEST(Parser, AnswersAnEmptyViaElementWith400) {
  expect_refused(options("Via: SIP/2.0/UDP h,,SIP/2.0/UDP i\r\n"), ParseErrorReason::via, 400);
}

// RFC 3261 §8.1.1: doubled mandatory fields get 400 [mandatory-fields]
TEST(Parser, AnswersDoubledSingleFieldsWith400) {
  for (std::string_view line : {"f: <sip:x@y>;tag=2", "To: <sip:x@y>", "i: 2", "CSeq: 2 OPTIONS",
                                "Max-Forwards: 1\r\nMax-Forwards: 2", "l: 0\r\nContent-Length: 0",
                                "Content-Type: a/b\r\nc: a/b"}) {
    const ParseError error = refused(options(std::string(line).append("\r\n")));
    EXPECT_EQ(error.reason, ParseErrorReason::duplicate_header) << line;
    EXPECT_EQ(error.status, 400) << line;
    EXPECT_EQ(error.request->header(HeaderName::call_id), "1@a.example");
  }
}

// RFC 3261 §17: nothing is answered to an ACK [ack-unanswered]
TEST(Parser, NeverAnswersAnAck) {
  std::string text = options("Content-Length: nine\r\n");
  text.replace(0, 7, "ACK");
  expect_refused(text, ParseErrorReason::content_length, 0);
}

TEST(Parser, GivesOnlyWhatAResponseCopies) {
  const ParseError error =
      refused(options("Subject: s\r\nVia: SIP/2.0/UDP two\r\nContent-Length: x\r\n", "body"));
  EXPECT_THAT(error.request->fields(), SizeIs(6));
  EXPECT_EQ(error.request->count(HeaderName::via), 2U);
  EXPECT_EQ(error.request->body(), "");
  EXPECT_EQ(error.request->method(), Method::options);
}

// ---------------------------------------------------------------------------------------------------------------
// body

TEST(Parser, DatagramBodyWithoutLengthGoesToItsEnd) {
  EXPECT_EQ(parsed(options("", "all of it")).body(), "all of it");
}

// RFC 3261 §18.3: what follows Content-Length is dropped [length-datagram]
TEST(Parser, LongerBodyIsCut) {
  for (Framing framing : {Framing::datagram, Framing::websocket, Framing::stream}) {
    EXPECT_EQ(parsed(options("l: 3\r\n", "cut here"), framing).body(), "cut");
  }
}

// RFC 3261 §18.3: a body that is too short gets 400 [length-datagram]
// RFC 7118 §5: a length that is too large gets 400 [ws-length]
TEST(Parser, ShorterBodyIsAnsweredWith400) {
  for (Framing framing : {Framing::datagram, Framing::websocket, Framing::stream}) {
    const ParseError error = refused(options("l: 9\r\n", "short"), framing);
    EXPECT_EQ(error.reason, ParseErrorReason::body_truncated);
    EXPECT_EQ(error.status, 400);
  }
}

// RFC 7118 §5: a WebSocket message needs no Content-Length [ws-length]
TEST(Parser, WebSocketNeedsNoLength) {
  EXPECT_EQ(parsed(options("", "body"), Framing::websocket).body(), "body");
}

// RFC 3261 §18.3: a stream without Content-Length gets 400 [length-stream]
TEST(Parser, StreamNeedsALength) {
  const ParseError error = refused(options(), Framing::stream);
  EXPECT_EQ(error.reason, ParseErrorReason::content_length);
  EXPECT_EQ(error.status, 400);
}

TEST(Parser, LengthIsDigitsOnly) {
  for (std::string_view value : {"-999", "+5", "5 5", "0x5", "", "99999999999999999999", "5;x"}) {
    expect_refused(options(std::string("Content-Length: ").append(value).append("\r\n"), "hello"),
                   ParseErrorReason::content_length, 400);
  }
}

// RFC 3261 §7.4: each octet of a body is kept [body-octets]
TEST(Parser, BodyOctetsAreUntouched) {
  std::string body;
  for (int c = 0; c < 256; ++c)
    body.push_back(static_cast<char>(c));
  EXPECT_EQ(parsed(options("l: 256\r\n", body)).body(), body);
}

// -------------------------------------------------------------------------------------------------------------
// limits

// RFC 3261 §21.5.7: a message that is too large gets 513 [size-limits]
TEST(ParserLimits, MessageSize) {
  const std::string text = options("l: 0\r\n");
  EXPECT_TRUE(Parser({.message_size = text.size()}).parse(text, Framing::datagram));
  const ParseError error = refused(text, Framing::datagram, {.message_size = text.size() - 1});
  EXPECT_EQ(error.reason, ParseErrorReason::too_large);
  EXPECT_EQ(error.status, 513);
}

TEST(ParserLimits, MessageSizeIncludesTheBodyToCome) {
  const ParseError error = refused(options("l: 70000\r\n"), Framing::stream);
  EXPECT_EQ(error.reason, ParseErrorReason::too_large);
  EXPECT_EQ(error.status, 513);
}

TEST(ParserLimits, FieldSize) {
  const std::string line = "Subject: " + std::string(91, 's');
  EXPECT_TRUE(Parser({.header_size = 100}).parse(options(line + "\r\n"), Framing::datagram));
  const ParseError error =
      refused(options(line + "s\r\n"), Framing::datagram, {.header_size = 100});
  EXPECT_EQ(error.reason, ParseErrorReason::header_too_long);
  EXPECT_EQ(error.status, 513);
}

// RFC 3261 §21.4.12: a Request-URI that is too long gets 414 [size-limits]
TEST(ParserLimits, RequestLineSize) {
  std::string text = options();
  text.insert(text.find(" SIP/2.0"), std::string(100, 'x'));
  const ParseError error = refused(text, Framing::datagram, {.header_size = 100});
  EXPECT_EQ(error.reason, ParseErrorReason::header_too_long);
  EXPECT_EQ(error.status, 414);
}

// RFC 3261 §21.5.7: too many fields get 513 [size-limits]
TEST(ParserLimits, FieldCountIncludesListElements) {
  EXPECT_TRUE(Parser({.header_count = 8}).parse(options("Allow: A,B,C\r\n"), Framing::datagram));
  const ParseError error =
      refused(options("Allow: A,B,C,D\r\n"), Framing::datagram, {.header_count = 8});
  EXPECT_EQ(error.reason, ParseErrorReason::too_many_headers);
  EXPECT_EQ(error.status, 513);
}

TEST(ParseErrors, HaveDistinctLabels) {
  std::vector<std::string_view> labels;
  for (int i = 0; i < static_cast<int>(ParseErrorReason::count_); ++i) {
    const auto label = parse_error_label(static_cast<ParseErrorReason>(i));
    EXPECT_NE(label, "unknown");
    EXPECT_THAT(labels, ::testing::Not(::testing::Contains(label)));
    labels.push_back(label);
  }
}

}  // namespace
}  // namespace trunkline::sip
