#include "call/call.hpp"
#include "call/event_package.hpp"
#include "call/response_detail.hpp"
#include "sip/endpoint.hpp"
#include "sip/syntax.hpp"

#include <utility>

// A transfer by REFER (RFC 3515, RFC 5589): the peer of one leg is asked to call the target itself,
// and tells by NOTIFY how that went. With a 2xx both legs are released. A peer that hangs up after
// its 202 and before the outcome - many carriers do - has taken the call over: that counts as a
// transfer too.
namespace trunkline::call {

using sip::HeaderName;

namespace {

/// A peer that has not answered REFER by now is taken for one that never will, where there is
/// another way.
constexpr Duration kSilence = seconds{5};
/// One that has accepted it owes the first NOTIFY at once (RFC 3515 §2.4.4). Without any by now
/// nothing will come of it.
constexpr Duration kUntold = seconds{10};
/// What NOTIFY may take beyond the time that the target may ring.
constexpr Duration kNotifyMargin = seconds{10};

struct ReferOutcome {
  int status = 0;
  std::string phrase;
};

/// The status line that a message/sipfrag begins with (RFC 3420, RFC 3515 §2.4.5).
std::optional<ReferOutcome> outcome_in(const sip::Message& request) {
  const auto type = sip::MediaType::parse(request.header(HeaderName::content_type).value_or(""));
  if (!type || !type->is("message/sipfrag")) return std::nullopt;
  std::string_view line = request.body();
  line = line.substr(0, line.find_first_of("\r\n"));
  static constexpr std::string_view kVersion = "SIP/2.0 ";
  constexpr std::size_t kCode = 3;
  if (!line.starts_with(kVersion)) return std::nullopt;
  line.remove_prefix(kVersion.size());
  const auto code = sip::parse_number(line.substr(0, kCode));
  if (!code || *code < 100 || *code > 699) return std::nullopt;
  return ReferOutcome{static_cast<int>(*code), std::string(sip::trim(line.substr(kCode)))};
}

/// Whether the NOTIFY is of the subscription that this REFER of ours made (RFC 3515 §2.4.6).
bool belongs_to(const sip::Message& notify, const Leg::Referral& refer) {
  const auto event = EventPackage::parse(notify.header(HeaderName::event).value_or(""));
  if (event.name != "refer") return false;
  return event.id.empty() ? !refer.needs_id : sip::parse_number(event.id) == refer.sequence;
}

}  // namespace

bool Call::would_refer(const Leg& leg, const TransferTarget& target) const {
  // A peer can be asked for what is reached by it, or by nobody whom we know.
  const bool its_own =
      target.destination.kind == Destination::Kind::none ||
      (target.destination.kind == Destination::Kind::trunk && target.destination.name == leg.peer);
  return leg.kind == Leg::Kind::trunk && leg.peer_refers && target.referable && its_own &&
         leg.state == Leg::State::confirmed;
}

sip::Uri Call::refer_to(Node& node, const Leg& leg, const TransferTarget& target) {
  if (target.uri) return *target.uri;
  const Trunk* trunk = leg.trunk.get();
  if (trunk != nullptr && target.destination.kind != Destination::Kind::user) {
    const sip::Uri& reached = trunk->settings.uri;
    auto uri = sip::Uri::sip(target.number, reached.host, reached.port);
    uri.scheme = reached.scheme;
    // Whoever is asked would try UDP, on a port that may be one of TLS.
    if (const auto transport = reached.transport(); !transport.empty() && transport != "udp")
      uri.parameters.push_back({"transport", transport});
    return uri;
  }
  return sip::Uri::sip(target.number, node.settings.domain);
}

void Call::refer(Turn& turn, Leg& leg) {
  TransferOperation& transfer = *transfer_;
  transfer.stage = TransferOperation::Stage::referring;
  transfer.refer = leg.send_refer(turn, refer_to(turn.node, leg, transfer.target));
  if (transfer.fall_back) transfer.fall_back_at = turn.at.now + kSilence;
}

void Call::refer_answered(Turn& turn, Leg& leg, const sip::ResponseReceived& event) {
  const int status = event.response.status();
  if (status >= 300) refer_over(leg, event.response);
  if (status == 481 && leg.alive()) return lost(turn, leg, EndReason::dialog_lost);  // RFC 5057
  if (!transfer_ || transfer_->refer != event.transaction) return;
  if (status < 300) return refer_accepted(turn);
  refer_failed(turn, failure_of(event.response));
}

void Call::refer_over(Leg& leg, const sip::Message& refer) {
  const bool last = leg.referred && leg.referred->sequence == sip::cseq_of(refer).number;
  // What a NOTIFY has told of before is a subscription, whatever becomes of the REFER.
  if (last && !leg.referred->notified) leg.referred.reset();
}

void Call::refer_accepted(Turn& turn) {
  using Stage = TransferOperation::Stage;
  TransferOperation& transfer = *transfer_;
  transfer.accepted = true;
  // It was only slow. What we have begun ourselves is taken back, unless the target has answered.
  if (transfer.stage != Stage::referring && transfer.stage != Stage::dialling) return;
  end_dialled(turn, Failure::local(EndReason::cancelled));
  transfer.stage = Stage::referred;
  transfer.fall_back_at = transfer.fall_back ? turn.at.now + kUntold : kNever;
  transfer.give_up_at = turn.at.now + transfer.ring_timeout + kNotifyMargin;
}

void Call::refer_failed(Turn& turn, const Failure& failure) {
  if (transfer_->stage != TransferOperation::Stage::referring) return;
  if (transfer_->fall_back) return dial_target(turn);
  transfer_failed(turn, failure);
}

void Call::notify(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  using Stage = TransferOperation::Stage;
  const sip::Message& request = event.request;
  // After our BYE too: what it ends is the session, not the subscription (RFC 5057 §5.2).
  const bool known = leg.referred && belongs_to(request, *leg.referred);
  turn.respond(event.transaction, leg.response(turn.node, request, known ? 200 : 481));
  if (!known) return;
  const bool over = is_terminated(request.header(HeaderName::subscription_state).value_or(""));
  leg.referred->notified = true;
  if (over) leg.referred.reset();
  if (!transfer_ || transfer_->leg != leg.id) return;
  if (transfer_->refer) refer_accepted(turn);  // it may have overtaken its 202
  if (transfer_->stage != Stage::referred) return;
  transfer_->fall_back_at = kNever;
  const auto outcome = outcome_in(request);
  if (outcome && outcome->status >= 300)
    return transfer_failed(turn, Failure::from_response(outcome->status, outcome->phrase));
  if (outcome && outcome->status >= 200) return referred(turn, leg, nullptr);
  if (!over) return;
  // The end of the subscription without an outcome: nothing more will be told.
  if (transfer_->fall_back) return dial_target(turn);
  transfer_failed(turn, Failure::local(EndReason::no_response));
}

void Call::referred(Turn& turn, const Leg& leg, const Leg* gone) {
  const TransferOperation done = *std::exchange(transfer_, std::nullopt);
  turn.observe(CallTransferred{view(), leg.name, done.asked, std::nullopt});
  end(turn, Failure::local(EndReason::transferred), gone);
  turn.reply(done.request, view());
}

}  // namespace trunkline::call
