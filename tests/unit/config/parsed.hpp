#pragma once
#include "config/config.hpp"
#include <map>
#include <string>

namespace trunkline::config {

using Variables = std::map<std::string, std::string>;

inline Result<Config, std::vector<Problem>> parsed(const std::string& text,
                                                   const Variables& variables = {},
                                                   const std::string& folder = "") {
  return parse(text, folder, [&variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

/// The configuration, which must be right.
inline Config good(const std::string& text, const Variables& variables = {},
                   const std::string& folder = "") {
  auto result = parsed(text, variables, folder);
  if (result) return std::move(*result);
  std::string why;
  for (const Problem& problem : result.error())
    why += describe(problem, "f.yaml") + "\n";
  throw std::runtime_error(why);
}

/// All problems, a line each; empty when there is none.
inline std::string problems(const std::string& text, const Variables& variables = {},
                            const std::string& folder = "") {
  const auto result = parsed(text, variables, folder);
  std::string all;
  if (result) return all;
  for (const Problem& problem : result.error())
    all += (all.empty() ? "" : "\n") + describe(problem, "f.yaml");
  return all;
}

/// A trunk needs a listener to send from.
inline const std::string kSip = "listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5060\" }] }\n";
inline const std::string kUsers =
    "domain: example.test\nusers: [{ name: alice, password: secret-a }]\n";

}  // namespace trunkline::config
