#include "peer.hpp"

#include "sip/header.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

Peer::Peer(Place place, std::string peer_name, const Habits& habits, Dice dice)
    : name_(std::move(peer_name)),
      agenda_(place.agenda),
      journal_(place.journal),
      network_(place.network),
      habits_(habits),
      dice_(dice),
      random_(dice_.random().number64()) {
  start_endpoint();
}

void Peer::start_endpoint() {
  endpoint_ = std::make_unique<sip::Endpoint>(sip::EndpointSettings{.server_name = {}}, random_);
  if (line_ == nullptr) return;
  for (const auto transport : {sip::Transport::udp, sip::Transport::tcp})
    endpoint_->set_sent_by(transport, false, line_->remote.text());
}

void Peer::complain(const std::string& what, const sip::Message& message) {
  journal_.violation(name_ + ": " + what + ": " +
                     (message.is_request() ? std::string(message.method_text())
                                           : std::to_string(message.status())) +
                     ", CSeq " + sip::cseq_of(message).text() + ", Call-ID " +
                     std::string(sip::call_id_of(message)));
}

void Peer::received(std::string bytes, const sip::Target& from) {
  // The ACK of a 2xx that went past the transaction would find none.
  for (auto& [id, session] : sessions_) {
    if (!session->forked || session->fork_acked || !bytes.starts_with("ACK ")) continue;
    if (bytes.find(session->local_tag) == std::string::npos) continue;
    session->fork_acked = true;
    if (session->state == Session::State::answered) session->state = Session::State::confirmed;
  }
  sip::Effects effects;
  endpoint_->receive(std::move(bytes), from, agenda_.now(), effects);
  for (auto& event : effects.events)
    events_.push_back(std::move(event));
  for (auto& transmission : effects.transmissions) {
    if (auto* message = std::get_if<sip::SendBytes>(&transmission))
      network_.from_peer(*line_, std::move(message->bytes));
  }
  pump();
}

void Peer::closed(FlowId flow) {
  sip::Effects effects;
  endpoint_->flow_closed(flow, agenda_.now(), effects);
  for (auto& event : effects.events)
    events_.push_back(std::move(event));
  connection_lost();
  agenda_.after(Duration{}, [this] { pump(); });
}

TimePoint Peer::deadline() const {
  TimePoint first = endpoint_->deadline();
  for (const auto& [id, session] : sessions_) {
    if (session->established()) first = std::min(first, session->timer.deadline());
    if (session->live() && session->reliable)
      first = std::min(first, session->reliable->deadline());
  }
  return first;
}

void Peer::on_deadline() {
  if (endpoint_->deadline() <= agenda_.now()) {
    sip::Effects effects;
    endpoint_->on_deadline(agenda_.now(), effects);
    for (auto& event : effects.events)
      events_.push_back(std::move(event));
    for (auto& transmission : effects.transmissions) {
      if (auto* message = std::get_if<sip::SendBytes>(&transmission))
        network_.from_peer(*line_, std::move(message->bytes));
    }
  }
  for (auto& [id, session] : sessions_) {
    if (session->live() && session->reliable && session->reliable->deadline() <= agenda_.now())
      repeat_reliably(*session);
    if (!session->established()) continue;
    switch (session->timer.on_deadline(agenda_.now())) {
      case sip::SessionTimer::Due::nothing:
        break;
      case sip::SessionTimer::Due::refresh:
        refresh(*session);
        break;
      case sip::SessionTimer::Due::expired:
        journal_.note(name_ + ": session timer ran out");
        hang_up(*session);
        break;
    }
  }
  pump();
}

void Peer::execute(sip::Command command) {
  sip::Effects effects;
  endpoint_->execute(std::move(command), agenda_.now(), effects);
  for (auto& event : effects.events)
    events_.push_back(std::move(event));
  for (auto& transmission : effects.transmissions) {
    auto* message = std::get_if<sip::SendBytes>(&transmission);
    if (message == nullptr) continue;
    const bool sent = network_.from_peer(*line_, std::move(message->bytes));
    if (sent || !message->transaction) continue;
    sip::Effects failed;
    endpoint_->send_failed(message->transaction, agenda_.now(), failed);
    for (auto& event : failed.events)
      events_.push_back(std::move(event));
  }
}

void Peer::pump() {
  if (std::exchange(pumping_, true)) return;
  while (!events_.empty()) {
    const sip::Event event = std::move(events_.front());
    events_.pop_front();
    handle(event);
  }
  pumping_ = false;
}

void Peer::handle(const sip::Event& event) {
  if (const auto* request = std::get_if<sip::RequestReceived>(&event)) {
    const bool known = !sip::to_of(request->request).tag().empty();
    if (known) return in_dialog(*request);
    if (request->request.method() == Method::invite) return invited(*request);
    const int status = request->request.method() == Method::options ? 200 : 405;
    auto answer = sip::make_response(request->request, status, random_.token(8));
    answer.add(HeaderName::allow, "INVITE, ACK, BYE, CANCEL, OPTIONS");
    return respond(*request, std::move(answer));
  }
  if (const auto* ack = std::get_if<sip::AckReceived>(&event))
    return acknowledged(ack->transaction, ack->ack);
  if (const auto* cancel = std::get_if<sip::CancelReceived>(&event)) return cancelled(*cancel);
  if (const auto* answer = std::get_if<sip::ResponseReceived>(&event)) return handle(*answer);
  if (const auto* failure = std::get_if<sip::RequestFailed>(&event)) return handle(*failure);
  if (const auto* missing = std::get_if<sip::AckMissing>(&event)) {
    if (missing->status >= 300) return;
    for (auto& [id, session] : sessions_) {
      const bool made = !session->caller && session->transaction == missing->transaction;
      if (!session->live() || (!made && session->their_invite != missing->transaction)) continue;
      if (session->state == Session::State::answered) session->state = Session::State::confirmed;
      hang_up(*session);  // RFC 3261 §13.3.1.4
    }
    return;
  }
  if (const auto* over = std::get_if<sip::TransactionEnded>(&event)) {
    outgoing_.erase(over->transaction);
    invites_.erase(over->transaction);
    for (auto& [id, session] : sessions_) {
      if (session->own_offer == over->transaction) session->own_offer = {};
      if (session->their_invite == over->transaction) session->their_invite = {};
      if (session->their_offer == over->transaction) session->their_offer = {};
      // The connection took the ACK with it.
      if (session->state == Session::State::answered && session->transaction == over->transaction)
        session->state = Session::State::confirmed;
    }
  }
}

void Peer::handle(const sip::ResponseReceived& event) {
  const auto found = outgoing_.find(event.transaction);
  if (found == outgoing_.end()) return;
  const Outgoing sent = found->second;
  if (event.response.count(HeaderName::via) != 1) complain("not one Via", event.response);
  Session* session = find(sent.session);
  switch (sent.purpose) {
    case Purpose::invite:
      if (session != nullptr) invite_answered(*session, sent, event.response);
      return;
    case Purpose::reinvite:
    case Purpose::update:
      if (session != nullptr && event.response.status() >= 200)
        reoffer_answered(*session, sent, event.response, event.transaction);
      return;
    case Purpose::notify:  // of a subscription, which may be over before the call is
      return;
    case Purpose::prack:
      if (session != nullptr && event.response.status() >= 200)
        prack_answered(*session, sent, event.response, event.transaction);
      return;
    case Purpose::refer:
      if (session != nullptr && event.response.status() >= 200)
        refer_answered(*session, sent, event.response);
      return;
    case Purpose::bye:
      if (event.response.status() == 401 || event.response.status() == 407)
        authorize(sent, event.response);
      return;
    case Purpose::other:
      break;
  }
  if (event.response.status() < 200) return;
  if (event.response.status() == 401 && authorize(sent, event.response)) return;
  if (session != nullptr && session->live() && event.response.status() == 481) end(*session);
  response_to_other(sent, event.response);
}

void Peer::handle(const sip::RequestFailed& event) {
  const auto found = outgoing_.find(event.transaction);
  if (found == outgoing_.end()) return;
  const Outgoing sent = found->second;
  Session* session = find(sent.session);
  if (session == nullptr || !session->live()) return;
  if (session->own_offer == event.transaction) session->own_offer = {};
  if (sent.purpose == Purpose::refer) session->referred.erase(sip::cseq_of(sent.request).number);
  const bool timeout = event.cause == sip::RequestFailed::Cause::timeout;
  if (sent.purpose == Purpose::invite) return end(*session);
  // RFC 3261 §12.2.1.2; a connection that broke may be replaced.
  if (timeout && session->established()) hang_up(*session);
}

bool Peer::authorize(const Outgoing& sent, const sip::Message& challenge_response) {
  sip::DigestClient* client = credentials();
  if (client == nullptr || sent.challenges >= 2) return false;
  sip::Message again = sent.request;
  if (!client->authorize(challenge_response, again)) return false;
  Session* session = find(sent.session);
  const bool inside = session != nullptr && session->dialog && !sip::to_of(again).tag().empty();
  const sip::CSeq cseq = sip::cseq_of(again);
  if (inside) {
    const auto fresh = session->dialog->request(again.method());
    again.set(HeaderName::cseq, *fresh.header(HeaderName::cseq));
  } else {
    again.set(HeaderName::cseq, std::to_string(cseq.number + 1) + " " + cseq.method_text);
  }
  const bool offering = sent.purpose == Purpose::reinvite || sent.purpose == Purpose::update;
  if (session != nullptr && sent.purpose == Purpose::refer && !again.header(HeaderName::refer_sub))
    session->referred[sip::cseq_of(again).number] = false;
  const auto id = send(std::move(again), sent.purpose, sent.session);
  if (const auto entry = outgoing_.find(id); entry != outgoing_.end())
    entry->second.challenges = sent.challenges + 1;
  if (session != nullptr && sent.purpose == Purpose::invite) {
    session->transaction = id;
    if (const auto entry = outgoing_.find(id); entry != outgoing_.end())
      session->invite = entry->second.request;
    if (session->cancelled) execute(sip::SendCancel{id, {}});
  }
  if (session != nullptr && offering) session->own_offer = id;
  return true;
}

sip::TransactionId Peer::send(sip::Message request, Purpose purpose, SessionId session) {
  const sip::TransactionId id = endpoint_->next_transaction();
  send_as(id, std::move(request), purpose, session);
  return id;
}

void Peer::send_as(sip::TransactionId id, sip::Message request, Purpose purpose,
                   SessionId session) {
  outgoing_[id] = Outgoing{purpose, session, request, 0};
  execute(sip::SendRequest{id, std::move(request), network_.gateway_seen(*line_)});
}

void Peer::respond(const sip::RequestReceived& to, sip::Message answer) {
  if (answer.status() >= 200) invites_.erase(to.transaction);
  execute(sip::Respond{to.transaction, std::move(answer)});
}

Session& Peer::new_session(bool caller) {
  auto made = std::make_unique<Session>(style());
  Session& session = *made;
  session.id = ++last_session_;
  session.caller = caller;
  sessions_.emplace(session.id, std::move(made));
  return session;
}

Session* Peer::find(SessionId id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

Session* Peer::find(const sip::Message& request) {
  const auto call_id = sip::call_id_of(request);
  const auto to = sip::to_of(request), from = sip::from_of(request);
  for (auto& [id, session] : sessions_) {
    if (session->call_id == call_id && session->local_tag == to.tag() && session->dialog &&
        session->dialog->remote_tag() == from.tag())
      return session.get();
  }
  return nullptr;
}

Session* Peer::any_session() {
  std::vector<Session*> live;
  for (auto& [id, session] : sessions_) {
    if (session->live()) live.push_back(session.get());
  }
  return live.empty() ? nullptr : live[dice_.below(live.size())];
}

std::size_t Peer::live_sessions() const {
  return static_cast<std::size_t>(std::count_if(
      sessions_.begin(), sessions_.end(), [](const auto& entry) { return entry.second->live(); }));
}

void Peer::end(Session& session) {
  session.state = Session::State::ended;
  session.timer.stop();
}

void Peer::hang_up_everything() {
  for (auto& [id, session] : sessions_) {
    if (session->live()) hang_up(*session);
  }
  pump();
}

void Peer::die() {
  for (auto& [id, session] : sessions_) {
    if (session->live() && session->established()) torn_.push_back(session->call_id);
    end(*session);
  }
  network_.die(*line_);
  ++lives_;
  sessions_.clear();
  outgoing_.clear();
  invites_.clear();
  events_.clear();
  start_endpoint();
}

}  // namespace trunkline::simulator
