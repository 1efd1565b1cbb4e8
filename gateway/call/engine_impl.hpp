#pragma once
#include "call/authenticator.hpp"
#include "call/call.hpp"
#include "call/credentials.hpp"
#include "call/engine.hpp"
#include "call/exchanges.hpp"
#include "call/node.hpp"
#include "call/places.hpp"
#include "call/refusals.hpp"
#include "call/router.hpp"
#include "call/subscriptions.hpp"
#include "call/trunk_registration.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trunkline::call {

/// What a caller who is refused for want of capacity is asked to wait, in seconds: long enough to
/// matter, short enough to be tried again.
inline constexpr std::uint32_t kRetryAfter = 5;

/// The number or name in "5551000", "tel:+15551000" or "sip:alice@example.test", and in the last
/// the host.
struct Dialled {
  std::string name, host;
};
/// Nothing: a URI that is none.
std::optional<Dialled> read_dialled(std::string_view text);
/// Without control characters and blanks.
bool is_dialable(std::string_view text);

/// Settings and what follows from them, made before they are in force.
class Engine::Plan {
 public:
  Plan(Settings wanted, Router made) : settings(std::move(wanted)), router(std::move(made)) {}
  Settings settings;
  Router router;
};

/// The engine's insides, split over engine.cpp (dispatch, deadlines), engine_requests.cpp (who may
/// ask for what), engine_control.cpp and engine_originate.cpp (what the API asks for),
/// engine_reconfigure.cpp (other settings).
struct Engine::Impl final : MetricSource {
  struct Entry {
    std::unique_ptr<Call> call;
    TimePoint deadline = kNever;
    bool live = true;                      ///< not yet ended; counted in `live`
    std::string request_id{};              ///< of the CreateCall that made it
    TimePoint first_seen{}, ended_seen{};  ///< by `survey`; none yet
  };
  /// A CreateCall with a request_id, and the call that it made as it was when it was forgotten.
  struct Made {
    CreateCall request;
    CallView view;
    TimePoint until;
  };

  /// A request of a user whose HA1 the policy service has been asked for.
  struct Waiting {
    sip::RequestReceived event;
    std::string user;
    TimePoint until;
  };

  Impl(Settings settings, MediaResources media, Random& random, Router chosen);

  void receive(Turn& turn, const sip::RequestReceived& event);
  void receive(Turn& turn, const sip::AckReceived& event);
  void receive(Turn& turn, const sip::CancelReceived& event);
  void receive(Turn& turn, const sip::ResponseReceived& event);
  void receive(Turn& turn, const sip::RequestFailed& event);
  void receive(Turn& turn, const sip::AckMissing& event);
  void receive(Turn& turn, const sip::TransactionEnded& event);
  void receive(Turn& turn, const sip::FlowClosed& event);
  void receive(Turn& turn, const media::Event& event);
  void receive(Turn& turn, const PolicyAnswer& answer, QuestionId id);
  void receive(Turn& turn, const Locations& answer, QuestionId id);
  void on_deadline(Turn& turn);
  void end_all(Turn& turn);
  void count();
  void survey(TimePoint now);
  // ---- engine_reconfigure.cpp
  void reconfigure(Turn& turn, Plan& plan);
  void reconfigure_trunks(Turn& turn);
  void show_trunks();
  /// Refuses new calls from now on; at the deadline the live ones are ended.
  void begin_drain(Turn& turn, Duration patience);
  void collect(MetricSink& sink) const override;
  void collect_trunks(MetricSink& sink) const;

  // ---- engine_requests.cpp
  void in_dialog(Turn& turn, const sip::RequestReceived& event, LegId leg);
  void from_browser(Turn& turn, const sip::RequestReceived& event);
  void from_trunk(Turn& turn, const sip::RequestReceived& event);
  /// Refuses a REGISTER that nobody could send; true if it did.
  bool unregistrable(Turn& turn, const sip::RequestReceived& event);
  void register_user(Turn& turn, const sip::RequestReceived& event, const std::string& user);
  /// Whether a REGISTER is taken from the user while the node drains.
  bool may_register(const sip::RequestReceived& event, const std::string& user) const;
  void out_of_dialog(Turn& turn, const sip::RequestReceived& event, const Caller& caller);
  void invite(Turn& turn, const sip::RequestReceived& event, const Caller& caller);
  /// What a Request-URI means, by the rules of the caller's trunk.
  std::string dialled_by(const Caller& caller, const sip::Uri& uri) const;
  /// Privacy that is critical and can't be given (RFC 3323 §5).
  void refuse_privacy(Turn& turn, const sip::RequestReceived& event, const std::string& missing);
  /// Refuses an INVITE that no call could be made of, whoever sends it; true if it did.
  bool unacceptable(Turn& turn, const sip::RequestReceived& event);
  bool without_tls(Turn& turn, const sip::RequestReceived& event);
  void refuse(Turn& turn, const sip::RequestReceived& event, int status, std::string_view reason,
              std::string detail = {},
              const std::vector<std::pair<sip::HeaderName, std::string>>& headers = {},
              std::string_view phrase = {});

  // ---- engine_replicas.cpp
  /// A request that says that another node of ours has sent it.
  void from_replica(Turn& turn, const sip::RequestReceived& event);
  void invite_from_replica(Turn& turn, const sip::RequestReceived& event,
                           const Introduction& introduction);
  /// MESSAGE and SUBSCRIBE, for the user's devices here and nobody else's.
  void carry_from_replica(Turn& turn, const sip::RequestReceived& event,
                          const Introduction& introduction);
  /// Goes on with `then` once the store has told of the user's bindings elsewhere, or won't.
  void look_up(Turn& turn, const std::string& user,
               std::function<void(Turn&, const Locations&)> then);
  void look_no_longer(Turn& turn);

  // ---- engine_refer.cpp
  void refer(Turn& turn, const sip::RequestReceived& event, Call& call, const Leg& leg);
  Referral referral(const sip::Message& request, const Leg& leg, TimePoint now);
  /// The dialog that the Replaces of a Refer-To means, if it may be meant.
  void name_attended(std::string_view text, const Leg& leg, Referral& wanted);
  /// Whether a Refer-To may name this host: our domain or address, a trunk's, or none.
  bool may_be_named(const sip::Uri& uri);
  /// Null: there is none.
  Leg* leg_in_dialog(std::string_view call_id, std::string_view local_tag,
                     std::string_view remote_tag);
  /// An INVITE with Replaces.
  void replace(Turn& turn, const sip::RequestReceived& event, const Caller& caller);

  // ---- engine_methods.cpp
  void options(Turn& turn, const sip::RequestReceived& event, const Caller& caller);
  /// What OPTIONS gets. `refusal`: what an INVITE would get; 0: it would be taken.
  void tell_of_us(Turn& turn, const sip::RequestReceived& event, int refusal);
  /// MESSAGE and PUBLISH.
  void carry(Turn& turn, const sip::RequestReceived& event, const Caller& caller);
  void subscribe(Turn& turn, const sip::RequestReceived& event, const Caller& caller);
  void in_subscription(Turn& turn, const sip::RequestReceived& event, Subscriptions::End& end);
  void bad_event(Turn& turn, const sip::RequestReceived& event);
  /// Whom the routes of the caller mean.
  Party called(const Caller& caller, const std::string& dialled, TimePoint now) const;
  /// What an INVITE for the party would be refused with at once; 0: it would not.
  int invite_refusal(const Caller& caller, const Party& party, TimePoint now);
  /// Refuses what can't be carried on, whoever is to get it; true if it did.
  bool uncarriable(Turn& turn, const sip::RequestReceived& event);
  /// The same for a SUBSCRIBE outside a dialog, of which more is asked.
  bool unsubscribable(Turn& turn, const sip::RequestReceived& event);
  /// The user or trunk that the request is for. Nothing: it was refused.
  std::optional<Party> party_for(Turn& turn, const sip::RequestReceived& event,
                                 const Caller& caller);
  /// Where it goes, as far as this node knows; perhaps nowhere.
  std::vector<Place> places_here(const sip::RequestReceived& event, const Party& party,
                                 TimePoint now);
  /// Whether another node is asked for, too.
  bool may_be_elsewhere(const sip::RequestReceived& event, const Party& party) const;
  /// What a request for a party gets that is in no place.
  static int unreached(const Party& party);
  void refuse_unreached(Turn& turn, const sip::RequestReceived& event, const Party& party);

  // ---- engine_control.cpp
  void execute(Turn& turn, RequestId id, const CreateCall& request);
  void execute(Turn& turn, RequestId id, const ListRegistrations& request);
  void execute(Turn& turn, RequestId id, const DeleteRegistration& request);
  void execute(Turn& turn, RequestId id, const CreateCredential& request);
  void execute(Turn& turn, RequestId id, const ListTrunks& request);
  void execute(Turn& turn, RequestId id, const SetTrunkEnabled& request);
  void execute(Turn& turn, RequestId id, const PingTrunk& request);
  void execute(Turn& turn, RequestId id, const ExplainRoute& request);
  void execute(Turn& turn, RequestId id, const GetNode& request);
  void execute(Turn& turn, RequestId id, const Drain& request);
  void execute(Turn& turn, RequestId id, const Undrain& request);
  void execute(Turn& turn, RequestId id, const GetTrace& request);
  void execute(Turn& turn, RequestId id, const AnswerCall& request);
  // ---- engine_probe.cpp
  void probe(Turn& turn, const Trunk& trunk, const sip::Target& target, RequestId request);
  void probed(Turn& turn, sip::TransactionId transaction, int status, std::string_view phrase);
  void probes_due(Turn& turn);
  void probe_targets(Turn& turn, Trunk& trunk);
  void judge(Turn& turn, Trunk& trunk, const sip::Target& target, TargetState state,
             std::string_view why);
  // ---- engine_trunks.cpp
  struct Registering;
  /// What is due of all trunks: probes and registrations.
  void trunks_due(Turn& turn);
  void register_due(Turn& turn, const std::shared_ptr<Registering>& one);
  /// At the target of its next REGISTER.
  void aim(Turn& turn, Registering& one);
  void registered(Turn& turn, sip::TransactionId transaction, const sip::Message* response,
                  std::string_view why);
  void apply(Turn& turn, const std::shared_ptr<Registering>& one,
             TrunkRegistration::Effects effects);
  /// Removes one registration, or all.
  void unregister(Turn& turn, const std::shared_ptr<Registering>& one);
  void unregister(Turn& turn);
  TrunkView describe(const Trunk& trunk, TimePoint now) const;
  void execute(Turn& turn, RequestId id, const TransferCall& request);
  void execute(Turn& turn, RequestId id, const AttendedTransfer& request);
  /// Goes on with an attended transfer of the call, if there is one that can.
  void attend(Turn& turn, Call& call);
  Result<TransferTarget, Refusal> transfer_target(std::string_view text, const CallView& call,
                                                  TimePoint now);
  /// The call of that name; if there is none, or it has ended, the request is refused.
  Call* live_call(Turn& turn, RequestId id, std::string_view name);
  /// All requests on one call.
  template <class OnCall>
  void execute(Turn& turn, RequestId id, const OnCall& request);
  Call* find_call(std::string_view name);
  void explain_destination(Turn& turn, const Destination& destination, const std::string& dialled,
                           RouteExplanation& told);
  void explain_elsewhere(Turn& turn, RequestId id, const Destination& user, RouteExplanation told);
  /// The one who is meant by "user:NAME", "trunk:NAME", "api" or a peer's ADDR:PORT.
  std::optional<Caller> source_of(std::string_view text);

  // ---- engine_originate.cpp
  /// Whom a text of the API or of the policy service means: "user:NAME", "service:NAME", a number
  /// or a SIP URI - these by `trunk` if it is named, else by the routes for `caller`. `field` is
  /// what a refusal complains of.
  Result<Party, Refusal> party_of(std::string_view text, std::string_view trunk,
                                  const Caller& caller, std::string_view field,
                                  TimePoint now) const;
  Result<Origination, Refusal> read(const CreateCall& request, TimePoint now);
  /// The router's choice; after it, for a user, a registered one whom no list knows. With a host -
  /// the API and the policy service may name whom they like - also a user of our domain.
  RouteDecision route(const Caller& caller, const Dialled& dialled, TimePoint now) const;
  std::optional<Reply> made_before(const CreateCall& request, TimePoint now);
  void remember(const CreateCall& request, const CallView& view, TimePoint now);

  // ---- engine_policy.cpp
  /// A target that the policy service named for a call; nothing if it can't be meant.
  std::optional<Party> target_of(const std::string& text, const Call& call, TimePoint now);
  void decided(Turn& turn, Call& call, const PolicyAnswer& answer);
  void route(Turn& turn, Call& call, const RouteTargets& targets);
  /// Puts a request aside until the policy service has said who its sender is.
  void ask_who(Turn& turn, const sip::RequestReceived& event, const std::string& user);
  void told_who(Turn& turn, const Waiting& asked, const PolicyAnswer& answer);
  void ask_no_longer(Turn& turn);

  Entry& take_in(std::unique_ptr<Call> call);
  template <class Event>
  void to_call(Turn& turn, const Event& event);
  Call* call_of(LegId leg);
  /// After every input to a call: its new deadline, or its end.
  void settle(Call& call);

  Node node;
  Router router;
  Credentials credentials;
  Authenticator authenticator;
  Exchanges exchanges;
  Subscriptions subscriptions;
  std::unordered_map<CallId, Entry> calls;
  std::unordered_map<std::string, CallId> names;  ///< by CallView::name
  std::set<std::pair<TimePoint, CallId>> deadlines;
  std::size_t live = 0;
  /// The key of the limit that leaves no room for one more call; empty: there is room.
  std::string_view full() const {
    if (live >= node.settings.max_calls) return "limits.max_calls";
    return calls.size() - live >= node.settings.max_ended_calls ? "limits.max_ended_calls" : "";
  }
  /// An OPTIONS of ours to a trunk that has no final response yet.
  struct Probe {
    std::string trunk;
    RequestId request;  ///< of the API; none: our own
    sip::Target target;
    TimePoint sent, late_at;
    bool late = false;  ///< counts as unanswered already
  };
  std::unordered_map<sip::TransactionId, Probe> probes;
  /// Our registration with a trunk, and the target that it is with.
  struct Registering {
    Registering(std::shared_ptr<Trunk> with, Random& random)
        : trunk(std::move(with)), machine(trunk->settings, random) {}
    std::shared_ptr<Trunk> trunk;  ///< as it is configured now, or was when it was removed
    TrunkRegistration machine;
    std::vector<sip::Target> order{};
    std::size_t at = 0;
    Cell state{};
  };
  std::map<std::string, std::shared_ptr<Registering>> registering;  ///< by trunk
  /// Open ones; one that is not in `registering` any more is being removed.
  std::unordered_map<sip::TransactionId, std::shared_ptr<Registering>> registers;
  TimePoint trunks_at = kNever;                ///< of the next `trunks_due`
  std::unordered_map<std::string, Made> made;  ///< by request_id
  std::deque<std::string> made_order;          ///< oldest first
  std::map<QuestionId, Waiting> unidentified;  ///< the oldest first
  /// A question of the API, or of a request outside a call, that waits for the store.
  struct LookUp {
    std::function<void(Turn&, const Locations&)> then;
    TimePoint until;
  };
  std::map<QuestionId, LookUp> look_ups;   ///< the oldest first
  std::set<CallId> away;                   ///< calls with a browser whose connection is gone
  bool draining = false, leaving = false;  ///< for good, if it leaves
  TimePoint drain_at = kNever;
  /// What a scrape, on its own thread, sees of a trunk: it must not look into what changes.
  struct Shown {
    std::string name;
    std::uint32_t max_calls = 0, max_calls_per_second = 0;
    std::shared_ptr<const TrunkCounters> counters;
    std::shared_ptr<const Registering> registering;  ///< null: it does not
  };
  mutable std::mutex shown_mutex;
  std::shared_ptr<const std::vector<Shown>> shown;  ///< of the configuration in force
  Cell max_calls;
  Cell lingering, dialogs, legs, transactions, questions, live_calls;
  Cell drains, drain_deadline;  ///< 1 while draining; seconds of Unix time, 0: none
};

}  // namespace trunkline::call
