#include "sip/header.hpp"

#include "peer.hpp"
#include <utility>

// Reliable provisional responses, of the peer's and to it (RFC 3262).
namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

namespace {
constexpr std::uint32_t kLatePrack = 15, kOffersInPrack = 10;  // percent
constexpr int kGivenUp = 504;
}  // namespace

// ---------------------------------------------------------------- calls that it makes

void Peer::heard_reliably(Session& session, const sip::Message& response) {
  if (!session.asks_reliably) complain("reliable, though nobody asked for it", response);
  const bool described = !response.body().empty();
  if (described && session.described_early) complain("a second description", response);
  if (described) {
    session.described_early = true;
    session.preview_tag = sip::to_of(response).tag();
    session.preview = response.body();
  }
  if (session.never_pracks || session.cancelled) return;
  const bool offers = described && !session.invite.body().empty() && dice_.chance(kOffersInPrack);
  if (!dice_.chance(kLatePrack)) return prack(session, response, offers);
  later(dice_.between(milliseconds{0}, kLate), session.id, [this, response, offers](Session& one) {
    if (one.state == Session::State::calling) prack(one, response, offers);
  });
}

void Peer::prack(Session& session, const sip::Message& response, bool offers) {
  auto request = session.dialog->request(Method::prack);
  request.add(HeaderName::rack, sip::ReliableOrder::rack_of(response).text());
  if (sip::DigestClient* client = credentials()) client->preload(request);
  if (!response.body().empty() && session.invite.body().empty()) {
    const auto offer = Description::read(response.body());
    const auto answer = offer ? session.speaker.answer(*offer, session.wish) : std::nullopt;
    if (!answer) return cancel(session);
    request.set_body("application/sdp", *answer);
  } else if (offers && !session.own_offer) {
    request.set_body("application/sdp", session.speaker.offer(session.wish));
  }
  const auto id = endpoint_->next_transaction();
  if (offers && !session.own_offer) session.own_offer = id;
  send_as(id, std::move(request), Purpose::prack, session.id);
}

void Peer::prack_answered(Session& session, const Outgoing& sent, const sip::Message& answer,
                          sip::TransactionId transaction) {
  const bool offered = session.own_offer == transaction;
  if (offered) session.own_offer = {};
  const int status = answer.status();
  if (status == 401 || status == 407) {
    authorize(sent, answer);
    return;
  }
  if (status >= 300) return;
  session.settled = session.settled || session.described_early;
  // RFC 6337 §3.1: whose offer is not taken all the same loses the INVITE.
  if (offered && answer.body().empty()) session.settled = false;
}

// ---------------------------------------------------------------- calls that it gets

void Peer::pracked(Session& session, const sip::RequestReceived& event) {
  const auto rack = sip::RAck::parse(event.request.header(HeaderName::rack).value_or(""));
  if (!rack) complain("PRACK without RAck", event.request);
  if (!event.request.body().empty()) complain("a description in PRACK", event.request);
  if (!rack || !session.reliable || !session.reliable->expects(*rack))
    return respond(event, response(session, event.request, 481));
  if (session.live() && challenge(event)) return;
  respond(event, response(session, event.request, 200));
  std::vector<sip::Message> released;
  session.reliable->acknowledge(*rack, agenda_.now(), released);
  const auto invite = invites_.find(session.transaction);
  if (invite == invites_.end()) return;
  const sip::RequestReceived to = invite->second;
  for (sip::Message& one : released) {
    if (one.status() >= 200) return accepted(session, std::move(one));
    respond(to, std::move(one));
  }
}

void Peer::repeat_reliably(Session& session) {
  std::vector<sip::Message> copies;
  const auto due = session.reliable->on_deadline(agenda_.now(), copies);
  const auto invite = invites_.find(session.transaction);
  if (invite == invites_.end()) return end(session);
  const sip::RequestReceived to = invite->second;
  for (sip::Message& one : copies)
    respond(to, std::move(one));
  if (due == sip::ReliableResponses::Due::nothing) return;
  session.forked ? end(session) : refuse(session, kGivenUp);
}

}  // namespace trunkline::simulator
