#pragma once
#include "sip/header.hpp"
#include "sip/message.hpp"

#include <string>

/// By what the rules know transactions, legs and dialogs again.
namespace trunkline::simulator {

inline std::string key_of(const sip::Message& message) {
  const sip::Via via = sip::top_via(message);
  return std::string(via.branch()) + " " + sip::cseq_of(message).method_text;
}

/// The gateway's side is From in what it asks and in answers to that, To in the rest.
inline std::string leg_of(const sip::Message& message, bool gateway_asks) {
  const auto address = gateway_asks ? sip::from_of(message) : sip::to_of(message);
  return std::string(sip::call_id_of(message)) + " " + std::string(address.tag());
}

inline std::string dialog_of(const sip::Message& message, bool gateway_asks) {
  const auto address = gateway_asks ? sip::to_of(message) : sip::from_of(message);
  return leg_of(message, gateway_asks) + " " + std::string(address.tag());
}

inline std::string with_sequence(const std::string& of, const sip::Message& message) {
  return of + " " + std::to_string(sip::cseq_of(message).number);
}

}  // namespace trunkline::simulator
