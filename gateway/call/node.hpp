#pragma once
#include "base/ids.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/rate_limit.hpp"
#include "call/counters.hpp"
#include "call/engine.hpp"
#include "call/port_pool.hpp"
#include "call/registrar.hpp"
#include "call/replicas.hpp"
#include "call/settings.hpp"
#include "call/trace.hpp"
#include "call/trunks.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trunkline::call {

/// The user part of our Contacts.
inline constexpr std::string_view kContactUser = "trunkline";

/// What all calls of the node share. Owned by the engine; calls get it with each input as part of
/// `Turn`.
struct Node {
  Node(Settings s, MediaResources m, Random& r);

  Settings settings;
  MediaResources media;
  Random& random;
  Trunks trunks;
  Gruus gruus;
  Registrar registrar;
  Replicas replicas;
  Traces traces;

  IdSequence<CallId> call_ids;
  IdSequence<LegId> leg_ids;
  /// Which leg a live transaction, server or client, belongs to.
  std::unordered_map<sip::TransactionId, LegId> transactions;
  std::unordered_map<LegId, CallId> legs;
  /// Which leg a dialog belongs to: `dialog_key(Call-ID, our tag)`.
  std::unordered_map<std::string, LegId> dialogs;

  /// The calls that wait for the policy service, by what it was asked.
  std::unordered_map<QuestionId, CallId> questions;
  IdSequence<QuestionId> question_ids;
  /// The calls that wait for the store.
  std::unordered_map<QuestionId, CallId> look_ups;

  /// A client transaction id. The endpoint's own ids count from 1; these have the top bit set.
  sip::TransactionId next_transaction() {
    return sip::TransactionId{(std::uint64_t{1} << 63) | ++transaction_count_};
  }

  /// The worker with the fewest legs.
  std::size_t pick_worker() const;
  void count_leg(std::size_t worker, int change) { worker_legs_[worker] += change; }
  /// Calls of a worker that are transcoded. One more than `Settings::max_transcoded_calls` is not
  /// begun; a call that comes to it later counts, but is not ended for it.
  bool may_transcode(std::size_t worker) const {
    return transcoded_[worker] < settings.max_transcoded_calls;
  }
  void count_transcoded(std::size_t worker, int change) {
    transcoded_[worker] += static_cast<std::size_t>(change);
  }
  std::optional<std::uint16_t> take_port(std::size_t worker, const IpAddress& bind, TimePoint now);
  void give_back_port(std::size_t worker, const SocketAddress& local, TimePoint now);
  /// Our signalling address for a leg over this transport towards a peer of this family.
  std::optional<SocketAddress> contact_address(sip::Transport transport, bool ipv6) const;
  /// Our URI towards a peer, for Contact. A sip URI that names the transport, over TLS too;
  /// `secure`: a sips URI, where one was asked for (RFC 5630 §3.1.3).
  std::string contact(const sip::Target& peer, bool secure = false) const;
  /// Where the other nodes find this one, which need not be where peers outside do.
  std::string contact_for_replicas(sip::Transport transport) const;
  std::string contact_uri(const sip::Target& peer, std::string_view user,
                          bool secure = false) const;

  Counters counters;
  Cell ports_used;
  /// Header fields that may cross, but are too long or too many, or not clean: counted, and logged
  /// now and then.
  void left_out(std::size_t fields, TimePoint now);
  Cell fields_left_out;

 private:
  std::uint64_t transaction_count_ = 0;
  RateLimit left_out_lines_{1, 5};
  std::vector<int> worker_legs_;
  std::vector<std::size_t> transcoded_;
  std::vector<std::map<IpAddress, PortPool>> ports_;
};

std::string dialog_key(std::string_view call_id, std::string_view local_tag);

/// One input's surroundings: the shared state, the time, and where effects go.
struct Turn {
  Node& node;
  Moment at;
  Effects& out;

  void media(std::size_t worker, media::Command command) {
    out.media.push_back({worker, std::move(command)});
  }
  void observe(Observation observation) { out.observations.push_back(std::move(observation)); }
  void reply(RequestId request, Reply reply) { out.replies.push_back({request, std::move(reply)}); }
  void respond(sip::TransactionId transaction, sip::Message response) {
    out.sip.emplace_back(sip::Respond{transaction, std::move(response)});
  }
};

}  // namespace trunkline::call
