#include "call/engine_impl.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

// Transfers: whom a target means, and the two calls of an attended one.
namespace trunkline::call {
namespace {

constexpr std::size_t kMaxTarget = 256;  ///< octets

bool is_uri(std::string_view text) {
  const std::string scheme = sip::lower_case(text.substr(0, text.find(':')));
  return text.find(':') != std::string_view::npos &&
         (scheme == "sip" || scheme == "sips" || scheme == "tel");
}

}  // namespace

Result<TransferTarget, Refusal> Engine::Impl::transfer_target(std::string_view text,
                                                              const CallView& call, TimePoint now) {
  const auto invalid = [](std::string message) {
    return fail(invalid_field("target", std::move(message)));
  };
  static constexpr std::string_view kUser = "user:", kTrunk = "trunk:", kService = "service:";
  if (text.empty() || text.size() > kMaxTarget || !is_dialable(text))
    return invalid("must be 1 to 256 printable characters");
  const Caller api{Caller::Kind::api, {}};
  TransferTarget target;
  if (text.starts_with(kUser) || text.starts_with(kService)) {
    auto party = party_of(text, {}, api, "target", now);
    if (!party) return fail(std::move(party.error()));
    target.destination = std::move(party->destination);
    target.number = std::move(party->number);
    target.referable = target.destination.kind == Destination::Kind::user;
    return target;
  }
  if (text.starts_with(kTrunk)) {
    target.destination = {Destination::Kind::trunk, std::string(text.substr(kTrunk.size()))};
    if (node.trunks.find(target.destination.name) == nullptr)
      return invalid("there is no trunk '" + target.destination.name + "'");
    target.number = call.dialled;
    target.referable = false;
    return target;
  }
  target.number = text;
  std::string host;
  if (is_uri(text)) {
    auto uri = sip::Uri::parse(text);
    if (!uri || !uri->headers.empty() || uri->password) return invalid("is no usable URI");
    target.number = uri->unescaped_user();
    host = uri->host;
    target.uri = std::move(*uri);
  }
  if (target.number.empty() || !is_dialable(target.number)) return invalid("names nobody");
  target.destination = route(api, {target.number, host}, now).destination;
  const bool service = target.destination.kind == Destination::Kind::service;
  if (service && target.destination.name == "policy")
    return invalid("the policy service decides about new calls only");
  target.referable = !service;
  return target;
}

void Engine::Impl::execute(Turn& turn, RequestId id, const TransferCall& request) {
  Call* call = live_call(turn, id, request.on.call);
  if (call == nullptr) return;
  auto target = transfer_target(request.target, call->view(), turn.at.now);
  if (!target) return turn.reply(id, std::move(target.error()));
  call->execute(turn, id, request, std::move(*target));
  settle(*call);
}

void Engine::Impl::execute(Turn& turn, RequestId id, const AttendedTransfer& request) {
  Call* call = live_call(turn, id, request.on.call);
  if (call == nullptr) return;
  Call* consult = live_call(turn, id, request.consult_call);
  if (consult == nullptr) return;
  if (consult == call)
    return turn.reply(id, invalid_field("consult_call_id", "must be another call"));
  call->execute(turn, id, request, *consult);
  attend(turn, *call);
  settle(*call);
}

void Engine::Impl::attend(Turn& turn, Call& call) {
  const LegId consulted = call.awaits();
  if (!consulted) return;
  Call* consult = call_of(consulted);
  if (call.attend(turn, consult)) settle(*consult);
}

}  // namespace trunkline::call
