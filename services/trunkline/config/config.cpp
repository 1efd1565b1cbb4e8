#include "config/config.hpp"

#include "config/build.hpp"
#include "config/reader.hpp"
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <unistd.h>

namespace trunkline::config {
namespace {

/// What an empty file means: a gateway for the person in front of it.
constexpr std::string_view kLoopback =
    "listen: { websocket: [{ bind: \"127.0.0.1:8080\" }], grpc: { bind: \"127.0.0.1:50051\" }, "
    "admin: { bind: \"127.0.0.1:9090\" } }\n"
    "domain: localhost\n"
    "media: { bind: 127.0.0.1 }\n";

Value& member(Value& section, std::string_view name) {
  return *std::ranges::find_if(section.items,
                               [name](const Value& item) { return item.key->name == name; });
}

std::string host_name() {
  std::array<char, 256> buffer{};
  if (gethostname(buffer.data(), buffer.size() - 1) != 0 || buffer[0] == '\0') return "trunkline";
  return buffer.data();
}

void mark_default(Value& value) {
  value.line = 0;
  for (Value& item : value.items)
    mark_default(item);
}

bool all_on_loopback(const Value& listen) {
  for (const std::string_view kind : {"websocket", "sip"}) {
    for (const Value& listener : listen[kind].items) {
      if (!SocketAddress::parse(listener["bind"].text)->ip.is_loopback()) return false;
    }
  }
  return true;
}

/// Fills what depends on the machine or on other keys, so that the effective configuration shows
/// it.
void complete(Value& file, Problems& problems) {
  Problems none;
  Value standard = read(
      kLoopback, "", [](const std::string&) { return std::nullopt; }, none);
  mark_default(standard);
  if (!file["node"].known) {
    member(file, "node").text = host_name();
    member(file, "node").known = true;
  }
  if (!file["domain"].known) {
    Value& domain = member(file, "domain");
    domain = member(standard, "domain");
    domain.present = false;
  }
  if (!file["listen"].present) member(file, "listen") = member(standard, "listen");
  if (file["media"]["bind"].known) return;
  if (all_on_loopback(file["listen"])) {
    member(member(file, "media"), "bind") = member(member(standard, "media"), "bind");
  } else {
    problems.add(file["media"].line, "media.bind",
                 "is missing although a listener is not on loopback",
                 "write the local address for media");
  }
}

std::optional<std::string> from_process(const std::string& name) {
  // Read before there is another thread. NOLINTNEXTLINE(concurrency-mt-unsafe)
  const char* found = std::getenv(name.c_str());
  return found == nullptr ? std::nullopt : std::optional<std::string>(found);
}

/// Lines of NAME=VALUE; others are left alone.
std::map<std::string, std::string> variables_of(const std::string& text) {
  std::map<std::string, std::string> variables;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find('=');
    if (at != std::string::npos) variables[line.substr(0, at)] = line.substr(at + 1);
  }
  return variables;
}

}  // namespace

Result<Config, std::vector<Problem>> parse(std::string_view text, const std::string& folder,
                                           const Environment& environment) {
  Problems problems;
  Value file = read(text, folder, environment, problems);
  if (!problems.none()) return fail(problems.list());
  complete(file, problems);
  if (!problems.none()) return fail(problems.list());
  return build(std::move(file), folder);
}

Result<Config, std::vector<Problem>> build(Value file, const std::string& folder) {
  Problems problems;
  Config config;
  const Build build{file, folder, config, problems};
  build_node(build);
  build_listeners(build);
  build_media(build);
  build_users(build);
  build_trunks(build);
  build_routes(build);
  build_store(build);
  if (!problems.none()) return fail(problems.list());
  config.effective = std::move(file);
  return config;
}

std::vector<std::string> secret_files(const Value& effective) {
  std::vector<std::string> files;
  if (!effective.file.empty()) files.push_back(effective.file);
  for (const Value& item : effective.items) {
    auto more = secret_files(item);
    files.insert(files.end(), more.begin(), more.end());
  }
  return files;
}

Result<Config, std::vector<Problem>> load(const std::string& file, const std::string& variables) {
  const auto text = read_file(file);
  if (!text)
    return fail(std::vector<Problem>{
        {0, "", text.error().message, "give the path of a configuration file"}});
  std::map<std::string, std::string> given;
  if (!variables.empty()) {
    const auto lines = read_file(variables);
    if (!lines)
      return fail(std::vector<Problem>{
          {0, "", lines.error().message, "give the path of a file of variables"}});
    given = variables_of(*lines);
  }
  const auto look_up = [&given](const std::string& name) {
    const auto found = given.find(name);
    return found == given.end() ? from_process(name) : std::optional(found->second);
  };
  return parse(*text, std::filesystem::path(file).parent_path().string(), look_up);
}

}  // namespace trunkline::config
