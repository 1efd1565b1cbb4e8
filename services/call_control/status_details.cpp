#include "call_control/status_details.hpp"

#include "base/utf8.hpp"

#include "call_control/server.hpp"
#include "google/rpc/error_details.pb.h"
#include "trunkline/v1/status.pb.h"
#include <algorithm>
#include <map>

namespace trunkline::call_control {
namespace {

using call::EndReason;
using call::Failure;
using call::GrpcCode;
using call::Refusal;

/// RFC 3261 §14.1: who has made the Call-ID, as we have, waits 2.1 to 4 s after a 491.
constexpr std::uint32_t kGlareMilliseconds = 2100;
/// RFC 5626 §4.5: time for a browser or a peer to open its flow again.
constexpr std::uint32_t kFlowMilliseconds = 1000;
/// Two operations met: the other one has ended after this, mostly.
constexpr int kConflictPushback = 200;
/// Nothing was sent: a library may try again, not at once.
constexpr int kUnreachablePushback = 500;

template <class Detail>
void attach(google::rpc::Status& status, const Detail& detail) {
  status.add_details()->PackFrom(detail);
}

void attach_retry(google::rpc::Status& status, std::int64_t milliseconds) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(milliseconds / 1000);
  retry.mutable_retry_delay()->set_nanos(static_cast<std::int32_t>(milliseconds % 1000) * 1000000);
  attach(status, retry);
}

void attach_quota(google::rpc::Status& status, std::string subject, std::string description) {
  google::rpc::QuotaFailure quota;
  auto* violation = quota.add_violations();
  violation->set_subject(std::move(subject));
  violation->set_description(std::move(description));
  attach(status, quota);
}

google::rpc::Status make_status(GrpcCode code, std::string message,
                                const google::rpc::ErrorInfo& info) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(code));
  status.set_message(std::move(message));
  attach(status, info);
  return status;
}

v1::Phase phase_of(call::Phase phase) {
  switch (phase) {
    case call::Phase::no_response:
      return v1::PHASE_NO_RESPONSE;
    case call::Phase::trying:
      return v1::PHASE_TRYING;
    case call::Phase::ringing:
      return v1::PHASE_RINGING;
    case call::Phase::early_media:
      return v1::PHASE_EARLY_MEDIA;
    case call::Phase::answered:
      return v1::PHASE_ANSWERED;
    case call::Phase::count_:
      break;
  }
  return v1::PHASE_UNSPECIFIED;
}

/// Where a person may contest the block, as the response says.
void attach_help(google::rpc::Status& status, const Failure& failure) {
  if (failure.detail.redress.empty()) return;
  google::rpc::Help help;
  for (const std::string& uri : failure.detail.redress) {
    auto* link = help.add_links();
    link->set_description("contest the block of the call");
    link->set_url(to_utf8(uri));
  }
  attach(status, help);
}

std::string phrase_of(const Failure& failure) {
  if (!failure.phrase.empty()) return to_utf8(failure.phrase);
  return std::string(call::map_status(failure.sip_code).sip_name);
}

std::string describe(const Failure& failure, const FailureScene& scene) {
  const std::string leg = scene.from_leg ? " on the from leg" : "";
  if (!failure.remote) {
    const std::string who = failure.ended_by == call::EndedBy::api ? "the API" : "the gateway";
    return who + " ended the call" + leg + ": " +
           std::string(call::end_reason_label(failure.reason));
  }
  return "the peer answered " + std::to_string(failure.sip_code) + ' ' + phrase_of(failure) + leg;
}

google::rpc::ErrorInfo error_info(const Failure& failure, const FailureScene& scene) {
  google::rpc::ErrorInfo info;
  info.set_reason(failure.grpc_reason());
  info.set_domain(std::string(kErrorDomain));
  auto& metadata = *info.mutable_metadata();
  const auto say = [&metadata](const char* key, std::string_view value) {
    if (!value.empty()) metadata[key] = to_utf8(value);
  };
  say("sip_code", std::to_string(failure.sip_code));
  say("cause", call::end_reason_label(failure.reason));
  say("origin", failure.remote ? "remote" : "local");
  say("ended_by", call::ended_by_label(failure.ended_by));
  say("fault", call::fault_label(failure.fault()));
  say("leg", scene.from_leg ? "from" : "to");
  say("call_id", scene.call_id);
  say("trunk", scene.trunk);
  say("phase", call::phase_label(failure.phase));
  if (failure.detail.q850_cause != 0) say("q850_cause", std::to_string(failure.detail.q850_cause));
  for (const auto& [key, value] : failure.detail.facts)
    say(key.c_str(), value);
  if (failure.remote && (failure.sip_code == 401 || failure.sip_code == 407))
    say("credentials_source", "trunk");
  return info;
}

v1::SipStatus sip_status(const Failure& failure, const FailureScene& scene) {
  v1::SipStatus sip;
  sip.set_code(failure.sip_code);
  sip.set_reason_phrase(phrase_of(failure));
  sip.set_origin(failure.remote ? v1::ORIGIN_REMOTE : v1::ORIGIN_LOCAL);
  sip.set_phase(phase_of(failure.phase));
  sip.set_q850_cause(failure.detail.q850_cause);
  sip.set_q850_text(to_utf8(failure.detail.q850_text));
  for (const std::string& warning : failure.detail.warnings)
    sip.add_warnings(to_utf8(warning));
  for (const std::string& contact : failure.detail.contacts)
    sip.add_contacts(to_utf8(contact));
  if (failure.retry_after) sip.mutable_retry_after()->set_seconds(*failure.retry_after);
  sip.set_call_id(std::string(scene.call_id));
  sip.set_sip_call_id(to_utf8(scene.sip_call_id));
  sip.set_leg_id(std::string(scene.leg_id));
  sip.set_trunk(std::string(scene.trunk));
  return sip;
}

/// Milliseconds to wait before another attempt; nothing where the table knows no time.
std::optional<std::int64_t> retry_delay(const Failure& failure) {
  const std::optional<std::int64_t> told =
      failure.retry_after ? std::optional<std::int64_t>(std::int64_t{*failure.retry_after} * 1000)
                          : std::nullopt;
  if (!failure.remote) return told;
  switch (call::map_status(failure.sip_code).retry) {
    case call::RetrySource::none:
      return std::nullopt;
    case call::RetrySource::retry_after:
      return told;
    case call::RetrySource::computed:
      return failure.sip_code == 491 ? kGlareMilliseconds : kFlowMilliseconds;
  }
  return std::nullopt;
}

GrpcCode code_of(Refusal::Kind kind) {
  switch (kind) {
    case Refusal::Kind::not_found:
      return GrpcCode::not_found;
    case Refusal::Kind::invalid:
      return GrpcCode::invalid_argument;
    case Refusal::Kind::wrong_state:
      return GrpcCode::failed_precondition;
    case Refusal::Kind::conflict:
      return GrpcCode::already_exists;
    case Refusal::Kind::in_progress:
      return GrpcCode::aborted;
    case Refusal::Kind::capacity:
      return GrpcCode::resource_exhausted;
    case Refusal::Kind::unavailable:
      return GrpcCode::unavailable;
    case Refusal::Kind::unsupported:
      return GrpcCode::unimplemented;
  }
  return GrpcCode::internal;
}

/// A refusal means that nothing has left, so a library may come back where that can help.
Pushback pushback_of(const Refusal& refusal) {
  switch (refusal.kind) {
    case Refusal::Kind::in_progress:
      return {kConflictPushback};
    case Refusal::Kind::capacity:
    case Refusal::Kind::unavailable:
      return {refusal.retry_after ? static_cast<int>(*refusal.retry_after * 1000)
                                  : kUnreachablePushback};
    case Refusal::Kind::not_found:
    case Refusal::Kind::invalid:
    case Refusal::Kind::wrong_state:
    case Refusal::Kind::conflict:
    case Refusal::Kind::unsupported:
      break;
  }
  return {};
}

}  // namespace

google::rpc::Status failure_status(const Failure& failure, const FailureScene& scene) {
  const GrpcCode code = failure.grpc_code();
  if (code == GrpcCode::ok) return {};
  google::rpc::Status status =
      make_status(code, describe(failure, scene), error_info(failure, scene));
  attach(status, sip_status(failure, scene));
  if (const auto delay = retry_delay(failure)) attach_retry(status, *delay);
  if (code == GrpcCode::resource_exhausted) {
    attach_quota(status, failure.remote ? "trunk:" + std::string(scene.trunk) : "node",
                 status.message());
  }
  attach_help(status, failure);
  if (!scene.request_id.empty()) {
    google::rpc::RequestInfo request;
    request.set_request_id(std::string(scene.request_id));
    attach(status, request);
  }
  return status;
}

Rejection reject(const Failure& failure, const FailureScene& scene) {
  Rejection made{failure_status(failure, scene), {}};
  if (scene.invite_may_have_left) return made;
  switch (failure.reason) {
    case EndReason::trunk_unreachable:
      made.pushback = {kUnreachablePushback};
      break;
    case EndReason::limit:
    case EndReason::draining:
    case EndReason::no_ports:
      if (failure.retry_after) made.pushback = {static_cast<int>(*failure.retry_after * 1000)};
      break;
    default:
      break;
  }
  return made;
}

Rejection reject(const Refusal& refusal) {
  const GrpcCode code = code_of(refusal.kind);
  Rejection made = reject(code, refusal.reason, to_utf8(refusal.message), {}, refusal.retry_after);
  made.pushback = pushback_of(refusal);
  if (refusal.kind == Refusal::Kind::invalid) {
    google::rpc::BadRequest bad;
    auto* violation = bad.add_field_violations();
    violation->set_field(refusal.field);
    violation->set_description(to_utf8(refusal.message));
    attach(made.status, bad);
  }
  if (refusal.kind == Refusal::Kind::wrong_state) {
    google::rpc::PreconditionFailure precondition;
    auto* violation = precondition.add_violations();
    violation->set_type(refusal.reason);
    violation->set_description(to_utf8(refusal.message));
    attach(made.status, precondition);
  }
  if (code == GrpcCode::resource_exhausted) attach_quota(made.status, "node", refusal.message);
  return made;
}

Rejection reject(const std::vector<Violation>& violations) {
  google::rpc::BadRequest bad;
  std::string message;
  for (const Violation& violation : violations) {
    auto* field = bad.add_field_violations();
    field->set_field(violation.field);
    field->set_description(violation.description);
    message += (message.empty() ? "" : "; ") + violation.field + ": " + violation.description;
  }
  Rejection made = reject(GrpcCode::invalid_argument, "INVALID_REQUEST", std::move(message));
  attach(made.status, bad);
  return made;
}

Rejection reject(const ReloadRefused& refused) {
  Rejection made = refused.bad_file ? reject(GrpcCode::invalid_argument, "CONFIG_INVALID",
                                             to_utf8(refused.message))
                                    : reject(GrpcCode::failed_precondition, "CONFIG_NOT_APPLICABLE",
                                             to_utf8(refused.message));
  google::rpc::BadRequest bad;
  google::rpc::PreconditionFailure precondition;
  for (const auto& [key, wrong] : refused.violations) {
    if (refused.bad_file) {
      auto* violation = bad.add_field_violations();
      violation->set_field(to_utf8(key));
      violation->set_description(to_utf8(wrong));
    } else {
      auto* violation = precondition.add_violations();
      violation->set_type("CONFIG_NOT_APPLICABLE");
      violation->set_subject(to_utf8(key));
      violation->set_description(to_utf8(wrong));
    }
  }
  if (refused.violations.empty()) return made;
  refused.bad_file ? attach(made.status, bad) : attach(made.status, precondition);
  return made;
}

Rejection reject(GrpcCode code, std::string_view reason, std::string message,
                 std::initializer_list<std::pair<std::string_view, std::string_view>> metadata,
                 std::optional<std::uint32_t> retry_after) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kErrorDomain));
  for (const auto& [key, value] : metadata)
    (*info.mutable_metadata())[std::string(key)] = to_utf8(value);
  Rejection made{make_status(code, std::move(message), info), {}};
  if (retry_after) {
    attach_retry(made.status, std::int64_t{*retry_after} * 1000);
    made.pushback = {static_cast<int>(*retry_after * 1000)};
  }
  return made;
}

grpc::Status to_grpc(const google::rpc::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), status.message(),
          status.SerializeAsString()};
}

}  // namespace trunkline::call_control
