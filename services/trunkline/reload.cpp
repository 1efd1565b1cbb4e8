#include "reload.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace trunkline {
namespace {

using call_control::Reloaded;
using call_control::ReloadRefused;

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list)
    text += (text.empty() ? "" : ", ") + item;
  return text;
}

bool same_files(const TlsFiles& one, const TlsFiles& other) {
  return one.certificate == other.certificate && one.key == other.key &&
         one.authorities == other.authorities;
}

/// Whether what is connected under the one may be used under the other.
bool same_peer(const io::TlsPeerSettings& one, const io::TlsPeerSettings& other) {
  return one.name == other.name && one.host == other.host && one.wildcards == other.wildcards &&
         one.subject == other.subject && same_files(one.files, other.files);
}

}  // namespace

Reload::Reload(std::string file, std::string variables, const config::Config& started)
    : file_(std::move(file)),
      variables_(std::move(variables)),
      folder_(std::filesystem::path(file_).parent_path().string()),
      bounds_(config::bounds_of(started)),
      config_(started),
      last_peer_(started.gateway.io.tls_peers.size()) {}

void Reload::attach(Running running, std::unique_ptr<call::Policy> policy) {
  const std::scoped_lock lock(mutex_);
  running_ = running;
  policy_ = std::move(policy);
  if (policy_ != nullptr) running_.runtime->set_policy(*policy_);
}

void Reload::detach() {
  const std::scoped_lock lock(mutex_);
  running_ = {};
  policy_.reset();
}

std::vector<std::string> Reload::files() {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> all = config::secret_files(config_.effective);
  all.push_back(file_);
  if (!variables_.empty()) all.push_back(variables_);
  return all;
}

Reload::Outcome Reload::now(std::string_view why) {
  const std::scoped_lock lock(mutex_);
  if (running_.runtime == nullptr) return fail(ReloadRefused{false, "the node does not run", {}});
  log::info("reading the configuration again", {{"file", file_}, {"why", why}});
  running_.runtime->reload_certificates();
  Outcome outcome = put_in_force();
  if (!outcome) {
    running_.metrics->config_refused();
    log::error("the configuration was not taken: the one before stays",
               {{"file", file_}, {"why", outcome.error().message}});
    return outcome;
  }
  running_.metrics->config_loaded(config::fingerprint(config_.effective),
                                  !outcome->needs_restart.empty());
  if (outcome->applied.empty() && outcome->needs_restart.empty()) {
    log::info("the configuration is as before");
  } else {
    log::write(
        outcome->needs_restart.empty() ? log::Level::info : log::Level::warn,
        "configuration in force",
        {{"applied", joined(outcome->applied)}, {"needs_restart", joined(outcome->needs_restart)}});
  }
  return outcome;
}

Reload::Outcome Reload::put_in_force() {
  auto read = config::load(file_, variables_);
  if (!read) return refuse(read.error(), true);
  config::Changes changes = config::compare(config_.effective, read->effective, bounds_);
  if (changes.applied.empty()) return Reloaded{{}, std::move(changes.needs_restart)};
  auto next = config::build(std::move(changes.merged), folder_);
  // By itself the file is right: it is a key that waits for a restart that is missing.
  if (!next) return refuse(next.error(), false);
  name_peers(*next);
  auto policy = make_policy(*next);
  if (!policy) return refuse("policy", policy.error().message);
  std::optional<call::Policy*> asked;
  if (asks_elsewhere(*next)) asked = policy->get();
  if (auto taken = running_.runtime->reconfigure(next->gateway, asked); !taken)
    return refuse("", taken.error().message);
  if (asked) policy_ = std::move(*policy);  // the one before goes when its questions are answered
  if (running_.api != nullptr && next->api) {
    if (auto admitted = running_.api->admit(next->api->clients, next->api->tokens); !admitted)
      log::error("clients of the API stay as before", {{"why", admitted.error().message}});
  }
  if (next->log.level != config_.log.level) log::set_level(next->log.level);
  for (const std::string& notice : next->notices)
    log::warn(notice);
  config_ = std::move(*next);
  return Reloaded{std::move(changes.applied), std::move(changes.needs_restart)};
}

Reload::Outcome Reload::refuse(const std::vector<config::Problem>& problems, bool bad_file) {
  ReloadRefused refused{.bad_file = bad_file, .message = {}};
  for (const config::Problem& problem : problems) {
    const std::string text = config::describe(problem, file_);
    refused.message += (refused.message.empty() ? "" : "; ") + text;
    refused.violations.emplace_back(problem.key, text);
  }
  return fail(std::move(refused));
}

Reload::Outcome Reload::refuse(std::string key, std::string message) {
  ReloadRefused refused{.bad_file = false, .message = message};
  refused.violations.emplace_back(std::move(key), std::move(message));
  return fail(std::move(refused));
}

/// A trunk whose TLS is as it was keeps its id, and with it its connections. Any other gets one
/// that nobody has had: what is connected must not be taken for it.
void Reload::name_peers(config::Config& next) {
  const auto& before = config_.gateway.io.tls_peers;
  for (io::TlsPeerSettings& peer : next.gateway.io.tls_peers) {
    const auto trunk =
        std::ranges::find(next.gateway.call.trunks, peer.name, &call::TrunkSettings::name);
    const auto known = std::ranges::find_if(
        before, [&peer](const io::TlsPeerSettings& one) { return same_peer(one, peer); });
    peer.id = known != before.end() ? known->id : sip::PeerId{++last_peer_};
    trunk->peer = peer.id;
  }
}

bool Reload::asks_elsewhere(const config::Config& next) const {
  const auto& now = config_.policy;
  const auto& then = next.policy;
  if (now.has_value() != then.has_value()) return true;
  return now && (now->endpoint != then->endpoint || now->timeout != then->timeout);
}

Result<std::unique_ptr<call::Policy>> Reload::make_policy(const config::Config& next) const {
  if (!next.policy || !asks_elsewhere(next)) return nullptr;
  return call_control::make_policy(*next.policy);
}

}  // namespace trunkline
