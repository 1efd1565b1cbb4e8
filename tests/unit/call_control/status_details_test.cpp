#include "call_control/status_details.hpp"

#include "trunkline/v1/status.pb.h"
#include "unit/call_control/details.hpp"
#include <gtest/gtest.h>

namespace trunkline::call_control {
namespace {

using call::EndReason;
using call::Failure;
using call::GrpcCode;
using call::Refusal;

FailureScene scene() {
  FailureScene scene;
  scene.call_id = "c1";
  scene.trunk = "carrier";
  scene.leg_id = "to";
  scene.sip_call_id = "abc@gw";
  return scene;
}

TEST(StatusDetailsTest, each_row_of_the_table_has_its_code_reason_and_details) {
  for (const call::StatusMapping& row : call::all_status_mappings()) {
    if (row.sip_code < 300 || row.sip_code == 487) continue;
    SCOPED_TRACE(row.sip_code);
    const Failure failure =
        Failure::from_response(row.sip_code, std::string(row.sip_name), std::uint32_t{17});
    const Rejection made = reject(failure, scene());
    EXPECT_EQ(made.status.code(), static_cast<int>(row.grpc_code));
    EXPECT_EQ(made.pushback.milliseconds, -1);
    const auto info = detail<google::rpc::ErrorInfo>(made.status);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->reason(), row.reason);
    EXPECT_EQ(info->domain(), "trunkline");
    EXPECT_EQ(info->metadata().at("leg"), "to");
    EXPECT_EQ(info->metadata().at("trunk"), "carrier");
    const auto sip = detail<v1::SipStatus>(made.status);
    ASSERT_TRUE(sip);
    EXPECT_EQ(sip->code(), row.sip_code);
    EXPECT_EQ(sip->reason_phrase(), row.sip_name);
    EXPECT_EQ(sip->origin(), v1::ORIGIN_REMOTE);
    EXPECT_EQ(sip->retry_after().seconds(), 17);
    EXPECT_EQ(sip->sip_call_id(), "abc@gw");
    const auto retry = detail<google::rpc::RetryInfo>(made.status);
    EXPECT_EQ(retry.has_value(), row.retry != call::RetrySource::none);
    if (row.retry == call::RetrySource::retry_after) {
      EXPECT_EQ(retry->retry_delay().seconds(), 17);
    }
    EXPECT_EQ(detail<google::rpc::QuotaFailure>(made.status).has_value(),
              row.grpc_code == GrpcCode::resource_exhausted);
  }
}

TEST(StatusDetailsTest, unregistered_codes_have_a_reason_of_their_number) {
  const Rejection made = reject(Failure::from_response(499, "Odd"), scene());
  EXPECT_EQ(made.status.code(), static_cast<int>(GrpcCode::invalid_argument));
  EXPECT_EQ(reason_of(made.status), "SIP_499");
}

TEST(StatusDetailsTest, no_retry_time_without_a_retry_after) {
  const auto status = failure_status(Failure::from_response(486, "Busy Here"), scene());
  EXPECT_FALSE(detail<google::rpc::RetryInfo>(status));
}

TEST(StatusDetailsTest, credentials_that_a_peer_rejects_are_those_of_the_trunk) {
  for (const int code : {401, 407}) {
    const auto status = failure_status(Failure::from_response(code, "No"), scene());
    const auto info = detail<google::rpc::ErrorInfo>(status);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->metadata().at("credentials_source"), "trunk");
  }
}

TEST(StatusDetailsTest, the_failed_from_leg_is_named) {
  FailureScene at = scene();
  at.from_leg = true;
  const auto info =
      detail<google::rpc::ErrorInfo>(failure_status(Failure::from_response(486, "Busy"), at));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->metadata().at("leg"), "from");
}

TEST(StatusDetailsTest, a_normal_end_has_no_status) {
  const auto status = failure_status(Failure::local(EndReason::hangup), scene());
  EXPECT_EQ(status.code(), 0);
  EXPECT_EQ(status.details_size(), 0);
}

TEST(StatusDetailsTest, what_the_gateway_found_is_local) {
  const auto status = failure_status(Failure::local(EndReason::ring_timeout), scene());
  EXPECT_EQ(status.code(), static_cast<int>(GrpcCode::deadline_exceeded));
  EXPECT_EQ(reason_of(status), "NO_ANSWER");
  EXPECT_EQ(detail<v1::SipStatus>(status)->origin(), v1::ORIGIN_LOCAL);
}

TEST(StatusDetailsTest, nobody_is_redialled_once_an_invite_may_have_left) {
  for (int reason = 0; reason < static_cast<int>(EndReason::count_); ++reason) {
    const Failure failure = Failure::local(static_cast<EndReason>(reason));
    EXPECT_EQ(reject(failure, scene()).pushback.milliseconds, -1);
  }
}

TEST(StatusDetailsTest, a_library_may_try_again_where_nothing_has_left) {
  FailureScene before = scene();
  before.invite_may_have_left = false;
  EXPECT_GE(reject(Failure::local(EndReason::trunk_unreachable), before).pushback.milliseconds,
            500);
  const Rejection draining = reject(Failure::local(EndReason::draining), before);
  const auto retry = detail<google::rpc::RetryInfo>(draining.status);
  ASSERT_TRUE(retry);
  EXPECT_EQ(draining.pushback.milliseconds, retry->retry_delay().seconds() * 1000);
  EXPECT_EQ(reject(Failure::local(EndReason::not_registered), before).pushback.milliseconds, -1);
}

TEST(StatusDetailsTest, our_own_capacity_is_a_quota) {
  const auto status = failure_status(Failure::local(EndReason::limit), scene());
  EXPECT_EQ(status.code(), static_cast<int>(GrpcCode::resource_exhausted));
  const auto quota = detail<google::rpc::QuotaFailure>(status);
  ASSERT_TRUE(quota);
  EXPECT_EQ(quota->violations(0).subject(), "node");
  EXPECT_TRUE(detail<google::rpc::RetryInfo>(status));
}

TEST(StatusDetailsTest, phrases_that_are_not_utf8_are_made_so) {
  const auto status = failure_status(Failure::from_response(486, "Besetzt \xfc"), scene());
  EXPECT_EQ(detail<v1::SipStatus>(status)->reason_phrase(), "Besetzt \xef\xbf\xbd");
}

TEST(StatusDetailsTest, all_that_the_response_said_is_shown) {
  Failure failure = Failure::from_response(302, "Moved", 5);
  failure.phase = call::Phase::ringing;
  failure.detail.q850_cause = 34;
  failure.detail.q850_text = "No circuit \xff";
  failure.detail.warnings = {"first", "second \xff"};
  failure.detail.contacts = {"sip:a@192.0.2.1", "sip:b@192.0.2.1"};
  failure.detail.facts = {{"min_se", "90"}};
  const auto status = failure_status(failure, scene());
  const auto sip = detail<v1::SipStatus>(status);
  ASSERT_TRUE(sip);
  EXPECT_EQ(sip->phase(), v1::PHASE_RINGING);
  EXPECT_EQ(sip->q850_cause(), 34);
  EXPECT_EQ(sip->q850_text(), "No circuit \xef\xbf\xbd");
  EXPECT_EQ(sip->warnings(1), "second \xef\xbf\xbd");
  EXPECT_EQ(sip->contacts_size(), 2);
  EXPECT_EQ(sip->contacts(0), "sip:a@192.0.2.1");
  const auto info = detail<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info->metadata().at("phase"), "ringing");
  EXPECT_EQ(info->metadata().at("q850_cause"), "34");
  EXPECT_EQ(info->metadata().at("min_se"), "90");
  EXPECT_FALSE(detail<google::rpc::Help>(status));
  EXPECT_FALSE(detail<google::rpc::QuotaFailure>(status));
}

TEST(StatusDetailsTest, a_trunk_without_room_is_a_quota_of_the_trunk) {
  Failure failure = Failure::from_response(503, "Service Unavailable", 30);
  failure.trunk_full = true;
  const Rejection made = reject(failure, scene());
  EXPECT_EQ(made.status.code(), static_cast<int>(GrpcCode::resource_exhausted));
  EXPECT_EQ(reason_of(made.status), "TRUNK_CAPACITY");
  EXPECT_EQ(detail<google::rpc::QuotaFailure>(made.status)->violations(0).subject(),
            "trunk:carrier");
  EXPECT_EQ(detail<google::rpc::RetryInfo>(made.status)->retry_delay().seconds(), 30);
  EXPECT_EQ(made.pushback.milliseconds, -1) << "an INVITE has left";
}

TEST(StatusDetailsTest, where_to_contest_a_block_is_help) {
  Failure failure = Failure::from_response(603, "Decline");
  failure.detail.blocked_by_network = true;
  failure.detail.redress = {"https://redress.example.test/x", "tel:+12155551212"};
  const auto status = failure_status(failure, scene());
  EXPECT_EQ(reason_of(status), "CALL_BLOCKED_BY_NETWORK");
  const auto help = detail<google::rpc::Help>(status);
  ASSERT_TRUE(help);
  ASSERT_EQ(help->links_size(), 2);
  EXPECT_EQ(help->links(0).url(), "https://redress.example.test/x");
  EXPECT_FALSE(help->links(0).description().empty());
}

TEST(StatusDetailsTest, refusals_have_the_codes_of_the_table) {
  struct Row {
    Refusal::Kind kind;
    GrpcCode code;
    int pushback;
  };
  for (const Row& row : {Row{Refusal::Kind::not_found, GrpcCode::not_found, -1},
                         Row{Refusal::Kind::invalid, GrpcCode::invalid_argument, -1},
                         Row{Refusal::Kind::wrong_state, GrpcCode::failed_precondition, -1},
                         Row{Refusal::Kind::conflict, GrpcCode::already_exists, -1},
                         Row{Refusal::Kind::in_progress, GrpcCode::aborted, 200},
                         Row{Refusal::Kind::capacity, GrpcCode::resource_exhausted, 3000},
                         Row{Refusal::Kind::unavailable, GrpcCode::unavailable, 3000},
                         Row{Refusal::Kind::unsupported, GrpcCode::unimplemented, -1}}) {
    Refusal refusal;
    refusal.kind = row.kind;
    refusal.reason = "SOME_REASON";
    refusal.field = "trunk";
    refusal.retry_after = 3;
    const Rejection made = reject(refusal);
    EXPECT_EQ(made.status.code(), static_cast<int>(row.code));
    EXPECT_EQ(made.pushback.milliseconds, row.pushback);
    EXPECT_EQ(reason_of(made.status), "SOME_REASON");
    const auto bad = detail<google::rpc::BadRequest>(made.status);
    EXPECT_EQ(bad.has_value(), row.kind == Refusal::Kind::invalid);
    if (bad) {
      EXPECT_EQ(bad->field_violations(0).field(), "trunk");
    }
  }
}

TEST(StatusDetailsTest, grpc_carries_the_whole_status) {
  const auto status = failure_status(Failure::from_response(603, "Decline"), scene());
  const grpc::Status on_wire = to_grpc(status);
  EXPECT_EQ(on_wire.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  google::rpc::Status again;
  ASSERT_TRUE(again.ParseFromString(on_wire.error_details()));
  EXPECT_EQ(reason_of(again), "CALLEE_DECLINED");
}

}  // namespace
}  // namespace trunkline::call_control
