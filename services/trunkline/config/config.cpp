#include "config/config.hpp"

#include "config/build.hpp"
#include "config/reader.hpp"
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
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

}  // namespace

Result<Config, std::vector<Problem>> parse(std::string_view text, const std::string& folder,
                                           const Environment& environment) {
  Problems problems;
  Value file = read(text, folder, environment, problems);
  if (!problems.none()) return fail(problems.list());
  complete(file, problems);
  if (!problems.none()) return fail(problems.list());
  Config config;
  const Build build{file, folder, config, problems};
  build_node(build);
  build_listeners(build);
  build_media(build);
  build_users(build);
  build_trunks(build);
  build_routes(build);
  if (!problems.none()) return fail(problems.list());
  config.effective = std::move(file);
  return config;
}

Result<Config, std::vector<Problem>> load(const std::string& file) {
  const auto text = read_file(file);
  if (!text)
    return fail(std::vector<Problem>{
        {0, "", text.error().message, "give the path of a configuration file"}});
  return parse(*text, std::filesystem::path(file).parent_path().string(), from_process);
}

}  // namespace trunkline::config
