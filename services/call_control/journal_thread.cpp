#include "call_control/journal_thread.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call_control {
namespace {

constexpr Duration kCheckInterval = seconds{1};
/// A sweep over the readers is followed by a rest of at least this for each that it woke. A message
/// to a reader costs more processor time than anything else here, and least when it goes together
/// with others: a few readers are told at once, a thousand together every now and then.
constexpr Duration kRestPerReader = std::chrono::microseconds{25};
/// Readers that write at the same time. gRPC does one after the other whatever it has to do: a
/// request that comes waits behind so many, not behind them all.
constexpr std::ptrdiff_t kReadersAtOnce = 32;
/// Who has not written by then is stuck, and no longer waited for.
constexpr Duration kLongestTurn = milliseconds{10};
/// Items taken from the queue at a time.
constexpr std::size_t kTurn = 256;
/// After observations that nobody waited for: to be woken for each of a busy node costs more than
/// to keep them.
constexpr Duration kRest = milliseconds{2};

EventFeed::Limits feed_limits(const Limits& limits) {
  return {limits.remembered_events, limits.remembered_bytes, limits.subscriber_lag};
}

}  // namespace

JournalThread::JournalThread(const Settings& settings, std::uint64_t epoch)
    : limits_(settings.limits),
      calls_('c', epoch, feed_limits(limits_)),
      registrations_('r', epoch, feed_limits(limits_)),
      journal_({settings.node, limits_.ended_calls, limits_.ended_for}, calls_, registrations_),
      keeper_([this] { keep(); }),
      distributor_([this] { distribute(); }) {}

JournalThread::~JournalThread() {
  stop();
}

void JournalThread::observe(const call::Observation& observation) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (queued_observations_ >= limits_.queued_observations) {
      lost_ = true;
      dropped_.add();
      return;
    }
    ++queued_observations_;
    queue_.emplace_back(observation);
    if (!std::exchange(keeper_sleeps_, false)) return;
  }
  arrived_.notify_one();
}

void JournalThread::collect(MetricSink& sink) const {
  sink.counter("trunkline_events_dropped_total",
               "Events that the API's queue had no room for: all its streams begin again.", {},
               static_cast<double>(dropped_.get()));
}

void JournalThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      queue_.emplace_back(std::move(task));
      keeper_sleeps_ = false;
      arrived_.notify_one();
      return;
    }
  }
  const std::lock_guard turn(after_stop_);
  task(journal_);
}

WaitId JournalThread::wait(CallJournal& journal, const call::CallView& call, Milestone milestone,
                           Done done) {
  const WaitId id = ++last_wait_;
  if (const auto settled = journal.wait(id, call.name, milestone)) {
    done(*settled);
    return id;
  }
  waits_.emplace(id, std::move(done));
  return id;
}

void JournalThread::forget(WaitId wait) {
  waits_.erase(wait);
  journal_.forget(wait);
}

void JournalThread::apply(const call::Observation& observation) {
  std::vector<Settled> settled;
  journal_.observe(observation, Clock::now(), settled);
  for (const Settled& one : settled) {
    const auto wait = waits_.find(one.wait);
    if (wait == waits_.end()) continue;
    const Done done = std::move(wait->second);
    waits_.erase(wait);
    done(one.call);
  }
}

void JournalThread::keep() {
  // What stop() finds in the queue is still done, under a lock that late tasks wait for.
  std::unique_lock turn(after_stop_);
  bool rests = false;
  while (true) {
    std::deque<std::variant<call::Observation, Task>> batch;
    bool lost = false;
    {
      std::unique_lock lock(mutex_);
      if (rests) {
        arrived_.wait_for(lock, kRest,
                          [this] { return queue_.size() > queued_observations_ || stopping_; });
      }
      keeper_sleeps_ = queue_.empty();
      arrived_.wait(lock, [this] { return !queue_.empty() || stopping_; });
      if (queue_.empty()) return;
      while (!queue_.empty() && batch.size() < kTurn) {
        if (std::holds_alternative<call::Observation>(queue_.front())) --queued_observations_;
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      if (queue_.empty()) lost = std::exchange(lost_, false);
    }
    for (auto& item : batch) {
      if (const auto* observation = std::get_if<call::Observation>(&item)) {
        apply(*observation);
      } else {
        std::get<Task>(item)(journal_);
      }
    }
    if (lost) {
      log::error("events were lost: the queue to the API was full");
      journal_.gap();
    }
    if (calls_.has_waiting() || registrations_.has_waiting()) sweep();
    rests = waits_.empty() && batch.size() < kTurn;
  }
}

void JournalThread::sweep() {
  const std::lock_guard lock(distribution_mutex_);
  if (!std::exchange(changed_, true)) appended_.notify_one();
}

void JournalThread::watch_over(Check check) {
  const std::lock_guard lock(distribution_mutex_);
  if (!distribution_ends_) checks_.push_back(std::move(check));
}

void JournalThread::check_now() {
  const std::lock_guard lock(distribution_mutex_);
  changed_ = check_now_ = true;
  appended_.notify_one();
}

template <class Begin>
void JournalThread::take_turns(const Readers& readers, Begin&& begin) {
  for (auto next = readers.begin(); next != readers.end();) {
    const auto end = next + std::min<std::ptrdiff_t>(kReadersAtOnce, readers.end() - next);
    std::size_t stuck = 0;
    {
      const std::lock_guard lock(distribution_mutex_);
      stuck = turns_;
      turns_ += static_cast<std::size_t>(end - next);
    }
    for (; next != end; ++next)
      begin(**next);
    std::unique_lock lock(distribution_mutex_);
    turns_over_.wait_for(lock, kLongestTurn, [&] { return turns_ <= stuck || distribution_ends_; });
  }
}

void JournalThread::turn_over() {
  const std::lock_guard lock(distribution_mutex_);
  --turns_;
  turns_over_.notify_one();
}

std::size_t JournalThread::wake_readers() {
  std::size_t woken = 0;
  for (EventFeed* feed : {&calls_, &registrations_}) {
    const Readers ready = feed->take_ready();
    take_turns(ready, [](FeedReader& reader) { reader.wake(); });
    woken += ready.size();
  }
  return woken;
}

void JournalThread::send_bookmarks() {
  const auto now = std::chrono::system_clock::now();
  const auto send = [&](EventFeed& feed, const auto& bookmark) {
    // First who waits, then the bookmark: it must not be older than what a reader has had.
    const Readers waiting = feed.take_waiting();
    const Bytes message = bookmark(feed, now);
    take_turns(waiting, [&](FeedReader& reader) { reader.idle(message); });
  };
  send(calls_, call_bookmark);
  send(registrations_, registration_bookmark);
}

void JournalThread::look_after() {
  std::vector<Check> checks;
  {
    const std::lock_guard lock(distribution_mutex_);
    checks.swap(checks_);
  }
  std::erase_if(checks, [](const Check& check) { return !check(); });
  const std::lock_guard lock(distribution_mutex_);
  checks_.insert(checks_.end(), std::make_move_iterator(checks.begin()),
                 std::make_move_iterator(checks.end()));
}

void JournalThread::distribute() {
  TimePoint next_check = Clock::now() + kCheckInterval;
  TimePoint next_bookmark = Clock::now() + limits_.bookmark_interval;
  Duration rest{};
  while (true) {
    {
      std::unique_lock lock(distribution_mutex_);
      appended_.wait_for(lock, rest, [this] { return distribution_ends_; });
      appended_.wait_until(lock, std::min(next_check, next_bookmark),
                           [this] { return changed_ || distribution_ends_; });
      if (distribution_ends_) return;
      changed_ = false;
      if (std::exchange(check_now_, false)) next_check = TimePoint{};
    }
    const TimePoint begin = Clock::now();
    const std::size_t woken = wake_readers();
    if (begin >= next_bookmark) {
      send_bookmarks();
      next_bookmark = begin + limits_.bookmark_interval;
    }
    if (begin >= next_check) {
      look_after();
      next_check = begin + kCheckInterval;
    }
    // At least as long as that took, so that it takes half a thread's time at most.
    rest = std::max<Duration>(Clock::now() - begin, woken * kRestPerReader);
  }
}

void JournalThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    arrived_.notify_one();
  }
  {
    const std::lock_guard lock(distribution_mutex_);
    distribution_ends_ = true;
    appended_.notify_one();
    turns_over_.notify_one();
  }
  if (keeper_.joinable()) keeper_.join();
  if (distributor_.joinable()) distributor_.join();
  // What is kept of streams keeps them, and they keep the owner of this.
  std::vector<Check> checks;
  {
    const std::lock_guard lock(distribution_mutex_);
    checks.swap(checks_);
  }
  for (EventFeed* feed : {&calls_, &registrations_})
    feed->take_waiting();
}

}  // namespace trunkline::call_control
