#include "call/replicas.hpp"

#include <gmock/gmock.h>

// Requests between nodes: who is believed, once and for a time.
namespace trunkline::call {
namespace {

using sip::HeaderName;
using testing::HasSubstr;

constexpr std::int64_t kNow = 1'700'000'000;

sip::Message invite() {
  sip::Message request =
      sip::Message::request(sip::Method::invite, "sip:alice@127.0.0.1:5062;transport=udp");
  request.add(HeaderName::from, "<sip:bob@example.test>;tag=from-tag");
  request.add(HeaderName::to, "<sip:alice@example.test>");
  request.add(HeaderName::call_id, "call-1");
  request.add(HeaderName::cseq, "7 INVITE");
  request.set_body("application/sdp", "v=0\r\n");
  return request;
}

struct ReplicasTest : testing::Test {
  Replicas one{{true}, "shared secret", "edge-1"};
  Replicas two{{true}, "shared secret", "edge-2"};

  sip::Message vouched() {
    sip::Message request = invite();
    one.vouch(request, "edge-2", "urn:uuid:1", kNow);
    return request;
  }
  std::string refused(const sip::Message& request, std::int64_t now = kNow) {
    const auto result = two.check(request, now);
    return result ? "" : result.error().message;
  }
};

TEST_F(ReplicasTest, ANodeIsKnownByWhatOnlyTheNodesCanMake) {
  const auto introduction = two.check(vouched(), kNow + 3);
  ASSERT_TRUE(introduction);
  EXPECT_EQ(introduction->from, "edge-1");
  EXPECT_EQ(introduction->instance, "urn:uuid:1");
}

TEST_F(ReplicasTest, ARequestIsTakenOnce) {
  const sip::Message request = vouched();
  EXPECT_EQ(refused(request), "");
  EXPECT_EQ(refused(request), "sent before");
  EXPECT_EQ(refused(request, kNow + kReplicaSkew), "sent before");
}

TEST_F(ReplicasTest, AnOldOneIsStaleAndSoIsOneOfAClockThatRunsAhead) {
  EXPECT_THAT(refused(vouched(), kNow + kReplicaSkew + 1), HasSubstr("stale"));
  EXPECT_THAT(refused(vouched(), kNow - kReplicaSkew - 1), HasSubstr("stale"));
  EXPECT_EQ(refused(vouched(), kNow - kReplicaSkew), "");
}

TEST_F(ReplicasTest, NothingInItCanBeChanged) {
  const auto changed = [&](auto change) {
    sip::Message request = vouched();
    change(request);
    return refused(request);
  };
  const auto forged = HasSubstr("not made with our credentials.secret");
  EXPECT_THAT(changed([](auto& r) { r.set_request_uri("sip:carol@127.0.0.1:5062;transport=udp"); }),
              forged);
  EXPECT_THAT(changed([](auto& r) { r.set(HeaderName::call_id, "call-2"); }), forged);
  EXPECT_THAT(changed([](auto& r) { r.set(HeaderName::cseq, "8 INVITE"); }), forged);
  EXPECT_THAT(changed([](auto& r) { r.set(HeaderName::from, "<sip:bob@example.test>;tag=other"); }),
              forged);
  EXPECT_THAT(changed([](auto& r) { r.set_body("application/sdp", "v=1\r\n"); }), forged);
}

TEST_F(ReplicasTest, AnotherSecretIsNoIntroductionAndAnotherNodeIsNotMeant) {
  Replicas stranger({true}, "another secret", "edge-1");
  sip::Message request = invite();
  stranger.vouch(request, "edge-2", {}, kNow);
  EXPECT_THAT(refused(request), HasSubstr("not made with"));
  one.vouch(request, "edge-3", {}, kNow);
  EXPECT_EQ(refused(request), "meant for node edge-3");
}

TEST_F(ReplicasTest, OnlyOurOwnSchemeClaimsToBeANode) {
  sip::Message request = invite();
  EXPECT_FALSE(two.claims(request));
  request.set(HeaderName::authorization, "Digest username=\"bob\"");
  EXPECT_FALSE(two.claims(request));
  request.set(HeaderName::authorization, "Trunkline-HMAC-SHA-256 from=\"edge-1\"");
  EXPECT_TRUE(two.claims(request));
  EXPECT_THAT(refused(request), HasSubstr("not made with"));
  request.set(HeaderName::authorization, "Trunkline-HMAC-SHA-256 nonsense");
  EXPECT_EQ(refused(request), "malformed Authorization");
}

TEST_F(ReplicasTest, WithoutAStoreThereAreNone) {
  const Replicas alone({false}, "shared secret", "edge-2");
  EXPECT_FALSE(alone.enabled());
  EXPECT_FALSE(alone.claims(vouched()));
}

}  // namespace
}  // namespace trunkline::call
