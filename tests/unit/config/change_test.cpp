#include "config/change.hpp"

#include "parsed.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What of another file can be taken while the gateway runs.
namespace trunkline::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const std::string kBase = kUsers + kSip;
std::string trunk(const std::string& name, const std::string& more = "") {
  return "  - { name: " + name + ", uri: \"sip:192.0.2.1:5070\"" + more + " }\n";
}

Changes changes(const std::string& before, const std::string& after) {
  const Config running = good(before);
  return compare(running.effective, good(after).effective, bounds_of(running));
}

Config merged(const Changes& changes) {
  auto built = build(changes.merged, "");
  if (!built) throw std::runtime_error(describe(built.error().front(), "f.yaml"));
  return std::move(*built);
}

TEST(ConfigChange, OfNothingIsNothing) {
  const Changes none = changes(kBase, "# another comment\n" + kBase + "log: { level: info }\n");
  EXPECT_THAT(none.applied, IsEmpty());
  EXPECT_THAT(none.needs_restart, IsEmpty());
}

TEST(ConfigChange, IsTakenWhereItCanBeAndTheRestWaits) {
  const Changes some =
      changes(kBase, kBase +
                         "limits: { max_calls: 5, max_transactions: 500 }\nlog: { level: warn, "
                         "format: console }\nmedia: { workers: 2, transcoding: false }\n");
  EXPECT_THAT(some.applied,
              UnorderedElementsAre("limits.max_calls", "log.level", "media.transcoding"));
  EXPECT_THAT(some.needs_restart,
              UnorderedElementsAre("limits.max_transactions", "log.format", "media.workers"));
  const Config config = merged(some);
  EXPECT_EQ(config.gateway.call.max_calls, 5U);
  EXPECT_EQ(config.log.level, log::Level::warn);
  EXPECT_EQ(config.log.format, log::Format::json);
  EXPECT_EQ(config.gateway.io.media.workers, 1U);
}

TEST(ConfigChange, NamesTheElementsOfListsThatHaveNames) {
  const Changes some =
      changes(kBase + "trunks:\n" + trunk("one") + trunk("two"),
              kBase + "trunks:\n" + trunk("two", ", max_calls: 3, password: x, username: y") +
                  trunk("three"));
  EXPECT_THAT(some.applied,
              UnorderedElementsAre("trunks[two].max_calls", "trunks[two].username",
                                   "trunks[two].password", "trunks[three]", "trunks[one]"));
  const Config config = merged(some);
  ASSERT_EQ(config.gateway.call.trunks.size(), 2U);
  EXPECT_EQ(config.gateway.call.trunks[0].max_calls, 3U);
}

TEST(ConfigChange, OfASecretIsSeenAndNotTold) {
  const Changes some =
      changes(kBase, "domain: example.test\nusers: [{ name: alice, password: secret-z }]\n" + kSip);
  EXPECT_THAT(some.applied, ElementsAre("users[alice].password"));
  EXPECT_EQ(merged(some).gateway.call.users[0].password, "secret-z");
}

TEST(ConfigChange, OfTheOrderOfRoutesIsOne) {
  const std::string one = "{ from: any, match: a, target: \"service:echo\" }",
                    two = "{ from: any, match: b, target: \"service:tone\" }";
  EXPECT_THAT(changes(kBase + "routes: [" + one + ", " + two + "]",
                      kBase + "routes: [" + two + ", " + one + "]")
                  .applied,
              ElementsAre("routes"));
}

TEST(ConfigChange, OfListenersWaits) {
  const Changes some =
      changes(kUsers + "listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5060\" }] }\n",
              kUsers +
                  "listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5061\" }], grpc: { bind: "
                  "\"127.0.0.1:50051\", tokens: [{ name: a, token: b, roles: [read] }] } }\n");
  EXPECT_THAT(some.applied, IsEmpty());
  EXPECT_THAT(some.needs_restart, UnorderedElementsAre("listen.sip", "listen.grpc"));
  EXPECT_FALSE(merged(some).api);
}

TEST(ConfigChange, OfTokensIsTaken) {
  const std::string listen =
      "listen: { grpc: { bind: \"127.0.0.1:50051\", tokens: [{ name: a, "
      "token: ";
  const std::string end =
      ", roles: [read] }] }, sip: [{ transport: udp, bind: \"127.0.0.1:5060\" }] }\n";
  const Changes some = changes(listen + "b" + end, listen + "c" + end);
  EXPECT_THAT(some.applied, ElementsAre("listen.grpc.tokens[a].token"));
  EXPECT_EQ(merged(some).api->tokens[0].token, "c");
}

TEST(ConfigChange, OfMediaAddressesOfATrunkWaits) {
  const Changes some = changes(kBase + "trunks:\n" + trunk("one"),
                               kBase + "trunks:\n" + trunk("one", ", media: { bind: 127.0.0.2 }") +
                                   trunk("two", ", media: { bind: 127.0.0.2 }") +
                                   trunk("three", ", media: { bind: 127.0.0.1 }"));
  EXPECT_THAT(some.applied, UnorderedElementsAre("trunks[two]", "trunks[three]"));
  EXPECT_THAT(some.needs_restart,
              UnorderedElementsAre("trunks[one].media.bind", "trunks[two].media"));
  const Config config = merged(some);
  EXPECT_THAT(config.gateway.io.media.trunk_binds, IsEmpty());
  EXPECT_THAT(config.gateway.call.trunks[1].media, IsEmpty()) << "until then those of all";
  EXPECT_EQ(config.gateway.call.trunks[2].media.size(), 1U);
}

TEST(ConfigChange, BeyondTheRoomOfTheMediaWorkersWaits) {
  EXPECT_THAT(changes(kBase, kBase + "limits: { max_calls: 1000 }\n").needs_restart, IsEmpty());
  EXPECT_THAT(changes(kBase, kBase + "limits: { max_calls: 1001 }\n").needs_restart,
              ElementsAre("limits.max_calls"));
  EXPECT_THAT(
      changes(kBase + "limits: { max_calls: 5000 }\n", kBase + "limits: { max_calls: 4000 }\n")
          .applied,
      ElementsAre("limits.max_calls"));
}

TEST(ConfigChange, ThatNeedsAnotherOneThatWaitsIsAProblem) {
  const Changes some = changes(
      kBase, kUsers +
                 "listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5060\" }, { transport: "
                 "tcp, bind: \"127.0.0.1:5060\" }] }\ntrunks: [{ name: c, uri: "
                 "\"sip:192.0.2.1;transport=tcp\" }]\n");
  EXPECT_THAT(some.needs_restart, ElementsAre("listen.sip"));
  EXPECT_FALSE(build(some.merged, ""));
}

TEST(ConfigFingerprint, IsTheSameForReplicas) {
  const auto print_of = [](const std::string& node, const std::string& ip,
                           const std::string& more) {
    return fingerprint(good("node: " + node + "\nmedia: { bind: " + ip + ", advertise: " + ip +
                            " }\nlisten: { sip: [{ transport: udp, bind: \"" + ip +
                            ":5060\", advertise: \"" + ip + ":5060\" }], admin: { bind: \"" + ip +
                            ":9090\" } }\n" + more)
                           .effective);
  };
  EXPECT_EQ(print_of("a", "127.0.0.1", ""), print_of("b", "127.0.0.2", ""));
  EXPECT_NE(print_of("a", "127.0.0.1", ""),
            print_of("a", "127.0.0.1", "limits: { max_calls: 7 }\n"));
}

}  // namespace
}  // namespace trunkline::config
