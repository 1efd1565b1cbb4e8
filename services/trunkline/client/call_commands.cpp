#include "client/call_words.hpp"
#include "client/options.hpp"
#include "client/session.hpp"
#include "client/table.hpp"
#include "client/wording.hpp"
#include <iostream>
#include <trunkline/v1/call_service.grpc.pb.h>

namespace trunkline::client {
namespace {

using Service = v1::CallService;
using Stub = v1::CallService::Stub;

v1::WaitUntil wait_until(const std::string& name) {
  if (name == "answered") return v1::WAIT_UNTIL_ANSWERED;
  if (name == "ringing") return v1::WAIT_UNTIL_RINGING;
  return v1::WAIT_UNTIL_CREATED;
}

v1::TransferMode transfer_mode(const std::string& name) {
  if (name == "refer") return v1::TRANSFER_MODE_REFER;
  if (name == "gateway") return v1::TRANSFER_MODE_GATEWAY;
  return v1::TRANSFER_MODE_AUTO;
}

/// One RPC on a call whose response has the call.
template <class Request, class Response>
int act(const Options& options,
        grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
        Request request, Waits waits = Waits::for_gateway) {
  const Session session(options);
  request.set_call_id(options.call);
  Response response;
  const grpc::Status status = session.ask<Service>(method, request, response, waits);
  return session.finish(status, response, [&] { print(response.call()); });
}

template <class Request>
Request with_leg(const Options& options) {
  Request request;
  request.set_leg_id(options.leg);
  return request;
}

template <class Request>
Request with_direction(const Options& options) {
  auto request = with_leg<Request>(options);
  request.set_direction(options.direction == "to" ? v1::MUTE_DIRECTION_TO_LEG
                                                  : v1::MUTE_DIRECTION_FROM_LEG);
  return request;
}

template <class Request>
Request with_code(const Options& options) {
  Request request;
  request.set_sip_code(options.sip_code);
  request.set_reason(options.reason);
  return request;
}

v1::CreateCallRequest create_request(const Options& options) {
  v1::CreateCallRequest request;
  request.set_request_id(options.request_id);
  request.set_from(options.from);
  request.set_to(options.to);
  request.set_trunk(options.trunk);
  request.set_wait_until(wait_until(options.wait));
  if (options.ring_timeout) set(*request.mutable_ring_timeout(), *options.ring_timeout);
  if (options.max_duration) set(*request.mutable_max_duration(), *options.max_duration);
  if (!options.caller_number.empty())
    request.mutable_caller_id()->set_number(options.caller_number);
  if (!options.caller_name.empty()) request.mutable_caller_id()->set_name(options.caller_name);
  if (options.anonymous) request.mutable_caller_id()->set_anonymous(true);
  for (const auto& [name, value] : options.headers) {
    v1::Header& header = *request.add_headers();
    header.set_name(name);
    header.set_value(value);
  }
  for (const auto& [key, value] : options.metadata)
    (*request.mutable_metadata())[key] = value;
  request.set_end_call_on_cancel(options.end_on_interrupt);
  return request;
}

std::string decimal(double value, int digits) {
  std::string text = std::to_string(value);
  return text.substr(0, text.find('.') + 1 + static_cast<std::size_t>(digits));
}

std::string packets(std::int64_t count, std::int64_t bytes) {
  return std::to_string(count) + " / " + std::to_string(bytes);
}

void print_stats(const v1::GetCallStatsResponse& stats) {
  Table table({"LEG", "CODEC", "SRTP", "RECEIVED / OCTETS", "SENT / OCTETS", "LOST", "DROPPED",
               "JITTER", "ROUND TRIP", "MOS"});
  for (const v1::LegStats& leg : stats.legs()) {
    table.row(
        {leg.leg_id(), leg.codec(), leg.srtp_profile(),
         packets(leg.packets_received(), leg.bytes_received()),
         packets(leg.packets_sent(), leg.bytes_sent()),
         std::to_string(leg.packets_lost()) + " of " + std::to_string(leg.packets_expected()),
         std::to_string(leg.packets_dropped()), decimal(leg.jitter_seconds() * 1000, 1) + " ms",
         leg.has_round_trip_seconds() ? decimal(leg.round_trip_seconds() * 1000, 1) + " ms" : "",
         leg.has_mos() ? decimal(leg.mos(), 2) : ""});
  }
  table.print(std::cout);
}

}  // namespace

int create_call(const Options& options) {
  if (options.from.empty() || options.to.empty())
    return usage_error("call FROM TO, or call VERB CALL; see trunkline call --help");
  const Session session(options);
  v1::CreateCallResponse response;
  const Waits waits = options.wait == "created" ? Waits::for_gateway : Waits::for_people;
  const grpc::Status status =
      session.ask<Service>(&Stub::CreateCall, create_request(options), response, waits);
  return session.finish(status, response, [&] { print(response.call()); });
}

int hang_up(const Options& options) {
  return act(options, &Stub::HangupCall, with_code<v1::HangupCallRequest>(options));
}

int reject_call(const Options& options) {
  return act(options, &Stub::RejectCall, with_code<v1::RejectCallRequest>(options));
}

int answer_call(const Options& options) {
  v1::AnswerCallRequest request;
  request.set_target(options.target);
  return act(options, &Stub::AnswerCall, std::move(request), Waits::for_people);
}

int hold_call(const Options& options) {
  return act(options, &Stub::HoldCall, with_leg<v1::HoldCallRequest>(options));
}

int resume_call(const Options& options) {
  return act(options, &Stub::ResumeCall, with_leg<v1::ResumeCallRequest>(options));
}

int mute_call(const Options& options) {
  return act(options, &Stub::MuteCall, with_direction<v1::MuteCallRequest>(options));
}

int unmute_call(const Options& options) {
  return act(options, &Stub::UnmuteCall, with_direction<v1::UnmuteCallRequest>(options));
}

int send_dtmf(const Options& options) {
  const Session session(options);
  auto request = with_leg<v1::SendDtmfRequest>(options);
  request.set_call_id(options.call);
  request.set_digits(options.digits);
  if (options.tone_duration) set(*request.mutable_tone_duration(), *options.tone_duration);
  v1::SendDtmfResponse response;
  const grpc::Status status =
      session.ask<Service>(&Stub::SendDtmf, request, response, Waits::for_people);
  return session.finish(status, response, [] { std::cout << "sent\n"; });
}

int transfer_call(const Options& options) {
  if (!options.consult_call.empty()) {
    auto request = with_leg<v1::AttendedTransferCallRequest>(options);
    request.set_consult_call_id(options.consult_call);
    return act(options, &Stub::AttendedTransferCall, std::move(request), Waits::for_people);
  }
  if (options.target.empty())
    return usage_error("call transfer CALL TARGET, or call transfer CALL --with CALL");
  auto request = with_leg<v1::TransferCallRequest>(options);
  request.set_target(options.target);
  request.set_mode(transfer_mode(options.mode));
  if (options.ring_timeout) set(*request.mutable_ring_timeout(), *options.ring_timeout);
  return act(options, &Stub::TransferCall, std::move(request), Waits::for_people);
}

int call_stats(const Options& options) {
  const Session session(options);
  v1::GetCallStatsRequest request;
  request.set_call_id(options.call);
  v1::GetCallStatsResponse response;
  const grpc::Status status = session.ask<Service>(&Stub::GetCallStats, request, response);
  return session.finish(status, response, [&] { print_stats(response); });
}

}  // namespace trunkline::client
