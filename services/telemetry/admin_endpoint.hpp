#pragma once
#include "base/net_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include "telemetry/admin_pages.hpp"
#include <memory>

namespace trunkline::telemetry {

struct AdminLimits {
  std::size_t connections = 64;  ///< one more is closed at once
  std::uint32_t header_octets = 8192;
  Duration timeout = seconds{10};  ///< for one request, its answer, and the wait for the next
};

/// The HTTP server of the admin listener, with a thread of its own.
class AdminEndpoint {
 public:
  /// Binds and starts. Fails in words for an operator.
  static Result<std::unique_ptr<AdminEndpoint>> start(const SocketAddress& bind, AdminPages pages,
                                                      AdminLimits limits = {});
  /// Closes all connections and ends the thread.
  ~AdminEndpoint();
  /// The address really bound.
  SocketAddress listening() const;

 private:
  AdminEndpoint();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::telemetry
