#include "load.hpp"

#include "sip_text.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <sys/epoll.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace trunkline::bench {
namespace {

constexpr milliseconds kRepeat{500};
constexpr milliseconds kPatience{10000};
constexpr std::size_t kRoom = 65536;
constexpr std::string_view kNumber = "2000";
// What an epoll event is about; below them the number of a user.
constexpr std::uint64_t kCaller = ~0ULL, kCallee = ~1ULL, kOther = ~2ULL;

double milliseconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/// "<task>x<serial>": what a response says about whose it is.
std::string call_id(std::uint32_t task, std::uint32_t serial) {
  return std::to_string(task) + "x" + std::to_string(serial);
}

}  // namespace

Load::Load(LoadSettings settings)
    : settings_(std::move(settings)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      caller_(settings_.caller_port, settings_.sip_port),
      callee_(settings_.callee_port, settings_.sip_port),
      trunk_offer_(trunk_description(settings_.caller_port)),
      room_(kRoom, '\0') {
  watch(EPOLL_CTL_ADD, caller_.fd(), kCaller, false);
  watch(EPOLL_CTL_ADD, callee_.fd(), kCallee, false);
}

Load::~Load() {
  ::close(epoll_);
}

void Load::watch(int operation, int descriptor, std::uint64_t key, bool writable) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (writable) event.events |= EPOLLOUT;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_, operation, descriptor, &event) < 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void Load::connect(std::size_t users) {
  while (users_.size() < users) {
    const std::size_t number = users_.size();
    users_.emplace_back(number);
    sockets_.push_back(std::make_unique<WebSocketClient>(settings_.websocket_port, number));
    watch(EPOLL_CTL_ADD, sockets_.back()->fd(), number, false);
  }
}

/// True: there is input on a descriptor that is not ours.
bool Load::poll(int timeout) {
  bool other = false;
  std::array<epoll_event, 256> events{};
  const int count = ::epoll_wait(epoll_, events.data(), events.size(), timeout);
  for (int at = 0; at < count; ++at) {
    const std::uint64_t key = events[static_cast<std::size_t>(at)].data.u64;
    if (key == kCaller) {
      receive_trunk(caller_);
    } else if (key == kCallee) {
      receive_trunk(callee_);
    } else if (key == kOther) {
      other = true;
    } else {
      receive_browser(key);
    }
  }
  return other;
}

void Load::receive_browser(std::size_t user) {
  WebSocketClient& socket = *sockets_[user];
  if (socket.waits_to_send()) {
    socket.flush();
    watch(EPOLL_CTL_MOD, socket.fd(), user, socket.waits_to_send());
  }
  if (!socket.read(room_)) throw std::runtime_error("the server dropped a WebSocket");
  for (std::string_view message = socket.next(); !message.empty(); message = socket.next())
    receive_response(message);
}

void Load::receive_trunk(DatagramPort& port) {
  for (std::string_view message = port.receive(); !message.empty(); message = port.receive()) {
    if (status_of(message) == 0) {
      answer(port, message);
    } else {
      receive_response(message);
    }
  }
}

void Load::answer(DatagramPort& port, std::string_view request) {
  const std::string_view method = method_of(request);
  if (method == "ACK") return;
  if (method != "INVITE") return port.send(write_response(request, "200 OK", port.port()));
  port.send(write_response(request, "180 Ringing", port.port()));
  port.send(write_response(request, "200 OK", port.port(), trunk_description(port.port())));
}

void Load::idle(int descriptor) {
  watch(EPOLL_CTL_ADD, descriptor, kOther, false);
  while (!poll(-1))
    continue;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
}

// ---------------------------------------------------------------- phases

template <class Begin>
Outcome Load::run(double rate, std::size_t count, const Begin& begin) {
  outcome_ = {};
  outcome_.set_up.reserve(count);
  const TimePoint start = Clock::now();
  const auto due = [&](std::size_t number) {
    return start + std::chrono::duration_cast<Duration>(
                       std::chrono::duration<double>(static_cast<double>(number) / rate));
  };
  while (outcome_.begun < count || running_ > 0) {
    TimePoint now = Clock::now();
    while (outcome_.begun < count && due(outcome_.begun) <= now) {
      outcome_.late = std::max(outcome_.late, milliseconds_between(due(outcome_.begun), now));
      begin(outcome_.begun++);
      outcome_.seconds = milliseconds_between(start, now) / 1000;
      now = Clock::now();
    }
    timers(now);
    poll(until_next(outcome_.begun < count ? due(outcome_.begun) : kNever, now));
  }
  hang_ups_.clear();
  repeats_.clear();
  patience_.clear();
  return std::move(outcome_);
}

Outcome Load::register_all(double rate) {
  return run(rate, users_.size(), [this](std::size_t user) { begin_registration(user); });
}

Outcome Load::call(CallKind kind, double rate, std::size_t count, milliseconds hold) {
  hold_ = hold;
  return run(rate, count, [this, kind](std::size_t number) { begin_call(kind, number); });
}

void Load::timers(TimePoint now) {
  const auto take = [now](std::deque<Due>& queue) -> std::optional<Due> {
    if (queue.empty() || queue.front().at > now) return std::nullopt;
    const Due due = queue.front();
    queue.pop_front();
    return due;
  };
  const auto same = [this](const Due& due) {
    return tasks_[due.task].step != Step::free && tasks_[due.task].serial == due.serial;
  };
  while (const auto due = take(hang_ups_)) {
    if (same(*due)) hang_up(due->task);
  }
  while (const auto due = take(repeats_)) {
    Task& task = tasks_[due->task];
    if (!same(*due) || task.step == Step::up || task.dialog.branch != due->branch) continue;
    caller_.send(task.last);
    repeats_.push_back({now + kRepeat, due->task, due->serial, due->branch});
  }
  while (const auto due = take(patience_)) {
    if (same(*due)) finish(due->task, "no answer");
  }
}

/// Milliseconds until the next call or timer, rounded up.
int Load::until_next(TimePoint next, TimePoint now) const {
  next = std::min(next, now + kRepeat);
  for (const auto* queue : {&hang_ups_, &repeats_, &patience_}) {
    if (!queue->empty()) next = std::min(next, queue->front().at);
  }
  return static_cast<int>(std::chrono::ceil<milliseconds>(std::max(next, now) - now).count());
}

// ---------------------------------------------------------------- calls and registrations

std::uint32_t Load::take_task() {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(tasks_.size()));
    tasks_.emplace_back();
  }
  const std::uint32_t id = free_.back();
  free_.pop_back();
  Task& task = tasks_[id] = {};
  task.serial = ++serial_;
  task.begun = Clock::now();
  patience_.push_back({task.begun + kPatience + hold_, id, task.serial, 0});
  ++running_;
  return id;
}

void Load::begin_registration(std::size_t user) {
  const std::uint32_t id = take_task();
  Task& task = tasks_[id];
  task.step = Step::registering;
  task.user = user;
  task.dialog = browser_dialog(users_[user], {}, call_id(id, task.serial));
  task.dialog.target = "sip:" + std::string(kDomain);
  task.dialog.to = "<sip:" + users_[user].name() + "@" + std::string(kDomain) + ">";
  send(id, write_register(task.dialog, users_[user], {}));
}

void Load::begin_call(CallKind kind, std::size_t number) {
  const std::uint32_t id = take_task();
  Task& task = tasks_[id];
  task.step = Step::inviting;
  if (kind == CallKind::browser_to_trunk) {
    task.user = number % users_.size();
    task.dialog = browser_dialog(users_[task.user], kNumber, call_id(id, task.serial));
    return send(id, write_request(task.dialog, "INVITE", {}, settings_.offer));
  }
  task.dialog = trunk_dialog(caller_.port(), settings_.sip_port, kNumber, call_id(id, task.serial));
  send(id, write_request(task.dialog, "INVITE", {}, trunk_offer_));
}

void Load::send(std::uint32_t id, std::string text) {
  Task& task = tasks_[id];
  if (!task.dialog.websocket) {
    caller_.send(text);
    task.last = std::move(text);
    repeats_.push_back({Clock::now() + kRepeat, id, task.serial, task.dialog.branch});
    return;
  }
  WebSocketClient& socket = *sockets_[task.user];
  const bool waited = socket.waits_to_send();
  socket.send(text);
  if (!waited && socket.waits_to_send()) watch(EPOLL_CTL_MOD, socket.fd(), task.user, true);
}

void Load::receive_response(std::string_view response) {
  const std::string_view name = field(response, "Call-ID");
  std::uint32_t id = 0, serial = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc{} || end == name.data() + name.size()) return;
  std::from_chars(end + 1, name.data() + name.size(), serial);
  const int status = status_of(response);
  if (status < 200 || id >= tasks_.size()) return;
  Task& task = tasks_[id];
  if (task.step == Step::free || task.serial != serial) return;
  if (!field(response, "CSeq").starts_with(std::to_string(task.dialog.cseq) + " ")) return;
  if (task.step == Step::up) {  // the 2xx again: it did not see our ACK
    caller_.send(task.last);
    return;
  }
  if (status == 401 || status == 407) return challenged(id, response);
  if (status >= 300) {
    if (task.step == Step::inviting) send(id, write_ack_of_refusal(task.dialog, response));
    return finish(id, std::to_string(status));
  }
  answered(id, response);
}

void Load::challenged(std::uint32_t id, std::string_view response) {
  Task& task = tasks_[id];
  User& user = users_[task.user];
  if (task.step == Step::inviting) send(id, write_ack_of_refusal(task.dialog, response));
  if (task.authorized || task.step == Step::ending || !user.challenged(response))
    return finish(id, std::to_string(status_of(response)));
  task.authorized = true;
  if (task.step == Step::registering) {
    const std::string proof = user.authorization("REGISTER", task.dialog.target);
    return send(id, write_register(task.dialog, user, proof));
  }
  const std::string proof = user.authorization("INVITE", task.dialog.target);
  send(id, write_request(task.dialog, "INVITE", proof, settings_.offer));
}

void Load::answered(std::uint32_t id, std::string_view response) {
  Task& task = tasks_[id];
  const TimePoint now = Clock::now();
  if (task.step != Step::ending) outcome_.set_up.push_back(milliseconds_between(task.begun, now));
  if (task.step != Step::inviting) return finish(id);
  establish(task.dialog, response);
  task.step = Step::up;
  send(id, write_request(task.dialog, "ACK"));
  hang_ups_.push_back({now + hold_, id, task.serial, 0});
}

void Load::hang_up(std::uint32_t id) {
  Task& task = tasks_[id];
  task.step = Step::ending;
  send(id, write_request(task.dialog, "BYE"));
}

void Load::finish(std::uint32_t id, const std::string& failure) {
  tasks_[id].step = Step::free;
  free_.push_back(id);
  --running_;
  if (failure.empty()) {
    ++outcome_.done;
  } else {
    ++outcome_.failed;
    ++outcome_.reasons[failure];
  }
}

}  // namespace trunkline::bench
