#include "telemetry/process_metrics.hpp"

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace trunkline::telemetry {
namespace {

std::string line_of(const char* path) {
  std::ifstream stream(path);
  std::string line;
  std::getline(stream, line);
  return line;
}

/// The fields of /proc/self/stat after the command, which may hold anything: field 3 (state) is the
/// first.
std::vector<std::string> stat_fields() {
  const std::string line = line_of("/proc/self/stat");
  const std::size_t command_end = line.rfind(')');
  std::vector<std::string> fields;
  if (command_end == std::string::npos) return fields;
  std::istringstream rest(line.substr(command_end + 1));
  for (std::string field; rest >> field;)
    fields.push_back(field);
  return fields;
}

/// Seconds since 1970 at which the machine started.
std::optional<double> boot_time() {
  std::ifstream stream("/proc/stat");
  std::string name;
  double value = 0;
  while (stream >> name) {
    if (name == "btime" && stream >> value) return value;
    stream.ignore(1 << 20, '\n');
  }
  return std::nullopt;
}

double number(const std::string& text) {
  return std::strtod(text.c_str(), nullptr);
}

void collect_stat(Exposition& out) {
  constexpr std::size_t kUser = 11, kSystem = 12, kThreads = 17, kStart = 19, kVirtual = 20,
                        kResident = 21;
  const std::vector<std::string> fields = stat_fields();
  if (fields.size() <= kResident) return;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
  out.add_counter("process_cpu_seconds_total", "User and system CPU time.", {},
                  (number(fields[kUser]) + number(fields[kSystem])) / ticks);
  out.add_gauge("process_threads", "Threads.", {}, number(fields[kThreads]));
  out.add_gauge("process_virtual_memory_bytes", "Virtual memory.", {}, number(fields[kVirtual]));
  out.add_gauge("process_resident_memory_bytes", "Resident memory.", {},
                number(fields[kResident]) * page);
  if (const auto boot = boot_time()) {
    out.add_gauge("process_start_time_seconds", "Start of the process, seconds since 1970.", {},
                  *boot + number(fields[kStart]) / ticks);
  }
}

}  // namespace

void collect_process(Exposition& out) {
  collect_stat(out);
  std::error_code error;
  std::size_t open = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end;
       at.increment(error)) {
    ++open;
  }
  if (!error)
    out.add_gauge("process_open_fds", "Open file descriptors.", {}, static_cast<double>(open));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    out.add_gauge("process_max_fds", "Most file descriptors that may be open.", {},
                  static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace trunkline::telemetry
