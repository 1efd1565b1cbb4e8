#include "parsed.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string trunk(const std::string& rest) {
  return kSip + "trunks:\n  - name: carrier\n    uri: \"sip:127.0.0.1:5070\"\n" + rest;
}

call::TrunkSettings settings(const std::string& rest) {
  return good(trunk(rest)).gateway.call.trunks[0];
}

TEST(ConfigIdentity, NothingCrossesByDefault) {
  const auto plain = settings("");
  EXPECT_FALSE(plain.asserts_identity || plain.accepts_identity || plain.tells_diversion ||
               plain.tells_history);
  EXPECT_EQ(plain.number_form, call::NumberForm::sip);
  EXPECT_THAT(plain.headers_to, IsEmpty());
  EXPECT_THAT(plain.headers_from, IsEmpty());
  EXPECT_THAT(plain.called_to, IsEmpty());
}

TEST(ConfigIdentity, TrustHasTwoDirections) {
  EXPECT_TRUE(settings("    identity: assert\n").asserts_identity);
  EXPECT_FALSE(settings("    identity: assert\n").accepts_identity);
  EXPECT_FALSE(settings("    identity: accept\n").asserts_identity);
  EXPECT_TRUE(settings("    identity: accept\n").accepts_identity);
  const auto both = settings("    identity: trusted\n    diversion: both\n    number_form: tel\n");
  EXPECT_TRUE(both.asserts_identity && both.accepts_identity && both.tells_diversion &&
              both.tells_history);
  EXPECT_EQ(both.number_form, call::NumberForm::tel);
  EXPECT_TRUE(settings("    diversion: history-info\n").tells_history);
  EXPECT_THAT(problems(trunk("    identity: trust\n")), HasSubstr("trunks[0].identity"));
}

TEST(ConfigIdentity, RulesAreReadByDirection) {
  const auto rules = settings(
      "    rewrite:\n"
      "      to_trunk:\n"
      "        called: [{ match: \"^00\", replace: \"+\" }, { match: \"^(0)\", replace: \"\" }]\n"
      "        calling: [{ match: \"^a$\", replace: \"b\" }]\n"
      "      from_trunk:\n"
      "        called: [{ match: \"^c$\", replace: \"d\" }]\n"
      "        calling: [{ match: \"^(e)$\", replace: \"\\\\1f\" }]\n");
  EXPECT_THAT(rules.called_to,
              ElementsAre(call::RewriteRule{"^00", "+"}, call::RewriteRule{"^(0)", ""}));
  EXPECT_THAT(rules.calling_to, ElementsAre(call::RewriteRule{"^a$", "b"}));
  EXPECT_THAT(rules.called_from, ElementsAre(call::RewriteRule{"^c$", "d"}));
  EXPECT_THAT(rules.calling_from, ElementsAre(call::RewriteRule{"^(e)$", "\\1f"}));
}

TEST(ConfigIdentity, ABadRuleIsToldWithFileLineAndKey) {
  const auto rule = [](const std::string& text) {
    return problems(
        trunk("    rewrite:\n      from_trunk:\n        calling:\n"
              "          - { match: a, replace: b }\n          - " +
              text + "\n"));
  };
  EXPECT_THAT(
      rule("{ match: \"(\", replace: b }"),
      AllOf(HasSubstr("f.yaml:9"), HasSubstr("trunks[0].rewrite.from_trunk.calling[1].match"),
            HasSubstr("write an RE2 expression")));
  EXPECT_THAT(
      rule("{ match: \"^(1)\", replace: \"\\\\2\" }"),
      AllOf(HasSubstr("f.yaml:9"), HasSubstr("trunks[0].rewrite.from_trunk.calling[1].replace"),
            HasSubstr("each for a group")));
  EXPECT_THAT(rule("{ match: a }"), HasSubstr("replace"));
}

TEST(ConfigIdentity, HeadersAreListedByDirection) {
  const auto lists =
      settings("    headers: { to_trunk: [X-A, \"X-Shop-*\"], from_trunk: [Call-Info] }\n");
  EXPECT_THAT(lists.headers_to, ElementsAre("X-A", "X-Shop-*"));
  EXPECT_THAT(lists.headers_from, ElementsAre("Call-Info"));
}

TEST(ConfigIdentity, HeadersOfTheGatewaysOwnCantBeListed) {
  for (const std::string name :
       {"P-Asserted-Identity", "from", "Via", "Remote-Party-ID", "\"*\"", "\"a b\"", "\"X-A:\""}) {
    EXPECT_THAT(problems(trunk("    headers: { to_trunk: [X-A, " + name + "] }\n")),
                AllOf(HasSubstr("trunks[0].headers.to_trunk[1]"), HasSubstr("User-to-User")))
        << name;
  }
  std::string many;
  for (int i = 0; i < 65; ++i)
    many += "X-" + std::to_string(i) + ", ";
  EXPECT_THAT(problems(trunk("    headers: { from_trunk: [" + many + "] }\n")),
              HasSubstr("more than 64 names"));
}

TEST(ConfigIdentity, NumbersOfUsersAreTelephoneNumbers) {
  const auto user = [](const std::string& numbers) {
    return "domain: example.test\nusers: [{ name: alice, password: s, numbers: " + numbers +
           " }]\n";
  };
  EXPECT_THAT(good(user("[\"+4930123\", \"1001\"]")).gateway.call.users[0].numbers,
              ElementsAre("+4930123", "1001"));
  EXPECT_THAT(problems(user("[\"+49-30\"]")),
              AllOf(HasSubstr("users[0].numbers[0]"), HasSubstr("write digits")));
}

}  // namespace
}  // namespace trunkline::config
