#pragma once
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "call/control.hpp"
#include "call/locations.hpp"
#include "call/observer.hpp"
#include "call/server_locator.hpp"
#include "call/settings.hpp"
#include "call/trace.hpp"
#include "media/api.hpp"
#include "sip/effects.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::call {

/// A command for one media worker.
struct MediaCommand {
  std::size_t worker = 0;
  media::Command command;
};

/// A request of the API that waits for its reply, and a question that waits for the policy
/// service's answer. The driver numbers the requests, the engine the questions.
using RequestId = Id<struct RequestTag>;
using QuestionId = Id<struct QuestionTag>;
struct ControlReply {
  RequestId request;
  Reply reply;
};
struct AskPolicy {
  QuestionId id;
  PolicyQuestion question;
};

/// On which other nodes the user has bindings. Its answer may come late, or never.
struct AskLocations {
  QuestionId id;
  std::string user;
};

/// What one input to the engine produced. The driver gives `sip` to the endpoint, `media` to the
/// workers, `observations` to the observers, `replies`, `questions` and `look_ups` to whom they are
/// for, in this order, before the next input.
struct Effects {
  std::vector<sip::Command> sip;
  std::vector<MediaCommand> media;
  std::vector<Observation> observations;
  std::vector<ControlReply> replies;
  std::vector<AskPolicy> questions;
  std::vector<AskLocations> look_ups{};
  void clear() { *this = {}; }
  bool empty() const {
    return sip.empty() && media.empty() && observations.empty() && replies.empty() &&
           questions.empty() && look_ups.empty();
  }
};

/// All calls, registrations and trunks of the node: the transaction user above sip::Endpoint (RFC
/// 3261 §8, §10-§15; RFC 7092 B2BUA). Sans I/O; one thread.
class Engine {
 public:
  /// Fails when the settings contradict each other (a route to an unknown trunk, a bad expression).
  static Result<std::unique_ptr<Engine>> make(Settings settings, MediaResources media,
                                              Random& random);
  ~Engine();

  void receive(const sip::Event& event, Moment at, Effects& out);
  void receive(const media::Event& event, Moment at, Effects& out);
  /// A request of the API. Its one reply comes with this input's effects or with those of a later
  /// one.
  void execute(const Request& request, RequestId id, Moment at, Effects& out);
  /// An answer to `AskPolicy`; one to a question that is over is ignored.
  void receive(const PolicyAnswer& answer, QuestionId id, Moment at, Effects& out);
  /// An answer to `AskLocations`; one to a question that is over is ignored.
  void receive(const Locations& answer, QuestionId id, Moment at, Effects& out);
  void on_deadline(Moment at, Effects& out);
  TimePoint deadline() const;
  /// A message as it passes: before `sip::Endpoint` takes it, and when it is handed to the sockets.
  /// For GetTrace.
  void passed(const PassingMessage& message);

  /// New targets of a trunk, from the resolver. A trunk whose URI holds an address needs none.
  void trunk_located(const std::string& trunk, const std::vector<ServerTarget>& targets);
  /// Settings that may take the place of those in force, made ready on any thread. Fails like
  /// `make`.
  class Plan;
  static Result<std::shared_ptr<Plan>> plan(Settings settings);
  /// Users, trunks, routes, policy and limits are those of the plan from now on; node, domain,
  /// secrets, contacts and browsers' codecs stay. Calls go on as they began, also those on trunks
  /// and of users that are gone. Trunks that are gone are not asked any more, and our registration
  /// with them is removed; the bindings of users that are gone are.
  void reconfigure(Plan& plan, Moment at, Effects& out);
  /// Browser legs that begin on this worker from now on show the certificate with that fingerprint.
  void certificate_renewed(std::size_t worker, const media::Fingerprint& fingerprint);
  /// The trunks that the resolver has to keep located.
  std::vector<LocatedName> names_to_locate() const;

  /// Refuses new calls, and registrations but those of browsers with a call (503, Retry-After); at
  /// the deadline the live calls are ended with BYE and a Reason. For good: the API can't call it
  /// off.
  void drain(Moment at, Effects& out);
  /// Ends all calls now.
  void end_all(Moment at, Effects& out);
  bool draining() const;
  /// Looks for calls that should long be over, for trunkline_calls_stuck: those that nobody has
  /// answered in `kLongestSetup`, and those of which something is left `kLongestTeardown` after
  /// their end. Every few seconds.
  void survey(TimePoint now);
  std::size_t calls() const;
  /// When a drain ends the calls that are left; `kNever`: none is under way, or has none to end.
  TimePoint drain_deadline() const;
  /// Names (CallView::name) of live calls, at most so many.
  std::vector<std::string> some_calls(std::size_t most) const;
  /// Whether a call has something to say to a browser, or to hear from it, over this connection.
  bool has_call(FlowId flow) const;
  std::size_t registrations() const;
  /// All that are alive: what the store is to hold.
  std::vector<Registration> bindings(TimePoint now) const;
  const MetricSource& metrics() const;

 private:
  Engine();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::call
