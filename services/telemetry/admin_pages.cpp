#include "telemetry/admin_pages.hpp"

#include "base/net_address.hpp"

#include "telemetry/console_files.hpp"
#include <algorithm>

namespace trunkline::telemetry {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kPrometheus = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kApi = "/api/", kLocalhost = "localhost";

std::string_view path_of(const AdminRequest& request) {
  return std::string_view(request.target).substr(0, request.target.find('?'));
}

bool reads(const AdminRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

AdminAnswer readiness(const AdminPages& pages) {
  const std::string reason = pages.not_ready();
  if (reason.empty()) return {200, kText, "ready\n"};
  return {503, kText, reason + "\n"};
}

/// RFC 9110 §13.1.2: a list of tags, or "*". Ours hold no comma and are compared weakly.
bool has_already(std::string_view if_none_match, std::string_view tag) {
  return if_none_match == "*" || if_none_match.find(tag) != std::string_view::npos;
}

AdminAnswer serve(const ConsoleFile& file, const AdminRequest& request) {
  AdminAnswer found;
  found.page = true;
  found.fields = {{"ETag", std::string(file.tag)}, {"Cache-Control", "no-cache"}};
  if (request.if_none_match && has_already(*request.if_none_match, file.tag)) {
    found.status = 304;
    return found;
  }
  found.content_type = file.media_type;
  found.body = file.content;
  return found;
}

}  // namespace

bool is_api(const AdminPages& pages, const AdminRequest& request) {
  return pages.api && reads(request) && request.target.starts_with(kApi);
}

AdminAnswer answer(const AdminPages& pages, const AdminRequest& request) {
  if (!reads(request)) return {405, kText, "use GET\n", {{"Allow", "GET, HEAD"}}};
  const std::string_view path = path_of(request);
  if (path == "/metrics") return {200, kPrometheus, pages.metrics()};
  if (path == "/healthz") {
    return pages.healthy() ? AdminAnswer{200, kText, "ok\n"}
                           : AdminAnswer{503, kText, "an event loop hangs\n"};
  }
  if (path == "/readyz") return readiness(pages);
  const auto files = console_files();
  const auto file = std::ranges::find(files, path, &ConsoleFile::path);
  if (file != files.end()) return serve(*file, request);
  return {404, kText, "there are /metrics, /healthz, /readyz and the console at /\n"};
}

bool names_this_machine(std::string_view host) {
  if (SocketAddress::parse(host) || IpAddress::parse(host)) return true;
  const std::string_view name = host.substr(0, host.find(':'));
  return std::ranges::equal(name, kLocalhost, {},
                            [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
}

}  // namespace trunkline::telemetry
