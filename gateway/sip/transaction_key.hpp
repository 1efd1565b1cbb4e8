#pragma once
#include "sip/header.hpp"
#include "sip/message.hpp"

#include <string>
#include <string_view>

/// What messages have in common that belong to one transaction, as keys for a hash map (RFC 3261
/// §17.1.3, §17.2.3).
namespace trunkline::sip {

/// The key of a client transaction: branch and CSeq method of our request, as found again in its
/// responses.
std::string client_key(std::string_view branch, std::string_view method);

/// The key of the server transaction that `request` starts or belongs to, from its Via as received.
/// ACK and CANCEL give the key of their INVITE. Without the magic cookie in the branch the rules of
/// RFC 2543 hold.
std::string server_key(const Message& request, const Via& via);

/// Call-ID, From tag, CSeq number and method: the same for copies of one request that came by
/// different ways (RFC 3261 §8.2.2.2), and for an INVITE and the ACK to its 2xx. ACK and CANCEL
/// give the key of their INVITE.
std::string merge_key(const Message& request);

}  // namespace trunkline::sip
