#include "call/server_location.hpp"

#include <gmock/gmock.h>
#include <map>

namespace trunkline::call {
namespace {

using sip::Transport;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using Type = DnsQuestion::Type;

/// A zone, by "NAPTR name", "SRV name", "A name" or "AAAA name"; what stands in it nowhere is
/// answered with nothing.
struct Zone {
  std::map<std::string, DnsAnswer> answers;
  std::vector<std::string> asked;

  static std::string name(const DnsQuestion& question) {
    switch (question.type) {
      case Type::naptr:
        return "NAPTR " + question.name;
      case Type::srv:
        return "SRV " + question.name;
      case Type::a:
        return "A " + question.name;
      case Type::aaaa:
        return "AAAA " + question.name;
    }
    return {};
  }
  void address(const std::string& host, std::vector<std::string_view> addresses) {
    for (const auto one : addresses) {
      const IpAddress ip = *IpAddress::parse(one);
      answers[(ip.is_v6() ? "AAAA " : "A ") + host].addresses.push_back(ip);
    }
  }
  void srv(const std::string& of, std::vector<SrvRecord> records) {
    answers["SRV " + of].srv = std::move(records);
  }
  std::vector<ServerTarget> locate(std::string_view uri,
                                   std::vector<Transport> transports = {Transport::udp,
                                                                        Transport::tcp,
                                                                        Transport::tls},
                                   AddressFamilies families = {}) {
    ServerLocation location(*sip::Uri::parse(uri), std::move(transports), families);
    for (int round = 0; round < 10 && !location.done(); ++round) {
      for (const DnsQuestion& question : location.questions()) {
        asked.push_back(name(question));
        location.answer(question, answers[name(question)]);
      }
    }
    EXPECT_TRUE(location.done());
    EXPECT_THAT(location.questions(), IsEmpty());
    return location.targets();
  }
};

std::vector<std::string> places(const std::vector<ServerTarget>& targets) {
  std::vector<std::string> all;
  for (const ServerTarget& one : targets)
    all.push_back(std::string(sip::transport_label(one.transport)) + " " + one.address.text());
  return all;
}

NaptrRecord naptr(std::uint16_t order, std::uint16_t preference, std::string service,
                  std::string replacement, std::string flags = "s") {
  return {order, preference, std::move(flags), std::move(service), "", std::move(replacement)};
}

// RFC 3263 §4.1: a numeric host needs no DNS [numeric-host]
TEST(ServerLocation, AsksNothingForAnAddress) {
  Zone zone;
  EXPECT_THAT(places(zone.locate("sip:192.0.2.1")), ElementsAre("udp 192.0.2.1:5060"));
  EXPECT_THAT(places(zone.locate("sip:192.0.2.1:5070;transport=tcp")),
              ElementsAre("tcp 192.0.2.1:5070"));
  EXPECT_THAT(places(zone.locate("sips:[2001:db8::1]")), ElementsAre("tls [2001:db8::1]:5061"));
  EXPECT_THAT(zone.asked, IsEmpty());
}

// RFC 3263 §4.2: with a port, A and AAAA alone
TEST(ServerLocation, AsksForAddressesAloneWhereThePortIsNamed) {
  Zone zone;
  zone.address("carrier.test", {"192.0.2.1", "2001:db8::1"});
  EXPECT_THAT(places(zone.locate("sip:carrier.test:5080")),
              ElementsAre("udp [2001:db8::1]:5080", "udp 192.0.2.1:5080"));
  EXPECT_THAT(zone.asked, ElementsAre("AAAA carrier.test", "A carrier.test"));
}

// RFC 3263 §4.1: NAPTR, then SRV, then A and AAAA [naptr-srv]
TEST(ServerLocation, GoesFromNaptrToSrvToAddresses) {
  Zone zone;
  zone.answers["NAPTR carrier.test"].naptr = {naptr(10, 20, "SIP+D2U", "_sip._udp.carrier.test"),
                                              naptr(10, 10, "SIP+D2T", "_sip._tcp.other.test")};
  zone.srv("_sip._tcp.other.test", {{10, 1, 5070, "one.test"}});
  zone.srv("_sip._udp.carrier.test", {{5, 1, 5090, "two.test"}});
  zone.address("one.test", {"192.0.2.1"});
  zone.address("two.test", {"192.0.2.2"});
  EXPECT_THAT(places(zone.locate("sip:carrier.test")),
              ElementsAre("tcp 192.0.2.1:5070", "udp 192.0.2.2:5090"));
  EXPECT_THAT(zone.asked, ElementsAre("NAPTR carrier.test", "SRV _sip._tcp.other.test",
                                      "SRV _sip._udp.carrier.test", "AAAA one.test", "A one.test",
                                      "AAAA two.test", "A two.test"));
}

// RFC 3403 §4.1: of the orders the lowest that has a service of ours
TEST(ServerLocation, TakesTheLowestOrderThatItCanUse) {
  Zone zone;
  zone.answers["NAPTR carrier.test"].naptr = {
      naptr(10, 1, "SIP+D2S", "_sip._sctp.carrier.test"),
      naptr(20, 1, "SIP+D2U", "_sip._udp.carrier.test"),
      naptr(30, 1, "SIP+D2T", "_sip._tcp.carrier.test"),
  };
  zone.srv("_sip._udp.carrier.test", {{1, 1, 5060, "192.0.2.1"}});
  EXPECT_THAT(places(zone.locate("sip:carrier.test")), ElementsAre("udp 192.0.2.1:5060"));
  EXPECT_THAT(zone.asked, ElementsAre("NAPTR carrier.test", "SRV _sip._udp.carrier.test"));
}

TEST(ServerLocation, PassesOverNaptrRecordsThatAreNoSipService) {
  Zone zone;
  zone.answers["NAPTR carrier.test"].naptr = {
      naptr(1, 1, "E2U+sip", "_sip._udp.carrier.test"),
      naptr(1, 1, "SIP+D2U", "rewritten.test", "u"),
      {1, 1, "s", "SIP+D2U", "!^.*$!sip:x@y!", "_sip._udp.elsewhere.test"},
      naptr(1, 1, "SIP+D2U", ""),
  };
  zone.address("carrier.test", {"192.0.2.1"});
  EXPECT_THAT(places(zone.locate("sip:carrier.test")), ElementsAre("udp 192.0.2.1:5060"));
}

// RFC 3263 §4.1: a transport in the URI leaves nothing to NAPTR
TEST(ServerLocation, AsksForNoNaptrWhereTheTransportIsNamed) {
  Zone zone;
  zone.srv("_sip._tcp.carrier.test", {{1, 0, 5071, "one.test"}});
  zone.address("one.test", {"192.0.2.1"});
  EXPECT_THAT(places(zone.locate("sip:carrier.test;transport=tcp")),
              ElementsAre("tcp 192.0.2.1:5071"));
  EXPECT_THAT(zone.asked, ElementsAre("SRV _sip._tcp.carrier.test", "AAAA one.test", "A one.test"));
}

// RFC 3263 §4.1: sips means TLS alone
TEST(ServerLocation, FindsOnlyTlsForSips) {
  Zone zone;
  zone.answers["NAPTR carrier.test"].naptr = {naptr(1, 1, "SIP+D2U", "_sip._udp.carrier.test"),
                                              naptr(2, 1, "SIPS+D2T", "_sips._tcp.carrier.test")};
  zone.srv("_sips._tcp.carrier.test", {{1, 0, 5061, "192.0.2.1"}});
  EXPECT_THAT(places(zone.locate("sips:carrier.test")), ElementsAre("tls 192.0.2.1:5061"));
  Zone empty;
  empty.address("carrier.test", {"192.0.2.1"});
  EXPECT_THAT(places(empty.locate("sips:carrier.test")), ElementsAre("tls 192.0.2.1:5061"));
  EXPECT_THAT(empty.asked, ElementsAre("NAPTR carrier.test", "SRV _sips._tcp.carrier.test",
                                       "AAAA carrier.test", "A carrier.test"));
}

// RFC 3263 §4.1: without NAPTR, SRV of the transports that we have [naptr-srv]
TEST(ServerLocation, AsksForTheServicesThatWeHave) {
  Zone zone;
  zone.srv("_sip._tcp.carrier.test", {{1, 0, 5060, "192.0.2.1"}});
  EXPECT_THAT(places(zone.locate("sip:carrier.test", {Transport::udp, Transport::tcp})),
              ElementsAre("tcp 192.0.2.1:5060"));
  EXPECT_THAT(zone.asked, ElementsAre("NAPTR carrier.test", "SRV _sip._udp.carrier.test",
                                      "SRV _sip._tcp.carrier.test"));
}

// RFC 3263 §4.2: without SRV, the name's own addresses by the default port
TEST(ServerLocation, FallsBackToTheAddressesOfTheName) {
  Zone zone;
  zone.address("carrier.test", {"192.0.2.1"});
  EXPECT_THAT(places(zone.locate("sip:carrier.test")), ElementsAre("udp 192.0.2.1:5060"));
  EXPECT_THAT(places(zone.locate("sip:carrier.test;transport=tls")),
              ElementsAre("tls 192.0.2.1:5061"));
}

TEST(ServerLocation, TakesAFailedAnswerForNone) {
  Zone zone;
  zone.answers["NAPTR carrier.test"].failed = true;
  zone.answers["SRV _sip._udp.carrier.test"].failed = true;
  zone.address("carrier.test", {"192.0.2.1"});
  EXPECT_THAT(places(zone.locate("sip:carrier.test", {Transport::udp})),
              ElementsAre("udp 192.0.2.1:5060"));
}

// RFC 2782: a target of "." says that there is no such service
TEST(ServerLocation, ObeysTheRefusalOfAService) {
  Zone zone;
  zone.srv("_sip._udp.carrier.test", {{0, 0, 0, "."}});
  zone.address("carrier.test", {"192.0.2.1"});
  EXPECT_THAT(zone.locate("sip:carrier.test", {Transport::udp}), IsEmpty());
}

// RFC 6761 §6.3: localhost is nobody's zone
TEST(ServerLocation, AsksNoServerForLocalhost) {
  Zone zone;
  zone.address("localhost", {"127.0.0.1"});
  EXPECT_THAT(places(zone.locate("sip:localhost")), ElementsAre("udp 127.0.0.1:5060"));
  EXPECT_THAT(zone.asked, ElementsAre("AAAA localhost", "A localhost"));
}

// RFC 8305 §4: the families take turns, so that a second try takes another path
// [race-failover-shared]
TEST(ServerLocation, AlternatesBetweenTheFamiliesOfAHost) {
  Zone zone;
  zone.srv("_sip._udp.carrier.test", {{1, 0, 5060, "one.test"}, {2, 0, 5060, "two.test"}});
  zone.address("one.test", {"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"});
  zone.address("two.test", {"192.0.2.9"});
  EXPECT_THAT(places(zone.locate("sip:carrier.test;transport=udp")),
              ElementsAre("udp [2001:db8::1]:5060", "udp 192.0.2.1:5060", "udp [2001:db8::2]:5060",
                          "udp 192.0.2.2:5060", "udp 192.0.2.3:5060", "udp 192.0.2.9:5060"));
}

// RFC 3263 §4.2: addresses of a family by which we send nothing are not asked for
TEST(ServerLocation, AsksForTheFamiliesThatWeHave) {
  Zone zone;
  zone.address("carrier.test", {"192.0.2.1", "2001:db8::1"});
  EXPECT_THAT(places(zone.locate("sip:carrier.test:5060", {Transport::udp}, {.ipv6 = false})),
              ElementsAre("udp 192.0.2.1:5060"));
  EXPECT_THAT(zone.asked, ElementsAre("A carrier.test"));
  EXPECT_THAT(places(zone.locate("sip:carrier.test:5060", {Transport::udp}, {.ipv4 = false})),
              ElementsAre("udp [2001:db8::1]:5060"));
  EXPECT_THAT(zone.asked, ElementsAre("A carrier.test", "AAAA carrier.test"));
}

TEST(ServerLocation, KnowsSomeTargetsBeforeAllHaveBeenAnswered) {
  ServerLocation location(*sip::Uri::parse("sip:carrier.test:5060"), {Transport::udp});
  DnsAnswer answer;
  answer.addresses = {*IpAddress::parse("192.0.2.1")};
  location.answer({Type::a, "carrier.test"}, answer);
  EXPECT_FALSE(location.done());
  EXPECT_THAT(places(location.targets()), ElementsAre("udp 192.0.2.1:5060"));
  location.answer({Type::aaaa, "carrier.test"}, {});
  EXPECT_TRUE(location.done());
}

TEST(ServerLocation, FindsNothingForATransportThatTrunksDoNotHave) {
  Zone zone;
  EXPECT_THAT(zone.locate("sip:carrier.test;transport=sctp"), IsEmpty());
  EXPECT_THAT(zone.locate("sip:192.0.2.1;transport=ws"), IsEmpty());
}

TEST(ServerLocation, IsBoundedHoweverLongTheAnswersAre) {
  Zone zone;
  for (int i = 0; i < 100; ++i) {
    const std::string host = "h" + std::to_string(i) + ".test";
    zone.answers["SRV _sip._udp.carrier.test"].srv.push_back({1, 1, 5060, host});
    for (int j = 0; j < 20; ++j)
      zone.answers["A " + host].addresses.push_back(
          *IpAddress::parse("192.0.2." + std::to_string(j)));
  }
  EXPECT_THAT(zone.locate("sip:carrier.test", {Transport::udp}), SizeIs(16));
  EXPECT_LE(zone.asked.size(), 2U + 2U * 16U);
}

ServerTarget target(std::uint32_t priority, std::uint16_t weight, std::uint16_t record,
                    std::string_view address = "192.0.2.1:5060") {
  return {Transport::udp, *SocketAddress::parse(address), priority, weight, record};
}

// RFC 2782: priority first, whatever the weight [srv-order]
TEST(DrawOrder, GoesByPriority) {
  SeededRandom random(1);
  const std::vector targets{target(20, 100, 0), target(10, 0, 1), target(10, 1, 2)};
  for (int i = 0; i < 100; ++i) {
    const auto order = draw_order(targets, random);
    ASSERT_THAT(order, SizeIs(3));
    EXPECT_EQ(order[2], 0U);
  }
}

// RFC 2782: weight is the share within a priority [srv-order]
TEST(DrawOrder, SharesByWeight) {
  SeededRandom random(2);
  const std::vector targets{target(1, 75, 0), target(1, 25, 1), target(1, 0, 2)};
  std::array<int, 3> first{};
  for (int i = 0; i < 10000; ++i)
    ++first[draw_order(targets, random).front()];
  EXPECT_NEAR(first[0], 7500, 300);
  EXPECT_NEAR(first[1], 2500, 300);
  EXPECT_GT(first[2], 0) << "a very small chance, but one";
}

TEST(DrawOrder, WithoutWeightsGivesAllAChance) {
  SeededRandom random(3);
  const std::vector targets{target(1, 0, 0), target(1, 0, 1)};
  // RFC 2782 leaves the order of those to the client: each stands in it once.
  EXPECT_THAT(draw_order(targets, random), UnorderedElementsAre(0U, 1U));
}

TEST(DrawOrder, CountsTheWeightOfARecordOnce) {
  SeededRandom random(4);
  const std::vector targets{target(1, 50, 0, "192.0.2.1:5060"), target(1, 50, 0, "192.0.2.2:5060"),
                            target(1, 50, 0, "192.0.2.3:5060"), target(1, 50, 1, "192.0.2.4:5060")};
  int other = 0;
  for (int i = 0; i < 10000; ++i) {
    const auto order = draw_order(targets, random);
    if (order.front() == 3)
      ++other;
    else
      EXPECT_THAT(order, ElementsAre(0U, 1U, 2U, 3U));
  }
  EXPECT_NEAR(other, 5000, 300);
}

TEST(DrawOrder, OfNothingIsEmpty) {
  SeededRandom random(5);
  EXPECT_THAT(draw_order({}, random), IsEmpty());
}

}  // namespace
}  // namespace trunkline::call
