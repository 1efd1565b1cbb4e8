#pragma once
#include "call/control.hpp"
#include "call/identity.hpp"
#include "call/settings.hpp"
#include "sip/message.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::call {

/// Bounds of what crosses by the lists of trunks, of one message.
inline constexpr std::size_t kMaxListedFields = 32;
inline constexpr std::size_t kMaxListedValue = 1024, kMaxListedOctets = 4096;
/// Of one list, and of a name in it.
inline constexpr std::size_t kMaxListedNames = 64, kMaxListedName = 64;

/// Why a name can't be in a list; empty: it can. A name is a header field's in any spelling, or
/// `X-…*`, which means all names that begin so. Fields that the gateway reads or makes itself -
/// those of dialogs, transactions, authentication, capabilities, identity, bodies - can't be
/// listed.
std::string why_not_listed(std::string_view name);

/// Between whom a message passes; null where a browser is.
struct Crossing {
  const TrunkSettings* from = nullptr;
  const TrunkSettings* to = nullptr;
};
/// The fields of a message that cross: those that each trunk on the way lists. Between browsers
/// none. A value with control characters, one that is too long, and what is beyond the bounds stays
/// and is counted in `left_out`. `sender`, if it hides, is named in nothing that goes to a peer
/// that is not trusted with its identity (RFC 3323 §5.3).
std::vector<HeaderField> listed_fields(const sip::Message& message, const Crossing& crossing,
                                       const Identity* sender, std::size_t& left_out);

/// Adds them, but none of a name that the message has already.
void add_fields(sip::Message& message, const std::vector<HeaderField>& fields);

}  // namespace trunkline::call
