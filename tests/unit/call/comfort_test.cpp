#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What the gateway plays to who waits, and what becomes of a trunk that says nothing.
namespace trunkline::call::simulation {
namespace {

using media::Sound;
using sip::Method;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

/// What the workers were told to play: sounds by name, "" for a stop.
std::vector<std::string> played(const World& world) {
  std::vector<std::string> log;
  for (const auto& command : world.media_log) {
    if (const auto* start = std::get_if<media::StartSound>(&command)) {
      log.emplace_back(start->sound == Sound::play       ? "play"
                       : start->sound == Sound::ringback ? "ringback"
                                                         : "music");
    }
    if (std::holds_alternative<media::StopTone>(command)) log.emplace_back();
  }
  return log;
}

struct Comfort : EstablishedCall {
  int version = 50;

  void SetUp() override {
    world.settings.sounds = {.play = true, .hold_music = true, .ringback = true};
    world.settings.media_timeout = seconds{60};
    world.settings.hold_timeout = seconds{1800};
    world.settings.routes.push_back({"any", "^play$", "service:play"});
    world.restart();
    EstablishedCall::SetUp();
  }

  /// Alice's page offers this direction; the trunk answers.
  void alice_offers(std::string_view direction, std::string_view trunk_answers) {
    alice->send_in_dialog(Method::invite, "application/sdp", browser_offer(direction, ++version));
    world.settle();
    if (const auto reinvite = trunk->take_request(Method::invite)) {
      trunk->respond(*reinvite, 200, trunk_sdp(trunk_answers, ++version));
      world.settle();
    }
    const auto answer = alice->take_response(200);
    ASSERT_TRUE(answer);
    alice->ack(*answer);
    world.settle();
  }
  std::vector<Duration> expected() const {
    std::vector<Duration> times;
    for (const auto& order : world.media_commands<media::ExpectMedia>())
      times.push_back(order.within);
    return times;
  }
};

// RFC 3264 §8.4: held by a browser [hold-music]
TEST_F(Comfort, WhomABrowserHoldsHearsMusicUntilItIsBack) {
  EXPECT_THAT(played(world), IsEmpty());
  alice_offers("sendonly", "recvonly");
  ASSERT_THAT(played(world), ElementsAre("music"));
  const auto order = world.media_commands<media::StartSound>()[0];
  EXPECT_EQ(order.codec, media::AudioCodec::pcmu);
  EXPECT_EQ(order.payload_type, 0);
  alice_offers("sendrecv", "sendrecv");
  EXPECT_THAT(played(world), ElementsAre("music", ""));
}

TEST_F(Comfort, WhoCanNotHearItIsSentNone) {
  alice_offers("inactive", "inactive");
  EXPECT_THAT(played(world), IsEmpty());
}

TEST_F(Comfort, ATrunkThatHoldsIsLeftToItsOwnMusic) {
  trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendonly", ++version));
  world.settle();
  const auto reinvite = alice->take_request(Method::invite);
  ASSERT_TRUE(reinvite);
  alice->respond(*reinvite, 200, browser_answer("recvonly"));
  world.settle();
  EXPECT_THAT(played(world), IsEmpty());
}

// RFC 3264 §8.4: held by the API [hold-music]
TEST_F(Comfort, WhomTheApiHoldsHearsMusicUntilItIsResumed) {
  const LegName leg{call_name(), {}};
  for (const bool hold : {true, false}) {
    hold ? world.ask(HoldCall{leg}) : world.ask(ResumeCall{leg});
    const auto reinvite = trunk->take_request(Method::invite);
    ASSERT_TRUE(reinvite);
    trunk->respond(*reinvite, 200, trunk_sdp(hold ? "recvonly" : "sendrecv", ++version));
    world.settle();
  }
  EXPECT_THAT(played(world), ElementsAre("music", ""));
}

TEST_F(Comfort, ThePlayServicePlaysInTheCodecOfTheCaller) {
  Peer& bob = world.registered("bob", 100000);
  const auto first = bob.invite("play", "bob", kBrowserOffer);
  const auto call = world.answer_challenge(bob, first, "bob");
  ASSERT_TRUE(bob.take_response(200, call));
  ASSERT_THAT(played(world), ElementsAre("play"));
}

// RFC 3550 §6.3.5: both sides are told [media-timeout]
TEST_F(Comfort, ATrunkThatSaysNothingEndsTheCall) {
  EXPECT_THAT(expected(), ElementsAre(Duration{seconds{60}}));
  const LegId leg = world.media_commands<media::ExpectMedia>()[0].leg;
  world.media(media::MediaSilent{leg});
  world.settle();
  ASSERT_THAT(world.observed<CallEnded>(), SizeIs(1));
  EXPECT_EQ(world.observed<CallEnded>()[0].end.reason, EndReason::media_timeout);
  EXPECT_TRUE(trunk->take_request(Method::bye));
  EXPECT_TRUE(alice->take_request(Method::bye));
}

// RFC 3264 §8.4: who is on hold may be silent for longer [race-hold-silence]
TEST_F(Comfort, OnHoldATrunkMayBeSilentForLonger) {
  alice_offers("sendonly", "recvonly");
  alice_offers("sendrecv", "sendrecv");
  EXPECT_THAT(expected(),
              ElementsAre(Duration{seconds{60}}, Duration{seconds{1800}}, Duration{seconds{60}}));
}

/// Alice is called by the API, and waits for the trunk.
struct Waiting : testing::Test {
  World world;
  Peer* alice = nullptr;
  std::optional<sip::RequestReceived> invite;  ///< at the trunk

  void SetUp() override {
    world.settings.sounds.ringback = true;
    world.settings.routes.push_back({"any", "^[0-9]{3,15}$", "trunk:carrier"});
    world.restart();
    alice = &world.registered("alice", 100000);
    CreateCall request;
    request.from = "user:alice";
    request.to = "5551000";
    world.ask(request);
    const auto first = alice->take_request(Method::invite);
    ASSERT_TRUE(first);
    std::string answer = browser_answer();
    answer.replace(answer.find("111 9 0 8"), 9, "0 8 111 9");
    alice->respond(*first, 200, answer);
    world.settle();
    invite = world.trunk().take_request(Method::invite);
    ASSERT_TRUE(invite);
  }
  void trunk_says(int status, std::string_view sdp = {}) {
    world.trunk().respond(*invite, status, sdp);
    world.settle();
  }
};

// RFC 3960 §3.2: until the answer [ringback]
TEST_F(Waiting, HearsThatTheOtherOneRingsUntilItAnswers) {
  EXPECT_THAT(played(world), IsEmpty());
  trunk_says(180);
  EXPECT_THAT(played(world), ElementsAre("ringback"));
  trunk_says(180);
  trunk_says(200, trunk_sdp());
  EXPECT_THAT(played(world), ElementsAre("ringback", ""));
}

// RFC 3960 §3.2: what the other side plays itself is heard instead
TEST_F(Waiting, HearsEarlyMediaInstead) {
  trunk_says(180);
  trunk_says(183, trunk_sdp());
  EXPECT_THAT(played(world), ElementsAre("ringback", ""));
}

}  // namespace
}  // namespace trunkline::call::simulation
