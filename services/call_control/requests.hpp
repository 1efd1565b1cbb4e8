#pragma once
#include "call/control.hpp"

#include "call_control/validation.hpp"
#include "trunkline/v1/call_policy_service.pb.h"
#include "trunkline/v1/call_service.pb.h"
#include "trunkline/v1/node_service.pb.h"
#include "trunkline/v1/registration_service.pb.h"
#include "trunkline/v1/routing_service.pb.h"
#include "trunkline/v1/trunk_service.pb.h"

/// Requests of clients as requests to the gateway; what is wrong with them is added to the
/// violations, and the value then means nothing. Pure.
namespace trunkline::call_control {

call::CreateCall read(const v1::CreateCallRequest& request, Violations& wrong);
call::AnswerCall read(const v1::AnswerCallRequest& request, Violations& wrong);
call::RejectCall read(const v1::RejectCallRequest& request, Violations& wrong);
call::HangupCall read(const v1::HangupCallRequest& request, Violations& wrong);
call::HoldCall read(const v1::HoldCallRequest& request, Violations& wrong);
call::ResumeCall read(const v1::ResumeCallRequest& request, Violations& wrong);
call::MuteCall read(const v1::MuteCallRequest& request, Violations& wrong);
call::MuteCall read(const v1::UnmuteCallRequest& request, Violations& wrong);
call::SendDtmf read(const v1::SendDtmfRequest& request, Violations& wrong);
call::TransferCall read(const v1::TransferCallRequest& request, Violations& wrong);
call::AttendedTransfer read(const v1::AttendedTransferCallRequest& request, Violations& wrong);
call::GetStatistics read(const v1::GetCallStatsRequest& request, Violations& wrong);
call::GetTrace read(const v1::GetCallTraceRequest& request, Violations& wrong);
call::ListRegistrations read(const v1::ListRegistrationsRequest& request, Violations& wrong);
call::ListRegistrations read(const v1::GetRegistrationRequest& request, Violations& wrong);
call::DeleteRegistration read(const v1::DeleteRegistrationRequest& request, Violations& wrong);
call::CreateCredential read(const v1::CreateCredentialRequest& request, Violations& wrong);
call::SetTrunkEnabled read(const v1::EnableTrunkRequest& request, Violations& wrong);
call::SetTrunkEnabled read(const v1::DisableTrunkRequest& request, Violations& wrong);
call::PingTrunk read(const v1::PingTrunkRequest& request, Violations& wrong);
call::ExplainRoute read(const v1::ExplainRouteRequest& request, Violations& wrong);
call::Drain read(const v1::DrainRequest& request, Violations& wrong);
/// Answers of the policy service.
call::PolicyAnswer read(const v1::RouteCallResponse& answer, Violations& wrong);
call::PolicyAnswer read(const v1::AuthenticateUserResponse& answer, Violations& wrong);

}  // namespace trunkline::call_control
