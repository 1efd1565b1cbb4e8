#include "call/failure.hpp"

#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <iterator>

/// docs/status-mapping.md is made from the table that the program uses. With TRUNKLINE_UPDATE_DOCS
/// set in the environment this test writes the file anew.
namespace trunkline::call {
namespace {

constexpr const char* kPath = TESTS_DIR "/../docs/status-mapping.md";

std::string retry_text(RetrySource source) {
  switch (source) {
    case RetrySource::none:
      return "";
    case RetrySource::retry_after:
      return "Retry-After";
    case RetrySource::computed:
      return "computed";
  }
  return "?";
}

std::string failover_text(const StatusMapping& row) {
  const std::string condition(row.failover_condition);
  if (condition.empty()) return row.failover ? "yes" : "no";
  return condition;
}

std::string code_text(const StatusMapping& row) {
  return row.sip_code < 200 ? "none: an event"
                            : "`" + std::string(grpc_code_name(row.grpc_code)) + "`";
}

std::string row_text(int code, const StatusMapping& row) {
  const std::string reason = status_reason(code);
  const bool failure = code >= 300;
  std::string text =
      "| " + std::to_string(code) + " | " + std::string(row.sip_name) + " | " + code_text(row);
  text += " | " + (reason.empty() ? "" : "`" + reason + "`") + " | " + retry_text(row.retry);
  text += " | " + (failure ? failover_text(row) : "") + " | " +
          (failure ? std::string(fault_label(row.fault)) : "");
  return text + " |\n";
}

constexpr std::string_view kHead =
    "| SIP | Name | gRPC | `ErrorInfo.reason` | Retry time from | Another trunk | Fault |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n";

std::string responses_text() {
  std::string text =
      "## Final responses of a peer\n\n"
      "`ErrorInfo.domain` is `trunkline`. A peer never causes `INTERNAL`, `UNKNOWN` or "
      "`DATA_LOSS`; `UNAVAILABLE` never "
      "means the callee; `RESOURCE_EXHAUSTED` is capacity, never a busy line.\n\n";
  text += kHead;
  for (const StatusMapping& row : all_status_mappings())
    text += row_text(row.sip_code, row);
  text += "\nCodes without registration that are met in the field:\n\n";
  text += kHead;
  for (const int code : {409, 411, 476, 477, 478})
    text += row_text(code, map_status(code));
  text +=
      "\nAny other code counts as the first of its class (RFC 3261 §8.1.3.2), with the reason "
      "`SIP_<code>`:\n\n";
  text += "| SIP | gRPC | Fault |\n| --- | --- | --- |\n";
  for (const int code : {399, 499, 599, 699}) {
    const StatusMapping& row = map_status(code);
    text += "| " + std::to_string(code / 100) + "xx | " + code_text(row) + " | " +
            std::string(fault_label(row.fault)) + " |\n";
  }
  return text;
}

std::string relay_text() {
  std::string text =
      "\n## What the caller gets of it\n\n"
      "The other leg gets the same code, but for these:\n\n"
      "| From the callee's side | To the caller |\n| --- | --- |\n";
  for (int code = 400; code < 700; ++code) {
    const int relayed = Failure::from_response(code, {}).relayed_code();
    if (relayed != code)
      text += "| " + std::to_string(code) + " | " + std::to_string(relayed) + " |\n";
  }
  text += "| 3xx | " + std::to_string(Failure::from_response(302, {}).relayed_code()) + " |\n";
  return text;
}

std::string local_text() {
  std::string text =
      "\n## Ends that the gateway finds itself\n\n"
      "`SIP` is the code in records and in `Call.end.sip_code`; the caller of a call that was not "
      "answered gets the next "
      "one. `Reason` (RFC 3326) is what BYE and CANCEL carry.\n\n"
      "| Reason label | SIP | To the caller | gRPC | `ErrorInfo.reason` | Fault | `Reason` |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n";
  for (int i = 0; i < static_cast<int>(EndReason::count_); ++i) {
    const auto reason = static_cast<EndReason>(i);
    if (reason == EndReason::rejected) continue;
    const Failure failure = Failure::local(reason);
    const std::string grpc_reason = failure.grpc_reason();
    text += "| `" + std::string(end_reason_label(reason)) + "` | " +
            std::to_string(failure.sip_code) + " | ";
    text += reason == EndReason::hangup ? "" : std::to_string(failure.relayed_code());
    text += " | `" + std::string(grpc_code_name(failure.grpc_code())) + "` | ";
    text += grpc_reason.empty() ? "" : "`" + grpc_reason + "`";
    text += " | " + std::string(fault_label(failure.fault())) + " | `" + failure.reason_header() +
            "` |\n";
  }
  text +=
      "\nA 503 carries `Retry-After`. A `cancelled` call that the caller gave up himself has the "
      "reason "
      "`CALLER_HUNG_UP`. A 487 that no CANCEL of the gateway asked for is `ABORTED`, "
      "`CALL_ABANDONED_BY_PEER`.\n\n"
      "A 603 with the phrase \"Network Blocked\", or with `v=analytics1` in the text of its "
      "Reason, has the reason `CALL_BLOCKED_BY_NETWORK`; its `url`, `tel` and `email` become "
      "links of `google.rpc.Help`, as the Call-Info of a 608 does. A trunk's 480 or 5xx with a "
      "Q.850 cause of 34, 42, 44 or 47, or with a phrase that the trunk's `capacity_phrase` finds, "
      "is `RESOURCE_EXHAUSTED`, `TRUNK_CAPACITY` with `google.rpc.QuotaFailure`; other causes are "
      "told in `SipStatus` and change nothing. A 301 or 302 is followed where the trunk has "
      "`max_redirects`, and only to its own addresses.\n";
  return text;
}

std::string document() {
  return "# SIP responses and gRPC status\n\n"
         "Made from the table in `gateway/call/status_table.cpp` and the ends in "
         "`gateway/call/failure.cpp`; the unit "
         "tests fail when they differ. `TRUNKLINE_UPDATE_DOCS=1` in the environment of `call_test` "
         "writes it anew.\n\n" +
         responses_text() + relay_text() + local_text();
}

TEST(StatusDocument, SaysWhatTheProgramDoes) {
  const std::string expected = document();
  if (std::getenv("TRUNKLINE_UPDATE_DOCS") != nullptr)
    std::ofstream(kPath, std::ios::binary) << expected;
  std::ifstream file(kPath, std::ios::binary);
  ASSERT_TRUE(file) << kPath;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, expected)
      << "docs/status-mapping.md is out of date: run with TRUNKLINE_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace trunkline::call
