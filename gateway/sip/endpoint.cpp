#include "sip/endpoint.hpp"

#include "base/log.hpp"
#include "sip/endpoint_impl.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::sip {
namespace {

constexpr std::size_t kTagLength = 16;

/// A timer of no length would never let the loop over due timers end.
constexpr milliseconds kShortestTimer{1};

TransactionTimers timers_of(const EndpointSettings& settings) {
  return {std::max(settings.t1, kShortestTimer), std::max(settings.t2, kShortestTimer),
          std::max(settings.t4, kShortestTimer)};
}

}  // namespace

Endpoint::Impl::Impl(EndpointSettings endpoint_settings, Random& random_source)
    : settings(std::move(endpoint_settings)),
      timers(timers_of(settings)),
      random(random_source),
      parser(settings.parser),
      tag_salt(random.token(kTagLength)),
      invalid_host(random.token(kTagLength) + ".invalid") {}

Transaction& Endpoint::Impl::start(Transaction transaction) {
  counters.active(transaction.kind()).add();
  return table.insert(std::move(transaction));
}

/// Executes what a machine asked for, then gives it its new place among the deadlines, or buries
/// it.
void Endpoint::Impl::apply(Transaction& transaction, TransactionEffects& effects, Turn& turn) {
  for (TransactionEffect& effect : effects) {
    std::visit([&](auto& each) { perform(transaction, each, turn); }, effect);
  }
  if (!transaction.over) return table.arm(transaction);
  counters.active(transaction.kind()).add(-1);
  if (!transaction.unknown_to_user) turn.out.events.emplace_back(TransactionEnded{transaction.id});
  table.erase(transaction);
}

void Endpoint::Impl::perform(Transaction& transaction, Transmit& transmit, Turn& turn) {
  // Only a request's failure to leave matters to anyone: an ACK or a response is repeated when its
  // reader asks again.
  const bool matters = transaction.is_client() && transmit.method != Method::ack;
  emit(std::move(transmit), matters ? transaction.id : TransactionId{}, turn.out,
       transaction.reconnect);
  auto& sent = std::get<SendBytes>(turn.out.transmissions.back());
  sent.hurry = matters && transaction.by_udp != nullptr;
}

void Endpoint::Impl::perform(Transaction& transaction, PassResponse&, Turn& turn) {
  if (transaction.unknown_to_user) return;
  turn.out.events.emplace_back(
      ResponseReceived{transaction.id, std::move(*turn.message), *turn.source});
}

void Endpoint::Impl::perform(Transaction& transaction, PassAck&, Turn& turn) {
  turn.out.events.emplace_back(AckReceived{transaction.id, std::move(*turn.message)});
}

void Endpoint::Impl::perform(Transaction& transaction, CancelNow&, Turn& turn) {
  start_cancel(transaction, turn);
}

void Endpoint::Impl::perform(Transaction& transaction, Failed& failed, Turn& turn) {
  if (failed.cause == RequestFailed::Cause::timeout) counters.timeouts(failed.timer).add();
  if (transaction.unknown_to_user) return;
  turn.out.events.emplace_back(
      RequestFailed{failed.cause, transaction.id, failed.provisional_seen});
}

void Endpoint::Impl::perform(Transaction& transaction, Unacknowledged& unacknowledged, Turn& turn) {
  counters.timeouts(unacknowledged.timer).add();
  turn.out.events.emplace_back(AckMissing{transaction.id, unacknowledged.status});
}

void Endpoint::Impl::perform(Transaction& transaction, Terminated&, Turn&) {
  transaction.over = true;
}

void Endpoint::Impl::emit(Transmit transmit, TransactionId transaction, Effects& out,
                          const std::optional<SocketAddress>& reconnect) {
  const Transport transport = transmit.target.transport;
  if (transmit.status == 0) {
    counters.count_request(Direction::out, transport, transmit.method);
  } else {
    counters.count_response(Direction::out, transport, transmit.method, transmit.status);
  }
  if (transmit.again) counters.count_retransmission(Direction::out, transmit.method);
  counters.count_size(transport, transmit.bytes.size());
  out.transmissions.emplace_back(
      SendBytes{transmit.target, std::move(transmit.bytes), transaction, reconnect});
}

/// A client transaction fails. A server transaction has nobody to answer to: it ends.
void Endpoint::Impl::fail(Transaction& transaction, RequestFailed::Cause cause, Turn& turn) {
  TransactionEffects effects;
  if (auto* invite_client = std::get_if<InviteClientTransaction>(&transaction.machine)) {
    invite_client->fail(cause, effects);
  } else if (auto* client = std::get_if<NonInviteClientTransaction>(&transaction.machine)) {
    client->fail(cause, effects);
  } else if (auto* invite_server = std::get_if<InviteServerTransaction>(&transaction.machine)) {
    invite_server->abandon(effects);
  } else if (auto* server = std::get_if<NonInviteServerTransaction>(&transaction.machine)) {
    server->abandon(effects);
  }
  apply(transaction, effects, turn);
}

void Endpoint::Impl::flow_closed(FlowId flow, Turn& turn) {
  for (const TransactionId id : table.on_flow(flow)) {
    if (Transaction* transaction = table.find(id)) {
      fail(*transaction, RequestFailed::Cause::flow_closed, turn);
    }
  }
  turn.out.events.emplace_back(FlowClosed{flow});
}

void Endpoint::Impl::send_failed(Transaction& transaction, Unsent why, Turn& turn) {
  if (transaction.by_udp && move_to_udp(transaction, turn)) return;
  fail(transaction,
       why == Unsent::tls ? RequestFailed::Cause::tls : RequestFailed::Cause::transport, turn);
}

/// RFC 3261 §18.1.1: the request that TCP did not take goes by UDP after all, in the same
/// transaction: a server that got it by both ways knows it by its branch.
bool Endpoint::Impl::move_to_udp(Transaction& transaction, Turn& turn) {
  const UdpWay way = std::move(*std::exchange(transaction.by_udp, nullptr));
  tcp_refusals.add(way.target.remote, turn.now);
  TransactionEffects effects;
  const auto change = [&](auto& machine) {
    if (!machine.may_move()) return false;
    machine.move(way.request, way.target, turn.now, effects);
    return true;
  };
  bool moved = false;
  if (auto* invite = std::get_if<InviteClientTransaction>(&transaction.machine)) {
    moved = change(*invite);
  } else if (auto* other = std::get_if<NonInviteClientTransaction>(&transaction.machine)) {
    moved = change(*other);
  }
  if (!moved) return false;
  transaction.sent_by = top_via(way.request).sent_by();
  counters.large_requests(LargeRequest::fell_back).add();
  if (large_log.allow(turn.now)) {
    log::info("no TCP for a large request: it goes by UDP",
              {{"peer", way.target.remote.text()}, {"suppressed", large_log.suppressed()}});
  }
  apply(transaction, effects, turn);
  return true;
}

void Endpoint::Impl::on_deadline(Turn& turn) {
  while (Transaction* transaction = table.due(turn.now)) {
    TransactionEffects effects;
    std::visit([&](auto& machine) { machine.on_deadline(turn.now, effects); },
               transaction->machine);
    apply(*transaction, effects, turn);
  }
}

Endpoint::Endpoint(EndpointSettings settings, Random& random)
    : impl_(std::make_unique<Impl>(std::move(settings), random)) {}

Endpoint::~Endpoint() = default;

void Endpoint::set_sent_by(Transport transport, bool ipv6, std::string_view sent_by) {
  impl_->set_sent_by(transport, ipv6, sent_by);
}

void Endpoint::receive(std::string bytes, const Target& source, TimePoint now, Effects& out) {
  impl_->receive(std::move(bytes), source, now, out);
}

void Endpoint::receive_broken(std::string bytes, ParseErrorReason reason, const Target& source,
                              TimePoint, Effects& out) {
  impl_->receive_broken(std::move(bytes), reason, source, out);
}

void Endpoint::execute(Command command, TimePoint now, Effects& out) {
  Impl::Turn turn{now, out};
  std::visit([&](auto& each) { impl_->execute(std::move(each), turn); }, command);
}

void Endpoint::flow_closed(FlowId flow, TimePoint now, Effects& out) {
  Impl::Turn turn{now, out};
  impl_->flow_closed(flow, turn);
}

void Endpoint::send_failed(TransactionId transaction, TimePoint now, Effects& out, Unsent why) {
  Transaction* found = impl_->table.find(transaction);
  // A server transaction goes on (against §17.2.4): ICMP comes and goes, and Timers H, J and L end
  // it anyway.
  if (found == nullptr || !found->is_client()) return;
  Impl::Turn turn{now, out};
  impl_->send_failed(*found, why, turn);
}

void Endpoint::on_deadline(TimePoint now, Effects& out) {
  Impl::Turn turn{now, out};
  impl_->on_deadline(turn);
}

TimePoint Endpoint::deadline() const {
  return impl_->table.earliest();
}

TransactionId Endpoint::next_transaction() {
  return impl_->ids.next();
}

std::size_t Endpoint::transactions() const {
  return impl_->table.size();
}

const MetricSource& Endpoint::metrics() const {
  return impl_->counters;
}

}  // namespace trunkline::sip
