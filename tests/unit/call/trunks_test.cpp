#include "call/trunks.hpp"

#include <gtest/gtest.h>

namespace trunkline::call {
namespace {

TrunkSettings settings(std::string name, std::string_view uri,
                       std::vector<std::string_view> allow = {}) {
  TrunkSettings trunk;
  trunk.name = std::move(name);
  trunk.uri = *sip::Uri::parse(uri);
  for (const std::string_view range : allow)
    trunk.allow.push_back(*AddressRange::parse(range));
  return trunk;
}

SocketAddress address(std::string_view text) {
  return *SocketAddress::parse(text);
}

ServerTarget at(std::string_view text, sip::Transport transport = sip::Transport::udp) {
  return {transport, address(text), 0, 0, 0};
}

std::string identified(Trunks& trunks, std::string_view source) {
  const Trunk* trunk = trunks.identify({sip::Transport::udp, address(source), {}});
  return trunk != nullptr ? trunk->settings.name : "none";
}

TEST(TrunksIdentify, TakesTheSourceThatAnAllowEntryHolds) {
  Trunks trunks({settings("carrier", "sip:192.0.2.1", {"198.51.100.0/24"})});
  EXPECT_EQ(identified(trunks, "198.51.100.77:4444"), "carrier");
  EXPECT_EQ(identified(trunks, "198.51.101.77:4444"), "none");
}

TEST(TrunksIdentify, TheMostSpecificEntryWinsWhateverTheOrder) {
  const auto wide = settings("wide", "sip:192.0.2.1", {"10.0.0.0/8"});
  const auto narrow = settings("narrow", "sip:192.0.2.2", {"10.1.0.0/16"});
  const auto host = settings("host", "sip:192.0.2.3", {"10.1.2.3"});
  const auto port = settings("port", "sip:192.0.2.4", {"10.1.2.3:5070"});
  Trunks up({wide, narrow, host, port});
  Trunks down({port, host, narrow, wide});
  for (Trunks* trunks : {&up, &down}) {
    EXPECT_EQ(identified(*trunks, "10.9.9.9:5060"), "wide");
    EXPECT_EQ(identified(*trunks, "10.1.9.9:5060"), "narrow");
    EXPECT_EQ(identified(*trunks, "10.1.2.3:5060"), "host");
    EXPECT_EQ(identified(*trunks, "10.1.2.3:5070"), "port");
  }
}

TEST(TrunksIdentify, OfEqualEntriesTheFirstTrunkWins) {
  Trunks trunks({settings("one", "sip:192.0.2.1", {"10.0.0.0/8"}),
                 settings("two", "sip:192.0.2.2", {"10.0.0.0/8"})});
  EXPECT_EQ(identified(trunks, "10.1.1.1:5060"), "one");
}

TEST(TrunksIdentify, WithoutAllowTheUrisAddressCountsFromAnyPort) {
  Trunks trunks({settings("carrier", "sip:192.0.2.1:5070")});
  EXPECT_EQ(identified(trunks, "192.0.2.1:5070"), "carrier");
  EXPECT_EQ(identified(trunks, "192.0.2.1:49152"), "carrier");
  EXPECT_EQ(identified(trunks, "192.0.2.2:5070"), "none");
}

TEST(TrunksIdentify, WithAllowTheUrisAddressDoesNotCount) {
  Trunks trunks({settings("carrier", "sip:192.0.2.1", {"198.51.100.1"})});
  EXPECT_EQ(identified(trunks, "192.0.2.1:5060"), "none");
}

TEST(TrunksIdentify, TwoTrunksOfOneHostAreToldApartByTheirPorts) {
  Trunks trunks({settings("one", "sip:127.0.0.1:5070"), settings("two", "sip:127.0.0.1:5080")});
  EXPECT_EQ(identified(trunks, "127.0.0.1:5080"), "two");
  EXPECT_EQ(identified(trunks, "127.0.0.1:5070"), "one");
}

TEST(TrunksIdentify, AHostNameCountsOnceItIsResolved) {
  Trunks trunks({settings("carrier", "sip:sip.carrier.test")});
  EXPECT_EQ(identified(trunks, "192.0.2.9:5060"), "none");
  trunks.located("carrier", {at("192.0.2.8:5060"), at("192.0.2.9:5060")});
  EXPECT_EQ(identified(trunks, "192.0.2.9:5060"), "carrier");
}

TEST(TrunksIdentify, Ipv6SourcesMatchIpv6EntriesOnly) {
  Trunks trunks({settings("six", "sip:192.0.2.1", {"2001:db8::/32"}),
                 settings("four", "sip:192.0.2.1", {"0.0.0.0/0"})});
  EXPECT_EQ(identified(trunks, "[2001:db8::5]:5060"), "six");
  EXPECT_EQ(identified(trunks, "[2001:db9::5]:5060"), "none");
  EXPECT_EQ(identified(trunks, "203.0.113.1:5060"), "four");
}

// RFC 3263 §4.2: a numeric host has the default port [numeric-host]
TEST(TrunksTarget, DefaultsToUdpAnd5060) {
  Trunks trunks({settings("carrier", "sip:192.0.2.1")});
  EXPECT_EQ(Trunks::target(*trunks.all()[0]),
            (sip::Target{sip::Transport::udp, address("192.0.2.1:5060"), {}}));
}

// RFC 3263 §4.1: transport and port of the URI decide [transport-chosen]
TEST(TrunksTarget, TakesTransportAndPortFromTheUri) {
  Trunks trunks({settings("carrier", "sip:192.0.2.1:5070;transport=TCP")});
  EXPECT_EQ(Trunks::target(*trunks.all()[0]),
            (sip::Target{sip::Transport::tcp, address("192.0.2.1:5070"), {}}));
}

// RFC 5630 §3: sips is TLS, whatever the transport parameter says [sips-target]
// RFC 5630 §3: transport=tls and sips with tcp are TLS [race-sips-and-tls]
TEST(TrunksTarget, TlsDefaultsTo5061) {
  Trunks trunks({settings("param", "sip:192.0.2.1;transport=tls"),
                 settings("sips", "sips:192.0.2.2"),
                 settings("both", "sips:192.0.2.3;transport=tcp")});
  EXPECT_EQ(Trunks::target(*trunks.all()[0]),
            (sip::Target{sip::Transport::tls, address("192.0.2.1:5061"), {}}));
  EXPECT_EQ(Trunks::target(*trunks.all()[1]),
            (sip::Target{sip::Transport::tls, address("192.0.2.2:5061"), {}}));
  EXPECT_EQ(Trunks::target(*trunks.all()[2]),
            (sip::Target{sip::Transport::tls, address("192.0.2.3:5061"), {}}));
}

TEST(TrunksTarget, Ipv6ReferencesAreAddresses) {
  Trunks trunks({settings("carrier", "sip:[2001:db8::1]:5070")});
  EXPECT_EQ(Trunks::target(*trunks.all()[0])->remote, address("[2001:db8::1]:5070"));
}

TEST(TrunksTarget, IsMissingUntilTheHostIsLocated) {
  Trunks trunks({settings("carrier", "sip:sip.carrier.test;transport=tcp")});
  EXPECT_EQ(Trunks::target(*trunks.all()[0]), std::nullopt);
  trunks.located("carrier", {at("192.0.2.7:5060", sip::Transport::tcp)});
  EXPECT_EQ(Trunks::target(*trunks.all()[0]),
            (sip::Target{sip::Transport::tcp, address("192.0.2.7:5060"), {}}));
}

TEST(TrunksTarget, IsMissingForATransportThatTrunksDoNotHave) {
  Trunks trunks({settings("ws", "sip:192.0.2.1;transport=ws"),
                 settings("sctp", "sip:192.0.2.1;transport=sctp")});
  EXPECT_EQ(Trunks::target(*trunks.all()[0]), std::nullopt);
  EXPECT_EQ(Trunks::target(*trunks.all()[1]), std::nullopt);
}

TEST(TrunksTarget, IsTheFirstThatIsNotDown) {
  Trunks trunks({settings("carrier", "sip:sip.carrier.test")});
  trunks.located("carrier", {at("192.0.2.7:5060"), at("192.0.2.8:5060")});
  Trunk& trunk = *trunks.all()[0];
  EXPECT_EQ(Trunks::target(trunk)->remote, address("192.0.2.7:5060"));
  trunk.answered(trunk.targets[0].place(), TargetState::down);
  EXPECT_EQ(Trunks::target(trunk)->remote, address("192.0.2.8:5060"));
  trunk.answered(trunk.targets[1].place(), TargetState::down);
  EXPECT_EQ(Trunks::target(trunk)->remote, address("192.0.2.7:5060"));
}

TEST(TrunksLocated, AnEmptyAnswerKeepsWhatWasKnown) {
  Trunks trunks({settings("carrier", "sip:sip.carrier.test")});
  trunks.located("carrier", {at("192.0.2.7:5060")});
  trunks.located("carrier", {});
  EXPECT_EQ(Trunks::target(*trunks.all()[0])->remote, address("192.0.2.7:5060"));
}

TEST(TrunksLocated, ANewAnswerReplacesTheOldOne) {
  Trunks trunks({settings("carrier", "sip:sip.carrier.test")});
  trunks.located("carrier", {at("192.0.2.7:5060")});
  trunks.located("carrier", {at("192.0.2.8:5060")});
  EXPECT_EQ(identified(trunks, "192.0.2.7:5060"), "none");
  EXPECT_EQ(identified(trunks, "192.0.2.8:5060"), "carrier");
}

TEST(TrunksLocated, WhatIsKnownOfATargetStaysWithIt) {
  Trunks trunks({settings("carrier", "sip:sip.carrier.test")});
  trunks.located("carrier", {at("192.0.2.7:5060"), at("192.0.2.8:5060")});
  Trunk& trunk = *trunks.all()[0];
  trunk.answered(trunk.targets[0].place(), TargetState::down);
  trunks.located("carrier", {at("192.0.2.9:5060"), at("192.0.2.7:5060")});
  EXPECT_EQ(trunk.targets[0].state, TargetState::unknown);
  EXPECT_EQ(trunk.targets[1].state, TargetState::down);
}

// RFC 3263 §4.3: an address that failed is known when DNS tells of it again [dns-failures]
TEST(TrunksLocated, WhatIsKnownOfATargetOutlivesItsAbsence) {
  Trunks trunks({settings("carrier", "sip:sip.carrier.test")});
  const TimePoint now{seconds{100}};
  trunks.located("carrier", {at("192.0.2.7:5060"), at("192.0.2.8:5060")});
  Trunk& trunk = *trunks.all()[0];
  trunk.failed(trunk.targets[0].place(), now);
  trunks.located("carrier", {at("192.0.2.8:5060"), at("192.0.2.9:5060")});
  trunks.located("carrier", {at("192.0.2.7:5060"), at("192.0.2.9:5060")});
  EXPECT_GT(trunk.targets[0].suspect_until, now);
  SeededRandom random(1);
  EXPECT_EQ(Trunks::order(trunk, random, now).front().remote, address("192.0.2.9:5060"));
}

TEST(TrunksLocated, RemembersNoMoreThanAFew) {
  Trunks trunks({settings("carrier", "sip:sip.carrier.test")});
  for (int i = 0; i < 100; ++i)
    trunks.located("carrier", {at("192.0.2." + std::to_string(i) + ":5060")});
  EXPECT_EQ(trunks.all()[0]->former.size(), 16U);
  EXPECT_EQ(trunks.all()[0]->former[0].server.address, address("192.0.2.98:5060"));
}

TEST(TrunksLocated, IgnoresAnUnknownTrunk) {
  Trunks trunks({settings("carrier", "sip:sip.carrier.test")});
  trunks.located("other", {at("192.0.2.7:5060")});
  EXPECT_EQ(trunks.find("other"), nullptr);
  EXPECT_TRUE(trunks.all()[0]->targets.empty());
}

class TrunksOrderTest : public testing::Test {
 protected:
  TrunksOrderTest() {
    trunks_.located("carrier", {at("192.0.2.1:5060"),
                                {sip::Transport::udp, address("192.0.2.2:5060"), 1, 0, 1},
                                {sip::Transport::tcp, address("192.0.2.3:5060"), 2, 0, 2}});
  }
  std::vector<std::string> order() {
    std::vector<std::string> all;
    for (const sip::Target& one : Trunks::order(trunk(), random_, now_))
      all.push_back(one.remote.ip.text());
    return all;
  }
  Trunk& trunk() { return *trunks_.all()[0]; }
  sip::Target place(std::size_t index) { return trunk().targets[index].place(); }
  Trunks trunks_{{settings("carrier", "sip:sip.carrier.test")}};
  SeededRandom random_{1};
  TimePoint now_{seconds{100}};
};

TEST_F(TrunksOrderTest, IsThatOfTheRecords) {
  EXPECT_EQ(order(), (std::vector<std::string>{"192.0.2.1", "192.0.2.2", "192.0.2.3"}));
  EXPECT_EQ(Trunks::order(trunk(), random_, now_)[2].transport, sip::Transport::tcp);
}

// RFC 3263 §4.3: what failed one call is tried by others all the same, after the rest
// [race-failover-shared]
TEST_F(TrunksOrderTest, TriesTheDownAndTheSuspectLastButTriesThem) {
  trunk().answered(place(0), TargetState::down);
  EXPECT_EQ(order(), (std::vector<std::string>{"192.0.2.2", "192.0.2.3", "192.0.2.1"}));
  trunk().failed(place(1), now_);
  EXPECT_EQ(order(), (std::vector<std::string>{"192.0.2.3", "192.0.2.1", "192.0.2.2"}));
  now_ += seconds{31};
  trunk().answered(place(0), TargetState::up);
  EXPECT_EQ(order(), (std::vector<std::string>{"192.0.2.1", "192.0.2.2", "192.0.2.3"}));
}

// RFC 3261 §21.5.4: who asks to wait is left alone, the only server when it asks twice in a row
TEST_F(TrunksOrderTest, TheOnlyTargetRestsWhenItAsksTwiceInARow) {
  trunk().targets.resize(1);
  const TimePoint& rests_until = trunk().targets[0].rests_until;
  trunk().rest(place(0), 20, now_);
  EXPECT_LE(rests_until, now_);
  trunk().served(place(0));
  trunk().rest(place(0), 20, now_);
  EXPECT_LE(rests_until, now_);
  trunk().rest(place(0), 20, now_);
  EXPECT_EQ(rests_until, now_ + seconds{20});
}

// RFC 3261 §21.5.4: a 503 with Retry-After takes the server out for so long [retry-after-heeded]
TEST_F(TrunksOrderTest, LeavesOutThoseThatRest) {
  trunk().rest(place(0), 20, now_);
  EXPECT_EQ(order(), (std::vector<std::string>{"192.0.2.2", "192.0.2.3"}));
  EXPECT_EQ(Trunks::rests(trunk(), now_), std::nullopt);
  trunk().rest(place(1), 10, now_);
  trunk().rest(place(2), 86400, now_);
  EXPECT_TRUE(order().empty());
  EXPECT_EQ(Trunks::rests(trunk(), now_), seconds{10});
  now_ += seconds{10};
  EXPECT_EQ(order(), (std::vector<std::string>{"192.0.2.2"}));
  now_ += seconds{290};
  EXPECT_EQ(order().size(), 3U) << "no peer is left alone for longer than five minutes";
}

TEST_F(TrunksOrderTest, IsUpDegradedOrDownAsItsTargetsAre) {
  EXPECT_FALSE(trunk().judge()) << "nobody was asked";
  trunk().answered(place(0), TargetState::down);
  EXPECT_FALSE(trunk().judge()) << "the others may still answer";
  EXPECT_EQ(trunk().up, std::nullopt);
  trunk().answered(place(1), TargetState::up);
  EXPECT_TRUE(trunk().judge());
  EXPECT_EQ(trunk().up, true);
  EXPECT_TRUE(trunk().degraded);
  trunk().answered(place(0), TargetState::up);
  EXPECT_TRUE(trunk().judge());
  EXPECT_FALSE(trunk().degraded);
  EXPECT_FALSE(trunk().judge()) << "nothing has changed";
  for (std::size_t index = 0; index < 3; ++index)
    trunk().answered(place(index), TargetState::down);
  EXPECT_TRUE(trunk().judge());
  EXPECT_EQ(trunk().up, false);
  EXPECT_FALSE(trunk().degraded);
}

TEST(TrunksIdentify, TheRegistrarIsTheTrunksBesideItsAllow) {
  Trunks trunks({settings("carrier", "sip:192.0.2.1", {"198.51.100.1"})});
  trunks.all()[0]->registrar = address("192.0.2.1:5060");
  EXPECT_EQ(identified(trunks, "192.0.2.1:5060"), "carrier");
  EXPECT_EQ(identified(trunks, "198.51.100.1:5060"), "carrier");
  EXPECT_EQ(identified(trunks, "192.0.2.2:5060"), "none");
}

class TrunksAdmitTest : public testing::Test {
 protected:
  static Trunks make(std::uint32_t calls, std::uint32_t per_second) {
    auto one = settings("carrier", "sip:192.0.2.1");
    one.max_calls = calls;
    one.max_calls_per_second = per_second;
    return Trunks({one});
  }
  Trunks::Admission admit(const Trunks& trunks) {
    Trunk& trunk = *trunks.all()[0];
    const auto admission = Trunks::admit(trunk, now_);
    if (admission == Trunks::Admission::ok) places_.emplace_back(trunk.calls);
    return admission;
  }
  std::vector<TrunkPlace> places_;
  TimePoint now_{seconds{100}};
};

TEST_F(TrunksAdmitTest, RefusesCallsAboveTheLimitUntilOneIsReleased) {
  Trunks trunks = make(2, 100);
  EXPECT_EQ(admit(trunks), Trunks::Admission::ok);
  EXPECT_EQ(admit(trunks), Trunks::Admission::ok);
  EXPECT_EQ(admit(trunks), Trunks::Admission::calls);
  places_.pop_back();
  EXPECT_EQ(admit(trunks), Trunks::Admission::ok);
}

TEST_F(TrunksAdmitTest, RefusesCallsFasterThanTheRate) {
  Trunks trunks = make(100, 4);
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(admit(trunks), Trunks::Admission::ok);
  EXPECT_EQ(admit(trunks), Trunks::Admission::rate);
  now_ += milliseconds{249};
  EXPECT_EQ(admit(trunks), Trunks::Admission::rate);
  now_ += milliseconds{2};
  EXPECT_EQ(admit(trunks), Trunks::Admission::ok);
  EXPECT_EQ(admit(trunks), Trunks::Admission::rate);
}

TEST_F(TrunksAdmitTest, ARefusedCallTakesNoPlace) {
  Trunks trunks = make(100, 1);
  EXPECT_EQ(admit(trunks), Trunks::Admission::ok);
  EXPECT_EQ(admit(trunks), Trunks::Admission::rate);
  EXPECT_EQ(*trunks.all()[0]->calls, 1u);
}

TEST_F(TrunksAdmitTest, APlaceIsGivenBackOnce) {
  Trunks trunks = make(100, 100);
  admit(trunks);
  admit(trunks);
  const auto& calls = *trunks.all()[0]->calls;
  TrunkPlace moved = std::move(places_.front());
  places_.front().give_back();
  EXPECT_EQ(calls, 2U);
  moved.give_back();
  moved.give_back();
  EXPECT_EQ(calls, 1U);
  places_.front() = std::move(places_.back());
  places_.pop_back();
  EXPECT_EQ(calls, 1U);
  places_.clear();
  EXPECT_EQ(calls, 0U);
}

TEST_F(TrunksAdmitTest, ACallRefusedForTheLimitTakesNoToken) {
  Trunks trunks = make(1, 2);
  EXPECT_EQ(admit(trunks), Trunks::Admission::ok);
  EXPECT_EQ(admit(trunks), Trunks::Admission::calls);
  places_.pop_back();
  EXPECT_EQ(admit(trunks), Trunks::Admission::ok);
}

TEST(TrunksReconfiguredTest, LegsHoldATrunkAsItWas) {
  const auto from = [](std::string_view source) {
    return sip::Target{sip::Transport::udp, address(source), {}};
  };
  Trunks trunks({settings("carrier", "sip:192.0.2.1:5070"), settings("other", "sip:192.0.2.2")});
  const auto held = trunks.shared("carrier");
  *held->calls = 2;
  auto changed = settings("carrier", "sip:192.0.2.9");
  changed.max_calls = 7;
  trunks.reconfigure({changed});
  EXPECT_EQ(held->settings.max_calls, 100U);
  EXPECT_EQ(trunks.find("carrier")->settings.max_calls, 7U);
  EXPECT_EQ(*trunks.find("carrier")->calls, 2U);
  EXPECT_EQ(trunks.find("carrier")->targets[0].server.address, address("192.0.2.9:5060"));
  EXPECT_EQ(&trunks.current(*held), trunks.find("carrier"));
  EXPECT_EQ(trunks.find("other"), nullptr);
  EXPECT_TRUE(trunks.is_from(*held, from("192.0.2.1:5070"))) << "its old address, in a dialog";
  EXPECT_TRUE(trunks.is_from(*held, from("192.0.2.9:5060")));
  EXPECT_FALSE(trunks.is_from(*held, from("192.0.2.2:5060")));
  EXPECT_EQ(trunks.identify(from("192.0.2.1:5070")), nullptr) << "and nobody's outside of one";
}

}  // namespace
}  // namespace trunkline::call
