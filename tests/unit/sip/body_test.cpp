#include "sip/body.hpp"

#include "sip/header.hpp"
#include "sip/parser.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

// Bodies of one and of several parts (RFC 2046 §5.1, RFC 5621).
namespace trunkline::sip {
namespace {

using Verdict = BodyReading::Verdict;

constexpr std::string_view kSdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";

/// A part with these fields.
std::string part(std::string_view fields, std::string_view content) {
  return std::string(fields).append("\r\n\r\n").append(content);
}

std::string sdp_part() {
  return part("Content-Type: application/sdp", kSdp);
}

std::string join(const std::vector<std::string>& parts, std::string_view boundary = "b1") {
  std::string body;
  for (const std::string& one : parts)
    body.append("--").append(boundary).append("\r\n").append(one).append("\r\n");
  return body.append("--").append(boundary).append("--\r\n");
}

struct Body : testing::Test {
  Message message = Message::request(Method::invite, "sip:bob@example.test");

  BodyReading read(std::string_view type, std::string_view body) {
    message.set_body(type, body);
    return read_body(message);
  }
  BodyReading mixed(const std::vector<std::string>& parts) {
    return read("multipart/mixed;boundary=b1", join(parts));
  }
  BodyReading alternative(const std::vector<std::string>& parts) {
    return read("multipart/alternative;boundary=b1", join(parts));
  }
};

void expect_description(const BodyReading& reading) {
  EXPECT_EQ(reading.verdict, Verdict::good);
  EXPECT_EQ(reading.description, kSdp);
}

void expect_verdict(const BodyReading& reading, Verdict verdict) {
  EXPECT_EQ(reading.verdict, verdict);
}

TEST_F(Body, NoneIsGood) {
  EXPECT_EQ(read_body(message).verdict, Verdict::good);
  EXPECT_TRUE(read_body(message).description.empty());
}

TEST_F(Body, ADescriptionAlone) {
  expect_description(read("application/sdp", kSdp));
  expect_description(read("Application/SDP; charset=utf-8", kSdp));
  message.add(HeaderName::content_disposition, "session;handling=required");
  expect_description(read("application/sdp", kSdp));
}

// RFC 3261 §8.2.3: what is not understood is refused, unless it is optional [body-415]
TEST_F(Body, AnotherKindIsUnknownUnlessItIsOptional) {
  expect_verdict(read("text/plain", "hello"), Verdict::unknown);
  expect_verdict(read("nonsense", "hello"), Verdict::unknown);
  message.add(HeaderName::content_disposition, "render; handling=Optional");
  expect_verdict(read("text/plain", "hello"), Verdict::good);
  expect_verdict(read("nonsense", "hello"), Verdict::good);
}

// RFC 3959 §3: a description of another session is none of this one
TEST_F(Body, ADescriptionOfAnotherSessionIsNotTaken) {
  message.add(HeaderName::content_disposition, "early-session");
  const auto reading = read("application/sdp", kSdp);
  expect_verdict(reading, Verdict::unknown);
  EXPECT_TRUE(reading.description.empty());
}

// RFC 5621 §4.2: of several parts the description is found [multipart]
TEST_F(Body, TheDescriptionIsFoundWhereverItStands) {
  const std::string isup = part(
      "Content-Type: application/isup;version=itu-t92+\r\nContent-Disposition: "
      "signal;handling=optional",
      std::string("\x01\x00\x49\r\n--\x00", 8));
  expect_description(mixed({sdp_part()}));
  expect_description(mixed({isup, sdp_part()}));
  expect_description(mixed({sdp_part(), isup}));
  expect_description(mixed({isup, sdp_part(), isup}));
}

// RFC 5621 §5.2: a part that must be understood and is not refuses the whole [multipart]
TEST_F(Body, APartIsRequiredUnlessItSaysOtherwise) {
  const auto with = [&](std::string_view disposition) {
    return mixed({sdp_part(), part("Content-Type: application/pidf+xml" + std::string(disposition),
                                   "<presence/>")});
  };
  expect_verdict(with(""), Verdict::unknown);
  expect_verdict(with("\r\nContent-Disposition: render"), Verdict::unknown);
  expect_verdict(with("\r\nContent-Disposition: by-reference;handling=required"), Verdict::unknown);
  expect_verdict(with("\r\nContent-Disposition: by-reference;handling=\"sometimes\""),
                 Verdict::unknown);
  expect_description(with("\r\nContent-Disposition: by-reference;handling=optional"));
  expect_description(with("\r\ncontent-disposition:by-reference ; HANDLING = OPTIONAL"));
  expect_description(with("\r\nContent-Disposition: by-reference;\r\n handling=optional"));
  EXPECT_EQ(with("").description, kSdp) << "a response or an ACK is read all the same";
}

// RFC 2046 §5.1.4: of alternatives the last that is understood counts
TEST_F(Body, OfAlternativesTheLastThatIsUnderstoodCounts) {
  const std::string better = part("Content-Type: application/sdpng+xml", "<sdpng/>");
  const std::string other = part("Content-Type: application/sdp", "v=1\r\n");
  expect_description(alternative({sdp_part(), better}));
  expect_description(alternative({better, sdp_part()}));
  expect_description(alternative({other, sdp_part(), better}));
  expect_verdict(alternative({better, better}), Verdict::unknown);
  message.add(HeaderName::content_disposition, "session;handling=optional");
  expect_verdict(alternative({better, better}), Verdict::good);
}

TEST_F(Body, OfRelatedPartsTheRootCounts) {
  const std::string picture = part("Content-Type: image/png\r\nContent-ID: <2@x>", "\x89PNG");
  const std::string root = part("Content-Type: application/sdp\r\nContent-ID: <1@x>", kSdp);
  expect_description(read("multipart/related;boundary=b1", join({root, picture})));
  expect_description(read("multipart/related;boundary=b1;start=\"<1@x>\"", join({picture, root})));
  expect_verdict(read("multipart/related;boundary=b1", join({picture, root})), Verdict::unknown);
}

TEST_F(Body, AnUnknownMultipartIsReadAsMixed) {
  expect_description(read("multipart/novel;boundary=b1", join({sdp_part()})));
}

// RFC 5621 §4.3: parts may be multiparts themselves [multipart]
TEST_F(Body, PartsMayHaveParts) {
  const std::string inner = part("Content-Type: multipart/alternative;boundary=\"b 2\"",
                                 join({part("Content-Type: text/plain", "x"), sdp_part()}, "b 2"));
  const std::string text =
      part("Content-Type: text/plain\r\nContent-Disposition: render;handling=optional", "hello");
  expect_description(mixed({text, inner}));
  // A boundary that begins like the outer one.
  const std::string prefix =
      part("Content-Type: multipart/mixed;boundary=b11", join({sdp_part()}, "b11"));
  expect_description(mixed({prefix, text}));
}

TEST_F(Body, AnOptionalMultipartIsPassedOverAsAWhole) {
  const std::string inner = part(
      "Content-Type: multipart/mixed;boundary=b2\r\nContent-Disposition: render;handling=optional",
      join({part("Content-Type: text/plain", "x")}, "b2"));
  expect_description(mixed({inner, sdp_part()}));
}

TEST_F(Body, NestingAndPartsHaveALimit) {
  std::string nested = sdp_part();
  for (std::size_t level = 1; level < kMaxBodyDepth; ++level) {
    const std::string boundary = "n" + std::to_string(level);
    nested = part("Content-Type: multipart/mixed;boundary=" + boundary, join({nested}, boundary));
  }
  expect_description(mixed({nested}));
  nested = part("Content-Type: multipart/mixed;boundary=last", join({nested}, "last"));
  expect_verdict(mixed({nested}), Verdict::malformed);

  std::vector<std::string> many(kMaxBodyParts, sdp_part());
  expect_description(mixed(many));
  many.push_back(sdp_part());
  expect_verdict(mixed(many), Verdict::malformed);
  // The limit is that of all levels together.
  const std::vector<std::string> half(kMaxBodyParts / 2, sdp_part());
  const std::string inner = part("Content-Type: multipart/mixed;boundary=b2", join(half, "b2"));
  expect_verdict(mixed({inner, inner}), Verdict::malformed);
}

// RFC 2046 §5.1.1: what a boundary line is, and what not [multipart]
TEST_F(Body, BoundaryLines) {
  const std::string type = "multipart/mixed;boundary=b1";
  const std::string sdp = sdp_part();
  expect_description(
      read(type, "preamble\r\n--b1\r\n" + sdp + "\r\n--b1--\r\nepilogue\r\n--b1\r\n"));
  expect_description(read(type, "--b1 \t\r\n" + sdp + "\r\n--b1--  "));
  expect_description(read(type, "--b1\r\n" + sdp + "\r\n--b1--"));
  expect_description(read(type, "--b1\r\n" + sdp));  // its last line is missing
  expect_description(read("multipart/mixed;boundary=\"b1\"", join({sdp})));
  expect_description(
      read("multipart/mixed; boundary=\"gc0p4:J'()+_,-./=?\"", join({sdp}, "gc0p4:J'()+_,-./=?")));
  const std::string longest(70, 'x');
  expect_description(read("multipart/mixed;boundary=" + longest, join({sdp}, longest)));

  for (const std::string& broken : std::initializer_list<std::string>{
           "", "hello", "--b1", "--b1--", "--b1--\r\n", "--b1\n" + sdp + "\n--b1--\n",
           " --b1\r\n" + sdp, "--b1x\r\n" + sdp, "--b1\r\nnot a field\r\n\r\nx\r\n--b1--"}) {
    if (broken.empty()) continue;
    const auto reading = read(type, broken);
    // A delimiter alone is a part without fields, which is text.
    EXPECT_NE(reading.verdict, Verdict::good) << broken;
    EXPECT_TRUE(reading.description.empty()) << broken;
  }
  expect_verdict(read("multipart/mixed", join({sdp})), Verdict::malformed);
  expect_verdict(read("multipart/mixed;boundary=\"\"", join({sdp})), Verdict::malformed);
  expect_verdict(read("multipart/mixed;boundary=\"b1 \"", join({sdp}, "b1 ")), Verdict::malformed);
  const std::string longer(71, 'x');
  expect_verdict(read("multipart/mixed;boundary=" + longer, join({sdp}, longer)),
                 Verdict::malformed);
}

TEST_F(Body, APartWithoutFieldsIsText) {
  expect_verdict(mixed({"\r\nhello", sdp_part()}), Verdict::unknown);
  expect_verdict(mixed({"", sdp_part()}), Verdict::unknown);
}

TEST_F(Body, BinaryContentIsNotLookedInto) {
  std::string binary;
  for (int octet = 0; octet < 256; ++octet)
    binary.push_back(static_cast<char>(octet));
  binary += "\r\n--b\r\n--b12\r\n--b1x\r\n\r\n\r\n";
  expect_description(
      mixed({part("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n"
                  "Content-Disposition: signal;handling=optional",
                  binary),
             sdp_part()}));
}

TEST_F(Body, AnEncodedDescriptionIsNotUnderstood) {
  const auto encoded = [&](std::string_view encoding) {
    return mixed({part(
        "Content-Type: application/sdp\r\nContent-Transfer-Encoding: " + std::string(encoding),
        kSdp)});
  };
  expect_description(encoded("binary"));
  expect_description(encoded("8BIT"));
  expect_verdict(encoded("base64"), Verdict::unknown);
  expect_verdict(encoded("quoted-printable"), Verdict::unknown);
}

// RFC 4475 §3.1.1.11: a text and a signature
TEST_F(Body, TheMultipartOfTheTortureTestIsReadAndNotUnderstood) {
  std::ifstream file(TESTS_DIR "/corpus/rfc4475/mpart01.dat", std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  const auto parsed = Parser().parse(text.str(), Framing::datagram);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(read_body(*parsed).verdict, Verdict::unknown);
}

}  // namespace
}  // namespace trunkline::sip
