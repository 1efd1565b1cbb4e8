#pragma once
#include "sip/effects.hpp"
#include "sip/message.hpp"
#include "sip/parser.hpp"
#include "sip/reliable_provisional.hpp"

#include "agenda.hpp"
#include "description.hpp"
#include "journal.hpp"
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace trunkline::simulator {

/// What every message that the gateway sends must keep to, judged by all that came to it and all
/// that it sent before: transactions (RFC 3261 §17, RFC 4320, RFC 6026), dialogs (§12, §15), offers
/// and answers (§13.2.1, RFC 3264).
class WireRules {
 public:
  WireRules(const Agenda& agenda, Journal& journal) : agenda_(agenda), journal_(journal) {}

  void gateway_gets(const std::string& bytes, const sip::Target& from);
  void gateway_sends(const sip::SendBytes& message);
  void closed(FlowId flow);
  void transaction_over(sip::TransactionId transaction);
  /// A dialog of this leg was ended by its peer, and the gateway has agreed.
  bool ended_by_peer(const std::string& call_id) const;
  /// Session-Expires of the last 2xx in the dialog of this leg that lives, in seconds; 0: none.
  std::uint32_t session_interval(const std::string& call_id) const;
  /// Nothing has happened for so long that every transfer that a peer asked for is over.
  void transfers_over();
  /// The node shuts down, and need not tell anybody how a transfer goes.
  void node_stops() { stopping_ = true; }
  std::size_t messages() const { return messages_; }
  void finish();

 private:
  /// A request of the gateway.
  struct Sent {
    sip::Method method = sip::Method::unknown;
    std::string bytes, branch, leg, dialog;
    bool reliable = false, provisional = false, refused = false, over = false;
    bool cancelled = false;
    int final = 0;
    std::optional<Description> offer;
    std::map<std::string, bool> answers;              ///< 2xx by To tag: acknowledged
    std::map<std::string, sip::ReliableOrder> forks;  ///< reliable 1xx by To tag
  };
  /// A request that came to the gateway.
  struct Got {
    sip::Method method = sip::Method::unknown;
    std::string text, leg, dialog;  ///< text: for the complaint
    bool initial = false, reliable = false, websocket = false, path_lost = false, acked = false;
    FlowId flow;
    int final = 0, copies = 0;
    TimePoint final_at;
    std::optional<Description> offer;
    std::string response, answer, tag;  ///< the final response's octets; the SDP; our To tag
    // ---- of an INVITE: our reliable provisional responses
    sip::ReliableDemand demand = sip::ReliableDemand::none;
    std::uint32_t rseq = 0;  ///< of the last one
    std::string reliable_text;
    bool pracked = true, last_described = false, described = false;
  };
  /// What the gateway has said in one leg (Call-ID and its own tag), whoever answers.
  struct Leg {
    std::string text;  ///< the last description
    Description last;
    bool unseen = false;  ///< one went nowhere after it, with the connection
    std::uint32_t sequence = 0;
    std::set<std::string> own_offers, peer_offers, own_invites, peer_invites;  ///< open ones
  };
  struct Dialog {
    std::uint32_t sequence = 0;
    bool confirmed = false, bye_sent = false, bye_got = false, dead = false, path_lost = false;
    bool websocket = false;
    FlowId flow;
    std::uint32_t session_interval = 0;  ///< Session-Expires of the last 2xx; 0: none
    int reports_owed = 0;                ///< REFERs of which the last NOTIFY has not left
    bool reports_unwanted = false;
  };

  void complain(const std::string& what, const sip::Message& message);
  void request_comes(const sip::Message& request, const sip::Target& from);
  void ack_comes(const sip::Message& ack);
  void response_comes(const sip::Message& response, const sip::Target& from);
  void request_leaves(const sip::Message& request, const sip::SendBytes& message);
  void new_request(const sip::Message& request, const sip::SendBytes& message);
  void ack_leaves(const sip::Message& ack);
  void cancel_leaves(const sip::Message& cancel);
  void reliable_comes(const sip::Message& response, const std::string& key, Sent& sent);
  void prack_leaves(const sip::Message& prack, const std::string& key);
  void reliable_leaves(const sip::Message& response, Got& got, const std::string& key);
  void prack_comes(const sip::Message& prack, Got& got, const std::string& key);
  void refused(const Sent& sent, int status);
  void bye_leaves(const sip::Message& bye, Dialog& dialog, const Leg& leg);
  void in_dialog(const sip::Message& request, const std::string& leg, const std::string& dialog);
  void response_leaves(const sip::Message& response, const sip::SendBytes& message);
  void repeated(const sip::Message& response, const sip::SendBytes& message, Got& got);
  void final_leaves(const sip::Message& response, Got& got, const std::string& key);
  void fields_of(const sip::Message& response);
  void description_in_response(const sip::Message& response, Got& got, const std::string& key);
  void description_leaves(const sip::Message& message, Leg& leg);
  void offer_leaves(const sip::Message& message, Leg& leg, const std::string& key);
  void session_agreed(const sip::Message& response, Dialog& dialog);
  bool awaits_ack(const Got& got) const;
  void settle();

  const Agenda& agenda_;
  Journal& journal_;
  sip::Parser parser_;
  std::size_t messages_ = 0;
  bool stopping_ = false;
  std::unordered_map<std::string, Sent> sent_;  ///< by branch and method
  std::unordered_map<std::string, Got> got_;
  std::unordered_map<std::string, std::string> sent_invites_, got_invites_;  ///< by leg and CSeq
  std::unordered_map<std::string, std::string> early_invites_;               ///< theirs, by leg
  /// Reliable responses that came in order, by dialog and RAck: the PRACK last sent, if any.
  std::unordered_map<std::string, std::string> pracks_;
  std::map<std::string, Leg> legs_;
  std::map<std::string, Dialog> dialogs_;
  std::unordered_map<sip::TransactionId, std::string> transactions_;
  std::optional<std::string> ack_owed_;                            ///< by the input in hand
  std::optional<std::pair<std::string, std::string>> prack_owed_;  ///< the INVITE, the response
};

}  // namespace trunkline::simulator
