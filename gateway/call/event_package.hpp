#pragma once
#include "sip/syntax.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace trunkline::call {

/// Packages of whose state we tell or that we carry (RFC 6665 §4.4.1), for Allow-Events.
inline constexpr std::string_view kEvents = "message-summary, presence, refer";

/// An Event value: the package in lower case, and the id that tells two subscriptions in a dialog
/// apart (RFC 6665 §8.2.1). Of a value that is none the name is empty.
struct EventPackage {
  std::string name, id;

  static EventPackage parse(std::string_view value) {
    sip::Cursor cursor(value);
    EventPackage event;
    event.name = sip::lower_case(cursor.take_token());
    for (sip::ParameterCursor parameters(cursor.rest()); parameters.next();) {
      if (sip::equals_ignoring_case(parameters.name(), "id"))
        event.id = parameters.value().value_or("");
    }
    return event;
  }
  bool operator==(const EventPackage&) const = default;
};

/// Whether the Subscription-State value says that the subscription is over (RFC 6665 §8.2.3).
inline bool is_terminated(std::string_view subscription_state) {
  return sip::equals_ignoring_case(sip::Cursor(subscription_state).take_token(), "terminated");
}

}  // namespace trunkline::call
