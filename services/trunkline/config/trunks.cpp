#include "call/trunks.hpp"

#include "config/build.hpp"
#include <algorithm>
#include <map>

namespace trunkline::config {
namespace {

std::optional<sip::Transport> transport_of(const sip::Uri& uri) {
  const std::string name = uri.transport();
  const bool reliable = name.empty() || name == "tls" || name == "tcp";
  if (uri.scheme == sip::Uri::Scheme::sips && !reliable) return std::nullopt;
  return call::transport_of(uri);
}

/// Requests leave by a listener of the transport (and family), whose address stands in Via and
/// Contact.
void check_listener(const Build& build, const Value& uri_key, const sip::Uri& uri,
                    sip::Transport transport) {
  const auto ip = IpAddress::parse(uri.host);
  const bool found =
      std::ranges::any_of(build.config.gateway.io.sip, [&](const io::SipListener& listener) {
        return listener.transport == transport && (!ip || ip->is_v4() == listener.bind.ip.is_v4());
      });
  if (found) return;
  const std::string label(sip::transport_label(transport));
  const std::string family = !ip ? "" : ip->is_v4() ? " for IPv4" : " for IPv6";
  build.wrong(uri_key, "needs a SIP listener over " + label + family + ", and there is none",
              "add one to listen.sip, or change the transport of the uri");
}

sip::Uri trunk_uri(const Build& build, const Value& key) {
  sip::Uri uri = *sip::Uri::parse(key.text);
  if (!uri.user.empty() || uri.password) {
    build.wrong(key, "holds a user part",
                "write sip:HOST[:PORT]; credentials belong in username and password");
  }
  if (const auto transport = transport_of(uri)) {
    check_listener(build, key, uri, *transport);
  } else {
    build.wrong(key, "\"" + uri.transport() + "\" is not a transport for trunks",
                "use ;transport=udp, tcp or tls");
  }
  return uri;
}

void trunk_media(const Build& build, const Value& media, call::TrunkSettings& trunk) {
  if (!media["bind"].present && !media["advertise"].present) return;
  io::MediaSettings& settings = build.config.gateway.io.media;
  std::vector<call::MediaAddress> standard;
  for (std::size_t index = 0; index < settings.bind.size(); ++index)
    standard.push_back({settings.bind[index], settings.advertise[index]});
  trunk.media = build_media_addresses(build, media, standard);
  for (const call::MediaAddress& address : trunk.media) {
    const auto known = [&](const std::vector<IpAddress>& list) {
      return std::ranges::find(list, address.bind) != list.end();
    };
    if (!known(settings.bind) && !known(settings.trunk_binds))
      settings.trunk_binds.push_back(address.bind);
  }
}

/// What is bound to the loopback alone reaches nothing else. Allowed, since a name may mean this
/// machine.
void check_reach(const Build& build, const Value& uri_key, const call::TrunkSettings& trunk) {
  const auto ip = IpAddress::parse(trunk.uri.host);
  if (ip ? ip->is_loopback() : trunk.uri.host == "localhost") return;
  const io::Settings& io = build.config.gateway.io;
  const auto transport = transport_of(trunk.uri);
  const auto reaches = [&](const io::SipListener& one) {
    return !one.bind.ip.is_loopback() && (!transport || one.transport == *transport);
  };
  const std::string elsewhere = ip ? "is not this machine, and " : "may not be this machine, and ";
  if (std::ranges::none_of(io.sip, reaches)) {
    build.notice(uri_key, elsewhere +
                              "listen.sip is bound to the loopback: bind it to an address "
                              "of the network that leads there");
  }
  std::vector<IpAddress> media = build.config.gateway.io.media.bind;
  if (!trunk.media.empty()) media.clear();
  for (const call::MediaAddress& address : trunk.media)
    media.push_back(address.bind);
  if (std::ranges::all_of(media, &IpAddress::is_loopback)) {
    build.notice(uri_key, elsewhere + "media.bind is the loopback: no sound will come from there");
  }
}

void trunk_codecs(const Build& build, const Value& key, call::TrunkSettings& trunk) {
  trunk.codecs.clear();
  for (const Value& item : key.items) {
    if (std::ranges::find(trunk.codecs, item.text) != trunk.codecs.end()) {
      build.wrong(item, "\"" + item.text + "\" is given twice", "list each codec once");
    }
    trunk.codecs.push_back(item.text);
  }
  if (trunk.codecs.empty())
    build.wrong(key, "is empty", "list PCMU, PCMA, opus or G722, or remove the key");
}

sdp::Translation translation(const std::string& name) {
  if (name == "never") return sdp::Translation::never;
  if (name == "opus") return sdp::Translation::to_opus;
  return sdp::Translation::where_needed;
}

call::DtmfPolicy dtmf_policy(const std::string& name) {
  if (name == "rfc4733") return call::DtmfPolicy::rfc4733;
  if (name == "info") return call::DtmfPolicy::info;
  if (name == "inband") return call::DtmfPolicy::in_band;
  return call::DtmfPolicy::automatic;
}

media::SourcePolicy source_policy(const std::string& name) {
  if (name == "same-host") return media::SourcePolicy::same_host;
  if (name == "subnet") return media::SourcePolicy::subnet;
  if (name == "learn") return media::SourcePolicy::learn;
  return media::SourcePolicy::pinned;
}

/// RFC 4568 §7: whoever reads the signalling has the keys.
void trunk_srtp(const Build& build, const Value& key, call::TrunkSettings& trunk) {
  const std::string& policy = key.text;
  trunk.srtp = policy == "sdes"            ? sdp::SrtpPolicy::sdes
               : policy == "sdes-required" ? sdp::SrtpPolicy::sdes_required
                                           : sdp::SrtpPolicy::none;
  if (trunk.srtp != sdp::SrtpPolicy::none && transport_of(trunk.uri) != sip::Transport::tls) {
    build.notice(key, "sends keys over SIP that is not encrypted: use a uri with ;transport=tls");
  }
}

void trunk_login(const Build& build, const Value& key, call::TrunkSettings& trunk) {
  trunk.username = key["username"].text;
  trunk.password = key["password"].text;
  if (key["username"].present != key["password"].present) {
    build.wrong(key, "has one of username and password", "give both, or none");
  }
  trunk.registers = key["register"].is_true();
  trunk.register_expires_seconds =
      static_cast<std::uint32_t>(key["register_expires"].number / 1000);
  if (trunk.registers && !key["username"].present)
    build.wrong(key["register"], "needs a name to register", "add username and password");
}

/// Whom TLS must find there, and who a client is that comes from there.
void trunk_tls(const Build& build, const Value& tls, call::TrunkSettings& trunk) {
  io::Settings& io = build.config.gateway.io;
  trunk.peer = sip::PeerId{io.tls_peers.size() + 1};
  io::TlsPeerSettings peer;
  peer.id = trunk.peer;
  peer.name = trunk.name;
  peer.host = tls["server_name"].present ? tls["server_name"].text : trunk.uri.host;
  peer.wildcards = tls["wildcards"].is_true();
  peer.subject = tls["subject"].text;
  if (tls["certificate"].present != tls["key"].present) {
    build.wrong(tls, "has one of certificate and key", "give both, or none");
  } else if (auto files = build_tls(build, tls, "ca")) {
    peer.files = std::move(*files);
  }
  if (!peer.subject.empty()) {
    const auto asks = [](const io::SipListener& one) {
      return one.tls && !one.tls->authorities.empty();
    };
    if (std::ranges::none_of(io.sip, asks))
      build.wrong(tls["subject"], "needs a listener that asks for client certificates",
                  "add tls.client_ca to a tls listener of listen.sip");
    if (std::ranges::find(io.tls_peers, peer.subject, &io::TlsPeerSettings::subject) !=
        io.tls_peers.end())
      build.wrong(tls["subject"], "\"" + peer.subject + "\" already belongs to another trunk",
                  "give it to one");
  }
  io.tls_peers.push_back(std::move(peer));
}

/// How its targets are watched, and when one follows the other.
void trunk_targets(const Build& build, const Value& key, call::TrunkSettings& trunk) {
  trunk.options_interval = key["options_interval"].duration();
  trunk.target_timeout = key["target_timeout"].duration();
  if (trunk.options_interval > Duration::zero() && trunk.options_interval < seconds{1})
    build.wrong(key["options_interval"], "is too short", "write 1s or more, or 0s for none");
  trunk.failover_codes.clear();
  for (const Value& code : key["failover_codes"].items)
    trunk.failover_codes.push_back(static_cast<int>(code.number));
}

void trunk_capacity(const Build& build, const Value& key, call::TrunkSettings& trunk) {
  trunk.capacity_phrase = key.text;
  if (trunk.capacity_phrase.empty()) return;
  if (const auto error = call::Trunks::wrong_expression(trunk.capacity_phrase))
    build.wrong(key, *error, "write an RE2 expression such as (?i)capacity");
}

/// The sources of one trunk; the same entry at two trunks would leave open whose request it is.
void trunk_sources(const Build& build, const Value& key, call::TrunkSettings& trunk,
                   std::map<std::string, std::string>& taken) {
  for (const Value& item : key["allow"].items) {
    const AddressRange range = *AddressRange::parse(item.text);
    const auto [other, added] = taken.emplace(range.text(), trunk.name);
    if (!added)
      build.wrong(item, "\"" + item.text + "\" already belongs to trunk " + other->second,
                  "give it to one");
    trunk.allow.push_back(range);
  }
  trunk.media_source = source_policy(key["media_source"].text);
  if (trunk.media_source == media::SourcePolicy::subnet && trunk.allow.empty()) {
    build.wrong(key["media_source"], "subnet takes the sources of allow, which is absent",
                "add allow");
  }
}

}  // namespace

void build_trunks(const Build& build) {
  std::map<std::string, std::string> taken;
  auto& trunks = build.config.gateway.call.trunks;
  for (const Value& key : build.file["trunks"].items) {
    call::TrunkSettings trunk;
    trunk.name = key["name"].text;
    const bool twice =
        std::ranges::find(trunks, trunk.name, &call::TrunkSettings::name) != trunks.end();
    if (twice)
      build.wrong(key["name"], "\"" + trunk.name + "\" is given twice",
                  "give each trunk its own name");
    trunk.uri = trunk_uri(build, key["uri"]);
    trunk_sources(build, key, trunk, taken);
    trunk_tls(build, key["tls"], trunk);
    trunk_login(build, key, trunk);
    trunk_media(build, key["media"], trunk);
    check_reach(build, key["uri"], trunk);
    trunk_codecs(build, key["codecs"], trunk);
    trunk.translation = translation(key["transcoding"].text);
    trunk.dtmf = dtmf_policy(key["dtmf"].text);
    trunk_srtp(build, key["srtp"], trunk);
    trunk.srtp_begins_anew = key["srtp_reset_on_reinvite"].is_true();
    trunk_targets(build, key, trunk);
    trunk.max_calls = static_cast<std::uint32_t>(key["max_calls"].number);
    trunk.max_calls_per_second = static_cast<std::uint32_t>(key["max_calls_per_second"].number);
    trunk.session_expires_seconds =
        static_cast<std::uint32_t>(key["session_expires"].number / 1000);
    trunk.max_redirects = static_cast<std::uint32_t>(key["max_redirects"].number);
    trunk_capacity(build, key["capacity_phrase"], trunk);
    build_trunk_identity(build, key, trunk);
    trunks.push_back(std::move(trunk));
  }
  for (const Value& server : build.file["dns"]["servers"].items)
    build.config.gateway.io.dns_servers.push_back(*SocketAddress::parse(server.text));
}

}  // namespace trunkline::config
