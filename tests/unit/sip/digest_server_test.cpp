#include "sip/digest.hpp"

#include <gtest/gtest.h>
#include <set>
#include <string>

namespace trunkline::sip {
namespace {

using Verdict = DigestServer::Verdict;

constexpr std::int64_t kNow = 1'700'000'000;
constexpr std::string_view kRealm = "example.test";

class DigestServerTest : public ::testing::Test {
 protected:
  static DigestServer::Settings settings(std::size_t entries = 100) {
    return {.secret = "secret of the server",
            .nonce_lifetime = seconds(300),
            .nonce_count_entries = entries};
  }

  static std::string ha1(DigestAlgorithm algorithm = DigestAlgorithm::md5) {
    return digest_ha1(algorithm, "alice", kRealm, "password");
  }

  std::string nonce(std::int64_t wall = kNow) {
    return server.challenge(kRealm, DigestAlgorithm::md5, false, wall).nonce;
  }

  static DigestCredentials answer(const std::string& nonce, std::string_view nc = "00000001",
                                  DigestAlgorithm algorithm = DigestAlgorithm::md5) {
    DigestCredentials credentials;
    credentials.username = "alice";
    credentials.realm = kRealm;
    credentials.nonce = nonce;
    credentials.uri = "sip:example.test";
    credentials.algorithm = algorithm;
    if (!nc.empty()) {
      credentials.qop_auth = true;
      credentials.nc = nc;
      credentials.cnonce = "c";
    }
    credentials.response = digest_response(credentials, ha1(algorithm), "REGISTER");
    return credentials;
  }

  Verdict verify(const DigestCredentials& credentials, std::int64_t wall = kNow) {
    return server.verify(credentials, "REGISTER", "", ha1(), wall);
  }

  SeededRandom random{1};
  DigestServer server{settings(), random};
};

TEST_F(DigestServerTest, ChallengesWithWhatItWasAsked) {
  const DigestChallenge challenge = server.challenge(kRealm, DigestAlgorithm::sha256, true, kNow);
  EXPECT_EQ(challenge.realm, kRealm);
  EXPECT_EQ(challenge.algorithm, DigestAlgorithm::sha256);
  EXPECT_TRUE(challenge.qop_auth);
  EXPECT_TRUE(challenge.stale);
}

// RFC 7616 §3.3: no two nonces are the same [nonce]
TEST_F(DigestServerTest, NoTwoNoncesAreTheSame) {
  std::set<std::string> nonces;
  for (int i = 0; i < 100; ++i)
    nonces.insert(nonce());
  EXPECT_EQ(nonces.size(), 100U);
}

TEST_F(DigestServerTest, TakesTheRightAnswer) {
  EXPECT_EQ(verify(answer(nonce())), Verdict::ok);
}

TEST_F(DigestServerTest, TakesSha256) {
  const auto credentials = answer(nonce(), "00000001", DigestAlgorithm::sha256);
  EXPECT_EQ(server.verify(credentials, "REGISTER", "", ha1(DigestAlgorithm::sha256), kNow),
            Verdict::ok);
}

TEST_F(DigestServerTest, TakesAnAnswerInUpperCase) {
  DigestCredentials credentials = answer(nonce());
  for (char& c : credentials.response)
    c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(verify(credentials), Verdict::ok);
}

TEST_F(DigestServerTest, RefusesAWrongPassword) {
  const std::string other = digest_ha1(DigestAlgorithm::md5, "alice", kRealm, "guess");
  EXPECT_EQ(server.verify(answer(nonce()), "REGISTER", "", other, kNow), Verdict::wrong);
}

TEST_F(DigestServerTest, RefusesAnotherMethod) {
  EXPECT_EQ(server.verify(answer(nonce()), "INVITE", "", ha1(), kNow), Verdict::wrong);
}

TEST_F(DigestServerTest, RefusesChangedCredentials) {
  DigestCredentials credentials = answer(nonce());
  credentials.uri = "sip:other.test";
  EXPECT_EQ(verify(credentials), Verdict::wrong);
}

TEST_F(DigestServerTest, RefusesAnUnknownAlgorithm) {
  DigestCredentials credentials = answer(nonce());
  credentials.unknown_algorithm = true;
  EXPECT_EQ(verify(credentials), Verdict::wrong);
}

TEST_F(DigestServerTest, AnEmptyHashOpensNothing) {
  DigestCredentials credentials = answer(nonce());
  credentials.response = "";
  EXPECT_EQ(verify(credentials), Verdict::no_credentials);
}

TEST_F(DigestServerTest, TellsItsCallerOfAnUnknownUser) {
  EXPECT_EQ(server.verify(answer(nonce()), "REGISTER", "", std::nullopt, kNow),
            Verdict::unknown_user);
}

// RFC 7616 §3.3: a nonce grows stale [nonce]
TEST_F(DigestServerTest, ANonceGrowsStale) {
  const std::string old = nonce();
  EXPECT_EQ(verify(answer(old, "00000001"), kNow + 300), Verdict::ok);
  EXPECT_EQ(verify(answer(old, "00000002"), kNow + 301), Verdict::stale);
}

TEST_F(DigestServerTest, ANonceFromTheFutureIsStale) {
  EXPECT_EQ(verify(answer(nonce(kNow + 30)), kNow), Verdict::ok);
  EXPECT_EQ(verify(answer(nonce(kNow + 31)), kNow), Verdict::stale);
}

// RFC 7616 §3.3: stale only with the right password [nonce]
TEST_F(DigestServerTest, AForeignNonceIsStaleOnlyWithTheRightPassword) {
  DigestServer other({.secret = "another secret"}, random);
  const std::string foreign = other.challenge(kRealm, DigestAlgorithm::md5, false, kNow).nonce;
  EXPECT_EQ(verify(answer(foreign)), Verdict::stale);
  EXPECT_EQ(verify(answer("short")), Verdict::stale);
  DigestCredentials wrong = answer(foreign);
  wrong.response.front() = wrong.response.front() == '0' ? '1' : '0';
  EXPECT_EQ(verify(wrong), Verdict::wrong);
}

// RFC 7616 §3.3: a nonce is bound to its realm [nonce]
TEST_F(DigestServerTest, ANonceIsBoundToItsRealm) {
  const std::string other = server.challenge("other.test", DigestAlgorithm::md5, false, kNow).nonce;
  EXPECT_EQ(verify(answer(other)), Verdict::stale);
}

TEST_F(DigestServerTest, AChangedTimeStampIsNoticed) {
  std::string forged = nonce();
  forged[15] = forged[15] == '0' ? '1' : '0';
  EXPECT_EQ(verify(answer(forged)), Verdict::stale);
}

TEST_F(DigestServerTest, AReplicaWithTheSameSecretTakesItsNonces) {
  DigestServer replica(settings(), random);
  EXPECT_EQ(replica.verify(answer(nonce(), "00000005"), "REGISTER", "", ha1(), kNow), Verdict::ok);
}

// RFC 7616 §3.4: the same count is taken once [nonce-count]
TEST_F(DigestServerTest, ARequestIsTakenOnce) {
  const DigestCredentials credentials = answer(nonce());
  EXPECT_EQ(verify(credentials), Verdict::ok);
  EXPECT_EQ(verify(credentials), Verdict::replayed);
}

// RFC 7616 §3.4: counts may overtake each other [nonce-count]
// RFC 7616 §3.4: several requests with one nonce are no attack [race-nonce-reuse]
TEST_F(DigestServerTest, NonceCountsMayOvertakeEachOther) {
  const std::string one = nonce();
  EXPECT_EQ(verify(answer(one, "00000003")), Verdict::ok);
  EXPECT_EQ(verify(answer(one, "00000001")), Verdict::ok);
  EXPECT_EQ(verify(answer(one, "00000002")), Verdict::ok);
  EXPECT_EQ(verify(answer(one, "00000001")), Verdict::replayed);
  EXPECT_EQ(verify(answer(one, "00000004")), Verdict::ok);
}

// RFC 7616 §3.4: a count far behind is a replay [nonce-count]
TEST_F(DigestServerTest, ANonceCountBelowTheWindowIsAReplay) {
  const std::string one = nonce();
  EXPECT_EQ(verify(answer(one, "00000041")), Verdict::ok);
  EXPECT_EQ(verify(answer(one, "00000002")), Verdict::ok);
  EXPECT_EQ(verify(answer(one, "00000001")), Verdict::replayed);
}

TEST_F(DigestServerTest, AJumpOfTheNonceCountForgetsTheWindow) {
  const std::string one = nonce();
  EXPECT_EQ(verify(answer(one, "00000001")), Verdict::ok);
  EXPECT_EQ(verify(answer(one, "ffffffff")), Verdict::ok);
  EXPECT_EQ(verify(answer(one, "00000002")), Verdict::replayed);
}

TEST_F(DigestServerTest, ABadNonceCountIsAReplay) {
  for (std::string_view count : {"00000000", "0000000g", "100000000", "-1"}) {
    EXPECT_EQ(verify(answer(nonce(), count)), Verdict::replayed) << count;
  }
}

TEST_F(DigestServerTest, WithoutQopANonceServesOnce) {
  const std::string one = nonce();
  EXPECT_EQ(verify(answer(one, "")), Verdict::ok);
  EXPECT_EQ(verify(answer(one, "")), Verdict::replayed);
  EXPECT_EQ(verify(answer(one, "00000001")), Verdict::replayed);
}

TEST_F(DigestServerTest, AForgottenNonceIsNotTakenAgain) {
  DigestServer small(settings(2), random);
  std::vector<DigestCredentials> answers;
  for (std::int64_t i = 0; i < 3; ++i) {
    answers.push_back(answer(small.challenge(kRealm, DigestAlgorithm::md5, false, kNow + i).nonce));
    EXPECT_EQ(small.verify(answers.back(), "REGISTER", "", ha1(), kNow + i), Verdict::ok);
  }
  EXPECT_EQ(small.verify(answers[0], "REGISTER", "", ha1(), kNow + 3), Verdict::stale);
  EXPECT_EQ(small.verify(answers[1], "REGISTER", "", ha1(), kNow + 3), Verdict::replayed);
  EXPECT_EQ(small.verify(answers[2], "REGISTER", "", ha1(), kNow + 3), Verdict::replayed);
}

TEST_F(DigestServerTest, ExpiredNoncesMakeRoomWithoutHarm) {
  DigestServer small(settings(1), random);
  const auto first = answer(small.challenge(kRealm, DigestAlgorithm::md5, false, kNow).nonce);
  const std::string unused = small.challenge(kRealm, DigestAlgorithm::md5, false, kNow).nonce;
  EXPECT_EQ(small.verify(first, "REGISTER", "", ha1(), kNow), Verdict::ok);
  const std::int64_t later = kNow + 301;
  const auto second = answer(small.challenge(kRealm, DigestAlgorithm::md5, false, later).nonce);
  EXPECT_EQ(small.verify(second, "REGISTER", "", ha1(), later), Verdict::ok);
  EXPECT_EQ(small.verify(answer(unused), "REGISTER", "", ha1(), kNow + 300), Verdict::ok);
}

}  // namespace
}  // namespace trunkline::sip
