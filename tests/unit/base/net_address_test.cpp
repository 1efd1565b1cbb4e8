#include "base/net_address.hpp"

#include <gtest/gtest.h>
#include <unordered_set>

namespace trunkline {
namespace {

TEST(IpAddress, ParsesBothFamiliesWithOrWithoutBrackets) {
  EXPECT_EQ(IpAddress::parse("192.0.2.1")->text(), "192.0.2.1");
  EXPECT_EQ(IpAddress::parse("2001:DB8:0::1")->text(), "2001:db8::1");
  EXPECT_EQ(IpAddress::parse("[2001:db8::1]")->uri_text(), "[2001:db8::1]");
  EXPECT_EQ(IpAddress::parse("192.0.2.1")->uri_text(), "192.0.2.1");
}

TEST(IpAddress, RefusesEverythingElse) {
  for (const char* text :
       {"", "192.0.2", "192.0.2.256", "192.0.2.1 ", "2001:db8::g", "[2001:db8::1", "host", "1"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string(1000, '1')));
}

TEST(IpAddress, MappedIpv4IsIpv4) {
  const auto mapped = IpAddress::parse("::ffff:192.0.2.1");
  ASSERT_TRUE(mapped);
  EXPECT_TRUE(mapped->is_v4());
  EXPECT_EQ(*mapped, *IpAddress::parse("192.0.2.1"));
}

TEST(IpAddress, KnowsSpecialAddresses) {
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("127.1.2.3")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("239.1.2.3")->is_multicast());
  EXPECT_TRUE(IpAddress::parse("ff02::1")->is_multicast());
  EXPECT_FALSE(IpAddress::parse("192.0.2.1")->is_loopback());
  EXPECT_FALSE(IpAddress::parse("2001:db8::1")->is_multicast());
  EXPECT_TRUE(IpAddress().empty());
}

TEST(SocketAddress, ParsesAddressAndPort) {
  EXPECT_EQ(SocketAddress::parse("192.0.2.1:5060")->text(), "192.0.2.1:5060");
  EXPECT_EQ(SocketAddress::parse("[2001:db8::1]:65535")->text(), "[2001:db8::1]:65535");
  EXPECT_EQ(SocketAddress::parse("127.0.0.1:0")->port, 0);
}

TEST(SocketAddress, RefusesEverythingElse) {
  for (const char* text :
       {"192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:5060x",
        "2001:db8::1:5060x", "[2001:db8::1]", "host:5060", ":5060"}) {
    EXPECT_FALSE(SocketAddress::parse(text)) << text;
  }
}

TEST(SocketAddress, HashesByValue) {
  std::unordered_set<SocketAddress> set{*SocketAddress::parse("192.0.2.1:1"),
                                        *SocketAddress::parse("192.0.2.1:2")};
  EXPECT_TRUE(set.contains(*SocketAddress::parse("192.0.2.1:2")));
  EXPECT_FALSE(set.contains(*SocketAddress::parse("192.0.2.2:2")));
}

TEST(AddressRange, OneAddressHoldsEachOfItsPorts) {
  const auto range = AddressRange::parse("192.0.2.1");
  ASSERT_TRUE(range);
  EXPECT_TRUE(range->contains(*SocketAddress::parse("192.0.2.1:5060")));
  EXPECT_FALSE(range->contains(*SocketAddress::parse("192.0.2.2:5060")));
}

TEST(AddressRange, PrefixesNeedNotEndAtAnOctet) {
  const auto range = AddressRange::parse("192.0.2.128/25");
  ASSERT_TRUE(range);
  EXPECT_TRUE(range->contains(*IpAddress::parse("192.0.2.255")));
  EXPECT_FALSE(range->contains(*IpAddress::parse("192.0.2.127")));
  EXPECT_TRUE(
      AddressRange::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:7fff::1")));
  EXPECT_FALSE(
      AddressRange::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:8000::1")));
}

TEST(AddressRange, ZeroPrefixHoldsItsFamilyOnly) {
  EXPECT_TRUE(AddressRange::parse("0.0.0.0/0")->contains(*IpAddress::parse("203.0.113.9")));
  EXPECT_FALSE(AddressRange::parse("0.0.0.0/0")->contains(*IpAddress::parse("2001:db8::1")));
}

TEST(AddressRange, APortMustMatchToo) {
  const auto range = AddressRange::parse("192.0.2.1:5060");
  ASSERT_TRUE(range);
  EXPECT_TRUE(range->contains(*SocketAddress::parse("192.0.2.1:5060")));
  EXPECT_FALSE(range->contains(*SocketAddress::parse("192.0.2.1:5061")));
}

TEST(AddressRange, SpecificityOrdersNetAddressAndPort) {
  const int net = AddressRange::parse("192.0.2.0/24")->specificity();
  const int address = AddressRange::parse("192.0.2.1")->specificity();
  const int port = AddressRange::parse("192.0.2.1:5060")->specificity();
  EXPECT_LT(net, address);
  EXPECT_LT(address, port);
}

TEST(AddressRange, OfMappedAddressesIsOneOfIpv4) {
  const auto range = AddressRange::parse("::ffff:192.0.2.0/120");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->text(), "192.0.2.0/24");
  EXPECT_TRUE(range->contains(*IpAddress::parse("192.0.2.7")));
  EXPECT_TRUE(range->contains(*IpAddress::parse("::ffff:192.0.2.7")));
  EXPECT_EQ(AddressRange::parse("::ffff:192.0.2.7")->text(), "192.0.2.7/32");
  EXPECT_FALSE(AddressRange::parse("::ffff:192.0.2.0/24"));
  EXPECT_FALSE(AddressRange::parse("::ffff:192.0.2.0/129"));
}

TEST(AddressRange, RefusesBadPrefixes) {
  for (const char* text :
       {"192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/", "2001:db8::/129", "host/24", "/24", ""}) {
    EXPECT_FALSE(AddressRange::parse(text)) << text;
  }
}

}  // namespace
}  // namespace trunkline
