#include "call/header_lists.hpp"
#include "call/number_rules.hpp"

#include "config/build.hpp"
#include <algorithm>

// What crosses between a trunk and the other side of a call: identity, numbers, header fields.
namespace trunkline::config {
namespace {

/// Each rule by itself, so that what is wrong is told at its key.
void check_rule(const Build& build, const Value& key, const call::RewriteRule& rule) {
  const auto made = call::NumberRules::make({rule});
  if (made) return;
  const std::string& message = made.error().message;
  const bool captures = message.find(": replace: ") != std::string::npos;
  const std::string_view label = captures ? ": replace: " : ": match: ";
  build.wrong(key[captures ? "replace" : "match"],
              message.substr(message.find(label) + label.size()),
              captures ? "use \\0, and \\1 to \\9 each for a group ( ) of match"
                       : "write an RE2 expression such as ^00([0-9]+)$");
}

std::vector<call::RewriteRule> rules(const Build& build, const Value& key) {
  std::vector<call::RewriteRule> rules;
  for (const Value& item : key.items) {
    rules.push_back({item["match"].text, item["replace"].text});
    check_rule(build, item, rules.back());
  }
  return rules;
}

std::vector<std::string> header_names(const Build& build, const Value& key) {
  std::vector<std::string> names;
  for (const Value& item : key.items) {
    if (const std::string why = call::why_not_listed(item.text); !why.empty())
      build.wrong(item, why,
                  "list names such as X-Account, X-Shop-*, User-to-User, Call-Info or Subject");
    names.push_back(item.text);
  }
  if (names.size() > call::kMaxListedNames) {
    build.wrong(key, "has more than " + std::to_string(call::kMaxListedNames) + " names",
                "shorten it, with X-NAME* for several");
  }
  return names;
}

}  // namespace

void build_trunk_identity(const Build& build, const Value& key, call::TrunkSettings& trunk) {
  const std::string& identity = key["identity"].text;
  trunk.asserts_identity = identity == "assert" || identity == "trusted";
  trunk.accepts_identity = identity == "accept" || identity == "trusted";
  const std::string& diversion = key["diversion"].text;
  trunk.tells_diversion = diversion == "diversion" || diversion == "both";
  trunk.tells_history = diversion == "history-info" || diversion == "both";
  if (key["number_form"].text == "phone") trunk.number_form = call::NumberForm::phone;
  if (key["number_form"].text == "tel") trunk.number_form = call::NumberForm::tel;
  const Value& to = key["rewrite"]["to_trunk"];
  const Value& from = key["rewrite"]["from_trunk"];
  trunk.called_to = rules(build, to["called"]);
  trunk.calling_to = rules(build, to["calling"]);
  trunk.called_from = rules(build, from["called"]);
  trunk.calling_from = rules(build, from["calling"]);
  trunk.headers_to = header_names(build, key["headers"]["to_trunk"]);
  trunk.headers_from = header_names(build, key["headers"]["from_trunk"]);
}

}  // namespace trunkline::config
