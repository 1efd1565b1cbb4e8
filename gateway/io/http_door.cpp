#include "io/http_door.hpp"

#include <algorithm>

namespace trunkline::io {
namespace {

constexpr std::string_view kSubprotocol = "sip";  // RFC 7118 §4.1
constexpr std::string_view kVersion = "13";
constexpr std::size_t kKeyLength = 24;  // 16 octets in base64

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool lists(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (trim(list.substr(0, comma)) == wanted) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

HttpAnswer refusal(unsigned status, std::string_view words, HandshakeFailure failure) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = words;
  answer.failure = failure;
  return answer;
}

}  // namespace

HttpAnswer HttpDoor::junk() {
  return refusal(400, "This is not an HTTP request that Trunkline understands.\n",
                 HandshakeFailure::http);
}

std::optional<HttpAnswer> HttpDoor::judge(const HttpRequest& request, bool crowded) const {
  if (request.upgrade) return judge_upgrade(request, crowded);
  return file(request);
}

std::optional<HttpAnswer> HttpDoor::judge_upgrade(const HttpRequest& request, bool crowded) const {
  if (request.version != kVersion) {  // RFC 6455 §4.4
    HttpAnswer answer = refusal(426, "WebSocket version 13 is needed.\n", HandshakeFailure::http);
    answer.field = "Sec-WebSocket-Version";
    answer.value = kVersion;
    return answer;
  }
  if (request.key.size() != kKeyLength) {
    return refusal(400, "Sec-WebSocket-Key is missing or malformed.\n", HandshakeFailure::http);
  }
  if (!origin_allowed(request.origin)) {
    return refusal(403, "Pages of this origin may not connect.\n", HandshakeFailure::origin);
  }
  if (!lists(request.protocols, kSubprotocol)) {
    return refusal(400, "This WebSocket carries SIP: ask for the subprotocol \"sip\" (RFC 7118).\n",
                   HandshakeFailure::subprotocol);
  }
  if (crowded) {
    HttpAnswer answer = refusal(503, "No room for one more connection.\n", HandshakeFailure::limit);
    answer.field = "Retry-After";
    answer.value = "10";
    return answer;
  }
  return std::nullopt;
}

HttpAnswer HttpDoor::file(const HttpRequest& request) const {
  HttpAnswer answer;
  if (request.method != "GET" && request.method != "HEAD") {
    answer = refusal(405, "Only GET and HEAD are served here.\n", HandshakeFailure::http);
    answer.field = "Allow";
    answer.value = "GET, HEAD";
    return answer;
  }
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const WebFile& file) { return file.path == path; });
  if (found == files_.end()) {
    answer.status = 404;
    answer.body =
        "There is nothing here. SIP over WebSocket needs an upgrade with the subprotocol "
        "\"sip\".\n";
    return answer;
  }
  answer.content_type = found->content_type;
  answer.body = found->body;
  return answer;
}

bool HttpDoor::origin_allowed(const std::optional<std::string>& origin) const {
  if (allowed_origins_.empty()) return true;
  return origin && std::find(allowed_origins_.begin(), allowed_origins_.end(), *origin) !=
                       allowed_origins_.end();
}

}  // namespace trunkline::io
