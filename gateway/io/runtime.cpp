#include "io/runtime.hpp"

#include "base/log.hpp"
#include "call/engine.hpp"
#include "io/control_queue.hpp"
#include "io/counters.hpp"
#include "io/location_store.hpp"
#include "io/media_workers.hpp"
#include "io/resolver.hpp"
#include "io/signalling_loop.hpp"
#include "io/signalling_sockets.hpp"
#include "io/srtp_speed.hpp"
#include "io/tls_contexts.hpp"
#include "io/tls_reloader.hpp"
#include "io/websocket_drain.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <functional>
#include <future>
#include <map>
#include <string_view>

namespace trunkline::io {
namespace {

using boost::system::error_code;

constexpr seconds kBeat{1};
constexpr seconds kEndGrace{1};           // for the answers to the last BYEs
constexpr milliseconds kCloseGrace{200};  // for the close frames of the WebSockets
constexpr int kEventsPerTurn = 1024;
constexpr milliseconds kLagProbe{250};
constexpr int kBeatsPerSurvey = 10;
constexpr int kBeatsPerReport = 5;  // of a drain
constexpr std::size_t kReportedCalls = 5;
constexpr milliseconds kMoveInterval{200};
constexpr std::size_t kMaxPendingRequests = 10000;  // of the API, without a reply yet

std::string_view state_label(NodeState state) {
  switch (state) {
    case NodeState::starting:
      return "starting";
    case NodeState::ready:
      return "ready";
    case NodeState::draining:
      return "draining";
    case NodeState::overloaded:
      return "overloaded";
    case NodeState::stopped:
      break;
  }
  return "stopped";
}

}  // namespace

struct Runtime::Impl final : SignallingOutput, MetricSource {
  Impl(RuntimeSettings chosen, std::vector<call::Observer*> watchers);
  ~Impl() override;

  Result<void> bind();
  Result<void> make_engine(const std::vector<SignallingSockets::Bound>& bound);
  void start();
  void resolve();
  void watch_certificates();
  void located(const call::ServerLocator::Found& found);

  void send(sip::SendBytes order) override { sockets.send(std::move(order)); }
  void close(const sip::CloseFlow& order) override { sockets.close(order); }
  void post(call::MediaCommand command) override { workers->post(std::move(command)); }
  void observe(const call::Observation& observation) override {
    for (call::Observer* observer : observers)
      observer->observe(observation);
  }
  void reply(call::ControlReply reply) override { requests.reply(std::move(reply)); }
  void ask(call::AskPolicy question) override;
  void look_up(call::AskLocations question) override;
  void settled() override;

  void wait_for_media();
  void take_media();
  void beat();
  void renew_certificates();
  void reconfigure(RuntimeSettings next, std::vector<TlsContexts::PreparedPeer> peers,
                   std::shared_ptr<call::Engine::Plan> plan, std::optional<call::Policy*> asked);
  /// Runs it on the signalling thread, and waits for it. False: the node has stopped.
  bool run_there(std::function<void()> what);
  void probe_lag();
  void arm();
  void follow_state();
  void follow_drain();
  void move_browsers();
  void report_drain();
  bool drained();
  void begin_end();
  void end();
  void collect(MetricSink& sink) const override;
  void collect_addresses(MetricSink& sink) const;

  RuntimeSettings settings;
  std::vector<call::Observer*> observers;
  Counters counters;
  std::unique_ptr<MediaWorkers> workers;
  boost::asio::io_context context{
      1};  // before all that has handlers in it, and so after them in the end
  boost::asio::steady_timer deadline_timer{context}, beat_timer{context}, end_timer{context},
      lag_timer{context}, move_timer{context};
  boost::asio::posix::stream_descriptor media_waker{context};
  SystemRandom random;
  sip::Endpoint endpoint;
  SignallingLoop loop;
  TlsContexts tls;
  SignallingSockets sockets;
  std::unique_ptr<call::Engine> engine;
  std::vector<std::string> listening;
  struct Advertised {
    std::string role, source, address;  ///< labels of trunkline_advertised_address_info
  };
  std::vector<Advertised> advertised;
  ResolverCounters resolver_counters;
  std::unique_ptr<Resolver> resolver;
  std::string located_names;     ///< that the resolver was made for
  std::uint64_t resolution = 0;  ///< counts resolvers: what an earlier one found is of no use
  std::unique_ptr<TlsReloader> reloader;
  std::unique_ptr<LocationStore> store;

  TimePoint armed_for = kNever;
  TimePoint certificates_until = kNever;
  int beats = 0;
  bool draining = false;
  bool ending = false;
  WebSocketDrain websocket_drain;
  call::Policy* policy = nullptr;
  ControlQueue requests{[this] {
                          boost::asio::post(context, [this] {
                            requests.take([this](call::RequestId id, call::Request request) {
                              loop.control(id, std::move(request));
                            });
                          });
                        },
                        kMaxPendingRequests};
  const std::time_t started = std::time(nullptr);
  std::atomic<NodeState> state{NodeState::starting};
  Cell last_beat, busy_microseconds;
};

Runtime::Impl::Impl(RuntimeSettings chosen, std::vector<call::Observer*> watchers)
    : settings(std::move(chosen)),
      observers(std::move(watchers)),
      endpoint(settings.sip, random),
      loop(endpoint, *this, counters),
      sockets(context, settings.io, settings.sip.parser, loop, counters, tls) {
  last_beat.set(Clock::now().time_since_epoch().count());
  if (settings.io.store) {
    store = std::make_unique<LocationStore>(
        *settings.io.store, [this](call::QuestionId id, call::Locations found) {
          boost::asio::post(context, [this, id, told = std::move(found)]() mutable {
            loop.located(id, std::move(told));
          });
        });
    observers.push_back(store.get());
  }
}

Runtime::Impl::~Impl() {
  // Threads first: they post to what goes next.
  resolver.reset();
  reloader.reset();
  store.reset();
  if (workers != nullptr) workers->stop();
}

// ------------------------------------------------------------------------------------ starting

Result<void> Runtime::Impl::bind() {
  raise_descriptor_limit();
  const SrtpSpeed speed = measure_srtp_engines(settings.io.media.srtp_engine);
  log_srtp_engines(speed);
  settings.media.srtp_engines = speed.fastest;
  auto media = MediaWorkers::make(settings.io.media, settings.media, counters);
  if (!media) return fail(media.error());
  workers = std::move(*media);
  if (const auto trunks = tls.begin(settings.io.tls_peers); !trunks) return fail(trunks.error());
  const auto bound = sockets.listen(settings.io);
  if (!bound) return fail(bound.error());
  for (const SignallingSockets::Bound& one : *bound) {
    listening.push_back(std::string(sip::transport_label(one.transport)) + " " + one.local.text());
    log::info("listening",
              {{"transport", sip::transport_label(one.transport)}, {"address", one.local.text()}});
    if (sip::is_websocket(one.transport)) continue;
    advertised.push_back({std::string(sip::transport_label(one.transport)),
                          one.told == one.local ? "bind" : "configuration", one.told.text()});
    endpoint.set_sent_by(one.transport, one.told.ip.is_v6(), one.told.text());
  }
  for (const call::MediaAddress& own : workers->resources().addresses) {
    advertised.push_back(
        {"media", own.advertise == own.bind ? "bind" : "configuration", own.advertise.text()});
  }
  return make_engine(*bound);
}

Result<void> Runtime::Impl::make_engine(const std::vector<SignallingSockets::Bound>& bound) {
  call::Settings call = settings.call;
  for (const SignallingSockets::Bound& one : bound) {
    if (sip::is_websocket(one.transport)) continue;
    const auto known = std::find_if(
        call.contacts.begin(), call.contacts.end(), [&](const call::ContactAddress& contact) {
          return contact.transport == one.transport && contact.address == one.asked;
        });
    if (known == call.contacts.end()) {
      call.contacts.push_back({one.transport, one.told});
    } else {
      known->address = one.told;
    }
  }
  auto made = call::Engine::make(std::move(call), workers->resources(), random);
  if (!made) return fail(made.error());
  engine = std::move(*made);
  loop.attach(*engine);
  return {};
}

void Runtime::Impl::start() {
  workers->start();
  media_waker.assign(::dup(workers->wakeup().fd()));
  wait_for_media();
  sockets.start();
  resolve();
  watch_certificates();
  if (store != nullptr) store->start();
  certificates_until = Clock::now() + settings.io.media.certificate_lifetime;
  beat();
  probe_lag();
  arm();
  state = NodeState::ready;
}

void Runtime::Impl::watch_certificates() {
  reloader = std::make_unique<TlsReloader>(
      tls.take_watched(), settings.io.certificate_interval,
      [this](TlsContexts::Slot slot, Result<TlsMaterial, TlsFileError> found, TlsContext made) {
        boost::asio::post(context, [this, slot, told = std::move(found), made = std::move(made)] {
          tls.changed(slot, told, made);
        });
      });
}

void Runtime::Impl::resolve() {
  Resolver::Settings wanted;
  wanted.names = engine->names_to_locate();
  std::string names;
  for (const call::LocatedName& one : wanted.names)
    names += one.name + " " + one.uri.text() + "\n";
  if (names == located_names) return;
  located_names = std::move(names);
  ++resolution;
  resolver.reset();
  if (wanted.names.empty()) return;
  // The order in which they stand is our preference where DNS has none (RFC 3263 §4.1).
  for (const sip::Transport transport :
       {sip::Transport::udp, sip::Transport::tcp, sip::Transport::tls}) {
    if (std::ranges::any_of(settings.io.sip, [transport](const SipListener& listener) {
          return listener.transport == transport;
        }))
      wanted.transports.push_back(transport);
  }
  wanted.families = {.ipv4 = false, .ipv6 = false};
  for (const SipListener& listener : settings.io.sip)
    (listener.bind.ip.is_v6() ? wanted.families.ipv6 : wanted.families.ipv4) = true;
  wanted.interval = settings.io.resolve_interval;
  wanted.servers = settings.io.dns_servers;
  auto made = Resolver::make(
      std::move(wanted),
      [this, by = resolution](call::ServerLocator::Found found) {
        boost::asio::post(context, [this, by, told = std::move(found)] {
          if (by == resolution) located(told);
        });
      },
      resolver_counters);
  if (!made) return log::error("trunks can't be located", {{"why", made.error().message}});
  resolver = std::move(*made);
}

void Runtime::Impl::located(const call::ServerLocator::Found& found) {
  std::vector<call::ServerTarget> usable = found.targets;
  std::erase_if(usable, [this](const call::ServerTarget& target) {
    return std::ranges::none_of(settings.io.sip, [&](const SipListener& listener) {
      return listener.transport == target.transport &&
             listener.bind.ip.is_v4() == target.address.ip.is_v4();
    });
  });
  const auto trunk =
      std::ranges::find(settings.call.trunks, found.name, &call::TrunkSettings::name);
  if (!usable.empty() && trunk != settings.call.trunks.end()) {
    std::vector<IpAddress> addresses;
    for (const call::ServerTarget& target : usable)
      addresses.push_back(target.address.ip);
    tls.located(trunk->peer, addresses);
  }
  engine->trunk_located(found.name, usable);
  arm();
}

// ------------------------------------------------------------------------------------ running

void Runtime::Impl::settled() {
  workers->notify();
  follow_state();
  arm();
  if (drained()) move_browsers();
  if (ending && endpoint.transactions() == 0) end();
}

void Runtime::Impl::ask(call::AskPolicy question) {
  const call::QuestionId id = question.id;
  const PolicyHook hook = std::holds_alternative<call::RouteQuestion>(question.question)
                              ? PolicyHook::route
                              : PolicyHook::authenticate;
  // The handler may run on any thread, and on this one before `ask` returns: what it says waits its
  // turn.
  const auto answered = [this, id, hook, asked = Clock::now()](call::PolicyAnswer answer) {
    boost::asio::post(context, [this, id, hook, asked, given = std::move(answer)]() mutable {
      const bool failed = std::holds_alternative<call::PolicyFailed>(given);
      counters.policy_took(hook, failed ? PolicyOutcome::failed : PolicyOutcome::ok,
                           std::chrono::duration<double>(Clock::now() - asked).count());
      loop.answered(id, std::move(given));
    });
  };
  if (policy == nullptr) return answered(call::PolicyFailed{"unavailable"});
  policy->ask(std::move(question.question), answered);
}

void Runtime::Impl::look_up(call::AskLocations question) {
  if (store != nullptr) store->look_up(question.id, std::move(question.user));
}

void Runtime::Impl::arm() {
  const TimePoint due = loop.deadline();
  // Most deadlines never come. One that has moved back is noticed when the timer fires.
  if (due >= armed_for) return;
  armed_for = due;
  deadline_timer.expires_at(due);
  deadline_timer.async_wait([this](error_code error) {
    if (error) return;
    armed_for = kNever;
    loop.on_deadline();
  });
}

void Runtime::Impl::wait_for_media() {
  media_waker.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this](error_code error) {
                           if (error) return;
                           take_media();
                           wait_for_media();
                         });
}

void Runtime::Impl::take_media() {
  workers->wakeup().clear();
  workers->retry();
  media::Event event;
  for (int taken = 0; workers->take(event); ++taken) {
    loop.media(std::move(event));
    if (taken < kEventsPerTurn) continue;
    workers->wakeup().signal();
    return;
  }
}

void Runtime::Impl::beat() {
  last_beat.set(Clock::now().time_since_epoch().count());
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  busy_microseconds.set(used.tv_sec * 1'000'000 + used.tv_nsec / 1000);
  if (Clock::now() >= certificates_until) renew_certificates();
  if (++beats % kBeatsPerSurvey == 0) engine->survey(Clock::now());
  if (store != nullptr && store->turn()) store->replace(engine->bindings(Clock::now()));
  if (beats % kBeatsPerReport == 0 && engine->draining()) report_drain();
  beat_timer.expires_after(kBeat);
  beat_timer.async_wait([this](error_code error) {
    if (!error) beat();
  });
}

void Runtime::Impl::renew_certificates() {
  certificates_until = Clock::now() + settings.io.media.certificate_lifetime;
  for (std::size_t worker = 0; worker < settings.io.media.workers; ++worker) {
    const auto fingerprint = workers->renew_certificate(worker);
    if (!fingerprint) {
      log::error("DTLS certificate not renewed", {{"why", fingerprint.error().message}});
      continue;
    }
    // The worker has its command before that of any leg which shows it.
    engine->certificate_renewed(worker, *fingerprint);
    log::info("DTLS certificate renewed", {{"worker", worker}});
  }
  workers->notify();
}

void Runtime::Impl::reconfigure(RuntimeSettings next, std::vector<TlsContexts::PreparedPeer> peers,
                                std::shared_ptr<call::Engine::Plan> plan,
                                std::optional<call::Policy*> asked) {
  tls.replace(std::move(peers));
  if (reloader != nullptr) reloader->watch(tls.take_watched());
  sockets.allow(std::move(next.io.websocket_settings.allowed_origins));
  settings.io.websocket_settings.drain_spread = next.io.websocket_settings.drain_spread;
  settings.call = std::move(next.call);
  if (!std::ranges::equal(settings.io.tls_peers, next.io.tls_peers, {}, &TlsPeerSettings::id,
                          &TlsPeerSettings::id))
    located_names.clear();  // TLS has to know where they are
  settings.io.tls_peers = std::move(next.io.tls_peers);
  if (asked) policy = *asked;
  loop.reconfigure(std::move(plan));
  resolve();
}

bool Runtime::Impl::run_there(std::function<void()> what) {
  constexpr milliseconds kLook{50};
  const auto done = std::make_shared<std::promise<void>>();
  auto ready = done->get_future();
  boost::asio::post(context, [what = std::move(what), done] {
    what();
    done->set_value();
  });
  while (ready.wait_for(kLook) != std::future_status::ready) {
    if (state == NodeState::stopped) return false;
  }
  return true;
}

void Runtime::Impl::probe_lag() {
  lag_timer.expires_after(kLagProbe);
  lag_timer.async_wait([this](error_code error) {
    if (error) return;
    const Duration late = Clock::now() - lag_timer.expiry();
    counters.loop_lag.observe(std::chrono::duration<double>(late).count());
    probe_lag();
  });
}

/// Of a drain by a signal: nobody is left to wait for.
bool Runtime::Impl::drained() {
  if (!draining || engine->calls() != 0) return false;
  return websocket_drain.over() || sockets.browsers().empty();
}

/// The browsers without a call are moved as long as the node drains, whoever has asked for it.
void Runtime::Impl::follow_drain() {
  if (ending || engine->draining() == websocket_drain.active()) return;
  if (!engine->draining()) return websocket_drain.stop();
  const TimePoint now = Clock::now();
  // At the deadline all is over.
  const Duration left = std::max(engine->drain_deadline() - now, Duration::zero());
  websocket_drain.begin(std::min(settings.io.websocket_settings.drain_spread, left), now);
  move_browsers();
}

void Runtime::Impl::move_browsers() {
  if (!websocket_drain.active() || ending) return;
  const auto has_call = [this](FlowId flow) { return engine->has_call(flow); };
  for (const FlowId browser :
       websocket_drain.due(sockets.browsers(), has_call, Clock::now(), random))
    sockets.move(browser);
  if (drained()) return begin_end();
  move_timer.expires_after(kMoveInterval);
  move_timer.async_wait([this](error_code error) {
    if (!error) move_browsers();
  });
}

void Runtime::Impl::report_drain() {
  if (engine->calls() == 0) return;
  std::string names;
  for (const std::string& name : engine->some_calls(kReportedCalls))
    names += (names.empty() ? "" : ", ") + name;
  const TimePoint until = engine->drain_deadline();
  const Duration left = until == kNever ? Duration::zero() : until - Clock::now();
  log::info("draining: calls are waited for",
            {{"calls", engine->calls()},
             {"seconds_left", std::chrono::duration_cast<seconds>(left).count()},
             {"some", names}});
}

void Runtime::Impl::follow_state() {
  follow_drain();
  if (draining || ending) return;
  const NodeState now = state.load(std::memory_order_relaxed);
  if (now == NodeState::starting || now == NodeState::stopped) return;
  if (engine->draining()) {  // asked for by the API: the node stays, and may be told to go on
    if (now != NodeState::draining) {
      log::info("draining: new calls are refused until the drain is undone",
                {{"calls", engine->calls()}});
    }
    state = NodeState::draining;
    return;
  }
  if (now == NodeState::draining) log::info("the drain is undone: calls are taken");
  const bool full = engine->calls() >= settings.call.max_calls;
  const NodeState next = full ? NodeState::overloaded : NodeState::ready;
  if (now != next) state = next;
}

// ------------------------------------------------------------------------------------ ending

void Runtime::Impl::begin_end() {
  if (ending) return;
  ending = true;
  state = NodeState::draining;
  end_timer.expires_after(kEndGrace);
  end_timer.async_wait([this](error_code error) {
    if (!error) end();
  });
}

void Runtime::Impl::end() {
  if (state == NodeState::stopped) return;
  state = NodeState::stopped;
  resolver.reset();
  reloader.reset();
  if (store != nullptr) store->stop();
  sockets.stop();
  end_timer.expires_after(kCloseGrace);
  end_timer.async_wait([this](error_code) { context.stop(); });
}

void Runtime::Impl::collect(MetricSink& sink) const {
  endpoint.metrics().collect(sink);
  engine->metrics().collect(sink);
  workers->collect(sink);
  counters.collect(sink);
  tls.collect(sink);
  resolver_counters.collect(sink);
  if (store != nullptr) store->collect(sink);
  collect_addresses(sink);
  const NodeState now = state;
  for (const NodeState one : {NodeState::starting, NodeState::ready, NodeState::draining,
                              NodeState::overloaded, NodeState::stopped}) {
    sink.gauge("trunkline_node_state", "What the node is doing: 1 at its state.",
               {{"state", state_label(one)}}, one == now ? 1 : 0);
  }
  sink.gauge("trunkline_start_time_seconds", "When the node started, Unix time.", {},
             static_cast<double>(started));
  sink.counter("trunkline_worker_busy_seconds_total",
               "Time that a thread spent working, not waiting.", {{"thread", "signalling"}},
               static_cast<double>(busy_microseconds.get()) / 1e6);
}

void Runtime::Impl::collect_addresses(MetricSink& sink) const {
  for (const Advertised& one : advertised) {
    sink.gauge("trunkline_advertised_address_info",
               "The addresses that peers are told, and where they are from; always 1.",
               {{"role", one.role}, {"source", one.source}, {"address", one.address}}, 1);
  }
}

// ------------------------------------------------------------------------------------ Runtime

Runtime::Runtime() = default;
Runtime::~Runtime() = default;

Result<std::unique_ptr<Runtime>> Runtime::make(RuntimeSettings settings,
                                               std::vector<call::Observer*> observers) {
  std::signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<Runtime> runtime(new Runtime);
  runtime->impl_ = std::make_unique<Impl>(std::move(settings), std::move(observers));
  if (auto bound = runtime->impl_->bind(); !bound) return fail(bound.error());
  return runtime;
}

void Runtime::run() {
  impl_->start();
  while (!impl_->context.stopped()) {
    try {
      impl_->context.run();
    } catch (const std::exception& error) {
      // The input that caused it is lost; the calls are not.
      log::error("exception on the signalling thread", {{"what", error.what()}});
    }
  }
  impl_->state = NodeState::stopped;
  impl_->requests.stop();
  impl_->workers->stop();
}

void Runtime::drain() {
  boost::asio::post(impl_->context, [impl = impl_.get()] {
    if (impl->draining) return;
    impl->draining = true;
    impl->state = NodeState::draining;
    log::info("draining", {{"calls", impl->engine->calls()}});
    impl->loop.drain();
  });
}

void Runtime::stop() {
  boost::asio::post(impl_->context, [impl = impl_.get()] {
    log::info("stopping", {{"calls", impl->engine->calls()}});
    impl->begin_end();
    impl->loop.end_all();
  });
}

NodeState Runtime::state() const {
  return impl_->state;
}

void Runtime::reload_certificates() {
  boost::asio::post(impl_->context, [impl = impl_.get()] {
    impl->tls.forget_system();
    if (impl->reloader != nullptr) impl->reloader->look_now();
  });
}

void Runtime::add_observer(call::Observer& observer) {
  impl_->observers.push_back(&observer);
}

call::Control& Runtime::control() {
  return impl_->requests;
}

Result<void> Runtime::reconfigure(RuntimeSettings next, std::optional<call::Policy*> policy) {
  auto plan = call::Engine::plan(next.call);
  if (!plan) return fail(plan.error());
  auto peers = TlsContexts::prepare(next.io.tls_peers);
  if (!peers) return fail(peers.error());
  const auto made = std::make_shared<std::vector<TlsContexts::PreparedPeer>>(std::move(*peers));
  const bool taken = impl_->run_there([impl = impl_.get(), next, made, plan = *plan, policy] {
    impl->reconfigure(next, std::move(*made), plan, policy);
  });
  if (!taken) return fail("the node is stopping");
  return {};
}

void Runtime::set_policy(call::Policy& policy) {
  impl_->policy = &policy;
}

bool Runtime::healthy() const {
  const TimePoint now = Clock::now();
  const TimePoint last{Duration{impl_->last_beat.get()}};
  const NodeState state = impl_->state;
  if (state == NodeState::starting || state == NodeState::stopped)
    return state == NodeState::starting;
  return now - last < kAliveWithin && impl_->workers->healthy(now);
}

const MetricSource& Runtime::metrics() const {
  return *impl_;
}
std::vector<std::string> Runtime::listening() const {
  return impl_->listening;
}

}  // namespace trunkline::io
