#pragma once
#include "base/rate_limit.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::call_control {

struct Desk;
struct Rejection;

/// What can be told of who asks, from the listener and the request's Host.
enum class Reach {
  local,     ///< a program of this machine
  misnamed,  ///< the same, led here by a name that is not this machine's (DNS rebinding)
  remote     ///< the listener is open to the network
};

struct ConsoleRequest {
  std::string_view target;  ///< "/api/calls?state=ended"
  std::optional<std::string_view> authorization;
  Reach reach = Reach::remote;
};

struct ConsoleAnswer {
  unsigned status = 200;
  std::string content_type = "application/json", body;
  std::vector<std::pair<std::string, std::string>> fields{};  ///< more of the header
};

/// What the console of the admin listener shows, read from the same journal and by the same
/// requests as the API, with the same roles: GET /api/node, calls, calls/ID, calls/ID/trace,
/// registrations, trunks (docs/console.md). Changes nothing. One thread asks.
class Console {
 public:
  static constexpr std::size_t kMaxPage = 200;
  /// Requests a second, and at once, of all who ask together.
  static constexpr double kRate = 50, kBurst = 200;

  explicit Console(std::shared_ptr<Desk> desk) : desk_(std::move(desk)) {}

  /// Once, on any thread, unless the gateway stops before.
  using Handler = std::function<void(ConsoleAnswer)>;
  void ask(const ConsoleRequest& request, Handler handler);

 private:
  const std::shared_ptr<Desk> desk_;
  RateLimit rate_{kRate, kBurst};
};

}  // namespace trunkline::call_control
