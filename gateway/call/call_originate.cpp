#include "call/call.hpp"
#include "sdp/codec_match.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

// Whom we call, in which order, and what they are told: the calls that the API makes (3PCC as of a
// B2BUA: `from` is called first, with an offer of ours, and `to` once it has answered), and the
// targets that follow each other.
namespace trunkline::call {
namespace {

/// What a service of ours can send; none: it takes what comes.
std::vector<std::string> codecs_of(std::string_view service) {
  if (service == "tone") return {"PCMU", "PCMA"};
  return {};
}

std::vector<std::string> allowed_codecs(const Node& node, const Destination& destination) {
  if (destination.kind == Destination::Kind::service) return codecs_of(destination.name);
  if (destination.kind == Destination::Kind::user) return node.settings.browser_codecs;
  if (destination.kind != Destination::Kind::trunk) return {};
  for (const TrunkSettings& trunk : node.settings.trunks) {
    if (trunk.name == destination.name) return trunk.codecs;
  }
  return {};
}

sdp::Translation translation_to(const Node& node, const Destination& destination) {
  if (destination.kind == Destination::Kind::service) return sdp::Translation::never;
  for (const TrunkSettings& trunk : node.settings.trunks) {
    if (destination.kind == Destination::Kind::trunk && trunk.name == destination.name)
      return common(node.settings.translation, trunk.translation);
  }
  return node.settings.translation;
}

/// Those that the other side may have too; all of them where nothing is known of it.
std::vector<std::string> in_common(std::vector<std::string> names,
                                   const std::vector<std::string>& others) {
  if (others.empty()) return names;
  std::erase_if(names, [&](const std::string& name) {
    return std::none_of(others.begin(), others.end(), [&](const std::string& other) {
      return sip::equals_ignoring_case(name, other);
    });
  });
  return names;
}

}  // namespace

Call::Call(Turn& turn, CallId id, Origination origination) : worker_(turn.node.pick_worker()) {
  view_.id = id;
  view_.name = turn.node.random.token(20);
  view_.caller = origination.from.number;
  view_.dialled = origination.to.number;
  view_.metadata = origination.metadata;
  view_.created = turn.at.wall;
  aim_at(origination.to);
  calling_first_ = true;
  aim_at(origination.from);
  const Party& from = origination.from;
  shown_.number = view_.caller;
  if (from.destination.kind == Destination::Kind::user)
    shown_ = identity_of_user(turn.node.settings.users, from.destination.name);
  apply(origination.caller_id, shown_);
  view_.caller_hidden = shown_.privacy.hides_party();
  diversions_ = Diversions::to(view_.dialled);
  headers_ = origination.headers;
  ring_timeout_ = origination.ring_timeout.value_or(turn.node.settings.ring_timeout);
  origin_ = std::move(origination);
}

void Call::start(Turn& turn) {
  turn.observe(CallStarted{view()});
  begin_dialling(turn, origin_->from);
}

void Call::call_to(Turn& turn, const Party& party) {
  calling_first_ = false;
  begin_dialling(turn, party);
}

void Call::begin_dialling(Turn& turn, const Party& party) {
  aim_at(party);
  ring_until_ = turn.at.now + ring_timeout_;
  dial(turn, party);
}

void Call::aim_at(const Party& party) {
  static constexpr std::string_view kTrunk = "trunk:";
  (calling_first_ ? view_.from : view_.to) = party.destination.text();
  (calling_first_ ? view_.from_number : view_.to_number) = party.number;
  if (!calling_first_) destination_ = party.destination;
  view_.trunk.clear();
  for (const std::string_view side : {std::string_view(view_.to), std::string_view(view_.from)}) {
    if (view_.trunk.empty() && side.starts_with(kTrunk)) view_.trunk = side.substr(kTrunk.size());
  }
  if (view_.direction == Direction::inbound) return;
  view_.direction = view_.trunk.empty() ? Direction::internal : Direction::outbound;
}

void Call::party_failed(Turn& turn, const Failure& failure) {
  const auto tried = legs_.begin() + static_cast<std::ptrdiff_t>(attempt_);
  const bool rang =
      std::any_of(tried, legs_.end(), [](const auto& leg) { return leg->phase >= Phase::ringing; });
  view_.from_failed = calling_first_;
  judge(best_attempt_, failure, false);
  if (targets_.empty() || early_ || !failure.allows_failover(rang))
    return end(turn, *best_attempt_);
  if (tried != legs_.end()) (*tried)->place.give_back();
  // The ring time-out is for all of them together.
  const Party next = std::move(targets_.front());
  targets_.erase(targets_.begin());
  diversions_.failed(failure.sip_code);
  if (!divert_to(next, diversion_reason(failure.sip_code))) return end(turn, *best_attempt_);
  aim_at(next);
  dial(turn, next);
}

std::vector<std::string> Call::service_codecs(const Node& node, const Leg& leg,
                                              const std::string& service) const {
  return in_common(allowed_codecs(node, leg), codecs_of(service));
}

std::vector<sdp::Codec> Call::codecs_for(const Node& node, const Leg& leg) const {
  const auto profile = leg.media->profile();
  const auto allowed = allowed_codecs(node, leg);
  if (serving()) return sdp::codecs_to_offer(service_codecs(node, leg), profile);
  if (calling_first_) {
    const auto others = trunkline::call::allowed_codecs(node, destination_);
    const auto far = sdp::codecs_to_offer(others.empty() ? allowed : others, profile);
    return sdp::codecs_to_offer(far, allowed, profile,
                                towards(profile, translation_to(node, destination_)));
  }
  auto codecs = codecs_for(node, offered_by_caller(node), leg);
  if (caller_waits()) return codecs;
  // The first party is heard already: with the codec that it speaks it need not change. Without any
  // in common it is offered new ones once the answer is known.
  if (codecs.empty()) {
    return sdp::codecs_to_offer(
        sdp::codecs_to_offer(allowed_codecs(node, caller()), caller().media->profile()), allowed,
        profile);
  }
  const sdp::Codec* now = sdp::audio_codec(caller().media->sdp().agreed_codecs());
  if (now != nullptr) {
    std::stable_partition(codecs.begin(), codecs.end(),
                          [&](const sdp::Codec& codec) { return sdp::same_codec(codec, *now); });
  }
  return codecs;
}

}  // namespace trunkline::call
