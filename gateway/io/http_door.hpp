#pragma once
#include "io/counters.hpp"
#include "io/settings.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::io {

/// What of an HTTP request the door looks at.
struct HttpRequest {
  std::string_view method, target;
  bool upgrade = false;           ///< asks for a WebSocket (RFC 6455 §4.2.1 items 1 to 4)
  std::string_view key, version;  ///< Sec-WebSocket-Key, Sec-WebSocket-Version
  std::string protocols;          ///< all of Sec-WebSocket-Protocol, joined by commas
  std::optional<std::string> origin;
};

/// The HTTP response instead of a WebSocket. The connection is closed after it.
struct HttpAnswer {
  unsigned status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string_view body;
  std::string_view field, value;  ///< one more header field, if not empty
  std::optional<HandshakeFailure> failure;
};

/// Decides what comes of an HTTP request on a WebSocket port: an upgrade (RFC 7118 §4), a file of
/// the web phone, or words about what was wrong. Pure.
class HttpDoor {
 public:
  HttpDoor(std::vector<WebFile> files, std::vector<std::string> allowed_origins)
      : files_(std::move(files)), allowed_origins_(std::move(allowed_origins)) {}

  /// Other origins, as the constructor takes them.
  void allow(std::vector<std::string> origins) { allowed_origins_ = std::move(origins); }
  /// Nothing: the request shall be upgraded. `crowded`: there is no room for one more connection.
  std::optional<HttpAnswer> judge(const HttpRequest& request, bool crowded) const;
  /// To octets that are no HTTP request at all.
  static HttpAnswer junk();

 private:
  std::optional<HttpAnswer> judge_upgrade(const HttpRequest& request, bool crowded) const;
  HttpAnswer file(const HttpRequest& request) const;
  bool origin_allowed(const std::optional<std::string>& origin) const;

  std::vector<WebFile> files_;
  std::vector<std::string> allowed_origins_;
};

}  // namespace trunkline::io
