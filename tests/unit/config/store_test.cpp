#include "parsed.hpp"
#include <gmock/gmock.h>

// The store: where Redis is, where this node is, and what the nodes need to know each other.
namespace trunkline::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kSecret = "credentials: { secret: \"0123456789abcdef\" }\n";

std::string with_store(const std::string& store, const std::string& more = kSip) {
  return "node: edge-1\n" + more + std::string(kSecret) + "store: { type: redis, " + store + " }";
}

TEST(ConfigStore, MemoryIsTheDefault) {
  const Config config = good("domain: a.test");
  EXPECT_FALSE(config.gateway.io.store);
  EXPECT_FALSE(config.gateway.call.replicas.enabled);
}

TEST(ConfigStore, RedisIsFoundByItsUrl) {
  const auto place = [](const std::string& url) {
    return good(with_store("url: \"" + url + "\"")).gateway.io.store->redis;
  };
  EXPECT_EQ(place("redis://127.0.0.1").port, 6379);
  EXPECT_EQ(place("redis://127.0.0.1").database, 0);
  const io::RedisPlace full = place("redis://:p%40ss:w@store.example.test:6380/3");
  EXPECT_EQ(full.host, "store.example.test");
  EXPECT_EQ(full.port, 6380);
  EXPECT_EQ(full.user, "");
  EXPECT_EQ(full.password, "p@ss:w");
  EXPECT_EQ(full.database, 3);
  EXPECT_EQ(place("redis://gateway:secret@[::1]:7000/").host, "::1");
  EXPECT_EQ(place("redis://gateway:secret@[::1]:7000/").user, "gateway");
}

TEST(ConfigStore, ABadUrlIsRefusedWithoutItsPassword) {
  for (const char* url : {"http://127.0.0.1", "redis://", "redis://h:0", "redis://h:x",
                          "redis://h/x", "redis://hunter2@h", "redis://[::1"}) {
    EXPECT_THAT(
        problems(with_store("url: \"" + std::string(url) + "\"")),
        AllOf(HasSubstr("store.url: is not valid; write redis://"), Not(HasSubstr("hunter2"))))
        << url;
  }
  EXPECT_THAT(problems(with_store("node_address: \"127.0.0.1:5060\"")),
              HasSubstr("store.type: redis has no url; add url"));
}

TEST(ConfigStore, TlsIsRefusedWithTheReason) {
  EXPECT_EQ(
      problems(with_store("url: \"rediss://127.0.0.1\"")),
      "f.yaml:4: store.url: asks for TLS, which the Redis client library of Debian 12 "
      "(hiredis 0.14) lacks; use redis:// on a network of your own, or to a TLS tunnel on this "
      "host");
}

TEST(ConfigStore, TheNodeIsWhereItsSipListenerIs) {
  const std::string url = "url: \"redis://127.0.0.1\"";
  EXPECT_EQ(good(with_store(url)).gateway.io.store->address.remote.text(), "127.0.0.1:5060");
  const std::string both =
      "listen: { sip: [{ transport: tcp, bind: \"0.0.0.0:5060\", advertise: \"10.0.0.5:5060\" }] "
      "}\nmedia: { bind: 0.0.0.0, advertise: 10.0.0.9 }\n";
  const Config config = good(with_store(url, both));
  EXPECT_EQ(config.gateway.io.store->address.transport, sip::Transport::tcp);
  EXPECT_EQ(config.gateway.io.store->address.remote.text(), "10.0.0.5:5060");
  const call::TrunkSettings& replicas = config.gateway.call.trunks.back();
  EXPECT_EQ(replicas.name, "replicas");
  ASSERT_EQ(replicas.media.size(), 1U);
  EXPECT_EQ(replicas.media[0].advertise.text(), "10.0.0.5");
  const Config own = good(with_store(url + ", node_address: \"10.1.2.3:5070\"", both));
  EXPECT_EQ(own.gateway.io.store->address.remote.text(), "10.1.2.3:5070");
  EXPECT_THAT(problems(with_store(url + ", node_address: \"0.0.0.0:5070\"", both)),
              HasSubstr("store.node_address: 0.0.0.0:5070 can't be reached by anyone"));
  EXPECT_THAT(problems(with_store(url, "")), HasSubstr("add one of transport udp or tcp"));
}

TEST(ConfigStore, TheNodesNeedASecretAndTheirName) {
  const std::string store = "store: { type: redis, url: \"redis://127.0.0.1\" }";
  EXPECT_THAT(
      problems(kSip + store),
      HasSubstr("store.type: redis needs a secret by which the nodes know each other; write "
                "credentials.secret, the same for all nodes"));
  EXPECT_THAT(problems(kSip + "credentials: { secret: short }\n" + store),
              HasSubstr("credentials.secret: "));
  EXPECT_THAT(problems(with_store("url: \"redis://h\"",
                                  kSip + "trunks: [{ name: replicas, uri: \"sip:192.0.2.1\" }]\n")),
              HasSubstr("trunks[0].name: is what the other nodes are called"));
}

TEST(ConfigStore, KeysOfRedisStandBesideRedisOnly) {
  EXPECT_THAT(problems("store: { url: \"redis://127.0.0.1\" }"),
              HasSubstr("stands beside type memory"));
  EXPECT_THAT(problems("store: { node_address: \"127.0.0.1:5060\" }"),
              HasSubstr("stands beside type memory"));
}

}  // namespace
}  // namespace trunkline::config
