#pragma once
#include "base/time.hpp"
#include "call/observer.hpp"

#include "call_control/call_media.hpp"
#include "call_control/event_feed.hpp"
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trunkline::v1 {
class CallEvent;
}

namespace trunkline::call_control {

/// What a waiting CreateCall waits for.
enum class Milestone { ringing, answered };
bool reached(const call::CallView& call, Milestone milestone);

using WaitId = std::uint64_t;
/// A wait is over: the milestone is reached, or the call has ended.
struct Settled {
  WaitId wait = 0;
  call::CallView call;
};

/// What a stream begins with: messages, and the event that follows them.
struct Beginning {
  /// Shared with other streams, and so without a sequence number: each is sent with `number` before
  /// it (fields of one message may stand in several pieces).
  std::vector<Bytes> snapshot;
  Bytes number;
  Bytes end;
  std::int64_t position = 1;
};

/// A sign of life for those who have had nothing else for a while. Any thread.
Bytes call_bookmark(const EventFeed& calls, std::chrono::system_clock::time_point now);
Bytes registration_bookmark(const EventFeed& registrations,
                            std::chrono::system_clock::time_point now);

/// All live calls and the last ended ones, as observed, and the feeds of what happens. One thread.
class CallJournal {
 public:
  struct Settings {
    std::string node;
    std::size_t ended_calls;
    Duration ended_for;
  };
  CallJournal(Settings settings, EventFeed& calls, EventFeed& registrations);

  void observe(const call::Observation& observation, TimePoint now, std::vector<Settled>& settled);
  /// Observations were lost on the way here: nobody may believe that he has seen all.
  void gap();

  /// A live or recently ended call.
  const call::CallView* find(std::string_view name) const;
  /// Of such a call; null for others.
  const CallMedia* find_media(std::string_view name) const;
  /// Shows calls to `take(view)`, the oldest first, from `begin` on (0: the first), until it
  /// returns false: the place of that call, where another list may begin. 0: all were shown.
  template <class Take>
  std::uint64_t list(std::uint64_t begin, Take&& take) const {
    for (auto at = calls_.lower_bound(begin); at != calls_.end(); ++at) {
      if (!take(at->second.view)) return at->first;
    }
    return 0;
  }

  /// As `list`, the newest first and with its media, from the call before `end` on (0: the last).
  template <class Take>
  std::uint64_t list_back(std::uint64_t end, Take&& take) const {
    auto at = end == 0 ? calls_.end() : calls_.lower_bound(end);
    while (at != calls_.begin()) {
      --at;
      if (!take(at->second.view, at->second.media)) return at->first + 1;
    }
    return 0;
  }

  /// For a stream without a token.
  Beginning begin_calls();
  Beginning begin_registrations(const std::vector<call::Registration>& now) const;

  /// Settles at once (the view is returned) or later. Nothing is known of a call that is not there:
  /// then the id stays unsettled, so look first.
  std::optional<call::CallView> wait(WaitId id, std::string_view name, Milestone milestone);
  void forget(WaitId id);

 private:
  struct Tracked {
    call::CallView view;
    CallMedia media;
    std::int64_t sequence = 0;
    Bytes snapshot;  ///< made when it is asked for, until the next event
  };
  struct Ended {
    std::uint64_t order = 0;
    TimePoint at;
  };
  struct Wait {
    WaitId id = 0;
    Milestone milestone = Milestone::answered;
  };

  Tracked& track(const call::CallView& view);
  Tracked* known(std::string_view name);
  template <class Fill>
  void append(const call::CallView& view, Fill&& fill);
  void append(const call::RegistrationChanged& change);
  void settle(const call::CallView& view, std::vector<Settled>& out);
  void end(const call::CallView& view, TimePoint now);
  void forget_old(TimePoint now);
  Bytes snapshot(Tracked& tracked) const;

  Settings settings_;
  EventFeed& call_feed_;
  EventFeed& registration_feed_;
  std::map<std::uint64_t, Tracked> calls_;  ///< by order of appearance
  std::unordered_map<std::string, std::uint64_t> orders_;
  std::uint64_t last_order_ = 0;
  std::deque<Ended> ended_;
  std::unordered_map<std::string, std::vector<Wait>> waits_;
  std::unordered_map<WaitId, std::string> waiting_for_;
};

}  // namespace trunkline::call_control
