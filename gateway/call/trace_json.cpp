#include "call/trace.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace trunkline::call {
namespace {

using Json = nlohmann::ordered_json;

/// RFC 3339, UTC, microseconds.
std::string timestamp(WallTime time) {
  const auto micros = std::chrono::floor<std::chrono::microseconds>(time);
  const auto whole = std::chrono::floor<std::chrono::seconds>(micros);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                     (micros - whole).count());
}

Json message(const CallTrace& trace, const TraceEntry& entry) {
  const WallTime start = trace.entries().front().at;
  const TraceSummary summary = summarize(entry.bytes);
  Json object = {
      {"time", timestamp(entry.at)},
      {"offset_ms", milliseconds_between(start, entry.at)},
      {"leg_id", trace.legs()[entry.leg].id},
      {"direction", entry.sent ? "sent" : "received"},
      {"transport", sip::transport_label(entry.transport)},
  };
  if (!entry.local.empty()) object["local"] = entry.local.text();
  object["remote"] = entry.remote.text();
  object["method"] = summary.method;
  if (summary.status != 0) {
    object["status"] = summary.status;
    object["reason"] = summary.reason;
  }
  object["cseq"] = summary.cseq;
  object["copies"] = entry.copies;
  if (entry.copies > 1) object["last_offset_ms"] = milliseconds_between(start, entry.last_at);
  object["size"] = entry.full_size;
  if (entry.left_out_before != 0) object["left_out_before"] = entry.left_out_before;
  object["message"] = entry.bytes;
  return object;
}

}  // namespace

std::string trace_json(const CallTrace& trace) {
  Json legs = Json::array();
  for (const TraceLeg& leg : trace.legs()) {
    legs.push_back({{"leg_id", leg.id},
                    {"party", leg.party},
                    {"side", leg.from ? "from" : "to"},
                    {"sip_call_id", leg.sip_call_id}});
  }
  Json messages = Json::array();
  for (const TraceEntry& entry : trace.entries())
    messages.push_back(message(trace, entry));
  Json document = {{"call_id", trace.call()}};
  if (const auto session = session_of(trace); !session.empty()) document["session_id"] = session;
  document["legs"] = std::move(legs);
  document["dropped_messages"] = trace.dropped();
  document["messages"] = std::move(messages);
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace trunkline::call
