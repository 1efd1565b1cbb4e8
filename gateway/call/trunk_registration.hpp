#pragma once
#include "base/random.hpp"
#include "base/time.hpp"
#include "call/settings.hpp"
#include "sip/digest.hpp"
#include "sip/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::call {

/// Our registration with one trunk (RFC 3261 §10.2, as the client): one binding, refreshed before
/// it runs out, with back-off after failures (RFC 5626 §4.5), removed at the end. Sans I/O; one
/// thread. Where the REGISTER goes is the owner's choice.
class TrunkRegistration {
 public:
  enum class State : std::uint8_t {
    registering,  ///< never yet, or anew
    registered,
    failed,   ///< refused or not answered; tried again later
    leaving,  ///< on the way out
    gone
  };
  struct Effects {
    std::optional<sip::Message> send;  ///< in a transaction of its own; one is open at a time
    bool changed = false;              ///< `state`
  };

  TrunkRegistration(const TrunkSettings& trunk, Random& random);

  /// What our Contact is by the way that the next REGISTER takes: a URI without angle brackets.
  void set_contact(std::string uri) { contact_ = std::move(uri); }
  void on_deadline(TimePoint now, Effects& out);
  void receive(const sip::Message& response, TimePoint now, Effects& out);
  /// No answer, or a transport error.
  void unanswered(std::string_view why, TimePoint now, Effects& out);
  /// The next attempt need not wait: there is another target.
  void try_elsewhere(TimePoint now);
  /// Removes the binding; with one on its way, after that.
  void leave(TimePoint now, Effects& out);
  /// After `leave`: registers again.
  void come_back(TimePoint now);
  TimePoint deadline() const { return open_ ? kNever : next_at_; }

  State state() const { return state_; }
  /// A binding of ours still lives, whatever became of its last refresh.
  bool bound(TimePoint now) const { return now < bound_until_; }
  TimePoint bound_until() const { return bound_until_; }
  /// Why the last attempt failed: "403 Forbidden", "timeout".
  const std::string& failure() const { return failure_; }
  const std::vector<std::string>& service_route() const { return service_route_; }
  /// Whether the last failure was about the server, not about us.
  bool server_failed() const { return server_failed_; }

 private:
  void send(std::uint32_t expires, Effects& out);
  void send_again(Effects& out);
  void accepted(const sip::Message& response, TimePoint now, Effects& out);
  void refused(std::string why, std::optional<std::uint32_t> retry_after, TimePoint now,
               Effects& out);
  bool answer_challenge(const sip::Message& response, Effects& out);
  bool take_minimum(const sip::Message& response, Effects& out);
  std::uint32_t granted(const sip::Message& response) const;
  void enter(State next, Effects& out);

  sip::Uri registrar_, aor_;
  std::uint32_t expires_;
  Random& random_;
  sip::DigestClient digest_;
  std::string contact_, call_id_, tag_;
  std::uint32_t sequence_ = 0;
  State state_ = State::registering;
  bool open_ = false;  ///< a REGISTER awaits its answer
  bool wanted_ = true;
  sip::Message request_;
  int challenges_ = 0, raises_ = 0;  ///< of this attempt
  unsigned failures_ = 0;            ///< in a row
  bool server_failed_ = false;
  std::string failure_;
  std::vector<std::string> service_route_;
  TimePoint next_at_{};
  TimePoint bound_until_{};
};

std::string_view registration_state_label(TrunkRegistration::State state);  ///< "registered"

}  // namespace trunkline::call
