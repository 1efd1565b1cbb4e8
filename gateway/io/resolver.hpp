#pragma once
#include "base/metrics.hpp"
#include "base/net_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "call/server_locator.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::io {

/// What the resolver counts: written by its thread, and there before and after it.
struct ResolverCounters final : MetricSource {
  enum class Result : std::uint8_t { found, empty, failed, count_ };
  ResolverCounters();
  void count(call::DnsQuestion::Type type, const call::DnsAnswer& answer, Duration took);
  void collect(MetricSink& sink) const override;

 private:
  std::array<CellArray<Result>, 4> queries_{};  ///< by call::DnsQuestion::Type
  HistogramCell duration_;
};

/// Keeps servers located (RFC 3263: NAPTR, SRV, A and AAAA) in a thread of its own, which also
/// reads the hosts file. What to ask, and when, is `call::ServerLocator`'s; c-ares asks it.
class Resolver {
 public:
  struct Settings {
    std::vector<call::LocatedName> names;
    std::vector<sip::Transport> transports;  ///< that we can send by, the preferred first
    call::AddressFamilies families;          ///< that we can send by
    Duration interval = seconds{60};         ///< the longest time without a look
    std::vector<SocketAddress> servers;      ///< DNS servers; none: those of the system
  };
  /// New targets of a name. Called on the resolver's thread, also when nothing changed; never after
  /// the resolver is gone. A failure calls nothing: the targets known before stay good.
  using Located = std::function<void(call::ServerLocator::Found found)>;

  /// `counters` outlive the resolver.
  static Result<std::unique_ptr<Resolver>> make(Settings settings, Located located,
                                                ResolverCounters& counters);
  ~Resolver();

 private:
  Resolver();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::io
