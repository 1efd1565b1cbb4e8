#include "io/location_store.hpp"

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/rate_limit.hpp"
#include "call/published_bindings.hpp"
#include "io/location_scripts.hpp"
#include "io/mailbox.hpp"
#include "io/redis_connection.hpp"
#include "io/wakeup.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <deque>
#include <poll.h>
#include <thread>
#include <utility>
#include <variant>

namespace trunkline::io {
namespace {

using call::PublishedBindings;
using Command = RedisConnection::Command;
using Wall = PublishedBindings::Wall;

constexpr std::size_t kRing = 8192, kMaxDeferred = 65536;  // changes and questions on their way
constexpr std::size_t kBatch = 64;                         // commands that go together
constexpr Duration kFirstBackOff = milliseconds{250},
                   kLongestBackOff = seconds{5};  // to connect again

constexpr std::array kOperationLabels{"connect", "beat", "publish", "withdraw", "find"};
constexpr std::array kOutcomeLabels{"ok", "refused", "failed"};
constexpr std::array kDropLabels{"change", "look_up", "withdrawal"};

HistogramCell exchange_times() {
  return HistogramCell({0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5});
}

std::int64_t unix_ms(Wall at) {
  return std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count();
}

std::int64_t number_of(const RedisReply& reply) {
  if (reply.kind == RedisReply::Kind::number) return reply.number;
  std::int64_t number = 0;
  std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), number);
  return number;
}

std::string address_text(const sip::Target& address) {
  return std::string(sip::transport_label(address.transport)) + " " + address.remote.text();
}

std::optional<sip::Target> parse_address(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto transport = sip::parse_transport(text.substr(0, space));
  const auto remote = SocketAddress::parse(text.substr(space + 1));
  if (!transport || !remote || remote->port == 0) return std::nullopt;
  if (*transport != sip::Transport::udp && *transport != sip::Transport::tcp) return std::nullopt;
  return sip::Target{*transport, *remote, {}};
}

}  // namespace

struct LocationStore::Impl {
  enum class Operation : std::uint8_t { connect, beat, publish, withdraw, find, count_ };
  enum class Outcome : std::uint8_t { ok, refused, failed, count_ };
  enum class Drop : std::uint8_t { change, look_up, withdrawal, count_ };
  struct LookUp {
    call::QuestionId id;
    std::string user;
    TimePoint asked;
  };
  struct All {
    std::vector<call::Registration> bindings;
  };
  using Mail = std::variant<call::RegistrationChanged, LookUp, All>;

  Impl(StoreSettings chosen, Found answer)
      : settings(std::move(chosen)),
        found(std::move(answer)),
        prefix("trunkline:" + settings.domain + ":"),
        bindings(settings.node, settings.max_bindings) {}

  // ---- its thread
  void run();
  void take_mail();
  void connect();
  void lose(std::string_view why);
  void refused(std::string_view why);
  bool beat();
  void answer_look_ups();
  void write();
  void written(const PublishedBindings::Write& write, const RedisReply* reply);
  void wait();
  void farewell();
  std::optional<std::vector<RedisReply>> ask(Operation operation,
                                             const std::vector<Command>& commands);
  void count(Operation operation, Outcome outcome) {
    operations[static_cast<std::size_t>(operation)][outcome].add();
  }
  Command command_of(const PublishedBindings::Write& write) const;
  call::Locations locations_of(const std::string& user, const RedisReply& reply) const;
  std::string node_key(std::string_view kind) const {
    return prefix + std::string(kind) + ":" + settings.node;
  }
  std::string user_key(const std::string& user) const { return prefix + "user:" + user; }

  const StoreSettings settings;
  const Found found;
  const std::string prefix;
  PublishedBindings bindings;
  std::deque<LookUp> look_ups;
  std::unique_ptr<RedisConnection> connection;
  std::string epoch;       ///< of this start; empty: the store has not given one yet
  TimePoint connect_at{};  ///< then it is connected, anew if it is
  TimePoint beat_at = kNever, assert_at = kNever;
  Duration next_wait = kFirstBackOff;
  bool accepts = false;  ///< it has taken the last that was written
  RateLimit lines{0.1, 3};
  SystemRandom random;

  // ---- between the threads
  Mailbox<Mail> mail{kRing, kMaxDeferred};
  Wakeup wakeup;
  std::atomic<bool> stopping{false}, missed{false};
  std::thread thread;

  std::array<CellArray<Outcome>, static_cast<std::size_t>(Operation::count_)> operations{};
  std::array<HistogramCell, static_cast<std::size_t>(Operation::count_)> durations{
      exchange_times(), exchange_times(), exchange_times(), exchange_times(), exchange_times()};
  Cell up, connects, waiting, published, withdrawals_dropped;  // written by its thread
  CellArray<Drop> drops;                                       // by the signalling thread
};

LocationStore::LocationStore(StoreSettings settings, Found found)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(found))) {}

LocationStore::~LocationStore() {
  stop();
}

void LocationStore::start() {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

void LocationStore::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->stopping = true;
  impl_->wakeup.signal();
  impl_->thread.join();
}

// ------------------------------------------------------------------------------- signalling thread

void LocationStore::observe(const call::Observation& observation) {
  const auto* change = std::get_if<call::RegistrationChanged>(&observation);
  if (change == nullptr) return;
  if (impl_->mail.post(*change) == Mailbox<Impl::Mail>::Posted::dropped) {
    impl_->drops[Impl::Drop::change].add();
    impl_->missed = true;
  }
  impl_->wakeup.signal();
}

void LocationStore::look_up(call::QuestionId id, std::string user) {
  if (impl_->mail.post(Impl::LookUp{id, std::move(user), Clock::now()}) ==
      Mailbox<Impl::Mail>::Posted::dropped) {
    impl_->drops[Impl::Drop::look_up].add();
    return impl_->found(id, {});
  }
  impl_->wakeup.signal();
}

bool LocationStore::turn() {
  if (impl_->mail.retry()) impl_->wakeup.signal();
  return impl_->missed.exchange(false);
}

void LocationStore::replace(std::vector<call::Registration> all) {
  if (impl_->mail.post(Impl::All{std::move(all)}) == Mailbox<Impl::Mail>::Posted::dropped) {
    impl_->missed = true;
  }
  impl_->wakeup.signal();
}

// ------------------------------------------------------------------------------- its own thread

void LocationStore::Impl::run() {
  while (!stopping) {
    take_mail();
    if (Clock::now() >= connect_at) connect();
    answer_look_ups();
    if (connection && Clock::now() >= beat_at) beat();
    if (connection && Clock::now() >= assert_at) {
      bindings.assert_all();
      assert_at = Clock::now() + settings.assert_interval;
    }
    if (connection && accepts) write();
    waiting.set(static_cast<std::int64_t>(bindings.waiting()));
    published.set(static_cast<std::int64_t>(bindings.devices()));
    withdrawals_dropped.set(static_cast<std::int64_t>(bindings.given_up()));
    wait();
  }
  take_mail();
  for (const LookUp& one : look_ups)
    found(one.id, {});
  farewell();
}

void LocationStore::Impl::take_mail() {
  wakeup.clear();
  const Wall now = std::chrono::system_clock::now();
  Mail next;
  while (mail.take(next)) {
    if (auto* change = std::get_if<call::RegistrationChanged>(&next)) {
      bindings.changed(*change, now);
    } else if (auto* question = std::get_if<LookUp>(&next)) {
      look_ups.push_back(std::move(*question));
    } else {
      bindings.replace(std::get<All>(next).bindings, now);
    }
  }
}

void LocationStore::Impl::connect() {
  connect_at = kNever;
  const TimePoint begun = Clock::now();
  auto made = RedisConnection::connect(settings.redis, settings.command_limit);
  durations[static_cast<std::size_t>(Operation::connect)].observe(
      std::chrono::duration<double>(Clock::now() - begun).count());
  count(Operation::connect, made ? Outcome::ok : Outcome::failed);
  if (!made) return lose(made.error().message);
  connection = std::move(*made);
  connects.add();
  if (!beat()) return;
  log::info("connected with the store", {{"host", settings.redis.host},
                                         {"port", settings.redis.port},
                                         {"epoch", epoch},
                                         {"bindings", bindings.devices()}});
  // What was acknowledged may be lost: another server, or an older copy, may answer there now.
  bindings.assert_all();
  assert_at = Clock::now() + settings.assert_interval;
}

/// The connection is of no use any more.
void LocationStore::Impl::lose(std::string_view why) {
  connection.reset();
  refused(why);
}

/// The store can't be written to. Look-ups may go on; it is tried again over a new connection,
/// which may lead to another server.
void LocationStore::Impl::refused(std::string_view why) {
  if (lines.allow(Clock::now())) {
    log::warn("the store takes nothing; calls and registrations here go on",
              {{"host", settings.redis.host},
               {"port", settings.redis.port},
               {"why", why},
               {"suppressed", lines.suppressed()}});
  }
  accepts = false;
  up.set(0);
  // Not all nodes at once.
  const auto half = std::chrono::duration_cast<milliseconds>(next_wait) / 2;
  connect_at = Clock::now() + half +
               milliseconds{random.below(static_cast<std::uint32_t>(half.count() + 1))};
  next_wait = std::min(next_wait * 2, kLongestBackOff);
}

std::optional<std::vector<RedisReply>> LocationStore::Impl::ask(
    Operation operation, const std::vector<Command>& commands) {
  const TimePoint begun = Clock::now();
  auto replies = connection->ask(commands);
  durations[static_cast<std::size_t>(operation)].observe(
      std::chrono::duration<double>(Clock::now() - begun).count());
  if (replies) return std::move(*replies);
  count(operation, Outcome::failed);
  lose(replies.error().message);
  return std::nullopt;
}

/// False: the store does not take it.
bool LocationStore::Impl::beat() {
  beat_at = Clock::now() + settings.beat;
  if (epoch.empty()) {
    const std::string now = std::to_string(unix_ms(std::chrono::system_clock::now()));
    const auto begun = ask(Operation::beat, {{"EVAL", kBeginScript, "1", node_key("start"), now}});
    if (!begun) return false;
    if (begun->front().kind != RedisReply::Kind::number) {
      count(Operation::beat, Outcome::refused);
      return refused(begun->front().text), false;
    }
    epoch = std::to_string(begun->front().number);
  }
  const auto life = std::chrono::duration_cast<milliseconds>(settings.life).count();
  const auto replies = ask(
      Operation::beat, {{"EVAL", kBeatScript, "1", node_key("node"), epoch, std::to_string(life)}});
  if (!replies) return false;
  const RedisReply& reply = replies->front();
  if (reply.kind != RedisReply::Kind::number || reply.number < 0) {
    count(Operation::beat, Outcome::refused);
    refused(reply.kind == RedisReply::Kind::number
                ? "another node is called " + settings.node + ": give each its own name"
                : reply.text);
    return false;
  }
  count(Operation::beat, Outcome::ok);
  if (reply.number == 0) bindings.assert_all();  // emptied, or an older copy
  accepts = true;
  next_wait = kFirstBackOff;
  up.set(1);
  return true;
}

void LocationStore::Impl::answer_look_ups() {
  while (!look_ups.empty()) {
    std::vector<LookUp> asked;
    std::vector<Command> commands;
    while (!look_ups.empty() && asked.size() < kBatch) {
      LookUp one = std::move(look_ups.front());
      look_ups.pop_front();
      const bool late = Clock::now() >= one.asked + settings.look_up_limit;
      if (late || !connection) {
        count(Operation::find, Outcome::failed);
        found(one.id, {});
        continue;
      }
      commands.push_back(
          {"EVAL", kFindScript, "1", user_key(one.user), settings.node, prefix + "node:"});
      asked.push_back(std::move(one));
    }
    if (asked.empty()) return;
    const auto replies = ask(Operation::find, commands);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      call::Locations told;
      if (replies) told = locations_of(asked[i].user, (*replies)[i]);
      if (replies) count(Operation::find, told.known ? Outcome::ok : Outcome::refused);
      found(asked[i].id, std::move(told));
    }
  }
}

call::Locations LocationStore::Impl::locations_of(const std::string& user,
                                                  const RedisReply& reply) const {
  constexpr std::size_t kFields = 10;
  call::Locations told;
  if (reply.kind != RedisReply::Kind::list) return told;
  told.known = true;
  const Wall now = std::chrono::system_clock::now();
  for (const RedisReply& item : reply.items) {
    if (item.items.size() != kFields) continue;
    const auto address = parse_address(item.items[1].text);
    if (!address) continue;
    call::Location one{.address = *address, .registration = {}};
    call::Registration& registration = one.registration;
    registration.user = user;
    registration.node = item.items[0].text;
    registration.id = item.items[2].text;
    registration.contact = item.items[3].text;
    registration.instance = item.items[4].text;
    registration.user_agent = item.items[5].text;
    registration.transport = item.items[6].text;
    registration.source = item.items[7].text;
    registration.registered = Wall{milliseconds{number_of(item.items[8])}};
    registration.expires = now + milliseconds{number_of(item.items[9])};
    told.all.push_back(std::move(one));
  }
  return told;
}

RedisConnection::Command LocationStore::Impl::command_of(
    const PublishedBindings::Write& write) const {
  // The length keeps a user from naming another's binding.
  const std::string key = prefix + "binding:" + std::to_string(write.user.size()) + ":" +
                          write.user + ":" + write.device;
  if (write.kind == PublishedBindings::Write::Kind::withdraw)
    return {"EVAL", kWithdrawScript, "2", key, user_key(write.user), settings.node, epoch};
  const call::Registration& one = write.registration;
  return {"EVAL",
          kPublishScript,
          "2",
          key,
          user_key(write.user),
          write.fresh ? "1" : "0",
          settings.node,
          epoch,
          std::to_string(write.at),
          std::to_string(write.lifetime.count()),
          "address",
          address_text(settings.address),
          "id",
          one.id,
          "contact",
          one.contact,
          "instance",
          one.instance,
          "agent",
          one.user_agent,
          "transport",
          one.transport,
          "source",
          one.source,
          "registered",
          std::to_string(unix_ms(one.registered))};
}

void LocationStore::Impl::write() {
  std::vector<PublishedBindings::Write> writes;
  std::vector<Command> commands;
  const Wall now = std::chrono::system_clock::now();
  while (writes.size() < kBatch) {
    auto next = bindings.next(now);
    if (!next) break;
    commands.push_back(command_of(*next));
    writes.push_back(std::move(*next));
  }
  if (writes.empty()) return;
  const auto replies = ask(Operation::publish, commands);
  for (std::size_t i = 0; i < writes.size(); ++i)
    written(writes[i], replies ? &(*replies)[i] : nullptr);
}

void LocationStore::Impl::written(const PublishedBindings::Write& write, const RedisReply* reply) {
  using Done = PublishedBindings::Outcome;
  const bool publish = write.kind == PublishedBindings::Write::Kind::publish;
  const Operation operation = publish ? Operation::publish : Operation::withdraw;
  if (reply == nullptr) return bindings.finished(write, Done::failed, 0);
  if (reply->kind != RedisReply::Kind::number) {
    count(operation, Outcome::refused);
    bindings.finished(write, Done::failed, 0);
    if (accepts) refused(reply->text);
    return;
  }
  count(operation, Outcome::ok);
  const bool superseded = publish && reply->number < 0;
  bindings.finished(write, superseded ? Done::superseded : Done::done, reply->number);
}

void LocationStore::Impl::wait() {
  TimePoint due = connect_at;
  if (connection) due = std::min({due, beat_at, assert_at});
  if (connection && accepts && bindings.waiting() > 0) return;
  const auto limit = std::chrono::ceil<milliseconds>(due - Clock::now()).count();
  std::array<pollfd, 2> polled{pollfd{wakeup.fd(), POLLIN, 0}, pollfd{-1, POLLIN, 0}};
  if (connection) polled[1].fd = connection->fd();
  ::poll(polled.data(), polled.size(), static_cast<int>(std::clamp<std::int64_t>(limit, 0, 5000)));
  // Nothing was asked: it is the end of the connection.
  if (connection && polled[1].revents != 0) lose("the server closed the connection");
}

void LocationStore::Impl::farewell() {
  if (connection && !epoch.empty())
    (void)connection->ask({{"EVAL", kFarewellScript, "1", node_key("node"), epoch}});
}

void LocationStore::collect(MetricSink& sink) const {
  using Operation = Impl::Operation;
  using Outcome = Impl::Outcome;
  using Drop = Impl::Drop;
  const Impl& impl = *impl_;
  sink.gauge("trunkline_store_up", "Whether the store takes what is written.", {}, value(impl.up));
  sink.counter("trunkline_store_connections_total", "Connections made with the store.", {},
               value(impl.connects));
  sink.gauge("trunkline_store_waiting", "Devices whose newest state has yet to be written.", {},
             value(impl.waiting));
  sink.gauge("trunkline_store_devices", "Devices of this node that the store is told of.", {},
             value(impl.published));
  for_each<Operation>([&](Operation operation) {
    const auto index = static_cast<std::size_t>(operation);
    for_each<Outcome>([&](Outcome outcome) {
      sink.counter("trunkline_store_operations_total", "What the store was asked to do.",
                   {{"op", kOperationLabels[index]},
                    {"result", kOutcomeLabels[static_cast<std::size_t>(outcome)]}},
                   value(impl.operations[index][outcome]));
    });
    if (operation == Operation::withdraw) return;  // goes with what is published
    sink.histogram("trunkline_store_operation_duration_seconds",
                   "Time of one exchange with the store, of many commands as well.",
                   {{"op", kOperationLabels[index]}}, impl.durations[index]);
  });
  for_each<Drop>([&](Drop drop) {
    const Cell& cell = drop == Drop::withdrawal ? impl.withdrawals_dropped : impl.drops[drop];
    sink.counter("trunkline_store_drops_total",
                 "What was not told to the store because too much waited for it.",
                 {{"what", kDropLabels[static_cast<std::size_t>(drop)]}}, value(cell));
  });
}

}  // namespace trunkline::io
