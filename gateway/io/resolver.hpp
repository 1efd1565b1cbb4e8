#pragma once
#include "base/net_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::io {

/// Keeps host names resolved (A and AAAA) in a thread of its own, which also reads the hosts file.
class Resolver {
 public:
  /// New addresses of a host, with port 0. Called on the resolver's thread, also when nothing
  /// changed; never after the resolver is gone. A failure calls nothing: the addresses known before
  /// stay good.
  using Resolved = std::function<void(const std::string& host, std::vector<IpAddress> addresses)>;

  /// Looks each of `hosts` up now and then every `interval`, or sooner when the records live
  /// shorter.
  static Result<std::unique_ptr<Resolver>> make(std::vector<std::string> hosts, Duration interval,
                                                Resolved resolved);
  ~Resolver();

 private:
  Resolver();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// When a name is looked up again: its records' time to live, within bounds.
Duration refresh_after(Duration interval, seconds time_to_live);

}  // namespace trunkline::io
