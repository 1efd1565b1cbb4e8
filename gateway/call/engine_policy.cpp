#include "base/log.hpp"
#include "call/engine_impl.hpp"
#include "sip/endpoint.hpp"

#include <algorithm>

// What the policy service answers, and what waits for it.
namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr std::size_t kMaxPolicyTargets = 10;   ///< of one answer
constexpr std::size_t kMaxUnidentified = 1024;  ///< requests whose sender is being asked about
/// The service's own time-out counts; this one is for an answer that never comes at all.
constexpr Duration kPolicyMargin = seconds{2};
constexpr std::size_t kHa1Size = 32;

bool is_ha1(std::string_view text) {
  return text.size() == kHa1Size && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

void Engine::Impl::receive(Turn& turn, const PolicyAnswer& answer, QuestionId id) {
  if (const auto aside = unidentified.find(id); aside != unidentified.end()) {
    const Waiting taken = std::move(aside->second);
    unidentified.erase(aside);
    return told_who(turn, taken, answer);
  }
  const auto asked = node.questions.find(id);
  if (asked == node.questions.end()) return;
  Call& call = *calls.find(asked->second)->second.call;
  decided(turn, call, answer);
  settle(call);
}

void Engine::Impl::decided(Turn& turn, Call& call, const PolicyAnswer& answer) {
  if (const auto* targets = std::get_if<RouteTargets>(&answer)) return route(turn, call, *targets);
  if (const auto* park = std::get_if<Park>(&answer)) return call.decided(turn, *park);
  if (const auto* no = std::get_if<PolicyRejection>(&answer)) return call.decided(turn, *no);
  if (const auto* failed = std::get_if<PolicyFailed>(&answer)) return call.decided(turn, *failed);
  call.decided(turn, PolicyFailed{"invalid"});
}

std::optional<Party> Engine::Impl::target_of(const std::string& text, const Call& call,
                                             TimePoint now) {
  static constexpr std::string_view kTrunk = "trunk:";
  if (text.starts_with(kTrunk)) {
    const std::string name = text.substr(kTrunk.size());
    if (node.trunks.find(name) == nullptr) return std::nullopt;
    return Party{{Destination::Kind::trunk, name}, call.dialled()};
  }
  auto party = party_of(text, {}, call.placed_by(), "target", now);
  const bool nowhere = !party && party.error().reason == "NO_ROUTE";
  if (!party && !nowhere) return std::nullopt;
  // The policy service has been asked; a route back to it leads nowhere.
  if (nowhere || party->destination.name == "policy") return Party{{}, text};
  return *party;
}

void Engine::Impl::route(Turn& turn, Call& call, const RouteTargets& answer) {
  std::vector<Party> targets;
  for (const std::string& text : answer.targets) {
    const auto target = target_of(text, call, turn.at.now);
    if (!target) break;
    targets.push_back(*target);
  }
  const bool usable = !targets.empty() && targets.size() == answer.targets.size() &&
                      targets.size() <= kMaxPolicyTargets;
  if (usable) return call.route(turn, std::move(targets), answer.caller_id, answer.headers);
  log::warn("policy answer refused",
            {{"call_id", call.name()},
             {"why", answer.targets.size() > kMaxPolicyTargets ? "too many targets"
                     : answer.targets.empty()                  ? "no target"
                                                               : "no such target"}});
  call.decided(turn, PolicyFailed{"invalid"});
}

void Engine::Impl::execute(Turn& turn, RequestId id, const AnswerCall& request) {
  Call* call = live_call(turn, id, request.call);
  if (call == nullptr) return;
  std::optional<Party> target;
  if (!request.target.empty()) {
    auto party = party_of(request.target, {}, {Caller::Kind::api, {}}, "target", turn.at.now);
    if (!party) return turn.reply(id, party.error());
    if (party->destination.name == "policy") {
      return turn.reply(id, refusal(Refusal::Kind::not_found, "NO_ROUTE",
                                    "the route leads back to the policy service", "target"));
    }
    target = std::move(*party);
  }
  call->answer_parked(turn, id, target);
  settle(*call);
}

// ---------------------------------------------------------------- who sent a request

void Engine::Impl::ask_who(Turn& turn, const sip::RequestReceived& event, const std::string& user) {
  if (unidentified.size() >= kMaxUnidentified) {
    return refuse(turn, event, 503, "overload", "too many questions to the policy service",
                  {{HeaderName::retry_after, std::to_string(kRetryAfter)}});
  }
  const QuestionId id = node.question_ids.next();
  AuthenticationQuestion question{user, node.settings.domain, event.source.remote.text()};
  unidentified.emplace(
      id, Waiting{event, user, turn.at.now + node.settings.policy.timeout + kPolicyMargin});
  turn.out.questions.push_back({id, std::move(question)});
}

void Engine::Impl::told_who(Turn& turn, const Waiting& asked, const PolicyAnswer& answer) {
  if (const auto* ha1 = std::get_if<Ha1>(&answer); ha1 != nullptr && is_ha1(ha1->ha1)) {
    authenticator.learn(asked.user, ha1->ha1, turn.at.now);
    return receive(turn, asked.event);
  }
  const auto refuse_with = [&](int code, const std::string& why,
                               std::optional<std::uint32_t> retry_after) {
    std::vector<std::pair<HeaderName, std::string>> headers;
    if (code == 503)
      headers = {{HeaderName::retry_after, std::to_string(retry_after.value_or(kRetryAfter))}};
    refuse(turn, asked.event, code, "policy", why, std::move(headers));
  };
  if (const auto* no = std::get_if<PolicyRejection>(&answer)) {
    turn.observe(
        AuthenticationResult{"unknown_user", asked.user, asked.event.source.remote.text()});
    if (no->sip_code == 401) {
      return turn.respond(
          asked.event.transaction,
          authenticator.challenge(asked.event.request, node.random.token(12), turn.at, false));
    }
    const bool usable = no->sip_code >= 400 && no->sip_code <= 699;
    return refuse_with(usable ? no->sip_code : 403, no->reason, no->retry_after);
  }
  const auto* failed = std::get_if<PolicyFailed>(&answer);
  const std::string why = failed != nullptr ? failed->why : "invalid";
  turn.observe(PolicyFault{"authenticate", why, {}});
  const bool own_code = failed != nullptr && failed->sip_code != 0;
  refuse_with(own_code ? failed->sip_code : node.settings.policy.fallback_reject, why, {});
}

void Engine::Impl::ask_no_longer(Turn& turn) {
  while (!unidentified.empty() && unidentified.begin()->second.until <= turn.at.now) {
    const Waiting asked = std::move(unidentified.begin()->second);
    unidentified.erase(unidentified.begin());
    told_who(turn, asked, PolicyFailed{"timeout"});
  }
}

}  // namespace trunkline::call
