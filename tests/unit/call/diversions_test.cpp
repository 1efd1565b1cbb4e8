#include "call/diversions.hpp"

#include "call/trunks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::call {
namespace {

using sip::HeaderName;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct DiversionsTest : testing::Test {
  TrunkSettings settings;
  sip::Message invite = sip::Message::request(sip::Method::invite, "sip:+4930@example.test");
  const sip::Uri target = *sip::Uri::parse("sip:+15551@192.0.2.9");

  DiversionsTest() {
    settings.name = "carrier";
    settings.uri = *sip::Uri::parse("sip:192.0.2.9");
    settings.tells_diversion = settings.tells_history = true;
  }
  Trunk trunk() const { return *Trunks({settings}).all().front(); }
  Diversions read() const { return Diversions::of(trunk(), invite, "+4930"); }
  std::vector<std::string> told(Diversions& diversions, std::string_view name,
                                bool all_hidden = false) const {
    std::vector<std::string> values;
    for (const HeaderField& field :
         diversions.enter(trunk(), "+15551", target, "example.test", all_hidden)) {
      if (field.name == name) values.push_back(field.value);
    }
    return values;
  }
};

TEST_F(DiversionsTest, ACallThatGoesStraightTellsOfNone) {
  Diversions diversions = Diversions::to("+15551");
  EXPECT_THAT(told(diversions, "Diversion"), IsEmpty());
}

// RFC 7044 §10.3: the place that was asked for, and the one below it that is called [history-info]
TEST_F(DiversionsTest, TheHistoryBeginsWithWhatWasDialled) {
  Diversions diversions = Diversions::to("+15551");
  EXPECT_THAT(
      told(diversions, "History-Info"),
      ElementsAre("<sip:+15551@example.test>;index=1", "<sip:+15551@192.0.2.9>;index=1.1;np=1"));
}

// RFC 7044 §10.3: a place that sends the call on has its response in the history, and the next one
// stands beside it [history-info]
TEST_F(DiversionsTest, AResponseThatSendsTheCallOnIsTold) {
  Diversions diversions = Diversions::to("+4930");
  diversions.enter("+15550");
  diversions.failed(302);
  diversions.divert({.number = "+15550", .reason = "unconditional"});
  EXPECT_THAT(told(diversions, "History-Info"),
              ElementsAre("<sip:+4930@example.test>;index=1",
                          "<sip:+15550@example.test?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1",
                          "<sip:+15551@192.0.2.9;cause=302>;index=1.2;mp=1.1"));
}

// RFC 5806 §4: who has sent the call on last stands on top [history-info]
TEST_F(DiversionsTest, AreKeptAndExtended) {
  invite.add(HeaderName::diversion, "\"B\" <sip:+492@carrier.test>;reason=no-answer;counter=2");
  invite.add(HeaderName::diversion, "<tel:+491>;reason=\"user-busy\";limit=5");
  Diversions diversions = read();
  diversions.divert({.number = "+4930", .reason = "unconditional"});
  EXPECT_THAT(told(diversions, "Diversion"),
              ElementsAre("<sip:+4930@example.test>;reason=unconditional",
                          "\"B\" <sip:+492@example.test>;reason=no-answer;counter=2",
                          "<sip:+491@example.test>;reason=user-busy;limit=5"));
}

// RFC 7044 §5: the history that came is kept as it is, below it ours [history-info]
TEST_F(DiversionsTest, AHistoryIsKeptAndExtended) {
  invite.add(HeaderName::history_info, "<sip:+491@carrier.test>;index=1");
  invite.add(HeaderName::history_info,
             "<sip:+492@carrier.test;cause=486?Reason=SIP%3Bcause%3D408&X=1>;index=1.1;mp=1");
  invite.add(HeaderName::history_info, "<sip:+4930@carrier.test;cause=408>;index=1.2;mp=1.1");
  Diversions diversions = read();
  EXPECT_THAT(
      told(diversions, "History-Info"),
      ElementsAre("<sip:+491@example.test>;index=1",
                  "<sip:+492@example.test;cause=486?Reason=SIP%3Bcause%3D408>;index=1.1;mp=1",
                  "<sip:+4930@example.test;cause=408>;index=1.2;mp=1.1",
                  "<sip:+15551@192.0.2.9>;index=1.2.1;mp=1.2"));
}

TEST_F(DiversionsTest, OneTellsWhatTheOtherWould) {
  invite.add(HeaderName::history_info, "<sip:+491@carrier.test>;index=1");
  invite.add(HeaderName::history_info, "<sip:+4930@carrier.test;cause=486>;index=1.1;mp=1");
  Diversions of_history = read();
  EXPECT_THAT(told(of_history, "Diversion"),
              ElementsAre("<sip:+491@example.test>;reason=user-busy"));
  invite.remove(HeaderName::history_info);
  invite.add(HeaderName::diversion, "<sip:+491@carrier.test>;reason=user-busy");
  Diversions of_diversion = read();
  EXPECT_THAT(told(of_diversion, "History-Info"),
              ElementsAre("<sip:+491@example.test>;index=1",
                          "<sip:+4930@example.test;cause=486>;index=1.1;mp=1",
                          "<sip:+15551@192.0.2.9>;index=1.1.1;mp=1.1"));
}

TEST_F(DiversionsTest, ATrunkIsToldAndBelievedByWhatItIsConfiguredFor) {
  invite.add(HeaderName::diversion, "<sip:+491@carrier.test>;reason=user-busy");
  settings.tells_diversion = settings.tells_history = false;
  Diversions none = read();
  EXPECT_THAT(none.all(), IsEmpty());
  EXPECT_THAT(none.enter(trunk(), "+15551", target, "example.test", false), IsEmpty());
  settings.tells_diversion = true;
  Diversions some = read();
  EXPECT_THAT(told(some, "Diversion"), SizeIs(1));
  EXPECT_THAT(told(some, "History-Info"), IsEmpty());
}

// RFC 7044 §10.1.2: who asks for privacy is known to trusted peers only [history-info]
TEST_F(DiversionsTest, WhoHidesIsKnownToTrustedPeersOnly) {
  invite.add(HeaderName::diversion, "\"B\" <sip:+491@carrier.test>;reason=user-busy;privacy=full");
  Diversions diversions = read();
  diversions.divert({.number = "+4930", .reason = "deflection", .hidden = true});
  for (const bool trusted : {false, true}) {
    settings.asserts_identity = trusted;
    std::string all;
    for (const char* name : {"Diversion", "History-Info"}) {
      Diversions copy = diversions;
      for (const std::string& value : told(copy, name))
        all += value + "\n";
    }
    EXPECT_EQ(all.find("+491") != std::string::npos, trusted) << all;
    EXPECT_EQ(all.find("+4930") != std::string::npos, trusted) << all;
    EXPECT_EQ(all.find("\"B\"") != std::string::npos, trusted) << all;
    EXPECT_THAT(all, HasSubstr("privacy=full"));
    EXPECT_THAT(all, HasSubstr("Privacy=history"));
    EXPECT_EQ(all.find("anonymous.invalid") == std::string::npos, trusted) << all;
  }
}

TEST_F(DiversionsTest, ACallerMayHideTheWholeHistory) {
  Diversions diversions = Diversions::to("+4930");
  EXPECT_THAT(told(diversions, "History-Info", true),
              ElementsAre("<sip:anonymous@anonymous.invalid?Privacy=history>;index=1",
                          "<sip:+15551@192.0.2.9>;index=1.1;mp=1"));
}

TEST_F(DiversionsTest, AreCountedAndLimited) {
  invite.add(HeaderName::diversion, "<sip:+491@carrier.test>;reason=user-busy;counter=4");
  EXPECT_FALSE(read().exhausted());
  invite.add(HeaderName::diversion, "<sip:+492@carrier.test>;reason=user-busy;limit=5");
  EXPECT_TRUE(read().exhausted()) << "its own limit";
  invite.remove(HeaderName::diversion);
  invite.add(HeaderName::diversion, "<sip:+491@carrier.test>;counter=4000000000");
  EXPECT_TRUE(read().exhausted());
}

TEST_F(DiversionsTest, KeepFewOfMany) {
  for (int i = 1; i <= 200; ++i) {
    const std::string n = std::to_string(i);
    invite.add(HeaderName::diversion, "<sip:+49" + n + "@carrier.test>;reason=user-busy");
    invite.add(HeaderName::history_info, "<sip:+49" + n + "@carrier.test>;index=" + n);
  }
  Diversions diversions = read();
  EXPECT_LE(diversions.all().size(), std::size_t{kMaxDiversions});
  for (int i = 0; i < 100; ++i) {
    diversions.divert({.number = "+1" + std::to_string(i)});
    diversions.enter("+1");
  }
  EXPECT_THAT(told(diversions, "Diversion"), SizeIs(kMaxDiversions));
  EXPECT_LE(told(diversions, "History-Info").size(), kMaxHistory + 1);
}

TEST_F(DiversionsTest, NonsenseIsPassedOver) {
  for (const char* value :
       {"", "<", "*", "<mailto:a@b.test>;index=1", "<sip:1@a.test>", "<sip:1@a.test>;index=1.",
        "<sip:1@a.test>;index=x",
        "<sip:1@a.test>;index=11111111111111111111111111111111111111111111111111"
        "1111111111111111"})
    invite.add(HeaderName::history_info, value);
  for (const char* value : {"", "<", "*", "<mailto:a@b.test>"})
    invite.add(HeaderName::diversion, value);
  invite.add(HeaderName::diversion, "<sip:1@a.test>;reason=\"a b\";counter=x;limit=-1;privacy");
  Diversions diversions = read();
  ASSERT_THAT(diversions.all(), SizeIs(1));
  EXPECT_EQ(diversions.all()[0].reason, "unknown");
  EXPECT_EQ(diversions.all()[0].count, 1U);
  EXPECT_THAT(told(diversions, "History-Info"), SizeIs(3));
}

}  // namespace
}  // namespace trunkline::call
