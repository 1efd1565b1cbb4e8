#include "call/engine_impl.hpp"

// OPTIONS to the targets of a trunk (RFC 3261 §11), by the clock and when the API asks: any final
// response is a sign of life.
namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr std::size_t kMaxProbes = 1000;  // without an answer yet
constexpr Duration kLate = seconds{2};
constexpr milliseconds kFirstWithin{1000};

sip::Message make_probe(Node& node, const Trunk& trunk, const sip::Target& target) {
  const std::string uri = trunk.settings.uri.text();
  sip::NameAddress from;
  from.uri = sip::Uri::sip("trunkline", node.settings.domain);
  sip::set_parameter(from.parameters, "tag", node.random.token(12));
  sip::Message request = sip::Message::request(sip::Method::options, uri);
  request.add(HeaderName::max_forwards, "70");
  request.add(HeaderName::from, from.text());
  request.add(HeaderName::to, "<" + uri + ">");
  request.add(HeaderName::call_id, node.random.token(24));
  request.add(HeaderName::cseq, "1 OPTIONS");
  const bool secure = trunk.settings.uri.scheme == sip::Uri::Scheme::sips;
  request.add(HeaderName::contact, node.contact(target, secure));
  request.add(HeaderName::accept, "application/sdp");
  return request;
}

}  // namespace

void Engine::Impl::execute(Turn& turn, RequestId id, const PingTrunk& request) {
  const Trunk* trunk = node.trunks.find(request.trunk);
  if (trunk == nullptr) return turn.reply(id, not_found("trunk", request.trunk));
  const auto target = Trunks::target(*trunk);
  if (!target || probes.size() >= kMaxProbes) {
    TrunkPing ping;
    ping.trunk = request.trunk;
    ping.reason = target ? "too many probes wait for an answer" : "the host name has no address";
    return turn.reply(id, std::move(ping));
  }
  probe(turn, *trunk, *target, id);
}

void Engine::Impl::probe(Turn& turn, const Trunk& trunk, const sip::Target& target,
                         RequestId request) {
  const sip::TransactionId transaction = node.next_transaction();
  const TimePoint late_at = turn.at.now + trunk.settings.target_timeout;
  probes[transaction] = {trunk.settings.name, request, target, turn.at.now, late_at, false};
  trunks_at = std::min(trunks_at, late_at);
  turn.out.sip.emplace_back(sip::SendRequest{transaction, make_probe(node, trunk, target), target});
}

void Engine::Impl::probes_due(Turn& turn) {
  for (auto& [transaction, one] : probes) {
    if (one.late || turn.at.now < one.late_at) continue;
    // The transaction goes on for 64*T1; calls are not let wait for that.
    one.late = true;
    if (Trunk* trunk = node.trunks.find(one.trunk))
      judge(turn, *trunk, one.target, TargetState::down, "no answer");
  }
  for (const auto& trunk : node.trunks.all()) {
    if (trunk->settings.options_interval > Duration::zero()) probe_targets(turn, *trunk);
  }
}

void Engine::Impl::probe_targets(Turn& turn, Trunk& trunk) {
  const auto interval =
      std::chrono::duration_cast<milliseconds>(trunk.settings.options_interval).count();
  const auto part = [&](std::int64_t whole) {
    return milliseconds{node.random.below(static_cast<std::uint32_t>(whole) + 1)};
  };
  for (TrunkTarget& target : trunk.targets) {
    if (target.probing || turn.at.now < target.probe_at) continue;
    // Not all at once, neither at the start nor later.
    if (target.probe_at == TimePoint{}) {
      target.probe_at = turn.at.now + part(std::min<std::int64_t>(interval, kFirstWithin.count()));
      continue;
    }
    target.probe_at = turn.at.now + milliseconds{interval - interval / 10} + part(interval / 5);
    if (probes.size() >= kMaxProbes) continue;
    target.probing = true;
    probe(turn, trunk, target.place(), {});
  }
}

void Engine::Impl::judge(Turn& turn, Trunk& trunk, const sip::Target& target, TargetState state,
                         std::string_view why) {
  trunk.answered(target, state);
  if (!trunk.judge()) return;
  turn.observe(TrunkChanged{trunk.settings.name, trunk.up.value_or(false), std::string(why),
                            trunk.degraded});
}

void Engine::Impl::probed(Turn& turn, sip::TransactionId transaction, int status,
                          std::string_view phrase) {
  auto found = probes.extract(transaction);
  if (found.empty()) return;
  const Probe& probe = found.mapped();
  const bool answered = status != 0;
  const Duration round_trip = turn.at.now - probe.sent;
  if (Trunk* trunk = node.trunks.find(probe.trunk)) {
    if (answered)
      trunk->counters->options_round_trip.observe(
          std::chrono::duration<double>(round_trip).count());
    TargetState state = TargetState::up;
    if (!answered) {
      state = TargetState::down;
    } else if (status == 503) {
      state = TargetState::refusing;
    } else if (round_trip > kLate) {
      state = TargetState::late;
    }
    judge(turn, *trunk, probe.target, state, phrase);
    TrunkTarget* target = trunk->find(probe.target);
    if (target != nullptr && !probe.request) {
      target->probing = false;
      trunks_at = std::min(trunks_at, target->probe_at);
    }
  }
  if (!probe.request) return;
  TrunkPing ping;
  ping.trunk = probe.trunk;
  ping.answered = answered;
  ping.sip_code = status;
  ping.reason = phrase;
  ping.round_trip = round_trip;
  turn.reply(probe.request, std::move(ping));
}

}  // namespace trunkline::call
