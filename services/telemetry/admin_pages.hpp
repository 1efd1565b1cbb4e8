#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace trunkline::telemetry {

/// What the admin listener is told by the program. Called on its thread.
struct AdminPages {
  std::function<std::string()> metrics;    ///< Prometheus text
  std::function<bool()> healthy;           ///< the event loops turn
  std::function<std::string()> not_ready;  ///< why calls are not accepted; empty: they are
  std::string node, version;
};

struct AdminAnswer {
  unsigned status = 200;
  std::string content_type, body;
  bool allow = false;  ///< tell the allowed methods (405)
};

/// The answer to one HTTP request on the admin listener: /metrics, /healthz, /readyz and an index.
/// `target` is the request target as sent; its query is ignored.
AdminAnswer answer(const AdminPages& pages, std::string_view method, std::string_view target);

}  // namespace trunkline::telemetry
