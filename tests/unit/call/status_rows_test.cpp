#include "call/failure.hpp"

#include <array>
#include <gtest/gtest.h>

// The mapping once more, written down apart from the table: what the API promises of each final
// response of a peer. A change here breaks clients.
namespace trunkline::call {
namespace {

struct Row {
  int code;
  std::string_view grpc, reason;
  RetrySource retry;
  char failover;  ///< y, n; c: by conditions of its own
};

constexpr auto kNone = RetrySource::none;
constexpr auto kHeader = RetrySource::retry_after;
constexpr auto kComputed = RetrySource::computed;

constexpr auto kRows = std::to_array<Row>({
    {300, "FAILED_PRECONDITION", "REDIRECT_CHOICE_NEEDED", kNone, 'n'},
    {301, "NOT_FOUND", "MOVED_PERMANENTLY", kNone, 'n'},
    {302, "FAILED_PRECONDITION", "REDIRECTED", kNone, 'n'},
    {305, "FAILED_PRECONDITION", "PROXY_REQUIRED", kNone, 'n'},
    {380, "FAILED_PRECONDITION", "ALTERNATIVE_SERVICE", kNone, 'n'},
    {400, "INVALID_ARGUMENT", "PEER_REJECTED_SYNTAX", kNone, 'n'},
    {401, "UNAUTHENTICATED", "PEER_CREDENTIALS_REJECTED", kNone, 'n'},
    {402, "FAILED_PRECONDITION", "TRUNK_PAYMENT_REQUIRED", kNone, 'y'},
    {403, "PERMISSION_DENIED", "PEER_FORBIDDEN", kNone, 'n'},
    {404, "NOT_FOUND", "NUMBER_NOT_FOUND", kHeader, 'n'},
    {405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED", kNone, 'n'},
    {406, "FAILED_PRECONDITION", "NOT_ACCEPTABLE", kNone, 'n'},
    {407, "UNAUTHENTICATED", "PEER_CREDENTIALS_REJECTED", kNone, 'n'},
    {408, "DEADLINE_EXCEEDED", "PEER_REQUEST_TIMEOUT", kNone, 'c'},
    {410, "NOT_FOUND", "NUMBER_GONE", kNone, 'n'},
    {412, "FAILED_PRECONDITION", "ETAG_MISMATCH", kNone, 'n'},
    {413, "INVALID_ARGUMENT", "BODY_TOO_LARGE", kHeader, 'n'},
    {414, "INVALID_ARGUMENT", "URI_TOO_LONG", kNone, 'n'},
    {415, "UNIMPLEMENTED", "BODY_TYPE_UNSUPPORTED", kNone, 'n'},
    {416, "INVALID_ARGUMENT", "URI_SCHEME_UNSUPPORTED", kNone, 'n'},
    {417, "INVALID_ARGUMENT", "RESOURCE_PRIORITY_UNKNOWN", kNone, 'n'},
    {420, "UNIMPLEMENTED", "EXTENSION_UNSUPPORTED_BY_PEER", kNone, 'n'},
    {421, "UNIMPLEMENTED", "EXTENSION_REQUIRED_BY_PEER", kNone, 'y'},
    {422, "OUT_OF_RANGE", "SESSION_INTERVAL_TOO_SMALL", kNone, 'n'},
    {423, "OUT_OF_RANGE", "INTERVAL_TOO_BRIEF", kNone, 'n'},
    {424, "INVALID_ARGUMENT", "BAD_LOCATION", kNone, 'n'},
    {425, "INVALID_ARGUMENT", "BAD_ALERT_MESSAGE", kNone, 'n'},
    {428, "UNAUTHENTICATED", "IDENTITY_REQUIRED", kNone, 'y'},
    {429, "UNAUTHENTICATED", "REFERRER_IDENTITY_REQUIRED", kNone, 'n'},
    {430, "UNAVAILABLE", "FLOW_FAILED", kComputed, 'y'},
    {433, "PERMISSION_DENIED", "ANONYMOUS_CALLER_REJECTED", kNone, 'n'},
    {436, "UNAUTHENTICATED", "IDENTITY_INFO_UNREACHABLE", kNone, 'n'},
    {437, "UNAUTHENTICATED", "IDENTITY_CERT_UNSUPPORTED", kNone, 'n'},
    {438, "UNAUTHENTICATED", "IDENTITY_INVALID", kNone, 'n'},
    {439, "FAILED_PRECONDITION", "OUTBOUND_NOT_SUPPORTED", kNone, 'n'},
    {440, "RESOURCE_EXHAUSTED", "FORK_BREADTH_EXCEEDED", kNone, 'n'},
    {469, "UNIMPLEMENTED", "INFO_PACKAGE_UNSUPPORTED", kNone, 'n'},
    {470, "PERMISSION_DENIED", "CONSENT_NEEDED", kNone, 'n'},
    {480, "FAILED_PRECONDITION", "CALLEE_UNAVAILABLE", kHeader, 'c'},
    {481, "NOT_FOUND", "DIALOG_GONE", kNone, 'n'},
    {482, "FAILED_PRECONDITION", "ROUTING_LOOP", kNone, 'y'},
    {483, "FAILED_PRECONDITION", "TOO_MANY_HOPS", kNone, 'y'},
    {484, "INVALID_ARGUMENT", "NUMBER_INCOMPLETE", kNone, 'n'},
    {485, "INVALID_ARGUMENT", "NUMBER_AMBIGUOUS", kNone, 'n'},
    {486, "FAILED_PRECONDITION", "CALLEE_BUSY", kHeader, 'n'},
    {487, "CANCELLED", "CALL_CANCELLED", kNone, 'n'},
    {488, "FAILED_PRECONDITION", "MEDIA_NOT_ACCEPTABLE", kNone, 'y'},
    {489, "UNIMPLEMENTED", "EVENT_PACKAGE_UNSUPPORTED", kNone, 'n'},
    {491, "ABORTED", "GLARE", kComputed, 'n'},
    {493, "FAILED_PRECONDITION", "BODY_UNDECIPHERABLE", kNone, 'n'},
    {494, "FAILED_PRECONDITION", "SECURITY_AGREEMENT_REQUIRED", kNone, 'n'},
    {500, "UNAVAILABLE", "PEER_INTERNAL_ERROR", kHeader, 'y'},
    {501, "UNIMPLEMENTED", "PEER_NOT_IMPLEMENTED", kNone, 'n'},
    {502, "UNAVAILABLE", "PEER_BAD_GATEWAY", kNone, 'y'},
    {503, "UNAVAILABLE", "TRUNK_UNAVAILABLE", kHeader, 'y'},
    {504, "DEADLINE_EXCEEDED", "PEER_UPSTREAM_TIMEOUT", kNone, 'y'},
    {505, "UNIMPLEMENTED", "SIP_VERSION_UNSUPPORTED", kNone, 'n'},
    {513, "INVALID_ARGUMENT", "MESSAGE_TOO_LARGE", kNone, 'n'},
    {555, "UNIMPLEMENTED", "PUSH_UNSUPPORTED", kNone, 'n'},
    {580, "FAILED_PRECONDITION", "QOS_PRECONDITION_FAILED", kNone, 'y'},
    {600, "FAILED_PRECONDITION", "CALLEE_BUSY_EVERYWHERE", kHeader, 'n'},
    {603, "PERMISSION_DENIED", "CALLEE_DECLINED", kHeader, 'n'},
    {604, "NOT_FOUND", "NUMBER_NOT_FOUND_ANYWHERE", kNone, 'n'},
    {606, "FAILED_PRECONDITION", "MEDIA_NOT_ACCEPTABLE_ANYWHERE", kNone, 'n'},
    {607, "PERMISSION_DENIED", "CALL_UNWANTED", kNone, 'n'},
    {608, "PERMISSION_DENIED", "CALL_REJECTED_BY_ANALYTICS", kNone, 'n'},
});

TEST(StatusRows, AreWhatTheApiPromises) {
  std::size_t seen = 0;
  for (const StatusMapping& row : all_status_mappings())
    seen += row.sip_code >= 300 ? 1 : 0;
  EXPECT_EQ(seen, kRows.size());
  for (const Row& row : kRows) {
    const Failure failure = Failure::from_response(row.code, "No");
    const StatusMapping& mapping = map_status(row.code);
    EXPECT_EQ(mapping.sip_code, row.code);
    EXPECT_EQ(grpc_code_name(mapping.grpc_code), row.grpc) << row.code;
    EXPECT_EQ(mapping.reason, row.reason) << row.code;
    EXPECT_EQ(mapping.retry, row.retry) << row.code;
    if (row.failover == 'c') {
      EXPECT_FALSE(mapping.failover_condition.empty()) << row.code;
      EXPECT_FALSE(failure.allows_failover(true)) << row.code;
      continue;
    }
    EXPECT_EQ(failure.allows_failover(false), row.failover == 'y') << row.code;
  }
}

TEST(StatusRows, AreThoseOfTheFailureToo) {
  for (const Row& row : kRows) {
    const Failure failure = Failure::from_response(row.code, "No");
    // A peer's own 487 is the exception: nobody has cancelled.
    EXPECT_EQ(grpc_code_name(failure.grpc_code()), row.code == 487 ? "ABORTED" : row.grpc);
    EXPECT_EQ(failure.grpc_reason(), row.code == 487 ? "CALL_ABANDONED_BY_PEER" : row.reason);
  }
}

TEST(StatusRows, ConditionsOfFailover) {
  const auto allows = [](int code, int cause, bool rang) {
    Failure failure = Failure::from_response(code, "No");
    failure.detail.q850_cause = cause;
    return failure.allows_failover(rang);
  };
  EXPECT_TRUE(allows(408, 0, false));
  EXPECT_FALSE(allows(480, 0, false));
  for (const int cause : {34, 38, 41, 42, 44, 47}) {
    EXPECT_TRUE(allows(480, cause, false)) << cause;
    EXPECT_FALSE(allows(480, cause, true)) << cause;
  }
  for (const int cause : {1, 16, 17, 18, 19, 20, 21, 27, 127})
    EXPECT_FALSE(allows(480, cause, false));
}

TEST(StatusRows, AFullTrunkIsCapacityWhateverTheCode) {
  for (const int code : {480, 500, 501, 502, 503, 504, 599}) {
    for (const int cause : {34, 42, 44, 47}) {
      Failure failure = Failure::from_response(code, "No circuit");
      failure.detail.q850_cause = cause;
      ASSERT_TRUE(failure.names_full_network());
      failure.trunk_full = true;
      EXPECT_EQ(failure.grpc_code(), GrpcCode::resource_exhausted);
      EXPECT_EQ(failure.grpc_reason(), "TRUNK_CAPACITY");
      EXPECT_EQ(failure.fault(), Fault::upstream);
      EXPECT_TRUE(failure.allows_failover(false));
    }
  }
}

TEST(StatusRows, OtherCausesAndOtherCodesAreNot) {
  for (const auto& [code, cause] :
       {std::pair{503, 38}, {480, 41}, {503, 0}, {486, 34}, {404, 42}, {603, 34}, {302, 47}}) {
    Failure failure = Failure::from_response(code, "No");
    failure.detail.q850_cause = cause;
    EXPECT_FALSE(failure.names_full_network()) << code << " " << cause;
  }
  EXPECT_TRUE(Failure::from_response(503, "CPS limit").names_full_network(true));
  EXPECT_FALSE(Failure::from_response(486, "CPS limit").names_full_network(true));
  EXPECT_FALSE(Failure::local(EndReason::limit).names_full_network(true));
}

}  // namespace
}  // namespace trunkline::call
