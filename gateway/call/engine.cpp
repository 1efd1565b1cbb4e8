#include "call/engine.hpp"

#include "call/engine_impl.hpp"
#include "sip/endpoint.hpp"

#include <algorithm>

namespace trunkline::call {

namespace {

constexpr std::size_t kNodeSecretLength = 43;  // 256 bits
/// Longer than anybody lets it ring.
constexpr Duration kLongestSetup = std::chrono::minutes{10};
/// Twice 64*T1, and then some: the last transaction of a call is long over.
constexpr Duration kLongestTeardown = std::chrono::minutes{2};

/// For the operator, of a trunk that was asked for something.
std::string_view why_failed(sip::RequestFailed::Cause cause) {
  switch (cause) {
    case sip::RequestFailed::Cause::timeout:
      return "no answer";
    case sip::RequestFailed::Cause::tls:
      return "TLS failed";
    case sip::RequestFailed::Cause::transport:
    case sip::RequestFailed::Cause::flow_closed:
      break;
  }
  return "unreachable";
}

}  // namespace

Engine::Engine() = default;
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::make(Settings settings, MediaResources media,
                                             Random& random) {
  if (media.workers.empty()) return fail("no media worker");
  auto planned = plan(std::move(settings));
  if (!planned) return fail(planned.error());
  settings = std::move((*planned)->settings);
  if (settings.digest_secret.empty()) settings.digest_secret = random.token(kNodeSecretLength);
  if (settings.credentials.secret.empty())
    settings.credentials.secret = random.token(kNodeSecretLength);
  std::unique_ptr<Engine> engine(new Engine);
  engine->impl_ = std::make_unique<Impl>(std::move(settings), std::move(media), random,
                                         std::move((*planned)->router));
  return engine;
}

void Engine::receive(const sip::Event& event, Moment at, Effects& out) {
  Turn turn{impl_->node, at, out};
  std::visit([&](const auto& specific) { impl_->receive(turn, specific); }, event);
  impl_->count();
}

void Engine::receive(const media::Event& event, Moment at, Effects& out) {
  Turn turn{impl_->node, at, out};
  impl_->receive(turn, event);
}

void Engine::execute(const Request& request, RequestId id, Moment at, Effects& out) {
  Turn turn{impl_->node, at, out};
  std::visit([&](const auto& specific) { impl_->execute(turn, id, specific); }, request);
  impl_->count();
}

void Engine::receive(const PolicyAnswer& answer, QuestionId id, Moment at, Effects& out) {
  Turn turn{impl_->node, at, out};
  impl_->receive(turn, answer, id);
  impl_->count();
}

void Engine::receive(const Locations& answer, QuestionId id, Moment at, Effects& out) {
  Turn turn{impl_->node, at, out};
  impl_->receive(turn, answer, id);
  impl_->count();
}

void Engine::on_deadline(Moment at, Effects& out) {
  Turn turn{impl_->node, at, out};
  impl_->on_deadline(turn);
  impl_->count();
}

void Engine::passed(const PassingMessage& message) {
  Node& node = impl_->node;
  PassingMessage known = message;
  if (known.local.empty()) {
    known.local =
        node.contact_address(known.transport, known.remote.ip.is_v6()).value_or(SocketAddress{});
  }
  node.traces.record(known);
}

TimePoint Engine::deadline() const {
  TimePoint first = std::min(
      {impl_->drain_at, impl_->node.registrar.deadline(), impl_->subscriptions.deadline()});
  if (!impl_->unidentified.empty())
    first = std::min(first, impl_->unidentified.begin()->second.until);
  if (!impl_->deadlines.empty()) first = std::min(first, impl_->deadlines.begin()->first);
  if (!impl_->look_ups.empty()) first = std::min(first, impl_->look_ups.begin()->second.until);
  first = std::min(first, impl_->trunks_at);
  return first;
}

void Engine::trunk_located(const std::string& trunk, const std::vector<ServerTarget>& targets) {
  impl_->node.trunks.located(trunk, targets);
  impl_->trunks_at = {};
}

void Engine::certificate_renewed(std::size_t worker, const media::Fingerprint& fingerprint) {
  impl_->node.media.workers.at(worker).fingerprint = fingerprint;
}

std::vector<LocatedName> Engine::names_to_locate() const {
  std::vector<LocatedName> names;
  for (const TrunkSettings& trunk : impl_->node.settings.trunks) {
    if (!trunk.replicas && !IpAddress::parse(trunk.uri.host))
      names.push_back({trunk.name, trunk.uri});
  }
  return names;
}

void Engine::drain(Moment at, Effects& out) {
  impl_->leaving = true;
  if (impl_->draining) return;
  Turn turn{impl_->node, at, out};
  impl_->begin_drain(turn, impl_->node.settings.drain_timeout);
}

void Engine::end_all(Moment at, Effects& out) {
  Turn turn{impl_->node, at, out};
  impl_->draining = true;
  impl_->drains.set(1);
  impl_->end_all(turn);
  impl_->count();
}

bool Engine::draining() const {
  return impl_->draining;
}
std::size_t Engine::calls() const {
  return impl_->live;
}
TimePoint Engine::drain_deadline() const {
  return impl_->drain_at;
}
std::vector<std::string> Engine::some_calls(std::size_t most) const {
  std::vector<std::string> names;
  for (const auto& [id, entry] : impl_->calls) {
    if (names.size() >= most) break;
    if (entry.live) names.push_back(entry.call->name());
  }
  return names;
}
bool Engine::has_call(FlowId flow) const {
  return std::ranges::any_of(impl_->calls,
                             [flow](const auto& entry) { return entry.second.call->uses(flow); });
}
std::size_t Engine::registrations() const {
  return impl_->node.registrar.size();
}
std::vector<Registration> Engine::bindings(TimePoint now) const {
  return impl_->node.registrar.list({}, now);
}
const MetricSource& Engine::metrics() const {
  return *impl_;
}

Engine::Impl::Impl(Settings settings, MediaResources media, Random& random, Router chosen)
    : node(std::move(settings), std::move(media), random),
      router(std::move(chosen)),
      credentials(node.settings.credentials.secret),
      authenticator(node.settings.domain, node.settings.users, node.settings.digest_secret, random,
                    &credentials,
                    node.settings.policy.enabled && node.settings.policy.authenticate_users,
                    node.settings.digest_algorithms) {
  for (const auto& trunk : node.trunks.all()) {
    const TrunkSettings& wanted = trunk->settings;
    if (wanted.registers)
      registering.emplace(wanted.name, std::make_shared<Registering>(trunk, random));
    if (wanted.registers || wanted.options_interval > Duration::zero()) trunks_at = {};
  }
  show_trunks();
}

void Engine::survey(TimePoint now) {
  impl_->survey(now);
}

void Engine::Impl::begin_drain(Turn& turn, Duration patience) {
  unregister(turn);
  draining = true;
  drain_at = turn.at.now + patience;
  drains.set(1);
  drain_deadline.set(std::chrono::system_clock::to_time_t(
      turn.at.wall + std::chrono::duration_cast<std::chrono::seconds>(patience)));
}

void Engine::Impl::survey(TimePoint now) {
  std::int64_t setup = 0, teardown = 0;
  for (auto& [id, entry] : calls) {
    if (entry.first_seen == TimePoint{}) entry.first_seen = now;
    if (!entry.live && entry.ended_seen == TimePoint{}) entry.ended_seen = now;
    if (!entry.live) {
      teardown += now - entry.ended_seen > kLongestTeardown ? 1 : 0;
    } else if (entry.call->in_setup()) {
      setup += now - entry.first_seen > kLongestSetup ? 1 : 0;
    }
  }
  node.counters.stuck[Stuck::setup].set(setup);
  node.counters.stuck[Stuck::teardown].set(teardown);
}

void Engine::Impl::count() {
  live_calls.set(static_cast<std::int64_t>(live));
  lingering.set(static_cast<std::int64_t>(calls.size()));
  dialogs.set(static_cast<std::int64_t>(node.dialogs.size() + subscriptions.dialogs()));
  legs.set(static_cast<std::int64_t>(node.legs.size()));
  transactions.set(static_cast<std::int64_t>(node.transactions.size()));
  questions.set(static_cast<std::int64_t>(node.questions.size() + unidentified.size()));
}

void Engine::Impl::collect(MetricSink& sink) const {
  sink.gauge("trunkline_calls_limit", "Calls that are taken at once.",
             {{"scope", "node"}, {"trunk", ""}}, value(max_calls));
  sink.gauge("trunkline_overload_level",
             "Calls alive, as a part of limits.max_calls: at 1 new calls are refused.", {},
             value(live_calls) / std::max(value(max_calls), 1.0));
  sink.gauge(
      "trunkline_drain_remaining_calls",
      "While draining, the calls that are not over, those included whose BYE is not answered.", {},
      drains.get() != 0 ? value(lingering) : 0);
  sink.gauge("trunkline_drain_deadline_timestamp_seconds",
             "When the drain ends the calls that are left, Unix time; 0: no drain.", {},
             static_cast<double>(drain_deadline.get()));
  node.counters.collect(sink);
  node.replicas.collect(sink);
  collect_trunks(sink);
  sink.gauge("trunkline_media_ports_used", "Trunk RTP port pairs in use.", {{"pool", "trunk"}},
             static_cast<double>(node.ports_used.get()));
  sink.counter("trunkline_header_fields_left_out_total",
               "Header fields that a trunk's list lets cross, but were too long, too many or not "
               "clean.",
               {}, static_cast<double>(node.fields_left_out.get()));
  sink.gauge("trunkline_calls_held_in_memory",
             "Calls known, those included whose last transactions are running out.", {},
             static_cast<double>(lingering.get()));
  sink.gauge("trunkline_sip_dialogs", "SIP dialogs.", {}, static_cast<double>(dialogs.get()));
  sink.gauge("trunkline_call_transactions", "SIP transactions that belong to a call.", {},
             static_cast<double>(transactions.get()));
  sink.gauge("trunkline_policy_questions", "Questions that the policy service has yet to answer.",
             {}, static_cast<double>(questions.get()));
  sink.gauge("trunkline_call_legs", "Legs of all calls known.", {},
             static_cast<double>(legs.get()));
}

void Engine::Impl::collect_trunks(MetricSink& sink) const {
  using State = TrunkRegistration::State;
  std::shared_ptr<const std::vector<Shown>> all;
  {
    const std::scoped_lock lock(shown_mutex);
    all = shown;
  }
  for (const Shown& trunk : *all) {
    sink.gauge("trunkline_calls_limit", "Calls that are taken at once.",
               {{"scope", "trunk"}, {"trunk", trunk.name}}, trunk.max_calls);
    sink.gauge("trunkline_trunk_calls_per_second_limit", "Calls that the trunk takes in a second.",
               {{"trunk", trunk.name}}, trunk.max_calls_per_second);
    trunk.counters->collect(sink, trunk.name);
    if (trunk.registering == nullptr) continue;
    for (const State state :
         {State::registering, State::registered, State::failed, State::leaving, State::gone}) {
      sink.gauge("trunkline_trunk_registration_state",
                 "Our registration with a trunk: 1 at its state.",
                 {{"trunk", trunk.name}, {"state", registration_state_label(state)}},
                 trunk.registering->state.get() == static_cast<std::int64_t>(state) ? 1 : 0);
    }
  }
}

Call* Engine::Impl::call_of(LegId leg) {
  const auto owner = node.legs.find(leg);
  if (owner == node.legs.end()) return nullptr;
  const auto entry = calls.find(owner->second);
  return entry == calls.end() ? nullptr : entry->second.call.get();
}

Engine::Impl::Entry& Engine::Impl::take_in(std::unique_ptr<Call> call) {
  const CallId id = call->id();
  names.emplace(call->name(), id);
  ++live;
  return calls.emplace(id, Entry{std::move(call)}).first->second;
}

void Engine::Impl::settle(Call& call) {
  const auto found = calls.find(call.id());
  Entry& entry = found->second;
  if (entry.live && call.ended()) {
    entry.live = false;
    --live;
  }
  if (call.waits_for_browser()) away.insert(call.id());
  if (call.finished()) {
    deadlines.erase({entry.deadline, call.id()});
    away.erase(call.id());
    call.forget(node);
    names.erase(call.name());
    if (const auto asked = made.find(entry.request_id); asked != made.end())
      asked->second.view = call.view();
    calls.erase(found);
    return;
  }
  const TimePoint deadline = call.deadline();
  if (deadline == entry.deadline) return;
  deadlines.erase({entry.deadline, call.id()});
  entry.deadline = deadline;
  if (deadline != kNever) deadlines.insert({deadline, call.id()});
}

void Engine::Impl::on_deadline(Turn& turn) {
  node.registrar.on_deadline(turn.at.now, turn.out.observations);
  if (turn.at.now >= drain_at) end_all(turn);
  ask_no_longer(turn);
  look_no_longer(turn);
  subscriptions.on_deadline(turn.at.now);
  if (turn.at.now >= trunks_at) trunks_due(turn);
  while (!deadlines.empty() && deadlines.begin()->first <= turn.at.now) {
    const auto [due, id] = *deadlines.begin();
    Entry& entry = calls.find(id)->second;
    deadlines.erase(deadlines.begin());
    entry.deadline = kNever;
    entry.call->on_deadline(turn);
    attend(turn, *entry.call);
    settle(*entry.call);
  }
}

void Engine::Impl::end_all(Turn& turn) {
  drain_at = kNever;
  unregister(turn);
  std::vector<CallId> ids;
  for (const auto& [id, entry] : calls)
    ids.push_back(id);
  for (const CallId id : ids) {
    Call& call = *calls.find(id)->second.call;
    call.end(turn, Failure::local(EndReason::draining));
    settle(call);
  }
}

// ---------------------------------------------------------------- events of a transaction that a
// call owns

template <class Event>
void Engine::Impl::to_call(Turn& turn, const Event& event) {
  const auto owner = node.transactions.find(event.transaction);
  if (owner == node.transactions.end()) return;
  const LegId leg = owner->second;
  Call* call = call_of(leg);
  if (call == nullptr) {
    node.transactions.erase(event.transaction);
    return;
  }
  call->receive(turn, leg, event);
  attend(turn, *call);
  settle(*call);
}

void Engine::Impl::receive(Turn& turn, const sip::AckReceived& event) {
  to_call(turn, event);
}
void Engine::Impl::receive(Turn& turn, const sip::CancelReceived& event) {
  const auto aside = std::ranges::find_if(unidentified, [&](const auto& entry) {
    return entry.second.event.transaction == event.transaction;
  });
  if (aside != unidentified.end()) {
    turn.respond(event.transaction,
                 sip::make_response(aside->second.event.request, 487, node.random.token(12)));
    unidentified.erase(aside);
    return;
  }
  to_call(turn, event);
}
void Engine::Impl::receive(Turn& turn, const sip::ResponseReceived& event) {
  if (event.response.status() >= 200) {
    probed(turn, event.transaction, event.response.status(), event.response.reason());
    registered(turn, event.transaction, &event.response, {});
  }
  exchanges.receive(turn, event);
  subscriptions.receive(turn, event);
  to_call(turn, event);
}
void Engine::Impl::receive(Turn& turn, const sip::RequestFailed& event) {
  const std::string_view why = why_failed(event.cause);
  probed(turn, event.transaction, 0, why);
  registered(turn, event.transaction, nullptr, why);
  exchanges.receive(turn, event);
  subscriptions.receive(turn, event);
  to_call(turn, event);
}
void Engine::Impl::receive(Turn& turn, const sip::AckMissing& event) {
  to_call(turn, event);
}
void Engine::Impl::receive(Turn& turn, const sip::TransactionEnded& event) {
  to_call(turn, event);
}

void Engine::Impl::receive(Turn& turn, const media::Event& event) {
  const LegId leg = std::visit([](const auto& specific) { return specific.leg; }, event);
  Call* call = call_of(leg);
  if (call == nullptr) return;
  call->receive(turn, event);
  settle(*call);
  count();
}

void Engine::Impl::receive(Turn& turn, const sip::FlowClosed& event) {
  node.registrar.flow_closed(event.flow, turn.out.observations);
  subscriptions.flow_closed(turn, event.flow);
  std::erase_if(unidentified,
                [&](const auto& entry) { return entry.second.event.source.flow == event.flow; });
  std::vector<CallId> ids;
  for (const auto& [id, entry] : calls)
    ids.push_back(id);
  for (const CallId id : ids) {
    Call& call = *calls.find(id)->second.call;
    call.flow_closed(turn, event.flow);
    settle(call);
  }
}

}  // namespace trunkline::call
