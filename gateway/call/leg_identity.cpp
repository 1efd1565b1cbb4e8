#include "call/leg.hpp"
#include "call/session_identifier.hpp"

// What the messages of a leg say of the party on the other side (RFC 3325, RFC 5876, RFC 7989).
namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

void Leg::introduce(const Presentation& other) {
  asserted = other.asserted;
  privacy = other.privacy;
}

void Leg::hear_session(Random& random, const sip::Message& message) {
  if (message.status() == 100) return;
  const auto given = SessionIdentifier::of(message);
  // RFC 7989 §11: a device of RFC 7329 gives back what it has got.
  const bool echoed = given && !given->remote && given->local == far_session_uuid;
  const bool telling = given && identity.privacy.hides_party() && !tells_nothing(given->local);
  if (given && !echoed && !telling && given->local != kNilSession) session_uuid = given->local;
  if (session_uuid.empty()) session_uuid = make_session_uuid(random);
}

void Leg::identify(sip::Message& message, Method method) const {
  message.set(HeaderName::session_id, session_text(far_session_uuid, session_uuid));
  const bool asserts = message.is_request()
                           ? method != Method::ack && method != Method::prack
                           : message.status() > 100 && message.status() < 300 &&
                                 (method == Method::invite || method == Method::update);
  if (!asserts) return;
  for (const std::string& value : asserted)
    message.add(HeaderName::p_asserted_identity, value);
  if (!privacy.empty()) message.add(HeaderName::privacy, privacy);
}

}  // namespace trunkline::call
