#include "sip/uri.hpp"

#include "sip/uri_header.hpp"

#include <gtest/gtest.h>
#include <string>

namespace trunkline::sip {
namespace {

using namespace std::string_literals;

Uri uri(std::string_view text) {
  auto result = Uri::parse(text);
  EXPECT_TRUE(result.has_value()) << text;
  return result ? std::move(*result) : Uri{};
}

bool equivalent(std::string_view a, std::string_view b) {
  const bool forth = uri(a).equivalent(uri(b));
  EXPECT_EQ(forth, uri(b).equivalent(uri(a))) << a << " and " << b;
  return forth;
}

TEST(UriParse, FindsAllParts) {
  const Uri parsed =
      uri("sips:alice:secret@Example.com:5061;transport=TCP;lr?Subject=hi&Priority=urgent");
  EXPECT_EQ(parsed.scheme, Uri::Scheme::sips);
  EXPECT_EQ(parsed.user, "alice");
  EXPECT_EQ(parsed.password, "secret");
  EXPECT_EQ(parsed.host, "Example.com");
  EXPECT_EQ(parsed.port, 5061);
  EXPECT_EQ(parsed.transport(), "tcp");
  EXPECT_TRUE(parsed.has_parameter("LR"));
  EXPECT_EQ(parsed.headers, "Subject=hi&Priority=urgent");
}

TEST(UriParse, GivesBackWhatItRead) {
  for (std::string_view text :
       {"sip:example.com", "sip:alice@example.com", "sip:a:@h",
        "sips:a:b@[2001:db8::1]:5061;maddr=[::1]", "sip:+1-212@gw;user=phone?a=b",
        "tel:+1-201-555-0123;phone-context=x", "urn:service:sos", "sip:h;a=;b=c"}) {
    EXPECT_EQ(uri(text).text(), text);
  }
}

TEST(UriParse, TakesASchemeInAnyCase) {
  EXPECT_EQ(uri("SIP:a@b").scheme, Uri::Scheme::sip);
  EXPECT_EQ(uri("Tel:123").scheme, Uri::Scheme::tel);
}

// RFC 3261 §19.1.1: an IPv6 address stands in brackets [ipv6-reference]
TEST(UriParse, TakesAnIpv6Reference) {
  const Uri parsed = uri("sip:user@[2001:db8::10]:5070;transport=udp");
  EXPECT_EQ(parsed.host, "[2001:db8::10]");
  EXPECT_EQ(parsed.port, 5070);
}

// RFC 3261 §19.1.1: the user part may hold ; and ? [uri-user]
TEST(UriParse, TakesSemicolonAndQuestionMarkInTheUser) {
  const Uri parsed = uri("sip:a;b?c=d/e@host;p");
  EXPECT_EQ(parsed.user, "a;b?c=d/e");
  EXPECT_EQ(parsed.host, "host");
  EXPECT_TRUE(parsed.has_parameter("p"));
}

TEST(UriParse, SkipsEmptyParameters) {
  EXPECT_EQ(uri("sip:a@b;;lr;").text(), "sip:a@b;lr");
}

TEST(UriParse, TheFirstOfTwoParametersCounts) {
  const Uri parsed = uri("sip:a@b;transport=tcp;Transport=udp;l%72;lr=on");
  EXPECT_EQ(parsed.text(), "sip:a@b;transport=tcp;l%72");
  EXPECT_TRUE(parsed.equivalent(parsed));
}

TEST(UriParse, TakesTheDomainOfABrowserContact) {
  EXPECT_EQ(uri("sip:k3v7@df7jal23ls0d.invalid;transport=ws;ob").host, "df7jal23ls0d.invalid");
}

class BadUri : public ::testing::TestWithParam<std::string_view> {};

TEST_P(BadUri, IsRefused) {
  EXPECT_FALSE(Uri::parse(GetParam()).has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Uri, BadUri,
    ::testing::Values("", "sip", "sip:", ":x", "1sip:a@b", "sip:@host", "sip:a@", "sip:a@b@c",
                      "sip:a@b c", "sip:a@b:", "sip:a@b:65536", "sip:a@b:-1", "sip:a@b:5o60",
                      "sip:a@[::1", "sip:a@[::zz]", "sip:a@[127.0.0.1]", "sip:a@::1", "<sip:a@b>",
                      "sip:a@b\r\nX: y", "sip:\"a\"@b", "sip:a@b;=x", "sip:a@[::1]x",
                      "tel:", "tel:;x", "tel:+", "tel:hello", "tel:12+3"));

TEST(UriParse, RefusesMoreParametersThanCanBeCompared) {
  std::string text = "sip:a@b";
  for (int i = 0; i < 65; ++i)
    text += ";p" + std::to_string(i);
  EXPECT_FALSE(Uri::parse(text).has_value());
}

// RFC 3261 §19.1.2: escapes are undone once [uri-escapes]
TEST(UriUser, IsUnescapedOnce) {
  EXPECT_EQ(uri("sip:%2525@h").unescaped_user(), "%25");
  EXPECT_EQ(uri("sip:a%00b@h").unescaped_user(), "a\0b"s);
  EXPECT_EQ(uri("sip:100%@h").unescaped_user(), "100%");
  EXPECT_EQ(uri("sip:%zz%4@h").unescaped_user(), "%zz%4");
}

TEST(UriUser, IsEscapedWhereNeeded) {
  EXPECT_EQ(escape_user("+1 (2)#@:%\x01\xff"), "+1%20(2)%23%40%3A%25%01%FF");
  EXPECT_EQ(escape_user("a-_.!~*'()&=+$,;?/"), "a-_.!~*'()&=+$,;?/");
}

// RFC 3261 §19.1.2: what is reserved is escaped [uri-escapes]
TEST(UriUser, SurvivesEscapingAndParsing) {
  std::string all;
  for (int c = 0; c < 256; ++c)
    all.push_back(static_cast<char>(c));
  EXPECT_EQ(uri(Uri::sip(all, "h").text()).unescaped_user(), all);
}

TEST(UriSip, PutsBracketsAroundIpv6) {
  EXPECT_EQ(Uri::sip("a", "::1", 5060).text(), "sip:a@[::1]:5060");
  EXPECT_EQ(Uri::sip("", "h").text(), "sip:h");
}

// RFC 3261 §19.1.4: the equal pairs of the RFC are equal [uri-comparison]
TEST(UriEquivalence, HoldsForThePairsOfTheRfc) {
  EXPECT_TRUE(
      equivalent("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
  EXPECT_TRUE(equivalent("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
  EXPECT_TRUE(equivalent("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
  EXPECT_TRUE(equivalent("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                         "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"));
  EXPECT_TRUE(equivalent("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                         "sip:alice@atlanta.com?priority=urgent&subject=project%20x"));
}

// RFC 3261 §19.1.4: the other pairs of the RFC are not [uri-comparison]
TEST(UriEquivalence, FailsForThePairsOfTheRfc) {
  EXPECT_FALSE(
      equivalent("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
  EXPECT_FALSE(equivalent("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
  EXPECT_FALSE(equivalent("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
  EXPECT_FALSE(equivalent("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
  EXPECT_FALSE(equivalent("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
  EXPECT_FALSE(equivalent("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
}

// RFC 3261 §19.1.4: equality of URIs is not transitive [uri-comparison]
TEST(UriEquivalence, IsNotTransitive) {
  EXPECT_FALSE(
      equivalent("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
}

// RFC 3261 §19.1.4: a reserved character and its escape differ [uri-comparison]
TEST(UriEquivalence, DistinguishesAnEscapedReservedCharacter) {
  EXPECT_FALSE(equivalent("sip:a%3Bb@h", "sip:a;b@h"));
  EXPECT_TRUE(equivalent("sip:a%3bb@h", "sip:a%3Bb@h"));
  EXPECT_FALSE(equivalent("sip:%2541@h", "sip:A@h"));
}

// RFC 3261 §19.1.4: four parameters always count [uri-comparison]
TEST(UriEquivalence, NeverIgnoresMaddrUserTtlOrMethod) {
  for (std::string_view parameter :
       {";maddr=192.0.2.1", ";user=phone", ";ttl=1", ";method=INVITE"}) {
    EXPECT_FALSE(equivalent("sip:a@h", std::string("sip:a@h").append(parameter)));
  }
}

TEST(UriEquivalence, DistinguishesSchemesPasswordsAndPorts) {
  EXPECT_FALSE(equivalent("sip:a@h", "sips:a@h"));
  EXPECT_FALSE(equivalent("sip:a@h", "sip:a:@h"));
  EXPECT_FALSE(equivalent("sip:a:b@h", "sip:a:B@h"));
  EXPECT_FALSE(equivalent("sip:a@h:1", "sip:a@h:2"));
}

TEST(UriEquivalence, ComparesIpv6AsAddresses) {
  EXPECT_TRUE(equivalent("sip:a@[2001:DB8:0::1]", "sip:a@[2001:db8::1]"));
  EXPECT_FALSE(equivalent("sip:a@[2001:db8::2]", "sip:a@[2001:db8::1]"));
}

TEST(UriEquivalence, OfTelephoneNumbersIgnoresSeparators) {
  EXPECT_TRUE(equivalent("tel:+1-201-555-0123", "tel:+1(201)5550123"));
  EXPECT_FALSE(equivalent("tel:+12015550123", "tel:12015550123"));
  EXPECT_TRUE(equivalent("tel:7042;phone-context=+1-914", "tel:70-42;Phone-Context=+1914"));
  EXPECT_FALSE(equivalent("tel:7042;phone-context=a.example", "tel:7042"));
}

TEST(UriEquivalence, OfOtherSchemesIsByOctet) {
  EXPECT_TRUE(equivalent("urn:a:b", "urn:a:b"));
  EXPECT_FALSE(equivalent("urn:a:b", "urn:a:B"));
}

TEST(UriParameters, AreSetReplacedAndFound) {
  Parameters parameters;
  set_parameter(parameters, "lr", std::nullopt);
  set_parameter(parameters, "Tag", "one");
  set_parameter(parameters, "tag", "two");
  ASSERT_EQ(parameters.size(), 2U);
  EXPECT_EQ(parameter_value(parameters, "TAG"), "two");
  EXPECT_EQ(parameter_value(parameters, "lr"), "");
  EXPECT_NE(find_parameter(parameters, "LR"), nullptr);
  EXPECT_EQ(find_parameter(parameters, "ttl"), nullptr);
}

// RFC 3261 §19.1.1: headers of a URI are escaped as a whole
TEST(UriHeaders, AreFoundByNameAndUnescaped) {
  const auto uri = Uri::parse(
      "sip:bob@example.test?subject=a%26b&replaces=1%40x%3Bto-tag%3Dt%3Bfrom-tag%3Df&empty");
  ASSERT_TRUE(uri);
  EXPECT_EQ(uri_header(*uri, "Replaces"), "1@x;to-tag=t;from-tag=f");
  EXPECT_EQ(uri_header(*uri, "Subject"), "a&b");
  EXPECT_EQ(uri_header(*uri, "Empty"), "");
  EXPECT_EQ(uri_header(*uri, "Body"), std::nullopt);
  EXPECT_EQ(uri_header(*Uri::parse("sip:bob@example.test"), "Replaces"), std::nullopt);
}

}  // namespace
}  // namespace trunkline::sip
