#pragma once
#include "call/event_package.hpp"
#include "call/node.hpp"
#include "call/places.hpp"
#include "sip/dialog.hpp"
#include "sip/digest.hpp"
#include "sip/effects.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trunkline::call {

/// Subscriptions that are carried across (RFC 6665): towards who has subscribed, the watcher, the
/// gateway is the notifier, and towards whom the watcher wants to know about, the source, the
/// subscriber. Two dialogs that never see each other; what crosses is the event, the time, the
/// state and the body. The gateway hosts no state of its own. Sans I/O.
class Subscriptions {
 public:
  static constexpr std::size_t kMax = 10000;  ///< one more gets 503
  /// Seconds. A shorter one is refused with 423, a longer one cut.
  static constexpr std::uint32_t kMinExpires = 60, kDefaultExpires = 3600, kMaxExpires = 3600;

  bool full() const { return all_.size() >= kMax; }
  std::size_t size() const { return all_.size(); }
  std::size_t dialogs() const { return dialogs_.size(); }

  /// A SUBSCRIBE outside of a dialog, with a Contact, whose package is carried, goes on to `place`.
  /// `from_node`: another one of ours has sent it; empty: none.
  void begin(Turn& turn, const sip::RequestReceived& event, const Caller& watcher,
             const Place& place, const std::string& from_node = {});

  /// One end of a subscription: who is there, and over what it is reached.
  struct End {
    Caller party;
    std::string replica{};  ///< another node of ours is there; empty: none
    sip::Target target;
    std::string call_id, local_tag;
    std::optional<sip::Dialog> dialog;
    std::optional<sip::DigestClient> digest;
    EventPackage event;
  };
  /// The end in whose dialog the request is; null: none. Valid until the next input.
  End* find(const sip::Message& request);
  /// A request in a dialog of ours, from whom it claims to be from.
  void receive(Turn& turn, const sip::RequestReceived& event);
  /// Of transactions that are not theirs they take no notice.
  void receive(Turn& turn, const sip::ResponseReceived& event);
  void receive(Turn& turn, const sip::RequestFailed& event);
  /// A browser is gone: nobody is told any more, or can tell.
  void flow_closed(Turn& turn, FlowId flow);
  void on_deadline(TimePoint now);
  TimePoint deadline() const;

 private:
  enum class Which : std::uint8_t { watcher, source };
  struct Subscription {
    End watcher, source;
    TimePoint until = kNever;
    bool over = false;                            ///< its last NOTIFY is on its way
    std::vector<sip::RequestReceived> too_early;  ///< NOTIFYs that have overtaken the 2xx
    End& end(Which which) { return which == Which::watcher ? watcher : source; }
  };
  /// A request of ours, and the one that it answers.
  struct Carried {
    std::uint64_t subscription = 0;
    Which to = Which::source;
    sip::Message request;
    sip::TransactionId server;  ///< none: the gateway's own
    sip::Message asked;
    int challenges = 0;
  };

  Subscription* subscription(std::uint64_t id);
  void enter(std::uint64_t id, Which which, const End& end);
  void send(Turn& turn, Carried carried);
  bool challenged(Turn& turn, Carried& carried, const sip::Message& response);
  void refresh(Turn& turn, std::uint64_t id, const sip::RequestReceived& event);
  void notify(Turn& turn, std::uint64_t id, const sip::RequestReceived& event);
  void subscribed(Turn& turn, const Carried& carried, const sip::Message& response);
  void notified(Turn& turn, const Carried& carried, const sip::Message& response);
  /// A NOTIFY of our own: the subscription is over, for this reason.
  void tell_end(Turn& turn, std::uint64_t id, std::string_view reason);
  void set_deadline(std::uint64_t id, TimePoint until);
  void erase(Turn* turn, std::uint64_t id);

  std::map<std::uint64_t, Subscription> all_;
  std::unordered_map<std::string, std::pair<std::uint64_t, Which>> dialogs_;
  std::unordered_map<sip::TransactionId, Carried> carried_;
  std::set<std::pair<TimePoint, std::uint64_t>> deadlines_;
  std::uint64_t last_ = 0;
};

}  // namespace trunkline::call
