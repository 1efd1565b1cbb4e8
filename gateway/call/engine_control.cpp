#include "call/engine_impl.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

// Requests of the API: what is asked of the node itself is done here, what is asked of a call by
// the call.

// A const overload of execute would lose to the template.
// NOLINTBEGIN(readability-make-member-function-const)
namespace trunkline::call {

namespace {

constexpr std::size_t kMaxUser = 128;  ///< octets of a user's name

template <class OnCall>
const std::string& call_name(const OnCall& request) {
  if constexpr (requires { request.on; }) {
    return request.on.call;
  } else {
    return request.call;
  }
}

}  // namespace

Call* Engine::Impl::find_call(std::string_view name) {
  const auto known = names.find(std::string(name));
  if (known == names.end()) return nullptr;
  return calls.find(known->second)->second.call.get();
}

Call* Engine::Impl::live_call(Turn& turn, RequestId id, std::string_view name) {
  Call* call = find_call(name);
  if (call == nullptr) {
    turn.reply(id, not_found("call", name));
  } else if (call->ended()) {
    turn.reply(id, wrong_state("the call has ended"));
  } else {
    return call;
  }
  return nullptr;
}

template <class OnCall>
void Engine::Impl::execute(Turn& turn, RequestId id, const OnCall& request) {
  Call* call = live_call(turn, id, call_name(request));
  if (call == nullptr) return;
  call->execute(turn, id, request);
  settle(*call);
}

template void Engine::Impl::execute(Turn&, RequestId, const RejectCall&);
template void Engine::Impl::execute(Turn&, RequestId, const HangupCall&);
template void Engine::Impl::execute(Turn&, RequestId, const HoldCall&);
template void Engine::Impl::execute(Turn&, RequestId, const ResumeCall&);
template void Engine::Impl::execute(Turn&, RequestId, const MuteCall&);
template void Engine::Impl::execute(Turn&, RequestId, const SendDtmf&);
template void Engine::Impl::execute(Turn&, RequestId, const GetStatistics&);

void Engine::Impl::execute(Turn& turn, RequestId id, const ListRegistrations& request) {
  Registrations known{node.registrar.list(request.user, turn.at.now)};
  if (request.user.empty() || !node.replicas.enabled()) return turn.reply(id, std::move(known));
  look_up(turn, request.user, [id, told = std::move(known)](Turn& then, const Locations& found) {
    Registrations all = told;
    for (const Location& one : found.all)
      all.all.push_back(one.registration);
    then.reply(id, std::move(all));
  });
}

void Engine::Impl::execute(Turn& turn, RequestId id, const DeleteRegistration& request) {
  auto removed = node.registrar.remove(request.user, request.id, turn.out.observations);
  if (removed.empty()) {
    return turn.reply(id, refusal(Refusal::Kind::not_found, "REGISTRATION_NOT_FOUND",
                                  "no such registration of '" + request.user + "'"));
  }
  turn.reply(id, Registrations{std::move(removed)});
}

void Engine::Impl::execute(Turn& turn, RequestId id, const CreateCredential& request) {
  const auto refuse = [&](std::string field, std::string why) {
    turn.reply(id, refusal(Refusal::Kind::invalid, "INVALID_CREDENTIAL", std::move(why),
                           std::move(field)));
  };
  const bool speakable = std::none_of(request.user.begin(), request.user.end(),
                                      [](char c) { return sip::is_control(c); });
  if (request.user.empty() || request.user.size() > kMaxUser || !speakable)
    return refuse("user", "must be 1 to 128 printable characters");
  const Duration longest = node.settings.credentials.max_ttl;
  if (request.ttl < Duration::zero()) return refuse("ttl", "must not be negative");
  const Duration ttl = request.ttl == Duration::zero() ? longest : std::min(request.ttl, longest);
  const auto whole = std::chrono::ceil<seconds>(ttl);
  const std::int64_t expires = turn.at.wall_seconds() + whole.count();
  Credential credential;
  credential.username = Credentials::username(request.user, expires);
  credential.password = credentials.password(credential.username);
  credential.expires = std::chrono::system_clock::time_point{seconds{expires}};
  turn.reply(id, std::move(credential));
}

void Engine::Impl::execute(Turn& turn, RequestId id, const ListTrunks&) {
  TrunkViews views;
  for (const auto& trunk : node.trunks.all())
    views.all.push_back(describe(*trunk, turn.at.now));
  turn.reply(id, std::move(views));
}

void Engine::Impl::execute(Turn& turn, RequestId id, const SetTrunkEnabled& request) {
  Trunk* trunk = node.trunks.find(request.trunk);
  if (trunk == nullptr) return turn.reply(id, not_found("trunk", request.trunk));
  trunk->enabled = request.enabled;
  turn.reply(id, TrunkViews{{describe(*trunk, turn.at.now)}});
}

void Engine::Impl::execute(Turn& turn, RequestId id, const GetNode&) {
  NodeView view;
  view.node = node.settings.node;
  view.domain = node.settings.domain;
  view.draining = draining;
  view.calls = live;
  view.max_calls = node.settings.max_calls;
  view.registrations = node.registrar.size();
  turn.reply(id, std::move(view));
}

void Engine::Impl::execute(Turn& turn, RequestId id, const Drain& request) {
  begin_drain(turn, request.timeout.value_or(node.settings.drain_timeout));
  execute(turn, id, GetNode{});
}

void Engine::Impl::execute(Turn& turn, RequestId id, const Undrain&) {
  if (leaving) return turn.reply(id, wrong_state("the node was told to end"));
  draining = false;
  drain_at = kNever;
  drains.set(0);
  drain_deadline.set(0);
  for (const auto& [trunk, one] : registering)
    one->machine.come_back(turn.at.now);
  trunks_at = {};
  execute(turn, id, GetNode{});
}

void Engine::Impl::execute(Turn& turn, RequestId id, const GetTrace& request) {
  const CallTrace* trace = node.traces.find(request.call, turn.at.now);
  if (trace == nullptr) return turn.reply(id, not_found("call", request.call));
  switch (request.format) {
    case GetTrace::Format::text:
      return turn.reply(id, Trace{trace_text(*trace)});
    case GetTrace::Format::json:
      return turn.reply(id, Trace{trace_json(*trace)});
    case GetTrace::Format::pcapng:
      return turn.reply(id, Trace{trace_pcapng(*trace)});
  }
}

}  // namespace trunkline::call
// NOLINTEND(readability-make-member-function-const)
