#include "client/call_words.hpp"

#include "client/table.hpp"
#include "client/wording.hpp"
#include <iostream>

namespace trunkline::client {
namespace {

void field(const std::string& name, const std::string& value) {
  if (value.empty()) return;
  std::cout << name << std::string(10 - name.size(), ' ') << printable(value) << '\n';
}

std::string state_of(const v1::Call& call) {
  return call.parked() ? "parked" : word(call.state());
}

std::string leg_outcome(const v1::Leg& leg) {
  if (!leg.has_end()) return "";
  return std::to_string(leg.end().sip_code()) + ' ' + leg.end().reason();
}

std::string mutes(const v1::Leg& leg) {
  std::string text = leg.held() ? "held" : "";
  if (leg.muted_from_leg()) text += std::string(text.empty() ? "" : ", ") + "muted";
  if (leg.muted_to_leg()) text += std::string(text.empty() ? "" : ", ") + "deafened";
  return text;
}

}  // namespace

void print(const v1::Call& call) {
  field("call", call.call_id());
  field("state", state_of(call));
  field("from", call.from());
  field("to", call.to());
  field("trunk", call.trunk());
  field("created", in_words(call.create_time()));
  if (call.has_answer_time()) field("answered", in_words(call.answer_time()));
  if (call.has_end_time()) field("ended", in_words(call.end_time()));
  field("talk", talk_time(call));
  if (call.has_end()) {
    field("end", outcome(call));
    field("fault", word(call.end().fault()));
    field("cause", call.end().cause());
    field("message", call.end().status().message());
  }
  for (const auto& [key, value] : call.metadata())
    field("metadata", std::string(key).append("=").append(value));
  if (call.legs().empty()) return;
  std::cout << '\n';
  Table legs({"LEG", "STATE", "PARTY", "AUDIO", "SIP CALL-ID", "END"});
  for (const v1::Leg& leg : call.legs())
    legs.row({leg.leg_id(), word(leg.state()), leg.party(), mutes(leg), leg.sip_call_id(),
              leg_outcome(leg)});
  legs.print(std::cout);
}

void print(const std::vector<const v1::Call*>& calls, std::ostream& out) {
  Table table({"CALL", "STATE", "FROM", "TO", "TRUNK", "AGE", "TALK", "END"});
  for (const v1::Call* call : calls) {
    const Milliseconds age =
        between(call->create_time(), call->has_end_time() ? &call->end_time() : nullptr);
    table.row({call->call_id(), state_of(*call), call->from(), call->to(), call->trunk(),
               clock_time(age), talk_time(*call), call->has_end() ? outcome(*call) : ""});
  }
  table.print(out);
}

}  // namespace trunkline::client
