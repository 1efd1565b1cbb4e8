#include "telemetry/admin_pages.hpp"

namespace trunkline::telemetry {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kPrometheus = "text/plain; version=0.0.4; charset=utf-8";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string index(const AdminPages& pages) {
  const std::string reason = pages.not_ready();
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Trunkline " +
         escaped(pages.node) + "</title></head>\n<body><h1>Trunkline " + escaped(pages.version) +
         "</h1>\n<p>Node " + escaped(pages.node) + ": " +
         (reason.empty() ? "accepts calls" : "accepts no calls (" + escaped(reason) + ")") +
         "</p>\n<ul>\n<li><a href=\"/metrics\">Metrics</a></li>\n<li><a "
         "href=\"/healthz\">Health</a></li>\n"
         "<li><a href=\"/readyz\">Readiness</a></li>\n</ul></body></html>\n";
}

AdminAnswer readiness(const AdminPages& pages) {
  const std::string reason = pages.not_ready();
  if (reason.empty()) return {200, kText, "ready\n"};
  return {503, kText, reason + "\n"};
}

}  // namespace

AdminAnswer answer(const AdminPages& pages, std::string_view method, std::string_view target) {
  if (method != "GET" && method != "HEAD") return {405, kText, "use GET\n", true};
  const std::string_view path = target.substr(0, target.find('?'));
  if (path == "/metrics") return {200, kPrometheus, pages.metrics()};
  if (path == "/healthz") {
    return pages.healthy() ? AdminAnswer{200, kText, "ok\n"}
                           : AdminAnswer{503, kText, "an event loop hangs\n"};
  }
  if (path == "/readyz") return readiness(pages);
  if (path == "/") return {200, "text/html; charset=utf-8", index(pages)};
  return {404, kText, "there are /metrics, /healthz and /readyz\n"};
}

}  // namespace trunkline::telemetry
