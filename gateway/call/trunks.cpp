#include "call/trunks.hpp"

#include "call/expression.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call {
namespace {

/// Addresses kept of one host: a resolver's answer is as long as its zone's owner likes.
constexpr std::size_t kMaxAddresses = 16;
constexpr std::uint16_t kSipPort = 5060, kSipsPort = 5061;

/// RFC 3261 §26.2.2: sips means TLS, whatever reliable transport it names. A trunk is never a
/// WebSocket.
std::optional<sip::Transport> transport_of(const sip::Uri& uri) {
  if (uri.scheme == sip::Uri::Scheme::sips) return sip::Transport::tls;
  const std::string name = uri.transport();
  if (name.empty()) return sip::Transport::udp;
  const auto transport = sip::parse_transport(name);
  if (transport && sip::is_websocket(*transport)) return std::nullopt;
  return transport;
}

std::uint16_t default_port(std::optional<sip::Transport> transport) {
  return transport == sip::Transport::tls ? kSipsPort : kSipPort;
}

/// RFC 3263 §4.2, without SRV.
std::uint16_t port_of(const sip::Uri& uri) {
  return uri.port.value_or(default_port(transport_of(uri)));
}

/// An address from which we would take the trunk's calls, or to which we send ours.
bool belongs_to(const Trunk& trunk, const SocketAddress& address) {
  const auto& allow = trunk.settings.allow;
  const auto ip_is_its = [&](const SocketAddress& own) { return own.ip == address.ip; };
  if (allow.empty()) return std::ranges::any_of(trunk.addresses, ip_is_its);
  return std::ranges::find(trunk.addresses, address) != trunk.addresses.end() ||
         std::ranges::any_of(allow, [&](const auto& range) { return range.contains(address); });
}

/// How well a source fits a trunk: the more specific the better, and of equals one that also sends
/// from the port that we send to. Negative: not at all.
std::pair<int, bool> fit(const Trunk& trunk, const SocketAddress& source) {
  std::pair<int, bool> best{-1, false};
  for (const AddressRange& range : trunk.settings.allow) {
    if (range.contains(source)) best = std::max(best, {range.specificity(), false});
  }
  if (!trunk.settings.allow.empty()) return best;
  for (const SocketAddress& address : trunk.addresses) {
    if (address.ip != source.ip) continue;
    best = std::max(best, {source.ip.is_v4() ? 32 : 128, address.port == source.port});
  }
  return best;
}

}  // namespace

Trunks::Trunks(const std::vector<TrunkSettings>& settings) {
  trunks_.reserve(settings.size());
  for (const TrunkSettings& one : settings) {
    const double rate = one.max_calls_per_second;
    Trunk& trunk =
        trunks_.emplace_back(Trunk{one, {}, 0, std::nullopt, true, RateLimit(rate, rate), {}});
    if (!one.capacity_phrase.empty())
      trunk.capacity = std::make_shared<const RE2>(one.capacity_phrase, expression_options());
    if (const auto ip = IpAddress::parse(one.uri.host)) trunk.addresses = {{*ip, port_of(one.uri)}};
  }
}

Trunk* Trunks::find(std::string_view name) {
  const auto found = std::ranges::find_if(
      trunks_, [name](const Trunk& trunk) { return trunk.settings.name == name; });
  return found == trunks_.end() ? nullptr : &*found;
}

Trunk* Trunks::identify(const SocketAddress& source) {
  Trunk* best = nullptr;
  std::pair<int, bool> best_fit{-1, false};
  for (Trunk& trunk : trunks_) {
    const auto this_fit = fit(trunk, source);
    if (this_fit <= best_fit) continue;
    best = &trunk;
    best_fit = this_fit;
  }
  return best;
}

void Trunks::resolved(std::string_view name, std::vector<SocketAddress> addresses) {
  Trunk* const trunk = find(name);
  if (trunk == nullptr || addresses.empty()) return;
  if (addresses.size() > kMaxAddresses) addresses.resize(kMaxAddresses);
  for (SocketAddress& address : addresses) {
    if (address.port == 0) address.port = port_of(trunk->settings.uri);
  }
  trunk->addresses = std::move(addresses);
}

std::optional<sip::Target> Trunks::target(const Trunk& trunk) {
  const auto transport = transport_of(trunk.settings.uri);
  if (!transport || trunk.addresses.empty()) return std::nullopt;
  return sip::Target{*transport, trunk.addresses.front(), {}};
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
  // Of the other family neither our Contact nor our media would fit.
  if (ip->is_v4() != next->remote.ip.is_v4() || !belongs_to(trunk, address)) return std::nullopt;
  next->remote = address;
  return next;
}

std::optional<std::string> Trunks::wrong_expression(const std::string& text) {
  const RE2 expression(text, expression_options());
  return expression.ok() ? std::nullopt : std::optional(expression.error());
}

bool Trunk::names_capacity(std::string_view phrase) const {
  return capacity && capacity->ok() &&
         RE2::PartialMatch(re2::StringPiece(phrase.data(), phrase.size()), *capacity);
}

Trunks::Admission Trunks::admit(Trunk& trunk, TimePoint now) {
  if (!trunk.enabled) return Admission::disabled;
  if (trunk.calls >= trunk.settings.max_calls) return Admission::calls;
  if (!trunk.call_rate.allow(now)) return Admission::rate;
  ++trunk.calls;
  return Admission::ok;
}

void Trunks::release(std::string_view name) {
  Trunk* const trunk = find(name);
  if (trunk != nullptr && trunk->calls > 0) --trunk->calls;
}

}  // namespace trunkline::call
