#include "call/engine_impl.hpp"

// OPTIONS to a trunk (RFC 3261 §11): any final response is a sign of life.
namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr std::size_t kMaxProbes = 1000;  // without an answer yet

sip::Message make_probe(Node& node, const Trunk& trunk, const sip::Target& target) {
  const std::string uri = trunk.settings.uri.text();
  sip::NameAddress from;
  from.uri = sip::Uri::sip("trunkline", node.settings.domain);
  sip::set_parameter(from.parameters, "tag", node.random.token(12));
  sip::Message request = sip::Message::request(sip::Method::options, uri);
  request.add(HeaderName::max_forwards, "70");
  request.add(HeaderName::from, from.text());
  request.add(HeaderName::to, "<" + uri + ">");
  request.add(HeaderName::call_id, node.random.token(24));
  request.add(HeaderName::cseq, "1 OPTIONS");
  request.add(HeaderName::contact, node.contact(target));
  request.add(HeaderName::accept, "application/sdp");
  return request;
}

}  // namespace

void Engine::Impl::execute(Turn& turn, RequestId id, const PingTrunk& request) {
  const Trunk* trunk = node.trunks.find(request.trunk);
  if (trunk == nullptr) return turn.reply(id, not_found("trunk", request.trunk));
  const auto target = Trunks::target(*trunk);
  if (!target || probes.size() >= kMaxProbes) {
    TrunkPing ping;
    ping.trunk = request.trunk;
    ping.reason = target ? "too many probes wait for an answer" : "the host name has no address";
    return turn.reply(id, std::move(ping));
  }
  const sip::TransactionId transaction = node.next_transaction();
  probes[transaction] = {request.trunk, id, turn.at.now};
  turn.out.sip.emplace_back(
      sip::SendRequest{transaction, make_probe(node, *trunk, *target), *target});
}

void Engine::Impl::probed(Turn& turn, sip::TransactionId transaction, int status,
                          std::string_view phrase) {
  auto found = probes.extract(transaction);
  if (found.empty()) return;
  const Probe& probe = found.mapped();
  const bool answered = status != 0;
  Trunk* trunk = node.trunks.find(probe.trunk);
  if (trunk != nullptr && trunk->up != answered) {
    trunk->up = answered;
    turn.observe(TrunkChanged{probe.trunk, answered, std::string(phrase)});
  }
  TrunkPing ping;
  ping.trunk = probe.trunk;
  ping.answered = answered;
  ping.sip_code = status;
  ping.reason = phrase;
  ping.round_trip = turn.at.now - probe.sent;
  turn.reply(probe.request, std::move(ping));
}

}  // namespace trunkline::call
