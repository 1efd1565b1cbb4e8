#include "base/utf8.hpp"
#include "call/engine_impl.hpp"
#include "sip/syntax.hpp"
#include "sip/uri_header.hpp"

#include <algorithm>

// REFER and Replaces: whom they name, and whether who sends them may mean that. A referrer reaches
// whom it could call itself, by its own routes, and no dialog but its own.
namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr std::size_t kMaxReferNumber = 256;  ///< octets, as the routes take
constexpr std::size_t kMaxAsked = 256;        ///< octets of a Refer-To that are told

Caller caller_of(const Leg& leg) {
  return {leg.kind == Leg::Kind::trunk ? Caller::Kind::trunk : Caller::Kind::user, leg.peer};
}

bool is_same_party(const Leg& leg, const Caller& caller) {
  return caller_of(leg).kind == caller.kind && leg.peer == caller.name;
}

}  // namespace

bool Engine::Impl::may_be_named(const sip::Uri& uri) {
  if (uri.scheme == sip::Uri::Scheme::tel) return true;
  if (sip::equals_ignoring_case(uri.host, node.settings.domain)) return true;
  const auto ip = IpAddress::parse(uri.host);
  const auto ours = [&](const ContactAddress& contact) { return ip && contact.address.ip == *ip; };
  if (std::ranges::any_of(node.settings.contacts, ours)) return true;
  return std::ranges::any_of(node.trunks.all(), [&](const auto& held) {
    const Trunk& trunk = *held;
    return sip::equals_ignoring_case(uri.host, trunk.settings.uri.host) ||
           std::ranges::any_of(trunk.targets, [&](const TrunkTarget& target) {
             return ip && target.server.address.ip == *ip;
           });
  });
}

Leg* Engine::Impl::leg_in_dialog(std::string_view call_id, std::string_view local_tag,
                                 std::string_view remote_tag) {
  const auto known = node.dialogs.find(dialog_key(call_id, local_tag));
  if (known == node.dialogs.end()) return nullptr;
  Call* call = call_of(known->second);
  Leg* leg = call != nullptr ? call->find(known->second) : nullptr;
  if (leg == nullptr) return nullptr;
  // While it rings each of its forks has a dialog; afterwards those not chosen are over.
  const sip::Dialog* dialog = leg->state == Leg::State::inviting ? leg->dialog_with(remote_tag)
                              : leg->dialog                      ? &*leg->dialog
                                                                 : nullptr;
  return dialog != nullptr && dialog->remote_tag() == remote_tag ? leg : nullptr;
}

void Engine::Impl::name_attended(std::string_view text, const Leg& leg, Referral& wanted) {
  const auto replaces = sip::Replaces::parse(text);
  if (!replaces) {
    wanted.refused = 400;
    return;
  }
  // RFC 3891 §3: to-tag is ours. A page whose dialog the other side began may name the tags by its
  // own view (RFC 3515 says nothing of them): no two dialogs are mistaken for each other by that.
  Leg* own = leg_in_dialog(replaces->call_id, replaces->to_tag, replaces->from_tag);
  if (own == nullptr) own = leg_in_dialog(replaces->call_id, replaces->from_tag, replaces->to_tag);
  if (own == nullptr || !own->alive() || call_of(own->id) == call_of(leg.id)) {
    wanted.outcome = 481;
  } else if (!is_same_party(*own, caller_of(leg))) {
    wanted.outcome = 403;
  } else {
    wanted.own = own->id;
  }
}

Referral Engine::Impl::referral(const sip::Message& request, const Leg& leg, TimePoint now) {
  Referral wanted;
  const auto named = request.headers(HeaderName::refer_to);
  const auto address = named.size() == 1 ? sip::NameAddress::parse(named.front())
                                         : Result<sip::NameAddress>(fail("not one Refer-To"));
  if (!address || address->wildcard) {  // RFC 3515 §2.4.1
    wanted.refused = 400;
    return wanted;
  }
  const sip::Uri& uri = address->uri;
  wanted.asked = cut_text(uri.text(), kMaxAsked);
  const std::string_view method = uri.parameter("method");
  if (uri.scheme == sip::Uri::Scheme::other) {
    wanted.refused = 416;
  } else if ((!method.empty() && method != "INVITE") || !may_be_named(uri)) {
    wanted.refused = 403;
  }
  if (wanted.refused != 0) return wanted;
  if (const auto replaces = sip::uri_header(uri, "Replaces")) {
    name_attended(*replaces, leg, wanted);
    return wanted;
  }
  const std::string number = uri.unescaped_user();
  const bool sayable = !number.empty() && number.size() <= kMaxReferNumber && is_dialable(number);
  const Destination to =
      sayable ? route(caller_of(leg), {number, {}}, now).destination : Destination{};
  const bool policy = to.kind == Destination::Kind::service && to.name == "policy";
  if (to.kind == Destination::Kind::none) wanted.outcome = 404;
  if (policy) wanted.outcome = 403;  // it decides about new calls only
  wanted.target.destination = to;
  wanted.target.number = to.kind == Destination::Kind::user ? to.name : number;
  return wanted;
}

void Engine::Impl::refer(Turn& turn, const sip::RequestReceived& event, Call& call,
                         const Leg& leg) {
  const Referral wanted = referral(event.request, leg, turn.at.now);
  call.refer_received(turn, leg.id, event, wanted, wanted.own ? call_of(wanted.own) : nullptr);
  attend(turn, call);
  settle(call);
}

void Engine::Impl::replace(Turn& turn, const sip::RequestReceived& event, const Caller& caller) {
  const auto named = event.request.headers(HeaderName::replaces);
  const auto replaces = named.size() == 1 ? sip::Replaces::parse(named.front())
                                          : Result<sip::Replaces>(fail("not one Replaces"));
  if (!replaces) return refuse(turn, event, 400, "replaces", "not one Replaces");
  const Leg* leg = leg_in_dialog(replaces->call_id, replaces->to_tag, replaces->from_tag);
  if (leg == nullptr) return refuse(turn, event, 481, "replaces", "no such dialog");
  if (!is_same_party(*leg, caller))
    return refuse(turn, event, 403, "replaces", "another party's dialog");
  Call& call = *call_of(leg->id);
  call.replace(turn, leg->id, event, replaces->early_only);
  attend(turn, call);
  settle(call);
}

}  // namespace trunkline::call
