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
  return kSip + "trunks:\n  - { name: carrier, uri: \"sip:127.0.0.1:5070\"" + rest + " }\n";
}

std::string with_uri(const std::string& uri) {
  return kSip + "trunks: [{ name: c, uri: \"" + uri + "\" }]\n";
}

TEST(ConfigTrunk, HasTheDefaultsOfTheContract) {
  const Config config = good(trunk(""));
  const call::TrunkSettings& settings = config.gateway.call.trunks[0];
  EXPECT_EQ(settings.name, "carrier");
  EXPECT_EQ(settings.uri.text(), "sip:127.0.0.1:5070");
  EXPECT_THAT(settings.allow, IsEmpty());
  EXPECT_THAT(settings.codecs, ElementsAre("PCMU", "PCMA", "opus"));
  EXPECT_EQ(settings.media_source, media::SourcePolicy::pinned);
  EXPECT_EQ(settings.max_calls, 100U);
  EXPECT_EQ(settings.max_calls_per_second, 20U);
  EXPECT_EQ(settings.session_expires_seconds, 1800U);
  EXPECT_EQ(settings.max_redirects, 0U);
  EXPECT_EQ(settings.capacity_phrase, "");
  EXPECT_THAT(config.notices, IsEmpty());
}

TEST(ConfigTrunk, TakesWhatIsWritten) {
  const call::TrunkSettings settings =
      good(trunk(
               ", allow: [192.0.2.0/24, \"198.51.100.1:5060\"], username: gw, password: secret-t, "
               "media_source: subnet,"
               " media: { bind: 127.0.0.2, advertise: 198.51.100.4 }, codecs: [opus], max_calls: 5,"
               " max_calls_per_second: 2, session_expires: 10m, max_redirects: 5,"
               " capacity_phrase: \"(?i)cps limit\""))
          .gateway.call.trunks[0];
  EXPECT_EQ(settings.allow.size(), 2U);
  EXPECT_EQ(settings.username, "gw");
  EXPECT_EQ(settings.password, "secret-t");
  EXPECT_EQ(settings.media_source, media::SourcePolicy::subnet);
  ASSERT_EQ(settings.media.size(), 1U);
  EXPECT_EQ(settings.media[0].bind.text(), "127.0.0.2");
  EXPECT_EQ(settings.media[0].advertise.text(), "198.51.100.4");
  EXPECT_THAT(settings.codecs, ElementsAre("opus"));
  EXPECT_EQ(settings.max_calls, 5U);
  EXPECT_EQ(settings.max_calls_per_second, 2U);
  EXPECT_EQ(settings.session_expires_seconds, 600U);
  EXPECT_EQ(settings.max_redirects, 5U);
  EXPECT_EQ(settings.capacity_phrase, "(?i)cps limit");
}

TEST(ConfigTrunk, RedirectsAreFew) {
  EXPECT_THAT(problems(trunk(", max_redirects: 6")), HasSubstr("max_redirects"));
}

TEST(ConfigTrunk, ACapacityPhraseIsAnExpression) {
  EXPECT_THAT(problems(trunk(", capacity_phrase: \"(\"")),
              AllOf(HasSubstr("capacity_phrase"), HasSubstr("write an RE2 expression")));
}

// RFC 3264 §5.1: they are bound [media-interface]
TEST(ConfigTrunk, AddressesOfItsOwnAreBoundByTheWorkers) {
  EXPECT_THAT(good(trunk(", media: { bind: 127.0.0.2 }")).gateway.io.media.trunk_binds,
              ElementsAre(*IpAddress::parse("127.0.0.2")));
  EXPECT_THAT(good(trunk(", media: { bind: 127.0.0.1 }")).gateway.io.media.trunk_binds, IsEmpty());
}

TEST(ConfigTrunk, MediaAddressesAreChecked) {
  EXPECT_THAT(problems(trunk(", media: { bind: 0.0.0.0 }")),
              HasSubstr("add trunks[0].media.advertise"));
  EXPECT_THAT(problems(trunk(", media: { advertise: 0.0.0.0 }")),
              HasSubstr("can't be reached by anyone"));
  EXPECT_THAT(problems(trunk(", media: { bind: 127.0.0.2, advertise: \"::1\" }")),
              HasSubstr("has no bind address of its family"));
}

TEST(ConfigTrunk, HasMediaAddressesOfBothFamilies) {
  const auto own =
      good("media: { bind: [127.0.0.1, \"::1\"] }\n" +
           trunk(", media: { bind: [127.0.0.2, \"::1\"], advertise: \"2001:db8::4\" }"))
          .gateway.call.trunks[0]
          .media;
  ASSERT_EQ(own.size(), 2U);
  EXPECT_EQ(own[0].advertise.text(), "127.0.0.2");
  EXPECT_EQ(own[1].bind.text(), "::1");
  EXPECT_EQ(own[1].advertise.text(), "2001:db8::4");
}

TEST(ConfigTrunk, WithoutABindOfItsOwnUsesThatOfTheMediaSection) {
  const auto own = good("media: { bind: [127.0.0.1, \"::1\"] }\n" +
                        trunk(", media: { advertise: 198.51.100.4 }"))
                       .gateway.call.trunks[0]
                       .media;
  ASSERT_EQ(own.size(), 2U);
  EXPECT_EQ(own[0].bind.text(), "127.0.0.1");
  EXPECT_EQ(own[0].advertise.text(), "198.51.100.4");
  EXPECT_EQ(own[1].advertise.text(), "::1");
}

TEST(ConfigTrunk, TakesSourcesOfBothFamilies) {
  const auto allow =
      good(trunk(", allow: [192.0.2.0/24, \"2001:db8::/32\", \"[2001:db9::1]:5060\"]"))
          .gateway.call.trunks[0]
          .allow;
  ASSERT_EQ(allow.size(), 3U);
  EXPECT_TRUE(allow[1].contains(*IpAddress::parse("2001:db8::9")));
  EXPECT_TRUE(allow[2].contains(*SocketAddress::parse("[2001:db9::1]:5060")));
}

TEST(ConfigTrunk, UriMustLeadToATrunk) {
  EXPECT_THAT(problems(with_uri("carrier")), HasSubstr("write sip:HOST[:PORT]"));
  EXPECT_THAT(problems(with_uri("tel:+15551234")), HasSubstr("write sip:HOST[:PORT]"));
  EXPECT_THAT(problems(with_uri("sip:gw@127.0.0.1")), HasSubstr("holds a user part"));
  EXPECT_THAT(problems(with_uri("sip:127.0.0.1;transport=ws")),
              HasSubstr("is not a transport for trunks"));
}

TEST(ConfigTrunk, NeedsAListenerOfItsTransportAndFamily) {
  EXPECT_EQ(problems(with_uri("sip:carrier.example.test")), "");
  EXPECT_THAT(problems(with_uri("sip:127.0.0.1;transport=tcp")),
              HasSubstr("needs a SIP listener over tcp"));
  EXPECT_THAT(problems(with_uri("sips:127.0.0.1")), HasSubstr("needs a SIP listener over tls"));
  EXPECT_THAT(problems(with_uri("sip:[2001:db8::1]")), HasSubstr("over udp for IPv6"));
}

TEST(ConfigTrunk, NamesAreUniqueAndFitForMetrics) {
  EXPECT_THAT(
      problems(
          kSip +
          "trunks: [{ name: c, uri: \"sip:127.0.0.1\" }, { name: c, uri: \"sip:127.0.0.2\" }]"),
      HasSubstr("trunks[1].name: \"c\" is given twice"));
  EXPECT_THAT(problems(kSip + "trunks: [{ name: \"a b\", uri: \"sip:127.0.0.1\" }]"),
              HasSubstr("a name of letters"));
}

TEST(ConfigTrunk, TheSameSourceAtTwoTrunksIsAnError) {
  EXPECT_THAT(
      problems(kSip + "trunks: [{ name: a, uri: \"sip:127.0.0.1\", allow: [192.0.2.0/24] }, "
                      "{ name: b, uri: \"sip:127.0.0.2\", allow: [192.0.2.0/24] }]"),
      HasSubstr("already belongs to trunk a"));
}

TEST(ConfigTrunk, AllowIsChecked) {
  EXPECT_THAT(problems(trunk(", allow: [192.0.2.0/33]")),
              HasSubstr("trunks[0].allow[0]: \"192.0.2.0/33\" is not valid"));
  EXPECT_THAT(problems(trunk(", media_source: subnet")), HasSubstr("add allow"));
}

TEST(ConfigTrunk, LoginIsWhole) {
  EXPECT_THAT(problems(trunk(", username: gw")), HasSubstr("has one of username and password"));
  EXPECT_THAT(problems(trunk(", password: secret-t")),
              HasSubstr("has one of username and password"));
}

TEST(ConfigTrunk, CodecsAreKnownAndListedOnce) {
  EXPECT_THAT(problems(trunk(", codecs: [G729]")), HasSubstr("use PCMU, PCMA, opus, G722"));
  EXPECT_THAT(problems(trunk(", codecs: [PCMU, PCMU]")), HasSubstr("is given twice"));
  EXPECT_THAT(problems(trunk(", codecs: []")), HasSubstr("is empty"));
}

// RFC 4568 §7: keys in signalling that is not encrypted are told of at the start [sdes-policy]
TEST(ConfigTrunk, SrtpIsChosenAndWantsEncryptedSignalling) {
  EXPECT_EQ(good(trunk("")).gateway.call.trunks[0].srtp, sdp::SrtpPolicy::none);
  const Config open = good(trunk(", srtp: sdes"));
  EXPECT_EQ(open.gateway.call.trunks[0].srtp, sdp::SrtpPolicy::sdes);
  EXPECT_THAT(open.notices,
              testing::Contains(HasSubstr("sends keys over SIP that is not encrypted")));
  EXPECT_EQ(good(trunk(", srtp: sdes-required")).gateway.call.trunks[0].srtp,
            sdp::SrtpPolicy::sdes_required);
  EXPECT_THAT(problems(trunk(", srtp: dtls")), HasSubstr("srtp"));
  EXPECT_FALSE(open.gateway.call.trunks[0].srtp_begins_anew);
  EXPECT_TRUE(good(trunk(", srtp: sdes, srtp_reset_on_reinvite: true"))
                  .gateway.call.trunks[0]
                  .srtp_begins_anew);
}

TEST(ConfigTrunk, TargetsAreProbedAndFollowEachOther) {
  const call::TrunkSettings standard = good(trunk("")).gateway.call.trunks[0];
  EXPECT_EQ(standard.options_interval, seconds{30});
  EXPECT_EQ(standard.target_timeout, seconds{4});
  EXPECT_THAT(standard.failover_codes, ElementsAre(500, 502, 503, 504));
  const call::TrunkSettings own =
      good(trunk(", options_interval: 0s, target_timeout: 700ms, failover_codes: [503]"))
          .gateway.call.trunks[0];
  EXPECT_EQ(own.options_interval, Duration::zero());
  EXPECT_EQ(own.target_timeout, milliseconds{700});
  EXPECT_THAT(own.failover_codes, ElementsAre(503));
  EXPECT_THAT(problems(trunk(", failover_codes: [486]")), HasSubstr("failover_codes[0]"));
  EXPECT_THAT(problems(trunk(", options_interval: 200ms")), HasSubstr("is too short"));
}

TEST(ConfigTrunk, RegistersWithAName) {
  const call::TrunkSettings registers =
      good(trunk(", register: true, username: gw, password: secret-t, register_expires: 600s"))
          .gateway.call.trunks[0];
  EXPECT_TRUE(registers.registers);
  EXPECT_EQ(registers.register_expires_seconds, 600U);
  EXPECT_FALSE(good(trunk("")).gateway.call.trunks[0].registers);
  EXPECT_THAT(problems(trunk(", register: true")), HasSubstr("needs a name to register"));
}

TEST(ConfigDns, ServersAreAddressesWithPorts) {
  const auto servers =
      good("dns: { servers: [\"127.0.0.1:5353\", \"[::1]:53\"] }\n").gateway.io.dns_servers;
  EXPECT_THAT(servers, ElementsAre(*SocketAddress::parse("127.0.0.1:5353"),
                                   *SocketAddress::parse("[::1]:53")));
  EXPECT_TRUE(good("").gateway.io.dns_servers.empty());
  EXPECT_THAT(problems("dns: { servers: [localhost] }\n"), HasSubstr("dns.servers[0]"));
}

std::string route(const std::string& from, const std::string& match, const std::string& target) {
  return trunk("") + kUsers + "routes:\n  - { from: \"" + from + "\", match: '" + match +
         "', target: '" + target + "' }\n";
}

TEST(ConfigTrunk, ElsewhereIsNotReachedFromTheLoopback) {
  EXPECT_THAT(good(with_uri("sip:127.0.0.1")).notices, IsEmpty());
  EXPECT_THAT(good(with_uri("sip:localhost")).notices, IsEmpty());
  EXPECT_THAT(good(with_uri("sip:192.0.2.1")).notices,
              ElementsAre(AllOf(HasSubstr("line 2: trunks[0].uri: is not this machine"),
                                HasSubstr("listen.sip")),
                          HasSubstr("media.bind")));
  const std::string there =
      "listen: { sip: [{ transport: udp, bind: \"192.0.2.7:5060\" }] }\n"
      "trunks: [{ name: c, uri: \"sip:carrier.example.test\" }]\n";
  EXPECT_THAT(good(there + "media: { bind: 127.0.0.1 }").notices,
              ElementsAre(HasSubstr("no sound")));
  EXPECT_THAT(good(there + "media: { bind: 192.0.2.7 }").notices, IsEmpty());
}

TEST(ConfigRoute, TakesAllCallersAndTargets) {
  EXPECT_EQ(problems(route("user", "^\\+?[0-9]{3,15}$", "trunk:carrier")), "");
  EXPECT_EQ(problems(route("trunk:carrier", "^1001$", "user:alice")), "");
  EXPECT_EQ(problems(route("trunk:carrier", "^1(.*)$", "user:\\1")), "");
  EXPECT_EQ(problems(route("any", "^echo$", "service:echo")), "");
  EXPECT_EQ(problems(route("any", "^tone$", "service:tone")), "");
}

TEST(ConfigRoute, KeepsTheOrderOfTheFile) {
  const Config config = good(trunk("") +
                             "routes: [{ from: any, match: a, target: \"service:echo\" }, "
                             "{ from: any, match: b, target: \"trunk:carrier\" }]");
  ASSERT_EQ(config.gateway.call.routes.size(), 2U);
  EXPECT_EQ(config.gateway.call.routes[1].target, "trunk:carrier");
}

TEST(ConfigRoute, UnknownTrunksGetTheNearestName) {
  EXPECT_THAT(
      problems(route("user", ".", "trunk:carier")),
      HasSubstr("routes[0].target: there is no trunk \"carier\"; did you mean \"carrier\"?"));
  EXPECT_THAT(problems(route("trunk:xyz", ".", "service:echo")),
              HasSubstr("routes[0].from: there is no trunk \"xyz\"; there are: carrier"));
}

TEST(ConfigRoute, UnknownUsersAreTakenWithANotice) {
  EXPECT_THAT(good(route("any", ".", "user:alcie")).notices,
              ElementsAre(AllOf(HasSubstr("\"alcie\" is not in users"),
                                HasSubstr("did you mean \"alice\"?"))));
}

TEST(ConfigRoute, UnknownServicesCallersAndTargetsAreErrors) {
  EXPECT_THAT(problems(route("any", ".", "service:ecko")), HasSubstr("did you mean \"echo\"?"));
  EXPECT_THAT(problems(route("browser", ".", "service:echo")),
              HasSubstr("use user, any or trunk:NAME"));
  EXPECT_THAT(problems(route("any", ".", "carrier")),
              AllOf(HasSubstr("is not a target"), HasSubstr("echo, tone, play, policy")));
  EXPECT_THAT(problems(route("any", ".", "user:")), HasSubstr("is not a target"));
}

TEST(ConfigRoute, ThePlayServiceNeedsASound) {
  EXPECT_THAT(problems(route("any", ".", "service:play")), HasSubstr("add media.sounds.play"));
}

TEST(ConfigRoute, ThePolicyServiceMustBeKnown) {
  EXPECT_THAT(problems(route("any", ".", "service:policy")), HasSubstr("add policy.endpoint"));
  EXPECT_EQ(
      problems(route("any", ".", "service:policy") + "policy: { endpoint: \"127.0.0.1:50061\" }"),
      "");
}

TEST(ConfigRoute, BadExpressionsAreErrorsAtTheirLine) {
  EXPECT_THAT(problems(route("any", "^(1", "service:echo")),
              AllOf(HasSubstr("routes[0].match: missing"), HasSubstr("f.yaml:")));
  EXPECT_THAT(problems(route("any", "^1$", "user:\\1")), HasSubstr("routes[0].target:"));
}

}  // namespace
}  // namespace trunkline::config
