#include "base/log.hpp"
#include "call/call.hpp"

#include <algorithm>

// A trunk that sends the call on: RFC 3261 §8.1.3.4, within what the trunk's configuration allows.
namespace trunkline::call {

bool Call::redirected(Turn& turn, Leg& leg, const Leg::Outgoing& sent, const sip::Message* response,
                      Failure& failure) {
  constexpr int kMovedPermanently = 301, kMovedTemporarily = 302;
  Redirection& to = leg.redirection;
  const Trunk* trunk = leg.trunk.get();
  const int status = failure.sip_code;
  const bool moved =
      response != nullptr && (status == kMovedPermanently || status == kMovedTemporarily);
  if (trunk == nullptr || (!moved && !to.under_way())) return false;
  if (to.under_way()) {
    judge(to.best_refusal, failure, false);
    failure = *to.best_refusal;
  }
  // RFC 3261 §8.1.3.4: a 6xx is for all places. What the caller has heard of one cannot go on with
  // another.
  if (status >= 600 || leg.phase >= Phase::early_media) return false;
  if (diversions_.exhausted()) return false;
  const auto asked = sip::Uri::parse(sent.request.request_uri());
  if (moved && asked) to.add(*response, *asked);
  while (const auto uri = to.next(trunk->settings.max_redirects)) {
    const auto target = Trunks::redirected(*trunk, *uri);
    const bool ours = target && std::ranges::any_of(turn.node.settings.contacts,
                                                    [&](const ContactAddress& contact) {
                                                      return contact.address == target->remote;
                                                    });
    const auto contact =
        target ? turn.node.contact_address(target->transport, target->remote.ip.is_v6())
               : std::nullopt;
    if (!contact || ours) {
      log::warn("redirection not followed", {{"call_id", view_.name}, {"uri", uri->text()}});
      continue;
    }
    log::info("redirection followed", {{"call_id", view_.name}, {"uri", uri->text()}});
    to.followed();
    Leg::Outgoing again = sent;
    divert_by(turn.node, leg, response, failure.sip_code, *uri, again.request);
    leg.redirect(turn, std::move(again), *uri, *target,
                 response != nullptr ? *response : sent.request);
    return true;
  }
  return false;
}

}  // namespace trunkline::call
