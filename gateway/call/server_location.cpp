#include "call/server_location.hpp"

#include "sip/syntax.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace trunkline::call {
namespace {

// An answer is as long as its zone's owner likes.
constexpr std::size_t kMaxServers = 16;
constexpr std::size_t kMaxTargets = 16;
constexpr unsigned kRankShift = 16;  ///< above the priority of an SRV record

/// RFC 3263 §4.1 and RFC 3263 §8 (the NAPTR services of SIP).
std::optional<sip::Transport> transport_of_service(std::string_view service) {
  if (sip::equals_ignoring_case(service, "SIP+D2U")) return sip::Transport::udp;
  if (sip::equals_ignoring_case(service, "SIP+D2T")) return sip::Transport::tcp;
  if (sip::equals_ignoring_case(service, "SIPS+D2T")) return sip::Transport::tls;
  return std::nullopt;
}

/// RFC 6761 §6.3: no DNS server is asked for it.
bool is_localhost(std::string_view host) {
  constexpr std::string_view kName = "localhost";
  if (host.size() < kName.size()) return false;
  const std::size_t at = host.size() - kName.size();
  return sip::equals_ignoring_case(host.substr(at), kName) && (at == 0 || host[at - 1] == '.');
}

}  // namespace

std::optional<sip::Transport> transport_of(const sip::Uri& uri) {
  if (uri.scheme == sip::Uri::Scheme::sips) return sip::Transport::tls;
  const std::string name = uri.transport();
  if (name.empty()) return sip::Transport::udp;
  const auto transport = sip::parse_transport(name);
  if (transport && sip::is_websocket(*transport)) return std::nullopt;
  return transport;
}

std::uint16_t default_port(std::optional<sip::Transport> transport) {
  return transport == sip::Transport::tls ? sip::kDefaultTlsPort : sip::kDefaultPort;
}

ServerLocation::ServerLocation(sip::Uri uri, std::vector<sip::Transport> transports,
                               AddressFamilies families)
    : uri_(std::move(uri)), transports_(std::move(transports)), families_(families) {
  const auto transport = transport_of(uri_);
  if (!transport) {
    stage_ = Stage::done;
    return;
  }
  const bool secure = uri_.scheme == sip::Uri::Scheme::sips;
  if (secure) transports_ = {sip::Transport::tls};
  // §4.2: an address, or a port that is named, leaves nothing to SRV.
  if (IpAddress::parse(uri_.host) || uri_.port || is_localhost(uri_.host)) {
    servers_.push_back(
        {*transport, uri_.host, uri_.port.value_or(default_port(transport)), 0, 0, {}, {}});
    ask_addresses();
  } else if (!uri_.transport().empty()) {
    ask_services({*transport});  // §4.1: NAPTR only where the URI names no transport
  }
}

std::string ServerLocation::service_name(sip::Transport transport) const {
  switch (transport) {
    case sip::Transport::udp:
      return "_sip._udp." + uri_.host;
    case sip::Transport::tcp:
      return "_sip._tcp." + uri_.host;
    case sip::Transport::tls:
      return "_sips._tcp." + uri_.host;
    case sip::Transport::ws:
    case sip::Transport::wss:
    case sip::Transport::count_:
      break;
  }
  return {};
}

std::vector<DnsQuestion> ServerLocation::questions() const {
  std::vector<DnsQuestion> open;
  switch (stage_) {
    case Stage::naptr:
      return {{DnsQuestion::Type::naptr, uri_.host}};
    case Stage::srv:
      for (const Service& service : services_) {
        if (!service.answered) open.push_back({DnsQuestion::Type::srv, service.name});
      }
      break;
    case Stage::address:
      for (const Server& server : servers_) {
        const auto ask = [&](DnsQuestion::Type type, bool answered) {
          DnsQuestion question{type, server.host};
          if (!answered && std::ranges::find(open, question) == open.end())
            open.push_back(std::move(question));
        };
        ask(DnsQuestion::Type::aaaa, server.aaaa.has_value());
        ask(DnsQuestion::Type::a, server.a.has_value());
      }
      break;
    case Stage::done:
      break;
  }
  return open;
}

void ServerLocation::answer(const DnsQuestion& question, const DnsAnswer& answer) {
  switch (stage_) {
    case Stage::naptr:
      if (question.type == DnsQuestion::Type::naptr) choose(answer.naptr);
      return;
    case Stage::srv:
      for (std::size_t index = 0; index < services_.size(); ++index) {
        if (question.type != DnsQuestion::Type::srv || services_[index].name != question.name)
          continue;
        if (!std::exchange(services_[index].answered, true)) take(index, answer.srv);
      }
      if (std::ranges::all_of(services_, &Service::answered)) services_known();
      return;
    case Stage::address:
      for (Server& server : servers_) {
        if (server.host != question.name) continue;
        if (question.type == DnsQuestion::Type::a) server.a = answer.addresses;
        if (question.type == DnsQuestion::Type::aaaa) server.aaaa = answer.addresses;
      }
      if (std::ranges::all_of(servers_, &Server::answered)) stage_ = Stage::done;
      return;
    case Stage::done:
      return;
  }
}

/// RFC 3263 §4.1: of the lowest order that has a service of ours, all, by preference. What is not
/// terminal ("s"), or rewrites, is no SIP service.
void ServerLocation::choose(const std::vector<NaptrRecord>& records) {
  std::vector<const NaptrRecord*> usable;
  for (const NaptrRecord& record : records) {
    const auto transport = transport_of_service(record.service);
    const bool ours = transport && std::ranges::find(transports_, *transport) != transports_.end();
    if (ours && sip::equals_ignoring_case(record.flags, "s") && record.regexp.empty() &&
        !record.replacement.empty() && usable.size() < kMaxServers)
      usable.push_back(&record);
  }
  if (usable.empty()) return ask_services(transports_);
  const std::uint16_t order =
      (*std::ranges::min_element(usable, {}, [](const auto* one) { return one->order; }))->order;
  std::erase_if(usable, [order](const auto* one) { return one->order != order; });
  std::ranges::stable_sort(usable, {}, [](const auto* one) { return one->preference; });
  for (const NaptrRecord* record : usable)
    services_.push_back({*transport_of_service(record->service), record->replacement});
  stage_ = Stage::srv;
}

void ServerLocation::ask_services(const std::vector<sip::Transport>& transports) {
  for (const sip::Transport transport : transports)
    services_.push_back({transport, service_name(transport)});
  stage_ = Stage::srv;
  if (services_.empty()) services_known();
}

void ServerLocation::take(std::size_t service, const std::vector<SrvRecord>& records) {
  for (const SrvRecord& record : records) {
    if (record.target.empty() || record.target == ".") {  // RFC 2782: decidedly not available
      refused_ = true;
      continue;
    }
    const auto rank = static_cast<std::uint32_t>(service) << kRankShift;
    servers_.push_back({services_[service].transport,
                        record.target,
                        record.port,
                        rank + record.priority,
                        record.weight,
                        {},
                        {}});
  }
}

void ServerLocation::services_known() {
  std::ranges::stable_sort(servers_, {}, &Server::priority);
  if (servers_.size() > kMaxServers) servers_.resize(kMaxServers);
  if (servers_.empty() && refused_) {
    stage_ = Stage::done;
    return;
  }
  if (servers_.empty()) {
    // RFC 3263 §4.2: without SRV the name's own addresses, by the default port of the transport.
    auto transport = transport_of(uri_);
    const bool chosen = uri_.transport().empty() && !services_.empty() &&
                        services_.front().name != service_name(services_.front().transport);
    if (chosen) transport = services_.front().transport;
    servers_.push_back({*transport, uri_.host, default_port(transport), 0, 0, {}, {}});
  }
  ask_addresses();
}

void ServerLocation::ask_addresses() {
  stage_ = Stage::address;
  for (Server& server : servers_) {
    const auto ip = IpAddress::parse(server.host);
    if (ip || !families_.ipv4) server.a.emplace();
    if (ip || !families_.ipv6) server.aaaa.emplace();
    if (ip) server.a->push_back(*ip);
  }
  if (std::ranges::all_of(servers_, &Server::answered)) stage_ = Stage::done;
}

std::vector<IpAddress> ServerLocation::Server::addresses() const {
  static const std::vector<IpAddress> kNone;
  const auto& six = aaaa ? *aaaa : kNone;
  const auto& four = a ? *a : kNone;
  std::vector<IpAddress> mixed;
  for (std::size_t index = 0; index < std::max(six.size(), four.size()); ++index) {
    if (index < six.size()) mixed.push_back(six[index]);
    if (index < four.size()) mixed.push_back(four[index]);
  }
  return mixed;
}

std::vector<ServerTarget> ServerLocation::targets() const {
  std::vector<ServerTarget> targets;
  for (std::size_t index = 0; index < servers_.size(); ++index) {
    const Server& server = servers_[index];
    for (const IpAddress& ip : server.addresses()) {
      const SocketAddress address{ip, server.port};
      const auto known = std::ranges::find_if(targets, [&](const ServerTarget& target) {
        return target.transport == server.transport && target.address == address;
      });
      if (known != targets.end() || targets.size() == kMaxTargets) continue;
      targets.push_back({server.transport, address, server.priority, server.weight,
                         static_cast<std::uint16_t>(index)});
    }
  }
  return targets;
}

std::vector<std::size_t> draw_order(std::span<const ServerTarget> targets, Random& random) {
  std::map<std::uint32_t, std::vector<std::uint16_t>> records;  // by priority
  std::map<std::uint16_t, std::vector<std::size_t>> addresses;  // by record
  for (std::size_t index = 0; index < targets.size(); ++index) {
    auto& of_record = addresses[targets[index].record];
    if (of_record.empty()) records[targets[index].priority].push_back(targets[index].record);
    of_record.push_back(index);
  }
  const auto weight = [&](std::uint16_t record) -> std::uint32_t {
    return targets[addresses[record].front()].weight;
  };
  std::vector<std::size_t> order;
  order.reserve(targets.size());
  for (auto& [priority, left] : records) {
    // RFC 2782: those without weight stand first, so that they have a small chance.
    std::stable_partition(left.begin(), left.end(),
                          [&](std::uint16_t record) { return weight(record) == 0; });
    while (!left.empty()) {
      std::uint32_t sum = 0;
      for (const std::uint16_t record : left)
        sum += weight(record);
      std::uint32_t drawn = random.below(sum + 1);
      auto chosen = left.begin();
      while (weight(*chosen) < drawn) {
        drawn -= weight(*chosen);
        ++chosen;
      }
      const auto& of_record = addresses[*chosen];
      order.insert(order.end(), of_record.begin(), of_record.end());
      left.erase(chosen);
    }
  }
  return order;
}

}  // namespace trunkline::call
