#include "parsed.hpp"
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ConfigFile, EmptyStartsOnLoopbackWithoutUsersOrTrunks) {
  const Config config = good("");
  ASSERT_EQ(config.gateway.io.websocket.size(), 1U);
  EXPECT_EQ(config.gateway.io.websocket[0].bind.text(), "127.0.0.1:8080");
  EXPECT_EQ(config.admin->text(), "127.0.0.1:9090");
  EXPECT_EQ(config.gateway.io.media.bind[0].text(), "127.0.0.1");
  EXPECT_THAT(config.gateway.io.sip, IsEmpty());
  EXPECT_THAT(config.gateway.call.users, IsEmpty());
  EXPECT_THAT(config.gateway.call.trunks, IsEmpty());
  EXPECT_FALSE(config.node.empty());
  EXPECT_TRUE(config.web_phone);
}

TEST(ConfigFile, DefaultsAreThoseOfTheContract) {
  const Config config = good("");
  EXPECT_EQ(config.gateway.io.media.workers, 1U);
  EXPECT_EQ(config.gateway.io.media.webrtc_port, 19000);
  EXPECT_EQ(config.gateway.io.media.rtp_port_first, 20000);
  EXPECT_EQ(config.gateway.io.media.rtp_port_last, 20999);
  EXPECT_EQ(config.gateway.io.media.srtp_engine, media::SrtpEngineKind::automatic);
  EXPECT_EQ(config.gateway.media.consent_timeout, seconds{30});
  EXPECT_TRUE(config.gateway.io.media.ice_tcp);
  EXPECT_EQ(config.gateway.io.media.certificate_lifetime, std::chrono::hours{720});
  EXPECT_EQ(config.gateway.call.reconnect_grace, seconds{60});
  EXPECT_EQ(config.gateway.call.drain_timeout, seconds{300});
  EXPECT_EQ(config.gateway.call.max_calls, 1000U);
  EXPECT_EQ(config.gateway.call.max_ended_calls, 20000U);
  EXPECT_EQ(config.gateway.sip.max_transactions, 100000U);
  EXPECT_EQ(config.gateway.call.registrar.max_registrations, 20000U);
  EXPECT_EQ(config.gateway.io.websocket_settings.max_message, 65536U);
  EXPECT_EQ(config.log.level, log::Level::info);
  EXPECT_EQ(config.log.format, log::Format::json);
}

TEST(ConfigFile, UnknownKeyIsAnErrorWithLineAndSuggestion) {
  EXPECT_EQ(problems("node: a\nlog:\n  levle: info\n"),
            "f.yaml:3: log.levle: is not a known key; did you mean \"level\"?");
}

TEST(ConfigFile, UnknownKeyWithoutANearOneListsTheKnown) {
  EXPECT_THAT(problems("log: { colour: red }"), HasSubstr("known here: level, format"));
}

TEST(ConfigFile, AKeyGivenTwiceIsAnError) {
  EXPECT_EQ(problems("node: a\nnode: b\n"), "f.yaml:2: node: is given twice; keep one of the two");
}

TEST(ConfigFile, WrongShapesAreErrors) {
  EXPECT_THAT(problems("users: alice"), HasSubstr("users: is a single value, not a list"));
  EXPECT_THAT(problems("log: [info]"), HasSubstr("log: is a list, not a map"));
  EXPECT_THAT(problems("node: { a: b }"), HasSubstr("node: is a map, not a single value"));
  EXPECT_THAT(problems("node:\n"), HasSubstr("node: is nothing, not a single value"));
  EXPECT_THAT(problems("- a\n"), HasSubstr("is a list, not a map"));
}

TEST(ConfigFile, SectionsAndListsMayBeEmpty) {
  EXPECT_EQ(problems("log:\nusers:\nroutes: []\nmedia: {}\n"), "");
}

TEST(ConfigFile, BrokenYamlIsAnErrorWithItsLine) {
  EXPECT_THAT(problems("node: a\nlog: [\n"),
              AllOf(HasSubstr("f.yaml:"), HasSubstr("is not valid YAML")));
}

TEST(ConfigFile, SeveralDocumentsAreAnError) {
  EXPECT_THAT(problems("node: a\n---\nnode: b\n"), HasSubstr("holds several YAML documents"));
}

TEST(ConfigFile, AllProblemsAreReportedTogether) {
  EXPECT_EQ(problems("media: { workers: many }\nlog: { level: loud }\nlimits: { max_calls: 0 }\n"),
            "f.yaml:1: media.workers: \"many\" is not valid; write a whole number\n"
            "f.yaml:3: limits.max_calls: \"0\" is out of range; use 1 to 1000000\n"
            "f.yaml:2: log.level: \"loud\" is not known; use trace, debug, info, warn, error, off");
}

TEST(ConfigFile, MissingRequiredKeyIsAnErrorAtItsSection) {
  EXPECT_THAT(problems("domain: a.test\nusers:\n  - { name: alice }\n"),
              HasSubstr("f.yaml:3: users[0].password: is missing"));
}

TEST(ConfigFile, FileThatIsNotThereIsAnError) {
  const auto result = load("/nonexistent/trunkline.yaml");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error()[0].wrong, HasSubstr("there is no file"));
}

TEST(ConfigScalar, DurationsHaveUnits) {
  EXPECT_EQ(good("drain: { timeout: 5m }").gateway.call.drain_timeout, std::chrono::minutes{5});
  EXPECT_EQ(good("drain: { timeout: 1h }").gateway.call.drain_timeout, std::chrono::hours{1});
  EXPECT_EQ(good("drain: { timeout: 500ms }").gateway.call.drain_timeout, milliseconds{500});
  EXPECT_THAT(problems("drain: { timeout: 30 }"), HasSubstr("write a duration such as 500ms, 30s"));
  EXPECT_THAT(problems("drain: { timeout: -5s }"), HasSubstr("is not valid"));
  EXPECT_THAT(problems("drain: { timeout: 99999999999999999999s }"), HasSubstr("is not valid"));
  EXPECT_THAT(problems("drain: { timeout: 9223372036854775807h }"), HasSubstr("is not valid"));
  EXPECT_THAT(problems("media: { consent_timeout: 1s }"), HasSubstr("use 5s to 10m"));
}

TEST(ConfigScalar, SizesHaveUnits) {
  EXPECT_EQ(good("websocket: { max_message: 16KiB }").gateway.io.websocket_settings.max_message,
            16384U);
  EXPECT_THAT(problems("websocket: { max_message: 16KB }"), HasSubstr("64KiB"));
  EXPECT_THAT(problems("websocket: { max_message: 1GiB }"), HasSubstr("use 4KiB to 1MiB"));
}

TEST(ConfigScalar, BooleansAreTrueOrFalse) {
  EXPECT_FALSE(good("web: { phone: false }").web_phone);
  EXPECT_THAT(problems("web: { phone: yes }"), HasSubstr("write true or false"));
}

TEST(ConfigEnvironment, ReplacesVariablesInEveryScalar) {
  const Config config =
      good("node: \"edge-${N}\"\nmedia: { workers: \"${W}\" }\nlog: { level: \"${L:-warn}\" }\n",
           {{"N", "7"}, {"W", "2"}});
  EXPECT_EQ(config.node, "edge-7");
  EXPECT_EQ(config.gateway.io.media.workers, 2U);
  EXPECT_EQ(config.log.level, log::Level::warn);
}

TEST(ConfigEnvironment, AnUnsetVariableWithoutDefaultIsAnError) {
  EXPECT_EQ(problems("node: \"${NODE}\""),
            "f.yaml:1: node: the environment variable NODE is not set; set it, or give a default "
            "with ${NODE:-default}");
}

TEST(ConfigEnvironment, AnEmptyVariableTakesTheDefault) {
  EXPECT_EQ(good("node: \"${NODE:-spare}\"", {{"NODE", ""}}).node, "spare");
}

TEST(ConfigEnvironment, WhatComesInIsNotReadAgain) {
  const Config config =
      good(kUsers + "credentials: { secret: \"${S}\" }", {{"S", "${HOME} is not replaced"}});
  EXPECT_EQ(config.gateway.call.digest_secret, "${HOME} is not replaced");
}

TEST(ConfigEnvironment, DoubledDollarStandsForItself) {
  EXPECT_EQ(
      good(kUsers + "credentials: { secret: \"$${HOME}-0123456789\" }").gateway.call.digest_secret,
      "${HOME}-0123456789");
}

TEST(ConfigEnvironment, MalformedReferencesAreErrors) {
  EXPECT_THAT(problems("node: \"${NODE\""), HasSubstr("has no closing }"));
  EXPECT_THAT(problems("node: \"${1x}\""), HasSubstr("is not a variable"));
}

class ConfigSecretFile : public testing::Test {
 protected:
  ConfigSecretFile() : folder_(testing::TempDir() + "trunkline_config_secret") {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/password") << "from-file\n";
    std::ofstream(folder_ + "/empty") << "\n";
  }
  ~ConfigSecretFile() override { std::filesystem::remove_all(folder_); }
  static std::string user(const std::string& secret) {
    return "domain: example.test\nusers: [{ name: alice, " + secret + " }]\n";
  }
  std::string folder_;
};

TEST_F(ConfigSecretFile, IsReadWithoutItsLineEnd) {
  EXPECT_EQ(good(user("password_file: password"), {}, folder_).gateway.call.users[0].password,
            "from-file");
  EXPECT_EQ(
      good(user("password_file: \"" + folder_ + "/password\"")).gateway.call.users[0].password,
      "from-file");
}

TEST_F(ConfigSecretFile, BesideTheSecretIsAContradiction) {
  EXPECT_THAT(problems(user("password: a, password_file: password"), {}, folder_),
              HasSubstr("users[0].password_file: stands beside users[0].password"));
}

TEST_F(ConfigSecretFile, MustExistAndHoldSomething) {
  EXPECT_THAT(problems(user("password_file: none"), {}, folder_), HasSubstr("there is no file"));
  EXPECT_THAT(problems(user("password_file: empty"), {}, folder_),
              AllOf(HasSubstr("users[0].password_file: "), HasSubstr("/empty\" is empty")));
  EXPECT_THAT(problems(user("password_file: ."), {}, folder_), HasSubstr("is a folder"));
}

TEST_F(ConfigSecretFile, IsKnownOnlyForSecrets) {
  EXPECT_THAT(problems("node_file: password", {}, folder_),
              HasSubstr("node_file: is not a known key"));
}

TEST(ConfigNode, UsersNeedADomain) {
  EXPECT_THAT(problems("users: [{ name: alice, password: a }]"), HasSubstr("add domain: NAME"));
}

TEST(ConfigNode, UsersHaveUniqueNamesThatFitAUri) {
  EXPECT_THAT(
      problems("domain: a.test\nusers: [{ name: bob, password: a }, { name: bob, password: b }]"),
      HasSubstr("users[1].name: \"bob\" is given twice"));
  EXPECT_THAT(problems("domain: a.test\nusers: [{ name: \"bob@a\", password: a }]"),
              HasSubstr("is not valid"));
}

TEST(ConfigNode, EmptySecretsAreRefused) {
  EXPECT_THAT(problems("domain: a.test\nusers: [{ name: bob, password: \"${P:-}\" }]"),
              HasSubstr("users[0].password: is empty"));
}

TEST(ConfigNode, APolicyServiceIsAskedAsConfigured) {
  const Config config = good(
      "policy: { endpoint: \"127.0.0.1:50061\", timeout: 250ms, fallback: { reject: 480 }, "
      "authenticate_users: true }");
  ASSERT_TRUE(config.policy);
  EXPECT_EQ(config.policy->endpoint, "127.0.0.1:50061");
  EXPECT_EQ(config.policy->timeout, milliseconds{250});
  const call::PolicySettings& policy = config.gateway.call.policy;
  EXPECT_TRUE(policy.enabled);
  EXPECT_TRUE(policy.authenticate_users);
  EXPECT_EQ(policy.timeout, milliseconds{250});
  EXPECT_EQ(policy.fallback_reject, 480);
  EXPECT_FALSE(good("domain: a.test").policy);
}

TEST(ConfigNode, CredentialsHaveASecretAndALongestLife) {
  const auto credentials =
      good("credentials: { secret: \"0123456789abcdef\", max_ttl: 2h }").gateway.call.credentials;
  EXPECT_EQ(credentials.secret, "0123456789abcdef");
  EXPECT_EQ(credentials.max_ttl, seconds{7200});
}

TEST(ConfigNode, ContradictionsAreRefused) {
  EXPECT_THAT(problems("policy: { authenticate_users: true }"),
              HasSubstr("needs a policy service"));
}

TEST(ConfigNode, OriginsHaveNoPath) {
  const Config config = good(
      "websocket: { allowed_origins: [\"https://app.example.test\", \"http://localhost:3000\"] }");
  EXPECT_EQ(config.gateway.io.websocket_settings.allowed_origins.size(), 2U);
  EXPECT_THAT(problems("websocket: { allowed_origins: [\"https://app.example.test/\"] }"),
              HasSubstr("without a path"));
  EXPECT_THAT(problems("websocket: { allowed_origins: [] }"),
              HasSubstr("remove the key to take any"));
}

}  // namespace
}  // namespace trunkline::config
