#include "call_control/server.hpp"

#include "base/log.hpp"
#include "base/random.hpp"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "call_control/callback_queue.hpp"
#include "call_control/console.hpp"
#include "call_control/desk.hpp"
#include "call_control/services.hpp"
#include "call_control/tls_credentials.hpp"
#include <array>
#include <cerrno>
#include <grpc/support/log.h>
#include <mutex>
#include <netdb.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace trunkline::call_control {
namespace {

// A client that is silent for this long is asked whether it is there; a subscriber behind a
// firewall stays known to it.
constexpr int kKeepaliveMilliseconds = 60'000;
constexpr int kKeepaliveTimeoutMilliseconds = 20'000;
/// A client that asks us more often than this is taken for hostile.
constexpr int kLeastPingMilliseconds = 10'000;
/// What is under way at shutdown gets this long to end.
constexpr Duration kShutdownGrace = seconds{1};

// Health checks may ask for each by its name.
constexpr std::array kServices{"trunkline.v1.CallService", "trunkline.v1.RegistrationService",
                               "trunkline.v1.TrunkService", "trunkline.v1.RoutingService",
                               "trunkline.v1.NodeService"};

int argument(std::size_t value) {
  return static_cast<int>(value);
}

/// What gRPC says of single connections - a handshake that failed, a frame that was wrong - is the
/// peer's doing, as often as it likes.
void to_our_log(gpr_log_func_args* said) {
  log::debug("grpc", {{"message", said->message}});
}

/// gRPC tells only its log why a port can't be had.
std::string why_not(const SocketAddress& address) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* native = nullptr;
  const std::string port = std::to_string(address.port);
  if (::getaddrinfo(address.ip.text().c_str(), port.c_str(), &hints, &native) != 0)
    return "no address";
  const int socket = ::socket(native->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = socket >= 0 && ::bind(socket, native->ai_addr, native->ai_addrlen) == 0;
  std::string why = bound ? "gRPC refuses it" : std::generic_category().message(errno);
  if (socket >= 0) ::close(socket);
  ::freeaddrinfo(native);
  return why;
}

class GrpcServer final : public Server, private MetricSource {
 public:
  GrpcServer(std::shared_ptr<Desk> desk, std::array<std::unique_ptr<grpc::Service>, 5> services,
             ServerTls tls)
      : desk_(std::move(desk)),
        services_(std::move(services)),
        tls_(std::move(tls)),
        console_(desk_) {}
  ~GrpcServer() override { shutdown(); }

  Result<void> start() {
    if (!desk_->settings.listens) return {};
    keep_callback_queue();
    gpr_set_log_function(&to_our_log);
    const Limits& limits = desk_->settings.limits;
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(desk_->settings.bind.text(), tls_.credentials, &port_);
    builder.SetMaxReceiveMessageSize(argument(limits.message_bytes));
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, argument(limits.metadata_bytes));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               argument(limits.streams_per_connection));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMilliseconds);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kLeastPingMilliseconds);
    // Two gateways on one port would share clients by chance.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    for (const auto& service : services_)
      builder.RegisterService(service.get());
    server_ = builder.BuildAndStart();
    if (!server_ || port_ == 0) {
      const SocketAddress& bind = desk_->settings.bind;
      return fail("can't bind " + bind.text() + "/tcp (listen.grpc): " + why_not(bind));
    }
    for (const char* service : kServices)
      server_->GetHealthCheckService()->SetServingStatus(service, true);
    {
      const std::scoped_lock lock(health_mutex_);
      health_ = server_->GetHealthCheckService();
    }
    desk_->on_serving = [this](bool serving) { set_serving(serving); };
    set_serving(true);
    return {};
  }

  call::Observer& observer() override { return desk_->journal; }
  Console& console() override { return console_; }
  SocketAddress listening() const override {
    if (!desk_->settings.listens) return {};
    return {desk_->settings.bind.ip, static_cast<std::uint16_t>(port_)};
  }
  const MetricSource& metrics() const override { return *this; }
  void collect(MetricSink& sink) const override {
    desk_->rpcs.collect(sink);
    desk_->journal.collect(sink);
    if (tls_.certificate != nullptr) tls_.certificate->collect(sink);
  }
  void set_serving(bool serving) override {
    const std::scoped_lock lock(health_mutex_);
    if (health_ != nullptr) health_->SetServingStatus(serving);
  }
  Result<void> admit(std::vector<ClientSettings> clients,
                     std::vector<TokenSettings> tokens) override {
    Settings settings = desk_->settings;
    settings.clients = std::move(clients);
    settings.tokens = std::move(tokens);
    auto access = Access::make(settings);
    if (!access) return fail(access.error());
    desk_->admit(std::move(*access));
    return {};
  }
  void shutdown() override {
    const std::lock_guard lock(shutdown_mutex_);
    if (server_) {
      {
        const std::scoped_lock health(health_mutex_);
        std::exchange(health_, nullptr)->SetServingStatus(false);
      }
      desk_->closing.store(true, std::memory_order_relaxed);
      desk_->journal.check_now();
      server_->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
      server_->Wait();
      server_.reset();
    }
    desk_->journal.stop();
  }

 private:
  const std::shared_ptr<Desk> desk_;
  const std::array<std::unique_ptr<grpc::Service>, 5> services_;
  const ServerTls tls_;
  Console console_;
  std::mutex shutdown_mutex_, health_mutex_;
  grpc::HealthCheckServiceInterface* health_ = nullptr;  ///< the server's
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Settings settings, call::Control& control) {
  auto access = Access::make(settings);
  if (!access) return fail(access.error());
  auto tls = server_credentials(settings);
  if (!tls) return fail(tls.error());
  SystemRandom random;
  auto desk =
      std::make_shared<Desk>(std::move(settings), std::move(*access), control, random.number64());
  auto server = std::make_unique<GrpcServer>(
      desk,
      std::array{make_call_service(desk), make_registration_service(desk), make_trunk_service(desk),
                 make_routing_service(desk), make_node_service(desk)},
      std::move(*tls));
  if (const auto started = server->start(); !started) return fail(started.error());
  return server;
}

}  // namespace trunkline::call_control
