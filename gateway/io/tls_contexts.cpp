#include "io/tls_contexts.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace trunkline::io {
namespace {

using std::chrono::system_clock;

/// Trunks of earlier configurations that are known for the calls which began with them.
constexpr std::size_t kMaxRetired = 100;

std::int64_t unix_seconds(const std::optional<system_clock::time_point>& time) {
  return time ? system_clock::to_time_t(*time) : 0;
}

template <class Visit>
void for_each_failure(Visit visit) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(TlsFailure::count_); ++i)
    visit(static_cast<TlsFailure>(i));
}

}  // namespace

Result<TlsContexts::PreparedPeer::Own> TlsContexts::read(const std::string& name,
                                                         const TlsFiles& files, bool server) {
  TlsFileWatch watch(files);  // before they are read: a change meanwhile is seen
  const auto material = read_tls_files(files, system_clock::now());
  if (!material) return fail(name + ": " + material.error().wrong);
  auto context = server ? make_server_tls(*material) : make_client_tls(*material);
  if (!context) return fail(name + ": " + context.error().message);
  return PreparedPeer::Own{std::move(*context), unix_seconds(material->expires), std::move(watch)};
}

TlsContexts::Slot TlsContexts::add(std::string name, PreparedPeer::Own made, bool server) {
  const Slot slot = entries_.size();
  Entry& entry = entries_.emplace_back();
  entry.name = std::move(name);
  entry.context = std::move(made.context);
  entry.expires.set(made.expires);
  watched_.push_back({slot, server, std::move(made.files)});
  return slot;
}

Result<std::vector<TlsContexts::PreparedPeer>> TlsContexts::prepare(
    const std::vector<TlsPeerSettings>& peers) {
  std::vector<PreparedPeer> prepared;
  for (const TlsPeerSettings& settings : peers) {
    PreparedPeer& peer = prepared.emplace_back(PreparedPeer{settings, {}});
    if (settings.files.certificate.empty() && settings.files.authorities.empty()) continue;
    auto own = read("trunk " + settings.name, settings.files, false);
    if (!own) return fail(own.error());
    peer.own = std::move(*own);
  }
  return prepared;
}

Result<void> TlsContexts::begin(const std::vector<TlsPeerSettings>& peers) {
  auto prepared = prepare(peers);
  if (!prepared) return fail(prepared.error());
  replace(std::move(*prepared));
  return {};
}

void TlsContexts::replace(std::vector<PreparedPeer> peers) {
  const std::scoped_lock lock(mutex_);
  for (Peer& known : peers_) {
    const bool stays = std::ranges::any_of(peers, [&known](const PreparedPeer& peer) {
      return peer.settings.id == known.settings.id;
    });
    if (!stays) retire(known);
  }
  while (!peers_.empty() && peers_.front().retired && peers_.size() > peers.size() + kMaxRetired) {
    if (peers_.front().slot) entries_[*peers_.front().slot].context.reset();
    peers_.pop_front();
  }
  for (PreparedPeer& made : peers) {
    if (find(made.settings.id) != nullptr) continue;
    Peer& peer = peers_.emplace_back();
    peer.settings = std::move(made.settings);
    if (const auto ip = IpAddress::parse(peer.settings.host))
      addresses_.emplace(*ip, peer.settings.id);
    if (made.own) peer.slot = add("trunk " + peer.settings.name, std::move(*made.own), false);
  }
  peers_.sort([](const Peer& one, const Peer& other) { return one.retired && !other.retired; });
}

void TlsContexts::retire(Peer& peer) {
  peer.retired = true;
  if (peer.slot) entries_[*peer.slot].retired = true;
  std::erase_if(addresses_, [&peer](const auto& at) { return at.second == peer.settings.id; });
}

Result<TlsContexts::Slot> TlsContexts::add_listener(std::string name, const TlsFiles& files) {
  auto made = read(name, files, true);
  if (!made) return fail(made.error());
  return add(std::move(name), std::move(*made), true);
}

const TlsContexts::Peer* TlsContexts::find(sip::PeerId peer) const {
  const auto found = std::ranges::find_if(
      peers_, [peer](const Peer& one) { return peer && one.settings.id == peer; });
  return found == peers_.end() ? nullptr : &*found;
}

TlsContext TlsContexts::towards(sip::PeerId peer) {
  const Peer* known = find(peer);
  if (known != nullptr && known->slot) return entries_[*known->slot].context;
  if (system_ != nullptr) return system_;
  auto made = make_client_tls({});
  if (made) {
    system_ = std::move(*made);
  } else {
    log::error("no TLS", {{"why", made.error().message}});
  }
  return system_;
}

const TlsPeerSettings* TlsContexts::expected(const sip::Target& target) const {
  sip::PeerId peer = target.peer;
  if (!peer) {
    const auto at = addresses_.find(target.remote.ip);
    if (at != addresses_.end()) peer = at->second;
  }
  const Peer* known = find(peer);
  return known == nullptr ? nullptr : &known->settings;
}

sip::PeerId TlsContexts::proved(ByteStream::Tls& tls) const {
  X509* certificate = SSL_get0_peer_certificate(tls.native_handle());
  if (certificate == nullptr) return {};
  for (const Peer& peer : peers_) {
    const std::string& subject = peer.settings.subject;
    if (!peer.retired && !subject.empty() && proves(certificate, subject, false))
      return peer.settings.id;
  }
  return {};
}

void TlsContexts::located(sip::PeerId peer, const std::vector<IpAddress>& addresses) {
  std::erase_if(addresses_, [peer](const auto& entry) { return entry.second == peer; });
  for (const IpAddress& address : addresses)
    addresses_.emplace(address, peer);
}

void TlsContexts::count_failure(sip::PeerId peer, TlsFailure failure) {
  for (Peer& one : peers_) {
    if (peer && one.settings.id == peer) return one.failures[failure].add();
  }
  failures_[failure].add();
}

std::vector<TlsContexts::Watched> TlsContexts::take_watched() {
  return std::exchange(watched_, {});
}

void TlsContexts::changed(Slot slot, const Result<TlsMaterial, TlsFileError>& found,
                          TlsContext context) {
  Entry& entry = entries_[slot];
  if (entry.retired) return;
  if (context == nullptr) {
    entry.refused.add();
    log::error("changed TLS files are of no use: those before stay",
               {{"listener", entry.name},
                {"why", found ? "OpenSSL does not take them" : found.error().wrong}});
    return;
  }
  entry.context = std::move(context);
  entry.expires.set(unix_seconds(found->expires));
  entry.loaded.add();
  log::info("TLS files loaded again",
            {{"listener", entry.name},
             {"expires", found->expires ? utc_text(*found->expires) : std::string()}});
}

void TlsContexts::collect(MetricSink& sink) const {
  const std::scoped_lock lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.retired) continue;
    if (entry.expires.get() != 0) {
      sink.gauge("trunkline_certificate_expiry_timestamp_seconds",
                 "When the certificate that is shown expires, Unix time.",
                 {{"listener", entry.name}}, static_cast<double>(entry.expires.get()));
    }
    for (const auto& [result, cell] :
         {std::pair{"loaded", &entry.loaded}, std::pair{"refused", &entry.refused}}) {
      sink.counter("trunkline_certificate_reloads_total",
                   "Changes of TLS files that were taken, or refused for what they hold.",
                   {{"listener", entry.name}, {"result", result}},
                   static_cast<double>(cell->get()));
    }
  }
  for_each_failure([&](TlsFailure failure) {
    for (const Peer& peer : peers_) {
      if (peer.retired) continue;
      sink.counter("trunkline_trunk_tls_failures_total",
                   "TLS connections to a trunk that came to nothing.",
                   {{"trunk", peer.settings.name}, {"reason", tls_failure_label(failure)}},
                   static_cast<double>(peer.failures[failure].get()));
    }
    sink.counter("trunkline_sip_tls_failures_total",
                 "TLS connections to the SIP listeners that came to nothing.",
                 {{"reason", tls_failure_label(failure)}},
                 static_cast<double>(failures_[failure].get()));
  });
}

}  // namespace trunkline::io
