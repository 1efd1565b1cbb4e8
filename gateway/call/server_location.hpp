#pragma once
#include "base/net_address.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/uri.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace trunkline::call {

/// One question to DNS. A and AAAA are asked apart: the one has to wait for the other nowhere, and
/// is not lost with it.
struct DnsQuestion {
  enum class Type : std::uint8_t { naptr, srv, a, aaaa } type = Type::a;
  std::string name;
  auto operator<=>(const DnsQuestion&) const = default;  // NOLINT(modernize-use-nullptr)
};
struct NaptrRecord {
  std::uint16_t order = 0, preference = 0;
  std::string flags, service, regexp, replacement;
};
struct SrvRecord {
  std::uint16_t priority = 0, weight = 0, port = 0;
  std::string target;
};
/// What came of a question. Without records of the type that was asked for there are none.
struct DnsAnswer {
  bool failed = false;  ///< no answer, or one that can't be used: nothing is known of the records
  std::vector<NaptrRecord> naptr;
  std::vector<SrvRecord> srv;
  std::vector<IpAddress> addresses;
  seconds time_to_live = seconds::max();  ///< of the record that lives shortest
};

/// A place where a server is to be found.
struct ServerTarget {
  sip::Transport transport = sip::Transport::udp;
  SocketAddress address;
  std::uint32_t priority = 0;  ///< the lower the earlier: of the transport first, then of the SRV
  std::uint16_t weight = 0;    ///< among those of one priority (RFC 2782)
  std::uint16_t record = 0;    ///< addresses of one SRV record share it, and its weight
  bool operator==(const ServerTarget&) const = default;
};

/// The address families that we can send by.
struct AddressFamilies {
  bool ipv4 = true, ipv6 = true;
};

/// What a trunk's URI says of the transport: by the scheme (RFC 3261 §26.2.2: sips means TLS,
/// whatever reliable transport it names), its parameter, or UDP. Nothing for one that trunks don't
/// have.
std::optional<sip::Transport> transport_of(const sip::Uri& uri);
/// RFC 3261 §19.1.2: 5060, and 5061 for TLS.
std::uint16_t default_port(std::optional<sip::Transport> transport);

/// Locating one SIP server (RFC 3263 §4): which questions to ask next, and what the answers mean.
/// Sans I/O; one look-up, from the URI to the targets.
class ServerLocation {
 public:
  /// `transports`: those that we can send by, the preferred first; they count where the URI leaves
  /// the choice to DNS.
  ServerLocation(sip::Uri uri, std::vector<sip::Transport> transports,
                 AddressFamilies families = {});

  /// Those that are open now; none once it is done.
  std::vector<DnsQuestion> questions() const;
  void answer(const DnsQuestion& question, const DnsAnswer& answer);
  bool done() const { return stage_ == Stage::done; }
  /// When done all, and none if DNS knows of no server; before, those whose addresses have come.
  /// The addresses of a host take turns, IPv6 first (RFC 7984 §4, RFC 8305 §4): the next try after
  /// a failure takes another path.
  std::vector<ServerTarget> targets() const;

 private:
  enum class Stage : std::uint8_t { naptr, srv, address, done };
  /// A transport under its SRV name.
  struct Service {
    sip::Transport transport = sip::Transport::udp;
    std::string name;
    bool answered = false;
  };
  /// A host of which the addresses are wanted.
  struct Server {
    sip::Transport transport = sip::Transport::udp;
    std::string host;
    std::uint16_t port = 0;
    std::uint32_t priority = 0;
    std::uint16_t weight = 0;
    std::optional<std::vector<IpAddress>> a, aaaa;  ///< nothing: not answered yet
    bool answered() const { return a && aaaa; }
    std::vector<IpAddress> addresses() const;
  };

  std::string service_name(sip::Transport transport) const;
  void choose(const std::vector<NaptrRecord>& records);
  void ask_services(const std::vector<sip::Transport>& transports);
  void take(std::size_t service, const std::vector<SrvRecord>& records);
  void services_known();
  void ask_addresses();

  sip::Uri uri_;
  std::vector<sip::Transport> transports_;
  AddressFamilies families_;
  Stage stage_ = Stage::naptr;
  std::vector<Service> services_;
  bool refused_ = false;  ///< an SRV record says that there is no such service (RFC 2782, ".")
  std::vector<Server> servers_;
};

/// The order in which one request tries the targets: by priority, within one by weighted chance
/// (RFC 2782), the addresses of one record in the order of the answer. Indices into `targets`.
std::vector<std::size_t> draw_order(std::span<const ServerTarget> targets, Random& random);

}  // namespace trunkline::call
