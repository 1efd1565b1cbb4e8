#pragma once
#include "base/random.hpp"
#include "base/time.hpp"
#include "sip/header.hpp"
#include "sip/message.hpp"
#include "sip/transaction.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

/// Reliable provisional responses (RFC 3262), the side that sends them and the side that
/// acknowledges them. Sans I/O. One thread.
namespace trunkline::sip {

/// What an INVITE says of them.
enum class ReliableDemand : std::uint8_t {
  none,
  supported,  ///< `Supported: 100rel`: any 101-199 may be sent reliably
  required    ///< `Require: 100rel`: each of them must be
};
ReliableDemand reliable_demand(const Message& invite);

/// The provisional and final responses to one INVITE of a peer that takes reliable ones: which of
/// them goes out reliably, when, and how often (RFC 3262 §3). With `required` each 101-199 does,
/// else those that bear a session description, whose loss would cost the media.
class ReliableResponses {
 public:
  enum class Due : std::uint8_t {
    nothing,
    given_up  ///< 64*T1 without a PRACK: the INVITE is to be refused with a 5xx
  };

  /// `invite` must ask for them or allow them; the first RSeq comes from `random` (§3: uniformly
  /// from 1 to 2^31-1).
  ReliableResponses(const Message& invite, TransactionTimers timers, Random& random);

  /// One more response of the user's: in `out` what goes to the transaction now. A reliable one
  /// waits for the PRACK of the one before, and a 2xx for that of a session description; a refusal
  /// waits for nothing. What a description has said reliably is repeated by no later response (RFC
  /// 3261 §13.2.1). Nothing after a final response.
  void respond(Message response, TimePoint now, std::vector<Message>& out);
  /// Whether a PRACK with this RAck is for the response that waits for one; if not it gets 481.
  /// After the final response too (§3).
  bool expects(const RAck& rack) const;
  /// That PRACK has come: in `out` what was held back for it. False, and nothing happens, for any
  /// other.
  bool acknowledge(const RAck& rack, TimePoint now, std::vector<Message>& out);
  /// In `out` the copies that are due: at T1, then at double the interval without any upper bound,
  /// on every transport.
  Due on_deadline(TimePoint now, std::vector<Message>& out);
  TimePoint deadline() const { return std::min(retransmit_at_, give_up_at_); }

  /// Every 101-199 must be reliable.
  bool required() const { return required_; }
  /// A session description has gone out reliably.
  bool described() const { return described_; }
  /// And its PRACK has come.
  bool settled() const { return settled_; }
  /// A 2xx of the user's waits for a PRACK.
  bool holds_success() const { return held_.has_value(); }
  /// The PRACK never came.
  bool given_up() const { return given_up_; }

 private:
  struct Sent {
    Message response;
    std::uint32_t rseq = 0;
    bool described = false;
  };
  bool goes_reliably(const Message& response) const;
  void enqueue(Message response);
  void transmit(Message response, TimePoint now, std::vector<Message>& out);
  void succeed(Message response, std::vector<Message>& out);
  void release(TimePoint now, std::vector<Message>& out);
  void stop();

  bool required_ = false;
  std::uint32_t invite_sequence_ = 0, next_rseq_ = 0;
  TransactionTimers timers_;
  std::optional<Sent> unacknowledged_;
  std::deque<Message> queue_;    ///< 1xx that wait for its PRACK
  std::optional<Message> held_;  ///< a 2xx that does
  bool described_ = false, settled_ = false, finished_ = false, given_up_ = false;
  milliseconds interval_{};
  TimePoint retransmit_at_ = kNever, give_up_at_ = kNever;
};

/// The order of the reliable provisional responses in one early dialog of an INVITE of ours (RFC
/// 3262 §4): a To tag is a sequence of its own, and so is each INVITE.
class ReliableOrder {
 public:
  enum class Verdict : std::uint8_t {
    unreliable,   ///< nothing to acknowledge
    next,         ///< PRACK it
    copy,         ///< had its PRACK, which goes on by its own timers: to be ignored
    out_of_order  ///< one before it is missing: neither acknowledged nor processed
  };
  Verdict receive(const Message& response);
  /// What the PRACK of this response says.
  static RAck rack_of(const Message& response);

 private:
  std::optional<std::uint32_t> last_;
};

}  // namespace trunkline::sip
