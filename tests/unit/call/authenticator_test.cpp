#include "call/authenticator.hpp"

#include "sip/endpoint.hpp"
#include "sip/header.hpp"

#include <gmock/gmock.h>
#include <variant>

namespace trunkline::call {
namespace {

using sip::HeaderName;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kDomain = "example.test";

class AuthenticatorTest : public testing::Test {
 protected:
  static sip::Message request() {
    sip::Message message = sip::Message::request(sip::Method::register_, "sip:example.test");
    message.add(HeaderName::via, "SIP/2.0/WS x.invalid;branch=z9hG4bK1");
    message.add(HeaderName::from, "<sip:alice@example.test>;tag=a");
    message.add(HeaderName::to, "<sip:alice@example.test>");
    message.add(HeaderName::call_id, "call-1");
    message.add(HeaderName::cseq, "1 REGISTER");
    return message;
  }

  Authenticator::Decision authenticate(const sip::Message& message) {
    return authenticate(authenticator_, message);
  }
  Authenticator::Decision authenticate(Authenticator& by, const sip::Message& message) {
    observations_.clear();
    return by.authenticate(message, "to-tag", moment_, observations_, "192.0.2.1:4000");
  }
  /// A request that answers a fresh challenge.
  sip::Message answered(std::string user, std::string password) {
    sip::DigestClient client(std::move(user), std::move(password), random_);
    sip::Message message = request();
    EXPECT_TRUE(client.authorize(*authenticate(request()).response, message));
    return message;
  }
  AuthenticationResult observed() const {
    EXPECT_EQ(observations_.size(), 1u);
    return std::get<AuthenticationResult>(observations_.at(0));
  }
  static std::string challenge_of(const Authenticator::Decision& decision) {
    if (!decision.response) return "no response";
    return std::string(
        decision.response->header(HeaderName::www_authenticate).value_or("no challenge"));
  }
  void pass(seconds time) {
    moment_.now += time;
    moment_.wall += time;
  }

  SeededRandom random_{1};
  Authenticator authenticator_{
      std::string(kDomain), {{"alice", "secret-a"}, {"bob", "secret-b"}}, "key", random_};
  Moment moment_{TimePoint{seconds{1000}},
                 std::chrono::system_clock::time_point{seconds{1800000000}}};
  std::vector<Observation> observations_;
};

// RFC 3261 §22.2: 401, with our realm and qop [challenge]
TEST_F(AuthenticatorTest, ChallengesARequestWithoutCredentials) {
  const auto decision = authenticate(request());
  EXPECT_EQ(decision.user, "");
  ASSERT_TRUE(decision.response);
  EXPECT_EQ(decision.response->status(), 401);
  EXPECT_EQ(sip::to_of(*decision.response).tag(), "to-tag");
  const auto challenge = sip::DigestChallenge::parse(challenge_of(decision));
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->realm, kDomain);
  EXPECT_TRUE(challenge->qop_auth);
  EXPECT_FALSE(challenge->stale);
  EXPECT_EQ(observed().result, "challenge");
  EXPECT_EQ(observed().source, "192.0.2.1:4000");
}

/// What the algorithms of the challenges are, in their order.
std::vector<std::string> offered(const Authenticator::Decision& decision) {
  std::vector<std::string> algorithms;
  if (!decision.response) return algorithms;
  for (const auto value : decision.response->headers(HeaderName::www_authenticate)) {
    const auto challenge = sip::DigestChallenge::parse(value);
    const bool md5 = challenge && challenge->algorithm == sip::DigestAlgorithm::md5;
    algorithms.emplace_back(md5 ? "MD5" : "SHA-256");
  }
  return algorithms;
}

// RFC 8760 §2.3: SHA-256 first; JsSIP and SIP.js know MD5, and read the last [algorithms-offered]
TEST_F(AuthenticatorTest, OffersBothAlgorithmsTheBetterOneFirst) {
  EXPECT_THAT(offered(authenticate(request())), testing::ElementsAre("SHA-256", "MD5"));
}

// RFC 8760 §2.4: whichever is answered is taken [algorithms-offered]
TEST_F(AuthenticatorTest, TakesEitherAlgorithm) {
  for (const std::size_t answered : {0u, 1u}) {
    const auto challenge = authenticate(request());
    ASSERT_TRUE(challenge.response);
    const std::string chosen(
        challenge.response->headers(HeaderName::www_authenticate).at(answered));
    sip::Message only = sip::make_response(request(), 401, "t");
    only.add(HeaderName::www_authenticate, chosen);
    sip::DigestClient client("alice", "secret-a", random_);
    sip::Message message = request();
    ASSERT_TRUE(client.authorize(only, message));
    EXPECT_EQ(authenticate(message).user, "alice") << chosen;
    EXPECT_EQ(authenticate(message).user, "") << "once";
  }
}

/// Credentials made with this algorithm for a challenge of this authenticator's.
sip::Message credentials_with(Authenticator& authenticator, sip::DigestAlgorithm algorithm,
                              sip::Message message, Moment at, Random& random,
                              const std::string& password = "secret-a") {
  auto challenge = *sip::DigestChallenge::parse(
      *authenticator.challenge(message, "t", at, false).header(HeaderName::www_authenticate));
  challenge.algorithm = algorithm;
  sip::Message only = sip::make_response(message, 401, "t");
  only.add(HeaderName::www_authenticate, challenge.text());
  sip::DigestClient client("alice", password, random);
  EXPECT_TRUE(client.authorize(only, message));
  return message;
}

// RFC 8760 §2.4: nobody makes the credentials weaker than what is offered [algorithms-offered]
TEST_F(AuthenticatorTest, AnAlgorithmThatIsSwitchedOffIsNotTaken) {
  using sip::DigestAlgorithm;
  Authenticator strict(std::string(kDomain), {{"alice", "secret-a"}}, "key", random_, nullptr,
                       false, {DigestAlgorithm::sha256});
  EXPECT_THAT(offered(authenticate(strict, request())), testing::ElementsAre("SHA-256"));
  const auto with = [&](DigestAlgorithm algorithm) {
    return authenticate(strict, credentials_with(strict, algorithm, request(), moment_, random_));
  };
  EXPECT_EQ(with(DigestAlgorithm::sha256).user, "alice");
  const auto weak = with(DigestAlgorithm::md5);
  EXPECT_EQ(weak.user, "");
  EXPECT_EQ(observed().result, "bad");
  EXPECT_THAT(offered(weak), testing::ElementsAre("SHA-256"));
}

TEST_F(AuthenticatorTest, AUserMayHaveAlgorithmsOfItsOwn) {
  using sip::DigestAlgorithm;
  Authenticator strict(std::string(kDomain),
                       {{"alice", "secret-a", {}, {DigestAlgorithm::sha256}}, {"bob", "secret-b"}},
                       "key", random_);
  EXPECT_THAT(offered(authenticate(strict, request())), testing::ElementsAre("SHA-256"));
  auto of_bob = request();
  of_bob.set(HeaderName::from, "<sip:bob@example.test>;tag=b");
  EXPECT_THAT(offered(authenticate(strict, of_bob)), testing::ElementsAre("SHA-256", "MD5"));
  // Whoever From says it is: the credentials say whose they are.
  EXPECT_EQ(
      authenticate(strict, credentials_with(strict, DigestAlgorithm::md5, of_bob, moment_, random_))
          .user,
      "");
  EXPECT_EQ(authenticate(strict, credentials_with(strict, DigestAlgorithm::sha256, request(),
                                                  moment_, random_))
                .user,
            "alice");
}

// The policy service gives an HA1, which is one of MD5: its users are asked for nothing else.
TEST_F(AuthenticatorTest, UsersOfThePolicyServiceAreAskedForMd5Alone) {
  using sip::DigestAlgorithm;
  Authenticator strict(std::string(kDomain), {{"bob", "secret-b"}}, "key", random_, nullptr, true);
  EXPECT_THAT(offered(authenticate(strict, request())), testing::ElementsAre("MD5"));
  const auto better = authenticate(
      strict, credentials_with(strict, DigestAlgorithm::sha256, request(), moment_, random_));
  EXPECT_EQ(better.ask, "") << "no answer could decide it";
  EXPECT_THAT(offered(better), testing::ElementsAre("MD5"));
  const auto asked = authenticate(
      strict, credentials_with(strict, DigestAlgorithm::md5, request(), moment_, random_));
  EXPECT_EQ(asked.ask, "alice");
}

TEST_F(AuthenticatorTest, AcceptsTheRightPassword) {
  const auto decision = authenticate(answered("alice", "secret-a"));
  EXPECT_EQ(decision.user, "alice");
  EXPECT_FALSE(decision.response);
  EXPECT_EQ(observed().result, "ok");
  EXPECT_EQ(observed().user, "alice");
}

TEST_F(AuthenticatorTest, AcceptsAUserNameWithTheDomain) {
  EXPECT_EQ(authenticate(answered("alice@example.test", "secret-a")).user, "alice");
}

TEST_F(AuthenticatorTest, DoesNotTakeAUserOfAnotherDomainForOneOfOurs) {
  const auto decision = authenticate(answered("alice@other.test", "secret-a"));
  EXPECT_TRUE(decision.response);
  EXPECT_EQ(observed().result, "unknown_user");
}

TEST_F(AuthenticatorTest, ChallengesAfreshAfterAWrongPassword) {
  const auto decision = authenticate(answered("alice", "secret-b"));
  ASSERT_TRUE(decision.response);
  EXPECT_EQ(decision.user, "");
  EXPECT_EQ(decision.response->status(), 401);
  EXPECT_THAT(challenge_of(decision), Not(HasSubstr("stale")));
  EXPECT_EQ(observed().result, "bad");
}

// RFC 3261 §22.4: an unknown user looks like a wrong password [enumeration]
TEST_F(AuthenticatorTest, AnUnknownUserGetsTheSameAnswerAsAWrongPassword) {
  const auto unknown = authenticate(answered("mallory", "secret-a"));
  EXPECT_EQ(observed().result, "unknown_user");
  const auto wrong = authenticate(answered("alice", "wrong"));
  ASSERT_TRUE(unknown.response && wrong.response);
  // All but the nonce, which is fresh in each.
  sip::Message one = *unknown.response, other = *wrong.response;
  EXPECT_NE(challenge_of(unknown), challenge_of(wrong));
  EXPECT_EQ(challenge_of(unknown).size(), challenge_of(wrong).size());
  one.remove(HeaderName::www_authenticate);
  other.remove(HeaderName::www_authenticate);
  EXPECT_EQ(one.serialize(), other.serialize());
}

TEST_F(AuthenticatorTest, AnUnknownUserWithAnEmptyPasswordIsNotLetIn) {
  EXPECT_EQ(authenticate(answered("mallory", "")).user, "");
}

// RFC 7616 §3.3: an old nonce is stale [nonce]
TEST_F(AuthenticatorTest, AnExpiredNonceIsStale) {
  const auto message = answered("alice", "secret-a");
  pass(seconds{3600});
  const auto decision = authenticate(message);
  EXPECT_EQ(decision.user, "");
  EXPECT_THAT(challenge_of(decision), HasSubstr("stale=true"));
  EXPECT_EQ(observed().result, "stale");
}

// RFC 7616 §3.4: a replay is challenged again [nonce-count]
TEST_F(AuthenticatorTest, AReplayedRequestIsChallengedWithoutStale) {
  const auto message = answered("alice", "secret-a");
  EXPECT_EQ(authenticate(message).user, "alice");
  const auto decision = authenticate(message);
  EXPECT_EQ(decision.user, "");
  EXPECT_EQ(decision.response->status(), 401);
  EXPECT_THAT(challenge_of(decision), Not(HasSubstr("stale")));
  EXPECT_EQ(observed().result, "replay");
}

// RFC 7616 §3.4: a nonce serves several requests [nonce-count]
TEST_F(AuthenticatorTest, ANonceServesSeveralRequestsWhoseCountRises) {
  sip::DigestClient client("alice", "secret-a", random_);
  sip::Message first = request();
  ASSERT_TRUE(client.authorize(*authenticate(request()).response, first));
  EXPECT_EQ(authenticate(first).user, "alice");
  sip::Message second = request();
  client.preload(second);
  EXPECT_EQ(authenticate(second).user, "alice");
}

TEST_F(AuthenticatorTest, CredentialsForAnotherMethodAreWrong) {
  const auto registration = answered("alice", "secret-a");
  sip::Message invite = sip::Message::request(sip::Method::invite, "sip:bob@example.test");
  for (const auto name : {HeaderName::via, HeaderName::from, HeaderName::to, HeaderName::call_id,
                          HeaderName::authorization}) {
    invite.add(name, *registration.header(name));
  }
  invite.add(HeaderName::cseq, "2 INVITE");
  EXPECT_EQ(authenticate(invite).user, "");
  EXPECT_EQ(observed().result, "bad");
}

TEST_F(AuthenticatorTest, CredentialsForAnotherRealmAreNone) {
  auto message = request();
  message.add(HeaderName::authorization,
              "Digest username=\"alice\", realm=\"other.test\", nonce=\"n\", uri=\"sip:x\", "
              "response=\"r\"");
  EXPECT_THAT(challenge_of(authenticate(message)), HasSubstr("realm=\"example.test\""));
  EXPECT_EQ(observed().result, "challenge");
}

// RFC 3261 §22.3: credentials of our realm are found behind others
TEST_F(AuthenticatorTest, CredentialsForUsAreFoundBehindOthers) {
  const auto good = answered("alice", "secret-a");
  auto message = request();
  message.add(HeaderName::authorization,
              "Digest username=\"alice\", realm=\"other.test\", nonce=\"n\", uri=\"sip:x\", "
              "response=\"r\"");
  message.add(HeaderName::authorization, *good.header(HeaderName::authorization));
  EXPECT_EQ(authenticate(message).user, "alice");
}

TEST_F(AuthenticatorTest, AnUnknownSchemeIsNoCredentials) {
  auto message = request();
  message.add(HeaderName::authorization, "NoOneKnowsThisScheme opaque-data=here");
  const auto decision = authenticate(message);
  ASSERT_TRUE(decision.response);
  EXPECT_EQ(decision.response->status(), 401);
  EXPECT_EQ(observed().result, "challenge");
}

TEST_F(AuthenticatorTest, AnUnknownAlgorithmIsNoCredentials) {
  auto message = request();
  message.add(HeaderName::authorization,
              "Digest username=\"alice\", realm=\"example.test\", nonce=\"n\", uri=\"sip:x\", "
              "response=\"r\", "
              "algorithm=MD9");
  EXPECT_TRUE(authenticate(message).response);
  EXPECT_EQ(observed().result, "challenge");
}

TEST_F(AuthenticatorTest, AForgedNonceIsNotAccepted) {
  auto message = request();
  sip::DigestClient client("alice", "secret-a", random_);
  sip::Message forged = sip::Message::response(401);
  forged.add(HeaderName::www_authenticate,
             "Digest realm=\"example.test\", nonce=\"forged\", qop=\"auth\"");
  ASSERT_TRUE(client.authorize(forged, message));
  EXPECT_EQ(authenticate(message).user, "");
}

TEST_F(AuthenticatorTest, ReplicasWithOneSecretAcceptEachOthersChallenges) {
  SeededRandom other_random(2);
  Authenticator other(std::string(kDomain), {{"alice", "secret-a"}}, "key", other_random);
  const auto message = answered("alice", "secret-a");
  EXPECT_EQ(other.authenticate(message, "t", moment_, observations_, "").user, "alice");
}

TEST_F(AuthenticatorTest, WithoutASecretEachMakesItsOwn) {
  SeededRandom one_random(3), other_random(4);
  Authenticator one(std::string(kDomain), {{"alice", "secret-a"}}, "", one_random);
  Authenticator other(std::string(kDomain), {{"alice", "secret-a"}}, "", other_random);
  const auto challenge = one.authenticate(request(), "t", moment_, observations_, "");
  sip::DigestClient client("alice", "secret-a", random_);
  sip::Message message = request();
  ASSERT_TRUE(client.authorize(*challenge.response, message));
  EXPECT_EQ(other.authenticate(message, "t", moment_, observations_, "").user, "");
  EXPECT_EQ(one.authenticate(message, "t", moment_, observations_, "").user, "alice");
}

TEST_F(AuthenticatorTest, ObservesABoundedPartOfAMadeUpName) {
  authenticate(answered(std::string(4000, 'x'), "p"));
  EXPECT_EQ(observed().user, std::string(64, 'x'));
}

TEST_F(AuthenticatorTest, KnowsItsUsers) {
  EXPECT_TRUE(authenticator_.is_user("alice"));
  EXPECT_FALSE(authenticator_.is_user("Alice"));
  EXPECT_FALSE(authenticator_.is_user("mallory"));
}

}  // namespace
}  // namespace trunkline::call
