#include "call/failure.hpp"

#include "call/observer.hpp"
#include "sip/header.hpp"
#include "sip/status.hpp"

#include <gmock/gmock.h>
#include <set>

namespace trunkline::call {
namespace {

using testing::HasSubstr;

std::vector<EndReason> all_reasons() {
  std::vector<EndReason> reasons;
  for (int i = 0; i < static_cast<int>(EndReason::count_); ++i)
    reasons.push_back(static_cast<EndReason>(i));
  return reasons;
}

TEST(StatusTable, HasEveryRegisteredCodeUnderItsName) {
  const auto names = sip::all_status_names();
  const auto rows = all_status_mappings();
  ASSERT_EQ(rows.size(), names.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].sip_code, names[i].code);
    EXPECT_EQ(rows[i].sip_name, names[i].name);
  }
}

TEST(StatusTable, EveryFailureHasAReasonOfTheFormThatErrorInfoAsksFor) {
  for (const StatusMapping& row : all_status_mappings()) {
    if (row.sip_code < 300) {
      EXPECT_EQ(row.reason, "") << row.sip_code;
    } else {
      EXPECT_THAT(std::string(row.reason), testing::MatchesRegex("[A-Z][A-Z0-9_]{1,61}[A-Z0-9]"))
          << row.sip_code;
    }
  }
}

TEST(StatusTable, APeerNeverCausesInternalUnknownOrDataLoss) {
  for (int code = 300; code < 700; ++code) {
    const GrpcCode grpc = map_status(code).grpc_code;
    EXPECT_NE(grpc, GrpcCode::internal) << code;
    EXPECT_NE(grpc, GrpcCode::unknown) << code;
    EXPECT_NE(grpc, GrpcCode::data_loss) << code;
    EXPECT_NE(grpc, GrpcCode::ok) << code;
  }
}

TEST(StatusTable, UnavailableIsNeverTheUsersFault) {
  for (int code = 300; code < 700; ++code) {
    const StatusMapping& row = map_status(code);
    if (row.grpc_code == GrpcCode::unavailable) {
      EXPECT_EQ(row.fault, Fault::upstream) << code;
    }
  }
}

TEST(StatusTable, APersonsRefusalIsNeverTriedOnAnotherTrunk) {
  for (const StatusMapping& row : all_status_mappings()) {
    if (row.fault == Fault::user) {
      EXPECT_FALSE(row.failover) << row.sip_code;
    }
  }
}

TEST(StatusTable, HoldsTheWellKnownRows) {
  const StatusMapping& busy = map_status(486);
  EXPECT_EQ(busy.grpc_code, GrpcCode::failed_precondition);
  EXPECT_EQ(busy.reason, "CALLEE_BUSY");
  EXPECT_EQ(busy.fault, Fault::user);
  EXPECT_EQ(busy.retry, RetrySource::retry_after);
  const StatusMapping& unavailable = map_status(503);
  EXPECT_EQ(unavailable.grpc_code, GrpcCode::unavailable);
  EXPECT_EQ(unavailable.reason, "TRUNK_UNAVAILABLE");
  EXPECT_TRUE(unavailable.failover);
  EXPECT_EQ(unavailable.fault, Fault::upstream);
  EXPECT_EQ(map_status(404).fault, Fault::client);
  EXPECT_EQ(map_status(407).reason, map_status(401).reason);
  EXPECT_EQ(map_status(491).retry, RetrySource::computed);
  EXPECT_EQ(map_status(200).fault, Fault::success);
}

TEST(StatusTable, ConditionsOfFailoverAreWrittenDown) {
  EXPECT_TRUE(map_status(408).failover);
  EXPECT_FALSE(map_status(408).failover_condition.empty());
  EXPECT_FALSE(map_status(480).failover);
  EXPECT_THAT(std::string(map_status(480).failover_condition),
              HasSubstr("34, 38, 41, 42, 44 or 47"));
}

TEST(StatusTable, AnUnlistedCodeCountsAsTheFirstOfItsClass) {
  EXPECT_EQ(map_status(399).grpc_code, GrpcCode::failed_precondition);
  EXPECT_EQ(map_status(499).grpc_code, GrpcCode::invalid_argument);
  EXPECT_EQ(map_status(599).grpc_code, GrpcCode::unavailable);
  EXPECT_EQ(map_status(699).grpc_code, GrpcCode::failed_precondition);
  EXPECT_EQ(map_status(299).grpc_code, GrpcCode::ok);
  EXPECT_EQ(map_status(499).sip_code, 400);
  EXPECT_EQ(map_status(499).reason, "");
}

TEST(StatusTable, KnowsCodesThatVendorsMadeUp) {
  EXPECT_EQ(map_status(409).grpc_code, GrpcCode::aborted);
  EXPECT_EQ(map_status(411).grpc_code, GrpcCode::invalid_argument);
  for (const int code : {476, 477, 478}) {
    EXPECT_EQ(map_status(code).grpc_code, GrpcCode::unavailable);
    EXPECT_EQ(map_status(code).fault, Fault::upstream);
  }
}

TEST(StatusTable, NumbersThatAreNoCodeAreAnUpstreamFault) {
  for (const int code : {-1, 0, 99, 700, 100000})
    EXPECT_EQ(map_status(code).fault, Fault::upstream) << code;
}

TEST(StatusReason, IsTheRowsOrMadeFromTheCode) {
  EXPECT_EQ(status_reason(603), "CALLEE_DECLINED");
  EXPECT_EQ(status_reason(499), "SIP_499");
  EXPECT_EQ(status_reason(477), "SIP_477");
  EXPECT_EQ(status_reason(200), "");
  EXPECT_EQ(status_reason(183), "");
}

TEST(GrpcCodeName, IsSpelledLikeTheEnum) {
  EXPECT_EQ(grpc_code_name(GrpcCode::ok), "OK");
  EXPECT_EQ(grpc_code_name(GrpcCode::failed_precondition), "FAILED_PRECONDITION");
  EXPECT_EQ(grpc_code_name(GrpcCode::unauthenticated), "UNAUTHENTICATED");
}

TEST(Labels, AreDistinctAndNeverEmpty) {
  std::set<std::string_view> labels;
  for (const EndReason reason : all_reasons())
    labels.insert(end_reason_label(reason));
  EXPECT_EQ(labels.size(), all_reasons().size());
  EXPECT_FALSE(labels.contains(""));
  EXPECT_EQ(end_reason_label(EndReason::media_timeout), "media_timeout");
}

TEST(Labels, OfFaultsAreThoseOfTheMetric) {
  EXPECT_EQ(fault_label(Fault::success), "success");
  EXPECT_EQ(fault_label(Fault::user), "user_error");
  EXPECT_EQ(fault_label(Fault::client), "client_error");
  EXPECT_EQ(fault_label(Fault::server), "server_error");
  EXPECT_EQ(fault_label(Fault::upstream), "upstream_error");
  EXPECT_EQ(fault_label(Fault::indeterminate), "indeterminate");
}

TEST(Labels, OfDirectionsAndEnders) {
  EXPECT_EQ(direction_label(Direction::inbound), "in");
  EXPECT_EQ(direction_label(Direction::outbound), "out");
  EXPECT_EQ(direction_label(Direction::internal), "internal");
  EXPECT_EQ(ended_by_label(EndedBy::caller), "caller");
  EXPECT_EQ(ended_by_label(EndedBy::callee), "callee");
  EXPECT_EQ(ended_by_label(EndedBy::gateway), "gateway");
  EXPECT_EQ(ended_by_label(EndedBy::api), "api");
}

TEST(RemoteFailure, KeepsWhatThePeerSaid) {
  const Failure failure = Failure::from_response(486, "Busy here, sorry", 30);
  EXPECT_EQ(failure.reason, EndReason::rejected);
  EXPECT_EQ(failure.ended_by, EndedBy::callee);
  EXPECT_TRUE(failure.remote);
  EXPECT_EQ(failure.sip_code, 486);
  EXPECT_EQ(failure.retry_after, 30u);
  EXPECT_EQ(failure.fault(), Fault::user);
  EXPECT_EQ(failure.grpc_code(), GrpcCode::failed_precondition);
  EXPECT_EQ(failure.grpc_reason(), "CALLEE_BUSY");
}

TEST(RemoteFailure, IsRelayedByTheRules) {
  const auto relayed = [](int code) { return Failure::from_response(code, "").relayed_code(); };
  EXPECT_EQ(relayed(401), 403);
  EXPECT_EQ(relayed(407), 403);
  EXPECT_EQ(relayed(503), 500);
  EXPECT_EQ(relayed(302), 480);
  for (const int code :
       {400, 403, 404, 408, 480, 484, 486, 487, 488, 500, 502, 504, 600, 603, 604, 699}) {
    EXPECT_EQ(relayed(code), code);
  }
}

TEST(RemoteFailure, OfAnImpossibleCodeIsRelayedAsAFailure) {
  for (const int code : {-5, 0, 100, 200, 700})
    EXPECT_EQ(Failure::from_response(code, "").relayed_code(), 500);
}

TEST(RemoteFailure, Of487WithoutOurCancelMeansThatThePeerGaveUp) {
  const Failure failure = Failure::from_response(487, "Request Terminated");
  EXPECT_EQ(failure.grpc_code(), GrpcCode::aborted);
  EXPECT_EQ(failure.grpc_reason(), "CALL_ABANDONED_BY_PEER");
}

TEST(RemoteFailure, Of603TellsTheNetworksRefusalFromThePersons) {
  EXPECT_EQ(Failure::from_response(603, "network blocked").grpc_reason(),
            "CALL_BLOCKED_BY_NETWORK");
  EXPECT_EQ(Failure::from_response(603, "Decline").grpc_reason(), "CALLEE_DECLINED");
}

TEST(RemoteFailure, KeepsABoundedPhraseAndCutsNoCharacter) {
  EXPECT_EQ(Failure::from_response(486, std::string(5000, 'x')).phrase.size(), 128u);
  std::string umlauts(127, 'x');
  for (int i = 0; i < 10; ++i)
    umlauts += "\xc3\xbc";
  EXPECT_EQ(Failure::from_response(486, umlauts).phrase, std::string(127, 'x'));
}

TEST(RemoteFailure, MakesAReasonFromThePhraseWithoutForgingFields) {
  EXPECT_EQ(Failure::from_response(486, "Busy").reason_header(), "SIP;cause=486;text=\"Busy\"");
  EXPECT_EQ(Failure::from_response(486, "").reason_header(), "SIP;cause=486;text=\"Busy Here\"");
  EXPECT_EQ(Failure::from_response(480, "a\"b\r\nVia: x").reason_header(),
            "SIP;cause=480;text=\"a\\\"b  Via: x\"");
}

TEST(LocalFailure, TellsTheCallerWhatTheTableSays) {
  const auto relayed = [](EndReason reason) { return Failure::local(reason).relayed_code(); };
  EXPECT_EQ(relayed(EndReason::no_route), 404);
  EXPECT_EQ(relayed(EndReason::not_registered), 480);
  EXPECT_EQ(relayed(EndReason::trunk_unreachable), 500);
  EXPECT_EQ(relayed(EndReason::trunk_tls), 500);
  EXPECT_EQ(relayed(EndReason::no_response), 408);
  EXPECT_EQ(relayed(EndReason::ring_timeout), 480);
  EXPECT_EQ(relayed(EndReason::draining), 503);
  EXPECT_EQ(relayed(EndReason::limit), 503);
  EXPECT_EQ(relayed(EndReason::no_ports), 503);
  EXPECT_EQ(relayed(EndReason::no_codec), 488);
  EXPECT_EQ(relayed(EndReason::bad_offer), 400);
  EXPECT_EQ(relayed(EndReason::cancelled), 487);
  EXPECT_EQ(relayed(EndReason::internal), 500);
}

TEST(LocalFailure, CarriesTheCodeThatCausedItNotTheRelayedOne) {
  EXPECT_EQ(Failure::local(EndReason::trunk_unreachable).sip_code, 503);
  EXPECT_EQ(Failure::local(EndReason::trunk_tls).sip_code, 503);
  EXPECT_EQ(Failure::local(EndReason::ring_timeout).sip_code, 408);
  EXPECT_EQ(Failure::local(EndReason::hangup).sip_code, 200);
}

TEST(LocalFailure, HasTheGrpcFacesOfTheDocument) {
  const auto expect = [](EndReason reason, GrpcCode code, std::string_view text) {
    EXPECT_EQ(Failure::local(reason).grpc_code(), code) << end_reason_label(reason);
    EXPECT_EQ(Failure::local(reason).grpc_reason(), text);
  };
  expect(EndReason::hangup, GrpcCode::ok, "");
  expect(EndReason::not_registered, GrpcCode::not_found, "USER_NOT_REGISTERED");
  expect(EndReason::trunk_unreachable, GrpcCode::unavailable, "TRUNK_UNREACHABLE");
  expect(EndReason::trunk_tls, GrpcCode::failed_precondition, "TRUNK_TLS");
  expect(EndReason::no_response, GrpcCode::deadline_exceeded, "TRUNK_NO_RESPONSE");
  expect(EndReason::ring_timeout, GrpcCode::deadline_exceeded, "NO_ANSWER");
  expect(EndReason::draining, GrpcCode::unavailable, "DRAINING");
  expect(EndReason::limit, GrpcCode::resource_exhausted, "GATEWAY_CAPACITY");
  expect(EndReason::ice_failed, GrpcCode::failed_precondition, "MEDIA_ICE_FAILED");
  expect(EndReason::dtls_failed, GrpcCode::failed_precondition, "MEDIA_DTLS_FAILED");
  expect(EndReason::media_timeout, GrpcCode::aborted, "MEDIA_TIMEOUT");
  expect(EndReason::browser_lost, GrpcCode::aborted, "BROWSER_LOST");
  expect(EndReason::internal, GrpcCode::internal, "INTERNAL_INVARIANT");
}

TEST(LocalFailure, OnlyOurOwnBugIsInternal) {
  for (const EndReason reason : all_reasons()) {
    const bool internal = Failure::local(reason).grpc_code() == GrpcCode::internal;
    EXPECT_EQ(internal, reason == EndReason::internal) << end_reason_label(reason);
  }
}

TEST(LocalFailure, ACancelledCallTellsWhoCancelled) {
  Failure failure = Failure::local(EndReason::cancelled);
  EXPECT_EQ(failure.grpc_code(), GrpcCode::cancelled);
  EXPECT_EQ(failure.grpc_reason(), "CALL_CANCELLED");
  failure.ended_by = EndedBy::caller;
  EXPECT_EQ(failure.grpc_reason(), "CALLER_HUNG_UP");
}

TEST(LocalFailure, ACommandedRejectionIsRelayedAsItIs) {
  Failure failure = Failure::local(EndReason::rejected);
  EXPECT_EQ(failure.relayed_code(), 603);
  failure.sip_code = 503;
  EXPECT_EQ(failure.relayed_code(), 503);
}

TEST(LocalFailure, Every503OfOursSaysWhenToComeBack) {
  for (const EndReason reason : all_reasons()) {
    const Failure failure = Failure::local(reason);
    EXPECT_EQ(failure.retry_after.has_value(), failure.relayed_code() == 503)
        << end_reason_label(reason);
  }
}

TEST(LocalFailure, HasAFaultForEveryReason) {
  EXPECT_EQ(Failure::local(EndReason::hangup).fault(), Fault::success);
  EXPECT_EQ(Failure::local(EndReason::not_registered).fault(), Fault::user);
  EXPECT_EQ(Failure::local(EndReason::no_route).fault(), Fault::client);
  EXPECT_EQ(Failure::local(EndReason::no_ports).fault(), Fault::server);
  EXPECT_EQ(Failure::local(EndReason::no_response).fault(), Fault::upstream);
  EXPECT_EQ(Failure::local(EndReason::media_timeout).fault(), Fault::indeterminate);
}

// RFC 3326 §2: each end of ours has a Reason [status-map]
TEST(ReasonHeader, OfEveryReasonIsOneWellFormedValue) {
  for (const EndReason reason : all_reasons()) {
    const std::string value = Failure::local(reason).reason_header();
    const auto parsed = sip::Reason::parse(value);
    ASSERT_TRUE(parsed) << value;
    EXPECT_TRUE(parsed->protocol == "SIP" || parsed->protocol == "Q.850") << value;
    EXPECT_GT(parsed->cause, 0) << value;
    EXPECT_FALSE(parsed->text_phrase.empty()) << value;
  }
}

TEST(ReasonHeader, NamesTheUsualCauses) {
  EXPECT_EQ(Failure::local(EndReason::hangup).reason_header(),
            "Q.850;cause=16;text=\"Normal call clearing\"");
  EXPECT_EQ(Failure::local(EndReason::cancelled).reason_header(),
            "SIP;cause=487;text=\"Request Terminated\"");
  EXPECT_THAT(Failure::local(EndReason::ack_missing).reason_header(), HasSubstr("Q.850;cause=102"));
  EXPECT_THAT(Failure::local(EndReason::draining).reason_header(), HasSubstr("Q.850;cause=31"));
}

}  // namespace
}  // namespace trunkline::call
