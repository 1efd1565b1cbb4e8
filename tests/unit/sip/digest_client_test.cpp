#include "sip/digest.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace trunkline::sip {
namespace {

constexpr std::string_view kMd5 = "Digest realm=\"r\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";

class DigestClientTest : public ::testing::Test {
 protected:
  static Message challenge(std::vector<std::string> values, int status = 401) {
    Message response = Message::response(status);
    for (const std::string& value : values) {
      response.add(status == 401 ? HeaderName::www_authenticate : HeaderName::proxy_authenticate,
                   value);
    }
    return response;
  }
  static Message with_nonce(std::string_view nonce, std::string_view more = "") {
    return challenge({std::string("Digest realm=\"r\", qop=\"auth\", nonce=\"")
                          .append(nonce)
                          .append("\"")
                          .append(more)});
  }
  static DigestCredentials sent(const Message& message,
                                HeaderName name = HeaderName::authorization) {
    return DigestCredentials::parse(message.header(name).value_or(""))
        .value_or(DigestCredentials{});
  }

  SeededRandom random{1};
  DigestClient client{"alice", "password", random};
  Message request = Message::request(Method::invite, "sip:bob@b.example");
};

TEST_F(DigestClientTest, AnswersSoThatTheServerAgrees) {
  DigestServer server({.secret = "s"}, random);
  for (DigestAlgorithm algorithm : {DigestAlgorithm::md5, DigestAlgorithm::sha256}) {
    Message fresh = request;
    DigestClient other("alice", "password", random);
    ASSERT_TRUE(
        other.authorize(challenge({server.challenge("r", algorithm, false, 1000).text()}), fresh));
    EXPECT_EQ(server.verify(sent(fresh), "INVITE", "",
                            digest_ha1(algorithm, "alice", "r", "password"), 1000),
              DigestServer::Verdict::ok);
  }
}

// RFC 3261 §22.3: a 407 is answered in Proxy-Authorization
TEST_F(DigestClientTest, AnswersA407InTheProxyField) {
  ASSERT_TRUE(client.authorize(challenge({std::string(kMd5)}, 407), request));
  EXPECT_FALSE(request.header(HeaderName::authorization));
  EXPECT_EQ(sent(request, HeaderName::proxy_authorization).username, "alice");
}

TEST_F(DigestClientTest, CopiesWhatTheChallengeSays) {
  ASSERT_TRUE(client.authorize(
      challenge({"Digest realm=\"r\", nonce=\"n\", opaque=\"o\", algorithm=SHA-256, qop=\"auth\""}),
      request));
  const DigestCredentials credentials = sent(request);
  EXPECT_EQ(credentials.realm, "r");
  EXPECT_EQ(credentials.nonce, "n");
  EXPECT_EQ(credentials.opaque, "o");
  EXPECT_EQ(credentials.uri, "sip:bob@b.example");
  EXPECT_EQ(credentials.algorithm, DigestAlgorithm::sha256);
  EXPECT_EQ(credentials.nc, "00000001");
  EXPECT_EQ(credentials.cnonce.size(), 16U);
}

TEST_F(DigestClientTest, WithoutQopSendsNoCount) {
  ASSERT_TRUE(client.authorize(challenge({"Digest realm=\"r\", nonce=\"n\""}), request));
  EXPECT_FALSE(sent(request).qop_auth);
  EXPECT_EQ(sent(request).nc, "");
  EXPECT_FALSE(sent(request).algorithm.has_value());
}

// RFC 8760 §2.4: the topmost challenge that we know is answered [algorithms-answered]
TEST_F(DigestClientTest, TakesTheTopmostAlgorithmItKnows) {
  ASSERT_TRUE(client.authorize(
      challenge({"Digest realm=\"r\", nonce=\"n0\", algorithm=SHA-512-256, qop=\"auth\"",
                 "Digest realm=\"r\", nonce=\"n2\", algorithm=SHA-256, qop=\"auth\"",
                 std::string(kMd5)}),
      request));
  EXPECT_EQ(request.count(HeaderName::authorization), 1U);
  EXPECT_EQ(sent(request).algorithm, DigestAlgorithm::sha256);
  EXPECT_EQ(sent(request).nonce, "n2");
}

TEST_F(DigestClientTest, GivesUpWithoutAChallengeItCanAnswer) {
  EXPECT_FALSE(client.authorize(challenge({}), request));
  EXPECT_FALSE(client.authorize(challenge({"Basic realm=\"r\""}), request));
  EXPECT_FALSE(client.authorize(
      challenge({"Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256"}), request));
  EXPECT_FALSE(
      client.authorize(challenge({"Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""}), request));
  EXPECT_FALSE(request.header(HeaderName::authorization));
}

// RFC 3261 §22.1: credentials that were refused are not sent again [challenge-loop]
TEST_F(DigestClientTest, GivesUpWhenTheSameNonceIsRefused) {
  ASSERT_TRUE(client.authorize(with_nonce("n1"), request));
  EXPECT_FALSE(client.authorize(with_nonce("n1"), request));
}

// RFC 3261 §22.1: nor with another nonce [challenge-loop]
TEST_F(DigestClientTest, GivesUpWhenAFreshNonceIsRefused) {
  ASSERT_TRUE(client.authorize(with_nonce("n1"), request));
  EXPECT_FALSE(client.authorize(with_nonce("n2"), request));
}

// RFC 7616 §3.3: stale asks for the same credentials with a new nonce
TEST_F(DigestClientTest, TriesAgainWhenTheNonceIsStale) {
  ASSERT_TRUE(client.authorize(with_nonce("n1"), request));
  ASSERT_TRUE(client.authorize(with_nonce("n2", ", stale=true"), request));
  EXPECT_EQ(sent(request).nonce, "n2");
  EXPECT_EQ(sent(request).nc, "00000001");
  EXPECT_EQ(request.count(HeaderName::authorization), 1U);
}

// RFC 3261 §22.1: stale without end is given up [challenge-loop]
TEST_F(DigestClientTest, DoesNotTryForEverWhenAllIsStale) {
  ASSERT_TRUE(client.authorize(with_nonce("n0"), request));
  int tries = 0;
  while (tries < 10 &&
         client.authorize(with_nonce("s" + std::to_string(tries), ", stale=true"), request))
    ++tries;
  EXPECT_EQ(tries, 2);
}

// RFC 7616 §3.4: the count of a nonce rises with each request [race-nonce-reuse]
TEST_F(DigestClientTest, PreloadsLaterRequestsWithARisingCount) {
  ASSERT_TRUE(client.authorize(with_nonce("n1"), request));
  Message bye = Message::request(Method::bye, "sip:bob@192.0.2.1");
  client.preload(bye);
  EXPECT_EQ(sent(bye).nonce, "n1");
  EXPECT_EQ(sent(bye).nc, "00000002");
  EXPECT_EQ(sent(bye).uri, "sip:bob@192.0.2.1");
  client.preload(bye);
  EXPECT_EQ(sent(bye).nc, "00000003");
  EXPECT_EQ(bye.count(HeaderName::authorization), 1U);
}

TEST_F(DigestClientTest, PreloadsNothingBeforeTheFirstChallenge) {
  client.preload(request);
  EXPECT_FALSE(request.header(HeaderName::authorization));
}

TEST_F(DigestClientTest, TriesAgainWhenAPreloadedNonceIsSpent) {
  ASSERT_TRUE(client.authorize(with_nonce("n1"), request));
  Message bye = Message::request(Method::bye, "sip:bob@192.0.2.1");
  client.preload(bye);
  ASSERT_TRUE(client.authorize(with_nonce("n2"), bye));
  EXPECT_EQ(sent(bye).nonce, "n2");
  EXPECT_FALSE(client.authorize(with_nonce("n3"), bye));
}

TEST_F(DigestClientTest, ANewRequestMayBeChallengedWithTheSameNonce) {
  ASSERT_TRUE(client.authorize(with_nonce("n1"), request));
  Message other = Message::request(Method::invite, "sip:c@b.example");
  ASSERT_TRUE(client.authorize(with_nonce("n1"), other));
  EXPECT_EQ(sent(other).nc, "00000002");
}

// RFC 3261 §22.3: credentials of other realms stay [challenge-retry]
TEST_F(DigestClientTest, KeepsTheCredentialsOfOtherRealms) {
  ASSERT_TRUE(client.authorize(
      challenge({"Digest realm=\"proxy\", nonce=\"p\", qop=\"auth\""}, 407), request));
  ASSERT_TRUE(client.authorize(with_nonce("n1"), request));
  EXPECT_EQ(sent(request).realm, "r");
  EXPECT_EQ(sent(request, HeaderName::proxy_authorization).realm, "proxy");
  EXPECT_EQ(sent(request, HeaderName::proxy_authorization).nc, "00000002");
}

TEST_F(DigestClientTest, AnswersSeveralRealmsOfOneResponse) {
  ASSERT_TRUE(client.authorize(
      challenge({"Digest realm=\"a\", nonce=\"1\"", "Digest realm=\"b\", nonce=\"2\""}, 407),
      request));
  EXPECT_EQ(request.count(HeaderName::proxy_authorization), 2U);
}

TEST_F(DigestClientTest, DoesNotCollectRealmsWithoutEnd) {
  for (int i = 0; i < 100; ++i) {
    Message fresh = Message::request(Method::invite, "sip:a");
    ASSERT_TRUE(client.authorize(
        challenge({"Digest nonce=\"n\", realm=\"" + std::to_string(i) + "\""}), fresh));
  }
  client.preload(request);
  EXPECT_EQ(request.count(HeaderName::authorization), 8U);
}

}  // namespace
}  // namespace trunkline::sip
