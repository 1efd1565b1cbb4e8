#include "call/trunks.hpp"

#include "call/expression.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call {
namespace {

constexpr Duration kSuspicion = seconds{30};
constexpr std::size_t kMaxFormer = 16;
constexpr seconds kLongestRest{300};  // a peer's Retry-After is a wish

/// RFC 3263 §4.2, without SRV.
std::uint16_t port_of(const sip::Uri& uri) {
  return uri.port.value_or(default_port(transport_of(uri)));
}

/// An address from which we would take the trunk's calls, or to which we send ours.
bool belongs_to(const Trunk& trunk, const SocketAddress& address) {
  const auto& allow = trunk.settings.allow;
  return std::ranges::any_of(trunk.targets,
                             [&](const TrunkTarget& own) {
                               return allow.empty() ? own.server.address.ip == address.ip
                                                    : own.server.address == address;
                             }) ||
         std::ranges::any_of(allow, [&](const auto& range) { return range.contains(address); });
}

/// How well a source fits a trunk: the more specific the better, and of equals one that also sends
/// from the port that we send to. Negative: not at all.
std::pair<int, bool> fit(const Trunk& trunk, const SocketAddress& source) {
  std::pair<int, bool> best{-1, false};
  for (const AddressRange& range : trunk.settings.allow) {
    if (range.contains(source)) best = std::max(best, {range.specificity(), false});
  }
  const auto take = [&](const SocketAddress& address) {
    if (address.ip != source.ip) return;
    best = std::max(best, {source.ip.is_v4() ? 32 : 128, address.port == source.port});
  };
  // It sends us its calls because we have asked it to.
  if (trunk.registrar) take(*trunk.registrar);
  if (!trunk.settings.allow.empty()) return best;
  for (const TrunkTarget& target : trunk.targets)
    take(target.server.address);
  return best;
}

}  // namespace

sip::Uri to_at(const Trunk& trunk, std::string_view number) {
  const sip::Uri& at = trunk.settings.uri;
  sip::Uri uri =
      number_uri(trunk.called_to.apply(std::string(number)), at.host, trunk.settings.number_form);
  if (uri.is_sip()) uri.port = at.port;
  return uri;
}

sip::Uri request_uri_at(const Trunk& trunk, std::string_view number) {
  sip::Uri uri = to_at(trunk, number);
  if (!uri.is_sip()) return uri;
  uri.scheme = trunk.settings.uri.scheme;
  uri.parameters.insert(uri.parameters.begin(), trunk.settings.uri.parameters.begin(),
                        trunk.settings.uri.parameters.end());
  return uri;
}

namespace {

std::shared_ptr<Trunk> make_trunk(const TrunkSettings& settings) {
  const double rate = settings.max_calls_per_second;
  auto trunk =
      std::make_shared<Trunk>(Trunk{.settings = settings, .call_rate = RateLimit(rate, rate)});
  // The configuration has been checked; a bad rule would be none.
  trunk->called_to = NumberRules::make(settings.called_to).value_or(NumberRules{});
  trunk->calling_to = NumberRules::make(settings.calling_to).value_or(NumberRules{});
  trunk->called_from = NumberRules::make(settings.called_from).value_or(NumberRules{});
  trunk->calling_from = NumberRules::make(settings.calling_from).value_or(NumberRules{});
  if (!settings.capacity_phrase.empty())
    trunk->capacity = std::make_shared<const RE2>(settings.capacity_phrase, expression_options());
  return trunk;
}

}  // namespace

Trunks::Trunks(const std::vector<TrunkSettings>& settings) {
  reconfigure(settings);
}

void Trunks::reconfigure(const std::vector<TrunkSettings>& settings) {
  std::vector<std::shared_ptr<Trunk>> next;
  next.reserve(settings.size());
  for (const TrunkSettings& one : settings) {
    next.push_back(make_trunk(one));
    if (const Trunk* before = find(one.name)) next.back()->inherit(*before);
  }
  trunks_ = std::move(next);
  for (const TrunkSettings& one : settings) {
    if (!one.replicas && IpAddress::parse(one.uri.host))
      located(one.name, ServerLocation(one.uri, {}).targets());
  }
}

std::shared_ptr<Trunk> Trunks::shared(std::string_view name) const {
  const auto found = std::ranges::find_if(
      trunks_, [name](const auto& trunk) { return trunk->settings.name == name; });
  return found == trunks_.end() ? nullptr : *found;
}

Trunk& Trunks::current(Trunk& held) const {
  const auto now = shared(held.settings.name);
  return now != nullptr ? *now : held;
}

Trunk* Trunks::identify(const sip::Target& source) const {
  const auto proved = std::ranges::find_if(trunks_, [&](const auto& trunk) {
    return source.peer && trunk->settings.peer == source.peer;
  });
  if (proved != trunks_.end()) return proved->get();
  Trunk* best = nullptr;
  std::pair<int, bool> best_fit{-1, false};
  for (const auto& trunk : trunks_) {
    const auto this_fit = fit(*trunk, source.remote);
    if (this_fit <= best_fit) continue;
    best = trunk.get();
    best_fit = this_fit;
  }
  return best;
}

bool Trunks::is_from(const Trunk& held, const sip::Target& source) const {
  const Trunk* now = identify(source);
  if (now != nullptr && now->settings.name == held.settings.name) return true;
  const bool outdated = shared(held.settings.name).get() != &held;
  const bool proved = source.peer && held.settings.peer == source.peer;
  return outdated && (proved || fit(held, source.remote).first >= 0);
}

void Trunks::located(std::string_view name, const std::vector<ServerTarget>& targets) {
  Trunk* const trunk = find(name);
  if (trunk == nullptr || targets.empty()) return;
  std::vector<TrunkTarget> known = std::move(trunk->targets);
  known.insert(known.end(), trunk->former.begin(), trunk->former.end());
  trunk->targets.clear();
  for (const ServerTarget& server : targets) {
    const auto before = std::ranges::find_if(known, [&](const TrunkTarget& one) {
      return one.server.transport == server.transport && one.server.address == server.address;
    });
    TrunkTarget& target = trunk->targets.emplace_back();
    if (before != known.end()) {
      target = *before;
      known.erase(before);
    }
    target.server = server;
    target.peer = trunk->settings.peer;
  }
  if (known.size() > kMaxFormer) known.resize(kMaxFormer);
  for (TrunkTarget& target : known)
    target.probing = false;  // nobody takes the answer any more
  trunk->former = std::move(known);
}

std::optional<sip::Target> Trunks::target(const Trunk& trunk) {
  if (trunk.targets.empty()) return std::nullopt;
  const auto well = std::ranges::find_if(
      trunk.targets, [](const TrunkTarget& one) { return one.state != TargetState::down; });
  return (well == trunk.targets.end() ? trunk.targets.front() : *well).place();
}

std::vector<sip::Target> Trunks::order(const Trunk& trunk, Random& random, TimePoint now) {
  std::vector<ServerTarget> servers;
  for (const TrunkTarget& target : trunk.targets)
    servers.push_back(target.server);
  std::vector<sip::Target> first;
  std::vector<sip::Target> last;
  for (const std::size_t index : draw_order(servers, random)) {
    const TrunkTarget& target = trunk.targets[index];
    if (target.rests_until > now) continue;
    const bool bad = target.state == TargetState::down || target.state == TargetState::refusing ||
                     target.suspect_until > now;
    (bad ? last : first).push_back(target.place());
  }
  first.insert(first.end(), last.begin(), last.end());
  return first;
}

std::optional<Duration> Trunks::rests(const Trunk& trunk, TimePoint now) {
  if (trunk.targets.empty()) return std::nullopt;
  const auto soonest = std::ranges::min_element(trunk.targets, {}, &TrunkTarget::rests_until);
  if (soonest->rests_until <= now) return std::nullopt;
  return soonest->rests_until - now;
}

std::optional<sip::Target> Trunks::redirected(const Trunk& trunk, const sip::Uri& contact) {
  auto next = target(trunk);
  if (!next || !contact.is_sip() || contact.has_parameter("maddr")) return std::nullopt;
  const bool secure = trunk.settings.uri.scheme == sip::Uri::Scheme::sips;
  if (secure && contact.scheme != sip::Uri::Scheme::sips) return std::nullopt;
  // Without a transport of its own it keeps the trunk's: never a weaker one.
  const bool as_before =
      contact.scheme == sip::Uri::Scheme::sip && !contact.has_parameter("transport");
  if (!as_before && transport_of(contact) != next->transport) return std::nullopt;
  const std::uint16_t port = contact.port.value_or(default_port(next->transport));
  const auto ip = IpAddress::parse(contact.host);
  if (!ip) {  // no other name is looked up for a peer
    const bool same = sip::equals_ignoring_case(contact.host, trunk.settings.uri.host) &&
                      (!contact.port || port == port_of(trunk.settings.uri));
    return same ? next : std::nullopt;
  }
  const SocketAddress address{*ip, port};
  if (!belongs_to(trunk, address)) return std::nullopt;
  next->remote = address;
  return next;
}

std::optional<std::string> Trunks::wrong_expression(const std::string& text) {
  const RE2 expression(text, expression_options());
  return expression.ok() ? std::nullopt : std::optional(expression.error());
}

std::string_view target_state_label(TargetState state) {
  switch (state) {
    case TargetState::unknown:
      break;
    case TargetState::up:
      return "up";
    case TargetState::late:
      return "late";
    case TargetState::refusing:
      return "refusing";
    case TargetState::down:
      return "down";
  }
  return "unknown";
}

TrunkTarget* Trunk::find(const sip::Target& place) {
  const auto found = std::ranges::find_if(targets, [&](const TrunkTarget& target) {
    return target.server.transport == place.transport && target.server.address == place.remote;
  });
  return found == targets.end() ? nullptr : &*found;
}

void Trunk::failed(const sip::Target& place, TimePoint now) {
  if (TrunkTarget* target = find(place)) target->suspect_until = now + kSuspicion;
}

void Trunk::rest(const sip::Target& place, std::uint32_t retry_after_seconds, TimePoint now) {
  TrunkTarget* target = find(place);
  if (target == nullptr) return;
  // The only one gets a second chance: to refuse all calls for a time is as bad as it gets.
  if (!std::exchange(target->asked_to_wait, true) && targets.size() == 1) return;
  const auto asked = std::min<std::int64_t>(retry_after_seconds, kLongestRest.count());
  target->rests_until = std::max(target->rests_until, now + seconds{asked});
}

void Trunk::served(const sip::Target& place) {
  if (TrunkTarget* target = find(place)) target->asked_to_wait = false;
}

void Trunk::answered(const sip::Target& place, TargetState state) {
  TrunkTarget* target = find(place);
  if (target == nullptr) return;
  target->state = state;
  if (state == TargetState::up) target->suspect_until = {};
}

bool Trunk::judge() {
  const auto is = [this](TargetState state) {
    return std::ranges::any_of(targets,
                               [state](const TrunkTarget& one) { return one.state == state; });
  };
  const bool answers = is(TargetState::up) || is(TargetState::late) || is(TargetState::refusing);
  // Down it is once none is left that might still answer.
  if (!answers && (!is(TargetState::down) || is(TargetState::unknown))) return false;
  const bool partly =
      answers && (is(TargetState::late) || is(TargetState::refusing) || is(TargetState::down));
  const bool changed = up != answers || degraded != partly;
  up = answers;
  degraded = partly;
  return changed;
}

bool Trunk::names_capacity(std::string_view phrase) const {
  return capacity && capacity->ok() &&
         RE2::PartialMatch(re2::StringPiece(phrase.data(), phrase.size()), *capacity);
}

void Trunk::inherit(const Trunk& before) {
  calls = before.calls;
  counters = before.counters;
  enabled = before.enabled;
  if (before.settings.max_calls_per_second == settings.max_calls_per_second)
    call_rate = before.call_rate;
  if (settings.registers) {
    registrar = before.registrar;
    service_route = before.service_route;
  }
  if (before.settings.uri.text() != settings.uri.text()) return;
  targets = before.targets;
  former = before.former;
  const bool watched = settings.options_interval > Duration::zero();
  if (watched) {
    up = before.up;
    degraded = before.degraded;
  }
  for (TrunkTarget& target : targets) {
    target.peer = settings.peer;
    if (before.settings.options_interval == settings.options_interval) continue;
    target.probe_at = {};  // by its new interval
    if (!watched) target.state = TargetState::unknown;
  }
}

Trunks::Admission Trunks::admit(Trunk& trunk, TimePoint now) {
  if (!trunk.enabled) return Admission::disabled;
  if (*trunk.calls >= trunk.settings.max_calls) return Admission::calls;
  if (!trunk.call_rate.allow(now)) return Admission::rate;
  return Admission::ok;
}

}  // namespace trunkline::call
