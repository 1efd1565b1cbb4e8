#include "io/resolver.hpp"

#include "base/log.hpp"
#include "io/dns_answer.hpp"
#include "io/wakeup.hpp"

#include <algorithm>
#include <ares.h>
#include <arpa/nameser.h>
#include <array>
#include <atomic>
#include <deque>
#include <poll.h>
#include <set>
#include <thread>
#include <utility>

namespace trunkline::io {
namespace {

constexpr int kTries = 2, kTimeoutMs = 2000;

constexpr std::array kTypeLabels{"NAPTR", "SRV", "A", "AAAA"};  // as DnsQuestion::Type
constexpr std::array kResultLabels{"found", "empty", "failed"};

}  // namespace

ResolverCounters::ResolverCounters() : duration_({0.001, 0.005, 0.025, 0.1, 0.5, 1, 2, 4}) {}

void ResolverCounters::count(call::DnsQuestion::Type type, const call::DnsAnswer& answer,
                             Duration took) {
  const bool empty = answer.naptr.empty() && answer.srv.empty() && answer.addresses.empty();
  Result result = empty ? Result::empty : Result::found;
  if (answer.failed) result = Result::failed;
  queries_[static_cast<std::size_t>(type)][result].add();
  duration_.observe(std::chrono::duration<double>(took).count());
}

void ResolverCounters::collect(MetricSink& sink) const {
  for (std::size_t type = 0; type < queries_.size(); ++type) {
    for (std::size_t result = 0; result < kResultLabels.size(); ++result) {
      sink.counter("trunkline_dns_queries_total",
                   "DNS questions answered, by type and by whether records were found.",
                   {{"type", kTypeLabels[type]}, {"result", kResultLabels[result]}},
                   value(queries_[type][static_cast<Result>(result)]));
    }
  }
  sink.histogram("trunkline_dns_query_duration_seconds", "Time from a DNS question to its answer.",
                 {}, duration_);
}

struct Resolver::Impl {
  /// A question on its way.
  struct Query {
    Impl* owner;
    call::DnsQuestion question;
    TimePoint asked;
  };

  Impl(Settings settings, ResolverCounters& counts)
      : counters(counts),
        locator(std::move(settings.names), std::move(settings.transports), settings.interval,
                settings.families) {}
  ~Impl();
  void run();
  void apply(call::ServerLocator::Effects effects);
  void ask(const call::DnsQuestion& question);
  void answered(const Query& query, call::DnsAnswer answer);
  void look();
  void wait() const;

  ResolverCounters& counters;
  call::ServerLocator locator;
  Located located;
  std::set<std::string> failing;  ///< said so already
  /// Answers that came while c-ares was at work: it must not be called from within.
  std::deque<std::pair<call::DnsQuestion, call::DnsAnswer>> answers;
  ares_channel channel = nullptr;
  Wakeup wakeup;
  std::atomic<bool> stopping{false};
  std::thread thread;
};

Resolver::Resolver() = default;
Resolver::~Resolver() = default;

Result<std::unique_ptr<Resolver>> Resolver::make(Settings settings, Located located,
                                                 ResolverCounters& counters) {
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  if (library != ARES_SUCCESS) return fail(std::string("no resolver: ") + ares_strerror(library));
  std::string servers;
  for (const SocketAddress& server : settings.servers)
    servers += (servers.empty() ? "" : ",") + server.text();
  std::unique_ptr<Resolver> resolver(new Resolver);
  resolver->impl_ = std::make_unique<Impl>(std::move(settings), counters);
  Impl& impl = *resolver->impl_;
  ares_options options{};
  options.timeout = kTimeoutMs;
  options.tries = kTries;
  int status = ares_init_options(&impl.channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
  if (status == ARES_SUCCESS && !servers.empty())
    status = ares_set_servers_ports_csv(impl.channel, servers.c_str());
  if (status != ARES_SUCCESS) return fail(std::string("no resolver: ") + ares_strerror(status));
  impl.located = std::move(located);
  impl.thread = std::thread([&impl] { impl.run(); });
  return resolver;
}

Resolver::Impl::~Impl() {
  stopping = true;
  wakeup.signal();
  if (thread.joinable()) thread.join();
  // Queries under way are answered "destroyed" here, which `answered` leaves alone.
  if (channel != nullptr) ares_destroy(channel);
}

void Resolver::Impl::run() {
  while (!stopping) {
    look();
    wait();
  }
}

void Resolver::Impl::look() {
  call::ServerLocator::Effects effects;
  if (locator.deadline() <= Clock::now()) locator.on_deadline(Clock::now(), effects);
  apply(std::move(effects));
  while (!answers.empty()) {
    auto [question, answer] = std::move(answers.front());
    answers.pop_front();
    call::ServerLocator::Effects more;
    locator.receive(question, std::move(answer), Clock::now(), more);
    apply(std::move(more));
  }
}

void Resolver::Impl::apply(call::ServerLocator::Effects effects) {
  for (const call::DnsQuestion& question : effects.questions)
    ask(question);
  for (const std::string& name : effects.lost) {
    if (failing.insert(name).second) log::warn("can't locate", {{"name", name}});
  }
  for (call::ServerLocator::Found& found : effects.found) {
    failing.erase(found.name);
    located(std::move(found));
  }
}

void Resolver::Impl::ask(const call::DnsQuestion& question) {
  Query* const query =
      std::make_unique<Query>(Query{this, question, Clock::now()}).release();  // to the answer
  const bool six = question.type == call::DnsQuestion::Type::aaaa;
  if (six || question.type == call::DnsQuestion::Type::a) {
    ares_addrinfo_hints hints{};
    hints.ai_family = six ? AF_INET6 : AF_INET;
    hints.ai_socktype = SOCK_DGRAM;  // one entry an address
    return ares_getaddrinfo(
        channel, question.name.c_str(), nullptr, &hints,
        [](void* context, int status, int, ares_addrinfo* answer) {
          const std::unique_ptr<Query> asked(static_cast<Query*>(context));
          asked->owner->answered(*asked, read_answer(status, answer));
          ares_freeaddrinfo(answer);
        },
        query);
  }
  const int type = question.type == call::DnsQuestion::Type::srv ? ns_t_srv : ns_t_naptr;
  ares_query(
      channel, question.name.c_str(), ns_c_in, type,
      [](void* context, int status, int, unsigned char* octets, int size) {
        const std::unique_ptr<Query> asked(static_cast<Query*>(context));
        const auto length = static_cast<std::size_t>(std::max(size, 0));
        asked->owner->answered(*asked, read_answer(asked->question.type, status, {octets, length}));
      },
      query);
}

void Resolver::Impl::answered(const Query& query, call::DnsAnswer answer) {
  if (stopping) return;
  counters.count(query.question.type, answer, Clock::now() - query.asked);
  answers.emplace_back(query.question, std::move(answer));
}

void Resolver::Impl::wait() const {
  constexpr std::size_t kSockets = ARES_GETSOCK_MAXNUM;
  constexpr std::int64_t kLongest = 60000;
  if (!answers.empty()) return;  // came at once: of the hosts file, or an error
  std::array<ares_socket_t, kSockets> sockets{};
  const int interest = ares_getsock(channel, sockets.data(), static_cast<int>(kSockets));
  std::vector<pollfd> polled{{wakeup.fd(), POLLIN, 0}};
  for (std::size_t i = 0; i < kSockets; ++i) {
    const auto bit = static_cast<unsigned>(i);
    short events = 0;
    if ((static_cast<unsigned>(interest) >> bit) & 1u) events |= POLLIN;
    if ((static_cast<unsigned>(interest) >> (bit + kSockets)) & 1u) events |= POLLOUT;
    if (events != 0) polled.push_back({sockets[i], events, 0});
  }
  const TimePoint due = locator.deadline();
  std::int64_t limit = kLongest;
  if (due != kNever)
    limit = std::clamp<std::int64_t>(std::chrono::ceil<milliseconds>(due - Clock::now()).count(), 0,
                                     kLongest);
  timeval longest{limit / 1000, (limit % 1000) * 1000};
  timeval own{};
  const timeval* chosen = ares_timeout(channel, &longest, &own);
  ::poll(polled.data(), polled.size(),
         static_cast<int>(chosen->tv_sec * 1000 + (chosen->tv_usec + 999) / 1000));
  if (polled.size() == 1) ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  for (std::size_t i = 1; i < polled.size(); ++i) {
    const bool in = (polled[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
    const bool out = (polled[i].revents & POLLOUT) != 0;
    ares_process_fd(channel, in ? polled[i].fd : ARES_SOCKET_BAD,
                    out ? polled[i].fd : ARES_SOCKET_BAD);
  }
}

}  // namespace trunkline::io
