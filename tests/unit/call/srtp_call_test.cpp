#include "simulation.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Calls over a trunk whose media is encrypted with the keys of the descriptions (RFC 4568).
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kKey = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
constexpr std::string_view kOtherKey = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";

std::string secure(std::string sdp, int tag = 1, std::string_view key = kKey,
                   std::string_view suite = "AES_CM_128_HMAC_SHA1_80") {
  const std::size_t at = sdp.find("RTP/AVP");
  sdp.replace(at, 7, "RTP/SAVP");
  return sdp + "a=crypto:" + std::to_string(tag) + " " + std::string(suite) +
         " inline:" + std::string(key) + "\r\n";
}

std::string crypto_line(std::string_view text, std::string_view start = "a=crypto:") {
  const std::size_t at = text.find(start);
  if (at == std::string_view::npos) return {};
  return std::string(text.substr(at, text.find("\r\n", at) - at));
}
std::string inline_key(std::string_view line) {
  const std::size_t at = line.find("inline:");
  return at == std::string_view::npos ? std::string() : std::string(line.substr(at + 7));
}

struct SrtpCall : testing::Test {
  World world;
  Peer* alice = nullptr;

  void use(sdp::SrtpPolicy policy) {
    world.settings.trunks[0].srtp = policy;
    world.restart();
    alice = &world.registered("alice", 100000);
  }
  sip::TransactionId dial() {
    return world.answer_challenge(*alice, alice->invite("5551000", "alice", kBrowserOffer),
                                  "alice");
  }
  /// The last keys that a worker was told.
  std::optional<media::SrtpKeys> told() {
    const auto updates = world.media_commands<media::UpdateTrunkLeg>();
    return updates.empty() ? std::nullopt : updates.back().remote.srtp;
  }
};

TEST_F(SrtpCall, WorksWithTheKeysOfBothDescriptions) {
  use(sdp::SrtpPolicy::sdes_required);
  const auto call = dial();
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  const std::string offer(invite->request.body());
  EXPECT_THAT(offer, HasSubstr("RTP/SAVP 0"));
  world.trunk().respond(*invite, 200, secure(trunk_sdp()));
  world.settle();
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->response.status(), 200);
  ASSERT_TRUE(told());
  EXPECT_EQ(told()->profile, media::SrtpProfile::aes_cm_128_hmac_sha1_80);
  EXPECT_EQ(base64(told()->receive), kKey);
  EXPECT_EQ(base64(told()->send), inline_key(crypto_line(offer)));
  alice->ack(*answer);
  world.settle();
}

// RFC 4568 §5.1.2: a call from the trunk is answered with one of its lines and a key of ours [sdes]
TEST_F(SrtpCall, FromTheTrunkIsAnsweredWithAKeyOfOurs) {
  use(sdp::SrtpPolicy::sdes_required);
  const auto call = world.trunk().invite("1001", "5551000", secure(trunk_sdp(), 6));
  world.settle();
  const auto ringing = alice->take_request(Method::invite);
  ASSERT_TRUE(ringing);
  EXPECT_THAT(std::string(ringing->request.body()), Not(HasSubstr("crypto")));
  alice->respond(*ringing, 200, browser_answer());
  world.settle();
  const auto answer = world.trunk().take_response(200, call);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->response.status(), 200);
  const std::string line = crypto_line(answer->response.body());
  EXPECT_THAT(line, testing::StartsWith("a=crypto:6 AES_CM_128_HMAC_SHA1_80 inline:"));
  ASSERT_TRUE(told());
  EXPECT_EQ(base64(told()->receive), kKey);
  EXPECT_EQ(base64(told()->send), inline_key(line));
  EXPECT_NE(inline_key(line), kKey);
}

// RFC 4568 §7: a trunk that must encrypt gets 488 without a key [sdes-policy]
TEST_F(SrtpCall, FromTheTrunkWithoutKeysIs488WhereTheyAreRequired) {
  use(sdp::SrtpPolicy::sdes_required);
  const auto call = world.trunk().invite("1001", "5551000", trunk_sdp());
  world.settle();
  EXPECT_FALSE(alice->take_request(Method::invite));
  const auto refused = world.trunk().take_response(200, call);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 488);
}

// RFC 3261 §13.2.2.4: an answer that can't be taken is acknowledged, and the session ended
// RFC 4568 §7: an answer in the clear ends the call [sdes-policy]
TEST_F(SrtpCall, WithAPlainAnswerEndsWhereKeysAreRequired) {
  use(sdp::SrtpPolicy::sdes_required);
  const auto call = dial();
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 488);
  EXPECT_EQ(world.trunk().acks, 1);
  EXPECT_TRUE(world.trunk().take_request(Method::bye));
  EXPECT_FALSE(told());
}

TEST_F(SrtpCall, IsPlainWithATrunkThatWantsNoKeys) {
  use(sdp::SrtpPolicy::sdes);
  const auto call = dial();
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_THAT(std::string(invite->request.body()), HasSubstr("RTP/AVP 0"));
  EXPECT_THAT(std::string(invite->request.body()), HasSubstr("a=crypto:1 "));
  world.trunk().respond(*invite, 200, trunk_sdp());
  world.settle();
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 200);
  EXPECT_FALSE(told());
}

struct SrtpReoffer : SrtpCall {
  std::string ours;

  void SetUp() override {
    use(sdp::SrtpPolicy::sdes_required);
    const auto call = dial();
    const auto invite = world.trunk().take_request(Method::invite);
    ASSERT_TRUE(invite);
    ours = inline_key(crypto_line(invite->request.body()));
    world.trunk().respond(*invite, 200, secure(trunk_sdp()));
    world.settle();
    alice->ack(*alice->take_response(200, call));
    world.settle();
  }
  std::optional<sip::ResponseReceived> reoffer(const std::string& sdp) {
    const auto sent = world.trunk().send_in_dialog(Method::invite, "application/sdp", sdp);
    world.settle();
    auto answer = world.trunk().take_response(200, sent);
    if (answer && answer->response.status() < 300) {
      world.trunk().ack(*answer);
      world.settle();
    }
    return answer;
  }
};

// RFC 4568 §7.1.4: a new key of the peer's is taken, ours stays [sdes-rekey]
TEST_F(SrtpReoffer, WithANewKeyTellsTheWorker) {
  const auto answer = reoffer(secure(trunk_sdp("sendrecv", 2), 3, kOtherKey));
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->response.status(), 200);
  EXPECT_EQ(crypto_line(answer->response.body()),
            "a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:" + ours);
  EXPECT_EQ(base64(told()->receive), kOtherKey);
  EXPECT_EQ(base64(told()->send), ours);
}

TEST_F(SrtpReoffer, WithoutKeysIsRefusedAndNothingChanges) {
  const auto answer = reoffer(trunk_sdp("sendrecv", 2));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 488);
  EXPECT_THAT(std::string(answer->response.header(HeaderName::warning).value_or("")),
              HasSubstr("a=crypto"));
  EXPECT_EQ(base64(told()->receive), kKey);
}

TEST_F(SrtpReoffer, OfOursRepeatsTheKeyInUse) {
  const auto sent =
      alice->send_in_dialog(Method::invite, "application/sdp", browser_offer("sendonly"));
  world.settle();
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(crypto_line(invite->request.body()),
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + ours);
  world.trunk().respond(*invite, 200, secure(trunk_sdp("recvonly", 2)));
  world.settle();
  EXPECT_EQ(alice->take_response(200, sent)->response.status(), 200);
}

}  // namespace
}  // namespace trunkline::call::simulation
