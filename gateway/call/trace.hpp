#pragma once
#include "base/net_address.hpp"
#include "base/time.hpp"
#include "sip/effects.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

/// What the peers of a call and the gateway said to each other, kept for a person who asks why. One
/// thread, the signalling one.
namespace trunkline::call {

using WallTime = std::chrono::system_clock::time_point;
inline double milliseconds_between(WallTime from, WallTime to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/// Bounds of what is remembered. Octets count the messages and what it costs to keep each.
struct TraceLimits {
  std::size_t first_messages = 50;         ///< of a call, never pushed out by later ones
  std::size_t last_messages = 150;         ///< of a call
  std::size_t message_bytes = 60UL << 10;  ///< of one message; fits an IP packet with its headers
  std::size_t call_bytes = 512UL << 10;    ///< of one call; its middle goes first
  std::size_t legs = 32;                   ///< of one call; messages of further legs are not kept
  std::size_t ended_calls = 256;           ///< the one that ended first goes first
  Duration ended_for = std::chrono::minutes{5};
  std::size_t total_bytes = 64UL << 20;  ///< of all calls; ended ones go first, new messages next
  std::size_t unclaimed_messages = 64;   ///< of no call yet: INVITEs that wait for their verdict
  std::size_t unclaimed_bytes = 512UL << 10;
};

/// One leg of a traced call.
struct TraceLeg {
  std::string id;     ///< the leg_id of the API
  std::string party;  ///< "user:alice", "trunk:carrier"
  bool from = false;  ///< the `from` side; else one of those called for it
  std::string sip_call_id;
};

/// A message as it passes the sockets. Views are not kept.
struct PassingMessage {
  bool sent = false;  ///< by the gateway; else received
  sip::Transport transport = sip::Transport::udp;
  SocketAddress local;  ///< empty where not known
  SocketAddress remote;
  std::string_view bytes;
  WallTime at;
};

/// A message that was kept, and how often it passed.
struct TraceEntry {
  WallTime at, last_at;  ///< of the first and of the last copy
  std::size_t leg = 0;   ///< index into `CallTrace::legs()`
  bool sent = false;
  sip::Transport transport = sip::Transport::udp;
  SocketAddress local, remote;
  std::string bytes;                ///< secrets masked; cut to `TraceLimits::message_bytes`
  std::size_t full_size = 0;        ///< octets before the cut
  std::uint32_t copies = 1;         ///< the same octets over again: retransmissions
  std::size_t left_out_before = 0;  ///< messages that stood before it and had to go
};

/// The SIP of one call in the order in which it passed. A value.
class CallTrace {
 public:
  explicit CallTrace(std::string call) : call_(std::move(call)) {}

  const std::string& call() const { return call_; }  ///< `CallView::name`
  const std::vector<TraceLeg>& legs() const { return legs_; }
  const std::deque<TraceEntry>& entries() const { return entries_; }
  /// Messages that were left out for want of room, copies not counted.
  std::size_t dropped() const { return dropped_; }
  std::size_t bytes() const { return bytes_; }  ///< what it costs, for the limits

 private:
  friend class Traces;
  std::optional<std::size_t> add_leg(TraceLeg leg, std::size_t max_legs);
  bool fold(const TraceEntry& entry);
  void add(TraceEntry entry, const TraceLimits& limits);
  void leave_out(std::size_t at);

  std::string call_;
  std::vector<TraceLeg> legs_;
  std::deque<TraceEntry> entries_;
  std::size_t dropped_ = 0, bytes_ = 0;
  std::size_t dropped_last_ = 0;  ///< since the last entry
};

/// The traces of all live calls and of some that have ended. A message finds its call by its
/// Call-ID, for each leg has one of its own; where two legs share one (a request that came back to
/// the gateway) the later leg has it.
class Traces {
 public:
  explicit Traces(TraceLimits limits = {}) : limits_(limits) {}

  /// Every message, before it is handled or sent. What belongs to no call is not kept, but for
  /// INVITE, its ACK and CANCEL and their responses: those wait a while for the call that they may
  /// become, challenges included.
  void record(const PassingMessage& message);
  /// A leg has got its Call-ID, its first or another. Makes the call known, so not for one that has
  /// ended.
  void add_leg(std::string_view call, TraceLeg leg);
  /// The call has ended; what its last transactions still say is recorded.
  void ended(std::string_view call, TimePoint now);
  /// The trace of a live or recently ended call; null when there is none (any more). Valid until
  /// the next call to this object.
  const CallTrace* find(std::string_view call, TimePoint now) const;

  std::size_t calls() const { return calls_.size(); }
  std::size_t bytes() const { return bytes_ + unclaimed_bytes_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Known {
    CallTrace trace;
    std::vector<std::string> sip_call_ids;
    std::optional<TimePoint> ended;
  };
  struct Place {
    std::string call;
    std::size_t leg = 0;
  };
  struct Unclaimed {
    std::string sip_call_id;
    TraceEntry entry;
  };
  template <class Value>
  using Map = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

  TraceEntry entry_of(const PassingMessage& message) const;
  void keep_unclaimed(std::string_view sip_call_id, const PassingMessage& message);
  void claim(std::string_view sip_call_id, Known& known, std::size_t leg);
  void add(Known& known, TraceEntry entry);
  bool make_room(std::size_t wanted, const Known& keep);
  void forget_oldest();

  TraceLimits limits_;
  Map<Known> calls_;              ///< by `CallView::name`
  Map<Place> places_;             ///< by Call-ID
  std::list<std::string> ended_;  ///< names, oldest first
  std::deque<Unclaimed> unclaimed_;
  std::size_t bytes_ = 0, unclaimed_bytes_ = 0;
};

/// The value of the first field of this name in a message, long or compact form without case,
/// trimmed; empty if there is none before the body. Looks at no more than it must: nothing is
/// parsed. A folded value is given as it stands.
std::string_view find_field(std::string_view message, std::string_view name,
                            std::string_view compact = {});
/// The Call-ID of a message; empty if it has none.
std::string_view find_call_id(std::string_view message);

/// Session-ID (RFC 7989) as the last message that bears one has it; empty: none does. Other systems
/// on the way know the call by it.
std::string_view session_of(const CallTrace& trace);

/// What a reader wants to see of a message first.
struct TraceSummary {
  std::string method;        ///< of the request, or of the request that a response answers
  int status = 0;            ///< of a response; 0: a request
  std::string reason;        ///< of a response
  std::string cseq;          ///< the number; empty if there is none
  bool description = false;  ///< bears a session description
};
TraceSummary summarize(std::string_view message);

/// For people: one arrow a message, and below them the messages themselves if `with_messages`.
/// UTF-8 without control characters but line ends, so that no peer writes to a terminal.
std::string trace_text(const CallTrace& trace, bool with_messages = true);
/// For programs. One object: `call_id`, `legs`, `dropped_messages`, `messages`.
std::string trace_json(const CallTrace& trace);
/// For Wireshark: a pcapng file of IP packets (LINKTYPE_RAW), one a message and an interface a leg.
/// Their headers are made up around what was said. SIP over TCP stays in TCP, one stream a
/// connection. SIP over TLS and WebSocket is shown as UDP, with port 5060 on our side, for it was
/// readable on no wire; the packet's comment tells the transport and the real addresses.
/// Retransmissions are one packet; the comment tells how many there were.
std::string trace_pcapng(const CallTrace& trace);

}  // namespace trunkline::call
