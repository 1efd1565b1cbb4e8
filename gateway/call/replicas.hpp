#pragma once
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "call/locations.hpp"
#include "call/settings.hpp"
#include "sip/message.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace trunkline::call {

/// The trunk that stands for the other nodes: of their calls in either direction. No trunk of the
/// configuration has this name.
inline constexpr std::string_view kReplicas = "replicas";

/// What a node says of itself in a request to another one.
struct Introduction {
  std::string from;      ///< the node that sends it
  std::string instance;  ///< of the user's devices only this one; empty: all
};

/// How many look-ups of other nodes' bindings ended how: label of
/// trunkline_replica_lookups_total.
enum class LookUpEnd : std::uint8_t { found, none, failed, count_ };

/// How the nodes that share a store know each other's requests: each bears an Authorization (RFC
/// 3261 §22, a scheme of our own) with an HMAC under a key that is derived from the shared
/// credentials.secret, over what makes the request this one: method, Request-URI, Call-ID, From
/// tag, CSeq, both nodes, the time, and the body. One is taken once, within `kReplicaSkew` of its
/// time. Sans I/O; one thread.
class Replicas {
 public:
  explicit Replicas(const ReplicaSettings& settings, std::string_view secret, std::string node);

  bool enabled() const { return !key_.empty(); }
  /// Replaces the Authorization of a request to that node.
  void vouch(sip::Message& request, std::string_view to, std::string_view instance,
             std::int64_t wall_seconds) const;
  /// Whether a request says that it comes from another node.
  bool claims(const sip::Message& request) const;
  /// Who has sent the request; or why that is not proved.
  Result<Introduction> check(const sip::Message& request, std::int64_t wall_seconds);

  /// Counts how a look-up has ended.
  void looked_up(const Locations& found);
  void collect(MetricSink& sink) const;

 private:
  std::string proof(const sip::Message& request, std::string_view from, std::string_view to,
                    std::string_view instance, std::string_view time) const;
  bool seen(const std::string& mac, std::int64_t wall_seconds);

  CellArray<LookUpEnd> look_ups_;
  std::string key_, node_;
  /// What has been taken, the oldest first, until it is too old to be taken again.
  std::deque<std::pair<std::int64_t, std::string>> order_;
  std::unordered_set<std::string> taken_;
};

/// How far apart the clocks of two nodes may be, a request's way included.
inline constexpr std::int64_t kReplicaSkew = 60;  ///< seconds
/// Requests remembered, so that none is taken twice. With more in a time the oldest go, and a copy
/// of one of those would be taken.
inline constexpr std::size_t kMaxRemembered = 65536;

}  // namespace trunkline::call
