#pragma once
#include "base/metrics.hpp"
#include "call/observer.hpp"

#include "call_control/call_journal.hpp"
#include "call_control/event_feed.hpp"
#include "call_control/server.hpp"
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

namespace trunkline::call_control {

/// The API's own two threads. One keeps the journal: observations and the tasks that look at it
/// come through one queue, so a task sees all that was observed before it was posted. The other
/// wakes the readers of the feeds, so that a thousand of them don't delay the first.
class JournalThread final : public call::Observer {
 public:
  JournalThread(const Settings& settings, std::uint64_t epoch);
  ~JournalThread() override;

  /// Signalling thread. Observations beyond the limit are dropped, and all streams are told.
  void observe(const call::Observation& observation) override;

  /// Runs on the journal's thread; after `stop`, on the caller's. Callers bound the number of their
  /// tasks themselves.
  using Task = std::function<void(CallJournal&)>;
  void post(Task task);

  /// `done` gets the call once the milestone is reached or the call has ended; on the journal's
  /// thread, where this must be called too. Nothing is called after `forget`.
  using Done = std::function<void(const call::CallView&)>;
  WaitId wait(CallJournal& journal, const call::CallView& call, Milestone milestone, Done done);
  void forget(WaitId wait);

  EventFeed& calls() { return calls_; }
  EventFeed& registrations() { return registrations_; }

  /// Somebody waits for an event that is there already. Any thread.
  void sweep();
  /// A reader that was woken has written what there was, or has ended. Once for each time; any
  /// thread.
  void turn_over();
  /// Asked on the waking thread from time to time; false: it is over and need not be asked again.
  using Check = std::function<bool()>;
  /// For streams: a look at each, once a second or so, for those that no longer read.
  void watch_over(Check check);
  /// Has them all look now.
  void check_now();

  /// Any thread.
  void collect(MetricSink& sink) const;

  /// Runs what is posted, then ends both threads. Idempotent.
  void stop();

 private:
  void keep();
  void apply(const call::Observation& observation);
  void distribute();
  std::size_t wake_readers();
  using Readers = std::vector<std::shared_ptr<FeedReader>>;
  template <class Begin>
  void take_turns(const Readers& readers, Begin&& begin);
  void send_bookmarks();
  void look_after();

  const Limits limits_;
  EventFeed calls_, registrations_;
  CallJournal journal_;
  std::unordered_map<WaitId, Done> waits_;
  WaitId last_wait_ = 0;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::variant<call::Observation, Task>> queue_;
  std::size_t queued_observations_ = 0;
  bool keeper_sleeps_ = false;  ///< until something is queued; else it comes by itself
  bool lost_ = false, stopping_ = false;
  Cell dropped_;
  std::recursive_mutex after_stop_;  ///< tasks that come late take turns; a task may post another

  std::mutex distribution_mutex_;
  std::condition_variable appended_;
  std::condition_variable turns_over_;
  std::size_t turns_ = 0;  ///< begun and not over
  bool changed_ = false, check_now_ = false, distribution_ends_ = false;
  std::vector<Check> checks_;

  std::thread keeper_, distributor_;
};

}  // namespace trunkline::call_control
