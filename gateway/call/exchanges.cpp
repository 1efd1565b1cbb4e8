#include "call/exchanges.hpp"

#include "call/call.hpp"
#include "call/carried_headers.hpp"
#include "call/response_detail.hpp"
#include "sip/endpoint.hpp"

#include <utility>

namespace trunkline::call {

using sip::HeaderName;

namespace {

/// Between two pages no field crosses by a list, whichever node the other one is at.
bool has_lists(const Caller& sender, const Caller& other) {
  const bool node = other.kind == Caller::Kind::trunk && other.name == kReplicas;
  return sender.kind != Caller::Kind::user || !node;
}

}  // namespace

std::uint64_t Exchanges::begin(Turn& turn, const sip::RequestReceived& event,
                               const std::vector<Place>& places, const Caller& from, bool seeking) {
  const std::uint64_t id = ++last_;
  Exchange& exchange = open_[id];
  exchange.server = event.transaction;
  exchange.request = event.request;
  exchange.from = from;
  exchange.seeking = seeking;
  send_to(turn, id, exchange, places);
  return id;
}

bool Exchanges::found(Turn& turn, std::uint64_t id, const std::vector<Place>& places) {
  const auto known = open_.find(id);
  Exchange& exchange = known->second;
  exchange.seeking = false;
  send_to(turn, id, exchange, places);
  if (!exchange.sent) {
    open_.erase(known);
    return false;
  }
  settled(turn, id);
  return true;
}

void Exchanges::send_to(Turn& turn, std::uint64_t id, Exchange& exchange,
                        const std::vector<Place>& places) {
  const sip::Message& request = exchange.request;
  const Identity sender = sender_of(turn.node, request, exchange.from);
  exchange.branches += places.size();
  exchange.sent = exchange.sent || !places.empty();
  for (const Place& place : places) {
    Branch branch;
    branch.exchange = id;
    branch.request = fresh_request(turn.node, request, place, sender);
    branch.request.add(HeaderName::cseq, "1 " + std::string(sip::method_name(request.method())));
    carry_content(request, branch.request);
    if (has_lists(exchange.from, place.party))
      carry_listed(turn, request, {exchange.from, place.party}, &sender, branch.request);
    branch.target = place.target;
    branch.party = place.party;
    branch.replica = place.replica;
    const Trunk* trunk =
        place.party.kind == Caller::Kind::user ? nullptr : turn.node.trunks.find(place.party.name);
    if (trunk != nullptr && !trunk->settings.username.empty())
      branch.digest.emplace(trunk->settings.username, trunk->settings.password, turn.node.random);
    send(turn, std::move(branch));
  }
}

void Exchanges::send(Turn& turn, Branch branch) {
  const sip::TransactionId client = turn.node.next_transaction();
  if (!branch.replica.empty())
    turn.node.replicas.vouch(branch.request, branch.replica, {}, turn.at.wall_seconds());
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
  if (exchange.answered) return;  // it is kept for the places that are being sought
  if (status < 300) {
    answer(turn, exchange, status, &event.response, party);
    exchange.answered = true;
    return settled(turn, id);
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
    // A node that is gone has no device that is registered.
    const bool browser =
        taken.mapped().party.kind == Caller::Kind::user || !taken.mapped().replica.empty();
    Call::judge(found->second.best,
                Failure::local(browser ? EndReason::not_registered : EndReason::trunk_unreachable),
                false);
  }
  settled(turn, found->first);
}

void Exchanges::settled(Turn& turn, std::uint64_t id) {
  const auto found = open_.find(id);
  const Exchange& exchange = found->second;
  if (exchange.seeking || (exchange.branches > 0 && !exchange.answered)) return;
  // RFC 4320 §4.2: without any answer the sender has given up by itself; a 408 would come too late.
  if (exchange.best && !exchange.answered) {
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
    if (has_lists(exchange.from, party))
      carry_listed(turn, *response, {party, exchange.from}, nullptr, made);
  }
  turn.respond(exchange.server, std::move(made));
}

}  // namespace trunkline::call
