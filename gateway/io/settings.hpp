#pragma once
#include "base/net_address.hpp"
#include "base/time.hpp"
#include "base/tls_files.hpp"
#include "media/srtp.hpp"
#include "sip/effects.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::io {

/// Whom TLS has to find where a trunk is, and how we show ourselves to it (contract: trunks[].tls).
struct TlsPeerSettings {
  sip::PeerId id{};
  std::string name{};      ///< the trunk's
  std::string host{};      ///< what its certificate must prove
  bool wildcards = false;  ///< a certificate for *.DOMAIN is taken too
  TlsFiles files{};        ///< without authorities: the system's
  std::string subject{};   ///< what a client's certificate proves that is it; empty: none does
};

/// Where a Redis server is, and how it is entered.
struct RedisPlace {
  std::string host{};
  std::uint16_t port = 6379;
  std::string user{}, password{};  ///< empty: none is given
  int database = 0;
};

struct WebSocketListener {
  SocketAddress bind;
  std::optional<TlsFiles> tls;  ///< present: wss
};

struct SipListener {
  sip::Transport transport = sip::Transport::udp;  ///< udp, tcp or tls
  SocketAddress bind;
  std::optional<SocketAddress> advertise;  ///< in Via and Contact; default: bind
  std::optional<TlsFiles> tls;
};

struct WebSocketSettings {
  std::vector<std::string> allowed_origins;  ///< empty: any
  std::size_t max_message = 65536;           ///< octets of one message, after joining fragments
  std::size_t max_send_queue =
      262144;  ///< octets waiting for a slow browser; more closes it with 1013
  std::size_t max_connections = 20000;
  std::size_t max_connections_per_address = 1000;
  Duration handshake_timeout = seconds{10};  ///< TCP accept to the end of the HTTP upgrade
  Duration ping_interval = seconds{25};      ///< idle time before a ping
  Duration pong_timeout = seconds{15};       ///< no pong: the connection is closed
  Duration drain_spread = seconds{30};       ///< contract: drain.spread
};

struct StreamSettings {
  std::size_t max_send_queue = 262144;
  std::size_t max_connections = 4000;
  Duration connect_timeout = seconds{5};
  Duration idle_timeout = seconds{3600};
  Duration message_timeout = seconds{30};  ///< a message begun and not ended
};

/// A file of the web phone: `path` as requested ("/", "/phone.js"), content and its media type.
struct WebFile {
  std::string_view path, content_type, body;
};

struct MediaSettings {
  std::vector<IpAddress> bind;       ///< one, or one per family
  std::vector<IpAddress> advertise;  ///< same order; default: bind
  std::size_t workers = 1;
  std::uint16_t webrtc_port = 19000;  ///< of worker 0; worker i uses webrtc_port + i
  bool ice_tcp = true;                ///< browsers may come by TCP to the same number
  std::uint16_t rtp_port_first = 20000, rtp_port_last = 20999;
  media::SrtpEngineKind srtp_engine = media::SrtpEngineKind::automatic;
  Duration certificate_lifetime = std::chrono::hours{30 * 24};  ///< then new legs show a new one
  std::vector<IpAddress> trunk_binds;  ///< further addresses on which trunk legs live
};

/// The store of the bindings of all nodes (contract: store).
struct StoreSettings {
  RedisPlace redis{};
  std::string node{}, domain{};
  sip::Target address{};  ///< at which the other nodes reach this one
  std::size_t max_bindings = 20000;
  Duration command_limit = milliseconds{500};  ///< for one command, or one batch
  Duration look_up_limit = milliseconds{500};  ///< from the question to its answer
  Duration beat = seconds{5};                  ///< between two signs of life
  Duration life = seconds{15};                 ///< so long one counts
  Duration assert_interval = seconds{30};      ///< between two times that all bindings are written
};

struct Settings {
  std::vector<WebSocketListener> websocket;
  std::vector<SipListener> sip;
  WebSocketSettings websocket_settings;
  StreamSettings stream;
  MediaSettings media;
  std::vector<WebFile> web;  ///< empty: nothing but WebSocket is served
  std::vector<TlsPeerSettings> tls_peers;
  Duration certificate_interval = seconds{10};  ///< between two looks at the PEM files
  Duration resolve_interval = seconds{60};
  std::vector<SocketAddress> dns_servers;  ///< empty: the system's
  std::optional<StoreSettings> store;      ///< absent: bindings are this node's alone
};

}  // namespace trunkline::io
