#pragma once
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace trunkline::bench {

/// Of this process, user and system.
inline double processor_milliseconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return 1000.0 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1000;
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

/// Answers each line of standard input by one line of JSON, until there is none; between them the
/// load goes on. `execute` gets the load and the line.
template <class Load, class Execute>
void serve(Load& load, const Execute& execute) {
  for (std::string line;;) {
    load.idle(STDIN_FILENO);
    if (!std::getline(std::cin, line)) return;
    const double before = processor_milliseconds();
    nlohmann::json result = execute(load, line);
    result["own_cpu_ms"] = processor_milliseconds() - before;
    std::cout << result << std::endl;
  }
}

}  // namespace trunkline::bench
