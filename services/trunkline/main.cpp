#include "base/log.hpp"
#include "io/runtime.hpp"

#include "call_control/console.hpp"
#include "call_control/policy.hpp"
#include "call_control/server.hpp"
#include "client/client.hpp"
#include "config/config.hpp"
#include "config/file_watch.hpp"
#include "reload.hpp"
#include "telemetry/admin_endpoint.hpp"
#include "telemetry/call_log.hpp"
#include "telemetry/cdr_writer.hpp"
#include "telemetry/metrics.hpp"
#include "web_phone.hpp"
#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <iostream>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <sys/prctl.h>
#include <thread>

namespace trunkline {
namespace {

// Exit codes.
constexpr int kStopped = 0, kFailed = 1, kUsage = 64, kBadConfig = 78;

struct Options {
  std::string file, variables;
  bool check = false, print = false, schema = false, version = false;
};

/// What the admin pages see of the gateway while it comes and goes.
class Readiness {
 public:
  void set(io::Runtime* runtime) {
    const std::scoped_lock lock(mutex_);
    runtime_ = runtime;
  }
  bool healthy() const {
    const std::scoped_lock lock(mutex_);
    return runtime_ == nullptr || runtime_->healthy();
  }
  std::string not_ready() const {
    const std::scoped_lock lock(mutex_);
    switch (runtime_ == nullptr ? io::NodeState::starting : runtime_->state()) {
      case io::NodeState::starting:
        return "starting";
      case io::NodeState::ready:
        return "";
      case io::NodeState::draining:
        return "draining";
      case io::NodeState::overloaded:
        return "overloaded";
      case io::NodeState::stopped:
        break;
    }
    return "stopped";
  }

 private:
  mutable std::mutex mutex_;
  io::Runtime* runtime_ = nullptr;
};

sigset_t handled_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1})
    sigaddset(&signals, signal);
  return signals;
}

/// Takes the process's signals in a thread of its own, so that nothing runs in a signal handler.
/// SIGUSR1, sent by `stop`, ends it. Made before any other thread: they inherit the blocked
/// signals.
class Signals {
 public:
  Signals() {
    const sigset_t signals = handled_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    // A peer that closes early is an error of the write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
  }
  /// `draining` is called when the first signal to end comes.
  void start(io::Runtime& runtime, std::function<void()> draining, std::function<void()> reload) {
    draining_ = std::move(draining);
    reload_ = std::move(reload);
    thread_ = std::thread([this, &runtime] { wait(runtime); });
  }
  ~Signals() { stop(); }
  /// Before the runtime goes.
  void stop() {
    if (!thread_.joinable()) return;
    over_ = true;
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }

 private:
  void wait(io::Runtime& runtime) {
    const sigset_t signals = handled_signals();
    bool draining = false;
    while (true) {
      int signal = 0;
      if (sigwait(&signals, &signal) != 0) continue;
      if (over_) return;
      if (signal == SIGHUP) {
        reload_();
      } else if (signal == SIGTERM && !draining) {
        draining = true;
        draining_();
        log::info("draining: new calls are refused; a second SIGTERM or SIGINT stops at once");
        runtime.drain();
      } else if (signal == SIGTERM || signal == SIGINT) {
        log::info("stopping at once");
        runtime.stop();
      }
    }
  }

  std::atomic<bool> over_{false};
  std::function<void()> draining_, reload_;
  std::thread thread_;
};

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list)
    text += (text.empty() ? "" : ", ") + item;
  return text;
}

/// What is allowed and may still surprise.
std::vector<std::string> notices(const config::Config& config) {
  std::vector<std::string> all = config.notices;
  if (config.gateway.call.users.empty())
    all.emplace_back("there are no users: nobody can call from a browser");
  if (config.gateway.call.trunks.empty())
    all.emplace_back("there are no trunks: calls reach users and services only");
  return all;
}

void say_started(const config::Config& config, const io::Runtime& runtime,
                 const telemetry::AdminEndpoint* admin, const call_control::Server* api) {
  const call::Settings& call = config.gateway.call;
  std::vector<std::string> listening = runtime.listening(), trunks;
  if (config.api) listening.push_back("grpc " + api->listening().text());
  if (admin != nullptr) listening.push_back("admin " + admin->listening().text());
  for (const call::TrunkSettings& trunk : call.trunks)
    trunks.push_back(trunk.name);
  log::info("trunkline is running", {{"version", TRUNKLINE_VERSION},
                                     {"listening", joined(listening)},
                                     {"domain", call.domain},
                                     {"users", call.users.size()},
                                     {"trunks", joined(trunks)},
                                     {"routes", call.routes.size()}});
  for (const std::string& notice : notices(config))
    log::warn(notice);
}

std::vector<std::string> trunk_names(const config::Config& config) {
  std::vector<std::string> names;
  for (const call::TrunkSettings& trunk : config.gateway.call.trunks)
    names.push_back(trunk.name);
  return names;
}

/// A start that fails: at a listener, with the place in the file that asks for it.
int fail_with(std::string message, const Options& options = {},
              const config::Config* config = nullptr) {
  if (config != nullptr && message.starts_with("can't bind "))
    message = config::describe(config::unbound(config->effective, message), options.file);
  log::error(message);
  log::stop();
  std::cerr << "trunkline: " << message << "\n";
  return kFailed;
}

/// The way of the console's requests to the API, which comes later than the listener and goes
/// earlier.
class ConsoleDoor {
 public:
  explicit ConsoleDoor(const std::optional<SocketAddress>& listener)
      : open_to_network_(listener && !listener->ip.is_loopback()) {}
  void set(call_control::Console* console) {
    const std::scoped_lock lock(mutex_);
    console_ = console;
  }
  void ask(const telemetry::AdminRequest& request, telemetry::AdminPages::Handler handler) {
    const std::scoped_lock lock(mutex_);
    if (console_ == nullptr) return handler({503, "text/plain; charset=utf-8", "starting\n"});
    const bool named = telemetry::names_this_machine(request.host);
    console_->ask({request.target, request.authorization,
                   open_to_network_ ? call_control::Reach::remote
                   : named          ? call_control::Reach::local
                                    : call_control::Reach::misnamed},
                  [handler = std::move(handler)](call_control::ConsoleAnswer told) {
                    handler({told.status, std::move(told.content_type), std::move(told.body),
                             std::move(told.fields)});
                  });
  }

 private:
  const bool open_to_network_;
  std::mutex mutex_;
  call_control::Console* console_ = nullptr;
};

/// The API of this gateway over gRPC, for the console, or both, and its part in the end of the
/// node.
Result<std::unique_ptr<call_control::Server>> start_api(const config::Config& config,
                                                        io::Runtime& runtime, Reload& reload) {
  if (!config.api && !config.admin) return nullptr;
  call_control::Settings settings = config.api.value_or(call_control::Settings{});
  settings.listens = config.api.has_value();
  settings.node = config.node;
  settings.domain = config.domain;
  settings.version = TRUNKLINE_VERSION;
  settings.started = std::chrono::system_clock::now();
  settings.reload = [&reload] { return reload.now("the API"); };
  auto api = call_control::Server::start(std::move(settings), runtime.control());
  if (api) runtime.add_observer((*api)->observer());
  return api;
}

/// Null: the files can't be watched, and the log says why.
std::unique_ptr<config::FileWatch> watch_files(Reload& reload) {
  auto watch = config::FileWatch::start({.files = [&reload] { return reload.files(); }},
                                        [&reload] { (void)reload.now("a file has changed"); });
  if (watch) return std::move(*watch);
  log::warn("changes of the configuration are not seen by themselves",
            {{"why", watch.error().message}});
  return nullptr;
}

int run(const Options& options, config::Config config) {
  // A core dump would hold the SRTP keys of every call.
  prctl(PR_SET_DUMPABLE, 0);
  Signals signals;
  log::start(config.log.level, config.log.format, config.node);
  telemetry::Metrics metrics({.version = TRUNKLINE_VERSION,
                              .configuration = config::fingerprint(config.effective),
                              .trunks = trunk_names(config)});
  telemetry::CallLog call_log;
  Readiness readiness;
  ConsoleDoor console(config.admin);

  std::unique_ptr<telemetry::CdrWriter> cdr;  // goes after the runtime, which it observes
  if (config.cdr) {
    auto started = telemetry::CdrWriter::start(*config.cdr);
    if (!started) return fail_with(started.error().message);
    cdr = std::move(*started);
  }
  std::unique_ptr<io::Runtime> runtime;  // goes after the admin endpoint, which asks it
  std::unique_ptr<telemetry::AdminEndpoint> admin;
  if (config.admin) {
    auto started = telemetry::AdminEndpoint::start(
        *config.admin, {.metrics = [&metrics] { return metrics.text(); },
                        .healthy = [&readiness] { return readiness.healthy(); },
                        .not_ready = [&readiness] { return readiness.not_ready(); },
                        .api =
                            [&console](const telemetry::AdminRequest& request,
                                       telemetry::AdminPages::Handler handler) {
                              console.ask(request, std::move(handler));
                            }});
    if (!started) return fail_with(started.error().message, options, &config);
    admin = std::move(*started);
  }

  io::RuntimeSettings settings = config.gateway;
  if (config.web_phone) settings.io.web = web_phone_files();
  auto made = io::Runtime::make(std::move(settings), {&metrics, &call_log});
  if (!made) return fail_with(made.error().message, options, &config);
  runtime = std::move(*made);
  if (cdr != nullptr) {
    runtime->add_observer(*cdr);
    metrics.add_source(*cdr);
  }
  metrics.add_source(runtime->metrics());
  Reload reload(options.file, options.variables, config);
  auto api = start_api(config, *runtime, reload);
  if (!api) return fail_with(api.error().message, options, &config);
  std::unique_ptr<call::Policy> policy;
  if (config.policy) {
    auto client = call_control::make_policy(*config.policy);
    if (!client) return fail_with(client.error().message);
    policy = std::move(*client);
  }
  if (*api != nullptr) {
    metrics.add_source((*api)->metrics());
    console.set(&(*api)->console());  // from here on the listener goes before the API
  }
  readiness.set(runtime.get());
  reload.attach({runtime.get(), api->get(), &metrics}, std::move(policy));
  signals.start(
      *runtime,
      [&api = *api] {
        if (api != nullptr) api->set_serving(false);
      },
      [&reload] { (void)reload.now("SIGHUP"); });
  auto watch = config.watches ? watch_files(reload) : nullptr;
  say_started(config, *runtime, admin.get(), api->get());

  runtime->run();

  signals.stop();
  watch.reset();
  if (*api != nullptr) (*api)->shutdown();
  log::info("stopped");
  admin.reset();
  reload.detach();  // the policy client asks, and is asked by, the runtime
  api->reset();
  runtime.reset();
  cdr.reset();
  log::stop();
  return kStopped;
}

int report(const std::vector<config::Problem>& problems, const std::string& file) {
  for (const config::Problem& problem : problems)
    std::cerr << config::describe(problem, file) << "\n";
  return kBadConfig;
}

int act(const Options& options) {
  if (options.version) {
    std::cout << "trunkline " << TRUNKLINE_VERSION << "\n";
    return kStopped;
  }
  if (options.schema) {
    std::cout << config::json_schema();
    return kStopped;
  }
  auto loaded = config::load(options.file, options.variables);
  if (!loaded) return report(loaded.error(), options.file);
  if (options.print) {
    std::cout << config::print(loaded->effective);
    return kStopped;
  }
  if (options.check) {
    for (const std::string& notice : notices(*loaded))
      std::cout << options.file << ": note: " << notice << "\n";
    std::cout << options.file << ": the configuration is right\n";
    return kStopped;
  }
  return run(options, std::move(*loaded));
}

int start(int argc, char** argv) {
  Options options;
  CLI::App app("Trunkline: a gateway between browsers (SIP over WebSocket, WebRTC) and SIP trunks.",
               "trunkline");
  app.add_option("--config", options.file, "The configuration file (YAML).")->type_name("FILE");
  app.add_option(
         "--variables", options.variables,
         "A file with lines NAME=VALUE, for ${NAME} in the configuration before those of the "
         "environment.")
      ->type_name("FILE");
  app.add_flag("--check-config", options.check, "Check the configuration and exit: 0 or 78.");
  app.add_flag("--print-config", options.print,
               "Print the effective configuration, secrets masked.");
  app.add_flag("--print-schema", options.schema,
               "Print the JSON Schema of the configuration file.");
  app.add_flag("--version", options.version, "Print the version.");
  const client::Commands commands(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kStopped : kUsage;
  }
  if (commands.chosen()) return commands.run();
  if (options.file.empty() && !options.schema && !options.version) {
    std::cerr << "trunkline: --config FILE is needed; see trunkline --help\n";
    return kUsage;
  }
  return act(options);
}

}  // namespace
}  // namespace trunkline

int main(int argc, char** argv) {
  try {
    return trunkline::start(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "trunkline: " << error.what() << "\n";
    return trunkline::kFailed;
  }
}
