#include "config/build.hpp"
#include "config/reader.hpp"
#include <algorithm>
#include <chrono>

namespace trunkline::config {
namespace {

struct Bound {
  std::string path;
  SocketAddress address;
};

bool collide(const SocketAddress& one, const SocketAddress& other) {
  if (one.port != other.port || one.port == 0 || one.ip.is_v4() != other.ip.is_v4()) return false;
  return one.ip == other.ip || one.ip.is_unspecified() || other.ip.is_unspecified();
}

/// Remembers what is bound; a second listener on the same place is a problem.
void take_place(const Build& build, const Value& bind, const SocketAddress& address,
                std::vector<Bound>& bound) {
  const auto taken =
      std::ranges::find_if(bound, [&](const Bound& b) { return collide(b.address, address); });
  if (taken != bound.end()) {
    build.wrong(bind, address.text() + " is already taken by " + taken->path,
                "choose another port");
  }
  bound.push_back({bind.path, address});
}

SocketAddress address_of(const Value& value) {
  return *SocketAddress::parse(value.text);
}

void websocket_listeners(const Build& build, std::vector<Bound>& tcp) {
  for (const Value& listener : build.file["listen"]["websocket"].items) {
    io::WebSocketListener settings{.bind = address_of(listener["bind"]),
                                   .tls = build_tls(build, listener["tls"], {})};
    take_place(build, listener["bind"], settings.bind, tcp);
    build.config.gateway.io.websocket.push_back(std::move(settings));
  }
}

void check_advertise(const Build& build, const Value& listener, const SocketAddress& bind) {
  const Value& advertise = listener["advertise"];
  if (!advertise.known) {
    if (bind.ip.is_unspecified()) {
      build.wrong(listener["bind"], bind.text() + " can't be told to peers",
                  "add advertise with the address they reach");
    }
    return;
  }
  const SocketAddress address = address_of(advertise);
  if (address.ip.is_unspecified() || address.ip.is_multicast() || address.port == 0) {
    build.wrong(advertise, address.text() + " can't be reached by anyone",
                "write the address and port peers reach");
  } else if (address.ip.is_v4() != bind.ip.is_v4()) {
    build.wrong(advertise, "is of another address family than bind",
                "write an address of the family of bind");
  }
}

void sip_listeners(const Build& build, std::vector<Bound>& tcp, std::vector<Bound>& udp) {
  for (const Value& listener : build.file["listen"]["sip"].items) {
    io::SipListener settings;
    settings.transport = *sip::parse_transport(listener["transport"].text);
    settings.bind = address_of(listener["bind"]);
    if (listener["advertise"].known) settings.advertise = address_of(listener["advertise"]);
    check_advertise(build, listener, settings.bind);
    const bool secure = settings.transport == sip::Transport::tls;
    if (secure && !listener["tls"].present) {
      build.wrong(listener, "is a tls listener without a certificate",
                  "add tls: { certificate: FILE, key: FILE }");
    }
    if (!secure && listener["tls"].present) {
      build.wrong(listener["tls"], "stands at a " + listener["transport"].text + " listener",
                  "remove it, or use transport: tls");
    }
    settings.tls = build_tls(build, listener["tls"], "client_ca");
    take_place(build, listener["bind"], settings.bind,
               settings.transport == sip::Transport::udp ? udp : tcp);
    build.config.gateway.call.contacts.push_back(
        {settings.transport, settings.advertise.value_or(settings.bind)});
    build.config.gateway.io.sip.push_back(std::move(settings));
  }
}

std::vector<call_control::Role> roles_of(const Build& build, const Value& entry) {
  if (entry["roles"].items.empty())
    build.wrong(entry["roles"], "is empty", "give read, call or admin");
  std::vector<call_control::Role> roles;
  for (const Value& role : entry["roles"].items) {
    roles.push_back(role.text == "admin"  ? call_control::Role::admin
                    : role.text == "call" ? call_control::Role::call
                                          : call_control::Role::read);
  }
  return roles;
}

void api_clients(const Build& build, const Value& grpc, call_control::Settings& api) {
  std::vector<std::string> names;
  for (const Value& token : grpc["tokens"].items) {
    if (std::ranges::find(names, token["name"].text) != names.end()) {
      build.wrong(token["name"], "\"" + token["name"].text + "\" is given twice",
                  "give each token its own name");
    }
    names.push_back(token["name"].text);
    api.tokens.push_back({token["name"].text, token["token"].text, roles_of(build, token)});
  }
  for (const Value& client : grpc["clients"].items)
    api.clients.push_back({client["subject"].text, roles_of(build, client)});
}

void api_limits(const Value& grpc, call_control::Limits& limits) {
  limits.message_bytes = static_cast<std::size_t>(grpc["max_message"].number);
  limits.metadata_bytes = static_cast<std::size_t>(grpc["max_metadata"].number);
  limits.streams_per_connection = static_cast<std::size_t>(grpc["max_streams"].number);
  limits.subscriptions = static_cast<std::size_t>(grpc["max_subscriptions"].number);
  limits.subscriber_lag = static_cast<std::size_t>(grpc["max_lag"].number);
  limits.remembered_events = 2 * limits.subscriber_lag;
}

void api_listener(const Build& build, std::vector<Bound>& tcp) {
  const Value& grpc = build.file["listen"]["grpc"];
  if (!grpc.present || !grpc["bind"].known) return;
  call_control::Settings api;
  api.bind = address_of(grpc["bind"]);
  take_place(build, grpc["bind"], api.bind, tcp);
  api.tls = build_tls(build, grpc["tls"], "client_ca");
  api_clients(build, grpc, api);
  api_limits(grpc, api.limits);
  const bool client_ca = api.tls && !api.tls->authorities.empty();
  if (!api.bind.ip.is_loopback() && (!api.tls || (!client_ca && api.tokens.empty()))) {
    build.wrong(grpc["bind"], api.bind.text() + " is open to the network without authentication",
                "add tls with client_ca, or tls and tokens, or bind to 127.0.0.1");
  }
  if (!api.clients.empty() && !client_ca) {
    build.wrong(grpc["clients"], "names client certificates that nothing verifies",
                "add tls.client_ca");
  }
  build.config.api = std::move(api);
}

}  // namespace

std::optional<TlsFiles> build_tls(const Build& build, const Value& tls,
                                  std::string_view authorities) {
  if (!tls.present) return std::nullopt;
  const auto path = [&](std::string_view key) {
    const bool named = !key.empty() && tls[key].known;
    return named ? in_folder(build.folder, tls[key].text) : std::string();
  };
  TlsFiles files{path("certificate"), path("key"), path(authorities)};
  const auto held = read_tls_files(files, std::chrono::system_clock::now());
  if (held) return files;
  const TlsFileError& error = held.error();
  std::string_view key = "certificate";
  if (error.file == TlsFileError::File::key) key = "key";
  if (error.file == TlsFileError::File::authorities) key = authorities;
  build.wrong(tls[key], error.wrong, error.right);
  return files;
}

void build_listeners(const Build& build) {
  const Value& listen = build.file["listen"];
  std::vector<Bound> tcp, udp;
  websocket_listeners(build, tcp);
  sip_listeners(build, tcp, udp);
  api_listener(build, tcp);
  if (listen["admin"].present) {
    build.config.admin = address_of(listen["admin"]["bind"]);
    take_place(build, listen["admin"]["bind"], *build.config.admin, tcp);
  }
  if (listen["websocket"].items.empty() && listen["sip"].items.empty()) {
    build.wrong(listen, "has no listener for calls", "add websocket or sip");
  }
}

}  // namespace trunkline::config
