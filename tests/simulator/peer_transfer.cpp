#include "sip/header.hpp"
#include "sip/syntax.hpp"

#include "peer.hpp"
#include <algorithm>

// Transfers that the peer asks for: REFER and what is told of it (RFC 3515), and INVITE with
// Replaces (RFC 3891).
namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

namespace {
constexpr std::uint32_t kAttended = 40, kUnasked = 10, kLeavesAtOnce = 20, kLeavesAfter = 30,
                        kRefusesNotify = 5;  // percent

bool is_over(const sip::Message& notify) {
  return notify.header(HeaderName::subscription_state).value_or("").starts_with("terminated");
}

/// The REFER that a NOTIFY is about; 0: it does not say.
std::uint32_t refer_of(const sip::Message& notify) {
  const std::string_view event = notify.header(HeaderName::event).value_or("");
  const std::size_t id = event.find(";id=");
  return id == std::string_view::npos ? 0 : sip::parse_number(event.substr(id + 4)).value_or(0);
}
}  // namespace

Session* Peer::other_session(const Session& than) {
  std::vector<Session*> found;
  for (auto& [id, session] : sessions_) {
    const bool usable = session->established() && !session->never_acks && !session->forked;
    if (usable && session.get() != &than) found.push_back(session.get());
  }
  return found.empty() ? nullptr : dice_.pick(found);
}

void Peer::refer(Session& session) {
  if (!session.established() || session.never_acks) return;
  // Of two that cross, a NOTIFY without an id could be about either.
  const bool pending = std::any_of(outgoing_.begin(), outgoing_.end(), [&](const auto& entry) {
    return entry.second.purpose == Purpose::refer && entry.second.session == session.id;
  });
  if (pending) return;
  auto request = session.dialog->request(Method::refer);
  request.add(HeaderName::contact, contact());
  std::string target = "sip:" + dice_.pick(numbers()) + "@" + home();
  const Session* other = dice_.chance(kAttended) ? other_session(session) : nullptr;
  if (other != nullptr) {
    target += "?Replaces=" + other->call_id + "%3Bto-tag%3D" + other->dialog->remote_tag() +
              "%3Bfrom-tag%3D" + other->local_tag;
  }
  request.add(HeaderName::refer_to, "<" + target + ">");
  const bool unasked = dice_.chance(kUnasked);
  if (unasked) request.add(HeaderName::refer_sub, "false");
  if (sip::DigestClient* client = credentials()) client->preload(request);
  if (!unasked) session.referred[sip::cseq_of(request).number] = false;
  send(std::move(request), Purpose::refer, session.id);
}

void Peer::refer_answered(Session& session, const Outgoing& sent, const sip::Message& answer) {
  const int status = answer.status();
  if (status >= 300) session.referred.erase(sip::cseq_of(answer).number);
  if (status == 401 || status == 407) {
    authorize(sent, answer);
    return;
  }
  if (!session.live()) return;
  if (status == 481 || status == 408) return end(session);
  if (status < 300 && dice_.chance(kLeavesAtOnce)) hang_up(session);
}

void Peer::notified(Session& session, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  auto refer = session.referred.find(refer_of(request));
  if (refer == session.referred.end() && refer_of(request) == 0 && !session.referred.empty())
    refer = session.referred.begin();  // RFC 3515 §2.4.6: of the first
  if (refer == session.referred.end()) {
    complain("NOTIFY about no REFER", request);
    return respond(event, response(session, request, 481));
  }
  if (refer->second) complain("NOTIFY after the last one", request);
  if (!request.body().starts_with("SIP/2.0 ")) complain("NOTIFY that tells nothing", request);
  if (is_over(request)) refer->second = true;
  if (dice_.chance(kRefusesNotify)) {
    refer->second = true;  // RFC 6665 §4.2.2: it wants no more of them
    return respond(event, response(session, request, 481));
  }
  respond(event, response(session, request, 200));
  if (is_over(request) && request.body().starts_with("SIP/2.0 2") && dice_.chance(kLeavesAfter))
    hang_up(session);
}

void Peer::subscribe(Session& session) {
  if (!session.established() || session.never_acks || session.referred.empty()) return;
  auto request = session.dialog->request(Method::subscribe);
  request.add(HeaderName::contact, contact());
  request.add(HeaderName::event, "refer;id=" + std::to_string(session.referred.rbegin()->first));
  request.add(HeaderName::expires, dice_.chance(50) ? "0" : "60");
  if (sip::DigestClient* client = credentials()) client->preload(request);
  send(std::move(request), Purpose::notify, session.id);
}

void Peer::replace(Session& session) {
  if (session.never_acks || session.forked) return;
  call(dice_.pick(numbers()), &session);
}

}  // namespace trunkline::simulator
