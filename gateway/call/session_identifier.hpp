#pragma once
#include "base/random.hpp"
#include "sip/message.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace trunkline::call {

/// Session-ID (RFC 7989 §5): the UUID of who sends the message, and of whom it is for.
struct SessionIdentifier {
  std::string local;                  ///< 32 hexadecimal digits in lower case
  std::optional<std::string> remote;  ///< nothing: the old form of RFC 7329, which has none

  static std::optional<SessionIdentifier> parse(std::string_view value);
  /// Of a message; nothing without a field, or with one that can't be read.
  static std::optional<SessionIdentifier> of(const sip::Message& message);
};

/// Of who is not known yet.
inline constexpr std::string_view kNilSession = "00000000000000000000000000000000";
/// A random UUID (RFC 4122 §4.4), in the form of Session-ID.
std::string make_session_uuid(Random& random);
/// Whether it is random, or a hash (RFC 7989 §4.1): others have the address of a network card in
/// them, or the time.
bool tells_nothing(std::string_view uuid);
/// The field's value; empty UUIDs become nil.
std::string session_text(std::string_view local, std::string_view remote);

}  // namespace trunkline::call
