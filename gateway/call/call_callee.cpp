#include "call/call.hpp"

#include <algorithm>
#include <utility>

// Legs to those whom the gateway calls, be it for a call or for a transfer, and their end when
// somebody else was quicker.
namespace trunkline::call {

Result<Callee, Failure> Call::at_trunk(Turn& turn, const std::string& name,
                                       const std::string& number, Side side, std::size_t worker) {
  Trunk* trunk = turn.node.trunks.find(name);
  auto targets = trunk != nullptr ? Trunks::order(*trunk, turn.node.random, turn.at.now)
                                  : std::vector<sip::Target>{};
  if (secure_) {
    std::erase_if(
        targets, [](const sip::Target& target) { return target.transport != sip::Transport::tls; });
    if (targets.empty()) return trunkline::fail(Failure::ordered(480, "SIPS Not Allowed"));
  }
  if (targets.empty()) {
    const auto rest = trunk != nullptr ? Trunks::rests(*trunk, turn.at.now) : std::nullopt;
    Failure failure = Failure::local(rest ? EndReason::limit : EndReason::trunk_unreachable);
    if (rest)
      failure.retry_after = static_cast<std::uint32_t>(std::chrono::ceil<seconds>(*rest).count());
    return trunkline::fail(std::move(failure));
  }
  const auto admission = Trunks::admit(*trunk, turn.at.now);
  if (admission != Trunks::Admission::ok) {
    const bool disabled = admission == Trunks::Admission::disabled;
    return trunkline::fail(Failure::local(disabled ? EndReason::trunk_disabled : EndReason::limit));
  }
  Leg& leg = add_leg(turn, Leg::Kind::trunk, trunk->settings.name, side);
  leg.place = TrunkPlace(trunk->calls);
  leg.target = targets.front();
  leg.failover.waiting.assign(targets.begin() + 1, targets.end());
  leg.preloaded_route = trunk->service_route;
  leg.take_credentials(turn.node.random);
  leg.media = LegMedia::trunk(turn, leg.id, worker, *trunk, leg.target.remote.ip);
  leg.identity.number = number;
  Callee callee{&leg, request_uri_at(*trunk, number), {}};
  callee.to.uri = to_at(*trunk, number);
  if (secure_ && callee.request_uri.is_sip()) {
    callee.request_uri.scheme = callee.to.uri.scheme = sip::Uri::Scheme::sips;
    std::erase_if(callee.request_uri.parameters,
                  [](const sip::Parameter& one) { return one.name == "transport"; });
  }
  return callee;
}

std::vector<Binding> Call::devices(Turn& turn, const Destination& user) const {
  auto bindings = turn.node.registrar.find(user.name, turn.at.now);
  if (!user.instance.empty()) {
    std::erase_if(bindings,
                  [&](const Binding& binding) { return binding.instance != user.instance; });
  }
  if (secure_) {
    std::erase_if(bindings, [](const Binding& binding) {
      return binding.target.transport != sip::Transport::wss;
    });
  }
  return bindings;
}

Callee Call::at_device(Turn& turn, const Binding& binding, const std::string& user, Side side,
                       std::size_t worker) {
  Leg& leg = add_leg(turn, Leg::Kind::browser, user, side);
  leg.target = binding.target;
  leg.preloaded_route = binding.path;
  leg.instance = binding.instance;
  leg.contact_user = binding.contact.uri.user;
  leg.registered = binding.contact.uri;
  leg.identity = identity_of_user(turn.node.settings.users, user, view_.dialled);
  leg.media = LegMedia::browser(turn, leg.id, worker, leg.target.remote.ip);
  Callee callee{&leg, binding.contact.uri, {}};
  callee.request_uri.headers.clear();
  callee.to.uri = sip::Uri::sip(user, turn.node.settings.domain);
  return callee;
}

bool Call::give_media(Turn& turn, Leg& leg, std::size_t worker) {
  if (leg.kind == Leg::Kind::browser) {
    leg.media = LegMedia::browser(turn, leg.id, worker, leg.target.remote.ip);
  } else {
    leg.media = LegMedia::trunk(turn, leg.id, worker, *leg.trunk, leg.target.remote.ip);
  }
  return leg.media.has_value();
}

void Call::cancel_others(Turn& turn) {
  stop_looking(turn.node);
  for (auto& other : legs_) {
    if (other->state != Leg::State::inviting) continue;
    cancel_leg(turn, *other, kElsewhere);
    leg_ended(turn, *other, Failure::local(EndReason::cancelled));
  }
}

}  // namespace trunkline::call
