#include "sip/digest.hpp"
#include "sip/header.hpp"
#include "sip/parser.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

// The torture messages of RFC 4475 at parse level. What is decided later (481, 416, 420, 415, 501
// ...) must parse and show the later stage what it needs.
namespace trunkline::sip {
namespace {

using namespace std::string_literals;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string octets(const std::string& file) {
  std::ifstream stream(std::string(TESTS_DIR) + "/corpus/rfc4475/" + file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

Result<Message, ParseError> parse(const std::string& file, Framing framing = Framing::datagram) {
  return Parser().parse(octets(file), framing);
}

Message parsed(const std::string& file) {
  auto message = parse(file);
  EXPECT_TRUE(message.has_value()) << file << ": " << message.error().detail;
  return message ? std::move(*message) : Message();
}

struct Verdict {
  enum class Kind { parses, rejected, dropped } kind;
  int status = 0;
  ParseErrorReason reason{};
};
constexpr Verdict kParses{Verdict::Kind::parses};
constexpr Verdict rejected(int status, ParseErrorReason reason) {
  return {Verdict::Kind::rejected, status, reason};
}
constexpr Verdict dropped(ParseErrorReason reason) {
  return {Verdict::Kind::dropped, 0, reason};
}

const std::map<std::string, Verdict>& verdicts() {
  using enum ParseErrorReason;
  static const std::map<std::string, Verdict> kVerdicts = {
      {"wsinv.dat", kParses},
      {"intmeth.dat", kParses},
      {"esc01.dat", kParses},
      {"escnull.dat", kParses},
      {"esc02.dat", kParses},
      {"lwsdisp.dat", kParses},
      {"longreq.dat", kParses},
      {"dblreq.dat", kParses},
      {"semiuri.dat", kParses},
      {"transports.dat", kParses},
      {"mpart01.dat", kParses},
      {"unreason.dat", kParses},
      {"noreason.dat", kParses},
      {"badinv01.dat", rejected(400, via)},
      {"clerr.dat", rejected(400, body_truncated)},
      {"ncl.dat", rejected(400, content_length)},
      {"scalar02.dat", rejected(400, cseq)},
      {"scalarlg.dat", dropped(cseq)},
      {"quotbal.dat", rejected(400, header_syntax)},
      {"ltgtruri.dat", rejected(400, start_line)},
      {"lwsruri.dat", rejected(400, start_line)},
      {"lwsstart.dat", rejected(400, start_line)},
      {"trws.dat", rejected(400, start_line)},
      {"escruri.dat", kParses},
      {"baddate.dat", kParses},
      {"regbadct.dat", kParses},
      {"badaspec.dat", rejected(400, header_syntax)},
      {"baddn.dat", rejected(400, header_syntax)},
      {"baddn-terminated.dat", rejected(400, header_syntax)},
      {"badvers.dat", rejected(505, version)},
      {"mismatch01.dat", kParses},
      {"mismatch02.dat", kParses},
      {"bigcode.dat", dropped(start_line)},
      {"badbranch.dat", kParses},
      {"insuf.dat", dropped(missing_header)},
      {"unkscm.dat", kParses},
      {"novelsc.dat", kParses},
      {"unksm2.dat", kParses},
      {"bext01.dat", kParses},
      {"invut.dat", kParses},
      {"regaut01.dat", kParses},
      {"multi01.dat", rejected(400, duplicate_header)},
      {"mcl01.dat", rejected(400, duplicate_header)},
      {"bcast.dat", kParses},
      {"zeromf.dat", kParses},
      {"cparam01.dat", kParses},
      {"cparam02.dat", kParses},
      {"regescrt.dat", kParses},
      {"sdp01.dat", kParses},
      {"inv2543.dat", kParses},
  };
  return kVerdicts;
}

class TortureTest : public ::testing::TestWithParam<std::string> {};

// RFC 4475 §3: each message is taken, refused or dropped as it should be
TEST_P(TortureTest, HasItsVerdict) {
  const Verdict& verdict = verdicts().at(GetParam());
  const auto result = parse(GetParam());
  if (verdict.kind == Verdict::Kind::parses) {
    ASSERT_TRUE(result.has_value()) << result.error().detail;
    return;
  }
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().status, verdict.status);
  EXPECT_EQ(parse_error_label(result.error().reason), parse_error_label(verdict.reason));
  EXPECT_EQ(result.error().request.has_value(), verdict.kind == Verdict::Kind::rejected);
}

TEST_P(TortureTest, GivesTheSameMessageAfterSerializing) {
  const auto first = parse(GetParam());
  if (!first) return;
  const auto second = Parser().parse(first->serialize(), Framing::stream);
  ASSERT_TRUE(second.has_value()) << second.error().detail;
  EXPECT_EQ(second->serialize(), first->serialize());
  EXPECT_EQ(second->body(), first->body());
}

TEST_P(TortureTest, SurvivesEveryTruncation) {
  const std::string whole = octets(GetParam());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    for (Framing framing : {Framing::datagram, Framing::stream, Framing::websocket}) {
      const auto result = Parser().parse(whole.substr(0, size), framing);
      const bool answered = !result && result.error().status != 0;
      EXPECT_EQ(!result && result.error().request.has_value(), answered);
    }
  }
}

std::vector<std::string> files() {
  std::vector<std::string> names;
  for (const auto& [name, verdict] : verdicts())
    names.push_back(name);
  return names;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& file) {
  std::string name;
  for (char c : file.param.substr(0, file.param.find('.')))
    name += c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(Rfc4475, TortureTest, ::testing::ValuesIn(files()), test_name);

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    parts.push_back(part);
  return parts;
}

TEST(TortureTable, AgreesWithTheExpectationsOfTheWholeGateway) {
  std::istringstream table(octets("expected.tsv"));
  std::size_t rows = 0;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.starts_with('#') || line.starts_with("file\t")) continue;
    const std::vector<std::string> columns = split(line, '\t');
    ASSERT_GE(columns.size(), 6U) << line;
    const auto verdict = verdicts().find(columns[0]);
    ASSERT_NE(verdict, verdicts().end()) << columns[0];
    ++rows;
    const std::vector<std::string> expected = split(columns[4], '|');
    if (verdict->second.kind == Verdict::Kind::rejected) {
      EXPECT_THAT(expected, ::testing::Contains(std::to_string(verdict->second.status)))
          << columns[0];
    } else if (verdict->second.kind == Verdict::Kind::dropped) {
      EXPECT_THAT(expected, ::testing::Contains("DROP")) << columns[0];
    }
  }
  EXPECT_EQ(rows, verdicts().size());
}

// ------------------------------------------------------------------------------------------------ 3.1.1
// valid messages

// RFC 3261 §7.3.1: folding and spaces are read through [folded-lines]
TEST(TortureContent, WsinvIsReadThroughFoldingAndSpaces) {
  const Message message = parsed("wsinv.dat");
  EXPECT_EQ(to_of(message).tag(), "1918181833n");
  EXPECT_EQ(from_of(message).display_name, "J Rosenberg \\\"");
  EXPECT_EQ(from_of(message).tag(), "98asjd8");
  EXPECT_EQ(message.header(HeaderName::max_forwards), "0068");
  EXPECT_EQ(cseq_of(message).number, 9U);
  EXPECT_EQ(cseq_of(message).method, Method::invite);
  EXPECT_EQ(message.header(HeaderName::subject), "");
  EXPECT_EQ(message.header("UnknownHeaderWithUnusualValue"), ";;,,;;,;");
  EXPECT_EQ(message.body().size(), 150U);
  ASSERT_EQ(message.count(HeaderName::via), 3U);
  const Via top = top_via(message);
  EXPECT_EQ(top.text(), "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw");
  EXPECT_EQ(Via::parse(message.headers(HeaderName::via)[1])->branch(), "z9hG4bK9ikj8");
  EXPECT_EQ(Via::parse(message.headers(HeaderName::via)[2])->branch(), "z9hG4bK30239");
  const auto contact = contact_of(message);
  ASSERT_TRUE(contact.has_value());
  EXPECT_EQ(contact->display_name, "Quoted string \"\"");
  EXPECT_EQ(contact->parameter("newparam"), "newvalue");
  EXPECT_EQ(contact->parameter("q"), "0.33");
}

TEST(TortureContent, IntmethKeepsTheQuotedNulAndTheMethodAsWritten) {
  const Message message = parsed("intmeth.dat");
  EXPECT_EQ(message.method(), Method::unknown);
  EXPECT_EQ(message.method_text(), "!interesting-Method0123456789_*+`.%indeed'~");
  EXPECT_EQ(cseq_of(message).method_text, message.method_text());
  EXPECT_EQ(to_of(message).display_name, "BEL:\x07 NUL:\0 DEL:\x7f"s);
  const auto uri = Uri::parse(message.request_uri());
  ASSERT_TRUE(uri.has_value());
  EXPECT_EQ(uri->host, "example.com");
  EXPECT_EQ(uri->user, "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*");
  EXPECT_EQ(uri->password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)");
  EXPECT_THAT(message.serialize(), HasSubstr("NUL:\\\0 DEL:\\\x7f\" <sip:"s));
}

// RFC 3261 §19.1.2: escapes are undone once [uri-escapes]
TEST(TortureContent, Esc01UnescapesOnce) {
  const Message message = parsed("esc01.dat");
  const auto uri = Uri::parse(message.request_uri());
  ASSERT_TRUE(uri.has_value());
  EXPECT_EQ(uri->scheme, Uri::Scheme::sip);
  EXPECT_EQ(uri->unescaped_user(), "sips:user@example.com");
  EXPECT_TRUE(to_of(message).uri.equivalent(*Uri::parse("sip:user@example.com")));
  const auto contact = contact_of(message);
  ASSERT_TRUE(contact.has_value());
  EXPECT_TRUE(
      contact->uri.equivalent(*Uri::parse("sip:caller@host5.example.net;lr;name=value%2541")));
}

// RFC 3261 §19.1.2: an escaped NUL ends no user part [uri-escapes]
TEST(TortureContent, EscnullGivesUsersWithNul) {
  const Message message = parsed("escnull.dat");
  EXPECT_EQ(to_of(message).uri.unescaped_user(), "null-\0-null"s);
  const auto contacts = message.headers(HeaderName::contact);
  ASSERT_THAT(contacts, SizeIs(2));
  const auto one = NameAddress::parse(contacts[0]);
  const auto two = NameAddress::parse(contacts[1]);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->uri.unescaped_user(), std::string(1, '\0'));
  EXPECT_FALSE(one->uri.equivalent(two->uri));
}

TEST(TortureContent, Esc02IsNotARegister) {
  const Message message = parsed("esc02.dat");
  EXPECT_EQ(message.method(), Method::unknown);
  EXPECT_EQ(message.count(HeaderName::contact), 2U);
  EXPECT_EQ(message.header("C%6Fntact"), "<sip:alias2@host2.example.com>");
  EXPECT_EQ(to_of(message).display_name, "%Z%45");
}

TEST(TortureContent, LwsdispHasItsDisplayName) {
  EXPECT_EQ(from_of(parsed("lwsdisp.dat")).display_name, "caller");
}

TEST(TortureContent, LongreqKeepsAllViasInOrder) {
  const auto message = parsed("longreq.dat");
  const auto vias = message.headers(HeaderName::via);
  ASSERT_THAT(vias, SizeIs(34));
  EXPECT_EQ(vias.front(), "SIP/2.0/TCP sip33.example.com");
  EXPECT_THAT(std::string(vias.back()), HasSubstr("host.example.com;received=192.0.2.5"));
}

TEST(TortureContent, DblreqDatagramHoldsOnlyTheRegister) {
  const Message message = parsed("dblreq.dat");
  EXPECT_EQ(message.method(), Method::register_);
  EXPECT_EQ(message.body(), "");
  EXPECT_EQ(message.serialize().find("INVITE"), std::string::npos);
}

TEST(TortureContent, DblreqStreamHoldsBoth) {
  StreamFramer framer;
  framer.push(octets("dblreq.dat"));
  const StreamFramer::Frame first = framer.next();
  ASSERT_EQ(first.kind, StreamFramer::Frame::Kind::message);
  EXPECT_EQ(Parser().parse(first.text, Framing::stream)->method(), Method::register_);
  const StreamFramer::Frame second = framer.next();
  ASSERT_EQ(second.kind, StreamFramer::Frame::Kind::message);
  EXPECT_EQ(Parser().parse(second.text, Framing::stream)->method(), Method::invite);
}

// RFC 3261 §19.1.1: the user part ends at the @ [uri-user]
TEST(TortureContent, SemiuriHasTheSemicolonInTheUser) {
  const Message message = parsed("semiuri.dat");
  const auto uri = Uri::parse(message.request_uri());
  EXPECT_EQ(uri->unescaped_user(), "user;par=u@example.net");
  EXPECT_EQ(uri->host, "example.com");
  EXPECT_EQ(message.count(HeaderName::accept), 6U);
}

TEST(TortureContent, TransportsKeepsUnknownOnesBelowTheTop) {
  const Message message = parsed("transports.dat");
  EXPECT_EQ(top_via(message).transport, "UDP");
  std::vector<std::string> transports;
  for (std::string_view via : message.headers(HeaderName::via))
    transports.push_back(Via::parse(via)->transport);
  EXPECT_THAT(transports, ElementsAre("UDP", "SCTP", "TLS", "UNKNOWN", "TCP"));
}

// RFC 3261 §7.4: a binary body is kept [body-octets]
TEST(TortureContent, Mpart01KeepsItsBinaryBody) {
  const Message message = parsed("mpart01.dat");
  EXPECT_EQ(message.body().size(), 553U);
  EXPECT_NE(message.body().find('\0'), std::string_view::npos);
  EXPECT_TRUE(MediaType::parse(*message.header(HeaderName::content_type))->is("multipart/mixed"));
  const std::string wire = octets("mpart01.dat");
  EXPECT_TRUE(wire.ends_with(message.body()) || wire.find(message.body()) != std::string::npos);
}

TEST(TortureContent, UnreasonHasAPhraseInUtf8) {
  const Message message = parsed("unreason.dat");
  EXPECT_EQ(message.status(), 200);
  EXPECT_TRUE(message.reason().starts_with("= 2**3 * 5**2 \xd0\xbd"));
}

TEST(TortureContent, NoreasonHasAnEmptyPhrase) {
  const Message message = parsed("noreason.dat");
  EXPECT_EQ(message.status(), 100);
  EXPECT_EQ(message.reason(), "");
}

// ---------------------------------------------------------------------------------------------- 3.1.2
// invalid messages

TEST(TortureContent, RejectedRequestsCanBeEchoed) {
  const auto scalar = parse("scalar02.dat");
  EXPECT_EQ(scalar.error().request->header(HeaderName::cseq), "36893488147419103232 REGISTER");
  const auto quotes = parse("quotbal.dat");
  EXPECT_EQ(quotes.error().request->header(HeaderName::to),
            "\"Mr. J. User <sip:j.user@example.com>");
  const auto version = parse("badvers.dat");
  EXPECT_EQ(top_via(*version.error().request).branch(), "z9hG4bKkdjuw");
  const auto commas = parse("badinv01.dat");
  EXPECT_EQ(top_via(*commas.error().request).host, "192.0.2.15");
}

TEST(TortureContent, Multi01EchoesTheFirstOfEach) {
  const auto result = parse("multi01.dat");
  const Message& request = *result.error().request;
  EXPECT_EQ(request.headers(HeaderName::call_id),
            std::vector<std::string_view>{"multi01.98asdh@192.0.2.1"});
  EXPECT_EQ(request.count(HeaderName::cseq), 1U);
}

TEST(TortureContent, NclBreaksAStream) {
  StreamFramer framer;
  framer.push(octets("ncl.dat"));
  const StreamFramer::Frame frame = framer.next();
  EXPECT_EQ(frame.kind, StreamFramer::Frame::Kind::broken);
  EXPECT_EQ(frame.reason, ParseErrorReason::content_length);
  EXPECT_EQ(Parser().parse(frame.text, Framing::stream).error().status, 400);
}

TEST(TortureContent, Mcl01BreaksAStream) {
  StreamFramer framer;
  framer.push(octets("mcl01.dat"));
  const StreamFramer::Frame frame = framer.next();
  EXPECT_EQ(frame.kind, StreamFramer::Frame::Kind::broken);
  EXPECT_EQ(Parser().parse(frame.text, Framing::stream).error().status, 400);
}

TEST(TortureContent, ClerrWaitsOnAStream) {
  StreamFramer framer;
  framer.push(octets("clerr.dat"));
  EXPECT_EQ(framer.next().kind, StreamFramer::Frame::Kind::need_more);
}

// RFC 7118 §5: a length that is too large gets 400 [ws-length]
TEST(TortureContent, ClerrIsRejectedOnAWebSocket) {
  EXPECT_EQ(parse("clerr.dat", Framing::websocket).error().status, 400);
}

TEST(TortureContent, EscruriHeadersStayInTheUri) {
  const Message message = parsed("escruri.dat");
  EXPECT_EQ(Uri::parse(message.request_uri())->headers, "Route=%3Csip:example.com%3E");
  EXPECT_FALSE(message.header(HeaderName::route));
}

TEST(TortureContent, RegbadctContactIsNoAddress) {
  const Message message = parsed("regbadct.dat");
  EXPECT_FALSE(contact_of(message));
  EXPECT_EQ(message.count(HeaderName::contact), 1U);
}

TEST(TortureContent, MismatchesAreVisible) {
  EXPECT_EQ(cseq_of(parsed("mismatch01.dat")).method, Method::invite);
  EXPECT_EQ(parsed("mismatch01.dat").method(), Method::options);
  EXPECT_EQ(parsed("mismatch02.dat").method(), Method::unknown);
}

// ------------------------------------------------------------------------------ 3.2 to 3.4
// transaction, application, 2543

TEST(TortureContent, BadbranchShowsTheBareCookie) {
  EXPECT_EQ(top_via(parsed("badbranch.dat")).branch(), "z9hG4bK");
}

TEST(TortureContent, UnknownSchemesAreKeptAsWritten) {
  EXPECT_EQ(Uri::parse(parsed("unkscm.dat").request_uri())->scheme, Uri::Scheme::other);
  EXPECT_EQ(Uri::parse(parsed("novelsc.dat").request_uri())->text(),
            "soap.beep://192.0.2.103:3002");
  EXPECT_EQ(to_of(parsed("unksm2.dat")).uri.opaque, "isbn:2983792873");
}

TEST(TortureContent, Bext01ListsItsExtensions) {
  const Message message = parsed("bext01.dat");
  EXPECT_THAT(message.headers(HeaderName::require),
              ElementsAre("nothingSupportsThis", "nothingSupportsThisEither"));
  EXPECT_TRUE(has_token(message, HeaderName::proxy_require, "NOPROXIESSUPPORTTHIS"));
}

TEST(TortureContent, InvutShowsItsMediaType) {
  const auto media = MediaType::parse(*parsed("invut.dat").header(HeaderName::content_type));
  ASSERT_TRUE(media.has_value());
  EXPECT_TRUE(media->is("application/unknownformat"));
}

TEST(TortureContent, Regaut01HasNoDigestCredentials) {
  EXPECT_FALSE(DigestCredentials::parse(*parsed("regaut01.dat").header(HeaderName::authorization)));
}

TEST(TortureContent, ZeromfIsReadAsZero) {
  EXPECT_EQ(parse_delta_seconds(*parsed("zeromf.dat").header(HeaderName::max_forwards)), 0U);
}

TEST(TortureContent, Cparam01IsAParameterOfTheField) {
  const auto contact = contact_of(parsed("cparam01.dat"));
  ASSERT_TRUE(contact.has_value());
  EXPECT_NE(find_parameter(contact->parameters, "unknownparam"), nullptr);
  EXPECT_EQ(contact->uri.text(), "sip:+19725552222@gw1.example.net");
}

TEST(TortureContent, Cparam02IsAParameterOfTheUri) {
  const auto contact = contact_of(parsed("cparam02.dat"));
  ASSERT_TRUE(contact.has_value());
  EXPECT_TRUE(contact->parameters.empty());
  EXPECT_EQ(contact->uri.text(), "sip:+19725552222@gw1.example.net;unknownparam");
}

TEST(TortureContent, RegescrtShowsTheHeadersOfItsContact) {
  EXPECT_EQ(contact_of(parsed("regescrt.dat"))->uri.headers, "Route=%3Csip:sip.example.com%3E");
}

TEST(TortureContent, Inv2543HasNoBranchNorTagAndABodyToTheEnd) {
  const Message message = parsed("inv2543.dat");
  EXPECT_EQ(top_via(message).branch(), "");
  EXPECT_EQ(from_of(message).tag(), "");
  EXPECT_TRUE(message.body().starts_with("v=0\r\n"));
  EXPECT_EQ(to_of(message).parameter("user"), "phone");
}

}  // namespace
}  // namespace trunkline::sip
