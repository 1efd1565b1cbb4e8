#include "call/leg.hpp"

#include "call/session_identifier.hpp"
#include "sip/body.hpp"
#include "sip/endpoint.hpp"
#include "sip/parts.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

namespace {
constexpr Duration kMediaPatience =
    seconds{30};  // for the ICE restart of a browser that came back without its media

bool lists(std::string_view list, std::string_view tag) {
  sip::ListCursor tags(list);
  while (const auto known = tags.next()) {
    if (sip::equals_ignoring_case(*known, tag)) return true;
  }
  return false;
}

bool is_supported(std::string_view tag) {
  return lists(kSupported, tag);
}

bool is_known_to_registrar(std::string_view tag) {
  return lists("outbound, path, gruu", tag);
}
}  // namespace

std::string unsupported_options(const sip::Message& request) {
  std::string missing;
  for (const auto tag : request.headers(HeaderName::require)) {
    const bool known =
        is_supported(tag) || (request.method() == Method::register_ && is_known_to_registrar(tag));
    if (known || tag.empty()) continue;
    if (!missing.empty()) missing += ", ";
    missing += tag;
  }
  return missing;
}

std::vector<sdp::Codec> Leg::described(std::vector<sdp::Codec> codecs) const {
  if (!media->takes_events()) std::erase_if(codecs, sdp::is_telephone_event);
  return codecs;
}

std::string Leg::offer(const std::vector<sdp::Codec>& codecs, sdp::Direction direction) {
  std::string text = media->sdp().offer(described(codecs), direction);
  media->keep_offer();
  told = direction;
  return text;
}

std::string Leg::answer(const std::vector<sdp::Codec>& codecs, sdp::Direction direction) {
  std::string text = media->sdp().answer(described(codecs), direction);
  told = agreed_told_ = media->sdp().direction();
  return text;
}

void Leg::heard(sdp::Direction direction) {
  peer_direction = direction;
  agreed_told_ = told;
  peer_wish = wish_after(direction);
}

sdp::Direction Leg::wish_after(sdp::Direction direction) const {
  // Where we ourselves left it no choice, what it says tells nothing about what it wants.
  const bool sends = sdp::sends(direction) || (!sdp::receives(told) && sdp::sends(peer_wish));
  const bool receives = sdp::receives(direction) || (!sdp::sends(told) && sdp::receives(peer_wish));
  return sdp::make_direction(sends, receives);
}

void Leg::rollback(Turn& turn) {
  media->stay(turn);
  media->rollback();
  told = agreed_told_;
}

void Leg::come_back(const sip::Target& over, TimePoint now) {
  target = over;
  if (reconnect_by == kNever) return;
  reconnect_by = kNever;
  timer.restart(now);
  if (media_gone) media_by = now + kMediaPatience;
}

void Leg::take_credentials(Random& random) {
  const TrunkSettings& known = trunk->settings;
  if (!known.username.empty()) digest.emplace(known.username, known.password, random);
}

std::string Leg::contact(const Node& node) const {
  return replica.empty() ? node.contact(target, secure)
                         : node.contact_for_replicas(target.transport);
}

void Leg::add_session_request(sip::Message& request) const {
  sip::SessionExpires wanted{timer.interval_seconds(), sip::SessionExpires::Refresher::unspecified};
  if (timer.running()) {
    // RFC 4028 §7.4: a refresh names the refresher that is in force.
    wanted.refresher = timer.we_refresh() ? sip::SessionExpires::Refresher::uac
                                          : sip::SessionExpires::Refresher::uas;
  } else if (trunk != nullptr) {
    wanted.delta_seconds = trunk->settings.session_expires_seconds;
  }
  if (wanted.delta_seconds == 0) return;
  request.set(HeaderName::session_expires, wanted.text());
  request.set(HeaderName::min_se, std::to_string(sip::kMinimumSessionInterval));
}

void Leg::invited_by(Turn& turn, const sip::RequestReceived& event) {
  state = State::invited;
  target = event.source;
  call_id = sip::call_id_of(event.request);
  local_tag = turn.node.random.token(12);
  const auto asked = sip::Uri::parse(event.request.request_uri());
  secure = asked && asked->scheme == sip::Uri::Scheme::sips;
  invite = event.transaction;
  invite_request = event.request;
  hear_session(turn.node.random, event.request);
  peer_updates = sip::has_token(event.request, HeaderName::allow, "UPDATE");
  peer_refers = may_take(event.request, "REFER");
  peer_informs = may_take(event.request, "INFO");
  if (sip::reliable_demand(event.request) != sip::ReliableDemand::none)
    reliable.emplace(event.request, sip::TransactionTimers{}, turn.node.random);
  if (trunk != nullptr) {
    take_credentials(turn.node.random);
    target.peer = trunk->settings.peer;  // whom a new connection must find
  }
  turn.node.transactions[event.transaction] = id;
  register_dialog(turn.node);
  if (const auto contact = sip::contact_of(event.request)) contact_user = contact->uri.user;
  if (kind == Kind::trunk) return;
  for (const Binding& binding : turn.node.registrar.find(peer, turn.at.now)) {
    if (binding.target.flow != target.flow) continue;
    instance = binding.instance;
    registered = binding.contact.uri;
  }
}

void Leg::send_invite(Turn& turn, const Invitation& invitation) {
  state = State::inviting;
  secure = invitation.request_uri.scheme == sip::Uri::Scheme::sips;
  call_id = turn.node.random.token(24);
  local_tag = turn.node.random.token(12);
  invite_sequence = 1 + turn.node.random.below(65536);
  sip::NameAddress tagged = invitation.caller.from;
  sip::set_parameter(tagged.parameters, "tag", local_tag);
  introduce(invitation.caller);
  // Before there is another party, it is ours.
  if (far_session_uuid.empty()) far_session_uuid = make_session_uuid(turn.node.random);

  sip::Message request = sip::Message::request(Method::invite, invitation.request_uri.text());
  request.add(HeaderName::max_forwards, std::to_string(invitation.max_forwards));
  request.add(HeaderName::from, tagged.text());
  request.add(HeaderName::to, invitation.to.text());
  request.add(HeaderName::call_id, call_id);
  request.add(HeaderName::cseq, std::to_string(invite_sequence) + " INVITE");
  request.add(HeaderName::contact, contact(turn.node));
  request.add(HeaderName::allow, kAllow);
  request.add(HeaderName::supported, supported());
  add_session_request(request);
  for (const std::string& route : preloaded_route)
    request.add(HeaderName::route, route);
  for (const HeaderField& header : invitation.headers)
    request.add(header.name, header.value);
  if (digest) digest->preload(request);
  request.set_body("application/sdp", invitation.sdp);
  register_dialog(turn.node);
  send(turn, Purpose::invite, std::move(request));
}

sip::TransactionId Leg::send(Turn& turn, Purpose purpose, sip::Message request) {
  const sip::TransactionId transaction = turn.node.next_transaction();
  aim_at_device(turn.node, request);
  identify(request, request.method());
  vouch(turn, request);
  const sip::Target to = next_target(turn.node, dialog_with(sip::to_tag(request)), target);
  outgoing[transaction] =
      Outgoing{purpose, request, 0, false, false, false, false, to, turn.at.now};
  turn.node.transactions[transaction] = id;
  turn.out.sip.emplace_back(sip::SendRequest{transaction, std::move(request), to});
  return transaction;
}

void Leg::vouch(const Turn& turn, sip::Message& request) const {
  if (!replica.empty())
    turn.node.replicas.vouch(request, replica, instance, turn.at.wall_seconds());
}

sip::TransactionId Leg::send_again(Turn& turn, Outgoing again, const sip::Message& because) {
  // The same request with the next CSeq, outside a dialog too (RFC 3261 §8.1.3.5, §22.2).
  sip::Dialog* within = dialog_with(sip::to_tag(again.request));
  if (again.stray) {
    again.request.set(HeaderName::cseq, std::to_string(sip::cseq_of(because).number + 1) + " BYE");
  } else if (again.purpose == Purpose::invite) {
    leave_forks();  // RFC 3261 §12.3: the refusal has ended them
    within = nullptr;
    invite_sequence = sip::cseq_of(because).number + 1;
    again.request.set(HeaderName::cseq, std::to_string(invite_sequence) + " INVITE");
  } else if (within != nullptr) {
    const auto fresh = within->request(again.request.method());
    again.request.set(HeaderName::cseq, *fresh.header(HeaderName::cseq));
  }
  if (again.purpose != Purpose::invite && again.request.method() == Method::invite) {
    invite_sequence = sip::cseq_of(again.request).number;
  }
  if (again.purpose == Purpose::refer && referred)
    referred->sequence = sip::cseq_of(again.request).number;
  const sip::TransactionId transaction = turn.node.next_transaction();
  turn.node.transactions[transaction] = id;
  if (!again.stray) again.target = next_target(turn.node, within, target);
  vouch(turn, again.request);
  turn.out.sip.emplace_back(sip::SendRequest{transaction, again.request, again.target});
  again.sent_at = turn.at.now;
  outgoing[transaction] = std::move(again);
  return transaction;
}

void Leg::redirect(Turn& turn, Outgoing again, const sip::Uri& uri, const sip::Target& to,
                   const sip::Message& because) {
  again.request.set_request_uri(uri.text());
  try_at(turn, std::move(again), to, because);
}

void Leg::try_at(Turn& turn, Outgoing again, const sip::Target& to, const sip::Message& because) {
  target = to;
  leave_forks();  // those of whom we leave
  again.request.set(HeaderName::contact, contact(turn.node));
  const std::string offer =
      trunk != nullptr ? media->aim(turn, *trunk, to.remote.ip) : std::string{};
  if (!offer.empty()) again.request.set_body("application/sdp", offer);
  again.request.remove(HeaderName::authorization);
  again.request.remove(HeaderName::proxy_authorization);
  if (digest) digest->preload(again.request);
  again.challenges = 0;
  again.finished = again.abandoned = false;
  send_again(turn, std::move(again), because);
}

sip::Message Leg::reinvite(Turn& turn, std::string_view sdp) {
  sip::Message request = dialog->request(Method::invite);
  invite_sequence = sip::cseq_of(request).number;
  request.add(HeaderName::contact, contact(turn.node));
  request.add(HeaderName::allow, kAllow);
  request.add(HeaderName::supported, kPlainSupported);
  if (timer.running()) add_session_request(request);
  if (digest) digest->preload(request);
  request.set_body("application/sdp", sdp);
  return request;
}

sip::TransactionId Leg::send_reinvite(Turn& turn, std::string_view sdp) {
  return send(turn, Purpose::reinvite, reinvite(turn, sdp));
}

void Leg::send_refresh(Turn& turn) {
  if (!peer_updates) {
    const std::string text = media->sdp().repeat();
    media->keep_offer();
    send(turn, Purpose::refresh, reinvite(turn, text));
    return;
  }
  sip::Message request = dialog->request(Method::update);
  request.add(HeaderName::contact, contact(turn.node));
  request.add(HeaderName::supported, supported());
  add_session_request(request);
  if (digest) digest->preload(request);
  send(turn, Purpose::refresh, std::move(request));
}

sip::TransactionId Leg::send_refer(Turn& turn, const sip::Uri& to) {
  sip::Message request = dialog->request(Method::refer);
  referred = Referral{sip::cseq_of(request).number, referred.has_value()};
  request.add(HeaderName::contact, contact(turn.node));
  request.add(HeaderName::refer_to, "<" + to.text() + ">");
  request.add(HeaderName::referred_by, "<" + dialog->local().uri.text() + ">");
  if (digest) digest->preload(request);
  return send(turn, Purpose::refer, std::move(request));
}

void Leg::send_bye(Turn& turn, std::string_view reason) {
  sip::Message request = dialog->request(Method::bye);
  if (!reason.empty()) request.add(HeaderName::reason, reason);
  for (const HeaderField& field : bye_fields)
    request.add(field.name, field.value);
  if (digest) digest->preload(request);
  send(turn, Purpose::bye, std::move(request));
}

void Leg::ack(Turn& turn, sip::TransactionId transaction, const sip::Dialog& of,
              std::uint32_t sequence, std::string_view sdp) {
  sip::Message request = of.ack(sequence);
  // RFC 3261 §13.2.2.4: the ACK carries the credentials of its INVITE and is never challenged.
  const auto sent = outgoing.find(transaction);
  if (sent != outgoing.end()) {
    for (const HeaderName field : {HeaderName::authorization, HeaderName::proxy_authorization}) {
      for (const auto value : sent->second.request.headers(field))
        request.add(field, value);
    }
  }
  request.set_body("application/sdp", sdp);
  aim_at_device(turn.node, request);
  identify(request, Method::ack);
  const bool left = sent != outgoing.end() && sent->second.abandoned;
  const sip::Target to = next_target(turn.node, &of, left ? sent->second.target : target);
  turn.out.sip.emplace_back(sip::SendAck{transaction, std::move(request), to});
}

void Leg::refuse_answer(Turn& turn, sip::TransactionId transaction, const sip::Message& answer,
                        std::string_view reason) {
  const auto sent = outgoing.find(transaction);
  if (sent == outgoing.end()) return;
  sip::Dialog* fork = dialog_of(sent->second.request, answer);
  if (fork == nullptr) return;  // a 2xx without To tag makes no dialog: there is nothing to end
  fork->confirm(answer);
  ack(turn, transaction, *fork, sip::cseq_of(answer).number);
  sip::Message bye = fork->request(Method::bye);
  if (!reason.empty()) bye.add(HeaderName::reason, reason);
  if (digest) digest->preload(bye);
  identify(bye, Method::bye);
  const sip::Target to =
      next_target(turn.node, fork, sent->second.abandoned ? sent->second.target : target);
  const sip::TransactionId ends = turn.node.next_transaction();
  outgoing[ends] = Outgoing{Purpose::bye, bye, 0, false, false, false, true, to, turn.at.now};
  turn.node.transactions[ends] = id;
  turn.out.sip.emplace_back(sip::SendRequest{ends, std::move(bye), to});
}

sip::Message Leg::response(const Node& node, const sip::Message& request, int status,
                           std::string_view phrase) const {
  sip::Message made = sip::make_response(request, status, local_tag, phrase);
  const bool forms_dialog = status > 100 && status < 300 && request.method() == Method::invite;
  if (forms_dialog) {
    for (const auto route : request.headers(HeaderName::record_route))
      made.add(HeaderName::record_route, route);
  }
  if (status < 300 && (request.method() == Method::invite || request.method() == Method::update)) {
    made.add(HeaderName::contact, contact(node));
    made.add(HeaderName::allow, kAllow);
    made.add(HeaderName::supported, supported());
  }
  identify(made, request.method());
  if (status > 100 && request.method() == Method::invite && state == State::invited) {
    for (const HeaderField& field : answer_fields)
      made.add(field.name, field.value);
  }
  return made;
}

void Leg::respond_with_sdp(Turn& turn, sip::TransactionId transaction, const sip::Message& request,
                           int status, std::string_view sdp) {
  sip::Message made = response(turn.node, request, status);
  const bool initial = transaction == invite && state == State::invited;
  if (status >= 200 && may_agree_session(request)) {
    agree_session(turn,
                  initial ? session : sip::SessionTimer::agree(request, timer.interval_seconds()),
                  made);
    if (request.method() == Method::invite && transaction != invite) unacknowledged = transaction;
  }
  made.set_body("application/sdp", sdp);
  if (initial) return respond_to_invite(turn, std::move(made));
  turn.respond(transaction, std::move(made));
}

bool Leg::may_agree_session(const sip::Message& request) const {
  if (request.method() == Method::invite) return true;
  // RFC 4028 §4: the interval of a session, which there is not before the answer.
  const bool session_up = state == State::answered || state == State::confirmed;
  return request.method() == Method::update && session_up;
}

void Leg::agree_session(Turn& turn, const sip::SessionTimer::Agreement& agreement,
                        sip::Message& made) {
  timer.start(agreement, turn.at.now);
  if (!timer.running()) return;
  const auto refresher = agreement.we_refresh ? sip::SessionExpires::Refresher::uas
                                              : sip::SessionExpires::Refresher::uac;
  made.add(HeaderName::session_expires,
           sip::SessionExpires{agreement.interval_seconds, refresher}.text());
  if (!agreement.we_refresh) made.add(HeaderName::require, "timer");  // RFC 4028 §9
}

void Leg::aim_at_device(const Node& node, sip::Message& request) const {
  if (!registered || !dialog || !node.gruus.is_gruu(dialog->remote_target())) return;
  request.set_request_uri(registered->text());
}

std::string Leg::party() const {
  return (kind == Kind::trunk ? "trunk:" : "user:") + peer;
}

void Leg::register_dialog(Node& node) {
  node.dialogs[dialog_key(call_id, local_tag)] = id;
  node.traces.add_leg(call, {name, party(), caller, call_id});
}

void Leg::forget(Node& node) {
  node.dialogs.erase(dialog_key(call_id, local_tag));
  node.legs.erase(id);
  for (const auto& [transaction, sent] : outgoing)
    node.transactions.erase(transaction);
  if (invite) node.transactions.erase(invite);
}

sip::Target Leg::next_target(const Node& node, const sip::Dialog* of,
                             const sip::Target& base) const {
  // A browser, and a peer that came by a connection, is reached by that connection (RFC 5626 §5.3,
  // RFC 5923).
  if (kind == Kind::browser || of == nullptr || (base.flow && sip::is_reliable(base.transport)))
    return base;
  // RFC 3261 §12.2.1.1: the top route, else the remote target. Only addresses are followed here; a
  // name there is answered by the host that the dialog was made with.
  const sip::Uri hop = of->next_hop();
  const auto ip = IpAddress::parse(hop.host);
  if (!ip) return base;
  const std::string named = hop.scheme == sip::Uri::Scheme::sips ? "tls" : hop.transport();
  const auto transport =
      named.empty() ? std::optional(base.transport) : sip::parse_transport(named);
  if (!transport || sip::is_websocket(*transport)) return base;
  // RFC 3261 §8.1.1.8: what we have said of ourselves has to fit where it goes.
  const bool other_family = ip->is_v6() != base.remote.ip.is_v6();
  if (other_family && !node.contact_address(*transport, ip->is_v6())) return base;
  sip::Target next = base;
  if (next.transport != *transport || other_family) next.flow = {};
  next.transport = *transport;
  next.remote = {*ip, hop.port.value_or(*transport == sip::Transport::tls ? 5061 : 5060)};
  return next;
}

bool may_take(const sip::Message& message, std::string_view method) {
  return message.count(HeaderName::allow) == 0 ||
         sip::has_token(message, HeaderName::allow, method);
}

std::string incompatible_format(std::string_view agent) {
  return "305 " + std::string(agent) + " \"Incompatible media format\"";
}

std::string warning_of(const Failure& failure, std::string_view agent) {
  if (failure.detail.warnings.empty()) return incompatible_format(agent);
  return "301 " + std::string(agent) + " " + sip::quote(failure.detail.warnings.front());
}

std::string_view sdp_of(const sip::Message& message) {
  return sip::read_body(message).description;
}

int body_refusal(const sip::Message& request) {
  const auto encoding = request.header(HeaderName::content_encoding);
  if (encoding && !encoding->empty() && !sip::equals_ignoring_case(*encoding, "identity"))
    return 415;
  switch (sip::read_body(request).verdict) {
    case sip::BodyReading::Verdict::good:
      return 0;
    case sip::BodyReading::Verdict::unknown:
      return 415;
    case sip::BodyReading::Verdict::malformed:
      return 400;
  }
  return 0;
}

void add_accepted_bodies(sip::Message& refusal) {
  if (refusal.status() != 415) return;
  refusal.add(HeaderName::accept, sip::kAcceptedBodies);
  refusal.add(HeaderName::accept_encoding, "identity");
}

}  // namespace trunkline::call
