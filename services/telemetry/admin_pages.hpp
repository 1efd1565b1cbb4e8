#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::telemetry {

struct AdminRequest {
  std::string method, target;  ///< as sent
  std::string host;            ///< the header field; empty: none
  std::optional<std::string> authorization, if_none_match;
};

struct AdminAnswer {
  unsigned status = 200;
  std::string content_type, body;
  std::vector<std::pair<std::string, std::string>> fields{};  ///< more of the header
  bool page = false;  ///< of the console: may run its scripts, and be kept to be asked for again
};

/// What the admin listener is told by the program. Called on its thread.
struct AdminPages {
  std::function<std::string()> metrics;    ///< Prometheus text
  std::function<bool()> healthy;           ///< the event loops turn
  std::function<std::string()> not_ready;  ///< why calls are not accepted; empty: they are
  /// Serves /api/…: the handler is called once, on any thread, or never. Absent: 404.
  using Handler = std::function<void(AdminAnswer)>;
  std::function<void(const AdminRequest&, Handler)> api;
};

/// Whether `pages.api` answers.
bool is_api(const AdminPages& pages, const AdminRequest& request);

/// The answer to any other request on the admin listener: /metrics, /healthz, /readyz, and the
/// console. A target's query is ignored.
AdminAnswer answer(const AdminPages& pages, const AdminRequest& request);

/// Whether a Host header field names this machine by itself: localhost, or an address, with or
/// without a port. A page of another site, whose name was made to lead here, says that name.
bool names_this_machine(std::string_view host);

}  // namespace trunkline::telemetry
