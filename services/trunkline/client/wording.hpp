#pragma once
#include "client/options.hpp"
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <string>
#include <trunkline/v1/call.pb.h>
#include <trunkline/v1/node_service.pb.h>
#include <trunkline/v1/registration_service.pb.h>
#include <trunkline/v1/status.pb.h>
#include <trunkline/v1/trunk_service.pb.h>

/// Values of the API as people write them.
namespace trunkline::client {

/// Values of enums without the name of their type, in lower case: CALL_STATE_EARLY_MEDIA is
/// "early media".
std::string word(v1::CallState state);
std::string word(v1::EndedBy ended_by);
std::string word(v1::Fault fault);
std::string word(v1::Phase phase);
std::string word(v1::TrunkState state);
std::string word(v1::RegistrationChange change);

/// "1.5 s", "2:05", "1:02:05".
std::string in_words(const google::protobuf::Duration& length);
std::string in_words(Milliseconds length);
/// Local time: "2025-01-31 14:03:59".
std::string in_words(const google::protobuf::Timestamp& time);
/// From one time to another; to now if the second is absent. Never negative.
Milliseconds between(const google::protobuf::Timestamp& from,
                     const google::protobuf::Timestamp* to);

/// "ended by callee: 486 CALLEE_BUSY"; empty for a call that lives.
std::string outcome(const v1::Call& call);
/// Since the answer, until now or the end; empty before the answer.
std::string talk_time(const v1::Call& call);

/// "1:05", "1:02:05".
std::string clock_time(Milliseconds length);

void set(google::protobuf::Duration& into, Milliseconds length);

}  // namespace trunkline::client
