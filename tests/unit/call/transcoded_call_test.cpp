#include "simulation.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Calls between legs that share no codec, and between those that could but shall not.
namespace trunkline::call::simulation {
namespace {

using media::AudioCodec;
using sip::Method;
using testing::HasSubstr;
using testing::Not;

struct TranscodedCall : testing::Test {
  World world;
  Peer* alice = nullptr;

  /// Her page has Opus alone.
  std::string offer = with_codecs(std::string(kBrowserOffer), "111 110");

  void begin(sdp::Translation node, sdp::Translation trunk, std::size_t calls = 200) {
    world.settings.translation = node;
    world.settings.trunks[0].translation = trunk;
    world.settings.trunks[0].codecs = {"PCMU"};
    world.settings.max_transcoded_calls = calls;
    world.restart();
    alice = &world.registered("alice", 100000);
  }

  static std::string with_codecs(std::string text, std::string_view codecs) {
    constexpr std::string_view kAll = "111 9 0 8 110 126";
    return text.replace(text.find(kAll), kAll.size(), codecs);
  }

  sip::TransactionId dial(std::string_view to, std::string_view text) {
    return world.answer_challenge(*alice, alice->invite(to, "alice", text), "alice");
  }
  /// The status that she gets when the trunk answers.
  int answered(sip::TransactionId call) {
    const auto invite = world.trunk().take_request(Method::invite);
    if (!invite) return alice->take_response(200, call)->response.status();
    world.trunk().respond(*invite, 200, trunk_sdp());
    world.settle();
    answer = alice->take_response(200, call);
    if (answer->response.status() < 300) alice->ack(*answer);
    world.settle();
    return answer->response.status();
  }
  std::optional<sip::ResponseReceived> answer;

  std::vector<media::PayloadRoute> transcoded() const {
    std::vector<media::PayloadRoute> found;
    for (const auto& route : world.media_commands<media::SetRoute>()) {
      for (const auto& payload : route.payloads) {
        if (payload.transcoded()) found.push_back(payload);
      }
    }
    return found;
  }
};

constexpr auto kNever = sdp::Translation::never;
constexpr auto kWhereNeeded = sdp::Translation::where_needed;
constexpr auto kToOpus = sdp::Translation::to_opus;

TEST_F(TranscodedCall, ABrowserOfOpusTalksToATrunkOfPcmu) {
  begin(kWhereNeeded, kWhereNeeded);
  EXPECT_EQ(answered(dial("5551000", offer)), 200);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("SAVPF 111 110"));
  const auto routes = transcoded();
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0].decode, AudioCodec::opus);
  EXPECT_EQ(routes[0].encode, AudioCodec::pcmu);
  EXPECT_EQ(routes[1].decode, AudioCodec::pcmu);
  EXPECT_EQ(routes[1].encode, AudioCodec::opus);
  EXPECT_EQ(routes[1].to, 111);
}

TEST_F(TranscodedCall, ACommonCodecIsRelayed) {
  begin(kWhereNeeded, kWhereNeeded);
  EXPECT_EQ(answered(dial("5551000", kBrowserOffer)), 200);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("SAVPF 0 126"));
  EXPECT_TRUE(transcoded().empty());
}

// RFC 3261 §13.3.1.3: no common codec is 488 [offer-488]
TEST_F(TranscodedCall, WhereItIsNotAllowedTheCallIsRefused) {
  for (const auto& [node, trunk] : {std::pair(kNever, kWhereNeeded), std::pair(kNever, kToOpus),
                                    std::pair(kWhereNeeded, kNever)}) {
    begin(node, trunk);
    EXPECT_EQ(answered(dial("5551000", offer)), 488);
  }
}

TEST_F(TranscodedCall, ATrunkMayAskForOpusAtTheBrowser) {
  begin(kWhereNeeded, kToOpus);
  EXPECT_EQ(answered(dial("5551000", kBrowserOffer)), 200);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("SAVPF 111 110"));
  EXPECT_EQ(transcoded().size(), 2U);
}

TEST_F(TranscodedCall, ATrunkMayAskForOpusAtTheBrowserThatItCalls) {
  begin(kWhereNeeded, kToOpus);
  const auto call = world.trunk().invite("1001", "+4930123", trunk_sdp());
  world.settle();
  const auto invite = alice->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_THAT(std::string(invite->request.body()), HasSubstr("SAVPF 111 0 8 9 110 126"));
  alice->respond(*invite, 200, browser_answer());
  world.settle();
  const auto ok = world.trunk().take_response(200, call);
  ASSERT_TRUE(ok);
  EXPECT_THAT(std::string(ok->response.body()), HasSubstr("RTP/AVP 0 101"));
  EXPECT_FALSE(transcoded().empty());
}

// RFC 3261 §21.5.4: what can't be served now is 503
// RFC 3261 §21.5.4: calls between codecs [media-limits]
TEST_F(TranscodedCall, OneMoreThanTheLimitIsRefusedAndTheNextTakenWhenThereIsRoom) {
  begin(kWhereNeeded, kWhereNeeded, 1);
  ASSERT_EQ(answered(dial("5551000", offer)), 200);
  const auto first = alice->dialog;
  EXPECT_EQ(answered(dial("5551001", offer)), 503);
  EXPECT_EQ(world.observed<CallEnded>().back().end.reason, EndReason::limit);
  ASSERT_EQ(answered(dial("5551002", kBrowserOffer)), 200) << "what is only relayed counts nothing";
  alice->dialog = first;
  alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(answered(dial("5551003", offer)), 200);
}

}  // namespace
}  // namespace trunkline::call::simulation
