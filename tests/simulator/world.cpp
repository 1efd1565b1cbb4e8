#include "world.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

namespace trunkline::simulator {
namespace {

enum Actor : std::uint64_t { world_actor = 1, network_actor, media_actor, api_actor, peer_actors };

constexpr std::string_view kDomain = "example.test";
constexpr std::uint32_t kShortestSession = 90;  // seconds
// 64*T1 and what may follow it: the longest that anything of the transactions can last.
constexpr Duration kTransactions = seconds{75};
// Grace times, ring limits and session timers, all run out.
constexpr Duration kQuiet = seconds{420};

SocketAddress address(const char* text) {
  return *SocketAddress::parse(text);
}

}  // namespace

World::World(std::uint64_t seed, bool traced)
    : seed_(seed),
      dice_(seed, world_actor),
      journal_(agenda_, traced),
      rules_(agenda_, journal_),
      books_(journal_),
      network_(agenda_, journal_, Dice(seed, network_actor)),
      media_(agenda_, journal_, Dice(seed, media_actor)),
      trunk_transport_(dice_.chance(30) ? sip::Transport::tcp : sip::Transport::udp),
      twins_(dice_.chance(40)) {
  const std::size_t workers = 1 + dice_.below(2);
  gateway_ = std::make_unique<Gateway>(Gateway::Border{agenda_, network_, media_, rules_, books_},
                                       settings(), resources(workers), seed * 31 + 7);
  network_.attach_gateway(*gateway_, address("192.0.2.1:5060"));
  media_.tell = [this](const media::Event& event) { gateway_->media_event(event); };
  api_ = std::make_unique<ApiActor>(agenda_, *gateway_, books_, journal_, Dice(seed, api_actor));
  if (twins_) {
    std::vector<call::ServerTarget> places;
    for (const char* at : {"192.0.2.9:5060", "192.0.2.11:5060"})
      places.push_back({trunk_transport_, address(at), dice_.below(2), 10,
                        static_cast<std::uint16_t>(places.size())});
    gateway_->trunk_located("carrier", places);
  }
  add_peers();
}

call::Settings World::settings() {
  call::Settings made;
  made.node = "simulated";
  made.domain = kDomain;
  made.users = {{"alice", "secret"}, {"bob", "secret"}};
  for (const auto& [name, host] :
       {std::pair{"carrier", "192.0.2.9"}, std::pair{"backup", "192.0.2.10"}}) {
    call::TrunkSettings trunk;
    trunk.name = name;
    const bool named = twins_ && std::string_view(name) == "carrier";
    trunk.uri =
        *sip::Uri::parse("sip:" + (named ? "carrier.example" : host + std::string(":5060")) +
                         (trunk_transport_ == sip::Transport::tcp ? ";transport=tcp" : ""));
    trunk.username = "gw";
    trunk.password = "trunk-secret";
    trunk.max_calls_per_second = 1000;
    trunk.max_redirects = dice_.below(3);
    trunk.target_timeout = seconds{1 + dice_.below(6)};
    trunk.session_expires_seconds = dice_.chance(70) ? kShortestSession + dice_.below(60) : 1800;
    made.trunks.push_back(trunk);
  }
  made.routes = {{"user", "^5[0-9]+$", "trunk:carrier"}, {"any", "^7[0-9]+$", "trunk:backup"},
                 {"any", "^1001$", "user:alice"},        {"any", "^1002$", "user:bob"},
                 {"any", "^echo$", "service:echo"},      {"any", "^tone$", "service:tone"},
                 {"any", "^9", "service:policy"}};
  made.contacts = {{sip::Transport::udp, address("192.0.2.1:5060")},
                   {sip::Transport::tcp, address("192.0.2.1:5060")}};
  made.digest_secret = "secret";
  made.credentials.secret = "secret";
  made.policy.enabled = true;
  made.ring_timeout = seconds{20 + dice_.below(100)};
  made.reconnect_grace = seconds{10 + dice_.below(50)};
  return made;
}

call::MediaResources World::resources(std::size_t workers) {
  call::MediaResources made;
  const IpAddress own = *IpAddress::parse("192.0.2.1");
  made.addresses = {{own, own}};
  for (std::size_t index = 0; index < workers; ++index) {
    const auto offset = static_cast<std::uint16_t>(index);
    call::MediaResources::Worker worker;
    worker.candidates = {{own, static_cast<std::uint16_t>(19000 + offset)}};
    worker.fingerprint = media::Fingerprint{"sha-256", "AA:B" + std::to_string(index)};
    for (int port = 0; port < 80; port += 2)
      worker.trunk_ports[own].push_back(static_cast<std::uint16_t>(20000 + 100 * offset + port));
    made.workers.push_back(worker);
  }
  made.fingerprint = *made.workers.front().fingerprint;
  return made;
}

Faults World::faults(bool connection) {
  Faults made;
  made.delay = milliseconds{1 + dice_.below(80)};
  if (dice_.chance(60)) made.jitter = milliseconds{dice_.below(dice_.chance(20) ? 900 : 60)};
  if (connection) return made;
  if (dice_.chance(50)) made.loss = dice_.below(26);
  if (dice_.chance(40)) made.copies = dice_.below(30);
  return made;
}

Habits World::trunk_habits() {
  Habits made;
  made.update = dice_.chance(60);
  made.timer = dice_.chance(70);
  made.refer = dice_.chance(60);
  if (dice_.chance(50)) made.reliable = 30 + dice_.below(70);
  if (dice_.chance(30)) made.transfers = 20;
  if (dice_.chance(50)) made.session_expires = kShortestSession + dice_.below(90);
  if (dice_.chance(40)) made.challenges = 30 + dice_.below(70);
  if (dice_.chance(30)) made.forks = 50;
  if (dice_.chance(20)) made.redirects = 20;
  if (dice_.chance(20)) made.mute = 15;
  if (dice_.chance(20)) made.forgets_ack = 20;
  if (dice_.chance(30)) made.answers_cancelled = 40;
  if (dice_.chance(20)) made.ignores_cancel = 30;
  return made;
}

void World::add_peers() {
  const Peer::Place place{agenda_, journal_, network_};
  std::uint64_t actor = peer_actors;
  const std::vector<std::string> everybody{"5551000", "5552000", "7000", "bob", "1001",
                                           "echo",    "tone",    "9001", "none"};
  const std::size_t pages = 2 + dice_.below(2);
  for (std::size_t index = 0; index < pages; ++index) {
    Habits habits;
    habits.timer = dice_.chance(70);
    habits.update = dice_.chance(60);
    habits.refer = false;
    if (dice_.chance(30)) habits.reliable = 60;
    if (dice_.chance(40)) habits.transfers = 20;
    habits.previews = dice_.chance(20) ? 30 : 0;
    if (dice_.chance(50)) habits.session_expires = kShortestSession;
    if (dice_.chance(10)) habits.forgets_ack = 10;
    const BrowserPeer::Person person{index == 0 ? "alice" : "bob", "secret", std::string(kDomain),
                                     (index == 0 ? "alice-" : "bob-") + std::to_string(index),
                                     everybody};
    browsers_.push_back(std::make_unique<BrowserPeer>(
        place, person, habits,
        SocketAddress{*IpAddress::parse("198.51.100.7"), static_cast<std::uint16_t>(5000 + index)},
        faults(true), Dice(seed_, actor++)));
  }
  const std::vector<std::string> dialled{"1001", "1002", "7001", "echo", "9002", "none"};
  std::vector<std::pair<const char*, const char*>> carriers{{"carrier", "192.0.2.9:5060"},
                                                            {"backup", "192.0.2.10:5060"}};
  if (twins_) carriers.emplace_back("twin", "192.0.2.11:5060");
  for (const auto& [name, at] : carriers) {
    TrunkPeer::Carrier carrier{
        name, "gw", "trunk-secret", dialled, {{0, "PCMU/8000"}}, address("192.0.2.1:5060")};
    if (dice_.chance(40)) carrier.codecs.emplace_back(8, "PCMA/8000");
    if (dice_.chance(10)) carrier.codecs = {{8, "PCMA/8000"}};
    if (dice_.chance(20)) carrier.codecs.emplace_back(107, "opus/48000/2");
    if (dice_.chance(80)) carrier.codecs.emplace_back(101, "telephone-event/8000");
    trunks_.push_back(std::make_unique<TrunkPeer>(
        place, carrier, trunk_habits(), trunk_transport_, address(at),
        faults(trunk_transport_ == sip::Transport::tcp), Dice(seed_, actor++)));
  }
}

void World::schedule_acts(TimePoint until) {
  const auto repeat = [&](auto& actor, milliseconds least, milliseconds most) {
    for (TimePoint at = agenda_.now() + dice_.between(least, most); at < until;
         at += dice_.between(least, most))
      agenda_.at(at, [&actor] { actor.act(); });
  };
  const milliseconds pace{2000 + dice_.below(6000)};
  for (const auto& browser : browsers_)
    repeat(*browser, milliseconds{100}, pace * 2);
  for (const auto& trunk : trunks_)
    repeat(*trunk, milliseconds{100}, pace * 2);
  if (dice_.chance(60)) repeat(*api_, milliseconds{100}, pace);
  if (!dice_.chance(10)) return;
  const TimePoint drains = agenda_.now() + dice_.between(seconds{1}, seconds{40});
  agenda_.at(drains, [this, timeout = seconds{1 + dice_.below(60)}] {
    journal_.note("the node drains");
    rules_.node_stops();
    gateway_->ask(call::Drain{timeout});
    books_.draining(true);
    agenda_.after(timeout + milliseconds{1}, [this] { books_.drained(); });
  });
  if (!dice_.chance(50)) return;
  agenda_.at(drains + dice_.between(seconds{1}, seconds{20}), [this] {
    journal_.note("the node drains no more");
    gateway_->ask(call::Undrain{});
    books_.draining(false);
  });
}

TimePoint World::next() const {
  TimePoint first = std::min(agenda_.next(), gateway_->deadline());
  for (const auto& browser : browsers_)
    first = std::min(first, browser->deadline());
  for (const auto& trunk : trunks_)
    first = std::min(first, trunk->deadline());
  return first;
}

void World::run_until(TimePoint until) {
  for (TimePoint at = next(); at <= until; at = next()) {
    agenda_.advance(at);
    if (agenda_.next() <= at) {
      agenda_.run_next();
      continue;
    }
    if (gateway_->deadline() <= at) gateway_->on_deadline();
    for (const auto& browser : browsers_) {
      if (browser->deadline() <= at) browser->on_deadline();
    }
    for (const auto& trunk : trunks_) {
      if (trunk->deadline() <= at) trunk->on_deadline();
    }
  }
  agenda_.advance(until);
}

Outcome World::run() {
  for (const auto& browser : browsers_)
    browser->start();
  run_until(agenda_.now() + seconds{2});
  const TimePoint busy = agenda_.now() + seconds{10 + dice_.below(40)};
  schedule_acts(busy);
  run_until(busy);
  wind_up();
  Outcome outcome;
  outcome.violations = journal_.violations();
  outcome.calls = books_.calls().size();
  outcome.answered = books_.answered();
  outcome.messages = rules_.messages();
  return outcome;
}

void World::wind_up() {
  journal_.note("nobody begins anything any more");
  media_.rest();
  for (const auto& browser : browsers_)
    browser->rest();
  for (const auto& trunk : trunks_)
    trunk->rest();
  run_until(agenda_.now() + kQuiet);
  check_living();
  check_trunks();
  journal_.note("everything is hung up");
  switch (dice_.below(3)) {
    case 0:
      rules_.node_stops();
      gateway_->end_all();
      break;
    case 1:
      for (const auto& browser : browsers_)
        browser->hang_up_everything();
      for (const auto& trunk : trunks_)
        trunk->hang_up_everything();
      run_until(agenda_.now() + kTransactions);
      [[fallthrough]];
    default:
      api_->hang_up_everything();
  }
  run_until(agenda_.now() + 2 * kTransactions);
  // A peer that refused our BYE may come with one of its own as late as that.
  for (int more = 0; more < 3 && gateway_->endpoint().transactions() != 0; ++more)
    run_until(agenda_.now() + kTransactions);
  check_rest();
}

/// Whoever is still in a call is so with a peer that is there.
void World::check_living() {
  rules_.transfers_over();
  const auto live = books_.live_legs();
  for (const std::string& leg : live) {
    if (rules_.ended_by_peer(leg))
      journal_.violation("leg " + leg + " lives on after its peer's BYE");
    const std::uint32_t interval = rules_.session_interval(leg);
    const auto torn = [&](const auto& peer) {
      return std::count(peer->torn().begin(), peer->torn().end(), leg) > 0;
    };
    const bool dead = std::any_of(browsers_.begin(), browsers_.end(), torn) ||
                      std::any_of(trunks_.begin(), trunks_.end(), torn);
    if (dead && interval > 0 && seconds{interval} < kQuiet)
      journal_.violation("leg " + leg + " lives on after its peer's death");
  }
}

/// Each leg at a trunk takes one place of those that `max_calls` gives it.
void World::check_trunks() {
  const auto request = gateway_->ask(call::ListTrunks{});
  const auto* reply = books_.reply(request);
  if (reply == nullptr) return;
  for (const auto& trunk : std::get<call::TrunkViews>(*reply).all) {
    const std::size_t legs = books_.live_legs_at("trunk:" + trunk.name);
    if (trunk.calls != legs)
      journal_.violation("trunk " + trunk.name + " counts " + std::to_string(trunk.calls) +
                         " calls, and has " + std::to_string(legs) + " legs");
  }
}

void World::check_rest() {
  class Gauges final : public MetricSink {
   public:
    void counter(std::string_view, std::string_view, MetricLabels, double) override {}
    void gauge(std::string_view name, std::string_view, MetricLabels, double value) override {
      values[std::string(name)] += value;
    }
    void histogram(std::string_view, std::string_view, MetricLabels,
                   const HistogramCell&) override {}
    std::map<std::string, double> values;
  };
  Gauges gauges;
  gateway_->engine().metrics().collect(gauges);
  for (const char* name : {"trunkline_calls_held_in_memory", "trunkline_sip_dialogs",
                           "trunkline_call_legs", "trunkline_call_transactions",
                           "trunkline_media_ports_used", "trunkline_policy_questions"}) {
    if (gauges.values[name] != 0)
      journal_.violation(std::string(name) + " is left at " +
                         std::to_string(static_cast<int>(gauges.values[name])));
  }
  if (gateway_->engine().calls() != 0) journal_.violation("calls are left");
  if (gateway_->endpoint().transactions() != 0) {
    journal_.violation(std::to_string(gateway_->endpoint().transactions()) +
                       " transactions are left");
  }
  check_trunks();
  media_.finish();
  books_.finish();
  rules_.finish();
}

}  // namespace trunkline::simulator
