#pragma once
#include "base/result.hpp"
#include "call/control.hpp"
#include "call/gruu.hpp"
#include "call/observer.hpp"
#include "call/settings.hpp"
#include "sip/effects.hpp"
#include "sip/header.hpp"
#include "sip/message.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::call {

/// One contact of a user (RFC 3261 §10, RFC 5626).
struct Binding {
  std::string user;
  sip::NameAddress contact;  ///< as registered; `contact_text` is what the 200 echoes
  std::string contact_text;
  sip::Target target;  ///< the flow that it registered on: requests go nowhere else
  /// The way to it from the end of the flow (RFC 3327): Route of what is sent to it.
  std::vector<std::string> path;
  std::string instance;  ///< +sip.instance, without quotes; empty if absent
  std::uint32_t reg_id = 0;
  std::string call_id;
  std::uint32_t sequence = 0;
  TimePoint expires = kNever;
  std::string user_agent;
  std::string id;  ///< of the binding while it lives, refreshes included: what the API calls it
  std::chrono::system_clock::time_point registered, expires_at;  ///< wall clock
};
/// What the API tells of a binding.
Registration describe(const Binding& binding);

/// The location service of the browser users, in memory (RFC 3261 §10.3; RFC 5626 §6 for instance
/// and reg-id). Sans I/O.
class Registrar {
 public:
  /// `gruus` outlives it. `service_route`: what the requests of a user name as their route (RFC
  /// 3608 §6.2); none: empty.
  Registrar(RegistrarSettings settings, Gruus& gruus, std::string service_route = {})
      : settings_(settings), gruus_(&gruus), service_route_(std::move(service_route)) {}

  /// Other limits: they hold for what registers from now on.
  void configure(RegistrarSettings settings) { settings_ = settings; }
  /// Processes an authenticated REGISTER of `user` (whose AOR the To already is) and gives the
  /// response: 200 with all bindings, each with `expires`, as JsSIP and SIP.js match them; 400 for
  /// a bad `*`; 403 for too many contacts, and for one that is a GRUU of ours; 420 for a Path that
  /// the client does not support (RFC 3327 §5.3); 423 with Min-Expires; 439 if the proxy that the
  /// client is connected to keeps no flow; 500 for an out-of-order CSeq; 503 with Retry-After when
  /// full. All or nothing. `Require: outbound` when the binding keeps to the flow it came on
  /// because the client asked for that (RFC 5626 §6). A client that supports GRUU gets those of its
  /// devices (RFC 5627 §5.3). Path comes back.
  sip::Message receive(const sip::Message& request, const std::string& user,
                       const sip::Target& source, Moment at, std::string_view to_tag,
                       std::vector<Observation>& out);

  /// The live bindings of a user, most recently registered first; of each instance only the newest
  /// reg-id.
  std::vector<Binding> find(std::string_view user, TimePoint now) const;
  /// Another way to a device whose flow has failed: the newest flow that it has registered before
  /// that one (RFC 5626 §7).
  std::optional<Binding> older_flow(std::string_view user, std::string_view instance, FlowId failed,
                                    TimePoint now) const;
  /// The flow is gone: its bindings can't be reached any more and are removed (a binding that has
  /// since moved to another flow is not touched).
  void flow_closed(FlowId flow, std::vector<Observation>& out);
  void on_deadline(TimePoint now, std::vector<Observation>& out);
  TimePoint deadline() const;
  std::size_t size() const;
  /// All live bindings, or those of one user, in the order of the users' names.
  std::vector<Registration> list(std::string_view user, TimePoint now) const;
  /// Removes the bindings of a user, or the one of them with this id; what was removed.
  std::vector<Registration> remove(const std::string& user, std::string_view id,
                                   std::vector<Observation>& out);

 private:
  struct Refusal;
  struct Wish;
  struct Change {
    std::vector<Binding> bindings;
    std::vector<Observation> observations;
  };
  std::vector<Binding> bindings_of(std::string_view user) const;
  void mint_gruus(const std::vector<std::string_view>& contacts, const std::string& user);
  void list_bindings(std::string_view user, TimePoint now, bool with_gruus,
                     sip::Message& response) const;
  /// What is refused whatever the contacts are.
  static std::optional<Refusal> judge(const sip::Message& request,
                                      const std::vector<std::string_view>& contacts);
  std::optional<Refusal> remove_all(const sip::Message& request, const std::string& user,
                                    Change& change) const;
  std::optional<Refusal> update(const sip::Message& request,
                                const std::vector<std::string_view>& contacts,
                                const std::string& user, const sip::Target& source, Moment at,
                                Change& change);
  Result<Wish, Refusal> read(const sip::Message& request, std::string_view value,
                             const std::string& user, const sip::Target& source, Moment at) const;
  void apply(Wish wish, Change& change);
  void replace(const std::string& user, std::vector<Binding> next);
  template <class Gone>
  void drop(const std::string& user, RegistrationChanged::Kind kind, Gone gone,
            std::vector<Observation>& out);

  RegistrarSettings settings_;
  Gruus* gruus_;
  std::string service_route_;
  std::map<std::string, std::vector<Binding>, std::less<>>
      bindings_;  ///< of a user, the last registered last
  std::set<std::pair<TimePoint, std::string>>
      expiries_;                                    ///< which user has a binding that ends then
  std::set<std::pair<FlowId, std::string>> flows_;  ///< which users have a binding on the flow
  std::size_t size_ = 0;
  std::uint64_t last_id_ = 0;
};

}  // namespace trunkline::call
