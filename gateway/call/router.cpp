#include "call/router.hpp"

#include "call/expression.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace trunkline::call {
namespace {

constexpr std::size_t kMaxDialled = 256;  ///< octets
/// The whole match and \1 to \9.
constexpr int kGroups = 10;

constexpr std::array<std::string_view, 4> kServices = {"echo", "tone", "play", "policy"};

struct NamedKind {
  Destination::Kind kind = Destination::Kind::none;
  std::string_view name;
};

/// "trunk:NAME", "user:NAME", "service:NAME"; kind none for anything else and for an empty name.
NamedKind read_target(std::string_view text) {
  struct Prefix {
    std::string_view text;
    Destination::Kind kind;
  };
  static constexpr std::array<Prefix, 3> kPrefixes = {{{"trunk:", Destination::Kind::trunk},
                                                       {"user:", Destination::Kind::user},
                                                       {"service:", Destination::Kind::service}}};
  for (const Prefix& prefix : kPrefixes) {
    if (text.starts_with(prefix.text) && text.size() > prefix.text.size()) {
      return {prefix.kind, text.substr(prefix.text.size())};
    }
  }
  return {};
}

std::string text_of(const Caller& caller) {
  switch (caller.kind) {
    case Caller::Kind::user:
      return "user:" + caller.name;
    case Caller::Kind::trunk:
      return "trunk:" + caller.name;
    case Caller::Kind::api:
      break;
  }
  return "the API";
}

}  // namespace

std::string Destination::text() const {
  switch (kind) {
    case Kind::none:
      return {};
    case Kind::user:
      return "user:" + name;
    case Kind::trunk:
      return "trunk:" + name;
    case Kind::service:
      return "service:" + name;
  }
  return {};
}

std::string explain(const Caller& caller, std::string_view dialled, const RouteDecision& decision) {
  std::string text = text_of(caller) + " calls '" + std::string(dialled) + "'";
  for (const RouteStep& step : decision.steps)
    text += "\n" + step.rule + ": " + step.why;
  if (decision.destination.kind == Destination::Kind::none) text += "\nno rule gives a target: 404";
  return text;
}

struct Router::Rule {
  std::string label;                 ///< "route 2: from any match ^echo$"
  std::optional<Caller::Kind> from;  ///< nothing: any caller
  std::string from_trunk;            ///< with from == trunk
  std::string from_text;
  std::string target;  ///< with its captures unresolved
  std::unique_ptr<RE2> expression;

  bool is_for(const Caller& caller) const {
    return !from || (*from == caller.kind &&
                     (caller.kind != Caller::Kind::trunk || from_trunk == caller.name));
  }
  std::optional<std::string> match(std::string_view dialled) const;
};

/// The target with its captures filled in; nothing if the expression does not match.
std::optional<std::string> Router::Rule::match(std::string_view dialled) const {
  std::array<re2::StringPiece, kGroups> groups;
  const re2::StringPiece text(dialled.data(), dialled.size());
  const int wanted = std::min(kGroups, expression->NumberOfCapturingGroups() + 1);
  if (!expression->Match(text, 0, text.size(), RE2::UNANCHORED, groups.data(), wanted))
    return std::nullopt;
  std::string resolved;
  if (!expression->Rewrite(&resolved, target, groups.data(), wanted)) return std::nullopt;
  return resolved;
}

Router::Router() = default;
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

Result<Router> Router::make(const std::vector<RouteSettings>& routes,
                            const std::vector<UserSettings>& users,
                            const std::vector<TrunkSettings>& trunks) {
  Router router;
  for (const UserSettings& user : users)
    router.users_.insert(user.name);
  for (const TrunkSettings& trunk : trunks)
    router.trunks_.insert(trunk.name);
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const auto rule = router.add(routes[i], i + 1);
    if (!rule) return fail("route " + std::to_string(i + 1) + ": " + rule.error().message);
  }
  return router;
}

Result<void> Router::add(const RouteSettings& route, std::size_t number) {
  Rule rule;
  rule.label = "route " + std::to_string(number) + ": from " + route.from + " match " + route.match;
  rule.from_text = route.from;
  rule.target = route.target;
  if (route.from == "user") {
    rule.from = Caller::Kind::user;
  } else if (const NamedKind named = read_target(route.from);
             named.kind == Destination::Kind::trunk) {
    rule.from = Caller::Kind::trunk;
    rule.from_trunk = named.name;
    if (!trunks_.contains(rule.from_trunk))
      return fail("from: there is no trunk '" + rule.from_trunk + "'");
  } else if (route.from != "any") {
    return fail("from: '" + route.from + "' is none of user, trunk:NAME, any");
  }
  rule.expression = std::make_unique<RE2>(route.match, expression_options());
  if (!rule.expression->ok()) return fail("match: " + rule.expression->error());
  std::string problem;
  if (!rule.expression->CheckRewriteString(route.target, &problem))
    return fail("target: " + problem);
  if (auto checked = check_target(route.target); !checked) return checked;
  rules_.push_back(std::move(rule));
  return {};
}

/// What can be known of a target before its captures are. A user may be unknown here: credentials
/// can be made for names that no list holds.
Result<void> Router::check_target(std::string_view text) const {
  const NamedKind target = read_target(text);
  const std::string name(target.name);
  const bool captures = name.find('\\') != std::string::npos;
  switch (target.kind) {
    case Destination::Kind::none:
      return fail("target: '" + std::string(text) +
                  "' is none of trunk:NAME, user:NAME, service:echo, service:tone, service:play, "
                  "service:policy");
    case Destination::Kind::trunk:
      if (!captures && !trunks_.contains(name))
        return fail("target: there is no trunk '" + name + "'");
      break;
    case Destination::Kind::service:
      if (std::ranges::find(kServices, name) == kServices.end()) {
        return fail("target: there is no service '" + name + "'");
      }
      break;
    case Destination::Kind::user:
      break;
  }
  return {};
}

RouteDecision Router::route(const Caller& caller, std::string_view dialled) const {
  RouteDecision decision;
  if (dialled.size() > kMaxDialled) {
    decision.steps.push_back({"length of the name", false,
                              "it has " + std::to_string(dialled.size()) + " octets; more than " +
                                  std::to_string(kMaxDialled) + " match nothing"});
    return decision;
  }
  for (const Rule& rule : rules_) {
    if (!rule.is_for(caller)) {
      decision.steps.push_back(
          {rule.label, false, "the caller is " + text_of(caller) + ", not " + rule.from_text});
      continue;
    }
    const auto target = rule.match(dialled);
    if (!target) {
      decision.steps.push_back({rule.label, false, "the name does not match"});
      continue;
    }
    take(*target, rule.label, decision);
    return decision;
  }
  try_users(caller, dialled, decision);
  return decision;
}

/// The first rule that matches decides, even if what its captures give can't be called.
void Router::take(const std::string& text, const std::string& label,
                  RouteDecision& decision) const {
  const NamedKind target = read_target(text);
  std::string name(target.name);
  if (target.kind == Destination::Kind::none) {
    decision.steps.push_back(
        {label, true, "matches, but its captures leave the target without a name"});
  } else if (target.kind == Destination::Kind::trunk && !trunks_.contains(name)) {
    decision.steps.push_back({label, true, "matches, but there is no trunk '" + name + "'"});
  } else {
    decision.steps.push_back({label, true, "matches: goes to " + text});
    decision.destination = {target.kind, std::move(name)};
  }
}

void Router::try_users(const Caller& caller, std::string_view dialled,
                       RouteDecision& decision) const {
  static constexpr std::string_view kRule = "users of the domain";
  if (caller.kind != Caller::Kind::user) {
    decision.steps.push_back({std::string(kRule), false, "only users call users without a route"});
  } else if (!users_.contains(dialled)) {
    decision.steps.push_back({std::string(kRule), false, "there is no such user"});
  } else {
    decision.steps.push_back({std::string(kRule), true, "goes to user:" + std::string(dialled)});
    decision.destination = {Destination::Kind::user, std::string(dialled)};
  }
}

}  // namespace trunkline::call
