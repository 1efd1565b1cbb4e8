#include "sip/parser.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace trunkline::sip {
namespace {

using Kind = StreamFramer::Frame::Kind;

const std::string kFirst = "OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 5\r\n\r\nhello";
const std::string kSecond = "BYE sip:b SIP/2.0\r\nl : 0\r\n\r\n";
const std::string kFolded = "BYE sip:c SIP/2.0\r\nContent-Length:\r\n  2\r\n\r\nxx";

/// Everything the framer has to give after these octets; pings as "<ping>", a break as "<broken>".
std::vector<std::string> drain(StreamFramer& framer) {
  std::vector<std::string> frames;
  while (true) {
    StreamFramer::Frame frame = framer.next();
    if (frame.kind == Kind::need_more) return frames;
    if (frame.kind == Kind::ping) frames.emplace_back("<ping>");
    if (frame.kind == Kind::message) frames.push_back(frame.text);
    if (frame.kind == Kind::broken) {
      frames.emplace_back("<broken>");
      return frames;
    }
  }
}

StreamFramer::Frame broken_by(std::string_view bytes, ParserLimits limits = {}) {
  StreamFramer framer(limits);
  framer.push(bytes);
  StreamFramer::Frame frame = framer.next();
  EXPECT_EQ(frame.kind, Kind::broken);
  return frame;
}

// RFC 3261 §18.3: several messages of a segment are cut [stream-segments]
TEST(StreamFramer, CutsSeveralMessagesOfOneSegment) {
  StreamFramer framer;
  framer.push(kFirst + kSecond + kFolded);
  EXPECT_EQ(drain(framer), (std::vector<std::string>{kFirst, kSecond, kFolded}));
  EXPECT_EQ(framer.pending(), 0U);
}

// RFC 3261 §18.3: a message of many segments is joined [stream-segments]
// RFC 3261 §18.3: wherever the stream is cut, the same comes out [race-stream-cuts]
TEST(StreamFramer, JoinsAMessageOfManySegments) {
  const std::string stream = kFirst + "\r\n\r\n" + kSecond + "\r\n" + kFolded + kFirst;
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    StreamFramer framer;
    std::vector<std::string> frames;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      framer.push(std::string_view(stream).substr(at, step));
      for (std::string& frame : drain(framer))
        frames.push_back(std::move(frame));
    }
    EXPECT_EQ(frames, (std::vector<std::string>{kFirst, "<ping>", kSecond, kFolded, kFirst}))
        << step;
  }
}

TEST(StreamFramer, FindsPingsBetweenMessages) {
  StreamFramer framer;
  framer.push("\r\n\r\n\r\n\r\n" + kSecond + "\r\n\r\n");
  EXPECT_EQ(drain(framer), (std::vector<std::string>{"<ping>", "<ping>", kSecond, "<ping>"}));
}

// RFC 3261 §7.5: a line end between messages is passed over [line-ends-before-start]
TEST(StreamFramer, IgnoresASinglePairOfLineEnds) {
  StreamFramer framer;
  framer.push("\r\n" + kSecond + "\n\r" + kSecond);
  EXPECT_EQ(drain(framer), (std::vector<std::string>{kSecond, kSecond}));
}

// RFC 5626 §3.5.1: a ping may come in pieces [crlf-ping]
TEST(StreamFramer, APingSplitOverReadsIsFound) {
  StreamFramer framer;
  for (std::string_view part : {"\r", "\n\r"}) {
    framer.push(part);
    EXPECT_TRUE(drain(framer).empty());
  }
  framer.push("\n");
  EXPECT_EQ(drain(framer), std::vector<std::string>{"<ping>"});
}

// RFC 5626 §3.5.1: line ends inside a message are no ping [crlf-ping]
TEST(StreamFramer, LineEndsInsideAMessageAreNoPing) {
  StreamFramer framer;
  framer.push("INFO sip:a SIP/2.0\r\nl: 8\r\n\r\n");
  framer.push("\r\n\r\n");
  EXPECT_TRUE(drain(framer).empty());
  framer.push("\r\n\r\n");
  EXPECT_EQ(drain(framer).size(), 1U);
  EXPECT_EQ(framer.pending(), 0U);
}

TEST(StreamFramer, CountsWhatIsPending) {
  StreamFramer framer;
  framer.push(kSecond + "BYE");
  drain(framer);
  EXPECT_EQ(framer.pending(), 3U);
}

// RFC 3261 §18.3: a stream needs Content-Length [length-stream]
TEST(StreamFramer, BreaksWithoutALength) {
  EXPECT_EQ(broken_by("BYE sip:a SIP/2.0\r\n\r\n").reason, ParseErrorReason::content_length);
}

// RFC 3261 §18.3: a bad Content-Length ends the framing [length-stream]
TEST(StreamFramer, BreaksOnABadLength) {
  for (std::string_view value : {"-1", "5 5", "", "1\r\n 2", "99999999999"}) {
    EXPECT_EQ(
        broken_by(
            std::string("BYE sip:a SIP/2.0\r\nContent-Length: ").append(value).append("\r\n\r\n"))
            .reason,
        ParseErrorReason::content_length);
  }
}

// RFC 3261 §18.3: two of Content-Length end the framing [length-stream]
TEST(StreamFramer, BreaksOnTwoLengths) {
  EXPECT_EQ(broken_by("BYE sip:a SIP/2.0\r\nl: 0\r\nContent-Length: 0\r\n\r\n").reason,
            ParseErrorReason::duplicate_header);
}

// RFC 3261 §18.3: the framer sees the length that the parser sees [length-one]
TEST(StreamFramer, ALengthBehindABareLineFeedDoesNotCount) {
  EXPECT_EQ(broken_by("BYE sip:a SIP/2.0\r\nSubject: x\nContent-Length: 0\r\n\r\n").reason,
            ParseErrorReason::content_length);
}

// RFC 3261 §18.3: a length in a folded line is none [length-one]
TEST(StreamFramer, ALengthInAFoldedLineDoesNotCount) {
  EXPECT_EQ(broken_by("BYE sip:a SIP/2.0\r\nSubject: x\r\n Content-Length: 0\r\n\r\n").reason,
            ParseErrorReason::content_length);
}

TEST(StreamFramer, BreaksOnAHeaderWithoutEnd) {
  const StreamFramer::Frame frame =
      broken_by("BYE sip:a SIP/2.0\r\n" + std::string(100, 'x'), {.message_size = 60});
  EXPECT_EQ(frame.reason, ParseErrorReason::too_large);
  EXPECT_EQ(frame.text.size(), 61U);
}

TEST(StreamFramer, BreaksOnABodyBeyondTheLimitBeforeItComes) {
  const StreamFramer::Frame frame = broken_by("BYE sip:a SIP/2.0\r\nl: 70000\r\n\r\n");
  EXPECT_EQ(frame.reason, ParseErrorReason::too_large);
  EXPECT_EQ(frame.text, "BYE sip:a SIP/2.0\r\nl: 70000\r\n\r\n");
}

TEST(StreamFramer, StaysBroken) {
  StreamFramer framer;
  framer.push("BYE sip:a SIP/2.0\r\n\r\n");
  EXPECT_EQ(framer.next().kind, Kind::broken);
  framer.push(kSecond);
  const StreamFramer::Frame again = framer.next();
  EXPECT_EQ(again.kind, Kind::broken);
  EXPECT_EQ(again.reason, ParseErrorReason::content_length);
  EXPECT_EQ(framer.pending(), 0U);
}

// RFC 3261 §18.3: what ends the framing gets 400 or 513 [length-stream]
TEST(StreamFramer, WhatItBreaksOnIsAnsweredByTheParser) {
  const std::string request =
      "BYE sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: "
      "<sip:b>\r\n"
      "Call-ID: 1\r\nCSeq: 1 BYE\r\n";
  const StreamFramer::Frame length = broken_by(request + "\r\n");
  EXPECT_EQ(Parser().parse(length.text, Framing::stream).error().status, 400);
  const StreamFramer::Frame large = broken_by(request + "l: 70000\r\n\r\n");
  EXPECT_EQ(Parser().parse(large.text, Framing::stream).error().status, 513);
  const StreamFramer::Frame endless = broken_by(request + "X: " + std::string(70000, 'x'));
  EXPECT_EQ(Parser().parse(endless.text, Framing::stream).error().status, 513);
}

}  // namespace
}  // namespace trunkline::sip
