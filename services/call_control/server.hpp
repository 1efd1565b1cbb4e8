#pragma once
#include "base/metrics.hpp"
#include "base/net_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "base/tls_files.hpp"
#include "call/control.hpp"
#include "call/observer.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The gRPC API (contract: listen.grpc, proto/trunkline/v1) on top of call::Control.
namespace trunkline::call_control {

/// What a client may do; each method needs one of them, and none includes another.
enum class Role { read, call, admin };

/// A client certificate by one of its subject alternative names (or, without any, its common name).
struct ClientSettings {
  std::string subject;
  std::vector<Role> roles;
};

struct TokenSettings {
  std::string name;  ///< for the log
  std::string token;
  std::vector<Role> roles;
};

struct Limits {
  std::size_t message_bytes = 64UL * 1024;    ///< of one request
  std::size_t metadata_bytes = 16UL * 1024;   ///< of one request's headers
  std::size_t streams_per_connection = 1024;  ///< RPCs at a time
  std::size_t pending_requests = 4096;        ///< unary RPCs at a time, of all clients
  std::size_t subscriptions = 2048;           ///< Watch RPCs at a time, of all clients
  std::size_t remembered_events = 32768;      ///< for subscribers that are late or come back
  std::size_t remembered_bytes = 64 << 20;    ///< of those events
  std::size_t subscriber_lag = 16384;         ///< events; who is further behind is cut off
  std::size_t ended_calls = 1000;             ///< that GetCall still knows
  std::size_t queued_observations = 32768;    ///< between the signalling thread and the API's own
  Duration ended_for = std::chrono::minutes{10};
  Duration bookmark_interval = seconds{15};
  Duration cut_off_grace = seconds{30};  ///< for a slow reader to take its end; then reset
};

/// Outcome of reading the configuration again.
struct Reloaded {
  std::vector<std::string> applied, needs_restart;  ///< keys
};
/// Why what was there before stays.
struct ReloadRefused {
  bool bad_file = true;  ///< else the file is right, but can't be put in force while the node runs
  std::string message;
  /// Which key, and what is wrong with it.
  std::vector<std::pair<std::string, std::string>> violations{};
};

struct Settings {
  bool listens = true;  ///< false: without gRPC, for the console alone
  SocketAddress bind;
  std::optional<TlsFiles> tls;  ///< read again when they change; authorities: clients need one
  std::vector<ClientSettings> clients;  ///< none, with a client_ca: any certificate may do all
  std::vector<TokenSettings> tokens;
  std::string node, domain, version;
  std::chrono::system_clock::time_point started;
  Limits limits;
  /// Does what SIGHUP does. Any thread; may block for a moment. Absent: ReloadConfig is
  /// UNIMPLEMENTED.
  std::function<Result<Reloaded, ReloadRefused>()> reload;
};

class Console;

/// A running API. Its threads are its own (and gRPC's).
class Server {
 public:
  /// Binds and serves. `control` must outlive the server. Fails, in words for an operator, if the
  /// address can't be bound, or is not loopback and lacks TLS with client certificates or tokens.
  static Result<std::unique_ptr<Server>> start(Settings settings, call::Control& control);
  virtual ~Server() = default;

  /// To be told everything, from the first call on, and before the replies that follow from it. Its
  /// `observe` is called on the signalling thread and does not block.
  virtual call::Observer& observer() = 0;
  /// What the API tells, as JSON for the console of the admin listener. Lives as long as the
  /// server.
  virtual Console& console() = 0;
  /// The address really bound; empty without gRPC.
  virtual SocketAddress listening() const = 0;
  /// Of its RPCs, and of its certificate. Any thread, as long as the server lives.
  virtual const MetricSource& metrics() const = 0;
  /// Who may do what, from the next request on. Fails, and changes nothing, as `start` does. Any
  /// thread.
  virtual Result<void> admit(std::vector<ClientSettings> clients,
                             std::vector<TokenSettings> tokens) = 0;
  /// What health checks are told: false while draining.
  virtual void set_serving(bool serving) = 0;
  /// Ends all streams (each with its resume token) and RPCs, then stops. Idempotent. `control` must
  /// still reply, or have replied.
  virtual void shutdown() = 0;
};

}  // namespace trunkline::call_control
