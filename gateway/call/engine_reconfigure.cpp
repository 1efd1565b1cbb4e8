#include "call/engine_impl.hpp"

#include <algorithm>

// Another configuration takes the place of the one in force: between two inputs, so that each sees
// one of them whole. Calls hold what they began with.
namespace trunkline::call {
namespace {

/// Whether both register the same contact for the same address of record: what the one binds is not
/// to be removed then by the other.
bool same_binding(const TrunkSettings& one, const TrunkSettings& other) {
  return one.username == other.username && one.uri.text() == other.uri.text();
}

bool same_registration(const TrunkSettings& one, const TrunkSettings& other) {
  return same_binding(one, other) && one.password == other.password && one.registers &&
         other.registers && one.register_expires_seconds == other.register_expires_seconds;
}

}  // namespace

Result<std::shared_ptr<Engine::Plan>> Engine::plan(Settings settings) {
  auto router = Router::make(settings.routes, settings.users, settings.trunks);
  if (!router) return fail(router.error());
  for (const RouteSettings& route : settings.routes) {
    if (route.target == "service:policy" && !settings.policy.enabled)
      return fail("routes: service:policy needs policy.endpoint");
  }
  return std::make_shared<Plan>(std::move(settings), std::move(*router));
}

void Engine::reconfigure(Plan& plan, Moment at, Effects& out) {
  Turn turn{impl_->node, at, out};
  impl_->reconfigure(turn, plan);
  impl_->count();
}

void Engine::Impl::reconfigure(Turn& turn, Plan& plan) {
  Settings next = std::move(plan.settings);
  Settings& now = node.settings;
  next.node = now.node;
  next.domain = now.domain;
  next.contacts = now.contacts;
  next.browser_codecs = now.browser_codecs;
  next.digest_secret = now.digest_secret;
  next.credentials.secret = now.credentials.secret;
  router = std::move(plan.router);
  authenticator.configure(next.users, next.policy.enabled && next.policy.authenticate_users,
                          next.digest_algorithms);
  node.registrar.configure(next.registrar);
  for (const UserSettings& user : now.users) {
    if (std::ranges::find(next.users, user.name, &UserSettings::name) == next.users.end())
      node.registrar.remove(user.name, {}, turn.out.observations);
  }
  now = std::move(next);
  reconfigure_trunks(turn);
}

void Engine::Impl::reconfigure_trunks(Turn& turn) {
  for (const TrunkSettings& next : node.settings.trunks) {
    // Nobody asks any more, so nobody would find out that it is up again.
    const Trunk* before = node.trunks.find(next.name);
    if (before != nullptr && before->up && next.options_interval <= Duration::zero())
      turn.observe(TrunkChanged{next.name, true, "not asked any more", false});
  }
  node.trunks.reconfigure(node.settings.trunks);
  auto before = std::exchange(registering, {});
  for (const auto& trunk : node.trunks.all()) {
    const TrunkSettings& wanted = trunk->settings;
    if (!wanted.registers) continue;
    auto& one = registering[wanted.name];
    auto known = before.find(wanted.name);
    if (known != before.end() && same_registration(known->second->trunk->settings, wanted)) {
      one = std::move(known->second);
      one->trunk = trunk;
      before.erase(known);
      continue;
    }
    one = std::make_shared<Registering>(trunk, node.random);
    if (draining) unregister(turn, one);  // it begins when the drain is called off
    if (known != before.end() && same_binding(known->second->trunk->settings, wanted))
      before.erase(known);
  }
  for (const auto& [name, one] : before)
    unregister(turn, one);
  trunks_at = {};
  show_trunks();
  TrunksConfigured told;
  for (const TrunkSettings& trunk : node.settings.trunks)
    told.trunks.push_back(trunk.name);
  turn.observe(std::move(told));
}

void Engine::Impl::show_trunks() {
  auto all = std::make_shared<std::vector<Shown>>();
  for (const auto& trunk : node.trunks.all()) {
    const auto known = registering.find(trunk->settings.name);
    all->push_back({trunk->settings.name, trunk->settings.max_calls,
                    trunk->settings.max_calls_per_second, trunk->counters,
                    known == registering.end() ? nullptr : known->second});
  }
  const std::scoped_lock lock(shown_mutex);
  shown = std::move(all);
  max_calls.set(static_cast<std::int64_t>(node.settings.max_calls));
}

}  // namespace trunkline::call
