#include "call/replicas.hpp"
#include "sip/uri.hpp"

#include "config/build.hpp"
#include <algorithm>
#include <charconv>

// The store, and the other nodes that it tells of.
namespace trunkline::config {
namespace {

constexpr std::string_view kUrl = "redis://[:PASSWORD@]HOST[:PORT][/DB]";
constexpr int kMaxDatabase = 9999;

std::optional<int> number_in(std::string_view text, int least, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number >= least && number <= most ? std::optional(number) : std::nullopt;
}

/// HOST, HOST:PORT, [ADDR] or [ADDR]:PORT.
bool read_host(std::string_view text, io::RedisPlace& place) {
  std::string_view host = text, rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return false;
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  place.host = host;
  if (rest.empty()) return !host.empty();
  const auto port = rest.front() == ':' ? number_in(rest.substr(1), 1, 65535) : std::nullopt;
  if (!port) return false;
  place.port = static_cast<std::uint16_t>(*port);
  return !host.empty();
}

/// Nothing: the text is no such URL. It may hold a password: no message repeats it.
std::optional<io::RedisPlace> read_url(std::string_view text) {
  constexpr std::string_view kScheme = "redis://";
  if (!text.starts_with(kScheme)) return std::nullopt;
  text.remove_prefix(kScheme.size());
  io::RedisPlace place;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view entry = text.substr(0, at);
    const auto colon = entry.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    place.user = sip::unescape(entry.substr(0, colon));
    place.password = sip::unescape(entry.substr(colon + 1));
    text.remove_prefix(at + 1);
  }
  const auto slash = text.find('/');
  if (!read_host(text.substr(0, slash), place)) return std::nullopt;
  if (slash == std::string_view::npos || slash + 1 == text.size()) return place;
  const auto database = number_in(text.substr(slash + 1), 0, kMaxDatabase);
  if (!database) return std::nullopt;
  place.database = *database;
  return place;
}

std::optional<io::RedisPlace> redis_place(const Build& build, const Value& store) {
  const Value& url = store["url"];
  if (!url.known) {
    build.wrong(store["type"], "redis has no url", "add url: \"" + std::string(kUrl) + "\"");
    return std::nullopt;
  }
  if (url.text.starts_with("rediss://")) {
    build.wrong(url,
                "asks for TLS, which the Redis client library of Debian 12 (hiredis 0.14) lacks",
                "use redis:// on a network of your own, or to a TLS tunnel on this host");
    return std::nullopt;
  }
  auto place = read_url(url.text);
  if (!place) build.wrong(url, "is not valid", "write " + std::string(kUrl));
  return place;
}

/// Where the other nodes reach this one.
std::optional<sip::Target> node_address(const Build& build, const Value& store) {
  const auto& listeners = build.config.gateway.io.sip;
  for (const sip::Transport transport : {sip::Transport::udp, sip::Transport::tcp}) {
    const auto one = std::ranges::find(listeners, transport, &io::SipListener::transport);
    if (one == listeners.end()) continue;
    sip::Target address{transport, one->advertise.value_or(one->bind), {}};
    const Value& key = store["node_address"];
    if (!key.known) return address;
    address.remote = *SocketAddress::parse(key.text);
    const IpAddress& ip = address.remote.ip;
    if (ip.is_unspecified() || ip.is_multicast() || address.remote.port == 0) {
      build.wrong(key, address.remote.text() + " can't be reached by anyone",
                  "write the address and port at which the other nodes reach this one");
    }
    return address;
  }
  build.wrong(store["type"], "redis needs a listener for the calls of the other nodes",
              "add one of transport udp or tcp to listen.sip");
  return std::nullopt;
}

/// Of their calls, in both directions.
call::TrunkSettings replicas_trunk(const Config& config, const sip::Target& address) {
  const call::Settings& call = config.gateway.call;
  call::TrunkSettings trunk;
  trunk.name = call::kReplicas;
  trunk.replicas = true;
  const IpAddress& ip = address.remote.ip;
  trunk.uri =
      sip::Uri::sip({}, ip.is_v6() ? "[" + ip.text() + "]" : ip.text(), address.remote.port);
  trunk.codecs = call.browser_codecs;
  const io::MediaSettings& media = config.gateway.io.media;
  for (std::size_t i = 0; i < media.bind.size(); ++i) {
    // The nodes see each other inside: what peers outside are told may be on a NAT.
    const IpAddress& own = media.bind[i];
    const bool here = !own.is_unspecified();
    const bool same_family = own.is_v4() == address.remote.ip.is_v4();
    trunk.media.push_back({own, here ? own : same_family ? address.remote.ip : media.advertise[i]});
  }
  trunk.max_calls = static_cast<std::uint32_t>(call.max_calls);
  trunk.max_calls_per_second = trunk.max_calls;
  // The shortest that RFC 4028 §4 allows: what a node that died has left ends within it.
  trunk.session_expires_seconds = 90;
  trunk.target_timeout = seconds{2};
  trunk.asserts_identity = trunk.accepts_identity = true;
  trunk.tells_diversion = trunk.tells_history = true;
  trunk.headers_to = trunk.headers_from = {"*"};
  return trunk;
}

}  // namespace

void build_store(const Build& build) {
  const Value& store = build.file["store"];
  if (store["type"].text != "redis") {
    for (const std::string_view key : {"url", "node_address"}) {
      if (store[key].present) build.wrong(store[key], "stands beside type memory", "remove it");
    }
    return;
  }
  call::Settings& call = build.config.gateway.call;
  const auto place = redis_place(build, store);
  const auto address = node_address(build, store);
  if (!build.file["credentials"]["secret"].known) {
    build.wrong(store["type"], "redis needs a secret by which the nodes know each other",
                "write credentials.secret, the same for all nodes");
  }
  for (const Value& trunk : build.file["trunks"].items) {
    if (trunk["name"].text == call::kReplicas) {
      build.wrong(trunk["name"], "is what the other nodes are called where the store is redis",
                  "choose another name");
    }
  }
  if (!place || !address) return;
  build.config.gateway.io.store =
      io::StoreSettings{.redis = *place,
                        .node = build.config.node,
                        .domain = build.config.domain,
                        .address = *address,
                        .max_bindings = call.registrar.max_registrations};
  call.replicas.enabled = true;
  call.trunks.push_back(replicas_trunk(build.config, *address));
}

}  // namespace trunkline::config
