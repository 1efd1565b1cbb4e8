#pragma once
#include "base/net_address.hpp"
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/message.hpp"
#include "sip/parser.hpp"
#include "sip/transaction.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// Messages, places and a view on effects for the tests of transactions, endpoint and dialog.
namespace trunkline::sip::testing {

inline constexpr TimePoint kStart{std::chrono::hours(1)};

inline SocketAddress address(std::string_view text) {
  return SocketAddress::parse(text).value_or(SocketAddress{});
}

inline Target udp() {
  return {Transport::udp, address("192.0.2.10:5060"), FlowId{1}};
}
inline Target tcp() {
  return {Transport::tcp, address("192.0.2.10:5060"), FlowId{2}};
}
inline Target websocket() {
  return {Transport::wss, address("198.51.100.7:40000"), FlowId{3}};
}

/// A parsed message. An unparsable text gives an empty message, on which every expectation fails.
inline Message parsed(std::string text) {
  Result<Message, ParseError> result = Parser().parse(std::move(text), Framing::datagram);
  return result ? std::move(*result) : Message::response(699);
}

struct RequestParts {
  std::string uri = "sip:bob@example.test";
  std::string via = "SIP/2.0/UDP client.example.test:5060;branch=z9hG4bKone;rport";
  std::string to_tag{};
  std::string call_id = "call-1@client.example.test";
  std::string cseq = "1";
  std::string extra{};
};

inline std::string request_text(std::string_view method, const RequestParts& parts = {}) {
  const std::string name(method);
  return name + " " + parts.uri + " SIP/2.0\r\nVia: " + parts.via +
         "\r\nMax-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example.test>;tag=alice\r\nTo: "
         "<sip:bob@example.test>" +
         (parts.to_tag.empty() ? "" : ";tag=" + parts.to_tag) + "\r\nCall-ID: " + parts.call_id +
         "\r\nCSeq: " + parts.cseq + " " + name + "\r\nContact: <sip:alice@192.0.2.10:5060>\r\n" +
         parts.extra + "Content-Length: 0\r\n\r\n";
}

/// The answer to a request, as its peer would write it.
inline Message answer(const Message& request, int status, std::string_view to_tag = "bob") {
  Message response = Message::response(status);
  for (const std::string_view via : request.headers(HeaderName::via))
    response.add(HeaderName::via, via);
  response.add(HeaderName::from, request.header(HeaderName::from).value_or(""));
  std::string to(request.header(HeaderName::to).value_or(""));
  if (status > 100 && !to_tag.empty() && to.find(";tag=") == std::string::npos)
    to.append(";tag=").append(to_tag);
  response.add(HeaderName::to, to);
  response.add(HeaderName::call_id, request.header(HeaderName::call_id).value_or(""));
  response.add(HeaderName::cseq, request.header(HeaderName::cseq).value_or(""));
  return response;
}

/// How many effects, events or transmissions of this kind there are.
template <class Kind, class List>
std::size_t count(const List& list) {
  std::size_t found = 0;
  for (const auto& each : list)
    found += std::holds_alternative<Kind>(each) ? 1 : 0;
  return found;
}

/// The last one of this kind, or nothing.
template <class Kind, class List>
const Kind* last(const List& list) {
  for (auto each = list.rbegin(); each != list.rend(); ++each) {
    if (const Kind* found = std::get_if<Kind>(&*each)) return found;
  }
  return nullptr;
}

/// Runs a machine's timers up to `end` and returns when it sent something, in milliseconds after
/// `from`.
template <class Machine>
std::vector<std::int64_t> transmission_times(Machine& machine, TimePoint from, TimePoint end,
                                             TransactionEffects& out) {
  std::vector<std::int64_t> times;
  while (machine.deadline() <= end) {
    const TimePoint now = machine.deadline();
    TransactionEffects effects;
    machine.on_deadline(now, effects);
    for (std::size_t i = 0; i < count<Transmit>(effects); ++i) {
      times.push_back(std::chrono::duration_cast<milliseconds>(now - from).count());
    }
    out.insert(out.end(), effects.begin(), effects.end());
  }
  return times;
}

}  // namespace trunkline::sip::testing
