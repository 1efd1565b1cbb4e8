#include "config/reader.hpp"
#include "parsed.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace trunkline::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kDeploy = std::string(TESTS_DIR) + "/../deploy/";

std::string content(const std::string& file) {
  return read_file(kDeploy + file).value_or("");
}

TEST(ConfigPrint, ShowsTheEffectiveValuesWithSecretsMasked) {
  const std::string text = print(
      good(kUsers + kSip +
           "trunks: [{ name: c, uri: \"sip:127.0.0.1\", username: gw, password: secret-t }]\n")
          .effective);
  EXPECT_THAT(text, AllOf(HasSubstr("name: \"alice\""), HasSubstr("webrtc_port: 19000"),
                          HasSubstr("password: \"***\"")));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("secret-a")), Not(HasSubstr("secret-t"))));
}

TEST(ConfigPrint, IsItselfAConfigurationThatMeansTheSame) {
  const std::string once = print(good(kUsers + kSip).effective);
  EXPECT_EQ(print(good(once).effective), once);
}

TEST(ConfigPrint, KeepsWhatLooksLikeAVariable) {
  const std::string text =
      print(good("routes: [{ from: any, match: 'a$${2}', target: \"service:echo\" }]").effective);
  EXPECT_EQ(good(text).gateway.call.routes[0].match, "a${2}");
}

TEST(ConfigPrint, ShowsWhatAnEmptyFileMeans) {
  const std::string text = print(good("").effective);
  EXPECT_THAT(text,
              AllOf(HasSubstr("bind: \"127.0.0.1:8080\""), HasSubstr("bind: \"127.0.0.1:9090\"")));
  EXPECT_EQ(print(good(text).effective), text);
}

void expect_documented(const Key& key, const std::string& path) {
  EXPECT_FALSE(key.doc.empty()) << path;
  for (const Key& member : key.members)
    expect_documented(member, path + "." + std::string(member.name));
}

TEST(ConfigKeys, AreAllDocumented) {
  expect_documented(root(), "");
}

void expect_written(const Key& key, const std::string& text) {
  for (const Key& member : key.members) {
    EXPECT_THAT(text, HasSubstr(std::string(member.name) + ":"));
    expect_written(member, text);
  }
}

TEST(ConfigExamples, FullOneNamesEveryKey) {
  expect_written(root(), content("examples/full.yaml"));
}

TEST(ConfigExamples, AreValid) {
  for (const char* file :
       {"examples/minimal.yaml", "examples/full.yaml", "gateway.yaml", "carrier.yaml"}) {
    ASSERT_FALSE(content(file).empty()) << file;
    EXPECT_EQ(problems(content(file)), "") << file;
  }
}

TEST(ConfigExamples, GatewayAndCarrierPointAtEachOther) {
  const Config gateway = good(content("gateway.yaml")), carrier = good(content("carrier.yaml"));
  EXPECT_EQ(gateway.gateway.call.trunks[0].uri.port, carrier.gateway.io.sip[0].bind.port);
  EXPECT_EQ(carrier.gateway.call.trunks[0].uri.port, gateway.gateway.io.sip[0].bind.port);
  EXPECT_NE(gateway.admin->port, carrier.admin->port);
  EXPECT_NE(gateway.gateway.io.media.webrtc_port, carrier.gateway.io.media.webrtc_port);
  EXPECT_LT(gateway.gateway.io.media.rtp_port_last, carrier.gateway.io.media.rtp_port_first);
}

TEST(ConfigSchema, IsThePublishedFile) {
  EXPECT_TRUE(json_schema() == content("config.schema.json"))
      << "write it anew: trunkline --print-schema > deploy/config.schema.json";
}

TEST(ConfigSchema, DescribesKeysDefaultsAndBounds) {
  const auto schema = nlohmann::json::parse(json_schema());
  EXPECT_EQ(schema["additionalProperties"], false);
  const auto& workers = schema["properties"]["media"]["properties"]["workers"];
  EXPECT_EQ(workers["default"], 1);
  EXPECT_EQ(workers["anyOf"][0]["maximum"], 64);
  EXPECT_EQ(workers["anyOf"][1]["$ref"], "#/definitions/variable");
  const auto& trunk = schema["properties"]["trunks"]["items"];
  EXPECT_EQ(trunk["properties"]["codecs"]["default"], nlohmann::json({"PCMU", "PCMA", "opus"}));
  EXPECT_EQ(trunk["required"], nlohmann::json({"name", "uri"}));
  EXPECT_TRUE(trunk["properties"].contains("password_file"));
}

}  // namespace
}  // namespace trunkline::config
