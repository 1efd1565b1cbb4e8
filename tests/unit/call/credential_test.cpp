#include "call/credentials.hpp"

#include "simulation.hpp"
#include <gmock/gmock.h>

// Short-lived credentials: made by the API, taken by every replica until they end.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;

struct CredentialTest : testing::Test {
  World world;

  void SetUp() override {
    world.settings.credentials.secret = "shared by all";
    world.restart();
  }
  Credential make(Duration ttl, const std::string& user = "carol") {
    const auto made = world.reply<Credential>(world.ask(CreateCredential{user, ttl}));
    EXPECT_TRUE(made);
    return made.value_or(Credential{});
  }
  std::string refused(const std::string& user, Duration ttl) {
    const auto refusal = world.reply<Refusal>(world.ask(CreateCredential{user, ttl}));
    return refusal ? refusal->field : "not refused";
  }
  /// The status of a REGISTER for `user` with these credentials.
  int registers(Peer& peer, const std::string& user, const Credential& with) {
    auto request = sip::Message::request(Method::register_, "sip:example.test");
    const std::string aor = "<" + sip::Uri::sip(user, "example.test").text() + ">";
    request.add(HeaderName::max_forwards, "69");
    request.add(HeaderName::from, aor + ";tag=r1");
    request.add(HeaderName::to, aor);
    request.add(HeaderName::call_id, "reg-" + std::to_string(++calls_));
    request.add(HeaderName::cseq, "1 REGISTER");
    request.add(HeaderName::contact, "<sip:x@abc.invalid;transport=ws>;expires=600");
    const auto sent =
        world.answer_challenge(peer, peer.send(std::move(request)), with.username, with.password);
    const auto response = peer.take_response(200, sent);
    return response ? response->response.status() : 0;
  }
  int calls_ = 0;
};

TEST_F(CredentialTest, RegistersAsAUserWhomNoListNames) {
  const Credential made = make(seconds{60});
  EXPECT_EQ(made.expires,
            (std::chrono::system_clock::time_point{world.now.time_since_epoch()} + seconds{60}));
  Peer& carol = world.browser("carol");
  EXPECT_EQ(registers(carol, "carol", made), 200);
  const auto bound = world.reply<Registrations>(world.ask(ListRegistrations{"carol"}));
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->all.size(), 1U);
}

TEST_F(CredentialTest, IsMadeOfCharactersThatNeedNoQuoting) {
  for (const std::string user : {"carol", "ca \"rol\"@:;", "каролина", "a"}) {
    const Credential made = make(seconds{60}, user);
    EXPECT_THAT(made.username, testing::MatchesRegex("[0-9]+\\.[A-Za-z0-9_-]+"));
    EXPECT_THAT(made.password, testing::MatchesRegex("[A-Za-z0-9_-]{43}"));
    EXPECT_EQ(registers(world.browser(user), user, made), 200) << user;
  }
}

// RFC 3261 §26.3.2.1: a credential speaks for its user only [from-is-user]
TEST_F(CredentialTest, SpeaksForItsUserOnly) {
  EXPECT_EQ(registers(world.browser("alice"), "alice", make(seconds{60})), 403);
}

TEST_F(CredentialTest, IsTakenByEveryReplicaWithTheSameSecretAndNoOther) {
  const Credential made = make(seconds{60});
  world.restart();
  EXPECT_EQ(registers(world.browser("carol"), "carol", made), 200);
  world.settings.credentials.secret = "another";
  world.restart();
  EXPECT_EQ(registers(world.browser("carol"), "carol", made), 401);
  world.settings.credentials.secret = "";
  world.restart();
  EXPECT_EQ(registers(world.browser("carol"), "carol", make(seconds{60})), 200) << "one is made";
}

TEST_F(CredentialTest, IsRefusedAfterItsTime) {
  const Credential made = make(seconds{60});
  Peer& carol = world.browser("carol");
  world.pass(seconds{59});
  EXPECT_EQ(registers(carol, "carol", made), 200);
  world.pass(seconds{1});
  EXPECT_EQ(registers(carol, "carol", made), 401);
  EXPECT_EQ(world.observed<AuthenticationResult>().back().result, "bad");
}

TEST_F(CredentialTest, CannotBeProlongedOrGivenToAnother) {
  Credential forged = make(seconds{60});
  forged.username = Credentials::username("carol", 99999999999);
  EXPECT_EQ(registers(world.browser("carol"), "carol", forged), 401);
  forged.username = Credentials::username("alice", 1060);
  EXPECT_EQ(registers(world.browser("alice"), "alice", forged), 401);
}

TEST_F(CredentialTest, LastsAsLongAsTheConfigurationAllows) {
  world.settings.credentials.max_ttl = std::chrono::hours{1};
  world.restart();
  EXPECT_EQ(make({}).expires - make(seconds{60}).expires, seconds{3540});
  EXPECT_EQ(make(std::chrono::hours{2}).expires, make({}).expires) << "the maximum, not more";
  EXPECT_EQ(refused("carol", seconds{-1}), "ttl");
  EXPECT_EQ(refused("", seconds{1}), "user");
  EXPECT_EQ(refused("a\nb", seconds{1}), "user");
  EXPECT_EQ(refused(std::string(129, 'a'), seconds{1}), "user");
}

TEST_F(CredentialTest, ItsUserIsCalledByOtherUsersOnceItIsRegistered) {
  Peer& alice = world.registered("alice");
  Peer& carol = world.browser("carol");
  const auto dial = [&] {
    const auto call =
        world.answer_challenge(alice, alice.invite("carol", "alice", kBrowserOffer), "alice");
    if (const auto invite = carol.take_request(Method::invite)) carol.respond(*invite, 486);
    world.settle();
    return alice.take_response(300, call)->response.status();
  };
  EXPECT_EQ(dial(), 404);
  EXPECT_EQ(registers(carol, "carol", make(seconds{60})), 200);
  EXPECT_EQ(dial(), 486);
}

TEST_F(CredentialTest, ItsUserCallsAsItself) {
  Peer& carol = world.browser("carol");
  const Credential made = make(seconds{60});
  const auto call = world.answer_challenge(carol, carol.invite("5551000", "carol", kBrowserOffer),
                                           made.username, made.password);
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(sip::from_of(invite->request).uri.user, "carol");
  world.trunk().respond(*invite, 486);
  world.settle();
  EXPECT_TRUE(carol.take_response(486, call));
  world.expect_nothing_left();
}

TEST(CredentialName, IsReadStrictly) {
  const Credentials credentials("secret");
  const auto claim = credentials.read(Credentials::username("carol", 1700000000));
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->user, "carol");
  EXPECT_EQ(claim->expires, 1700000000);
  for (const std::string_view bad : {"", ".", "1.", "1", ".YQ", "x.YQ", "1x.YQ", "1.YQ==", "1.Y!",
                                     "1.YR", "alice", "99999999999999999999.YQ"})
    EXPECT_FALSE(credentials.read(bad)) << bad;
  EXPECT_FALSE(credentials.read("1." + std::string(600, 'A')));
  EXPECT_FALSE(Credentials("").read("1.YQ"));
}

}  // namespace
}  // namespace trunkline::call::simulation
