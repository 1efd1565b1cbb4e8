#pragma once
#include "base/log.hpp"
#include "base/net_address.hpp"
#include "base/result.hpp"
#include "io/runtime.hpp"

#include "call_control/policy.hpp"
#include "call_control/server.hpp"
#include "config/problem.hpp"
#include "config/scalar.hpp"
#include "config/value.hpp"
#include "telemetry/cdr_writer.hpp"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The configuration file of the gateway: YAML into the settings of each layer, strictly.
/// Everything wrong with a file is found before a socket is opened, except what only binding can
/// tell.
namespace trunkline::config {

struct LogSettings {
  log::Level level = log::Level::info;
  log::Format format = log::Format::json;
};

struct Config {
  std::string node, domain;
  io::RuntimeSettings gateway;                ///< without the files of the web phone
  std::optional<SocketAddress> admin;         ///< absent: no admin listener
  std::optional<call_control::Settings> api;  ///< without version, start time and reload
  std::optional<call_control::PolicySettings> policy;
  bool web_phone = true;
  bool watches = true;  ///< the file is read again when it changes
  LogSettings log;
  std::optional<telemetry::CdrSettings> cdr;  ///< absent: no records
  std::vector<std::string> notices;  ///< what is allowed but may surprise; for the log at start
  Value effective;                   ///< for `print`
};

/// `text` as the content of a file; relative paths in it start at `folder`.
Result<Config, std::vector<Problem>> parse(std::string_view text, const std::string& folder,
                                           const Environment& environment);

/// The settings that a whole and checked tree of values means; relative paths start at `folder`.
Result<Config, std::vector<Problem>> build(Value file, const std::string& folder);

/// Reads a file with the environment of the process, and before it that of another file, if there
/// is one: a line for each NAME=VALUE.
Result<Config, std::vector<Problem>> load(const std::string& file,
                                          const std::string& variables = {});

/// The effective configuration as YAML, secrets masked (`--print-config`).
std::string print(const Value& effective);

/// Of the same text without what each node has for itself - its name, and the addresses that it
/// binds and tells: 16 hexadecimal digits, to tell replicas apart whose configurations differ. What
/// is masked makes no difference.
std::string fingerprint(const Value& effective);

/// The files that secrets were read from (`X_file`).
std::vector<std::string> secret_files(const Value& effective);

/// Of what a listener that can't be had says ("can't bind 127.0.0.1:5060/udp: …"): the key that
/// asks for it, and what to do.
Problem unbound(const Value& effective, const std::string& message);

/// JSON Schema (draft-07) of the file (`--print-schema`).
std::string json_schema();

}  // namespace trunkline::config
