#include "media/verdict.hpp"

#include <gtest/gtest.h>

namespace trunkline::media {
namespace {

ReceivingFacts browser() {
  ReceivingFacts facts;
  facts.leg = LegKind::webrtc;
  facts.checked = facts.connected = facts.handshake_begun = facts.keys = true;
  return facts;
}

ReceivingFacts trunk() {
  ReceivingFacts facts;
  facts.leg = LegKind::sip;
  return facts;
}

TEST(Verdict, OnABrowserNamesTheFirstStepThatIsMissing) {
  ReceivingFacts facts = browser();
  EXPECT_EQ(why_silent(facts), Silence::browser_sends_nothing);
  facts.keys = false;
  EXPECT_EQ(why_silent(facts), Silence::dtls_not_finished);
  facts.handshake_begun = false;
  EXPECT_EQ(why_silent(facts), Silence::browser_never_started_dtls);
  facts.connected = false;
  EXPECT_EQ(why_silent(facts), Silence::ice_checks_refused);
  facts.checked = false;
  EXPECT_EQ(why_silent(facts), Silence::browser_sent_no_ice_checks);
  facts.failed = true;
  EXPECT_EQ(why_silent(facts), Silence::transport_failed);
}

TEST(Verdict, OnATrunkTellsSilenceFromWhatCannotBeTaken) {
  EXPECT_EQ(why_silent(trunk()), Silence::trunk_sends_nothing);
  ReceivingFacts facts = trunk();
  facts.described = false;
  EXPECT_EQ(why_silent(facts), Silence::peer_address_unknown);
  facts.malformed = 1;
  EXPECT_EQ(why_silent(facts), Silence::malformed_media);
  facts.from_others = 1;
  EXPECT_EQ(why_silent(facts), Silence::wrong_source_address);
  facts.unknown_payload = 1;
  EXPECT_EQ(why_silent(facts), Silence::unknown_payload_type);
  facts.unsealed = 1;
  EXPECT_EQ(why_silent(facts), Silence::srtp_auth_failing);
}

TEST(Verdict, EachCauseHasALabelOfItsOwn) {
  std::set<std::string_view> labels;
  for (std::size_t i = 1; i < static_cast<std::size_t>(Silence::count_); ++i)
    EXPECT_TRUE(labels.insert(silence_label(static_cast<Silence>(i))).second) << i;
  EXPECT_TRUE(labels.contains("TRUNK_SENDS_NOTHING"));
  EXPECT_TRUE(labels.contains("ONE_WAY_TO_BROWSER"));
  EXPECT_EQ(silence_label(Silence::none), "");
}

// RFC 3550 §6.4.1: the extended highest sequence number received tells whether anything arrives
TEST(Hearing, IsDeniedToAPeerWhoseReportsStandStill) {
  Hearing hearing;
  std::uint32_t highest = 100;
  EXPECT_FALSE(hearing.reported(&highest, 100, false));
  EXPECT_FALSE(hearing.reported(&highest, 149, false)) << "a report may be late";
  EXPECT_FALSE(hearing.reported(&highest, 151, false));
  EXPECT_FALSE(hearing.reported(&highest, 152, false)) << "of the same moment";
  EXPECT_TRUE(hearing.reported(&highest, 201, false));
  EXPECT_TRUE(hearing.deaf());
  EXPECT_FALSE(hearing.reported(&highest, 301, false)) << "told once";
  highest = 310;
  EXPECT_FALSE(hearing.reported(&highest, 350, false));
  EXPECT_FALSE(hearing.deaf());
  EXPECT_FALSE(hearing.reported(&highest, 401, false));
  EXPECT_TRUE(hearing.reported(&highest, 451, false));
}

TEST(Hearing, IsNotDeniedForAFirstReportWithoutABlock) {
  Hearing chromium;
  EXPECT_FALSE(chromium.reported(nullptr, 105, true));
  std::uint32_t highest = 200;
  EXPECT_FALSE(chromium.reported(&highest, 300, true));
  EXPECT_FALSE(chromium.reported(nullptr, 400, true));
  EXPECT_FALSE(chromium.deaf());
}

TEST(Hearing, IsDeniedToOneWithoutReportsOnlyIfItWouldSendThem) {
  Hearing browser, trunk;
  EXPECT_FALSE(browser.reported(nullptr, 49, true));
  EXPECT_FALSE(browser.reported(nullptr, 50, true));
  EXPECT_TRUE(browser.reported(nullptr, 100, true));
  EXPECT_FALSE(trunk.reported(nullptr, 5000, false));
}

}  // namespace
}  // namespace trunkline::media
