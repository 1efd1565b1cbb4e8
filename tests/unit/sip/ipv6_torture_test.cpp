#include "base/net_address.hpp"
#include "sip/header.hpp"
#include "sip/parser.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <vector>

// The address forms of RFC 5118 at parse level; tests/sip/ipv6.test.mjs sends the same messages to
// the program.
namespace trunkline::sip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string octets(const std::string& name) {
  std::ifstream stream(std::string(TESTS_DIR) + "/corpus/rfc5118/" + name + ".dat",
                       std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

Message parsed(const std::string& name) {
  auto message = Parser().parse(octets(name), Framing::stream);
  EXPECT_TRUE(message.has_value()) << name << ": " << message.error().detail;
  return message ? std::move(*message) : Message();
}

Uri target(const std::string& name) {
  const auto uri = Uri::parse(parsed(name).request_uri());
  EXPECT_TRUE(uri.has_value()) << name;
  return uri.value_or(Uri{});
}

// RFC 5118 §4.1: an IPv6 reference is a host, in a Contact too [ipv6-messages]
TEST(Ipv6Torture, AReferenceIsAHost) {
  EXPECT_EQ(IpAddress::parse(target("reference").host), IpAddress::parse("2001:db8::10"));
  EXPECT_EQ(contact_of(parsed("reference"))->uri.host, "[2001:db8::1]");
  EXPECT_EQ(top_via(parsed("reference")).host, "[2001:db8::9:1]");
}

// RFC 5118 §4.2: without brackets it is refused with 400, and the answer reaches its sender
// [ipv6-messages]
TEST(Ipv6Torture, WithoutBracketsItIsNone) {
  const auto result = Parser().parse(octets("no-reference"), Framing::stream);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().status, 400);
  ASSERT_TRUE(result.error().request.has_value());
  EXPECT_EQ(top_via(*result.error().request).host, "[2001:db8::9:1]");
}

// RFC 5118 §4.3: within the brackets nothing is a port [ipv6-messages]
TEST(Ipv6Torture, TheLastGroupIsNoPort) {
  const Uri uri = target("port-ambiguous");
  EXPECT_EQ(IpAddress::parse(uri.host), IpAddress::parse("2001:db8::10:5070"));
  EXPECT_FALSE(uri.port);
}

// RFC 5118 §4.4: behind them it is [ipv6-messages]
TEST(Ipv6Torture, BehindTheBracketsThereIsAPort) {
  const Uri uri = target("port-unambiguous");
  EXPECT_EQ(IpAddress::parse(uri.host), IpAddress::parse("2001:db8::10"));
  EXPECT_EQ(uri.port, 5070);
}

// RFC 5118 §4.5: received is taken with and without brackets [ipv6-messages]
TEST(Ipv6Torture, ReceivedIsTakenWithAndWithoutBrackets) {
  for (const std::string name : {"received-bracketed", "received-bare"}) {
    const Via via = top_via(parsed(name));
    EXPECT_EQ(IpAddress::parse(parameter_value(via.parameters, "received")),
              IpAddress::parse("2001:db8::9:255"));
  }
}

// RFC 5118 §4.7: hops of several families stand in one message [ipv6-messages]
TEST(Ipv6Torture, HopsOfSeveralFamiliesAreKept) {
  std::vector<std::string> hosts;
  const Message message = parsed("families-in-via");
  for (const std::string_view via : message.headers(HeaderName::via))
    hosts.push_back(Via::parse(via)->host);
  EXPECT_THAT(hosts, ElementsAre("[2001:db8::9:1]", "192.0.2.1", "[2001:db8::9:255]"));
}

// RFC 5118 §4.9: an IPv4-mapped address is read, and is the IPv4 address [ipv6-messages]
TEST(Ipv6Torture, AMappedAddressIsTheIpv4Address) {
  EXPECT_EQ(IpAddress::parse(top_via(parsed("mapped")).host), IpAddress::parse("192.0.2.10"));
  EXPECT_EQ(IpAddress::parse(contact_of(parsed("mapped"))->uri.host),
            IpAddress::parse("192.0.2.2"));
}

// RFC 5118 §4.10: a third colon before an IPv4 tail is tolerated, and not passed on
// [ipv6-messages]
TEST(Ipv6Torture, AThirdColonIsTolerated) {
  EXPECT_TRUE(target("three-colons").equivalent(target("two-colons")));
  EXPECT_EQ(target("three-colons").text(), "sip:user@[2001:db8::192.0.2.1]");
  EXPECT_EQ(to_of(parsed("three-colons")).uri.host, "[2001:db8::192.0.2.1]");
}

TEST(Ipv6Torture, NoOtherThirdColonIs) {
  for (const char* uri :
       {"sip:[2001:db8:::1]", "sip:[::::192.0.2.1]", "sip:[2001::db8:::192.0.2.1]",
        "sip:[1:2:3:4:5:6:::192.0.2.1]", "sip:[2001:db8:::192.0.2]", "sip:[2001:db8:::192.0.2.1",
        "sip:[:::]", "sip:2001:db8:::192.0.2.1", "sip:[fe80::1%25eth0]"}) {
    EXPECT_FALSE(Uri::parse(uri)) << uri;
  }
}

TEST(Ipv6Torture, MessagesAreTheSameAfterSerializing) {
  for (const std::string name :
       {"reference", "port-ambiguous", "port-unambiguous", "received-bracketed", "received-bare",
        "sdp", "families-in-via", "families-in-sdp", "mapped", "three-colons", "two-colons"}) {
    EXPECT_EQ(parsed(name).serialize(), octets(name)) << name;
  }
  EXPECT_THAT(octets("sdp"), HasSubstr("c=IN IP6 2001:db8::20\r\n"));
}

}  // namespace
}  // namespace trunkline::sip
