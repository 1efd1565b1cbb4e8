#pragma once
#include "base/metrics.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Cells of the call layer: written by the signalling thread, read at a scrape.
namespace trunkline::call {

enum class PeerKind : std::uint8_t { webrtc, sip, count_ };
std::string_view peer_label(PeerKind peer);  ///< "webrtc"

enum class RefreshMethod : std::uint8_t { update, invite, count_ };
enum class Outcome : std::uint8_t { ok, failed, count_ };

/// Why a call went on to the next target of a trunk.
enum class FailoverReason : std::uint8_t { no_response, unreachable, tls, refused, count_ };

/// What is still there though it should have ended: see `Engine::survey`.
enum class Stuck : std::uint8_t { setup, teardown, count_ };

/// What legs of one kind count.
struct PeerCounters {
  /// From our BYE to its final response.
  HistogramCell teardown{{0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 32}};
  /// Our session refreshes (RFC 4028 §7.4), by method and outcome.
  CellArray<Outcome>& refreshes(RefreshMethod method) {
    return refreshes_[static_cast<std::size_t>(method)];
  }
  const CellArray<Outcome>& refreshes(RefreshMethod method) const {
    return refreshes_[static_cast<std::size_t>(method)];
  }

 private:
  std::array<CellArray<Outcome>, static_cast<std::size_t>(RefreshMethod::count_)> refreshes_{};
};

/// What all calls of the node count.
struct Counters {
  PeerCounters& of(PeerKind peer) { return peers_[static_cast<std::size_t>(peer)]; }
  void collect(MetricSink& sink) const;

  CellArray<Stuck> stuck;  ///< gauge

 private:
  std::array<PeerCounters, static_cast<std::size_t>(PeerKind::count_)> peers_{};
};

/// What one trunk counts.
struct TrunkCounters {
  HistogramCell options_round_trip{{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2}};
  /// From our INVITE to the first response of any kind: whether the trunk takes calls at all.
  HistogramCell first_response{{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4}};
  CellArray<FailoverReason> failovers;
  void collect(MetricSink& sink, std::string_view trunk) const;
};

}  // namespace trunkline::call
