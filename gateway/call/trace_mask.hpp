#pragma once
#include <string>

namespace trunkline::call {

/// Overwrites with 'x' whatever in a SIP message (RFC 3261) gives access to something or belongs to
/// the people of the call alone. The length stays, and the lines. What is taken:
/// - of every header field with "auth" in its name all but the parts of a digest that are no secret
///   (user name, realm, URI, algorithm, qop, nonce count); other fields with the name of a secret;
/// - passwords in URIs, header parts of URIs but Replaces and Require, parameters with the name of
///   a secret, push tokens (RFC 8599) and digits to be dialled later (postd);
/// - of a session description the keys of SDES (RFC 4568), key management (RFC 4567), `k=` and ICE
///   passwords (RFC 8839);
/// - every body but session descriptions and the first part of a message/sipfrag (RFC 3420), so the
///   digits of INFO and the words of MESSAGE.
/// What is malformed is taken rather than left. Pure.
void mask_secrets(std::string& message);

}  // namespace trunkline::call
