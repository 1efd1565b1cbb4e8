#include "call/server_locator.hpp"

#include <functional>
#include <gmock/gmock.h>

namespace trunkline::call {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Type = DnsQuestion::Type;

struct Locator : testing::Test {
  TimePoint now{seconds{1000}};
  static constexpr AddressFamilies kFour{.ipv6 = false};
  ServerLocator locator{{{"carrier", *sip::Uri::parse("sip:carrier.test")}},
                        {sip::Transport::udp},
                        seconds{60},
                        kFour};
  ServerLocator::Effects effects;

  std::vector<DnsQuestion> due() {
    effects = {};
    locator.on_deadline(now, effects);
    return effects.questions;
  }
  std::vector<DnsQuestion> answer(const DnsQuestion& question, DnsAnswer with) {
    effects = {};
    locator.receive(question, std::move(with), now, effects);
    return effects.questions;
  }
  /// One whole look-up.
  void look_up(const std::function<DnsAnswer(const DnsQuestion&)>& with) {
    now = std::max(now, locator.deadline());
    std::vector<DnsQuestion> open = due();
    while (!open.empty()) {
      const DnsQuestion next = open.back();
      open.pop_back();
      for (const DnsQuestion& more : answer(next, with(next)))
        open.push_back(more);
    }
  }
  static DnsAnswer none() { return {}; }
  static DnsAnswer failed() {
    DnsAnswer answer;
    answer.failed = true;
    return answer;
  }
  static DnsAnswer addresses(std::string_view ip, seconds life) {
    DnsAnswer answer;
    answer.addresses = {*IpAddress::parse(ip)};
    answer.time_to_live = life;
    return answer;
  }
  static DnsAnswer services(std::string target, seconds life) {
    DnsAnswer answer;
    answer.srv = {{1, 1, 5070, std::move(target)}};
    answer.time_to_live = life;
    return answer;
  }
  std::vector<std::string> found() const {
    std::vector<std::string> all;
    for (const auto& one : effects.found) {
      for (const ServerTarget& target : one.targets)
        all.push_back(one.name + " " + target.address.text());
    }
    return all;
  }

  const DnsQuestion naptr{Type::naptr, "carrier.test"};
  const DnsQuestion srv{Type::srv, "_sip._udp.carrier.test"};
  const DnsQuestion host{Type::a, "one.test"}, host6{Type::aaaa, "one.test"};

  void locate(seconds srv_life, seconds host_life) {
    EXPECT_THAT(due(), ElementsAre(naptr));
    EXPECT_THAT(answer(naptr, none()), ElementsAre(srv));
    EXPECT_THAT(answer(srv, services("one.test", srv_life)), ElementsAre(host));
    EXPECT_THAT(answer(host, addresses("192.0.2.1", host_life)), IsEmpty());
    EXPECT_THAT(found(), ElementsAre("carrier 192.0.2.1:5070"));
  }
};

TEST_F(Locator, LooksUpAtOnce) {
  EXPECT_LE(locator.deadline(), now);
  locate(seconds{30}, seconds{30});
}

TEST_F(Locator, AsksAgainOnlyWhatHasOutlivedItself) {
  locate(seconds{50}, seconds{20});
  EXPECT_EQ(locator.deadline(), now + seconds{20});
  now += seconds{20};
  EXPECT_THAT(due(), ElementsAre(host)) << "the SRV records live on";
  answer(host, addresses("192.0.2.2", seconds{20}));
  EXPECT_THAT(found(), ElementsAre("carrier 192.0.2.2:5070"));
}

TEST_F(Locator, TellsTheOldAnswerWhileTheServerFails) {
  locate(seconds{20}, seconds{20});
  for (int round = 0; round < 100; ++round) {
    look_up([](const DnsQuestion&) { return failed(); });
    EXPECT_THAT(effects.lost, IsEmpty());
    EXPECT_THAT(found(), ElementsAre("carrier 192.0.2.1:5070"));
  }
  // And the new one, once there is one.
  look_up([this](const DnsQuestion& question) {
    if (question == host) return addresses("192.0.2.9", seconds{20});
    return question == srv ? services("one.test", seconds{20}) : none();
  });
  EXPECT_THAT(found(), ElementsAre("carrier 192.0.2.9:5070"));
}

TEST_F(Locator, TriesAgainSoonAfterItFoundNothing) {
  due();
  answer(naptr, failed());
  answer(srv, failed());
  answer({Type::a, "carrier.test"}, failed());
  EXPECT_THAT(found(), IsEmpty());
  EXPECT_THAT(effects.lost, ElementsAre("carrier"));
  EXPECT_EQ(locator.deadline(), now + seconds{10});
}

TEST_F(Locator, GoesOnWithWhatAnswersWhileAnotherTypeFails) {
  due();
  answer(naptr, failed());
  answer(srv, failed());
  answer({Type::a, "carrier.test"}, addresses("192.0.2.3", seconds{60}));
  EXPECT_THAT(found(), ElementsAre("carrier 192.0.2.3:5060"));
}

TEST_F(Locator, AsksOnceForAllWhoWantToKnow) {
  locator = ServerLocator({{"one", *sip::Uri::parse("sip:carrier.test:5060")},
                           {"two", *sip::Uri::parse("sip:carrier.test:5080")}},
                          {sip::Transport::udp}, seconds{60}, kFour);
  EXPECT_THAT(due(), SizeIs(1));
  answer({Type::a, "carrier.test"}, addresses("192.0.2.3", seconds{60}));
  EXPECT_THAT(found(), ElementsAre("one 192.0.2.3:5060", "two 192.0.2.3:5080"));
}

struct BothFamilies : Locator {
  void SetUp() override {
    locator = ServerLocator({{"carrier", *sip::Uri::parse("sip:one.test:5060")}},
                            {sip::Transport::udp}, seconds{60});
  }
};

// RFC 8305 §3: what is known is used while the other family lets us wait [dns-failures]
TEST_F(BothFamilies, AreUsedAsTheyCome) {
  EXPECT_THAT(due(), ElementsAre(host6, host));
  answer(host, addresses("192.0.2.1", seconds{20}));
  EXPECT_THAT(found(), ElementsAre("carrier 192.0.2.1:5060"));
  answer(host6, addresses("2001:db8::1", seconds{20}));
  EXPECT_THAT(found(), ElementsAre("carrier [2001:db8::1]:5060", "carrier 192.0.2.1:5060"));
}

// RFC 3263 §4.3: neither takes away the other's [dns-failures]
TEST_F(BothFamilies, FailApart) {
  due();
  answer(host, addresses("192.0.2.1", seconds{20}));
  answer(host6, addresses("2001:db8::1", seconds{20}));
  look_up([this](const DnsQuestion& question) {
    return question == host ? addresses("192.0.2.2", seconds{20}) : failed();
  });
  EXPECT_THAT(found(), ElementsAre("carrier [2001:db8::1]:5060", "carrier 192.0.2.2:5060"));
}

TEST_F(BothFamilies, AreNotToldByHalvesOnceTheyAreKnown) {
  due();
  answer(host, addresses("192.0.2.1", seconds{20}));
  answer(host6, addresses("2001:db8::1", seconds{20}));
  now = locator.deadline();
  due();
  answer(host, addresses("192.0.2.2", seconds{20}));
  EXPECT_THAT(found(), IsEmpty()) << "the old targets are good until the new ones are known";
  answer(host6, failed());
  EXPECT_THAT(found(), SizeIs(2));
}

TEST_F(Locator, IgnoresAnAnswerThatItDidNotAskFor) {
  answer(host, addresses("192.0.2.1", seconds{60}));
  EXPECT_THAT(found(), IsEmpty());
}

TEST(RefreshAfter, ObeysATimeToLiveWithinBounds) {
  EXPECT_EQ(refresh_after(seconds{60}, seconds{30}), seconds{30});
  EXPECT_EQ(refresh_after(seconds{60}, seconds{0}), seconds{60});
  EXPECT_EQ(refresh_after(seconds{60}, seconds{5}), seconds{60});
  EXPECT_EQ(refresh_after(seconds{60}, seconds{3600}), seconds{60});
  EXPECT_EQ(refresh_after(seconds{60}, seconds::max()), seconds{60});
}

}  // namespace
}  // namespace trunkline::call
