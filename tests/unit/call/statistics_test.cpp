#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What is told of a call's media: statistics when asked, changes as they come.
namespace trunkline::call::simulation {
namespace {

using sip::Method;
using testing::SizeIs;

struct Statistics : EstablishedCall {
  std::vector<media::QueryStatistics> queries() const {
    return world.media_commands<media::QueryStatistics>();
  }
  void report(const media::QueryStatistics& query, std::uint64_t received) {
    media::LegStatistics statistics;
    statistics.packets_received = received;
    statistics.packets_lost = 3;
    statistics.jitter_seconds = 0.01;
    statistics.round_trip_seconds = 0.05;
    statistics.mos = 4.2;
    world.media(media::StatisticsReported{query.leg, query.query, statistics});
  }
  LegId browser() const { return world.media_commands<media::AddBrowserLeg>().front().leg; }
};

TEST_F(Statistics, AllLegsAreAskedAndTold) {
  world.media(media::IceConnected{browser(), *SocketAddress::parse("198.51.100.7:4000")});
  world.media(media::DtlsConnected{browser(), "AEAD_AES_128_GCM"});
  const auto asked = world.ask(GetStatistics{call_name()});
  ASSERT_THAT(queries(), SizeIs(2));
  report(queries()[0], 100);
  EXPECT_FALSE(world.replied(asked));
  report(queries()[1], 200);
  const auto told = world.reply<CallStatistics>(asked);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->call, call_name());
  ASSERT_THAT(told->legs, SizeIs(2));
  EXPECT_EQ(told->legs[0].codec, "PCMU");
  EXPECT_EQ(told->legs[0].srtp_profile, "AEAD_AES_128_GCM");
  EXPECT_EQ(told->legs[0].packets_received, 100U);
  EXPECT_EQ(told->legs[0].packets_lost, 3U);
  EXPECT_EQ(told->legs[0].round_trip_seconds, 0.05);
  EXPECT_EQ(told->legs[0].mos, 4.2);
  EXPECT_EQ(told->legs[1].srtp_profile, "");
  EXPECT_EQ(told->legs[1].packets_received, 200U);
}

struct Silence : Statistics {
  std::vector<std::string> silent() const {
    std::vector<std::string> legs;
    for (const auto& change : world.observed<MediaChanged>()) {
      if (change.what == "silent") legs.push_back(change.leg);
    }
    return legs;
  }
  LegId trunk_leg() const { return world.media_commands<media::AddTrunkLeg>().front().leg; }
};

// RFC 3550 §6.4.4: silent, and why [media-changes-told]
TEST_F(Silence, OfAPartyIsToldOnceWithItsCauseTwoSecondsAfterTheAnswer) {
  world.media(media::FirstPacket{browser(), *SocketAddress::parse("198.51.100.7:4000")});
  world.pass(milliseconds{1999});
  EXPECT_THAT(world.media_commands<media::JudgeMedia>(), SizeIs(0));
  world.pass(milliseconds{1});
  ASSERT_THAT(world.media_commands<media::JudgeMedia>(), SizeIs(1));
  EXPECT_EQ(world.media_commands<media::JudgeMedia>().front().leg, trunk_leg());
  EXPECT_THAT(silent(), SizeIs(0));
  world.media(media::MediaJudged{trunk_leg(), media::Silence::wrong_source_address});
  EXPECT_THAT(silent(), testing::ElementsAre("to"));
  EXPECT_EQ(world.observed<MediaChanged>().back().cause, "WRONG_SOURCE_ADDRESS");
  world.pass(seconds{30});
  EXPECT_THAT(silent(), SizeIs(1));
}

TEST_F(Silence, IsToldWithoutACauseThreeSecondsAfterTheAnswerIfTheWorkerDoesNotSay) {
  world.media(media::FirstPacket{browser(), *SocketAddress::parse("198.51.100.7:4000")});
  world.pass(milliseconds{3000});
  EXPECT_THAT(silent(), testing::ElementsAre("to"));
  EXPECT_EQ(world.observed<MediaChanged>().back().cause, "");
}

TEST_F(Silence, IsToldAgainWhenWhatCameHasStopped) {
  world.media(media::FirstPacket{browser(), *SocketAddress::parse("198.51.100.7:4000")});
  world.media(media::FirstPacket{trunk_leg(), *SocketAddress::parse("192.0.2.2:7000")});
  world.pass(seconds{10});
  world.media(media::MediaJudged{browser(), media::Silence::browser_sends_nothing});
  EXPECT_THAT(silent(), testing::ElementsAre("from"));
  EXPECT_EQ(world.observed<MediaChanged>().back().cause, "BROWSER_SENDS_NOTHING");
  world.media(media::FirstPacket{browser(), *SocketAddress::parse("198.51.100.7:4000")});
  EXPECT_EQ(world.observed<MediaChanged>().back().what, "flowing");
  world.media(media::MediaJudged{browser(), media::Silence::srtp_auth_failing});
  EXPECT_THAT(silent(), testing::ElementsAre("from", "from"));
}

TEST_F(Silence, OfAPartyThatDoesNotHearIsToldOnceAndStandsInTheRecord) {
  world.media(media::FirstPacket{browser(), *SocketAddress::parse("198.51.100.7:4000")});
  world.media(media::FirstPacket{trunk_leg(), *SocketAddress::parse("192.0.2.2:7000")});
  for (int told = 0; told < 2; ++told) {
    world.media(
        media::MediaJudged{browser(), media::Silence::none, media::Silence::one_way_to_browser});
  }
  std::size_t unheard = 0;
  for (const auto& change : world.observed<MediaChanged>())
    unheard += change.what == "unheard" && change.cause == "ONE_WAY_TO_BROWSER" ? 1 : 0;
  EXPECT_EQ(unheard, 1U);
  EXPECT_THAT(silent(), SizeIs(0));
  trunk->send_in_dialog(Method::bye);
  world.settle();
  for (const auto& removed : world.media_commands<media::RemoveLeg>())
    world.media(media::LegClosed{removed.leg, {}});
  ASSERT_THAT(world.observed<CallMeasured>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallMeasured>().front().legs[0].silence, "ONE_WAY_TO_BROWSER");
}

TEST_F(Silence, IsNotToldOfThoseWhoAreHeard) {
  world.media(media::FirstPacket{browser(), *SocketAddress::parse("198.51.100.7:4000")});
  world.media(media::FirstPacket{trunk_leg(), *SocketAddress::parse("192.0.2.2:7000")});
  world.pass(seconds{30});
  EXPECT_THAT(silent(), SizeIs(0));
}

TEST_F(Silence, IsNotToldOfAPartyThatHasSaidThatItOnlyListens) {
  const auto hold =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("recvonly", 2));
  world.settle();
  const auto passed = alice->take_request(Method::invite);
  ASSERT_TRUE(passed);
  alice->respond(*passed, 200, browser_answer("sendonly"));
  world.settle();
  ASSERT_TRUE(trunk->take_response(200, hold));
  world.pass(seconds{30});
  EXPECT_THAT(silent(), testing::ElementsAre("from")) << "the browser sends, or should";
}

TEST_F(Statistics, AWorkerThatIsSlowIsNotWaitedForLongerThanASecond) {
  const auto asked = world.ask(GetStatistics{call_name()});
  report(queries()[1], 7);
  world.pass(milliseconds{999});
  EXPECT_FALSE(world.replied(asked));
  world.pass(milliseconds{2});
  const auto told = world.reply<CallStatistics>(asked);
  ASSERT_TRUE(told);
  ASSERT_THAT(told->legs, SizeIs(1));
  EXPECT_EQ(told->legs[0].packets_received, 7U);
  report(queries()[0], 1);
}

TEST_F(Statistics, RequestsThatComeTogetherShareOneQuestion) {
  std::vector<RequestId> asked;
  for (int i = 0; i < 65; ++i)
    asked.push_back(world.ask(GetStatistics{call_name()}));
  EXPECT_THAT(queries(), SizeIs(2));
  EXPECT_TRUE(world.reply<Refusal>(asked.back())) << "not without bound";
  report(queries()[0], 1);
  report(queries()[1], 1);
  for (int i = 0; i < 64; ++i)
    EXPECT_TRUE(world.reply<CallStatistics>(asked[static_cast<std::size_t>(i)]));
}

TEST_F(Statistics, ALateReportIsNotTakenForAnAnswerToTheNextQuestion) {
  world.ask(GetStatistics{call_name()});
  world.pass(seconds{2});
  const auto second = world.ask(GetStatistics{call_name()});
  report(queries()[0], 1);
  report(queries()[1], 1);
  EXPECT_FALSE(world.replied(second));
  const auto asked = queries();
  report(asked[asked.size() - 2], 5);
  report(asked.back(), 5);
  ASSERT_TRUE(world.reply<CallStatistics>(second));
  EXPECT_EQ(world.reply<CallStatistics>(second)->legs[0].packets_received, 5U);
}

TEST_F(Statistics, TheEndOfTheCallEndsTheQuestion) {
  const auto asked = world.ask(GetStatistics{call_name()});
  report(queries()[0], 5);
  trunk->send_in_dialog(Method::bye);
  world.settle();
  ASSERT_TRUE(world.reply<CallStatistics>(asked));
  ended(*alice);
  world.expect_nothing_left();
}

TEST(StatisticsBeforeTheAnswer, RingingLegsHaveThemToo) {
  World world;
  Peer& alice = world.registered("alice", 100000);
  world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
  const auto asked = world.ask(GetStatistics{world.observed<CallStarted>().front().call.name});
  for (const auto& query : world.media_commands<media::QueryStatistics>())
    world.media(media::StatisticsReported{query.leg, query.query, {}});
  ASSERT_TRUE(world.reply<CallStatistics>(asked));
  EXPECT_THAT(world.reply<CallStatistics>(asked)->legs, SizeIs(2));
  EXPECT_EQ(world.reply<CallStatistics>(asked)->legs[1].codec, "");
}

// RFC 3550 §6.4.4: at the end [quality-told]
TEST_F(Statistics, OfACallThatEndedAreToldOnceItsWorkersHaveToldTheirs) {
  trunk->send_in_dialog(Method::bye);
  world.settle();
  ASSERT_THAT(world.observed<CallEnded>(), SizeIs(1));
  EXPECT_THAT(world.observed<CallMeasured>(), SizeIs(0));
  std::uint64_t packets = 100;
  for (const auto& removed : world.media_commands<media::RemoveLeg>()) {
    EXPECT_THAT(world.observed<CallMeasured>(), SizeIs(0));
    media::LegStatistics counted;
    counted.packets_received = packets++;
    world.media(media::LegClosed{removed.leg, counted});
  }
  ASSERT_THAT(world.observed<CallMeasured>(), SizeIs(1));
  const CallMeasured measured = world.observed<CallMeasured>().front();
  EXPECT_EQ(measured.call.name, call_name());
  EXPECT_TRUE(measured.call.ended);
  ASSERT_THAT(measured.legs, SizeIs(2));
  EXPECT_EQ(measured.legs[0].packets_received, 100U);
  EXPECT_TRUE(measured.legs[0].joined);
  EXPECT_EQ(measured.legs[1].packets_received, 101U);
  ended(*alice);
  world.expect_nothing_left();
}

TEST_F(Statistics, OfACallThatEndedAreNotWaitedForLongerThanASecond) {
  trunk->send_in_dialog(Method::bye);
  world.settle();
  const LegId first = world.media_commands<media::RemoveLeg>().front().leg;
  world.media(media::LegClosed{first, {}});
  world.pass(milliseconds{1001});
  ASSERT_THAT(world.observed<CallMeasured>(), SizeIs(1));
  EXPECT_THAT(world.observed<CallMeasured>().front().legs, SizeIs(1));
  ended(*alice);
  world.expect_nothing_left();
  EXPECT_THAT(world.observed<CallMeasured>(), SizeIs(1));
}

TEST_F(Statistics, AreSampledASecondAfterTheAnswerAndEveryFiveSecondsAsTheCallGoesOn) {
  world.pass(milliseconds{999});
  EXPECT_THAT(queries(), SizeIs(0));
  world.pass(milliseconds{1});
  ASSERT_THAT(queries(), SizeIs(2));
  EXPECT_TRUE(queries()[0].ends_interval);
  report(queries()[0], 1);
  EXPECT_THAT(world.observed<CallSampled>(), SizeIs(0));
  media::LegStatistics told;
  told.interval_loss = 0.25;
  told.at_peer = {0.5, 0.02, 1.5};
  world.media(media::StatisticsReported{queries()[1].leg, queries()[1].query, told});
  ASSERT_THAT(world.observed<CallSampled>(), SizeIs(1));
  const CallSampled sample = world.observed<CallSampled>().front();
  EXPECT_EQ(sample.call, call_name());
  ASSERT_THAT(sample.legs, SizeIs(2));
  EXPECT_TRUE(sample.legs[0].joined);
  EXPECT_EQ(sample.legs[0].packets_received, 1U);
  EXPECT_EQ(sample.legs[1].interval_loss, 0.25);
  EXPECT_EQ(sample.legs[1].at_peer->loss, 0.5);
  world.pass(milliseconds{4999});
  EXPECT_THAT(queries(), SizeIs(2));
  world.pass(milliseconds{1});
  EXPECT_THAT(queries(), SizeIs(4));
  world.pass(seconds{1});
  EXPECT_THAT(world.observed<CallSampled>(), SizeIs(1)) << "nothing was told";
  trunk->send_in_dialog(Method::bye);
  world.settle();
  ended(*alice);
  world.expect_nothing_left();
  EXPECT_THAT(queries(), SizeIs(4)) << "nobody samples what has ended";
}

TEST_F(Statistics, ASampleAndARequestShareOneQuestion) {
  world.pass(milliseconds{500});
  const auto asked = world.ask(GetStatistics{call_name()});
  world.pass(milliseconds{500});
  ASSERT_THAT(queries(), SizeIs(2));
  report(queries()[0], 1);
  report(queries()[1], 1);
  EXPECT_TRUE(world.reply<CallStatistics>(asked));
  EXPECT_THAT(world.observed<CallSampled>(), SizeIs(1));
}

// RFC 3550 §6.4.4: connected, flowing, failed [media-changes-told]
TEST_F(Statistics, MediaChangesAreObserved) {
  world.media(media::IceConnected{browser(), *SocketAddress::parse("198.51.100.7:4000")});
  EXPECT_TRUE(world.observed<MediaChanged>().empty());
  world.media(media::DtlsConnected{browser(), "AEAD_AES_128_GCM"});
  world.media(media::FirstPacket{browser(), {}});
  world.media(media::LegFailed{browser(), media::MediaFailure::dtls_alert});
  const auto observed = world.observed<MediaChanged>();
  ASSERT_THAT(observed, SizeIs(3));
  EXPECT_EQ(observed[0].what, "connected");
  EXPECT_EQ(observed[0].leg, observed[0].call.legs[0].id);
  EXPECT_EQ(observed[1].what, "flowing");
  EXPECT_EQ(observed[2].what, "dtls_alert");
  world.media(media::FirstPacket{browser(), {}});
  EXPECT_THAT(world.observed<MediaChanged>(), SizeIs(3)) << "of an ended leg nothing";
}

}  // namespace
}  // namespace trunkline::call::simulation
