#include "network.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::simulator {
namespace {
constexpr FlowId kDatagrams{1};  // the gateway's one UDP listener
constexpr milliseconds kRefused{20};
// How long a connection whose other end is gone seems to stand: until the keep-alives have failed.
constexpr milliseconds kNoticedAfter{4000}, kNoticedBy{35000};
}  // namespace

void Network::attach_gateway(Station& gateway, SocketAddress address) {
  gateway_ = &gateway;
  address_ = address;
}

Line& Network::add(std::string name, Station& peer, sip::Transport transport, SocketAddress remote,
                   const Faults& faults) {
  Line& line = *lines_.emplace_back(std::make_unique<Line>());
  line.name = std::move(name);
  line.peer = &peer;
  line.transport = transport;
  line.remote = remote;
  line.faults = faults;
  if (!sip::is_reliable(transport)) line.flow = kDatagrams;
  return line;
}

Line* Network::find(const sip::Target& target) {
  for (const auto& line : lines_) {
    if (line->transport != target.transport) continue;
    const bool by_flow = sip::is_reliable(line->transport) && target.flow;
    if (by_flow ? line->open && line->flow == target.flow : line->remote == target.remote)
      return line.get();
  }
  return nullptr;
}

milliseconds Network::delay(const Line& line) {
  return line.faults.delay +
         milliseconds{dice_.below(static_cast<std::size_t>(line.faults.jitter.count()) + 1)};
}

TimePoint Network::arrival(const Line& line, TimePoint& last) {
  last = std::max(last, agenda_.now() + delay(line));  // a connection keeps the order
  return last;
}

void Network::from_gateway(sip::SendBytes message) {
  if (message.target.flow && ghosts_.contains(message.target.flow))
    return journal_.message("gateway", "a ghost", message.bytes, "unheard");
  Line* line = find(message.target);
  if (line == nullptr && message.reconnect) {  // RFC 3261 §18.2.2
    message.target = {message.target.transport, *message.reconnect, {}};
    line = find(message.target);
  }
  const bool reliable = sip::is_reliable(message.target.transport);
  if (line != nullptr && reliable && !line->open) {
    // Towards an address a new connection is opened, if somebody is there.
    if (message.target.flow || sip::is_websocket(line->transport) || line->dead) line = nullptr;
    if (line != nullptr) open(*line);
  }
  if (line == nullptr) {
    journal_.message("gateway", "nowhere", message.bytes, "no way");
    return fail(message.transaction);
  }
  if (reliable) {
    journal_.message("gateway", line->name, message.bytes, "");
    agenda_.at(arrival(*line, line->back),
               [this, line, flow = line->flow, bytes = std::move(message.bytes)] {
                 if (line->open && line->flow == flow) deliver_to_peer(*line, bytes);
               });
    return;
  }
  const bool lost = line->dead || dice_.chance(line->faults.loss);
  journal_.message("gateway", line->name, message.bytes, lost ? "lost" : "");
  if (lost) return;
  const bool twice = dice_.chance(line->faults.copies);
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
    agenda_.after(delay(*line),
                  [this, line, bytes = message.bytes] { deliver_to_peer(*line, bytes); });
  }
}

bool Network::from_peer(Line& line, std::string bytes) {
  if (line.dead) return false;
  if (sip::is_reliable(line.transport)) {
    if (!line.open && !sip::is_websocket(line.transport)) open(line);
    if (!line.open) return false;
    journal_.message(line.name, "gateway", bytes, "");
    agenda_.at(arrival(line, line.forth),
               [this, &line, flow = line.flow, moved = std::move(bytes)] {
                 if (line.open && line.flow == flow) deliver_to_gateway(line, moved);
               });
    return true;
  }
  const bool lost = dice_.chance(line.faults.loss);
  journal_.message(line.name, "gateway", bytes, lost ? "lost" : "");
  if (lost) return true;
  const bool twice = dice_.chance(line.faults.copies);
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy)
    agenda_.after(delay(line), [this, &line, bytes] { deliver_to_gateway(line, bytes); });
  return true;
}

void Network::deliver_to_gateway(Line& line, const std::string& bytes) {
  gateway_->received(bytes, {line.transport, line.remote, line.flow});
}

void Network::deliver_to_peer(Line& line, const std::string& bytes) {
  if (!line.dead) line.peer->received(bytes, gateway_seen(line));
}

void Network::fail(sip::TransactionId transaction) {
  if (!transaction) return;
  agenda_.after(kRefused, [this, transaction] { gateway_->send_failed(transaction); });
}

void Network::open(Line& line) {
  line.flow = FlowId{++flows_};
  line.open = true;
  line.dead = false;
  line.forth = line.back = agenda_.now();
  journal_.note(line.name + " connected, flow " + std::to_string(line.flow.value));
}

void Network::close(Line& line) {
  if (!std::exchange(line.open, false)) return;
  journal_.note(line.name + " disconnected, flow " + std::to_string(line.flow.value));
  const FlowId flow = line.flow;
  agenda_.after(delay(line), [this, flow] { gateway_->closed(flow); });
  line.peer->closed(flow);
}

void Network::gateway_closes(FlowId flow) {
  for (const auto& line : lines_) {
    if (line->open && line->flow == flow) close(*line);
  }
}

void Network::die(Line& line) {
  if (std::exchange(line.dead, true)) return;
  journal_.note(line.name + " is gone without a word");
  if (!sip::is_reliable(line.transport) || !line.open) return;
  const FlowId flow = line.flow;
  line.open = false;
  ghosts_.insert(flow);
  agenda_.after(dice_.between(kNoticedAfter, kNoticedBy), [this, flow] {
    ghosts_.erase(flow);
    gateway_->closed(flow);
  });
}

}  // namespace trunkline::simulator
