#include "wire_rules.hpp"

#include "sip/header.hpp"

#include "wire_keys.hpp"
#include <algorithm>
#include <utility>

// What comes to the gateway, and what must be true in the end.
namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

namespace {
constexpr Duration kTimeout = seconds{32};  // 64*T1
}  // namespace

void WireRules::complain(const std::string& what, const sip::Message& message) {
  std::string text = what + ": ";
  text +=
      message.is_request() ? std::string(message.method_text()) : std::to_string(message.status());
  text += ", CSeq " + sip::cseq_of(message).text() + ", Call-ID " +
          std::string(sip::call_id_of(message)) + ", From tag " +
          std::string(sip::from_of(message).tag()) + ", To tag " +
          std::string(sip::to_of(message).tag());
  journal_.violation(std::move(text));
}

/// Every input is handled to its end before the next: what it called for has been sent.
void WireRules::settle() {
  if (ack_owed_) journal_.violation("a final response was not acknowledged at once: " + *ack_owed_);
  ack_owed_.reset();
  if (!prack_owed_) return;
  const auto [invite, response] = *std::exchange(prack_owed_, std::nullopt);
  // Who has given up wants nothing of it any more.
  if (!sent_.at(invite).cancelled && pracks_.at(response).empty())
    journal_.violation("a reliable response got no PRACK: " + response);
}

bool WireRules::awaits_ack(const Got& got) const {
  return got.method == Method::invite && got.final >= 200 && got.final < 300 && !got.acked &&
         !got.path_lost && agenda_.now() < got.final_at + kTimeout;
}

void WireRules::gateway_gets(const std::string& bytes, const sip::Target& from) {
  settle();
  ++messages_;
  const auto framing = sip::is_websocket(from.transport)  ? sip::Framing::websocket
                       : sip::is_reliable(from.transport) ? sip::Framing::stream
                                                          : sip::Framing::datagram;
  const auto message = parser_.parse(bytes, framing);
  if (!message) return journal_.violation("a peer sent what is no message: " + bytes);
  if (message->is_response()) return response_comes(*message, from);
  if (message->method() == Method::ack) return ack_comes(*message);
  request_comes(*message, from);
}

void WireRules::request_comes(const sip::Message& request, const sip::Target& from) {
  const auto [entry, fresh] = got_.try_emplace(key_of(request));
  Got& got = entry->second;
  if (!fresh) {
    ++got.copies;
    return;
  }
  got.method = request.method();
  got.text = std::string(request.method_text()) + " " + std::string(sip::call_id_of(request)) +
             " CSeq " + sip::cseq_of(request).text();
  got.leg = leg_of(request, false);
  got.dialog = dialog_of(request, false);
  got.initial = sip::to_of(request).tag().empty();
  got.reliable = sip::is_reliable(from.transport);
  got.websocket = sip::is_websocket(from.transport);
  got.flow = got.reliable ? from.flow : FlowId{};
  if (!request.body().empty()) got.offer = Description::read(request.body());
  if (got.method == Method::invite) got.demand = sip::reliable_demand(request);
  if (got.initial) return;
  if (got.method == Method::prack) return prack_comes(request, got, entry->first);
  if (got.method != Method::invite && got.method != Method::update) return;
  Leg& leg = legs_[got.leg];
  if (got.offer) leg.peer_offers.insert(entry->first);
  if (got.method == Method::invite) {
    // Who goes on to the next INVITE has got the 2xx to the last one, though its ACK was lost.
    std::erase_if(leg.peer_invites, [this](const auto& key) { return got_.at(key).final >= 200; });
    leg.peer_invites.insert(entry->first);
    got_invites_[with_sequence(got.dialog, request)] = entry->first;
  }
}

void WireRules::ack_comes(const sip::Message& ack) {
  const auto found = got_invites_.find(with_sequence(dialog_of(ack, false), ack));
  if (found == got_invites_.end()) return;
  Got& got = got_.at(found->second);
  got.acked = true;
  Leg& leg = legs_[got.leg];
  leg.peer_invites.erase(found->second);
  leg.own_offers.erase(found->second);
}

void WireRules::response_comes(const sip::Message& response, const sip::Target& from) {
  const std::string key = key_of(response);
  const auto found = sent_.find(key);
  if (found == sent_.end() || found->second.over) return;
  Sent& sent = found->second;
  const int status = response.status();
  if (status < 200) {
    sent.provisional = true;
    return reliable_comes(response, key, sent);
  }
  const bool first = sent.final == 0;
  if (first) {
    sent.final = status;
    Leg& leg = legs_[sent.leg];
    leg.own_offers.erase(key);
    leg.own_invites.erase(key);
    refused(sent, status);
  }
  const bool session = sent.method == Method::invite || sent.method == Method::update;
  if (session && status < 300) session_agreed(response, dialogs_[dialog_of(response, true)]);
  if (sent.method != Method::invite) return;
  if (status >= 300) {
    sent.refused = true;
    if (sent.final >= 300) ack_owed_ = key;
    return;
  }
  if (sent.final >= 300) return;  // no fork answers after the INVITE has failed
  const std::string tag(sip::to_of(response).tag());
  const auto [answer, fresh] = sent.answers.try_emplace(tag, false);
  if (!fresh) {
    if (answer->second) ack_owed_ = key + " " + tag;
    return;
  }
  Dialog& dialog = dialogs_[dialog_of(response, true)];
  dialog.confirmed = true;
  dialog.flow = sip::is_reliable(from.transport) ? from.flow : FlowId{};
  dialog.websocket = sip::is_websocket(from.transport);
  dialog.sequence = std::max(dialog.sequence, sip::cseq_of(response).number);
}

void WireRules::closed(FlowId flow) {
  settle();
  for (auto& [key, got] : got_) {
    if (got.flow != flow || got.path_lost) continue;
    got.path_lost = true;
    if (got.final != 0 || got.initial) continue;
    // What it is answered goes nowhere, a description with its version too.
    Leg& leg = legs_[got.leg];
    leg.peer_offers.erase(key);
    leg.peer_invites.erase(key);
    leg.unseen = leg.unseen || got.offer.has_value();
  }
  for (auto& [key, dialog] : dialogs_) {
    if (dialog.flow == flow) dialog.path_lost = true;
  }
}

void WireRules::transaction_over(sip::TransactionId transaction) {
  const auto found = transactions_.find(transaction);
  if (found == transactions_.end()) return;
  Sent& sent = sent_.at(found->second);
  sent.over = true;
  if (sent.final != 0) return;
  Leg& leg = legs_[sent.leg];
  leg.own_offers.erase(found->second);
  leg.own_invites.erase(found->second);
  refused(sent, 408);
}

/// What a refusal, or silence, means for the dialog (RFC 5057 §5.1) and its subscriptions (RFC 6665
/// §4.2.2).
void WireRules::refused(const Sent& sent, int status) {
  const auto dialog = dialogs_.find(sent.dialog);
  if (dialog == dialogs_.end()) return;
  if (status == 481 || status == 408) dialog->second.dead = true;
  if (sent.method == Method::notify && status >= 300) dialog->second.reports_unwanted = true;
}

void WireRules::transfers_over() {
  for (const auto& [key, dialog] : dialogs_) {
    const bool heard = !dialog.reports_unwanted && !dialog.path_lost && !dialog.bye_got &&
                       !dialog.bye_sent && !dialog.dead;
    if (dialog.reports_owed > 0 && heard)
      journal_.violation("the end of a transfer was never told: " + key);
  }
}

bool WireRules::ended_by_peer(const std::string& call_id) const {
  // Of the forks of an INVITE one may be left: those that were not wanted end by themselves.
  bool ended = false;
  for (const auto& [name, dialog] : dialogs_) {
    if (!name.starts_with(call_id + " ") || !dialog.confirmed || dialog.bye_sent) continue;
    if (!dialog.bye_got) return false;
    ended = true;
  }
  return ended;
}

void WireRules::session_agreed(const sip::Message& response, Dialog& dialog) {
  const auto field = response.header(HeaderName::session_expires);
  const auto parsed = sip::SessionExpires::parse(field.value_or(""));
  dialog.session_interval = field && parsed ? parsed->delta_seconds : 0;
}

std::uint32_t WireRules::session_interval(const std::string& call_id) const {
  std::uint32_t longest = 0;
  for (auto entry = dialogs_.lower_bound(call_id + " ");
       entry != dialogs_.end() && entry->first.starts_with(call_id + " "); ++entry) {
    const Dialog& dialog = entry->second;
    if (dialog.confirmed && !dialog.bye_sent && !dialog.bye_got)
      longest = std::max(longest, dialog.session_interval);
  }
  return longest;
}

void WireRules::finish() {
  settle();
  // RFC 4320 §4.2: what nobody on the other side has answered in time is not answered either.
  const auto silent = [this](Method method) {
    return std::any_of(sent_.begin(), sent_.end(), [method](const auto& entry) {
      return entry.second.method == method && entry.second.over && entry.second.final == 0;
    });
  };
  const bool message_lost = silent(Method::message);
  const bool offer_lost = silent(Method::invite) || silent(Method::update);
  for (const auto& [key, got] : got_) {
    if (got.method == Method::message && message_lost) continue;
    if (got.method == Method::update && offer_lost) continue;
    if (got.final == 0 && !got.path_lost) journal_.violation("never answered: " + got.text);
  }
  for (const auto& [key, sent] : sent_) {
    for (const auto& [tag, acknowledged] : sent.answers) {
      if (!acknowledged) journal_.violation("2xx never acknowledged: " + sent.dialog + " " + tag);
    }
  }
  for (const auto& [key, dialog] : dialogs_) {
    const bool unreachable = dialog.path_lost && dialog.websocket;
    if (dialog.confirmed && !dialog.bye_sent && !dialog.bye_got && !dialog.dead && !unreachable)
      journal_.violation("a dialog was left without BYE: " + key);
  }
}

}  // namespace trunkline::simulator
