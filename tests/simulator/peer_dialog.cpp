#include "sip/endpoint.hpp"
#include "sip/header.hpp"

#include "peer.hpp"
#include <array>

// What goes on inside a peer's dialogs (RFC 3261 §12, §14, §15, RFC 3311, RFC 4028, RFC 3515).
namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

namespace {
constexpr Duration kTryAgain = seconds{2};
constexpr Duration kAckPatience = milliseconds{300};
constexpr std::uint32_t kSlow = 20, kUnwilling = 5;  // percent of offers
constexpr std::uint32_t kEarlyBye = 30;              // percent of callers that give up
constexpr std::array<int, 4> kUnwillingCodes{488, 500, 491, 603};
}  // namespace

void Peer::in_dialog(const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  Session* session = find(request);
  if (session == nullptr) return respond(event, sip::make_response(request, 481, random_.token(8)));
  if (const auto status = session->dialog->receive(request))
    return respond(event, response(*session, request, *status));
  const bool live = session->live();
  switch (request.method()) {
    case Method::bye: {
      if (live && challenge(event)) return;
      respond(event, response(*session, request, 200));
      if (!live) return;
      if (session->state == Session::State::ringing) return refuse(*session, 487);
      if (session->their_offer && invites_.contains(session->their_offer)) {
        const sip::RequestReceived pending = invites_.at(session->their_offer);
        respond(pending, response(*session, pending.request, 487));  // §15.1.2
      }
      return end(*session);
    }
    case Method::invite:
    case Method::update:
      if (live) return reoffered(*session, event);
      break;
    case Method::refer:
      if (live) return referred(*session, event);
      break;
    case Method::prack:
      return pracked(*session, event);
    case Method::notify:
      if (live) return notified(*session, event);
      break;
    case Method::message:
    case Method::info:
    case Method::options:
      if (live) return respond(event, response(*session, request, 200));
      break;
    default: {
      auto made = response(*session, request, 405);
      made.add(HeaderName::allow, allowed());
      return respond(event, std::move(made));
    }
  }
  respond(event, response(*session, request, 481));
}

void Peer::reoffered(Session& session, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  const bool invite = request.method() == Method::invite;
  if (invite) invites_[event.transaction] = event;
  session.dialog->refresh_target(request);
  if (!invite && request.body().empty()) {
    auto made = response(session, request, 200);
    agree_session(session, request, made);
    return respond(event, std::move(made));
  }
  const bool early = !invite && session.settled_early();
  const bool theirs = session.their_offer || session.their_invite ||
                      (session.state == Session::State::ringing && !early) ||
                      session.state == Session::State::answered;
  if (theirs) {  // §14.2
    auto made = response(session, request, 500);
    made.add(HeaderName::retry_after, std::to_string(dice_.below(11)));
    return respond(event, std::move(made));
  }
  if (session.own_offer || (session.state == Session::State::calling && !early))
    return respond(event, response(session, request, 491));
  if (dice_.chance(kUnwilling))
    return respond(event, response(session, request, dice_.pick(kUnwillingCodes)));
  session.their_offer = event.transaction;
  if (!dice_.chance(kSlow)) return answer_offer(session, event);
  if (invite && dice_.chance(50)) respond(event, response(session, request, 180));
  later(dice_.between(milliseconds{50}, milliseconds{invite ? 6000 : 1500}), session.id,
        [this, event](Session& one) {
          if (one.their_offer == event.transaction) answer_offer(one, event);
        });
}

void Peer::answer_offer(Session& session, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  session.their_offer = {};
  sip::Message made = response(session, request, 200);
  const bool invite = request.method() == Method::invite;
  if (request.body().empty()) {
    session.offered_in_answer = true;
    made.set_body("application/sdp", session.speaker.offer(session.wish));
  } else {
    const auto offer = Description::read(request.body());
    const auto answer = offer ? session.speaker.answer(*offer, session.wish) : std::nullopt;
    if (!answer) return respond(event, response(session, request, 488));
    made.set_body("application/sdp", *answer);
  }
  agree_session(session, request, made);
  if (invite) session.their_invite = event.transaction;
  respond(event, std::move(made));
}

void Peer::agree_session(Session& session, const sip::Message& request, sip::Message& made) {
  if (!habits_.timer) return;
  made.add(HeaderName::supported, "timer");
  auto agreement =
      sip::SessionTimer::agree(request, session.timer.running() ? session.timer.interval_seconds()
                                                                : habits_.session_expires);
  const auto asked = request.header(HeaderName::session_expires);
  // Where the request leaves it open who refreshes, the one that answers chooses (RFC 4028 §9).
  const bool open = asked && asked->find("refresher") == std::string_view::npos;
  if (open && agreement.peer_supports) agreement.we_refresh = dice_.chance(50);
  session.timer.start(agreement, agenda_.now());
  if (!session.timer.running()) return;
  using Refresher = sip::SessionExpires::Refresher;
  made.add(HeaderName::session_expires,
           sip::SessionExpires{agreement.interval_seconds,
                               agreement.we_refresh ? Refresher::uas : Refresher::uac}
               .text());
  if (!agreement.we_refresh) made.add(HeaderName::require, "timer");
}

void Peer::ask_session(Session& session, sip::Message& request) {
  if (!habits_.timer) return;
  request.add(HeaderName::supported, "timer");
  using Refresher = sip::SessionExpires::Refresher;
  static constexpr std::array<Refresher, 3> kRefreshers{Refresher::unspecified, Refresher::uac,
                                                        Refresher::uas};
  const std::uint32_t interval =
      session.timer.running() ? session.timer.interval_seconds() : habits_.session_expires;
  if (interval == 0) return;
  request.add(HeaderName::session_expires,
              sip::SessionExpires{interval, dice_.pick(kRefreshers)}.text());
  if (dice_.chance(50)) request.add(HeaderName::min_se, "90");
}

void Peer::hang_up(Session& session) {
  switch (session.state) {
    case Session::State::calling: {
      if (!session.dialog || session.cancelled || !dice_.chance(kEarlyBye)) return cancel(session);
      session.cancelled = true;  // RFC 3261 §15: the caller may
      auto request = session.dialog->request(Method::bye);
      if (sip::DigestClient* client = credentials()) client->preload(request);
      send(std::move(request), Purpose::bye, session.id);
      return;
    }
    case Session::State::ringing:
      return session.forked ? end(session) : refuse(session, dice_.chance(50) ? 486 : 603);
    case Session::State::answered:  // §15: not before the ACK
      return later(kAckPatience, session.id, [this](Session& one) { hang_up(one); });
    case Session::State::confirmed: {
      end(session);
      if (session.never_acks) return;
      if (session.their_offer && invites_.contains(session.their_offer)) {
        const sip::RequestReceived pending = invites_.at(session.their_offer);
        respond(pending, response(session, pending.request, 487));
      }
      auto request = session.dialog->request(Method::bye);
      if (sip::DigestClient* client = credentials()) client->preload(request);
      send(std::move(request), Purpose::bye, session.id);
      return;
    }
    case Session::State::ended:
      return;
  }
}

void Peer::reinvite(Session& session, bool offer) {
  if (!session.may_offer()) return;
  auto request = session.dialog->request(Method::invite);
  request.add(HeaderName::contact, contact());
  request.add(HeaderName::allow, allowed());
  ask_session(session, request);
  if (sip::DigestClient* client = credentials()) client->preload(request);
  if (offer) request.set_body("application/sdp", session.speaker.offer(session.wish));
  session.own_offer = endpoint_->next_transaction();
  send_as(session.own_offer, std::move(request), Purpose::reinvite, session.id);
}

void Peer::update(Session& session, bool offer) {
  if (!session.peer_updates || !session.dialog || (offer && !session.may_update())) return;
  auto request = session.dialog->request(Method::update);
  request.add(HeaderName::contact, contact());
  if (session.established()) ask_session(session, request);
  if (sip::DigestClient* client = credentials()) client->preload(request);
  if (offer) request.set_body("application/sdp", session.speaker.offer(session.wish));
  const auto id = endpoint_->next_transaction();
  if (offer) session.own_offer = id;
  send_as(id, std::move(request), Purpose::update, session.id);
}

void Peer::refresh(Session& session) {
  if (!session.may_offer()) return session.timer.postpone(agenda_.now() + kTryAgain);
  if (session.peer_updates && habits_.update && dice_.chance(50)) return update(session, false);
  reinvite(session, dice_.chance(90));
}

void Peer::reoffer_answered(Session& session, const Outgoing& sent, const sip::Message& answer,
                            sip::TransactionId transaction) {
  if (session.own_offer == transaction) session.own_offer = {};
  const int status = answer.status();
  const bool invite = sent.request.method() == Method::invite;
  if (status >= 300) {
    if (!session.live()) return;
    if ((status == 401 || status == 407) && authorize(sent, answer)) return;
    if (status == 481 || status == 408) return end(session);
    if (status == 491 && dice_.chance(70)) {
      later(dice_.between(milliseconds{100}, milliseconds{4000}), session.id,
            [this](Session& one) { reinvite(one, true); });
    }
    if (session.timer.running() && session.timer.we_refresh())
      session.timer.postpone(agenda_.now() + kTryAgain);
    return;
  }
  const bool offered = !sent.request.body().empty();
  if ((invite || offered) && answer.body().empty()) complain("2xx without a description", answer);
  if (!invite && !offered && !answer.body().empty()) complain("an answer without offer", answer);
  session.dialog->refresh_target(answer);
  if (session.live()) session.timer.start(sip::SessionTimer::settled(answer), agenda_.now());
  if (!invite) return;
  auto ack = session.dialog->ack(sip::cseq_of(answer).number);
  if (!offered) {
    const auto offer = Description::read(answer.body());
    const auto text = offer ? session.speaker.answer(*offer, session.wish) : std::nullopt;
    if (text) ack.set_body("application/sdp", *text);
    if (!text && session.live()) hang_up(session);
  }
  execute(sip::SendAck{transaction, std::move(ack), network_.gateway_seen(*line_)});
}

void Peer::send_info(Session& session) {
  if (!session.established() || session.never_acks) return;
  auto request = session.dialog->request(Method::info);
  if (sip::DigestClient* client = credentials()) client->preload(request);
  request.set_body("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
  send(std::move(request), Purpose::other, session.id);
}

void Peer::send_plain(Session& session, Method method) {
  if (!session.established() || session.never_acks) return;
  auto request = session.dialog->request(method);
  if (sip::DigestClient* client = credentials()) client->preload(request);
  if (method == Method::message) request.set_body("text/plain", "hello");
  send(std::move(request), Purpose::other, session.id);
}

void Peer::referred(Session& session, const sip::RequestReceived& event) {
  const std::uint32_t number = sip::cseq_of(event.request).number;
  if (!session.established() || !habits_.refer || dice_.chance(20))
    return respond(event, response(session, event.request, dice_.chance(50) ? 603 : 405));
  if (dice_.chance(10)) {  // an answer, but late
    return later(
        dice_.between(milliseconds{500}, milliseconds{8000}), session.id,
        [this, event](Session& one) { respond(event, response(one, event.request, 202)); });
  }
  respond(event, response(session, event.request, 202));
  if (dice_.chance(15))
    return later(seconds{1}, session.id, [this](Session& one) { hang_up(one); });
  notify(session, number, 100, false);
  const int outcome = dice_.chance(60) ? 200 : dice_.chance(50) ? 486 : 503;
  later(dice_.between(milliseconds{200}, milliseconds{9000}), session.id,
        [this, number, outcome](Session& one) { notify(one, number, outcome, true); });
}

void Peer::notify(Session& session, std::uint32_t refer, int status, bool last) {
  auto request = session.dialog->request(Method::notify);
  request.add(HeaderName::event, "refer;id=" + std::to_string(refer));
  request.add(HeaderName::subscription_state,
              last ? "terminated;reason=noresource" : "active;expires=60");
  request.add(HeaderName::contact, contact());
  request.set_body("message/sipfrag", "SIP/2.0 " + std::to_string(status) + " Told\r\n");
  send(std::move(request), Purpose::notify, session.id);
}

void Peer::act_in_call() {
  Session* session = any_session();
  if (session == nullptr || session->forked) return;
  const std::uint32_t choice = dice_.below(100);
  if (!session->established()) {
    if (choice < 25) return hang_up(*session);
    if (choice < 40) return accept(*session);
    if (choice < 50 && session->dialog && habits_.update && session->peer_updates &&
        session->state != Session::State::answered)
      return update(*session, session->settled_early());
    return;
  }
  if (dice_.chance(habits_.transfers)) {
    if (choice < 60) return refer(*session);
    if (choice < 75) return subscribe(*session);
    return replace(*session);
  }
  if (choice < 15) return hang_up(*session);
  if (choice < 45) {
    static constexpr std::array<const char*, 5> kWishes{"sendrecv", "sendonly", "sendrecv",
                                                        "inactive", "recvonly"};
    session->wish = dice_.pick(kWishes);
    return reinvite(*session, true);
  }
  if (choice < 55) return reinvite(*session, false);
  if (choice < 70) return habits_.update ? update(*session, dice_.chance(60)) : void();
  if (choice < 85) return send_info(*session);
  if (choice < 92) return send_plain(*session, Method::message);
  if (choice < 96) return send_plain(*session, Method::options);
}

}  // namespace trunkline::simulator
