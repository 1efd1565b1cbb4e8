#pragma once
#include "base/net_address.hpp"
#include "base/random.hpp"
#include "base/rate_limit.hpp"
#include "call/counters.hpp"
#include "call/number_rules.hpp"
#include "call/server_location.hpp"
#include "call/settings.hpp"
#include "sip/digest.hpp"
#include "sip/effects.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace re2 {
class RE2;
}

namespace trunkline::call {

/// How a target answered when it was last asked (OPTIONS).
enum class TargetState : std::uint8_t {
  unknown,   ///< never asked
  up,        ///< any response but 503 is a sign of life
  late,      ///< it answered, but later than a call would wait with pleasure
  refusing,  ///< 503
  down       ///< no answer
};
std::string_view target_state_label(TargetState state);  ///< "up"

/// One place where a trunk is reached, and what is known of it. Shared by all calls: none takes it
/// away from another, but a later call knows what an earlier one has met.
struct TrunkTarget {
  ServerTarget server;
  sip::PeerId peer{};
  TargetState state = TargetState::unknown;
  TimePoint rests_until{};     ///< a 503 with Retry-After: takes no calls until then
  bool asked_to_wait = false;  ///< it did so by its last answer to a call
  TimePoint suspect_until{};   ///< failed a call: tried after the others until then
  TimePoint probe_at{};        ///< of the next OPTIONS; none yet: it is new
  bool probing = false;        ///< an OPTIONS has no answer yet
  sip::Target place() const { return {server.transport, server.address, {}, peer}; }
};

/// What a leg takes of its trunk's `max_calls`, from its admission to its end. Empty: nothing.
class TrunkPlace {
 public:
  TrunkPlace() = default;
  /// Counts itself in `calls` (Trunk::calls).
  explicit TrunkPlace(std::shared_ptr<std::uint32_t> calls) : calls_(std::move(calls)) {
    ++*calls_;
  }
  TrunkPlace(TrunkPlace&& other) noexcept : calls_(std::move(other.calls_)) {}
  TrunkPlace& operator=(TrunkPlace&& other) noexcept {
    give_back();
    calls_ = std::move(other.calls_);
    return *this;
  }
  ~TrunkPlace() { give_back(); }
  /// Again: nothing.
  void give_back() {
    if (calls_) --*calls_;
    calls_.reset();
  }

 private:
  std::shared_ptr<std::uint32_t> calls_;
};

/// One configured trunk and what is known of it.
struct Trunk {
  TrunkSettings settings;
  std::vector<TrunkTarget> targets{};  ///< where the URI leads to now (RFC 3263)
  /// Where it led to before, the last first: an answer of DNS may hold some of a server's addresses
  /// now and others the next time, and what failed is still known then.
  std::vector<TrunkTarget> former{};
  /// Its calls now; shared with those of them that began under an earlier configuration.
  std::shared_ptr<std::uint32_t> calls = std::make_shared<std::uint32_t>(0);
  std::optional<bool> up;  ///< whether a target answers; nothing: not known yet
  bool degraded = false;   ///< up, but a target is late, refuses or is down
  bool enabled = true;     ///< by the API: a disabled one takes no new calls in either direction
  RateLimit call_rate;
  std::shared_ptr<TrunkCounters> counters = std::make_shared<TrunkCounters>();
  std::shared_ptr<const re2::RE2> capacity{};  ///< capacity_phrase; null: none
  NumberRules called_to{}, calling_to{}, called_from{}, calling_from{};

  /// The address at which it has taken our REGISTER: what comes from there is the trunk's.
  std::optional<SocketAddress> registrar{};
  std::vector<std::string> service_route{};  ///< of that registration (RFC 3608)

  TrunkTarget* find(const sip::Target& place);
  /// What a call, or a probe, has met at a target. A `rest` takes it out of use, within bounds; the
  /// only target of a trunk not before it asks for that twice, with no call `served` between.
  void failed(const sip::Target& place, TimePoint now);
  void rest(const sip::Target& place, std::uint32_t retry_after_seconds, TimePoint now);
  void served(const sip::Target& place);
  void answered(const sip::Target& place, TargetState state);
  /// `up` and `degraded` from the states of the targets. True: they have changed.
  bool judge();
  /// Goes on as the trunk of that name in an earlier configuration: with its calls and counters,
  /// what the API has said of it, and what is known of its targets if they are the same.
  void inherit(const Trunk& before);
  /// Whether a phrase of the trunk's means that it has no room for the call.
  bool names_capacity(std::string_view phrase) const;
};

/// How a number is called at a trunk, by its rules: the Request-URI, and the To URI.
sip::Uri request_uri_at(const Trunk& trunk, std::string_view number);
sip::Uri to_at(const Trunk& trunk, std::string_view number);

/// All trunks: whose request this is, and whether a trunk takes one more call.
class Trunks {
 public:
  explicit Trunks(const std::vector<TrunkSettings>& settings);

  /// Other trunks from now on. Those that calls hold stay as they were.
  void reconfigure(const std::vector<TrunkSettings>& settings);

  Trunk* find(std::string_view name) { return shared(name).get(); }
  const Trunk* find(std::string_view name) const { return shared(name).get(); }
  /// To be held by a leg, for which it stays as it is now whatever becomes of the configuration.
  std::shared_ptr<Trunk> shared(std::string_view name) const;
  /// What is known now of the trunk that a leg holds: of the one of its name, or of itself if there
  /// is none any more.
  Trunk& current(Trunk& held) const;
  const std::vector<std::shared_ptr<Trunk>>& all() const { return trunks_; }
  /// The trunk that the source has proved by its certificate to be, else the one whose `allow` (or
  /// resolved address) holds its address; the most specific entry wins. Null: none.
  Trunk* identify(const sip::Target& source) const;
  /// Whether a request inside a dialog with this trunk, which a leg holds, may come from there.
  bool is_from(const Trunk& held, const sip::Target& source) const;
  /// New targets of a trunk. None changes nothing: a resolver's outage does not take down a trunk
  /// that was reachable. What is known of a target stays with it.
  void located(std::string_view name, const std::vector<ServerTarget>& targets);
  /// The place to send a new request to that is no call: the first that is well. Nothing while the
  /// host is not located, or if the URI asks for a transport that trunks don't have.
  static std::optional<sip::Target> target(const Trunk& trunk);
  /// The places for one call, in the order in which it tries them (RFC 3263 §4.3, drawn by RFC
  /// 2782): those that are down or suspect after the others, those that rest not at all.
  static std::vector<sip::Target> order(const Trunk& trunk, Random& random, TimePoint now);
  /// How long a trunk has no target because all that it has rest; nothing: it has one, or none is
  /// known.
  static std::optional<Duration> rests(const Trunk& trunk, TimePoint now);

  /// Where a call goes that the trunk sends on to this contact: to an address of the trunk's own,
  /// by the transport that it uses anyway. Nothing for any other contact: what a trunk says in a
  /// 3xx must not aim our calls, nor our credentials, at others.
  static std::optional<sip::Target> redirected(const Trunk& trunk, const sip::Uri& contact);
  /// Whether an expression can be taken as `capacity_phrase`: nothing, or what is wrong with it.
  static std::optional<std::string> wrong_expression(const std::string& text);

  enum class Admission { ok, calls, rate, disabled };
  /// Whether the trunk takes one call more now, to which a TrunkPlace is given then.
  static Admission admit(Trunk& trunk, TimePoint now);

 private:
  std::vector<std::shared_ptr<Trunk>> trunks_;
};

}  // namespace trunkline::call
