#pragma once
#include "call/engine.hpp"
#include "call/observer.hpp"

#include "journal.hpp"
#include <map>
#include <set>
#include <string>
#include <vector>

namespace trunkline::simulator {

/// What the gateway told the world of its calls: every call and leg that began has one end, every
/// request one reply (call/observer.hpp, call/control.hpp).
class Books {
 public:
  explicit Books(Journal& journal) : journal_(journal) {}

  void asked(call::RequestId request) { replies_[request] = 0; }
  void replied(const call::ControlReply& reply);
  void observed(const call::Observation& observation);
  /// Calls that have not ended, by name.
  const std::vector<std::string>& live_calls() const { return live_; }
  /// All that began, the oldest first.
  const std::vector<std::string>& calls() const { return calls_; }
  const std::vector<std::string>& parked() const { return parked_; }
  bool leg_ended(const std::string& sip_call_id) const;
  /// Legs told of that have not ended, by their Call-ID.
  std::vector<std::string> live_legs() const;
  /// How many of them are those of a party, "trunk:carrier".
  std::size_t live_legs_at(const std::string& party) const;
  /// What was replied to a request; null: nothing yet.
  const call::Reply* reply(call::RequestId request) const;
  std::size_t answered() const { return answered_; }
  /// Whether the node takes new calls.
  void draining(bool now) { draining_ = now; }
  /// A node that drains has no call any more.
  void drained();
  void finish();

 private:
  struct ToldLeg {
    std::string party;
    int ends = 0;
  };
  void seen(const call::CallView& view);
  void ended(const call::LegEnded& event);
  void ended(const call::CallEnded& event);

  Journal& journal_;
  std::map<call::RequestId, int> replies_;
  std::map<call::RequestId, call::Reply> told_;
  std::vector<std::string> calls_, live_, parked_;
  std::set<std::string> begun_, over_;
  std::map<std::string, ToldLeg> told_legs_;  ///< by Call-ID; of a service by call and leg
  std::size_t answered_ = 0;
  bool draining_ = false;
};

}  // namespace trunkline::simulator
