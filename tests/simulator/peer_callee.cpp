#include "sip/endpoint.hpp"
#include "sip/header.hpp"

#include "peer.hpp"
#include <array>

// The calls that a peer gets (RFC 3261 §13.3).
namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

namespace {
constexpr std::array<int, 14> kRefusals{400, 403, 404, 408, 480, 486, 487,
                                        488, 500, 503, 503, 504, 600, 603};
constexpr Duration kPatience = seconds{150};  // nobody lets it ring for longer
constexpr Duration kFirstRepeat = milliseconds{500}, kLongestRepeat = seconds{4},
                   kForkTimeout = seconds{32};
}  // namespace

std::string Peer::allowed() const {
  std::string methods = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY, MESSAGE";
  if (habits_.reliable > 0) methods += ", PRACK";
  if (habits_.update) methods += ", UPDATE";
  if (habits_.refer) methods += ", REFER";
  return methods;
}

sip::Message Peer::response(const Session& session, const sip::Message& request, int status) const {
  auto made = sip::make_response(request, status, session.local_tag);
  const bool session_method =
      request.method() == Method::invite || request.method() == Method::update;
  if (status > 100 && status < 300 && session_method) {
    made.add(HeaderName::contact, contact());
    made.add(HeaderName::allow, allowed());
  }
  return made;
}

void Peer::invited(const sip::RequestReceived& event) {
  if (challenge(event)) return;
  const int forks = dice_.chance(habits_.forks) ? 2 : 1;
  invites_[event.transaction] = event;
  SessionId first = 0;
  for (int fork = 0; fork < forks; ++fork) {
    Session& session = new_session(false);
    session.state = Session::State::ringing;
    session.call_id = sip::call_id_of(event.request);
    session.local_tag = random_.token(12);
    session.transaction = event.transaction;
    session.invite = event.request;
    session.peer_updates = sip::has_token(event.request, HeaderName::allow, "UPDATE");
    session.forked = fork > 0;
    const auto made = sip::Dialog::as_uas(event.request, session.local_tag);
    if (!made) return complain("INVITE without a Contact", event.request);
    session.dialog = *made;
    if (sip::reliable_demand(event.request) != sip::ReliableDemand::none &&
        dice_.chance(habits_.reliable)) {
      // Each of them, or only those with a description.
      sip::Message demand = event.request;
      if (dice_.chance(50)) demand.add(HeaderName::require, "100rel");
      session.reliable.emplace(demand, sip::TransactionTimers{}, random_);
    }
    if (fork == 0) first = session.id;
    if (fork > 0 && dice_.chance(70)) {
      later(dice_.between(milliseconds{20}, milliseconds{800}), session.id,
            [this](Session& one) { ring(one, 183, dice_.chance(60)); });
    }
  }
  plan(*find(first));
}

void Peer::plan(Session& session) {
  const Duration ringing = dice_.between(milliseconds{10}, milliseconds{700});
  const bool preview = dice_.chance(habits_.previews);
  const int status = preview ? 183 : dice_.chance(80) ? 180 : 182;
  if (dice_.chance(habits_.mute)) {
    return later(kPatience, session.id, [this](Session& one) { refuse(one, 480); });
  }
  if (dice_.chance(80)) {
    later(ringing, session.id,
          [this, status, preview](Session& one) { ring(one, status, preview); });
  }
  if (dice_.chance(20)) {
    later(ringing + dice_.between(milliseconds{0}, milliseconds{2000}), session.id,
          [this](Session& one) { ring(one, 180, false); });
  }
  const Duration decided = dice_.between(milliseconds{5}, milliseconds{7000});
  if (dice_.chance(habits_.redirects)) {
    return later(decided / 8, session.id, [this](Session& one) { refuse(one, 302); });
  }
  if (dice_.chance(habits_.refusals)) {
    const int code = dice_.pick(kRefusals);
    return later(decided, session.id, [this, code](Session& one) { refuse(one, code); });
  }
  if (dice_.chance(habits_.endless)) {
    return later(kPatience, session.id, [this](Session& one) { refuse(one, 480); });
  }
  later(decided, session.id, [this](Session& one) { accept(one); });
}

void Peer::ring(Session& session, int status, bool preview) {
  const auto invite = invites_.find(session.transaction);
  if (session.state != Session::State::ringing || invite == invites_.end()) return;
  sip::Message made = response(session, session.invite, status);
  if (preview && !session.invite.body().empty()) {
    const auto offer = Description::read(session.invite.body());
    const auto answer = offer ? session.speaker.answer(*offer, session.wish) : std::nullopt;
    if (answer) made.set_body("application/sdp", *answer);
  }
  answer_invite(session, std::move(made));
}

/// A response to the INVITE that is not the 2xx; reliably, where that was agreed.
void Peer::answer_invite(Session& session, sip::Message made) {
  const sip::RequestReceived to = invites_.at(session.transaction);
  if (!session.reliable) return respond(to, std::move(made));
  std::vector<sip::Message> due;
  session.reliable->respond(std::move(made), agenda_.now(), due);
  for (sip::Message& one : due)
    respond(to, std::move(one));
}

/// The 2xx to the INVITE, or 488 in its place.
sip::Message Peer::acceptance(Session& session) {
  sip::Message made = response(session, session.invite, 200);
  if (session.invite.body().empty()) {
    session.offered_in_answer = true;
    made.set_body("application/sdp", session.speaker.offer(session.wish));
  } else {
    const auto offer = Description::read(session.invite.body());
    const auto answer = offer ? session.speaker.answer(*offer, session.wish) : std::nullopt;
    if (!answer) return response(session, session.invite, 488);
    made.set_body("application/sdp", *answer);
  }
  agree_session(session, session.invite, made);
  return made;
}

void Peer::accept(Session& session) {
  const auto invite = invites_.find(session.transaction);
  if (session.state != Session::State::ringing || invite == invites_.end()) return;
  sip::Message made = acceptance(session);
  if (made.status() >= 300) return refuse(session, made.status());
  if (!session.reliable) return accepted(session, std::move(made));
  std::vector<sip::Message> due;
  session.reliable->respond(std::move(made), agenda_.now(), due);
  // Or else the PRACK of what was said before releases it.
  if (!due.empty()) accepted(session, std::move(due.back()));
}

void Peer::accepted(Session& session, sip::Message success) {
  session.state = Session::State::answered;
  const sip::TransactionId transaction = session.transaction;
  const sip::RequestReceived to = invites_.at(transaction);
  respond(to, std::move(success));
  for (auto& [id, other] : sessions_) {
    if (!other->forked || other->transaction != transaction || !other->live()) continue;
    if (!dice_.chance(60)) {
      end(*other);
      continue;
    }
    later(dice_.between(milliseconds{0}, milliseconds{1500}), id,
          [this](Session& one) { accept_as_fork(one); });
  }
}

/// Another device behind a proxy has answered too: its 2xx comes by the same transaction, and
/// nobody but the device repeats it.
void Peer::accept_as_fork(Session& session) {
  if (session.state != Session::State::ringing) return;
  sip::Message made = acceptance(session);
  if (made.status() >= 300) return end(session);
  if (session.reliable) {
    std::vector<sip::Message> due;
    session.reliable->respond(std::move(made), agenda_.now(), due);
    if (due.empty()) return end(session);  // not before its PRACK, which is not waited for here
    made = std::move(due.back());
  }
  session.state = Session::State::answered;
  repeat_fork(session, made.serialize(), kFirstRepeat);
  later(kForkTimeout, session.id, [this](Session& one) {
    if (!one.fork_acked) end(one);
  });
}

void Peer::repeat_fork(Session& session, const std::string& bytes, Duration interval) {
  if (session.fork_acked) return;
  network_.from_peer(*line_, bytes);
  later(interval, session.id, [this, bytes, interval](Session& one) {
    repeat_fork(one, bytes, std::min(interval * 2, kLongestRepeat));
  });
}

void Peer::refuse(Session& session, int status) {
  const auto invite = invites_.find(session.transaction);
  if (session.state != Session::State::ringing || invite == invites_.end()) return;
  for (auto& [id, other] : sessions_) {
    if (other->transaction == session.transaction && !other->caller) end(*other);
  }
  sip::Message made = response(session, session.invite, status);
  if (status == 302) made.add(HeaderName::contact, redirection());
  if (status == 503 && dice_.chance(50)) made.add(HeaderName::retry_after, "1");
  answer_invite(session, std::move(made));
}

void Peer::cancelled(const sip::CancelReceived& event) {
  const auto invite = invites_.find(event.transaction);
  if (invite == invites_.end()) return;
  for (auto& [id, session] : sessions_) {
    if (session->their_offer == event.transaction) {  // a re-INVITE
      session->their_offer = {};
      const sip::RequestReceived to = invite->second;
      return respond(to, response(*session, to.request, 487));
    }
    if (session->transaction != event.transaction || session->forked || !session->live()) continue;
    if (dice_.chance(habits_.ignores_cancel)) return;
    if (dice_.chance(habits_.answers_cancelled)) return accept(*session);
    return refuse(*session, 487);
  }
}

void Peer::acknowledged(sip::TransactionId transaction, const sip::Message& ack) {
  for (auto& [id, session] : sessions_) {
    if (session->their_invite == transaction) {
      session->their_invite = {};
    } else if (session->caller || session->transaction != transaction || session->forked) {
      continue;
    } else if (session->state == Session::State::answered) {
      session->state = Session::State::confirmed;
    }
    if (session->offered_in_answer && ack.body().empty() && session->live())
      complain("ACK without the answer", ack);
    session->offered_in_answer = false;
  }
}

}  // namespace trunkline::simulator
