#include "sip/header.hpp"

#include "sip/parts.hpp"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace trunkline::sip {
namespace {

using namespace std::string_literals;
using ::testing::SizeIs;

NameAddress address(std::string_view text) {
  auto result = NameAddress::parse(text);
  EXPECT_TRUE(result.has_value()) << text;
  return result ? std::move(*result) : NameAddress{};
}

Via via(std::string_view text) {
  auto result = Via::parse(text);
  EXPECT_TRUE(result.has_value()) << text;
  return result ? std::move(*result) : Via{};
}

// ---------------------------------------------------------------------------------------------------------
// addresses

TEST(NameAddress, HasNameUriAndParameters) {
  const NameAddress parsed =
      address("\"Bob \\\"B\\\" \" <sips:bob@biloxi.com;lr> ; tag = a48s ;q=0.5;+x=\"<urn:a>\"");
  EXPECT_EQ(parsed.display_name, "Bob \"B\" ");
  EXPECT_EQ(parsed.uri.text(), "sips:bob@biloxi.com;lr");
  EXPECT_EQ(parsed.tag(), "a48s");
  EXPECT_EQ(parsed.parameter("Q"), "0.5");
  EXPECT_EQ(parsed.parameter("+x"), "\"<urn:a>\"");
}

TEST(NameAddress, TakesUnquotedNames) {
  EXPECT_EQ(address("A. G. Bell <sip:agb@bell.com>").display_name, "A. G. Bell");
  EXPECT_EQ(address("caller<sip:a@b>").display_name, "caller");
  EXPECT_EQ(address("J\xc3\xbcrgen (work) <sip:a@b>").display_name, "J\xc3\xbcrgen (work)");
  EXPECT_EQ(address("<sip:a@b>").display_name, "");
  EXPECT_EQ(address("\"\"<sip:a@b>").display_name, "");
}

TEST(NameAddress, WithoutBracketsGivesTheParametersToTheField) {
  const NameAddress parsed = address("sip:+12125551212@server.example;tag=887s");
  EXPECT_EQ(parsed.tag(), "887s");
  EXPECT_TRUE(parsed.uri.parameters.empty());
}

TEST(NameAddress, KnowsTheWildcard) {
  EXPECT_TRUE(address(" * ").wildcard);
  EXPECT_EQ(address("*").text(), "*");
}

TEST(NameAddress, IsWrittenQuotedAndBracketed) {
  EXPECT_EQ(address("sip:a@b;tag=1").text(), "<sip:a@b>;tag=1");
  EXPECT_EQ(address("A \\B <sip:a@b>").text(), "\"A \\\\B\" <sip:a@b>");
  EXPECT_EQ(address("\"q\\\"\" <tel:123>;x=\"y z\";lone").text(),
            "\"q\\\"\" <tel:123>;x=\"y z\";lone");
}

class BadAddress : public ::testing::TestWithParam<std::string_view> {};

TEST_P(BadAddress, IsRefused) {
  EXPECT_FALSE(NameAddress::parse(GetParam()).has_value());
}

INSTANTIATE_TEST_SUITE_P(NameAddress, BadAddress,
                         ::testing::Values("", "bob", "<>", "<sip:a@b", "sip:a@b>", "\"a <sip:a@b>",
                                           "\"a\" sip:a@b", "\"a\"", "Bell, A <sip:a@b>",
                                           "< sip:a@b >", "<sip:a@b>;", "<sip:a@b>;;x",
                                           "<sip:a@b>;=1", "<sip:a@b>;tag=", "<sip:a@b>;x=\"y",
                                           "<sip:a@b> x", "<sip:a@b>;x y", "sip:a@b?Route=c",
                                           "sip:a,b@c", "a\"b\" <sip:a@b>", "*;q=1",
                                           "<sip:a@b>;x=<y>", "sip:a b@c"));

// ---------------------------------------------------------------------------------------------------------------
// Via

TEST(Via, HasItsParts) {
  const Via parsed =
      via("SIP / 2.0 / udp first.example.com : 4000 ;ttl=16;maddr=224.2.0.1 "
          ";branch=z9hG4bKa7c6.1;rport");
  EXPECT_EQ(parsed.protocol, "SIP/2.0");
  EXPECT_EQ(parsed.transport, "UDP");
  EXPECT_EQ(parsed.host, "first.example.com");
  EXPECT_EQ(parsed.port, 4000);
  EXPECT_EQ(parsed.branch(), "z9hG4bKa7c6.1");
  EXPECT_NE(find_parameter(parsed.parameters, "rport"), nullptr);
}

TEST(Via, IsWrittenAsOneLine) {
  EXPECT_EQ(via("SIP / 2.0/wss  x.invalid;branch = z9hG4bK1 ; rport").text(),
            "SIP/2.0/WSS x.invalid;branch=z9hG4bK1;rport");
}

// RFC 3261 §19.1.1: an IPv6 sent-by is in brackets [ipv6-reference]
// RFC 5118 §4.5: received has an IPv6 address with or without brackets [ipv6-received]
TEST(Via, TakesIpv6InSentByAndReceived) {
  const Via parsed =
      via("SIP/2.0/UDP [2001:DB8::9:1]:5070;received=2001:db8::9:255;branch=z9hG4bKas3");
  EXPECT_EQ(parsed.host, "[2001:DB8::9:1]");
  EXPECT_EQ(parsed.port, 5070);
  EXPECT_EQ(parameter_value(parsed.parameters, "received"), "2001:db8::9:255");
  EXPECT_EQ(via("SIP/2.0/UDP [::1];received=[2001:db8::1]").host, "[::1]");
}

TEST(Via, SentByHasTheDefaultPortOfItsTransport) {
  EXPECT_EQ(via("SIP/2.0/UDP Host.Example").sent_by(), "host.example:5060");
  EXPECT_EQ(via("SIP/2.0/TCP host").sent_by(), "host:5060");
  EXPECT_EQ(via("SIP/2.0/TLS host").sent_by(), "host:5061");
  EXPECT_EQ(via("SIP/2.0/WS host").sent_by(), "host:80");
  EXPECT_EQ(via("SIP/2.0/WSS host").sent_by(), "host:443");
  EXPECT_EQ(via("SIP/2.0/TLS host:7").sent_by(), "host:7");
}

class BadVia : public ::testing::TestWithParam<std::string_view> {};

TEST_P(BadVia, IsRefused) {
  EXPECT_FALSE(Via::parse(GetParam()).has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Via, BadVia,
    ::testing::Values("", "SIP/2.0 host", "SIP/2.0/UDP", "SIP/2.0/UDP ;branch=1", "/2.0/UDP host",
                      "SIP//UDP host", "SIP/2.0/UDP host:", "SIP/2.0/UDP host:70000",
                      "SIP/2.0/UDP host:x", "SIP/2.0/UDP [::1", "SIP/2.0/UDP []",
                      "SIP/2.0/UDP host;;", "SIP/2.0/UDP host;branch=", "SIP/2.0/UDP host x",
                      "SIP/2.0/UDP ho<st", "SIP/2.0/UDP [::1]x"));

// -----------------------------------------------------------------------------------------------------
// other headers

TEST(CSeq, HasNumberAndMethod) {
  const auto cseq = CSeq::parse(" 0009 \t INVITE ");
  ASSERT_TRUE(cseq.has_value());
  EXPECT_EQ(cseq->number, 9U);
  EXPECT_EQ(cseq->method, Method::invite);
  EXPECT_EQ(cseq->text(), "9 INVITE");
}

TEST(CSeq, KeepsAnUnknownMethod) {
  EXPECT_EQ(CSeq::parse("4294967295 FETCH")->text(), "4294967295 FETCH");
  EXPECT_EQ((CSeq{7, Method::bye, ""}).text(), "7 BYE");
}

TEST(CSeq, RefusesWhatDoesNotFit) {
  for (std::string_view text :
       {"", "1", "INVITE", "4294967296 INVITE", "-1 INVITE", "1 INVITE x", "1 IN,VITE"}) {
    EXPECT_FALSE(CSeq::parse(text).has_value()) << text;
  }
}

TEST(SessionExpires, HasIntervalAndRefresher) {
  const auto both = SessionExpires::parse("1800;refresher=UAS");
  ASSERT_TRUE(both.has_value());
  EXPECT_EQ(both->delta_seconds, 1800U);
  EXPECT_EQ(both->refresher, SessionExpires::Refresher::uas);
  EXPECT_EQ(both->text(), "1800;refresher=uas");
  EXPECT_EQ(SessionExpires::parse("90 ; refresher=uac")->text(), "90;refresher=uac");
  EXPECT_EQ(SessionExpires::parse("90;refresher=me")->text(), "90");
}

TEST(SessionExpires, RefusesWhatIsNoInterval) {
  for (std::string_view text : {"", "x", ";refresher=uac", "90;", "-1"}) {
    EXPECT_FALSE(SessionExpires::parse(text).has_value()) << text;
  }
}

TEST(Reason, HasProtocolCauseAndText) {
  const auto reason = Reason::parse("Q.850 ;cause=16 ;text=\"Normal \\\"call\\\"\"");
  ASSERT_TRUE(reason.has_value());
  EXPECT_EQ(reason->protocol, "Q.850");
  EXPECT_EQ(reason->cause, 16);
  EXPECT_EQ(reason->text_phrase, "Normal \"call\"");
  EXPECT_EQ(reason->text(), "Q.850;cause=16;text=\"Normal \\\"call\\\"\"");
  EXPECT_EQ(Reason::parse("SIP;cause=487")->text(), "SIP;cause=487");
  EXPECT_EQ(Reason::parse("preemption")->cause, 0);
}

TEST(Reason, RefusesBadCauses) {
  for (std::string_view text :
       {"", ";cause=1", "SIP;cause=x", "SIP;cause=1000", "SIP;cause", "SIP cause=1"}) {
    EXPECT_FALSE(Reason::parse(text).has_value()) << text;
  }
}

TEST(RAck, HasThreeParts) {
  const auto rack = RAck::parse("776656 1 INVITE");
  ASSERT_TRUE(rack.has_value());
  EXPECT_EQ(rack->rseq, 776656U);
  EXPECT_EQ(rack->cseq.number, 1U);
  EXPECT_EQ(rack->text(), "776656 1 INVITE");
  EXPECT_FALSE(RAck::parse("1 INVITE").has_value());
  EXPECT_FALSE(RAck::parse("x 1 INVITE").has_value());
}

TEST(Replaces, HasCallIdAndTags) {
  const auto replaces =
      Replaces::parse("98732@sip.example.com ;from-tag=r33th4x0r;to-tag=ff87ff;early-only");
  ASSERT_TRUE(replaces.has_value());
  EXPECT_EQ(replaces->call_id, "98732@sip.example.com");
  EXPECT_EQ(replaces->to_tag, "ff87ff");
  EXPECT_EQ(replaces->from_tag, "r33th4x0r");
  EXPECT_TRUE(replaces->early_only);
  EXPECT_EQ(replaces->text(), "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r;early-only");
}

TEST(Replaces, RefusesMissingParts) {
  for (std::string_view text : {"", "a", "a;to-tag=1", "a;from-tag=1", ";to-tag=1;from-tag=2"}) {
    EXPECT_FALSE(Replaces::parse(text).has_value()) << text;
  }
}

TEST(MediaType, IsLowerCaseWithParameters) {
  const auto media = MediaType::parse("Multipart / Mixed ; boundary=\"a b\"");
  ASSERT_TRUE(media.has_value());
  EXPECT_TRUE(media->is("multipart/MIXED"));
  EXPECT_FALSE(media->is("multipart/related"));
  EXPECT_EQ(parameter_value(media->parameters, "boundary"), "\"a b\"");
  EXPECT_EQ(MediaType::parse("*/*")->subtype, "*");
}

TEST(MediaType, RefusesHalves) {
  for (std::string_view text : {"", "application", "application/", "/sdp", "a/b c", "a/b;"}) {
    EXPECT_FALSE(MediaType::parse(text).has_value()) << text;
  }
}

TEST(DeltaSeconds, SaturateAndRefuse) {
  EXPECT_EQ(parse_delta_seconds(" 0030 "), 30U);
  EXPECT_EQ(parse_delta_seconds("4294967296"), 4294967295U);
  EXPECT_EQ(parse_delta_seconds(std::string(100, '9')), 4294967295U);
  for (std::string_view text : {"", "-1", "1s", "1 2", "0x1"})
    EXPECT_EQ(parse_delta_seconds(text), std::nullopt);
}

TEST(RetryAfter, LeavesOutCommentAndParameters) {
  EXPECT_EQ(parse_retry_after("18000;duration=3600"), 18000U);
  EXPECT_EQ(parse_retry_after("120 (I'm in a meeting)"), 120U);
  EXPECT_EQ(parse_retry_after("120(x)"), 120U);
  EXPECT_EQ(parse_retry_after("949302838503028349304023988"), 4294967295U);
  EXPECT_EQ(parse_retry_after("soon"), std::nullopt);
  EXPECT_EQ(parse_retry_after(""), std::nullopt);
}

TEST(HasToken, ComparesOptionsWithoutCaseAndMethodsWith) {
  Message message = Message::request(Method::invite, "sip:a");
  message.add(HeaderName::supported, "Timer");
  message.add(HeaderName::supported, "100rel");
  message.add(HeaderName::allow, "INVITE");
  message.add(HeaderName::accept, "application/sdp;q=0.5");
  EXPECT_TRUE(has_token(message, HeaderName::supported, "timer"));
  EXPECT_FALSE(has_token(message, HeaderName::supported, "time"));
  EXPECT_TRUE(has_token(message, HeaderName::allow, "INVITE"));
  EXPECT_FALSE(has_token(message, HeaderName::allow, "invite"));
  EXPECT_TRUE(has_token(message, HeaderName::accept, "application/sdp"));
  EXPECT_FALSE(has_token(message, HeaderName::require, "timer"));
}

TEST(Quoting, EscapesAndGivesBack) {
  EXPECT_EQ(quote("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(unquote("\"a\\\"b\\\\c\""), "a\"b\\c");
  EXPECT_EQ(quote("a\r\nb\0c"s), "\"a  b c\"");
  EXPECT_EQ(unquote("plain"), "plain");
  EXPECT_EQ(unquote("\""), "\"");
  EXPECT_EQ(unquote("\"\""), "");
}

TEST(DateText, IsInGmt) {
  using std::chrono::system_clock;
  EXPECT_EQ(date_text(system_clock::time_point{}), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date_text(system_clock::from_time_t(1289690940)), "Sat, 13 Nov 2010 23:29:00 GMT");
}

TEST(Shorthands, ReadAMessage) {
  Message message = Message::request(Method::invite, "sip:a");
  message.add(HeaderName::via, "SIP/2.0/TCP h;branch=z9hG4bK1");
  message.add(HeaderName::from, "<sip:f@h>;tag=1");
  message.add(HeaderName::to, "<sip:t@h>");
  message.add(HeaderName::call_id, "c");
  message.add(HeaderName::cseq, "3 INVITE");
  message.add(HeaderName::contact, "<sip:1@h>");
  message.add(HeaderName::contact, "<sip:2@h>");
  EXPECT_EQ(top_via(message).branch(), "z9hG4bK1");
  EXPECT_EQ(from_of(message).tag(), "1");
  EXPECT_EQ(to_of(message).uri.user, "t");
  EXPECT_EQ(call_id_of(message), "c");
  EXPECT_EQ(cseq_of(message).number, 3U);
  EXPECT_EQ(contact_of(message)->uri.user, "1");
}

TEST(Shorthands, OfAnEmptyMessageAreEmpty) {
  const Message message = Message::request(Method::invite, "sip:a");
  EXPECT_EQ(top_via(message).host, "");
  EXPECT_EQ(from_of(message).tag(), "");
  EXPECT_EQ(call_id_of(message), "");
  EXPECT_EQ(cseq_of(message).number, 0U);
  EXPECT_FALSE(contact_of(message));
}

TEST(Shorthands, AWildcardIsNoContact) {
  Message message = Message::request(Method::register_, "sip:a");
  message.add(HeaderName::contact, "*");
  EXPECT_FALSE(contact_of(message));
}

TEST(WarningHeader, IsCodeAgentAndText) {
  const auto warning = Warning::parse("305 sbc.example.test:5060 \"Incompatible \\\"format\\\"\"");
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->code, 305);
  EXPECT_EQ(warning->agent, "sbc.example.test:5060");
  EXPECT_EQ(warning->text, "Incompatible \"format\"");
  for (const std::string_view bad : {"", "305", "305 a", "305 a b", "30 a \"x\"", "3050 a \"x\"",
                                     "abc a \"x\"", "305 a \"x", "305 a \"x\" y", "305 \"x\""})
    EXPECT_FALSE(Warning::parse(bad)) << bad;
}

TEST(QValue, IsInThousandths) {
  EXPECT_EQ(parse_qvalue("1"), 1000);
  EXPECT_EQ(parse_qvalue("1.000"), 1000);
  EXPECT_EQ(parse_qvalue("0"), 0);
  EXPECT_EQ(parse_qvalue("0."), 0);
  EXPECT_EQ(parse_qvalue("0.5"), 500);
  EXPECT_EQ(parse_qvalue("0.25"), 250);
  EXPECT_EQ(parse_qvalue("0.001"), 1);
  for (const std::string_view odd : {"", "0.0001", "0.x", "0x", "-1", "2", "high"})
    EXPECT_EQ(parse_qvalue(odd), 1000) << odd;
}

TEST(Tag, IsReadWithoutTakingTheAddressApart) {
  EXPECT_EQ(tag_of("<sip:alice@example.test>;tag=a1"), "a1");
  EXPECT_EQ(tag_of("\"A <x>;tag=no\" <sip:alice@example.test;tag=no>;x=\";tag=no\";TAG=a1;tag=a2"),
            "a1");
  EXPECT_EQ(tag_of(" sip:alice@example.test;tag=a1 "), "a1");
  EXPECT_EQ(tag_of("<sip:alice@example.test;tag=no>"), "");
  EXPECT_EQ(tag_of("<sip:alice@example.test>;tag"), "");
  EXPECT_EQ(tag_of("<sip:alice@example.test"), "");
  EXPECT_EQ(tag_of(""), "");
}

}  // namespace
}  // namespace trunkline::sip
