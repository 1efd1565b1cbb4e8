#include "io/dns_answer.hpp"

#include "io/native_address.hpp"

#include <algorithm>
#include <arpa/nameser.h>

namespace trunkline::io {
namespace {

// An answer is as long as its zone's owner likes.
constexpr std::size_t kMaxRecords = 32;

/// "No such name" and "no such records" are answers like others (RFC 2308); everything else tells
/// nothing.
bool is_answer(int status) {
  return status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

/// c-ares tells no time to live of SRV and NAPTR records.
seconds shortest_life(std::span<const unsigned char> octets) {
  ns_msg message{};
  if (ns_initparse(octets.data(), static_cast<int>(octets.size()), &message) != 0)
    return seconds{0};
  seconds shortest = seconds::max();
  for (int index = 0; index < ns_msg_count(message, ns_s_an); ++index) {
    ns_rr record{};
    if (ns_parserr(&message, ns_s_an, index, &record) != 0) return seconds{0};
    shortest = std::min(shortest, seconds{ns_rr_ttl(record)});
  }
  return shortest;
}

std::string text(const unsigned char* octets) {
  return octets == nullptr ? std::string() : reinterpret_cast<const char*>(octets);
}

int read_srv(std::span<const unsigned char> octets, std::vector<call::SrvRecord>& out) {
  ares_srv_reply* records = nullptr;
  const int status = ares_parse_srv_reply(octets.data(), static_cast<int>(octets.size()), &records);
  for (auto* one = records; one != nullptr && out.size() < kMaxRecords; one = one->next)
    out.push_back({one->priority, one->weight, one->port, one->host});
  ares_free_data(records);
  return status;
}

int read_naptr(std::span<const unsigned char> octets, std::vector<call::NaptrRecord>& out) {
  ares_naptr_reply* records = nullptr;
  const int status =
      ares_parse_naptr_reply(octets.data(), static_cast<int>(octets.size()), &records);
  for (auto* one = records; one != nullptr && out.size() < kMaxRecords; one = one->next) {
    out.push_back({one->order, one->preference, text(one->flags), text(one->service),
                   text(one->regexp), one->replacement});
  }
  ares_free_data(records);
  return status;
}

}  // namespace

call::DnsAnswer read_answer(call::DnsQuestion::Type type, int status,
                            std::span<const unsigned char> octets) {
  call::DnsAnswer answer;
  const bool srv = type == call::DnsQuestion::Type::srv;
  if (status == ARES_SUCCESS)
    status = srv ? read_srv(octets, answer.srv) : read_naptr(octets, answer.naptr);
  answer.failed = !is_answer(status);
  if (!answer.srv.empty() || !answer.naptr.empty()) answer.time_to_live = shortest_life(octets);
  return answer;
}

call::DnsAnswer read_answer(int status, const ares_addrinfo* addresses) {
  call::DnsAnswer answer;
  answer.failed = !is_answer(status);
  for (auto* node = addresses == nullptr ? nullptr : addresses->nodes; node != nullptr;
       node = node->ai_next) {
    const IpAddress ip = from_native(node->ai_addr).ip;
    if (ip.empty() || answer.addresses.size() == kMaxRecords) continue;
    if (std::ranges::find(answer.addresses, ip) == answer.addresses.end())
      answer.addresses.push_back(ip);
    answer.time_to_live = std::min(answer.time_to_live, seconds{node->ai_ttl});
  }
  return answer;
}

}  // namespace trunkline::io
