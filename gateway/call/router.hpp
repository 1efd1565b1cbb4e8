#pragma once
#include "base/result.hpp"
#include "call/settings.hpp"

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::call {

/// Who calls: a browser user, a trunk, or the API.
struct Caller {
  enum class Kind { user, trunk, api } kind = Kind::user;
  std::string name;
};

/// Where a call goes.
struct Destination {
  enum class Kind { none, user, trunk, service } kind = Kind::none;
  std::string name;          ///< user or trunk name; "echo", "tone", "play" or "policy"
  std::string instance{};    ///< of a user's devices only this one (RFC 5627); empty: all
  bool unlisted = false;     ///< a name that may be a user's of another node, or nobody's
  std::string text() const;  ///< "user:alice"; empty: none
};

/// A party to be called: where it is, and what is dialled there (for a user its name).
struct Party {
  Destination destination;
  std::string number;
};

/// One rule that was looked at, and why it was taken or not: for explanations and logs.
struct RouteStep {
  std::string rule;  ///< "route 2: from trunk:carrier match ^1001$"
  bool matched = false;
  std::string why;
};
struct RouteDecision {
  Destination destination;
  std::vector<RouteStep> steps;
};

/// The decision in words, one rule a line: what ExplainRoute shows and what is logged of a call
/// that is refused.
std::string explain(const Caller& caller, std::string_view dialled, const RouteDecision& decision);

/// Chooses the destination of a dialled name (contract: routes; the first that matches wins; then,
/// for a user as caller, a user of the domain; then none). RE2: linear in the input, bounded in
/// memory.
class Router {
 public:
  /// Fails with the index of the rule and RE2's words when an expression is bad or a target
  /// unknown.
  static Result<Router> make(const std::vector<RouteSettings>& routes,
                             const std::vector<UserSettings>& users,
                             const std::vector<TrunkSettings>& trunks);
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  /// `dialled`: the unescaped user part of the Request-URI, at most 256 octets (longer matches
  /// nothing).
  RouteDecision route(const Caller& caller, std::string_view dialled) const;

 private:
  Router();
  struct Rule;
  using Names = std::set<std::string, std::less<>>;
  Result<void> add(const RouteSettings& route, std::size_t number);
  Result<void> check_target(std::string_view text) const;
  void take(const std::string& text, const std::string& label, RouteDecision& decision) const;
  void try_users(const Caller& caller, std::string_view dialled, RouteDecision& decision) const;

  std::vector<Rule> rules_;
  Names users_, trunks_;
};

}  // namespace trunkline::call
