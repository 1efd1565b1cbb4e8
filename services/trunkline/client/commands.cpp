#include "client/client.hpp"
#include "client/options.hpp"
#include <CLI/CLI.hpp>
#include <iostream>

namespace trunkline::client {
namespace {

const std::map<std::string, std::int64_t> kUnits{
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};

CLI::Option* duration(CLI::App& app, const std::string& name, std::optional<Milliseconds>& into,
                      const std::string& what) {
  const auto set = [&into](const std::int64_t& value) { into = Milliseconds{value}; };
  CLI::AsNumberWithUnit units(kUnits, CLI::AsNumberWithUnit::UNIT_REQUIRED);
  units.description("");
  return app.add_option_function<std::int64_t>(name, set, what + " 500ms, 30s, 5m, 1h …")
      ->transform(units)
      ->type_name("DURATION");
}

/// NAME=VALUE, any number of times.
void pairs(CLI::App& app, const std::string& name, std::vector<Pair>& into,
           const std::string& what) {
  const auto add = [&into, name](const std::vector<std::string>& all) {
    for (const std::string& one : all) {
      const std::size_t at = one.find('=');
      if (at == 0 || at == one.npos) throw CLI::ValidationError(name, "is not NAME=VALUE: " + one);
      into.emplace_back(one.substr(0, at), one.substr(at + 1));
    }
  };
  app.add_option_function<std::vector<std::string>>(name, add, what)
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
}

CLI::Option* choice(CLI::App& app, const std::string& name, std::string& into,
                    std::vector<std::string> values, const std::string& what) {
  return app.add_option(name, into, what)
      ->check(CLI::IsMember(std::move(values)))
      ->capture_default_str();
}

/// gRPC takes a host alone too, and then calls a port that nobody has meant.
std::string not_an_address(const std::string& text) {
  const std::size_t at = text.rfind(':');
  const bool port = at != text.npos && at + 1 < text.size() &&
                    text.find_first_not_of("0123456789", at + 1) == text.npos;
  return port ? std::string() : "is not HOST:PORT: " + text;
}

void add_endpoint(CLI::App& app, Options& options) {
  Endpoint& endpoint = options.endpoint;
  const std::string group = "Connection";
  app.add_option("--endpoint", endpoint.address, "The gateway's gRPC address.")
      ->type_name("HOST:PORT")
      ->check(CLI::Validator(not_an_address, ""))
      ->capture_default_str()
      ->group(group);
  app.add_option("--token", endpoint.token,
                 "Bearer token; else of the environment, TRUNKLINE_TOKEN.")
      ->group(group);
  app.add_option("--token-file", endpoint.token_file, "A file with the bearer token.")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("--tls", endpoint.tls, "Use TLS and the system's certificate authorities.")
      ->group(group);
  app.add_option("--ca", endpoint.ca, "Use TLS; certificate authorities of the server (PEM).")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--cert", endpoint.certificate, "Use TLS; certificate of this client (PEM).")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--key", endpoint.key, "Key of that certificate (PEM).")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--server-name", endpoint.server_name,
                 "Name in the server's certificate, if not HOST.")
      ->group(group);
  duration(app, "--deadline", endpoint.deadline, "Give up after this time.")->group(group);
  app.add_flag("--json", options.json, "Print JSON, for programs.");
}

using Action = std::function<int(const Options&)>;
using Actions = std::map<const CLI::App*, Action>;

/// Adds commands with their actions; each takes the options that say where the gateway is.
class Grammar {
 public:
  Grammar(Options& options, Actions& actions) : options_(options), actions_(actions) {}

  CLI::App& command(CLI::App& parent, const std::string& name, const std::string& what,
                    Action action) {
    CLI::App& app = *parent.add_subcommand(name, what);
    add_endpoint(app, options_);
    actions_.emplace(&app, std::move(action));
    return app;
  }

  void add(CLI::App& app) {
    add_call(app);
    add_calls(app);
    add_trunks(app);
    add_registrations(app);
    add_explain(app);
    CLI::App& drain_app =
        command(app, "drain", "Take no more calls; those that live may end.", drain);
    duration(drain_app, "--timeout", options_.drain_timeout, "End calls that live longer.");
    drain_app.add_flag("--undo", options_.undo, "Take calls again.");
    drain_app.add_flag("--wait", options_.until_empty, "Come back when the last call is over.");
    command(app, "reload", "Read the configuration again; calls are not touched.", reload);
  }

 private:
  /// A command on the call that is named first.
  CLI::App& on_call(CLI::App& parent, const std::string& name, const std::string& what,
                    Action action) {
    CLI::App& app = command(parent, name, what, std::move(action));
    app.add_option("CALL", options_.call, "The call's id.")->required();
    return app;
  }
  CLI::App& on_leg(CLI::App& parent, const std::string& name, const std::string& what,
                   Action action) {
    CLI::App& app = on_call(parent, name, what, std::move(action));
    app.add_option("--leg", options_.leg, "The leg: from, to …; without it, to.");
    return app;
  }
  void code_and_reason(CLI::App& app) {
    app.add_option("--code", options_.sip_code, "SIP code for the caller.")
        ->check(CLI::Range(400, 699));
    app.add_option("--reason", options_.reason, "Text for the SIP message.");
  }

  void add_call(CLI::App& parent) {
    CLI::App& app = command(
        parent, "call", "Make a call: FROM is called first, then TO; or act on one.", create_call);
    app.add_option("FROM", options_.from, "user:NAME, service:NAME, a number or a SIP URI.");
    app.add_option("TO", options_.to, "The same.");
    app.add_option("--trunk", options_.trunk, "For a number or URI; without it the routes decide.");
    choice(app, "--wait", options_.wait, {"created", "ringing", "answered"}, "Until when to wait.");
    duration(app, "--ring-timeout", options_.ring_timeout, "How long each side may ring.");
    duration(app, "--max-duration", options_.max_duration,
             "End the call this long after the answer.");
    app.add_option("--caller-number", options_.caller_number, "Number that the callee sees.");
    app.add_option("--caller-name", options_.caller_name, "Name that the callee sees.");
    app.add_flag("--anonymous", options_.anonymous, "The callee sees neither number nor name.");
    pairs(app, "--header", options_.headers, "SIP header for the INVITE to TO.");
    pairs(app, "--metadata", options_.metadata, "For your own use; comes back with the call.");
    app.add_option("--request-id", options_.request_id, "The same id again makes no second call.");
    app.add_flag("--end-on-interrupt", options_.end_on_interrupt,
                 "End the call if this command is interrupted while it waits.");

    code_and_reason(on_call(app, "hangup", "End a call.", hang_up));
    code_and_reason(on_call(app, "reject", "Refuse a parked or ringing call.", reject_call));
    on_call(app, "answer", "Answer a parked call.", answer_call)
        .add_option("TARGET", options_.target, "Where it goes; without it the gateway answers.");
    on_leg(app, "hold", "Put a party on hold.", hold_call);
    on_leg(app, "resume", "Take a party off hold.", resume_call);
    const std::string way = "What the leg's party says (from) or hears (to).";
    choice(on_leg(app, "mute", "Stop a party's audio.", mute_call), "--direction",
           options_.direction, {"from", "to"}, way);
    choice(on_leg(app, "unmute", "Let a party's audio pass again.", unmute_call), "--direction",
           options_.direction, {"from", "to"}, way);
    CLI::App& dtmf = on_leg(app, "dtmf", "Send keys to a party.", send_dtmf);
    dtmf.add_option("DIGITS", options_.digits, "0 to 9, *, #, A to D.")->required();
    duration(dtmf, "--tone", options_.tone_duration, "How long each key is pressed.");
    CLI::App& transfer =
        on_leg(app, "transfer", "Connect a party with another target.", transfer_call);
    CLI::Option* target = transfer.add_option("TARGET", options_.target, "Where to.");
    transfer
        .add_option("--with", options_.consult_call, "Join with the to party of this call instead.")
        ->type_name("CALL")
        ->excludes(target);
    choice(transfer, "--mode", options_.mode, {"auto", "refer", "gateway"}, "How.");
    duration(transfer, "--ring-timeout", options_.ring_timeout, "How long the target may ring.");
    on_call(app, "stats", "Show the media statistics of a call.", call_stats);
  }

  void add_calls(CLI::App& parent) {
    CLI::App& app =
        command(parent, "calls", "Show calls, or one of them.", [](const Options& options) {
          return options.watch ? watch_calls(options) : list_calls(options);
        });
    CLI::Option* call = app.add_option("CALL", options_.call, "Only this call, in detail.");
    app.add_flag("--watch", options_.watch, "Show what happens, until interrupted.")
        ->excludes(call);
    app.add_flag("--ended", options_.ended, "Also calls that have ended.");
    app.add_option("--trunk", options_.trunk, "Only calls over this trunk.");

    CLI::App& trace = on_call(parent, "trace", "Show the SIP messages of a call.", trace_call);
    choice(trace, "--format", options_.format, {"text", "json", "pcapng"}, "The form.");
    trace.add_option("-o,--output", options_.output, "Write to this file.")->type_name("FILE");
  }

  void add_trunks(CLI::App& parent) {
    CLI::App& app = command(parent, "trunks", "Show trunks, or act on one.", list_trunks);
    app.add_option("NAME", options_.name, "Only this trunk.");
    const auto on_trunk = [&](const std::string& verb, const std::string& what, Action action) {
      command(app, verb, what, std::move(action))
          .add_option("NAME", options_.name, "The trunk.")
          ->required();
    };
    on_trunk("enable", "Take a trunk into service again.", enable_trunk);
    on_trunk("disable", "Take a trunk out of service; its calls go on.", disable_trunk);
    on_trunk("ping", "Send OPTIONS to a trunk and wait for the answer.", ping_trunk);
  }

  void add_registrations(CLI::App& parent) {
    CLI::App& app =
        command(parent, "registrations",
                "Show the browsers of the node, or one user's of all nodes, or act on them.",
                [](const Options& options) {
                  return options.watch ? watch_registrations(options) : list_registrations(options);
                });
    CLI::Option* only = app.add_option("USER", options_.user, "Only of this user.");
    app.add_flag("--watch", options_.watch, "Show what happens, until interrupted.")
        ->excludes(only);
    CLI::App& remove =
        command(app, "delete", "End the registrations of a user.", delete_registration);
    remove.add_option("USER", options_.user, "The user.")->required();
    remove.add_option("ID", options_.registration, "Only this device.");
    CLI::App& credential =
        command(app, "credential", "Make a short-lived user name and password.", create_credential);
    credential.add_option("USER", options_.user, "Whom it registers and calls as.")->required();
    duration(credential, "--ttl", options_.ttl, "How long it is valid.");
  }

  void add_explain(CLI::App& parent) {
    CLI::App& app = command(parent, "explain", "Show what would happen to a call; none is made.",
                            explain_route);
    app.add_option("FROM", options_.from, "The caller: user:NAME, a number or a SIP URI.");
    app.add_option("TO", options_.to, "What is dialled.");
    app.add_option(
        "--source", options_.source,
        "user:NAME, trunk:NAME, api, or ADDRESS:PORT of a peer; without it the user that "
        "FROM names, else api.");
    CLI::App& status =
        command(app, "status", "Show what SIP responses mean in this API.", explain_status);
    status.add_option("CODE", options_.sip_code, "Only this SIP code.")
        ->check(CLI::Range(100, 699));
  }

  Options& options_;
  Actions& actions_;
};

/// The command that the parsed line names: the innermost of the subcommands.
const CLI::App& innermost(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : innermost(*chosen.front());
}

}  // namespace

Commands::Commands(CLI::App& app)
    : app_(&app), options_(std::make_unique<Options>()), actions_(std::make_unique<Actions>()) {
  Grammar(*options_, *actions_).add(app);
}

Commands::~Commands() = default;

bool Commands::chosen() const {
  return actions_->contains(&innermost(*app_));
}

int Commands::run() const {
  return actions_->at(&innermost(*app_))(*options_);
}

}  // namespace trunkline::client
