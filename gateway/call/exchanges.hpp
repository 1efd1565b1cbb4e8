#pragma once
#include "base/boxed.hpp"
#include "call/failure.hpp"
#include "call/node.hpp"
#include "call/places.hpp"
#include "sip/digest.hpp"
#include "sip/effects.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

namespace trunkline::call {

/// Requests outside of any dialog that are carried to somebody else, and their answers back:
/// MESSAGE (RFC 3428), PUBLISH (RFC 3903). Both sides are transactions of their own; nothing is
/// stored beyond them. Sans I/O.
class Exchanges {
 public:
  /// Those under way at once; one more gets 503.
  static constexpr std::size_t kMaxOpen = 4096;
  bool full() const { return open_.size() >= kMaxOpen; }
  std::size_t size() const { return open_.size(); }

  /// Sends the request on to all of these places. The first 2xx, or the best refusal, is the
  /// answer. `seeking`: `found` will tell of more; without it there is at least one.
  std::uint64_t begin(Turn& turn, const sip::RequestReceived& event,
                      const std::vector<Place>& places, const Caller& from, bool seeking = false);
  /// The places that were sought are these: they get the request too, even if it has its answer.
  /// False: there were none before either. The exchange is forgotten, its request not answered.
  bool found(Turn& turn, std::uint64_t id, const std::vector<Place>& places);
  /// Of transactions that are not theirs they take no notice.
  void receive(Turn& turn, const sip::ResponseReceived& event);
  void receive(Turn& turn, const sip::RequestFailed& event);

 private:
  /// A request of ours, and which exchange it belongs to.
  struct Branch {
    std::uint64_t exchange = 0;
    sip::Message request;
    sip::Target target;
    Caller party;
    std::string replica{};  ///< another node of ours; empty: none
    int challenges = 0;
    std::optional<sip::DigestClient> digest;
  };
  struct Exchange {
    sip::TransactionId server;
    sip::Message request;
    Caller from;
    bool seeking = false, sent = false, answered = false;
    std::size_t branches = 0;         ///< without an outcome
    Boxed<Failure> best;              ///< refusal
    std::optional<sip::Message> why;  ///< the response that it is
    Caller refused_by;                ///< whose it is
  };
  void send_to(Turn& turn, std::uint64_t id, Exchange& exchange, const std::vector<Place>& places);
  bool challenged(Turn& turn, Branch& branch, const sip::Message& response);
  void send(Turn& turn, Branch branch);
  void settled(Turn& turn, std::uint64_t exchange);
  /// `response`: of the party; null: it is ours.
  void answer(Turn& turn, const Exchange& exchange, int status, const sip::Message* response,
              const Caller& party);

  std::unordered_map<sip::TransactionId, Branch> branches_;
  std::map<std::uint64_t, Exchange> open_;
  std::uint64_t last_ = 0;
};

}  // namespace trunkline::call
