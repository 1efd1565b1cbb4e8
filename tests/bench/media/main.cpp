// The load of the media bench: browsers and plain RTP peers of one server. One command a line on
// standard input, each answered by one line of JSON:
//   {"do": "add", "kind": "dtls" | "keyed", "profiles": NAMES, "count": N}
//   {"do": "remote", "calls": [{"id", "encrypted_side", "plain_side", "ufrag", "pwd", "fingerprint"
//                               or "profile", "send", "receive" in hex}]}
//   {"do": "connect", "rate": N}
//   {"do": "talk", "calls": N, "seconds": N, "connect_rate": N}
#include "../load_commands.hpp"
#include "keys.hpp"
#include "load.hpp"
#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace {

using namespace trunkline;
using namespace trunkline::bench;
using Json = nlohmann::json;

Json add(Load& load, const Json& order) {
  const CallKind kind = order.at("kind") == "dtls" ? CallKind::dtls : CallKind::keyed;
  Json calls = Json::array();
  for (std::size_t left = order.at("count"); left > 0; --left) {
    const Load::Local local = load.add(kind, order.value("profiles", ""));
    calls.push_back({{"id", local.id},
                     {"encrypted_side", local.encrypted_side.text()},
                     {"plain_side", local.plain_side.text()},
                     {"ssrc", local.ssrc},
                     {"ufrag", local.ice.ufrag},
                     {"pwd", local.ice.pwd},
                     {"fingerprint", local.fingerprint.value}});
  }
  return {{"calls", calls}};
}

Json set_remotes(Load& load, const Json& order) {
  for (const Json& call : order.at("calls")) {
    Remote remote;
    remote.encrypted_side =
        SocketAddress::parse(call.at("encrypted_side").get<std::string>()).value();
    remote.plain_side = SocketAddress::parse(call.at("plain_side").get<std::string>()).value();
    remote.ice = {call.value("ufrag", ""), call.value("pwd", "")};
    remote.fingerprint = {"sha-256", call.value("fingerprint", "")};
    if (call.contains("send")) {
      const media::SrtpProfile profile = profile_named(call.at("profile").get<std::string>());
      remote.keys = Keys{profile, master_key(profile, call.at("send").get<std::string>()),
                         master_key(profile, call.at("receive").get<std::string>())};
    }
    load.set_remote(call.at("id"), remote);
  }
  return {{"calls", order.at("calls").size()}};
}

Json report(const Connected& connected) {
  return {{"connected", connected.connected},
          {"failed", connected.failed},
          {"seconds", connected.seconds}};
}

/// Microseconds; the histogram has four classes for each power of two, by their upper ends.
Json latency(std::vector<std::int64_t> times) {
  if (times.empty()) return {};
  std::ranges::sort(times);
  const auto micro = [](std::int64_t time) { return static_cast<double>(time) / 1000; };
  const auto at = [&](double share) {
    const auto place = static_cast<std::size_t>(share * static_cast<double>(times.size()));
    return micro(times[std::min(times.size() - 1, place)]);
  };
  Json histogram = Json::array();
  std::size_t counted = 0;
  for (double bound = 1; counted < times.size(); bound *= std::pow(2, 0.25)) {
    std::size_t below = counted;
    while (below < times.size() && micro(times[below]) < bound)
      ++below;
    if (below > counted) histogram.push_back({bound, below - counted});
    counted = below;
  }
  return {{"p50", at(0.5)},
          {"p90", at(0.9)},
          {"p99", at(0.99)},
          {"p999", at(0.999)},
          {"max", micro(times.back())},
          {"histogram", histogram}};
}

Json report(Talked talked) {
  Tally& tally = talked.tally;
  return {{"calls", talked.calls},
          {"sent", tally.sent},
          {"received", tally.received},
          {"lost", tally.lost},
          {"reordered", tally.reordered},
          {"altered", tally.altered},
          {"srtp_errors", talked.srtp_errors},
          {"strangers", talked.strangers},
          {"rtcp", talked.rtcp},
          {"own_overflows", talked.overflows},
          {"own_refused", talked.refused},
          {"own_late_ms", talked.late},
          {"gap_ms", tally.gap},
          {"added_gap_ms", tally.added_gap},
          {"latency_us", latency(std::move(tally.latencies))},
          {"connected", report(talked.connected)}};
}

Json execute(Load& load, const Json& order) {
  const std::string verb = order.at("do");
  if (verb == "add") return add(load, order);
  if (verb == "remote") return set_remotes(load, order);
  if (verb == "connect") return report(load.connect(order.value("rate", 0.0)));
  if (verb != "talk") throw std::runtime_error("unknown command " + verb);
  return report(load.talk(order.at("calls"), seconds{order.at("seconds").get<int>()},
                          order.value("connect_rate", 0.0)));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "usage: media_load ENCRYPTED_PORT PLAIN_PORT\n";
    return 64;
  }
  try {
    const auto port = [arguments](int at) {
      return static_cast<std::uint16_t>(std::stoi(arguments[at]));
    };
    Load load(port(1), port(2));
    serve(load, [](Load& to, const std::string& line) { return execute(to, Json::parse(line)); });
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
