#pragma once
#include "call/authenticator.hpp"
#include "call/call.hpp"
#include "call/engine.hpp"
#include "call/node.hpp"
#include "call/router.hpp"

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trunkline::call {

/// The engine's insides, split over engine.cpp (dispatch, deadlines) and engine_requests.cpp (who
/// may ask for what).
struct Engine::Impl final : MetricSource {
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
  void on_deadline(Turn& turn);
  void end_all(Turn& turn);
  void count();
  void collect(MetricSink& sink) const override;

  // ---- engine_requests.cpp
  void in_dialog(Turn& turn, const sip::RequestReceived& event, LegId leg);
  void from_browser(Turn& turn, const sip::RequestReceived& event);
  void from_trunk(Turn& turn, const sip::RequestReceived& event);
  void register_user(Turn& turn, const sip::RequestReceived& event, const std::string& user);
  void out_of_dialog(Turn& turn, const sip::RequestReceived& event, const Caller& caller);
  void options(Turn& turn, const sip::RequestReceived& event);
  void invite(Turn& turn, const sip::RequestReceived& event, const Caller& caller);
  /// Refuses an INVITE that no call could be made of, whoever sends it; true if it did.
  bool unacceptable(Turn& turn, const sip::RequestReceived& event);
  void refuse(Turn& turn, const sip::RequestReceived& event, int status, std::string_view reason,
              std::string detail = {},
              std::vector<std::pair<sip::HeaderName, std::string>> headers = {});

  template <class Event>
  void to_call(Turn& turn, const Event& event);
  Call* call_of(LegId leg);
  /// After every input to a call: its new deadline, or its end.
  void settle(Call& call);

  struct Entry {
    std::unique_ptr<Call> call;
    TimePoint deadline = kNever;
    bool live = true;  ///< not yet ended; counted in `live`
  };
  Node node;
  Router router;
  Authenticator authenticator;
  std::unordered_map<CallId, Entry> calls;
  std::set<std::pair<TimePoint, CallId>> deadlines;
  std::size_t live = 0;
  std::set<CallId> away;  ///< calls with a browser whose connection is gone
  bool draining = false;
  TimePoint drain_at = kNever;
  Cell lingering, dialogs, legs, transactions;
};

}  // namespace trunkline::call
