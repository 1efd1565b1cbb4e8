#include "call/router.hpp"

#include "config/build.hpp"
#include <algorithm>

namespace trunkline::config {
namespace {

constexpr std::string_view kTrunk = "trunk:", kUser = "user:", kService = "service:";

template <class Settings>
std::vector<std::string> names_of(const std::vector<Settings>& list) {
  std::vector<std::string> names;
  names.reserve(list.size());
  for (const Settings& entry : list)
    names.push_back(entry.name);
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "there is none" : "there are: " + text;
}

/// "trunk:NAME" in `from` or `target`.
void check_trunk(const Build& build, const Value& key) {
  const std::string name = key.text.substr(kTrunk.size());
  const std::vector<std::string> names = names_of(build.config.gateway.call.trunks);
  if (name.find('\\') != std::string::npos || std::ranges::find(names, name) != names.end()) return;
  const std::string near = suggest(name, names);
  build.wrong(key, "there is no trunk \"" + name + "\"", near.empty() ? listed(names) : near);
}

void check_user(const Build& build, const Value& key) {
  const std::string name = key.text.substr(kUser.size());
  const std::vector<std::string> names = names_of(build.config.gateway.call.users);
  if (name.find('\\') != std::string::npos || std::ranges::find(names, name) != names.end()) return;
  std::string near = suggest(name, names);
  build.notice(key, "\"" + name + "\" is not in users" + (near.empty() ? "" : "; " + near));
}

void check_service(const Build& build, const Value& key) {
  const std::string name = key.text.substr(kService.size());
  if (name == "echo" || name == "tone") return;
  if (name == "policy") {
    if (!build.file["policy"]["endpoint"].present)
      build.wrong(key, "needs a policy service", "add policy.endpoint");
    return;
  }
  if (name == "play") {
    if (!build.file["media"]["sounds"]["play"].present)
      build.wrong(key, "needs a sound", "add media.sounds.play");
    return;
  }
  const std::string near = suggest(name, {"echo", "tone", "play", "policy"});
  build.wrong(
      key, "there is no service \"" + name + "\"",
      near.empty() ? "use service:echo, service:tone, service:play or service:policy" : near);
}

void check_from(const Build& build, const Value& key) {
  if (key.text.starts_with(kTrunk)) {
    check_trunk(build, key);
  } else if (key.text != "user" && key.text != "any") {
    build.wrong(key, "\"" + key.text + "\" is not a caller", "use user, any or trunk:NAME");
  }
}

void check_target(const Build& build, const Value& key) {
  if (key.text.starts_with(kTrunk) && key.text.size() > kTrunk.size()) {
    check_trunk(build, key);
  } else if (key.text.starts_with(kUser) && key.text.size() > kUser.size()) {
    check_user(build, key);
  } else if (key.text.starts_with(kService)) {
    check_service(build, key);
  } else {
    build.wrong(key, "\"" + key.text + "\" is not a target",
                "use trunk:NAME, user:NAME or service:NAME (echo, tone, play, policy)");
  }
}

/// What the router itself says to this one rule, at the key that it blames.
void check_rule(const Build& build, const Value& key, const call::RouteSettings& route) {
  const call::Settings& settings = build.config.gateway.call;
  const auto router = call::Router::make({route}, settings.users, settings.trunks);
  if (router) return;
  std::string_view message = router.error().message;
  if (const std::size_t colon = message.find(": "); colon != std::string_view::npos)
    message.remove_prefix(colon + 2);
  for (const std::string_view name : {"from", "match", "target"}) {
    if (!message.starts_with(name)) continue;
    const bool captures = name == "target";
    build.wrong(key[name], std::string(message.substr(std::min(name.size() + 2, message.size()))),
                captures ? "use \\1 to \\9, each for a group ( ) of match"
                         : "write an RE2 expression such as ^\\+?[0-9]{3,15}$");
    return;
  }
  build.wrong(key, std::string(message), "");
}

}  // namespace

void build_routes(const Build& build) {
  for (const Value& key : build.file["routes"].items) {
    const std::size_t before = build.problems.list().size();
    call::RouteSettings route{
        .from = key["from"].text, .match = key["match"].text, .target = key["target"].text};
    check_from(build, key["from"]);
    check_target(build, key["target"]);
    if (build.problems.list().size() == before) check_rule(build, key, route);
    build.config.gateway.call.routes.push_back(std::move(route));
  }
}

}  // namespace trunkline::config
