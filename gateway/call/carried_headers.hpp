#pragma once
#include "sip/effects.hpp"
#include "sip/message.hpp"

namespace trunkline::call {

/// A body that is carried on, in octets.
inline constexpr std::size_t kMaxCarriedBody = 32UL * 1024;

/// Copies the body, octet for octet, and the fields that say what it means or what is asked for.
/// All else - Via, Route, Contact, credentials, identities - belongs to the one hop and stays.
void carry_content(const sip::Message& from, sip::Message& to);

/// What Max-Forwards leaves for the next hop; less than 0: the request goes no farther (RFC 3261
/// §16.3).
int forwards_left(const sip::Message& request);

/// Why a request can't be carried on, whoever is to get it: 413, 415, 483; 0: it can.
int carriage_refusal(const sip::Message& request);

/// Whether its path has no room for the body: over UDP a request has 1,300 octets (RFC 3428 §8).
bool is_too_large(const sip::Message& request, const sip::Target& to);

/// What we can do, for the answer to OPTIONS (RFC 3261 §11.2).
void add_capabilities(sip::Message& response);

}  // namespace trunkline::call
