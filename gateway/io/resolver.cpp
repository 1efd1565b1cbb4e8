#include "io/resolver.hpp"

#include "base/log.hpp"
#include "io/native_address.hpp"
#include "io/wakeup.hpp"

#include <algorithm>
#include <ares.h>
#include <array>
#include <atomic>
#include <map>
#include <poll.h>
#include <thread>

namespace trunkline::io {
namespace {

constexpr seconds kShortestLife{5};  // a shorter TTL is taken for a mistake
constexpr seconds kRetry{10};        // after a failure
constexpr int kTries = 3, kTimeoutMs = 2000;
constexpr std::size_t kMaxAddresses = 16;

}  // namespace

Duration refresh_after(Duration interval, seconds time_to_live) {
  if (time_to_live <= kShortestLife || time_to_live >= interval) return interval;
  return time_to_live;
}

struct Resolver::Impl {
  struct Host {
    std::string name;
    Impl* owner = nullptr;
    TimePoint next{};
    bool asked = false;    ///< a query is under way
    bool failing = false;  ///< said so already
  };

  ~Impl();
  void run();
  void ask_due(TimePoint now);
  void wait(TimePoint now) const;
  void answered(Host& host, int status, const ares_addrinfo* answer) const;
  TimePoint next() const;

  std::vector<Host> hosts;
  Duration interval{};
  Resolved resolved;
  ares_channel channel = nullptr;
  Wakeup wakeup;
  std::atomic<bool> stopping{false};
  std::thread thread;
};

Resolver::Resolver() : impl_(std::make_unique<Impl>()) {}
Resolver::~Resolver() = default;

Result<std::unique_ptr<Resolver>> Resolver::make(std::vector<std::string> hosts, Duration interval,
                                                 Resolved resolved) {
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  if (library != ARES_SUCCESS) return fail(std::string("no resolver: ") + ares_strerror(library));
  std::unique_ptr<Resolver> resolver(new Resolver);
  Impl& impl = *resolver->impl_;
  ares_options options{};
  options.timeout = kTimeoutMs;
  options.tries = kTries;
  const int status =
      ares_init_options(&impl.channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
  if (status != ARES_SUCCESS) return fail(std::string("no resolver: ") + ares_strerror(status));
  std::sort(hosts.begin(), hosts.end());
  hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
  for (std::string& host : hosts)
    impl.hosts.push_back({.name = std::move(host), .owner = &impl});
  impl.interval = interval;
  impl.resolved = std::move(resolved);
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
    const TimePoint now = Clock::now();
    ask_due(now);
    wait(now);
  }
}

void Resolver::Impl::ask_due(TimePoint now) {
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;  // one entry an address
  for (Host& host : hosts) {
    if (host.asked || host.next > now) continue;
    host.asked = true;
    ares_getaddrinfo(
        channel, host.name.c_str(), nullptr, &hints,
        [](void* context, int status, int, ares_addrinfo* answer) {
          auto& asked = *static_cast<Host*>(context);
          asked.owner->answered(asked, status, answer);
          ares_freeaddrinfo(answer);
        },
        &host);
  }
}

void Resolver::Impl::answered(Host& host, int status, const ares_addrinfo* answer) const {
  if (stopping) return;
  host.asked = false;
  std::vector<IpAddress> addresses;
  int life = INT32_MAX;
  for (auto node = answer == nullptr ? nullptr : answer->nodes; node != nullptr;
       node = node->ai_next) {
    const IpAddress ip = from_native(node->ai_addr).ip;
    if (ip.empty() || addresses.size() == kMaxAddresses) continue;
    if (std::find(addresses.begin(), addresses.end(), ip) == addresses.end())
      addresses.push_back(ip);
    life = std::min(life, node->ai_ttl);
  }
  if (status != ARES_SUCCESS || addresses.empty()) {
    if (!host.failing)
      log::warn("can't resolve", {{"host", host.name}, {"why", ares_strerror(status)}});
    host.failing = true;
    host.next = Clock::now() + std::min<Duration>(interval, kRetry);
    return;
  }
  host.failing = false;
  host.next = Clock::now() + refresh_after(interval, seconds{life});
  resolved(host.name, std::move(addresses));
}

TimePoint Resolver::Impl::next() const {
  TimePoint first = kNever;
  for (const Host& host : hosts) {
    if (!host.asked) first = std::min(first, host.next);
  }
  return first;
}

void Resolver::Impl::wait(TimePoint now) const {
  constexpr std::size_t kSockets = ARES_GETSOCK_MAXNUM;
  constexpr std::int64_t kLongest = 60000;
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
  const TimePoint due = next();
  std::int64_t limit = kLongest;
  if (due != kNever)
    limit =
        std::clamp<std::int64_t>(std::chrono::ceil<milliseconds>(due - now).count(), 0, kLongest);
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
