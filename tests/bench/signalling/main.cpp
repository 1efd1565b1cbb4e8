// The load of the signalling bench: browsers and trunks of one server. One command a line on
// standard input, each answered by one line of JSON:
//   connect USERS                              opens a WebSocket for each
//   register RATE                              each user registers, so many a second
//   call browser|trunk RATE COUNT HOLD_MS      calls to the callee trunk, ended so long after the
//   answer
#include "load.hpp"
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

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

double processor_milliseconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return 1000.0 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1000;
  };
  return of(used.ru_utime) + of(used.ru_stime);
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
    for (std::string line;;) {
      load.idle(STDIN_FILENO);
      if (!std::getline(std::cin, line)) return 0;
      const double before = processor_milliseconds();
      Json result = execute(load, std::istringstream(line));
      result["own_cpu_ms"] = processor_milliseconds() - before;
      std::cout << result << std::endl;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
