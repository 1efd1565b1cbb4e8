#pragma once
#include "sip/message.hpp"

#include <cstddef>
#include <string_view>

/// What a message's body says to us (RFC 3261 §7.4, RFC 5621): the session description in it,
/// alone or as a part of several.
namespace trunkline::sip {

/// Parts of a body, those inside of other parts included. One more makes it malformed.
inline constexpr std::size_t kMaxBodyParts = 32;
/// Multiparts within each other. One deeper makes it malformed.
inline constexpr std::size_t kMaxBodyDepth = 4;

/// The media types that can be read, for Accept.
inline constexpr std::string_view kAcceptedBodies =
    "application/sdp, multipart/mixed, multipart/alternative, multipart/related";

struct BodyReading {
  enum class Verdict {
    good,
    unknown,   ///< something in it has to be understood and is not: 415 (RFC 5621 §5.2)
    malformed  ///< a multipart that is none, or beyond the limits: 400
  };
  Verdict verdict = Verdict::good;
  /// Of a session. A view into the message, which may be empty: there is none.
  std::string_view description;
};

/// Reads a body of any kind. What is neither a description of a session nor a multipart is passed
/// over where its `handling` is optional, and is `unknown` otherwise. Of a multipart/alternative
/// the last part counts that is understood, of a multipart/related its root, and any other
/// multipart is read like multipart/mixed (RFC 2046 §5.1.7). Of several descriptions the first
/// counts. A transfer encoding that changes octets is not decoded: such a part is not understood.
BodyReading read_body(const Message& message);

}  // namespace trunkline::sip
