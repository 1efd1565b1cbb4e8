#include "sip/endpoint_impl.hpp"
#include "sip/parts.hpp"
#include "sip/transaction_key.hpp"

#include <utility>

namespace trunkline::sip {
namespace {

constexpr std::size_t kBranchLength = 20;
/// RFC 3261 §18.1.1: the largest request for UDP where the path's MTU is not known.
constexpr std::size_t kLargestForUdp = 1300;

void add_product(Message& message, HeaderName name, const std::string& product) {
  if (!product.empty() && !message.header(name)) message.add(name, product);
}

/// CANCEL is made of its INVITE: Request-URI, Via, Route, From, To, Call-ID and CSeq number (RFC
/// 3261 §9.1).
Message make_cancel(const Message& invite) {
  Message cancel = Message::request(Method::cancel, invite.request_uri());
  cancel.add(HeaderName::via, invite.header(HeaderName::via).value_or(""));
  for (const std::string_view route : invite.headers(HeaderName::route)) {
    cancel.add(HeaderName::route, route);
  }
  cancel.add(HeaderName::max_forwards, "70");
  for (const HeaderName name : {HeaderName::from, HeaderName::to, HeaderName::call_id}) {
    cancel.add(name, invite.header(name).value_or(""));
  }
  if (const auto session = invite.header(HeaderName::session_id))
    cancel.add(HeaderName::session_id, *session);  // RFC 7989 §6
  CSeq cseq = cseq_of(invite);
  cseq.method = Method::cancel;
  cseq.method_text = method_name(Method::cancel);
  cancel.add(HeaderName::cseq, cseq.text());
  return cancel;
}

}  // namespace

void Endpoint::Impl::set_sent_by(Transport transport, bool ipv6, std::string_view name) {
  const Result<Via> via = Via::parse("SIP/2.0/UDP " + std::string(name));
  if (via) sent_by[static_cast<std::size_t>(transport)][ipv6 ? 1 : 0] = *via;
}

void Endpoint::Impl::set_sent_by_of(Via& via, const Target& target) const {
  const auto& names = sent_by[static_cast<std::size_t>(target.transport)];
  const std::size_t family = !target.remote.ip.empty() && !target.remote.ip.is_v4() ? 1 : 0;
  via.host = invalid_host;  // RFC 7118 §5.2; elsewhere the peer answers to the source address all
                            // the same (RFC 3581)
  via.port.reset();
  const auto& name = names[family] ? names[family] : names[1 - family];
  if (name && !is_websocket(target.transport)) {
    via.host = name->host;
    via.port = name->port;
  }
  via.transport = transport_via(target.transport);
}

Via Endpoint::Impl::make_via(const Target& target) {
  Via via;
  set_sent_by_of(via, target);
  set_parameter(via.parameters, "branch", "z9hG4bK" + random.token(kBranchLength));
  set_parameter(via.parameters, "rport", std::nullopt);  // RFC 3581 §3
  return via;
}

Target Endpoint::Impl::choose_path(Message& request, const Target& target, TimePoint now) {
  request.prepend(HeaderName::via, make_via(target).text());
  if (target.transport != Transport::udp || request.serialize().size() <= kLargestForUdp)
    return target;
  const std::size_t family = target.remote.ip.is_v4() ? 0 : 1;
  const bool ours = sent_by[static_cast<std::size_t>(Transport::tcp)][family].has_value();
  const bool by_tcp = ours && !tcp_refusals.holds(target.remote, now);
  counters.large_requests(by_tcp ? LargeRequest::tcp : LargeRequest::udp).add();
  if (!by_tcp) return target;
  const Target tcp{Transport::tcp, target.remote, {}, target.peer};
  change_via(request, tcp);
  return tcp;
}

void Endpoint::Impl::change_via(Message& request, const Target& target) const {
  Via via = top_via(request);
  set_sent_by_of(via, target);
  request.remove_first(HeaderName::via);
  request.prepend(HeaderName::via, via.text());
}

void Endpoint::Impl::execute(SendRequest command, Turn& turn) {
  const Method method = command.request.method();
  if (method == Method::ack || method == Method::cancel) return;
  if (!command.transaction || table.find(command.transaction) != nullptr) return;
  add_product(command.request, HeaderName::user_agent, settings.server_name);
  const Target path = choose_path(command.request, command.target, turn.now);
  std::unique_ptr<UdpWay> by_udp;
  if (path != command.target) {
    by_udp = std::make_unique<UdpWay>(UdpWay{command.request, command.target});
    change_via(by_udp->request, command.target);
  }
  start_client(command.transaction, std::move(command.request), path, std::move(by_udp), false,
               turn);
}

void Endpoint::Impl::start_client(TransactionId id, Message request, const Target& target,
                                  std::unique_ptr<UdpWay> by_udp, bool unknown_to_user,
                                  Turn& turn) {
  const Via via = top_via(request);
  const Method method = request.method();
  std::string key = client_key(via.branch(), request.method_text());
  TransactionEffects effects;
  auto machine = [&]() -> Transaction::Machine {
    if (method == Method::invite) {
      return InviteClientTransaction(std::move(request), target, timers, turn.now, effects);
    }
    return NonInviteClientTransaction(request, target, timers, turn.now, effects);
  };
  Transaction& transaction = start({.id = id,
                                    .machine = machine(),
                                    .method = method,
                                    .key = std::move(key),
                                    .branch = std::string(via.branch()),
                                    .sent_by = via.sent_by(),
                                    .flow = is_reliable(target.transport) ? target.flow : FlowId{},
                                    .by_udp = std::move(by_udp),
                                    .unknown_to_user = unknown_to_user});
  apply(transaction, effects, turn);
}

void Endpoint::Impl::execute(Respond command, Turn& turn) {
  Transaction* transaction = table.find(command.transaction);
  if (transaction == nullptr || transaction->is_client()) return;
  Message& response = command.response;
  if (response.status() > 100) add_product(response, HeaderName::server, settings.server_name);
  TransactionEffects effects;
  if (auto* invite = std::get_if<InviteServerTransaction>(&transaction->machine)) {
    const bool open = invite->state() == InviteServerTransaction::State::proceeding;
    if (open && response.status() > 100) transaction->to_tag = to_tag(response);
    invite->respond(response, turn.now, effects);
  } else if (auto* other = std::get_if<NonInviteServerTransaction>(&transaction->machine)) {
    other->respond(response, turn.now, effects);
  }
  apply(*transaction, effects, turn);
}

void Endpoint::Impl::execute(SendAck command, Turn& turn) {
  Message first = command.ack;  // §13.2.2.4: with a branch of its own
  const Target path = choose_path(first, command.target, turn.now);
  Transaction* transaction = table.find(command.transaction);
  auto* invite = transaction == nullptr
                     ? nullptr
                     : std::get_if<InviteClientTransaction>(&transaction->machine);
  if (invite == nullptr) {
    return emit({path, first.serialize(), Method::ack}, {}, turn.out);
  }
  TransactionEffects effects;
  invite->acknowledge(first, path, effects);
  // Nothing tells whether a large ACK has found its way by TCP but the 2xx that comes no more: for
  // its copies the ACK goes by UDP.
  if (path != command.target) {
    change_via(first, command.target);
    invite->acknowledge_copies(first, command.target);
  }
  apply(*transaction, effects, turn);
}

void Endpoint::Impl::execute(SendCancel command, Turn& turn) {
  Transaction* transaction = table.find(command.transaction);
  auto* invite = transaction == nullptr
                     ? nullptr
                     : std::get_if<InviteClientTransaction>(&transaction->machine);
  if (invite == nullptr) return;
  if (transaction->cancel_reasons.empty()) transaction->cancel_reasons = std::move(command.reasons);
  TransactionEffects effects;
  invite->cancel(turn.now, effects);
  apply(*transaction, effects, turn);
}

void Endpoint::Impl::execute(CloseFlow command, Turn& turn) {
  turn.out.transmissions.emplace_back(std::move(command));
}

void Endpoint::Impl::start_cancel(const Transaction& invite, Turn& turn) {
  const auto* machine = std::get_if<InviteClientTransaction>(&invite.machine);
  if (machine == nullptr) return;
  Message cancel = make_cancel(machine->request());
  for (const std::string& reason : invite.cancel_reasons) {
    cancel.add(HeaderName::reason, reason);
  }
  add_product(cancel, HeaderName::user_agent, settings.server_name);
  start_client(ids.next(), std::move(cancel), machine->target(), nullptr, true, turn);
}

Message make_response(const Message& request, int status, std::string_view to_tag,
                      std::string_view reason) {
  Message response = Message::response(status, reason);
  for (const std::string_view via : request.headers(HeaderName::via)) {
    response.add(HeaderName::via, via);
  }
  response.add(HeaderName::from, request.header(HeaderName::from).value_or(""));
  std::string to(request.header(HeaderName::to).value_or(""));
  if (status > 100 && !to_tag.empty() && tag_of(to).empty()) {
    to.append(";tag=").append(to_tag);
  }
  response.add(HeaderName::to, to);
  response.add(HeaderName::call_id, request.header(HeaderName::call_id).value_or(""));
  response.add(HeaderName::cseq, request.header(HeaderName::cseq).value_or(""));
  // §8.2.6.1: the 100 carries it; no other response may, for the delay to it is not known here.
  const std::optional<std::string_view> timestamp = request.header(HeaderName::timestamp);
  if (status == 100 && timestamp) response.add(HeaderName::timestamp, *timestamp);
  return response;
}

}  // namespace trunkline::sip
