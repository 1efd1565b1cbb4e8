#include "sip/header.hpp"

#include "peer.hpp"

// The calls that a peer makes (RFC 3261 §13.2).
namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

namespace {
constexpr std::uint32_t kOfferless = 10, kLateAck = 15, kNoPrack = 5;  // percent
}  // namespace

void Peer::dial(const std::string& request_uri, const std::string& from, const std::string& to,
                const Session* replaces) {
  Session& session = new_session(true);
  session.call_id = random_.token(16);
  session.local_tag = random_.token(8);
  session.never_acks = dice_.chance(habits_.forgets_ack);
  auto request = sip::Message::request(Method::invite, request_uri);
  request.add(HeaderName::max_forwards, "70");
  request.add(HeaderName::from, from + ";tag=" + session.local_tag);
  request.add(HeaderName::to, to);
  request.add(HeaderName::call_id, session.call_id);
  request.add(HeaderName::cseq, std::to_string(1 + dice_.below(1000)) + " INVITE");
  request.add(HeaderName::contact, contact());
  request.add(HeaderName::allow, allowed());
  ask_session(session, request);
  session.asks_reliably = dice_.chance(habits_.reliable);
  session.never_pracks = dice_.chance(kNoPrack);
  if (session.asks_reliably)
    request.add(dice_.chance(30) ? HeaderName::require : HeaderName::supported, "100rel");
  if (replaces != nullptr) {
    request.add(HeaderName::replaces, replaces->call_id +
                                          ";to-tag=" + replaces->dialog->remote_tag() +
                                          ";from-tag=" + replaces->local_tag);
  }
  if (sip::DigestClient* client = credentials()) client->preload(request);
  if (!dice_.chance(kOfferless))
    request.set_body("application/sdp", session.speaker.offer("sendrecv"));
  session.invite = request;
  session.transaction = send(std::move(request), Purpose::invite, session.id);
  if (dice_.chance(15)) {
    later(dice_.between(milliseconds{0}, milliseconds{6000}), session.id,
          [this](Session& one) { cancel(one); });
  }
}

void Peer::cancel(Session& session) {
  if (session.state != Session::State::calling) return;
  session.cancelled = true;
  execute(sip::SendCancel{session.transaction, {}});
}

void Peer::invite_answered(Session& session, const Outgoing& sent, const sip::Message& response) {
  const int status = response.status();
  const std::string tag(sip::to_of(response).tag());
  if (status < 200) {
    if (status == 100 || tag.empty()) return;
    if (!session.dialog) {
      if (auto made = sip::Dialog::as_uac(sent.request, response)) session.dialog = *made;
    }
    switch (session.order.receive(response)) {
      case sip::ReliableOrder::Verdict::copy:
        return;
      case sip::ReliableOrder::Verdict::out_of_order:  // one is not sent before the last is taken
        return complain("an RSeq was left out", response);
      case sip::ReliableOrder::Verdict::next:
        return heard_reliably(session, response);
      case sip::ReliableOrder::Verdict::unreliable:
        break;
    }
    if (response.body().empty()) return;
    if (session.described_early) return complain("a second answer", response);
    const std::string text(response.body());
    if (sent.request.body().empty()) complain("an offer in an unreliable response", response);
    if (session.preview_tag == tag && session.preview != text)
      complain("another description before the answer", response);
    session.preview_tag = tag;
    session.preview = text;
    return;
  }
  if (status < 300) return take_2xx(session, response, session.transaction);
  if (!session.live()) return;
  const bool challenged = status == 401 || status == 407;
  if (challenged && !session.cancelled && authorize(sent, response)) return;
  end(session);
}

void Peer::take_2xx(Session& session, const sip::Message& response,
                    sip::TransactionId transaction) {
  const std::string tag(sip::to_of(response).tag());
  if (session.established()) return complain("a second 2xx", response);
  if (!session.dialog || session.dialog->remote_tag() != tag) {
    auto made = sip::Dialog::as_uac(session.invite, response);
    if (!made) return complain("2xx without To tag", response);
    session.dialog = *made;
  }
  session.dialog->confirm(response);
  session.peer_updates = sip::has_token(response, HeaderName::allow, "UPDATE");
  if (response.body().empty() != session.described_early)
    complain(session.described_early ? "a second description" : "2xx without a description",
             response);
  const bool previewed = session.preview_tag == tag && !session.invite.body().empty();
  if (previewed && !response.body().empty() && session.preview != response.body())
    complain("the 2xx differs from what was said before", response);
  if (session.never_acks) {
    session.state = Session::State::confirmed;
    return;
  }
  if (!dice_.chance(kLateAck)) return acknowledge(session, response, transaction);
  later(dice_.between(milliseconds{0}, kLate), session.id,
        [this, response, transaction](Session& one) { acknowledge(one, response, transaction); });
}

void Peer::acknowledge(Session& session, const sip::Message& response,
                       sip::TransactionId transaction) {
  sip::Message ack = session.dialog->ack(sip::cseq_of(response).number);
  bool agreed = true;
  if (session.invite.body().empty() && !session.described_early) {
    const auto offer = Description::read(response.body());
    const auto answer = offer ? session.speaker.answer(*offer, session.wish) : std::nullopt;
    agreed = answer.has_value();
    if (agreed) ack.set_body("application/sdp", *answer);
  }
  if (!session.established()) {
    session.state = Session::State::confirmed;
    session.timer.start(sip::SessionTimer::settled(response), agenda_.now());
  }
  execute(sip::SendAck{transaction, std::move(ack), network_.gateway_seen(*line_)});
  if (session.cancelled || !agreed) hang_up(session);
}

}  // namespace trunkline::simulator
