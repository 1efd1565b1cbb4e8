#include "call_control/journal_thread.hpp"

#include "base/log.hpp"

#include <utility>

namespace trunkline::call_control {
namespace {

constexpr Duration kCheckInterval = seconds{1};
/// Items taken from the queue at a time.
constexpr std::size_t kTurn = 256;

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
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  if (queued_observations_ >= limits_.queued_observations) {
    lost_ = true;
    return;
  }
  ++queued_observations_;
  queue_.emplace_back(observation);
  arrived_.notify_one();
}

void JournalThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      queue_.emplace_back(std::move(task));
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
  while (true) {
    std::deque<std::variant<call::Observation, Task>> batch;
    bool lost = false;
    {
      std::unique_lock lock(mutex_);
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
    const std::lock_guard lock(distribution_mutex_);
    changed_ = true;
    appended_.notify_one();
  }
}

void JournalThread::watch_over(Check check) {
  const std::lock_guard lock(distribution_mutex_);
  checks_.push_back(std::move(check));
}

void JournalThread::check_now() {
  const std::lock_guard lock(distribution_mutex_);
  changed_ = check_now_ = true;
  appended_.notify_one();
}

void JournalThread::wake_readers() {
  const auto sweep = [](EventFeed& feed, std::int64_t& told) {
    if (feed.last_sequence() == told) return;
    told = feed.last_sequence();
    for (const auto& reader : feed.take_waiting())
      reader->wake();
  };
  sweep(calls_, told_calls_);
  sweep(registrations_, told_registrations_);
}

void JournalThread::send_bookmarks() {
  const auto now = std::chrono::system_clock::now();
  const Bytes of_calls = call_bookmark(calls_, now);
  for (const auto& reader : calls_.take_waiting())
    reader->idle(of_calls);
  const Bytes of_registrations = registration_bookmark(registrations_, now);
  for (const auto& reader : registrations_.take_waiting())
    reader->idle(of_registrations);
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
  Duration took{};
  while (true) {
    {
      std::unique_lock lock(distribution_mutex_);
      // A sweep over many readers is followed by a rest of the same length: telling them takes half
      // a thread's time at most, and the events that come meanwhile go out together.
      appended_.wait_for(lock, took, [this] { return distribution_ends_; });
      appended_.wait_until(lock, std::min(next_check, next_bookmark),
                           [this] { return changed_ || distribution_ends_; });
      if (distribution_ends_) return;
      changed_ = false;
      if (std::exchange(check_now_, false)) next_check = TimePoint{};
    }
    const TimePoint begin = Clock::now();
    wake_readers();
    if (begin >= next_bookmark) {
      send_bookmarks();
      next_bookmark = begin + limits_.bookmark_interval;
    }
    if (begin >= next_check) {
      look_after();
      next_check = begin + kCheckInterval;
    }
    took = Clock::now() - begin;
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
  }
  if (keeper_.joinable()) keeper_.join();
  if (distributor_.joinable()) distributor_.join();
}

}  // namespace trunkline::call_control
