#include "call_control/requests.hpp"

namespace trunkline::call_control {
namespace {

using Presence = Violations::Presence;
using std::chrono::seconds;

constexpr Duration kLeastRing = seconds{1};
constexpr Duration kLeastTone = milliseconds{40};
constexpr Duration kMostTone = seconds{2};
/// Ten years: what is longer than the configured maximum is cut down to it later.
constexpr Duration kMostTtl = std::chrono::hours{24 * 3650};
constexpr std::size_t kHa1Size = 32;

template <class Message>
std::string call_id(const Message& request, Violations& wrong) {
  wrong.check_name("call_id", request.call_id(), Presence::required);
  return request.call_id();
}

template <class Message>
call::LegName leg_name(const Message& request, Violations& wrong) {
  wrong.check_name("leg_id", request.leg_id(), Presence::optional);
  return {call_id(request, wrong), request.leg_id()};
}

template <class Message>
std::optional<Duration> ring_timeout(const Message& request, Violations& wrong) {
  if (!request.has_ring_timeout()) return std::nullopt;
  return wrong.check_duration("ring_timeout", request.ring_timeout(), kLeastRing, kMaxRing);
}

call::CallerId caller_id(std::string_view field, const v1::CallerId& given, Violations& wrong) {
  wrong.check_number(std::string(field) + ".number", given.number(), Presence::optional);
  wrong.check_text(std::string(field) + ".name", given.name(), kMaxDisplayName);
  return {given.number(), given.name(), given.anonymous()};
}

template <class Headers>
std::vector<call::HeaderField> headers(const std::string& field, const Headers& given,
                                       Violations& wrong) {
  std::vector<call::HeaderField> out;
  if (static_cast<std::size_t>(given.size()) > kMaxHeaders) {
    wrong.add(field, "has more than " + std::to_string(kMaxHeaders) + " entries");
    return out;
  }
  for (const v1::Header& header : given) {
    wrong.check_header(field + '[' + std::to_string(out.size()) + ']', header.name(),
                       header.value());
    out.push_back({header.name(), header.value()});
  }
  return out;
}

template <class Map>
std::map<std::string, std::string> metadata(const Map& given, Violations& wrong) {
  std::map<std::string, std::string> out;
  if (static_cast<std::size_t>(given.size()) > kMaxMetadata) {
    wrong.add("metadata", "has more than " + std::to_string(kMaxMetadata) + " entries");
    return out;
  }
  for (const auto& [key, value] : given) {
    if (key.empty()) wrong.add("metadata", "has an empty key");
    wrong.check_text("metadata", key, kMaxMetadataKey);
    wrong.check_text("metadata[" + key + ']', value, kMaxMetadataValue);
    out.emplace(key, value);
  }
  return out;
}

call::MuteDirection direction(v1::MuteDirection given, Violations& wrong) {
  switch (given) {
    case v1::MUTE_DIRECTION_UNSPECIFIED:
    case v1::MUTE_DIRECTION_FROM_LEG:
      return call::MuteDirection::from_leg;
    case v1::MUTE_DIRECTION_TO_LEG:
      return call::MuteDirection::to_leg;
    default:
      wrong.add("direction", "is not known");
      return {};
  }
}

call::TransferMode mode(v1::TransferMode given, Violations& wrong) {
  switch (given) {
    case v1::TRANSFER_MODE_UNSPECIFIED:
    case v1::TRANSFER_MODE_AUTO:
      return call::TransferMode::automatic;
    case v1::TRANSFER_MODE_REFER:
      return call::TransferMode::refer;
    case v1::TRANSFER_MODE_GATEWAY:
      return call::TransferMode::gateway;
    default:
      wrong.add("mode", "is not known");
      return {};
  }
}

call::GetTrace::Format format(v1::TraceFormat given, Violations& wrong) {
  switch (given) {
    case v1::TRACE_FORMAT_UNSPECIFIED:
    case v1::TRACE_FORMAT_TEXT:
      return call::GetTrace::Format::text;
    case v1::TRACE_FORMAT_JSON:
      return call::GetTrace::Format::json;
    case v1::TRACE_FORMAT_PCAPNG:
      return call::GetTrace::Format::pcapng;
    default:
      wrong.add("format", "is not known");
      return {};
  }
}

call::PolicyRejection rejection(const v1::PolicyReject& given, Violations& wrong) {
  wrong.check_refusal_code("reject.sip_code", given.sip_code());
  wrong.check_text("reject.reason", given.reason(), kMaxReason);
  call::PolicyRejection out;
  if (given.sip_code() != 0) out.sip_code = given.sip_code();
  out.reason = given.reason();
  return out;
}

}  // namespace

call::CreateCall read(const v1::CreateCallRequest& request, Violations& wrong) {
  call::CreateCall out;
  wrong.check_request_id("request_id", request.request_id());
  wrong.check_party("from", request.from());
  wrong.check_party("to", request.to());
  wrong.check_name("trunk", request.trunk(), Presence::optional);
  if (!v1::WaitUntil_IsValid(request.wait_until())) wrong.add("wait_until", "is not known");
  out.request_id = request.request_id();
  out.from = request.from();
  out.to = request.to();
  out.trunk = request.trunk();
  out.ring_timeout = ring_timeout(request, wrong);
  if (request.has_max_duration())
    out.max_duration =
        wrong.check_duration("max_duration", request.max_duration(), seconds{1}, kMaxCall);
  out.caller_id = caller_id("caller_id", request.caller_id(), wrong);
  out.headers = headers("headers", request.headers(), wrong);
  out.metadata = metadata(request.metadata(), wrong);
  return out;
}

call::AnswerCall read(const v1::AnswerCallRequest& request, Violations& wrong) {
  wrong.check_party("target", request.target(), Presence::optional);
  return {call_id(request, wrong), request.target()};
}

call::RejectCall read(const v1::RejectCallRequest& request, Violations& wrong) {
  wrong.check_refusal_code("sip_code", request.sip_code());
  wrong.check_text("reason", request.reason(), kMaxReason);
  call::RejectCall out;
  out.call = call_id(request, wrong);
  if (request.sip_code() != 0) out.sip_code = request.sip_code();
  out.reason = request.reason();
  return out;
}

call::HangupCall read(const v1::HangupCallRequest& request, Violations& wrong) {
  wrong.check_refusal_code("sip_code", request.sip_code());
  wrong.check_text("reason", request.reason(), kMaxReason);
  return {call_id(request, wrong), request.sip_code(), request.reason()};
}

call::HoldCall read(const v1::HoldCallRequest& request, Violations& wrong) {
  return {leg_name(request, wrong)};
}

call::ResumeCall read(const v1::ResumeCallRequest& request, Violations& wrong) {
  return {leg_name(request, wrong)};
}

call::MuteCall read(const v1::MuteCallRequest& request, Violations& wrong) {
  return {leg_name(request, wrong), direction(request.direction(), wrong), true};
}

call::MuteCall read(const v1::UnmuteCallRequest& request, Violations& wrong) {
  return {leg_name(request, wrong), direction(request.direction(), wrong), false};
}

call::SendDtmf read(const v1::SendDtmfRequest& request, Violations& wrong) {
  wrong.check_digits("digits", request.digits());
  call::SendDtmf out;
  out.on = leg_name(request, wrong);
  out.digits = request.digits();
  if (request.has_tone_duration()) {
    const auto length =
        wrong.check_duration("tone_duration", request.tone_duration(), kLeastTone, kMostTone);
    if (length) {
      out.duration_ms =
          static_cast<std::uint32_t>(std::chrono::duration_cast<milliseconds>(*length).count());
    }
  }
  return out;
}

call::TransferCall read(const v1::TransferCallRequest& request, Violations& wrong) {
  wrong.check_party("target", request.target());
  return {leg_name(request, wrong), request.target(), mode(request.mode(), wrong),
          ring_timeout(request, wrong)};
}

call::AttendedTransfer read(const v1::AttendedTransferCallRequest& request, Violations& wrong) {
  wrong.check_name("consult_call_id", request.consult_call_id(), Presence::required);
  if (request.consult_call_id() == request.call_id() && !request.call_id().empty())
    wrong.add("consult_call_id", "is the call itself");
  return {leg_name(request, wrong), request.consult_call_id()};
}

call::GetStatistics read(const v1::GetCallStatsRequest& request, Violations& wrong) {
  return {call_id(request, wrong)};
}

call::GetTrace read(const v1::GetCallTraceRequest& request, Violations& wrong) {
  return {call_id(request, wrong), format(request.format(), wrong)};
}

call::ListRegistrations read(const v1::ListRegistrationsRequest& request, Violations& wrong) {
  wrong.check_number("user", request.user(), Presence::optional);
  return {request.user()};
}

call::ListRegistrations read(const v1::GetRegistrationRequest& request, Violations& wrong) {
  wrong.check_number("user", request.user(), Presence::required);
  wrong.check_name("registration_id", request.registration_id(), Presence::optional);
  return {request.user()};
}

call::DeleteRegistration read(const v1::DeleteRegistrationRequest& request, Violations& wrong) {
  wrong.check_number("user", request.user(), Presence::required);
  wrong.check_name("registration_id", request.registration_id(), Presence::optional);
  return {request.user(), request.registration_id()};
}

call::CreateCredential read(const v1::CreateCredentialRequest& request, Violations& wrong) {
  wrong.check_number("user", request.user(), Presence::required);
  call::CreateCredential out;
  out.user = request.user();
  if (request.has_ttl()) {
    out.ttl = wrong.check_duration("ttl", request.ttl(), seconds{1}, kMostTtl).value_or(Duration{});
  }
  return out;
}

call::SetTrunkEnabled read(const v1::EnableTrunkRequest& request, Violations& wrong) {
  wrong.check_name("trunk", request.trunk(), Presence::required);
  return {request.trunk(), true};
}

call::SetTrunkEnabled read(const v1::DisableTrunkRequest& request, Violations& wrong) {
  wrong.check_name("trunk", request.trunk(), Presence::required);
  return {request.trunk(), false};
}

call::PingTrunk read(const v1::PingTrunkRequest& request, Violations& wrong) {
  wrong.check_name("trunk", request.trunk(), Presence::required);
  return {request.trunk()};
}

call::ExplainRoute read(const v1::ExplainRouteRequest& request, Violations& wrong) {
  wrong.check_target("from", request.from(), Presence::optional);
  wrong.check_party("to", request.to());
  wrong.check_text("source", request.source(), kMaxId);
  return {request.from(), request.to(), request.source()};
}

call::Drain read(const v1::DrainRequest& request, Violations& wrong) {
  if (!request.has_timeout()) return {};
  return {wrong.check_duration("timeout", request.timeout(), Duration{}, kMaxCall)};
}

call::PolicyAnswer read(const v1::RouteCallResponse& answer, Violations& wrong) {
  switch (answer.decision_case()) {
    case v1::RouteCallResponse::kRoute: {
      const v1::PolicyRoute& route = answer.route();
      const auto count = static_cast<std::size_t>(route.targets_size());
      if (count == 0 || count > kMaxTargets)
        wrong.add("route.targets", "has not 1 to " + std::to_string(kMaxTargets) + " entries");
      call::RouteTargets out;
      for (const std::string& target : route.targets()) {
        wrong.check_target("route.targets", target);
        out.targets.push_back(target);
      }
      out.caller_id = caller_id("route.caller_id", route.caller_id(), wrong);
      out.headers = headers("route.headers", route.headers(), wrong);
      return out;
    }
    case v1::RouteCallResponse::kPark: {
      call::Park out;
      if (answer.park().has_timeout()) {
        out.timeout =
            wrong.check_duration("park.timeout", answer.park().timeout(), kLeastRing, kMaxRing)
                .value_or(Duration{});
      }
      return out;
    }
    case v1::RouteCallResponse::kReject:
      return rejection(answer.reject(), wrong);
    case v1::RouteCallResponse::DECISION_NOT_SET:
      break;
  }
  wrong.add("decision", "is missing");
  return call::PolicyFailed{};
}

call::PolicyAnswer read(const v1::AuthenticateUserResponse& answer, Violations& wrong) {
  switch (answer.decision_case()) {
    case v1::AuthenticateUserResponse::kHa1:
      if (answer.ha1().size() != kHa1Size ||
          answer.ha1().find_first_not_of("0123456789abcdef") != std::string::npos)
        wrong.add("ha1", "is not of 32 hexadecimal digits in lower case");
      return call::Ha1{answer.ha1()};
    case v1::AuthenticateUserResponse::kReject:
      return rejection(answer.reject(), wrong);
    case v1::AuthenticateUserResponse::DECISION_NOT_SET:
      break;
  }
  wrong.add("decision", "is missing");
  return call::PolicyFailed{};
}

}  // namespace trunkline::call_control
