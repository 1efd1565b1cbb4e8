#include "base/log.hpp"
#include "sip/endpoint_impl.hpp"
#include "sip/parts.hpp"
#include "sip/transaction_key.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <utility>

namespace trunkline::sip {
namespace {

/// Seconds that a client stays away when we have no room for its request (RFC 3261 §21.5.4).
constexpr std::string_view kOverloadRetryAfter = "5";

Framing framing_of(Transport transport) {
  switch (transport) {
    case Transport::udp:
      return Framing::datagram;
    case Transport::ws:
    case Transport::wss:
      return Framing::websocket;
    case Transport::tcp:
    case Transport::tls:
    case Transport::count_:
      break;
  }
  return Framing::stream;
}

bool is_keep_alive(std::string_view bytes) {
  return bytes.find_first_not_of("\r\n") == std::string_view::npos;
}

bool is_ack(const Message& request) {
  return request.method_text() == method_name(Method::ack);
}

/// Writes down where the request came from, in its top Via (RFC 3261 §18.2.1, RFC 3581 §4).
void stamp_via(Message& request, Via via, const Target& source) {
  const bool wants_port = find_parameter(via.parameters, "rport") != nullptr;
  const std::optional<IpAddress> host = IpAddress::parse(via.host);
  if (wants_port) set_parameter(via.parameters, "rport", std::to_string(source.remote.port));
  if (wants_port || host != source.remote.ip ||
      find_parameter(via.parameters, "received") != nullptr) {
    set_parameter(via.parameters, "received", source.remote.ip.text());
  }
  request.remove_first(HeaderName::via);
  request.prepend(HeaderName::via, via.text());
}

/// Where the response goes: back on the connection, or by UDP to the source address from the
/// listener that the request came to. A maddr is not followed: it would aim our responses at third
/// parties.
Target reply_target(const Via& via, const Target& source) {
  Target reply = source;
  if (is_reliable(source.transport)) return reply;                       // §18.2.2
  if (find_parameter(via.parameters, "rport") != nullptr) return reply;  // RFC 3581 §4
  // §18.2.2: received, and the port of sent-by
  const std::uint16_t port = via.port.value_or(kDefaultPort);
  if (port != 0) reply.remote.port = port;
  return reply;
}

/// §18.2.2: without its connection a response goes to the source address and the port of sent-by.
/// The last resort of RFC 3263 §5, to look up the name in sent-by, is not taken: like maddr it
/// would let a sender aim our connections at third parties.
std::optional<SocketAddress> reconnect_address(const Via& via, const Target& source) {
  const bool tls = source.transport == Transport::tls;
  if (!tls && source.transport != Transport::tcp) return std::nullopt;
  const std::uint16_t port = via.port.value_or(tls ? kDefaultTlsPort : kDefaultPort);
  if (port == 0) return std::nullopt;
  return SocketAddress{source.remote.ip, port};
}

}  // namespace

Endpoint::Impl::Reply Endpoint::Impl::reply_to(const Via& via, const Target& source) {
  return {reply_target(via, source), reconnect_address(via, source)};
}

void Endpoint::Impl::receive(std::string bytes, const Target& source, TimePoint now, Effects& out) {
  if (is_keep_alive(bytes)) return receive_keep_alive(bytes, source, out);
  counters.count_size(source.transport, bytes.size());
  Result<Message, ParseError> parsed = parser.parse(std::move(bytes), framing_of(source.transport));
  if (!parsed) {
    note_malformed(parsed.error().reason, parsed.error().detail, source, now);
    return receive_malformed(parsed.error(), source, out);
  }
  Turn turn{now, out, &*parsed, &source};
  if (parsed->is_request()) return receive_request(turn);
  receive_response(turn);
}

void Endpoint::Impl::receive_keep_alive(std::string_view bytes, const Target& source,
                                        Effects& out) {
  if (!is_reliable(source.transport) || !bytes.starts_with("\r\n\r\n")) return;
  out.transmissions.emplace_back(SendBytes{source, "\r\n", {}});  // RFC 5626 §3.5.1
}

void Endpoint::Impl::receive_broken(std::string bytes, ParseErrorReason reason,
                                    const Target& source, Effects& out) {
  counters.count_parse_error(source.transport, reason);
  const int status = reason == ParseErrorReason::too_large ? 513 : 400;
  Result<Message, ParseError> parsed = parser.parse(std::move(bytes), framing_of(source.transport));
  if (!parsed) {
    if (reason == ParseErrorReason::too_large && parsed.error().status != 0) {
      parsed.error().status = status;  // §21.5.7
    }
    receive_malformed(parsed.error(), source, out);
  } else if (parsed->is_request() && !is_ack(*parsed)) {
    refuse(*parsed, status, {source}, out);
  }
  if (!source.flow) return;
  out.transmissions.emplace_back(CloseFlow{source.flow, std::string(parse_error_label(reason))});
}

void Endpoint::Impl::note_malformed(ParseErrorReason reason, std::string_view detail,
                                    const Target& source, TimePoint now) {
  counters.count_parse_error(source.transport, reason);
  if (!malformed_log.allow(now)) return;
  log::warn("SIP message not understood", {{"peer", source.remote.text()},
                                           {"transport", transport_label(source.transport)},
                                           {"reason", parse_error_label(reason)},
                                           {"detail", detail},
                                           {"suppressed", malformed_log.suppressed()}});
}

void Endpoint::Impl::receive_malformed(const ParseError& error, const Target& source,
                                       Effects& out) {
  if (error.status == 0 || !error.request || is_ack(*error.request)) return;
  Message request = *error.request;
  const Via via = top_via(request);
  stamp_via(request, via, source);
  refuse(request, error.status, reply_to(via, source), out, error.detail);
}

void Endpoint::Impl::receive_request(Turn& turn) {
  Message& request = *turn.message;
  counters.count_request(Direction::in, turn.source->transport, request.method());
  const Via via = top_via(request);
  const std::string key = server_key(request, via);
  const Reply reply = reply_to(via, *turn.source);
  stamp_via(request, via, *turn.source);

  const bool known = request.method() != Method::unknown;
  if (known && cseq_of(request).method_text != request.method_text()) {  // §8.1.1.5
    if (!is_ack(request)) refuse(request, 400, reply, turn.out, "CSeq method mismatch");
    return;
  }
  switch (request.method()) {
    case Method::ack:
      return receive_ack(key, turn);
    case Method::cancel:
      return receive_cancel(key, reply, turn);
    case Method::unknown: {
      Message response = make_response(request, 501, stateless_tag(request));  // §8.2.1, §21.5.2
      response.add(HeaderName::allow, settings.allow);
      return send_stateless(request, std::move(response), reply, turn.out);
    }
    default:
      if (Transaction* known_one = table.find_server(key)) return receive_copy(*known_one, turn);
      return receive_new(key, via, reply, turn);
  }
}

void Endpoint::Impl::receive_ack(const std::string& key, Turn& turn) {
  const Message& ack = *turn.message;
  // §17.1.1.3: the ACK to a non-2xx has the branch of the INVITE.
  Transaction* invite = table.find_server(key);
  if (invite == nullptr) {
    // §13.2.2.4: the ACK to a 2xx is a transaction of its own.
    invite = table.find_merged(merge_key(ack));
    if (invite == nullptr || invite->to_tag != to_tag(ack)) return;  // never answered (§17)
  }
  TransactionEffects effects;
  if (auto* machine = std::get_if<InviteServerTransaction>(&invite->machine)) {
    machine->receive(Method::ack, turn.now, effects);
  }
  apply(*invite, effects, turn);
}

void Endpoint::Impl::receive_cancel(const std::string& key, const Reply& reply, Turn& turn) {
  const Message& cancel = *turn.message;
  Transaction* invite = table.find_server(key);
  if (invite == nullptr) {
    // Beyond §9.2: behind some NATs a client writes a new sent-by into its CANCEL.
    invite = table.find_merged(merge_key(cancel));
    if (invite != nullptr && invite->branch != top_via(cancel).branch()) invite = nullptr;
  }
  if (invite == nullptr) return refuse(cancel, 481, reply, turn.out);  // §9.2
  // A copy gets the same answer, though the INVITE has got a tag of its own since.
  if (invite->cancel_tag.empty())
    invite->cancel_tag = invite->to_tag.empty() ? stateless_tag(cancel) : invite->to_tag;
  send_stateless(cancel, make_response(cancel, 200, invite->cancel_tag), reply, turn.out);
  const auto* machine = std::get_if<InviteServerTransaction>(&invite->machine);
  if (machine == nullptr || machine->state() != InviteServerTransaction::State::proceeding) return;
  if (std::exchange(invite->cancelled, true)) return;  // a copy
  turn.out.events.emplace_back(CancelReceived{invite->id, std::move(*turn.message)});
}

void Endpoint::Impl::receive_copy(Transaction& transaction, Turn& turn) {
  counters.count_retransmission(Direction::in, transaction.method);
  TransactionEffects effects;
  if (auto* invite = std::get_if<InviteServerTransaction>(&transaction.machine)) {
    invite->receive(Method::invite, turn.now, effects);
  } else if (auto* other = std::get_if<NonInviteServerTransaction>(&transaction.machine)) {
    other->receive(turn.now, effects);
  }
  apply(transaction, effects, turn);
}

void Endpoint::Impl::receive_new(const std::string& key, const Via& via, const Reply& reply,
                                 Turn& turn) {
  Message& request = *turn.message;
  const std::string merge = merge_key(request);
  const bool merged = to_tag(request).empty() && table.find_merged(merge) != nullptr;
  if (merged) return refuse(request, 482, reply, turn.out);  // §8.2.2.2
  if (table.size() >= settings.max_transactions) {
    Message response = make_response(request, 503, stateless_tag(request));
    response.add(HeaderName::retry_after, kOverloadRetryAfter);
    return send_stateless(request, std::move(response), reply, turn.out);
  }
  Message trying = make_response(request, 100, {});
  const Method method = request.method();
  auto machine = [&]() -> Transaction::Machine {
    if (method == Method::invite) {
      return InviteServerTransaction(std::move(trying), reply.target, timers, turn.now);
    }
    return NonInviteServerTransaction(std::move(trying), reply.target, timers, turn.now);
  };
  Transaction& transaction =
      start({.id = ids.next(),
             .machine = machine(),
             .method = method,
             .key = key,
             .merge_key = merge,
             .branch = std::string(via.branch()),
             .sent_by = via.sent_by(),
             .flow = is_websocket(reply.target.transport) ? reply.target.flow : FlowId{},
             .reconnect = reply.reconnect});
  table.arm(transaction);
  turn.out.events.emplace_back(RequestReceived{transaction.id, std::move(request), *turn.source});
}

void Endpoint::Impl::receive_response(Turn& turn) {
  const Message& response = *turn.message;
  const CSeq cseq = cseq_of(response);
  const int status = response.status();
  counters.count_response(Direction::in, turn.source->transport, cseq.method, status);
  if (response.count(HeaderName::via) != 1) return;  // §8.1.3.3
  const Via via = top_via(response);
  Transaction* transaction = table.find_client(client_key(via.branch(), cseq.method_text));
  if (transaction == nullptr || via.sent_by() != transaction->sent_by) return;  // §18.1.2
  if (is_reliable(turn.source->transport)) table.set_flow(*transaction, turn.source->flow);

  TransactionEffects effects;
  if (auto* invite = std::get_if<InviteClientTransaction>(&transaction->machine)) {
    invite->receive(response, turn.now, effects);
  } else if (auto* other = std::get_if<NonInviteClientTransaction>(&transaction->machine)) {
    other->receive(response, turn.now, effects);
  }
  const bool passed = std::any_of(
      effects.begin(), effects.end(),
      [](const TransactionEffect& effect) { return std::holds_alternative<PassResponse>(effect); });
  if (!passed && status >= 200) counters.count_retransmission(Direction::in, cseq.method);
  apply(*transaction, effects, turn);
}

void Endpoint::Impl::refuse(const Message& request, int status, const Reply& reply, Effects& out,
                            std::string_view reason) {
  send_stateless(request, make_response(request, status, stateless_tag(request), reason), reply,
                 out);
}

void Endpoint::Impl::send_stateless(const Message& request, Message response, const Reply& reply,
                                    Effects& out) {
  if (!settings.server_name.empty()) response.add(HeaderName::server, settings.server_name);
  emit({reply.target, response.serialize(), request.method(), response.status()}, {}, out,
       reply.reconnect);
}

/// The same for each copy of a request, so that a stateless answer to a copy is a copy (§8.2.7).
std::string Endpoint::Impl::stateless_tag(const Message& request) const {
  const std::string identity =
      tag_salt + merge_key(request) + std::string(top_via(request).branch());
  std::array<char, 16> text{};
  const auto hash = std::hash<std::string>{}(identity);
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), hash, 16).ptr};
}

}  // namespace trunkline::sip
