#include "call/node.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace trunkline::call {
namespace {
/// Longer than any sender goes on after its BYE, short enough that a small pool serves a busy hour.
constexpr Duration kPortQuarantine = seconds{10};
}  // namespace

Node::Node(Settings s, MediaResources m, Random& r)
    : settings(std::move(s)),
      media(std::move(m)),
      random(r),
      trunks(settings.trunks),
      gruus(settings.domain, random),
      registrar(settings.registrar, gruus, "<sip:" + settings.domain + ";transport=ws;lr>"),
      replicas(settings.replicas, settings.credentials.secret, settings.node),
      worker_legs_(media.workers.size(), 0),
      transcoded_(media.workers.size(), 0) {
  for (const auto& worker : media.workers) {
    auto& pools = ports_.emplace_back();
    for (const auto& [bind, ports] : worker.trunk_ports)
      pools.emplace(bind, PortPool(ports, kPortQuarantine));
  }
}

std::size_t Node::pick_worker() const {
  const auto fewest = std::min_element(worker_legs_.begin(), worker_legs_.end());
  return static_cast<std::size_t>(fewest - worker_legs_.begin());
}

std::optional<std::uint16_t> Node::take_port(std::size_t worker, const IpAddress& bind,
                                             TimePoint now) {
  const auto pool = ports_[worker].find(bind);
  if (pool == ports_[worker].end()) return std::nullopt;
  const auto port = pool->second.take(random, now);
  if (port) ports_used.add();
  return port;
}

void Node::give_back_port(std::size_t worker, const SocketAddress& local, TimePoint now) {
  const auto pool = ports_[worker].find(local.ip);
  if (pool == ports_[worker].end()) return;
  pool->second.give_back(local.port, now);
  ports_used.add(-1);
}

std::optional<SocketAddress> Node::contact_address(sip::Transport transport, bool ipv6) const {
  for (const ContactAddress& contact : settings.contacts) {
    if (contact.transport == transport && contact.address.ip.is_v6() == ipv6)
      return contact.address;
  }
  return std::nullopt;
}

std::string Node::contact(const sip::Target& peer, bool secure) const {
  // A browser reaches us by its connection only; the URI names the domain, and no address of ours.
  if (sip::is_websocket(peer.transport))
    return (secure ? "<sips:" : "<sip:") + std::string(kContactUser) + "@" + settings.domain +
           ";transport=ws>";
  return "<" + contact_uri(peer, kContactUser, secure) + ">";
}

std::string Node::contact_for_replicas(sip::Transport transport) const {
  sip::Uri uri = trunks.find(kReplicas)->settings.uri;
  uri.user = kContactUser;
  sip::set_parameter(uri.parameters, "transport", std::string(sip::transport_label(transport)));
  return "<" + uri.text() + ">";
}

std::string Node::contact_uri(const sip::Target& peer, std::string_view user, bool secure) const {
  const auto address = contact_address(peer.transport, peer.remote.ip.is_v6());
  const std::string host = address ? address->text() : settings.domain;
  // A sips URI means TLS, and has no parameter for it (RFC 5630 §3.1.3).
  if (secure) return "sips:" + sip::escape_user(user) + "@" + host;
  return "sip:" + sip::escape_user(user) + "@" + host +
         ";transport=" + std::string(sip::transport_label(peer.transport));
}

void Node::left_out(std::size_t fields, TimePoint now) {
  if (fields == 0) return;
  fields_left_out.add(static_cast<std::int64_t>(fields));
  if (left_out_lines_.allow(now))
    log::warn("header fields left out",
              {{"fields", fields}, {"why", "too long, too many or not clean"}});
}

std::string dialog_key(std::string_view call_id, std::string_view local_tag) {
  std::string key(call_id);
  key += '\n';  // can stand in neither
  key += local_tag;
  return key;
}

}  // namespace trunkline::call
