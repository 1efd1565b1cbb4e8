#include "call/exchanges.hpp"

#include "call/call.hpp"
#include "call/carried_headers.hpp"
#include "call/response_detail.hpp"
#include "sip/endpoint.hpp"

#include <utility>

namespace trunkline::call {

using sip::HeaderName;

void Exchanges::begin(Turn& turn, const sip::RequestReceived& event,
                      const std::vector<Place>& places, const Caller& from) {
  const std::uint64_t id = ++last_;
  const Identity sender = sender_of(turn.node, event.request, from);
  Exchange exchange;
  exchange.server = event.transaction;
  exchange.request = event.request;
  exchange.from = from;
  exchange.branches = places.size();
  open_.emplace(id, std::move(exchange));
  for (const Place& place : places) {
    Branch branch;
    branch.exchange = id;
    branch.request = fresh_request(turn.node, event.request, place, sender);
    branch.request.add(HeaderName::cseq,
                       "1 " + std::string(sip::method_name(event.request.method())));
    carry_content(event.request, branch.request);
    carry_listed(turn, event.request, {from, place.party}, &sender, branch.request);
    branch.target = place.target;
    branch.party = place.party;
    const Trunk* trunk =
        place.party.kind == Caller::Kind::user ? nullptr : turn.node.trunks.find(place.party.name);
    if (trunk != nullptr && !trunk->settings.username.empty())
      branch.digest.emplace(trunk->settings.username, trunk->settings.password, turn.node.random);
    send(turn, std::move(branch));
  }
}

void Exchanges::send(Turn& turn, Branch branch) {
  const sip::TransactionId client = turn.node.next_transaction();
  turn.out.sip.emplace_back(sip::SendRequest{client, branch.request, branch.target});
  branches_.emplace(client, std::move(branch));
}

bool Exchanges::challenged(Turn& turn, Branch& branch, const sip::Message& response) {
  const bool asks = response.status() == 401 || response.status() == 407;
  if (!asks || !branch.digest || ++branch.challenges > sip::kMaxChallenges) return false;
  if (!branch.digest->authorize(response, branch.request)) return false;
  sip::CSeq next = sip::cseq_of(branch.request);
  ++next.number;
  branch.request.set(HeaderName::cseq, next.text());
  send(turn, std::move(branch));
  return true;
}

void Exchanges::receive(Turn& turn, const sip::ResponseReceived& event) {
  const int status = event.response.status();
  if (status < 200) return;
  auto taken = branches_.extract(event.transaction);
  if (taken.empty() || challenged(turn, taken.mapped(), event.response)) return;
  const std::uint64_t id = taken.mapped().exchange;
  const Caller& party = taken.mapped().party;
  const auto found = open_.find(id);
  if (found == open_.end()) return;  // another device was quicker
  Exchange& exchange = found->second;
  --exchange.branches;
  if (status < 300) {
    answer(turn, exchange, status, &event.response, party);
    open_.erase(found);
    return;
  }
  const Failure failure = failure_of(event.response);
  Call::judge(exchange.best, failure, false);
  if (exchange.best->sip_code == status) {
    exchange.why = event.response;
    exchange.refused_by = party;
  }
  settled(turn, id);
}

void Exchanges::receive(Turn& turn, const sip::RequestFailed& event) {
  const auto taken = branches_.extract(event.transaction);
  if (taken.empty()) return;
  const auto found = open_.find(taken.mapped().exchange);
  if (found == open_.end()) return;
  --found->second.branches;
  if (event.cause != sip::RequestFailed::Cause::timeout) {
    const bool browser = taken.mapped().party.kind == Caller::Kind::user;
    Call::judge(found->second.best,
                Failure::local(browser ? EndReason::not_registered : EndReason::trunk_unreachable),
                false);
  }
  settled(turn, found->first);
}

void Exchanges::settled(Turn& turn, std::uint64_t id) {
  const auto found = open_.find(id);
  const Exchange& exchange = found->second;
  if (exchange.branches > 0) return;
  // RFC 4320 §4.2: without any answer the sender has given up by itself; a 408 would come too late.
  if (exchange.best) {
    const int relayed = exchange.best->relayed_code();
    const bool same = exchange.why && exchange.why->status() == relayed;
    answer(turn, exchange, relayed, same ? &*exchange.why : nullptr, exchange.refused_by);
  }
  open_.erase(found);
}

void Exchanges::answer(Turn& turn, const Exchange& exchange, int status,
                       const sip::Message* response, const Caller& party) {
  auto made = sip::make_response(exchange.request, status, turn.node.random.token(12),
                                 response != nullptr ? response->reason() : std::string_view{});
  if (response != nullptr) {
    carry_content(*response, made);
    carry_listed(turn, *response, {party, exchange.from}, nullptr, made);
  }
  turn.respond(exchange.server, std::move(made));
}

}  // namespace trunkline::call
