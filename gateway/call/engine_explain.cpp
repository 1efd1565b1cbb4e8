#include "call/engine_impl.hpp"

// What would happen to a call, without making one.
namespace trunkline::call {

std::optional<Caller> Engine::Impl::source_of(std::string_view text) {
  if (text.empty() || text == "api") return Caller{Caller::Kind::api, {}};
  if (text.starts_with("user:")) return Caller{Caller::Kind::user, std::string(text.substr(5))};
  if (text.starts_with("trunk:")) {
    const Trunk* trunk = node.trunks.find(text.substr(6));
    if (trunk == nullptr) return std::nullopt;
    return Caller{Caller::Kind::trunk, trunk->settings.name};
  }
  const auto address = SocketAddress::parse(text);
  const Trunk* trunk =
      address ? node.trunks.identify({sip::Transport::udp, *address, {}}) : nullptr;
  if (trunk == nullptr) return std::nullopt;
  return Caller{Caller::Kind::trunk, trunk->settings.name};
}

void Engine::Impl::execute(Turn& turn, RequestId id, const ExplainRoute& request) {
  RouteExplanation told;
  const auto caller = source_of(request.source);
  if (!caller) {
    told.refused_with = 403;
    told.text = "'" + request.source + "' is in no trunk's allow: 403";
    return turn.reply(id, std::move(told));
  }
  Dialled to = read_dialled(request.to).value_or(Dialled{request.to, {}});
  if (caller->kind != Caller::Kind::api) to.host.clear();  // of a Request-URI the user part counts
  if (caller->kind == Caller::Kind::trunk)
    to.name = node.trunks.find(caller->name)->called_from.apply(std::move(to.name));
  const std::string& dialled = to.name;
  const RouteDecision decision = route(*caller, to, turn.at.now);
  for (const RouteStep& step : decision.steps)
    told.steps.push_back({step.rule, step.matched, step.why});
  told.target = decision.destination.text();
  told.text = explain(*caller, dialled, decision);
  explain_destination(turn, decision.destination, dialled, told);
  if (told.refused_with == 0 && draining) {
    told.refused_with = 503;
    told.text += "\nthe node is draining: 503";
  }
  if (decision.destination.kind == Destination::Kind::user && node.replicas.enabled())
    return explain_elsewhere(turn, id, decision.destination, std::move(told));
  turn.reply(id, std::move(told));
}

void Engine::Impl::explain_destination(Turn& turn, const Destination& destination,
                                       const std::string& dialled, RouteExplanation& told) {
  const auto refuse = [&told](int code, std::string_view why) {
    told.refused_with = code;
    told.text += "\n" + std::string(why) + ": " + std::to_string(code);
  };
  switch (destination.kind) {
    case Destination::Kind::none:
      told.refused_with = 404;
      return;
    case Destination::Kind::service:
      return;
    case Destination::Kind::user: {
      const auto bindings = node.registrar.find(destination.name, turn.at.now);
      if (bindings.empty()) return refuse(480, "the user has no registered contact");
      told.request_uri = bindings.front().contact.uri.text();
      told.next_hop = bindings.front().target.remote.text();
      told.text += "\nrings " + std::to_string(bindings.size()) + " registered contact(s)";
      return;
    }
    case Destination::Kind::trunk:
      break;
  }
  const Trunk& trunk = *node.trunks.find(destination.name);
  told.request_uri = request_uri_at(trunk, dialled).text();
  // The order of one call is drawn; this is one that it may have.
  const auto order = Trunks::order(trunk, node.random, turn.at.now);
  const auto place = [](const sip::Target& target) {
    return std::string(sip::transport_label(target.transport)) + " " + target.remote.text();
  };
  if (order.empty()) {
    const bool rests = Trunks::rests(trunk, turn.at.now).has_value();
    return refuse(rests ? 503 : 500, rests ? "each target of the trunk asked to be left alone"
                                           : "the trunk's host name has no address");
  }
  told.next_hop = place(order.front());
  told.text += "\nINVITE " + told.request_uri + " to " + told.next_hop;
  for (std::size_t index = 1; index < order.size(); ++index)
    told.text += "\nthen " + place(order[index]);
  for (const TrunkTarget& target : trunk.targets) {
    if (target.rests_until > turn.at.now)
      told.text += "\nnot " + place(target.place()) + ": it asked to be left alone";
  }
  if (!trunk.enabled) return refuse(503, "the trunk is disabled");
  if (*trunk.calls >= trunk.settings.max_calls) refuse(503, "the trunk carries max_calls");
}

}  // namespace trunkline::call
