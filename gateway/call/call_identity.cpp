#include "call/call.hpp"
#include "call/header_lists.hpp"
#include "call/number_rules.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <utility>

// What each side learns of the other: who calls and who has answered, who has sent the call on, and
// the header fields that cross.
namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

namespace {

const TrunkSettings* settings_of(const Leg& leg) {
  return leg.trunk != nullptr ? &leg.trunk->settings : nullptr;
}

bool holds(const std::vector<HeaderField>& fields, std::string_view name) {
  return std::ranges::any_of(fields, [name](const HeaderField& field) {
    return sip::equals_ignoring_case(field.name, name);
  });
}

/// The number by which a party is known outside.
const std::string& outside(const Identity& who) {
  return who.at_trunks.empty() ? who.number : who.at_trunks;
}

}  // namespace

void apply(const CallerId& told, Identity& who) {
  if (!told.number.empty()) {
    who.number = told.number;
    who.at_trunks.clear();
    who.telephone.clear();
    who.asserted = who.fixed = true;
  }
  if (!told.name.empty()) who.name = told.name;
  if (told.anonymous) who.privacy = Privacy::anonymous();
}

Presentation Call::present_to(const Node& node, const Identity& who, const Leg& to) {
  return present(who, node.settings.domain, to.trunk.get());
}

Identity Call::caller_for(const Node& node, const Leg& leg) const {
  if (!leg.caller) return shown_;
  Identity who;
  if (!first_shown_.number.empty() || first_shown_.anonymous) {
    apply(first_shown_, who);
    return who;
  }
  // Who is called first sees whom he will be joined with; a carrier wants a number that is ours.
  if (leg.kind == Leg::Kind::trunk && shown_.fixed) {
    who = shown_;
    who.privacy = {};  // it is the other party that must not learn
    return who;
  }
  if (destination_.kind == Destination::Kind::user)
    return identity_of_user(node.settings.users, destination_.name);
  who.number = view_.dialled;
  return who;
}

std::vector<HeaderField> Call::crossing(Turn& turn, const sip::Message& message, const Leg& from,
                                        const Leg& to) {
  // Between browsers nothing crosses, wherever they are.
  if (from.kind == Leg::Kind::browser && to.peer == kReplicas) return {};
  std::size_t left_out = 0;
  auto fields =
      listed_fields(message, {settings_of(from), settings_of(to)}, &from.identity, left_out);
  turn.node.left_out(left_out, turn.at.now);
  return fields;
}

std::vector<HeaderField> Call::fields_for(Turn& turn, const Callee& callee) {
  const Node& node = turn.node;
  const Leg& leg = *callee.leg;
  if (leg.caller) return first_headers_;
  std::vector<HeaderField> fields = headers_;
  if (!origin_) {
    // What the API or the policy service says counts.
    for (HeaderField& field : crossing(turn, caller().invite_request, caller(), leg)) {
      if (!holds(headers_, field.name)) fields.push_back(std::move(field));
    }
  }
  const Trunk* trunk = leg.trunk.get();
  if (trunk == nullptr) {
    diversions_.enter(leg.identity.number);
    return fields;
  }
  const auto told = diversions_.enter(*trunk, leg.identity.number, callee.request_uri,
                                      node.settings.domain, shown_.privacy.hides_history());
  fields.insert(fields.end(), told.begin(), told.end());
  return fields;
}

std::vector<HeaderField> Call::fields_of_transfer(const Node& node, const Callee& callee,
                                                  const Leg& party) const {
  const Trunk* trunk = callee.leg->trunk.get();
  if (trunk == nullptr) return {};
  const Leg* released = partner(party);
  Diversions sent = diversions_;
  if (released != nullptr) {
    if (!party.caller) sent = Diversions::to(outside(released->identity));
    sent.divert({.number = party.caller ? view_.dialled : outside(released->identity),
                 .reason = "deflection",
                 .hidden = released->identity.privacy.hides_party()});
  }
  return sent.enter(*trunk, callee.leg->identity.number, callee.request_uri, node.settings.domain,
                    party.identity.privacy.hides_history());
}

void Call::divert_by(const Node& node, Leg& leg, const sip::Message* response, int status,
                     const sip::Uri& to, sip::Message& invite) {
  const Trunk* trunk = leg.trunk.get();
  if (trunk == nullptr) return;
  std::string reason = response != nullptr ? diversion_reason(*response) : std::string{};
  if (reason.empty()) {
    const bool rang = leg.phase >= Phase::ringing && status < 400;
    reason = rang ? "deflection" : diversion_reason(status);
  }
  diversions_.failed(status);
  diversions_.divert({.number = leg.identity.number,
                      .reason = std::move(reason),
                      .hidden = response != nullptr && Privacy::of(*response).hides_party()});
  leg.identity.number = number_of(to);
  for (const HeaderName name : {HeaderName::diversion, HeaderName::history_info})
    invite.remove(name);
  add_fields(invite, diversions_.enter(*trunk, leg.identity.number, to, node.settings.domain,
                                       shown_.privacy.hides_history()));
}

bool Call::divert_to(const Party& next, std::string_view reason) {
  const bool other =
      next.destination.kind == Destination::Kind::trunk && next.number != view_.dialled;
  if (calling_first_ || origin_ || !other) return true;
  if (diversions_.exhausted()) return false;
  diversions_.divert({.number = view_.dialled, .reason = std::string(reason)});
  return true;
}

void Call::tell_caller(const CallerId& told) {
  if (calling_first_) {
    if (!told.number.empty()) first_shown_.number = told.number;
    if (!told.name.empty()) first_shown_.name = told.name;
    first_shown_.anonymous = first_shown_.anonymous || told.anonymous;
    return;
  }
  apply(told, shown_);
  view_.caller_hidden = shown_.privacy.hides_party();
  if (Leg* from = find(from_); from != nullptr && from->caller) from->identity = shown_;
}

Leg* Call::told_of(const Leg& leg) {
  if (Leg* joined_with = partner(leg)) return joined_with;
  const bool called = !winner_ && !leg.caller && leg.id != from_ && !dialled_for_transfer(leg);
  return called ? &caller() : nullptr;
}

void Call::hear_party(Turn& turn, Leg& leg, const sip::Message& message) {
  leg.hear_session(turn.node.random, message);
  Leg* other = told_of(leg);
  if (other != nullptr) other->far_session_uuid = leg.session_uuid;
  const Method method = message.is_request() ? message.method() : sip::cseq_of(message).method;
  const bool tells = method == Method::invite || method == Method::update;
  if (!tells || message.status() == 100 || message.status() >= 300) return;
  Identity& who = leg.identity;
  if (message.count(HeaderName::privacy) > 0) {
    const bool hid = who.privacy.hides_party();
    who.privacy = Privacy::of(message);
    // Who was promised anonymity keeps it, unless it asks for the contrary.
    if (hid && !who.privacy.none) who.privacy.user = who.privacy.id = true;
  }
  const Trunk* trunk = leg.trunk.get();
  if (trunk != nullptr && !who.fixed) {
    Identity told = identity_of_peer(*trunk, message);
    if (told.asserted) {
      told.privacy = who.privacy;
      who = std::move(told);
    }
  }
  if (other != nullptr) other->introduce(present_to(turn.node, who, *other));
}

void Call::carry_fields_back(Turn& turn, const Leg& leg, const sip::Message& response) {
  if (!caller_waits() || leg.caller || leg.id == from_) return;
  caller().answer_fields = crossing(turn, response, leg, caller());
}

}  // namespace trunkline::call
