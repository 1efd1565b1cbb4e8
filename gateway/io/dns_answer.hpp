#pragma once
#include "call/server_location.hpp"

#include <ares.h>
#include <span>

namespace trunkline::io {

/// What c-ares says to a question for SRV or NAPTR records. `status` is the query's; the octets are
/// the server's whole answer.
call::DnsAnswer read_answer(call::DnsQuestion::Type type, int status,
                            std::span<const unsigned char> octets);
/// What c-ares says to a question for addresses.
call::DnsAnswer read_answer(int status, const ares_addrinfo* addresses);

}  // namespace trunkline::io
