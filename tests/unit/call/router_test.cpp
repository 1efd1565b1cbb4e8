#include "call/router.hpp"

#include <gmock/gmock.h>

namespace trunkline::call {
namespace {

using testing::HasSubstr;
using Kind = Destination::Kind;

const Caller kAlice{Caller::Kind::user, "alice"};
const Caller kCarrier{Caller::Kind::trunk, "carrier"};
const Caller kBackup{Caller::Kind::trunk, "backup"};
const Caller kApi{Caller::Kind::api, ""};

Result<Router> make(const std::vector<RouteSettings>& routes) {
  TrunkSettings carrier, backup;
  carrier.name = "carrier";
  backup.name = "backup";
  return Router::make(routes, {{"alice", "a"}, {"bob", "b"}}, {carrier, backup});
}

std::string error_of(const RouteSettings& route) {
  const auto router = make({route});
  return router ? "no error" : router.error().message;
}

class RouterTest : public testing::Test {
 protected:
  /// "user:alice", "trunk:carrier", "service:echo" or "none".
  std::string route(const std::vector<RouteSettings>& routes, const Caller& caller,
                    std::string_view dialled) {
    auto router = make(routes);
    EXPECT_TRUE(router) << router.error().message;
    if (!router) return "no router";
    decision_ = router->route(caller, dialled);
    switch (decision_.destination.kind) {
      case Kind::none:
        return "none";
      case Kind::user:
        return "user:" + decision_.destination.name;
      case Kind::trunk:
        return "trunk:" + decision_.destination.name;
      case Kind::service:
        return "service:" + decision_.destination.name;
    }
    return "?";
  }
  RouteDecision decision_;
};

TEST_F(RouterTest, TheFirstRuleThatMatchesWins) {
  const std::vector<RouteSettings> routes = {{"user", "^1", "trunk:carrier"},
                                             {"user", "^12", "trunk:backup"}};
  EXPECT_EQ(route(routes, kAlice, "12"), "trunk:carrier");
  EXPECT_EQ(decision_.steps.size(), 1u);
}

TEST_F(RouterTest, FromUserTakesUsersOnly) {
  const std::vector<RouteSettings> routes = {{"user", "^5", "trunk:carrier"}};
  EXPECT_EQ(route(routes, kAlice, "5"), "trunk:carrier");
  EXPECT_EQ(route(routes, kCarrier, "5"), "none");
  EXPECT_EQ(route(routes, kApi, "5"), "none");
}

TEST_F(RouterTest, FromTrunkTakesThatTrunkOnly) {
  const std::vector<RouteSettings> routes = {{"trunk:carrier", "^5", "user:alice"}};
  EXPECT_EQ(route(routes, kCarrier, "5"), "user:alice");
  EXPECT_EQ(route(routes, kBackup, "5"), "none");
  EXPECT_EQ(route(routes, {Caller::Kind::user, "carrier"}, "5"), "none");
}

TEST_F(RouterTest, FromAnyTakesUserTrunkAndApi) {
  const std::vector<RouteSettings> routes = {{"any", "^echo$", "service:echo"}};
  for (const Caller& caller : {kAlice, kCarrier, kApi})
    EXPECT_EQ(route(routes, caller, "echo"), "service:echo");
}

TEST_F(RouterTest, CapturesFillTheTarget) {
  const std::vector<RouteSettings> routes = {{"any", "^9(\\w+)-(\\w+)$", "user:\\2.\\1"}};
  EXPECT_EQ(route(routes, kCarrier, "9one-two"), "user:two.one");
}

TEST_F(RouterTest, NineCapturesCanBeUsed) {
  const std::vector<RouteSettings> routes = {
      {"any", "^(.)(.)(.)(.)(.)(.)(.)(.)(.)$", "user:\\9\\8\\7\\6\\5\\4\\3\\2\\1"}};
  EXPECT_EQ(route(routes, kApi, "123456789"), "user:987654321");
}

TEST_F(RouterTest, ACapturedTrunkMustExist) {
  const std::vector<RouteSettings> routes = {{"user", "^to-(.*)$", "trunk:\\1"},
                                             {"user", "", "service:echo"}};
  EXPECT_EQ(route(routes, kAlice, "to-backup"), "trunk:backup");
  EXPECT_EQ(route(routes, kAlice, "to-nowhere"), "none");
  EXPECT_THAT(decision_.steps.back().why, HasSubstr("there is no trunk 'nowhere'"));
}

TEST_F(RouterTest, AnEmptyCaptureLeavesNoDestination) {
  EXPECT_EQ(route({{"user", "^x(.*)$", "user:\\1"}}, kAlice, "x"), "none");
  EXPECT_TRUE(decision_.steps.back().matched);
}

TEST_F(RouterTest, ACaptureCannotChangeTheKindOfTarget) {
  EXPECT_EQ(route({{"any", "^(.*)$", "user:\\1"}}, kCarrier, "trunk:carrier"),
            "user:trunk:carrier");
}

TEST_F(RouterTest, AnExpressionWithoutAnchorsMatchesAnywhere) {
  EXPECT_EQ(route({{"user", "55", "trunk:carrier"}}, kAlice, "1552"), "trunk:carrier");
}

TEST_F(RouterTest, AnAnchoredExpressionIsNotFooledByALineBreak) {
  const std::vector<RouteSettings> routes = {{"any", "^[0-9]+$", "trunk:carrier"}};
  EXPECT_EQ(route(routes, kApi, "123\n"), "none");
  EXPECT_EQ(route(routes, kApi, "x\n123"), "none");
}

TEST_F(RouterTest, ANulIsACharacterLikeOthers) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(route({{"any", "^12$", "trunk:carrier"}}, kApi, "12\0"sv), "none");
  EXPECT_EQ(route({}, kAlice, "bob\0"sv), "none");
  EXPECT_EQ(route({{"any", "^(a.b)$", "user:\\1"}}, kApi, "a\0b"sv), "user:a\0b"sv);
}

TEST_F(RouterTest, OctetsThatAreNotUtf8MatchNothingButHarmNothing) {
  EXPECT_EQ(route({{"any", "^.$", "trunk:carrier"}}, kApi, "\xff"), "none");
}

TEST_F(RouterTest, NamesUpTo256OctetsAreRouted) {
  const std::vector<RouteSettings> routes = {{"any", "^a*$", "trunk:carrier"}};
  EXPECT_EQ(route(routes, kApi, std::string(256, 'a')), "trunk:carrier");
  EXPECT_EQ(route(routes, kApi, std::string(257, 'a')), "none");
  ASSERT_EQ(decision_.steps.size(), 1u);
  EXPECT_FALSE(decision_.steps[0].matched);
  EXPECT_THAT(decision_.steps[0].why, HasSubstr("257 octets"));
}

TEST_F(RouterTest, AHostileExpressionStaysLinear) {
  EXPECT_EQ(route({{"any", "^(a+)+$", "trunk:carrier"}}, kApi, std::string(255, 'a') + "b"),
            "none");
}

TEST_F(RouterTest, AUserOfTheDomainIsCalledByAUserAfterTheRoutes) {
  EXPECT_EQ(route({}, kAlice, "bob"), "user:bob");
  EXPECT_EQ(route({{"user", "^bob$", "trunk:carrier"}}, kAlice, "bob"), "trunk:carrier");
}

TEST_F(RouterTest, AUserOfTheDomainIsNotCalledByOthersWithoutARoute) {
  EXPECT_EQ(route({}, kCarrier, "bob"), "none");
  EXPECT_EQ(route({}, kApi, "bob"), "none");
}

TEST_F(RouterTest, UserNamesCompareWithCase) {
  EXPECT_EQ(route({}, kAlice, "Bob"), "none");
}

TEST_F(RouterTest, ServicesAreReachedByARouteOnly) {
  EXPECT_EQ(route({}, kAlice, "echo"), "none");
  EXPECT_EQ(route({{"any", "^t$", "service:tone"}}, kAlice, "t"), "service:tone");
}

TEST_F(RouterTest, AnEmptyNameCanMatchButIsNoUser) {
  EXPECT_EQ(route({}, kAlice, ""), "none");
  EXPECT_EQ(route({{"any", "^$", "service:echo"}}, kAlice, ""), "service:echo");
}

TEST_F(RouterTest, StepsTellEveryRuleThatWasLookedAtAndWhy) {
  const std::vector<RouteSettings> routes = {{"trunk:carrier", "^1001$", "user:alice"},
                                             {"user", "^[0-9]+$", "trunk:carrier"},
                                             {"any", "^echo$", "service:echo"}};
  route(routes, kAlice, "bob");
  ASSERT_EQ(decision_.steps.size(), 4u);
  EXPECT_EQ(decision_.steps[0].rule, "route 1: from trunk:carrier match ^1001$");
  EXPECT_FALSE(decision_.steps[0].matched);
  EXPECT_EQ(decision_.steps[0].why, "the caller is user:alice, not trunk:carrier");
  EXPECT_EQ(decision_.steps[1].why, "the name does not match");
  EXPECT_EQ(decision_.steps[2].rule, "route 3: from any match ^echo$");
  EXPECT_EQ(decision_.steps[3].rule, "users of the domain");
  EXPECT_TRUE(decision_.steps[3].matched);
  EXPECT_EQ(decision_.steps[3].why, "goes to user:bob");
}

TEST_F(RouterTest, TheRuleThatMatchedIsTheLastStep) {
  route({{"any", "^(.)$", "user:\\1"}}, kApi, "x");
  ASSERT_EQ(decision_.steps.size(), 1u);
  EXPECT_TRUE(decision_.steps[0].matched);
  EXPECT_EQ(decision_.steps[0].why, "matches: goes to user:x");
}

TEST_F(RouterTest, StepsTellWhyNobodyIsCalled) {
  route({}, kCarrier, "bob");
  EXPECT_EQ(decision_.steps.back().why, "only users call users without a route");
  route({}, kAlice, "carol");
  EXPECT_EQ(decision_.steps.back().why, "there is no such user");
  route({{"any", "^$", "service:echo"}}, kApi, "x");
  EXPECT_EQ(decision_.steps.front().why, "the name does not match");
  route({{"user", "x", "service:echo"}}, kApi, "x");
  EXPECT_EQ(decision_.steps.front().why, "the caller is the API, not user");
}

TEST(RouterMake, NamesTheRouteAndTheFaultOfABadExpression) {
  EXPECT_EQ(error_of({"any", "(", "service:echo"}), "route 1: match: missing ): (");
  const auto router = make({{"any", "x", "service:echo"}, {"any", "[", "service:echo"}});
  ASSERT_FALSE(router);
  EXPECT_THAT(router.error().message, HasSubstr("route 2: match: "));
}

TEST(RouterMake, RefusesAnExpressionThatNeedsTooMuchMemory) {
  EXPECT_THAT(error_of({"any", "\\pL{1000}", "service:echo"}), HasSubstr("route 1: match: "));
}

TEST(RouterMake, RefusesUnknownTrunksAndServices) {
  EXPECT_EQ(error_of({"any", "x", "trunk:nowhere"}),
            "route 1: target: there is no trunk 'nowhere'");
  EXPECT_EQ(error_of({"any", "x", "service:fax"}), "route 1: target: there is no service 'fax'");
  EXPECT_EQ(error_of({"trunk:nowhere", "x", "service:echo"}),
            "route 1: from: there is no trunk 'nowhere'");
}

TEST(RouterMake, RefusesOtherSpellings) {
  EXPECT_THAT(error_of({"any", "x", "carrier"}), HasSubstr("is none of trunk:NAME"));
  EXPECT_THAT(error_of({"any", "x", "user:"}), HasSubstr("is none of trunk:NAME"));
  EXPECT_THAT(error_of({"any", "(x)", "\\1"}), HasSubstr("is none of trunk:NAME"));
  EXPECT_THAT(error_of({"everyone", "x", "service:echo"}),
              HasSubstr("is none of user, trunk:NAME, any"));
  EXPECT_THAT(error_of({"user:alice", "x", "service:echo"}),
              HasSubstr("is none of user, trunk:NAME, any"));
}

TEST(RouterMake, RefusesACaptureThatTheExpressionDoesNotHave) {
  EXPECT_THAT(error_of({"any", "^(x)$", "user:\\2"}), HasSubstr("route 1: target: "));
}

TEST(RouterMake, TakesAUserWhomNoListNames) {
  EXPECT_EQ(error_of({"any", "x", "user:visitor"}), "no error");
}

}  // namespace
}  // namespace trunkline::call
