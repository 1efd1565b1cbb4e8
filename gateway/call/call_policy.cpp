#include "call/call.hpp"
#include "call/refusals.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <array>

// Calls about which somebody else decides: the policy service, and for a parked one the API.
namespace trunkline::call {

using sip::HeaderName;

namespace {

/// The service's own time-out counts; this one is for an answer that never comes at all.
constexpr Duration kPolicyMargin = seconds{2};
constexpr int kLoopDetected = 482;
/// Questions of all calls that may be open at once.
constexpr std::size_t kMaxQuestions = 4096;
/// What of the caller's INVITE is told.
constexpr std::size_t kMaxHeaders = 64, kMaxHeaderValue = 1024;  // fields, octets

/// Secrets, what belongs to the one hop only, and what the sender says of itself without being
/// believed.
constexpr std::array kNotTold{HeaderName::authorization, HeaderName::proxy_authorization,
                              HeaderName::via,           HeaderName::route,
                              HeaderName::record_route,  HeaderName::max_forwards,
                              HeaderName::cseq,          HeaderName::content_length,
                              HeaderName::contact,       HeaderName::p_preferred_identity};

/// `asserts`: the sender is believed when it says who calls.
std::vector<HeaderField> told_headers(const sip::Message& invite, bool asserts) {
  std::vector<HeaderField> told;
  for (const auto& field : invite.fields()) {
    if (std::ranges::find(kNotTold, field.name) != kNotTold.end()) continue;
    if (field.name == HeaderName::p_asserted_identity && !asserts) continue;
    const std::string_view value = invite.field_value(field);
    if (told.size() >= kMaxHeaders || value.size() > kMaxHeaderValue) continue;
    told.push_back({std::string(invite.field_name(field)), std::string(value)});
  }
  return told;
}

}  // namespace

void Call::ask_policy(Turn& turn) {
  ring_until_ = kNever;
  if (turn.node.questions.size() >= kMaxQuestions) return decided(turn, PolicyFailed{"overload"});
  question_ = turn.node.question_ids.next();
  turn.node.questions[question_] = view_.id;
  policy_until_ = turn.at.now + turn.node.settings.policy.timeout + kPolicyMargin;
  RouteQuestion question;
  question.call = view_.name;
  // The first party of a call of ours is called by the one that it will be joined with.
  question.from = calling_first_ ? view_.dialled : view_.caller;
  question.to = dialled();
  question.source = origin_ ? "api" : view_.from;
  if (!origin_) {
    const Trunk* trunk = caller().trunk.get();
    const bool asserts = trunk != nullptr && trunk->settings.accepts_identity;
    question.headers = told_headers(caller().invite_request, asserts);
  }
  turn.out.questions.push_back({question_, std::move(question)});
}

void Call::stop_waiting(Node& node) {
  if (question_) node.questions.erase(question_);
  question_ = {};
  policy_until_ = kNever;
  parked_ = false;
}

void Call::route(Turn& turn, std::vector<Party> targets, const CallerId& caller_id,
                 const std::vector<HeaderField>& headers) {
  stop_waiting(turn.node);
  tell_caller(caller_id);
  auto& more = calling_first_ ? first_headers_ : headers_;
  more.insert(more.end(), headers.begin(), headers.end());
  const Party first = std::move(targets.front());
  targets.erase(targets.begin());
  targets_ = std::move(targets);
  best_attempt_.reset();
  // A user's or the API's call is no diversion: it goes where its number means.
  const bool may_go = placed_by_.kind != Caller::Kind::trunk || divert_to(first, "unconditional");
  if (!may_go) return end(turn, Failure::ordered(kLoopDetected, {}));
  begin_dialling(turn, first);
}

void Call::decided(Turn& turn, const Park& park) {
  stop_waiting(turn.node);
  parked_ = true;
  const Duration timeout = park.timeout > Duration::zero() ? park.timeout : ring_timeout_;
  ring_until_ = turn.at.now + timeout;
  send_provisional(turn, 180, false);
  turn.observe(CallParked{view(), timeout});
}

void Call::decided(Turn& turn, const PolicyRejection& rejection) {
  // A redirection would need somewhere to point to.
  if (rejection.sip_code < 400 || rejection.sip_code > 699)
    return decided(turn, PolicyFailed{"invalid"});
  Failure failure = Failure::ordered(rejection.sip_code, rejection.reason);
  if (rejection.sip_code == 503 && rejection.retry_after)
    failure.retry_after = rejection.retry_after;
  view_.from_failed = calling_first_;
  end(turn, failure);
}

void Call::decided(Turn& turn, const PolicyFailed& failed) {
  turn.observe(PolicyFault{"route", failed.why, view_.name});
  Failure failure = Failure::local(EndReason::policy_failed);
  failure.sip_code =
      failed.sip_code != 0 ? failed.sip_code : turn.node.settings.policy.fallback_reject;
  if (failure.sip_code != 503) failure.retry_after.reset();
  view_.from_failed = calling_first_;
  end(turn, failure);
}

void Call::answer_parked(Turn& turn, RequestId id, const std::optional<Party>& target) {
  if (!parked_) return turn.reply(id, wrong_state("the call is not parked"));
  if (!target && legs_.empty())
    return turn.reply(id, wrong_state("there is nobody yet to be answered"));
  if (target) {
    route(turn, {*target}, {}, {});
  } else {
    stop_waiting(turn.node);
    static constexpr const char* kSilence = "silence";
    aim_at({{Destination::Kind::service, kSilence}, kSilence});
    serve(Side::to, kSilence);
    join_service(turn);
  }
  turn.reply(id, view());
}

}  // namespace trunkline::call
