// The load of the signalling bench: browsers and trunks of one server. One command a line on
// standard input, each answered by one line of JSON:
//   connect USERS                              opens a WebSocket for each
//   register RATE                              each user registers, so many a second
//   call browser|trunk RATE COUNT HOLD_MS      calls to the callee trunk, ended so long after the
//   answer
#include "../load_commands.hpp"
#include "load.hpp"
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

namespace {

using namespace trunkline;
using namespace trunkline::bench;
using Json = nlohmann::json;

Json report(Outcome outcome) {
  auto& times = outcome.set_up;
  std::ranges::sort(times);
  const auto at = [&times](double share) {
    if (times.empty()) return 0.0;
    return times[std::min(times.size() - 1,
                          static_cast<std::size_t>(share * static_cast<double>(times.size())))];
  };
  return {{"begun", outcome.begun},     {"done", outcome.done}, {"failed", outcome.failed},
          {"reasons", outcome.reasons}, {"p50", at(0.5)},       {"p99", at(0.99)},
          {"seconds", outcome.seconds}, {"late", outcome.late}};
}

Json execute(Load& load, std::istringstream words) {
  std::string verb;
  words >> verb;
  if (verb == "connect") {
    std::size_t users = 0;
    words >> users;
    load.connect(users);
    return {{"users", users}};
  }
  if (verb == "register") {
    double rate = 0;
    words >> rate;
    return report(load.register_all(rate));
  }
  std::string kind;
  double rate = 0;
  std::size_t count = 0;
  int hold = 0;
  words >> kind >> rate >> count >> hold;
  return report(load.call(kind == "browser" ? CallKind::browser_to_trunk : CallKind::trunk_to_trunk,
                          rate, count, milliseconds{hold}));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) {
    std::cerr << "usage: signalling_load WEBSOCKET_PORT SIP_PORT CALLER_PORT CALLEE_PORT OFFER\n";
    return 64;
  }
  try {
    const auto port = [arguments](int at) {
      return static_cast<std::uint16_t>(std::stoi(arguments[at]));
    };
    std::ifstream offer(arguments[5]);
    Load load({port(1), port(2), port(3), port(4),
               std::string(std::istreambuf_iterator<char>(offer), {})});
    serve(load,
          [](Load& to, const std::string& line) { return execute(to, std::istringstream(line)); });
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
