#include "sip/header.hpp"

#include "wire_keys.hpp"
#include "wire_rules.hpp"
#include <algorithm>

// What leaves the gateway.
namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

void WireRules::gateway_sends(const sip::SendBytes& message) {
  ++messages_;
  const auto parsed = parser_.parse(message.bytes, sip::Framing::datagram);
  if (!parsed) return journal_.violation("the gateway sent what is no message: " + message.bytes);
  const bool browser = sip::is_websocket(message.target.transport);
  if (!browser && (message.bytes.find(".invalid") != std::string::npos ||
                   message.bytes.find("a=ice-ufrag") != std::string::npos))
    complain("tells a trunk of a browser", *parsed);
  if (parsed->is_response()) return response_leaves(*parsed, message);
  request_leaves(*parsed, message);
}

void WireRules::request_leaves(const sip::Message& request, const sip::SendBytes& message) {
  if (request.count(HeaderName::via) != 1) complain("not one Via", request);
  if (!request.header(HeaderName::max_forwards)) complain("no Max-Forwards", request);
  if (request.method() == Method::ack) return ack_leaves(request);
  const std::string key = key_of(request);
  if (const auto known = sent_.find(key); known != sent_.end()) {
    // RFC 3261 §18.1.1: what is too large for UDP goes there after all when TCP is refused.
    constexpr std::size_t kTooLarge = 1300;
    if (known->second.reliable && message.target.transport == sip::Transport::udp &&
        message.bytes.size() > kTooLarge) {
      known->second.reliable = false;
      known->second.bytes = message.bytes;
      return;
    }
    if (known->second.reliable) complain("repeated on a reliable transport", request);
    if (known->second.bytes != message.bytes) complain("a copy that differs", request);
    return;
  }
  new_request(request, message);
}

void WireRules::new_request(const sip::Message& request, const sip::SendBytes& message) {
  const std::string key = key_of(request);
  Sent& sent = sent_[key];
  sent.method = request.method();
  sent.bytes = message.bytes;
  sent.branch = sip::top_via(request).branch();
  sent.reliable = sip::is_reliable(message.target.transport);
  sent.leg = leg_of(request, true);
  sent.dialog = dialog_of(request, true);
  if (message.transaction) transactions_[message.transaction] = key;
  if (sent.method == Method::cancel) return cancel_leaves(request);

  Leg& leg = legs_[sent.leg];
  if (sip::to_of(request).tag().empty()) {
    // Made anew, elsewhere or with more in it: what the last one said is over.
    leg.own_invites.clear();
    leg.own_offers.clear();
    if (leg.sequence >= sip::cseq_of(request).number && leg.sequence != 0)
      complain("CSeq does not rise", request);
    leg.sequence = sip::cseq_of(request).number;
  } else {
    in_dialog(request, sent.leg, sent.dialog);
    Dialog& dialog = dialogs_[sent.dialog];
    dialog.flow = sip::is_reliable(message.target.transport) ? message.target.flow : FlowId{};
    dialog.websocket = sip::is_websocket(message.target.transport);
  }
  const bool target_refresh = sent.method == Method::invite || sent.method == Method::update;
  if (target_refresh && !request.header(HeaderName::contact)) complain("no Contact", request);
  if (sent.method == Method::invite) {
    leg.own_invites.insert(key);
    sent_invites_[with_sequence(sent.leg, request)] = key;
  }
  if (sent.method == Method::prack) return prack_leaves(request, key);
  if (!target_refresh || request.body().empty()) return;
  sent.offer = Description::read(request.body());
  offer_leaves(request, leg, key);
}

void WireRules::in_dialog(const sip::Message& request, const std::string& leg_key,
                          const std::string& dialog_key) {
  Leg& leg = legs_[leg_key];
  Dialog& dialog = dialogs_[dialog_key];
  const std::uint32_t number = sip::cseq_of(request).number;
  // A dialog counts on from the INVITE that made it, whatever another target was sent since.
  const std::uint32_t last = dialog.sequence != 0 ? dialog.sequence : leg.sequence;
  if (number <= last) complain("CSeq does not rise", request);
  dialog.sequence = number;
  const Method method = request.method();
  if (method == Method::bye) return bye_leaves(request, dialog, leg);
  if (method == Method::notify &&
      request.header(HeaderName::subscription_state).value_or("").starts_with("terminated") &&
      --dialog.reports_owed < 0)
    complain("a last NOTIFY about no REFER", request);
  if (dialog.bye_sent || dialog.bye_got) {
    if (method == Method::invite || method == Method::update || method == Method::info ||
        method == Method::refer)
      complain("a request after BYE", request);
  }
  if (method != Method::invite) return;
  // RFC 3261 §14.1
  if (!leg.own_invites.empty()) complain("INVITE while one of ours is open", request);
  for (const std::string& key : leg.peer_invites) {
    const Got& got = got_.at(key);
    if (got.final == 0 || awaits_ack(got)) complain("INVITE while one of theirs is open", request);
  }
}

void WireRules::bye_leaves(const sip::Message& bye, Dialog& dialog, const Leg& leg) {
  dialog.bye_sent = true;
  if (dialog.reports_owed > 0 && !dialog.reports_unwanted && !dialog.bye_got && !stopping_)
    complain("BYE before the end of a transfer was told", bye);
  const std::string tag(sip::to_of(bye).tag());
  const std::string own = leg_of(bye, true);
  for (const auto& [key, sent] : sent_) {
    if (sent.leg != own) continue;
    const auto answer = sent.answers.find(tag);
    if (answer != sent.answers.end() && !answer->second) complain("BYE before ACK", bye);
    // RFC 5589 §6.1: it would cut off what the NOTIFY tells.
    const bool tells = sent.method == Method::notify && sent.dialog == dialog_of(bye, true);
    if (tells && sent.final == 0 && !sent.over) complain("BYE before the answer to NOTIFY", bye);
  }
  for (const std::string& key : leg.peer_invites) {
    const Got& got = got_.at(key);
    // RFC 3261 §15
    if (got.initial && got.final == 0) complain("BYE in place of a final response", bye);
    if (got.initial && awaits_ack(got)) complain("BYE before the ACK of our 2xx", bye);
  }
}

void WireRules::cancel_leaves(const sip::Message& cancel) {
  const auto found = sent_.find(std::string(sip::top_via(cancel).branch()) + " INVITE");
  if (found == sent_.end()) return complain("CANCEL of nothing", cancel);
  // RFC 3261 §9.1
  if (!found->second.provisional) complain("CANCEL before a provisional response", cancel);
  if (found->second.final != 0) complain("CANCEL after a final response", cancel);
  found->second.cancelled = true;
}

void WireRules::ack_leaves(const sip::Message& ack) {
  const auto found = sent_invites_.find(with_sequence(leg_of(ack, true), ack));
  if (found == sent_invites_.end()) return complain("ACK of nothing", ack);
  Sent& invite = sent_.at(found->second);
  const bool same_branch = sip::top_via(ack).branch() == invite.branch;
  // A failure may come after the 2xx too, from a proxy's losing branch, and is acknowledged alike.
  if (invite.final >= 300 || (same_branch && invite.refused)) {
    if (!same_branch) complain("ACK of a refusal with a branch of its own", ack);
    ack_owed_.reset();
    return;
  }
  const auto answer = invite.answers.find(std::string(sip::to_of(ack).tag()));
  if (answer == invite.answers.end()) return complain("ACK of nothing", ack);
  if (same_branch) complain("ACK of a 2xx with the branch of its INVITE", ack);
  // RFC 3261 §13.2.1: the answer is in the ACK exactly when the offer was in the 2xx.
  if (invite.offer.has_value() != ack.body().empty())
    complain(invite.offer ? "an answer without offer" : "no answer to an offer", ack);
  answer->second = true;
  ack_owed_.reset();
}

void WireRules::response_leaves(const sip::Message& response, const sip::SendBytes& message) {
  const std::string key = key_of(response);
  const auto found = got_.find(key);
  if (found == got_.end()) return complain("a response to nothing", response);
  Got& got = found->second;
  const int status = response.status();
  const bool invite = got.method == Method::invite;
  if (!invite && status > 100 && status < 200) complain("1xx to a non-INVITE", response);
  if (!invite && status == 408) complain("408 to a non-INVITE", response);  // RFC 4320 §4.2
  if (got.final != 0) return repeated(response, message, got);
  if (status >= 200) {
    got.response = message.bytes;
    final_leaves(response, got, key);
  }
  if (status == 100) return;
  const std::string tag(sip::to_of(response).tag());
  if (tag.empty()) complain("no To tag", response);
  if (!got.tag.empty() && got.tag != tag) complain("another To tag", response);
  if (got.initial && status < 200 && got.tag.empty()) {
    Leg& leg = legs_[leg_of(response, false)];
    leg.peer_invites.insert(key);
    if (got.offer) leg.peer_offers.insert(key);
    early_invites_[leg_of(response, false)] = key;
  }
  got.tag = tag;
  if (got.initial && invite && status < 300) reliable_leaves(response, got, key);
  fields_of(response);
  if (!response.body().empty()) description_in_response(response, got, key);
}

void WireRules::repeated(const sip::Message& response, const sip::SendBytes& message, Got& got) {
  // A CANCEL is answered without a transaction: a copy that outlives its INVITE matches nothing.
  const bool late = got.method == Method::cancel && response.status() == 481;
  if (got.response != message.bytes && !late) complain("a second final response", response);
  const bool answer = got.method == Method::invite && got.final < 300;
  if (answer && got.acked) complain("2xx repeated after its ACK", response);
  if (answer || got.copies > 0) return;
  if (got.reliable) complain("repeated on a reliable transport", response);
}

void WireRules::final_leaves(const sip::Message& response, Got& got, const std::string& key) {
  const int status = response.status();
  got.final = status;
  got.final_at = agenda_.now();
  Leg& leg = legs_[leg_of(response, false)];
  leg.peer_offers.erase(key);
  const std::string dialog_key = dialog_of(response, false);
  const bool session = got.method == Method::invite || got.method == Method::update;
  if (session && status < 300) session_agreed(response, dialogs_[dialog_key]);
  // Who comes back too late, or has yet to show who it is, has not brought the dialog back.
  const auto known = dialogs_.find(dialog_key);
  if (known != dialogs_.end() && status != 481 && status != 401) {
    known->second.flow = got.flow;
    known->second.path_lost = got.path_lost;
  }
  if (got.method == Method::bye && status < 300) dialogs_[dialog_key].bye_got = true;
  const bool unasked = response.header(HeaderName::refer_sub).value_or("") == "false";
  if (got.method == Method::refer && status == 202 && !unasked) ++dialogs_[dialog_key].reports_owed;
  if (got.method != Method::invite) return;
  if (status >= 300) {
    leg.peer_invites.erase(key);
    return;
  }
  got.leg = leg_of(response, false);
  got_invites_[with_sequence(dialog_key, response)] = key;
  leg.peer_invites.insert(key);
  Dialog& dialog = dialogs_[dialog_key];
  dialog.confirmed = true;
  dialog.flow = got.flow;
  dialog.path_lost = got.path_lost;
  dialog.websocket = got.websocket;
  if (got.described) {
    if (!response.body().empty()) complain("a second description", response);
  } else if (response.body().empty()) {
    complain(got.offer ? "2xx without an answer" : "2xx without an offer", response);
  }
}

void WireRules::fields_of(const sip::Message& response) {
  const Method method = sip::cseq_of(response).method;
  const auto must_have = [&](int status, HeaderName name) {
    if (response.status() == status && !response.header(name))
      complain("lacks " + std::string(sip::header_name_text(name)), response);
  };
  must_have(405, HeaderName::allow);
  must_have(415, HeaderName::accept);
  must_have(420, HeaderName::unsupported);
  must_have(422, HeaderName::min_se);
  must_have(423, HeaderName::min_expires);
  must_have(401, HeaderName::www_authenticate);
  if (method == Method::invite && response.status() < 300 && !response.header(HeaderName::contact))
    complain("no Contact", response);
}

void WireRules::description_in_response(const sip::Message& response, Got& got,
                                        const std::string& key) {
  if (got.method != Method::invite && got.method != Method::update && got.method != Method::prack)
    return;
  if (response.status() >= 300) return;
  Leg& leg = legs_[leg_of(response, false)];
  const bool reliable_provisional = response.header(HeaderName::rseq).has_value();
  if (!got.offer) {
    if (got.method != Method::invite) return complain("an answer without offer", response);
    if (response.status() < 200 && !reliable_provisional)
      return complain("an offer in an unreliable response", response);
    return offer_leaves(response, leg, key);
  }
  const std::string text(response.body());
  if (!got.answer.empty()) {
    if (got.answer != text) complain("a second answer", response);
    return;
  }
  got.answer = text;
  description_leaves(response, leg);
  const auto answer = Description::read(text);
  if (!answer) return;
  if (answer->lines.size() != got.offer->lines.size())
    complain("an answer with other m= lines", response);
  if (!direction_fits(got.offer->direction, answer->direction))
    complain("answers " + got.offer->direction + " with " + answer->direction, response);
  for (const int payload : answer->payloads) {
    const std::string codec = answer->codec(payload);
    const bool offered = std::any_of(got.offer->payloads.begin(), got.offer->payloads.end(),
                                     [&](int other) { return got.offer->codec(other) == codec; });
    if (!offered) complain("answers with " + codec + ", which was not offered", response);
  }
}

void WireRules::offer_leaves(const sip::Message& message, Leg& leg, const std::string& key) {
  for (const auto* offers : {&leg.own_offers, &leg.peer_offers}) {
    for (const std::string& other : *offers) {
      if (other == key) continue;
      const auto got = got_.find(other);
      // An offer in a 2xx whose ACK never came is over with the transaction.
      if (got != got_.end() && got->second.final != 0 && !awaits_ack(got->second)) continue;
      complain("an offer while another is open", message);
    }
  }
  leg.own_offers.insert(key);
  description_leaves(message, leg);
}

void WireRules::description_leaves(const sip::Message& message, Leg& leg) {
  const std::string text(message.body());
  auto read = Description::read(text);
  if (!read) return complain("a description that can't be read", message);
  if (!leg.text.empty() && text != leg.text) {
    // RFC 3264 §8
    if (read->origin != leg.last.origin) complain("another origin in o=", message);
    const bool next = read->version == leg.last.version + 1;
    if (!next && !(leg.unseen && read->version > leg.last.version))
      complain("o= version " + std::to_string(read->version) + " after " +
                   std::to_string(leg.last.version),
               message);
  }
  leg.text = text;
  leg.last = std::move(*read);
  leg.unseen = false;
}

}  // namespace trunkline::simulator
