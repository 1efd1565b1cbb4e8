#include "sip/header.hpp"

#include "wire_keys.hpp"
#include "wire_rules.hpp"
#include <algorithm>

// Reliable provisional responses (RFC 3262), to the gateway's INVITEs and of its own.
namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

// ---------------------------------------------------------------- to its INVITEs

void WireRules::reliable_comes(const sip::Message& response, const std::string& key, Sent& sent) {
  if (sent.method != Method::invite || sent.final != 0) return;
  const std::string tag(sip::to_of(response).tag());
  if (tag.empty()) return;
  Dialog& dialog = dialogs_[dialog_of(response, true)];
  dialog.sequence = std::max(dialog.sequence, sip::cseq_of(response).number);
  if (sent.forks[tag].receive(response) != sip::ReliableOrder::Verdict::next) return;
  if (!response.body().empty()) legs_[sent.leg].own_offers.erase(key);
  const std::string name =
      dialog_of(response, true) + " " + sip::ReliableOrder::rack_of(response).text();
  pracks_.emplace(name, std::string{});
  prack_owed_ = {key, name};
}

void WireRules::prack_leaves(const sip::Message& prack, const std::string& key) {
  const auto rack = sip::RAck::parse(prack.header(HeaderName::rack).value_or(""));
  if (!rack) return complain("PRACK without RAck", prack);
  const auto found = pracks_.find(dialog_of(prack, true) + " " + rack->text());
  if (found == pracks_.end()) return complain("PRACK of nothing", prack);
  if (!prack.body().empty()) complain("a description in PRACK", prack);
  if (!found->second.empty()) {
    const int last = sent_.at(found->second).final;
    if (last != 401 && last != 407) complain("a second PRACK", prack);
  }
  found->second = key;
}

// ---------------------------------------------------------------- of its own

void WireRules::reliable_leaves(const sip::Message& response, Got& got, const std::string& key) {
  if (response.status() >= 200) {
    // RFC 3262 §3
    if (!got.pracked && got.last_described) complain("2xx before the PRACK", response);
    return;
  }
  const auto rseq = response.header(HeaderName::rseq);
  if (!rseq) {
    if (got.demand == sip::ReliableDemand::required)
      complain("unreliable, where 100rel is required", response);
    return;
  }
  if (got.demand == sip::ReliableDemand::none) complain("reliable, to one without it", response);
  if (!sip::has_token(response, HeaderName::require, "100rel"))
    complain("RSeq without Require", response);
  const std::uint32_t number = sip::ReliableOrder::rack_of(response).rseq;
  const std::string text = response.serialize();
  if (number == got.rseq) {
    if (text != got.reliable_text) complain("a copy that differs", response);
    // A late copy of the INVITE is answered with what was said last (RFC 3261 §17.2.1).
    if (got.pracked && got.copies == 0) complain("repeated after its PRACK", response);
    return;
  }
  if (got.rseq != 0 && number != got.rseq + 1) complain("another RSeq than the next", response);
  if (!got.pracked) complain("another before the PRACK of the last one", response);
  if (!response.body().empty() && got.described) complain("a second description", response);
  got.rseq = number;
  got.reliable_text = text;
  got.pracked = false;
  got.last_described = !response.body().empty();
  got.described = got.described || got.last_described;
  early_invites_[leg_of(response, false)] = key;
}

void WireRules::prack_comes(const sip::Message& prack, Got& got, const std::string& key) {
  const auto early = early_invites_.find(got.leg);
  const auto rack = sip::RAck::parse(prack.header(HeaderName::rack).value_or(""));
  if (early == early_invites_.end() || !rack) return;
  Got& invite = got_.at(early->second);
  if (invite.pracked || rack->rseq != invite.rseq) return;
  invite.pracked = true;
  Leg& leg = legs_[got.leg];
  if (invite.last_described && !invite.offer) {
    leg.own_offers.erase(early->second);  // its description is the answer
    got.offer.reset();
    return;
  }
  if (invite.last_described) leg.peer_offers.erase(early->second);
  if (got.offer) leg.peer_offers.insert(key);
}

}  // namespace trunkline::simulator
