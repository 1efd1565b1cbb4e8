#include "client/wording.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <google/protobuf/util/time_util.h>

namespace trunkline::client {
namespace {

using google::protobuf::util::TimeUtil;

std::string without_prefix(const std::string& name, std::string_view prefix) {
  std::string out;
  for (const char c : name.substr(std::min(prefix.size(), name.size())))
    out += c == '_' ? ' ' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

}  // namespace

std::string word(v1::CallState state) {
  return without_prefix(v1::CallState_Name(state), "CALL_STATE_");
}
std::string word(v1::EndedBy ended_by) {
  return without_prefix(v1::EndedBy_Name(ended_by), "ENDED_BY_");
}
std::string word(v1::Fault fault) {
  return without_prefix(v1::Fault_Name(fault), "FAULT_");
}
std::string word(v1::Phase phase) {
  return without_prefix(v1::Phase_Name(phase), "PHASE_");
}
std::string word(v1::TrunkState state) {
  return without_prefix(v1::TrunkState_Name(state), "TRUNK_STATE_");
}
std::string word(v1::RegistrationChange change) {
  return without_prefix(v1::RegistrationChange_Name(change), "REGISTRATION_CHANGE_");
}

std::string clock_time(Milliseconds length) {
  const std::int64_t seconds = length.count() / 1000;
  std::array<char, 32> text{};
  if (seconds < 3600) {
    std::snprintf(text.data(), text.size(), "%d:%02d", static_cast<int>(seconds / 60),
                  static_cast<int>(seconds % 60));
  } else {
    std::snprintf(text.data(), text.size(), "%lld:%02d:%02d",
                  static_cast<long long>(seconds / 3600), static_cast<int>(seconds / 60 % 60),
                  static_cast<int>(seconds % 60));
  }
  return text.data();
}

std::string in_words(const google::protobuf::Duration& length) {
  return in_words(Milliseconds{TimeUtil::DurationToMilliseconds(length)});
}

std::string in_words(Milliseconds length) {
  constexpr std::int64_t kMinute = 60'000;
  if (length.count() >= kMinute) return clock_time(length);
  std::array<char, 32> text{};
  if (length.count() < 1000) {
    std::snprintf(text.data(), text.size(), "%lld ms", static_cast<long long>(length.count()));
  } else {
    std::snprintf(text.data(), text.size(), "%g s", static_cast<double>(length.count()) / 1000);
  }
  return text.data();
}

std::string in_words(const google::protobuf::Timestamp& time) {
  const std::time_t seconds = time.seconds();
  std::tm parts{};
  localtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

Milliseconds between(const google::protobuf::Timestamp& from,
                     const google::protobuf::Timestamp* to) {
  const google::protobuf::Timestamp end = to != nullptr ? *to : TimeUtil::GetCurrentTime();
  const std::int64_t milliseconds =
      TimeUtil::TimestampToMilliseconds(end) - TimeUtil::TimestampToMilliseconds(from);
  return Milliseconds{std::max<std::int64_t>(milliseconds, 0)};
}

std::string outcome(const v1::Call& call) {
  if (!call.has_end()) return call.parked() ? "parked" : "";
  std::string text =
      "ended by " + word(call.end().ended_by()) + ": " + std::to_string(call.end().sip_code());
  if (!call.end().reason().empty()) text += ' ' + call.end().reason();
  return text;
}

std::string talk_time(const v1::Call& call) {
  if (!call.has_answer_time()) return "";
  const Milliseconds talked =
      between(call.answer_time(), call.has_end_time() ? &call.end_time() : nullptr);
  return clock_time(talked);
}

void set(google::protobuf::Duration& into, Milliseconds length) {
  into = TimeUtil::MillisecondsToDuration(length.count());
}

}  // namespace trunkline::client
