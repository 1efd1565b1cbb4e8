#include "base/log.hpp"
#include "call/engine_impl.hpp"

#include <algorithm>

// What the node does with its trunks by itself: it registers with those that want it, and describes
// them all.
namespace trunkline::call {
namespace {

constexpr Duration kLocating = seconds{1};  // between two looks at a trunk without a target

}  // namespace

void Engine::Impl::trunks_due(Turn& turn) {
  probes_due(turn);
  for (const auto& [name, one] : registering)
    register_due(turn, one);
  trunks_at = kNever;
  for (const auto& trunk : node.trunks.all()) {
    const bool watched = trunk->settings.options_interval > Duration::zero();
    if (!watched && !trunk->settings.registers) continue;
    if (trunk->targets.empty()) trunks_at = std::min(trunks_at, turn.at.now + kLocating);
    if (!watched) continue;
    for (const TrunkTarget& target : trunk->targets) {
      if (!target.probing) trunks_at = std::min(trunks_at, target.probe_at);
    }
  }
  for (const auto& [transaction, one] : probes) {
    if (!one.late) trunks_at = std::min(trunks_at, one.late_at);
  }
  for (const auto& [name, one] : registering) {
    if (!one->trunk->targets.empty()) trunks_at = std::min(trunks_at, one->machine.deadline());
  }
}

// ------------------------------------------------------------------------------- registrations

void Engine::Impl::register_due(Turn& turn, const std::shared_ptr<Registering>& one) {
  Trunk& trunk = *one->trunk;
  if (!one->machine.bound(turn.at.now)) {
    trunk.registrar.reset();
    trunk.service_route.clear();
  }
  if (one->machine.deadline() > turn.at.now || trunk.targets.empty()) return;
  aim(turn, *one);
  TrunkRegistration::Effects effects;
  one->machine.on_deadline(turn.at.now, effects);
  apply(turn, one, std::move(effects));
}

void Engine::Impl::aim(Turn& turn, Registering& one) {
  const Trunk& trunk = *one.trunk;
  if (one.at >= one.order.size()) {
    one.order = Trunks::order(trunk, node.random, turn.at.now);
    if (one.order.empty()) one.order = {trunk.targets.front().place()};  // all of them rest
    one.at = 0;
  }
  const bool secure = trunk.settings.uri.scheme == sip::Uri::Scheme::sips;
  one.machine.set_contact(node.contact_uri(one.order[one.at], trunk.settings.username, secure));
}

void Engine::Impl::registered(Turn& turn, sip::TransactionId transaction,
                              const sip::Message* response, std::string_view why) {
  const auto open = registers.extract(transaction);
  if (open.empty()) return;
  Registering& one = *open.mapped();
  TrunkRegistration::Effects effects;
  if (response != nullptr) {
    one.machine.receive(*response, turn.at.now, effects);
  } else {
    one.machine.unanswered(why, turn.at.now, effects);
  }
  Trunk& trunk = *one.trunk;
  if (!effects.send && one.machine.state() == TrunkRegistration::State::failed) {
    if (one.machine.server_failed()) trunk.failed(one.order[one.at], turn.at.now);
    // RFC 3263 §4.3: another of its targets, before the wait.
    const bool elsewhere = one.machine.server_failed() && one.at + 1 < one.order.size();
    if (elsewhere) one.machine.try_elsewhere(turn.at.now);
    one.at = elsewhere ? one.at + 1 : one.order.size();
  }
  if (one.machine.state() == TrunkRegistration::State::registered) {
    trunk.registrar = one.order[one.at].remote;
    trunk.service_route = one.machine.service_route();
  }
  apply(turn, open.mapped(), std::move(effects));
  trunks_due(turn);
}

void Engine::Impl::apply(Turn& turn, const std::shared_ptr<Registering>& one,
                         TrunkRegistration::Effects effects) {
  using State = TrunkRegistration::State;
  const State state = one->machine.state();
  one->state.set(static_cast<std::int64_t>(state));
  if (effects.changed) {
    const bool bad = state == State::failed;
    log::write(bad ? log::Level::warn : log::Level::info, "trunk registration",
               {{"trunk", one->trunk->settings.name},
                {"state", registration_state_label(state)},
                {"why", one->machine.failure()}});
  }
  if (!effects.send) return;
  const sip::TransactionId transaction = node.next_transaction();
  registers.emplace(transaction, one);
  turn.out.sip.emplace_back(
      sip::SendRequest{transaction, std::move(*effects.send), one->order[one->at]});
}

void Engine::Impl::unregister(Turn& turn, const std::shared_ptr<Registering>& one) {
  if (one->trunk->targets.empty()) return;
  aim(turn, *one);
  TrunkRegistration::Effects effects;
  one->machine.leave(turn.at.now, effects);
  apply(turn, one, std::move(effects));
}

void Engine::Impl::unregister(Turn& turn) {
  for (const auto& [name, one] : registering)
    unregister(turn, one);
}

// ------------------------------------------------------------------------------- as they are

TrunkView Engine::Impl::describe(const Trunk& trunk, TimePoint now) const {
  TrunkView view;
  view.name = trunk.settings.name;
  view.uri = trunk.settings.uri.text();
  view.enabled = trunk.enabled;
  view.up = trunk.up;
  view.degraded = trunk.degraded;
  view.calls = *trunk.calls;
  view.max_calls = trunk.settings.max_calls;
  for (const TrunkTarget& target : trunk.targets) {
    TrunkTargetView told;
    told.transport = sip::transport_label(target.server.transport);
    told.address = target.server.address.text();
    told.state = target_state_label(target.state);
    told.priority = target.server.priority;
    told.weight = target.server.weight;
    if (target.rests_until > now) told.rests = target.rests_until - now;
    view.addresses.push_back(told.address);
    view.targets.push_back(std::move(told));
  }
  const auto known = registering.find(trunk.settings.name);
  if (known == registering.end()) return view;
  const TrunkRegistration& machine = known->second->machine;
  TrunkRegistrationView told;
  told.state = registration_state_label(machine.state());
  told.failure = machine.failure();
  if (machine.bound(now)) told.expires = machine.bound_until() - now;
  view.registration = std::move(told);
  return view;
}

}  // namespace trunkline::call
