#include "call/number_rules.hpp"

#include "config/build.hpp"
#include <algorithm>
#include <filesystem>
#include <system_error>

namespace trunkline::config {
namespace {

void build_web(const Build& build) {
  const Value& websocket = build.file["websocket"];
  io::WebSocketSettings& settings = build.config.gateway.io.websocket_settings;
  for (const Value& origin : websocket["allowed_origins"].items)
    settings.allowed_origins.push_back(origin.text);
  if (websocket["allowed_origins"].present && settings.allowed_origins.empty()) {
    build.wrong(websocket["allowed_origins"], "is empty",
                "list the origins, or remove the key to take any");
  }
  settings.max_message = static_cast<std::size_t>(websocket["max_message"].number);
  build.config.gateway.call.reconnect_grace = websocket["grace"].duration();
  build.config.web_phone = build.file["web"]["phone"].is_true();
}

void build_limits(const Build& build) {
  call::Settings& call = build.config.gateway.call;
  call.max_calls = static_cast<std::size_t>(build.file["limits"]["max_calls"].number);
  call.max_ended_calls = static_cast<std::size_t>(build.file["limits"]["max_ended_calls"].number);
  build.config.gateway.sip.max_transactions =
      static_cast<std::size_t>(build.file["limits"]["max_transactions"].number);
  call.registrar.max_registrations =
      static_cast<std::size_t>(build.file["limits"]["max_registrations"].number);
  call.drain_timeout = build.file["drain"]["timeout"].duration();
  build.config.gateway.io.websocket_settings.drain_spread =
      build.file["drain"]["spread"].duration();
  media::PlaneSettings& plane = build.config.gateway.media;
  plane.max_legs = std::max(plane.max_legs, call.max_calls * kLegsPerCall);
}

void build_policy(const Build& build) {
  const Value& policy = build.file["policy"];
  if (!policy["endpoint"].present) {
    if (policy["authenticate_users"].is_true())
      build.wrong(policy["authenticate_users"], "needs a policy service", "add policy.endpoint");
    return;
  }
  call_control::PolicySettings settings;
  settings.endpoint = policy["endpoint"].text;
  settings.timeout = policy["timeout"].duration();
  call::PolicySettings& call = build.config.gateway.call.policy;
  call.enabled = true;
  call.timeout = settings.timeout;
  call.fallback_reject = static_cast<int>(policy["fallback"]["reject"].number);
  call.authenticate_users = policy["authenticate_users"].is_true();
  build.config.policy = std::move(settings);
}

/// In the order of the file, each once.
std::vector<sip::DigestAlgorithm> digest_algorithms(const Build& build, const Value& key) {
  using sip::DigestAlgorithm;
  std::vector<DigestAlgorithm> algorithms;
  for (const Value& item : key.items) {
    const auto one = item.text == "MD5" ? DigestAlgorithm::md5 : DigestAlgorithm::sha256;
    if (std::ranges::find(algorithms, one) != algorithms.end())
      build.wrong(item, "\"" + item.text + "\" is given twice", "give each algorithm once");
    algorithms.push_back(one);
  }
  if (key.present && algorithms.empty()) build.wrong(key, "is empty", "give MD5, SHA-256 or both");
  return algorithms;
}

void build_digest(const Build& build) {
  const Value& key = build.file["digest"]["algorithms"];
  auto& algorithms = build.config.gateway.call.digest_algorithms;
  algorithms = digest_algorithms(build, key);
  const bool md5 = std::ranges::find(algorithms, sip::DigestAlgorithm::md5) != algorithms.end();
  if (build.file["policy"]["authenticate_users"].is_true() && !md5) {
    build.wrong(key, "lacks MD5, of which the HA1 of the policy service is",
                "add MD5, or give those who need better their own algorithms in users");
  }
}

void build_credentials(const Build& build) {
  const Value& credentials = build.file["credentials"];
  build.config.gateway.call.digest_secret = credentials["secret"].text;
  build.config.gateway.call.credentials = {.secret = credentials["secret"].text,
                                           .max_ttl = credentials["max_ttl"].duration()};
}

void build_cdr(const Build& build) {
  const Value& cdr = build.file["cdr"];
  const Value& path = cdr["path"];
  if (!path.present) return;
  const std::filesystem::path file = std::filesystem::path(build.folder) / path.text;
  std::error_code error;
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  if (path.text.empty() || !std::filesystem::is_directory(folder, error)) {
    build.wrong(path, "\"" + path.text + "\" is in no folder that exists",
                "name a file in a folder that exists and may be written to");
  }
  if (std::filesystem::is_directory(file, error))
    build.wrong(path, "\"" + path.text + "\" is a folder", "name a file");
  build.config.cdr = telemetry::CdrSettings{
      .path = file.string(),
      .node = build.config.node,
      .limits = {.file = static_cast<std::uint64_t>(cdr["max_size"].number),
                 .spool = static_cast<std::uint64_t>(cdr["spool_limit"].number)},
      .queue = static_cast<std::size_t>(cdr["queue"].number)};
}

}  // namespace

void Build::unsupported(const Value& at, std::string_view instead) const {
  wrong(at,
        "\"" + (at.key->kind == Kind::secret ? std::string("***") : at.text) +
            "\" is not supported by this version",
        std::string(instead));
}

void Build::notice(const Value& at, std::string_view what) const {
  const std::string line = at.line > 0 ? "line " + std::to_string(at.line) + ": " : "";
  config.notices.push_back(line + at.path + ": " + std::string(what));
}

void build_users(const Build& build) {
  auto& users = build.config.gateway.call.users;
  for (const Value& key : build.file["users"].items) {
    call::UserSettings user{.name = key["name"].text,
                            .password = key["password"].text,
                            .algorithms = digest_algorithms(build, key["algorithms"])};
    if (std::ranges::find(users, user.name, &call::UserSettings::name) != users.end()) {
      build.wrong(key["name"], "\"" + user.name + "\" is given twice", "give each user one entry");
    }
    for (const Value& number : key["numbers"].items) {
      if (!call::is_telephone_number(number.text))
        build.wrong(number, "\"" + number.text + "\" is not a telephone number",
                    "write digits, with + in front where it is a global number");
      user.numbers.push_back(number.text);
    }
    users.push_back(std::move(user));
  }
  if (!users.empty() && !build.file["domain"].present) {
    build.wrong(build.file["users"], "needs the SIP domain of the users",
                "add domain: NAME at the top");
  }
}

void build_node(const Build& build) {
  Config& config = build.config;
  config.node = build.file["node"].text;
  config.domain = build.file["domain"].text;
  config.gateway.call.node = config.node;
  config.gateway.call.domain = config.domain;
  config.log.level = *log::parse_level(build.file["log"]["level"].text);
  config.log.format =
      build.file["log"]["format"].text == "json" ? log::Format::json : log::Format::console;
  config.watches = build.file["reload"]["watch"].is_true();
  build_web(build);
  build_limits(build);
  build_policy(build);
  build_digest(build);
  build_credentials(build);
  build_cdr(build);
}

}  // namespace trunkline::config
