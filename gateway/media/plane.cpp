#include "media/plane.hpp"

#include "base/log.hpp"
#include "media/browser_directory.hpp"
#include "media/browser_leg.hpp"
#include "media/deadline_heap.hpp"
#include "media/leg.hpp"
#include "media/transcoding.hpp"
#include "media/trunk_leg.hpp"

#include <algorithm>
#include <deque>
#include <type_traits>
#include <unordered_map>

namespace trunkline::media {

namespace {

/// Steps of DTLS handshakes in one turn: each may cost what a hundred packets do, and audio goes
/// before.
constexpr int kHandshakeSteps = 2;
/// Certificates that new legs may name: a description may be older than the newest.
constexpr std::size_t kIdentities = 3;

}  // namespace

struct Plane::Impl {
  Impl(PlaneSettings chosen, const DtlsIdentity& identity, std::vector<SocketSpec> bound,
       Random& random)
      : settings(chosen),
        sockets(std::move(bound)),
        identities{identity},
        handshakes{.limit = settings.dtls_handshakes, .active = 0},
        context{settings, random, counters, handshakes},
        browsers(settings.max_legs, random),
        trunk_by_socket(sockets.size(), nullptr) {
    legs.reserve(settings.max_legs);
    deadlines.reserve(settings.max_legs);
    for (SocketIndex index = 0; index < sockets.size(); ++index) {
      if (sockets[index].use != SocketSpec::Use::browser)
        trunk_sockets.emplace(sockets[index].local, index);
    }
  }

  void execute(const AddIdentity& order, Turn& turn);
  void execute(const AddBrowserLeg& order, Turn& turn);
  void execute(const UpdateBrowserLeg& order, Turn& turn);
  void execute(const AddTrunkLeg& order, Turn& turn);
  void execute(const UpdateTrunkLeg& order, Turn& turn);
  void execute(const RemoveLeg& order, Turn& turn);
  void execute(const SetRoute& order, Turn& turn) const;
  void execute(const ClearRoute& order, Turn& turn) const;
  void execute(const StartTone& order, Turn& turn);
  void execute(const StartSound& order, Turn& turn);
  void execute(const StopTone& order, Turn& turn) const;
  void execute(const ExpectMedia& order, Turn& turn);
  void execute(const DetectDigits& order, Turn& turn) const;
  void execute(const SendDigit& order, Turn& turn);
  void execute(const QueryStatistics& order, Turn& turn) const;
  void execute(const JudgeMedia& order, Turn& turn) const;

  void receive_browser(const ice::Tuple& source, Packet packet, Turn& turn);
  void receive_stun(const ice::Tuple& source, Packet packet, Turn& turn);
  void shake_hands(Turn& turn);
  void receive_trunk(SocketIndex socket, const SocketAddress& from, Packet packet, Turn& turn);

  bool room_for(LegId id) const { return legs.size() < settings.max_legs && !legs.contains(id); }
  Leg* find(LegId id) const {
    const auto found = legs.find(id);
    return found == legs.end() ? nullptr : found->second.get();
  }
  const DtlsIdentity& identity_of(const AddBrowserLeg& order) const;
  std::optional<SocketIndex> socket_at(SocketSpec::Use use, const SocketAddress& local) const;
  std::optional<TrunkSockets> free_pair(const SocketAddress& local) const;
  void listen(TrunkLeg& leg);
  void leave_sockets(const TrunkLeg& leg);
  bool move(TrunkLeg& leg, const SocketAddress& local);
  void adopt(std::unique_ptr<Leg> leg);
  bool is_browser(SocketIndex socket) const {
    return is_connection(socket) || sockets[socket].use == SocketSpec::Use::browser;
  }
  LegKind kind_of(SocketIndex socket) const {
    return is_browser(socket) ? LegKind::webrtc : LegKind::sip;
  }
  void drop(SocketIndex socket, DropReason reason) {
    counters.dropped[kind_of(socket)][reason].add();
  }

  PlaneSettings settings;
  std::vector<SocketSpec> sockets;
  MediaCounters counters;
  std::vector<DtlsIdentity> identities;  ///< the newest is the last
  HandshakeBudget handshakes;
  WorkerContext context;
  BrowserDirectory browsers;
  std::unordered_map<SocketAddress, SocketIndex> trunk_sockets;  ///< by their local address
  std::vector<TrunkLeg*> trunk_by_socket;
  std::unordered_map<LegId, std::unique_ptr<Leg>> legs;
  DeadlineHeap deadlines;
  std::deque<BrowserLeg*> handshaking;  ///< each once: one step, then to the end again
};

// ------------------------------------------------------------------------------------- commands

void Plane::Impl::adopt(std::unique_ptr<Leg> leg) {
  counters.sessions[leg->kind()].add();
  deadlines.add(*leg);
  const LegId id = leg->id();
  legs.emplace(id, std::move(leg));
}

void Plane::Impl::execute(const AddIdentity& order, Turn&) {
  identities.push_back(*order.identity);
  if (identities.size() > kIdentities) identities.erase(identities.begin());
}

const DtlsIdentity& Plane::Impl::identity_of(const AddBrowserLeg& order) const {
  const auto named = std::ranges::find_if(identities, [&](const DtlsIdentity& identity) {
    return identity.fingerprint().value == order.certificate;
  });
  return named == identities.end() ? identities.back() : *named;
}

void Plane::Impl::execute(const AddBrowserLeg& order, Turn& turn) {
  if (!room_for(order.leg)) return log::warn("browser leg refused", {{"leg", order.leg.value}});
  auto leg = std::make_unique<BrowserLeg>(order, identity_of(order), context, turn);
  if (!browsers.add(*leg)) return log::warn("ufrag refused", {{"leg", order.leg.value}});
  adopt(std::move(leg));
}

void Plane::Impl::execute(const UpdateBrowserLeg& order, Turn& turn) {
  Leg* leg = find(order.leg);
  if (!leg || leg->kind() != LegKind::webrtc) return;
  auto& browser = static_cast<BrowserLeg&>(*leg);
  browser.update(order.remote, turn);
  browsers.refresh(browser);
  deadlines.settle(browser);
}

void Plane::Impl::execute(const AddTrunkLeg& order, Turn& turn) {
  const auto sockets_there = free_pair(order.local);
  if (!room_for(order.leg) || !sockets_there) {
    return log::warn("trunk leg refused",
                     {{"leg", order.leg.value}, {"local", order.local.text()}});
  }
  auto leg = std::make_unique<TrunkLeg>(order, *sockets_there, context, turn);
  listen(*leg);
  adopt(std::move(leg));
}

std::optional<TrunkSockets> Plane::Impl::free_pair(const SocketAddress& local) const {
  const auto rtp = socket_at(SocketSpec::Use::trunk_rtp, local);
  if (!rtp || trunk_by_socket[*rtp]) return std::nullopt;
  return TrunkSockets{*rtp, socket_at(SocketSpec::Use::trunk_rtcp,
                                      {local.ip, static_cast<std::uint16_t>(local.port + 1)})};
}

void Plane::Impl::listen(TrunkLeg& leg) {
  trunk_by_socket[leg.sockets().rtp] = &leg;
  if (leg.sockets().rtcp) trunk_by_socket[*leg.sockets().rtcp] = &leg;
}

void Plane::Impl::leave_sockets(const TrunkLeg& leg) {
  trunk_by_socket[leg.sockets().rtp] = nullptr;
  if (leg.sockets().rtcp) trunk_by_socket[*leg.sockets().rtcp] = nullptr;
}

bool Plane::Impl::move(TrunkLeg& leg, const SocketAddress& local) {
  const auto there = free_pair(local);
  if (!there) return false;
  leave_sockets(leg);
  leg.move(local, *there);
  listen(leg);
  return true;
}

void Plane::Impl::execute(const UpdateTrunkLeg& order, Turn& turn) {
  Leg* leg = find(order.leg);
  if (!leg || leg->kind() != LegKind::sip) return;
  auto& trunk = static_cast<TrunkLeg&>(*leg);
  if (order.local && *order.local != trunk.local() && !move(trunk, *order.local)) {
    return log::warn("trunk leg not moved",
                     {{"leg", order.leg.value}, {"local", order.local->text()}});
  }
  trunk.update(order.remote, turn);
  deadlines.settle(trunk);
}

void Plane::Impl::execute(const RemoveLeg& order, Turn& turn) {
  const auto found = legs.find(order.leg);
  if (found == legs.end()) {
    // One that was refused: its owner waits for the end all the same.
    turn.events.emplace_back(LegClosed{order.leg, {}});
    return;
  }
  Leg& leg = *found->second;
  leg.close(turn);
  leg.detach();
  turn.events.emplace_back(LegClosed{order.leg, leg.statistics()});
  deadlines.remove(leg);
  counters.sessions[leg.kind()].add(-1);
  if (leg.kind() == LegKind::webrtc) {
    std::erase(handshaking, &leg);
    browsers.remove(static_cast<BrowserLeg&>(leg));
  } else {
    leave_sockets(static_cast<TrunkLeg&>(leg));
  }
  legs.erase(found);
}

void Plane::Impl::execute(const SetRoute& order, Turn&) const {
  Leg* from = find(order.from);
  Leg* to = find(order.to);
  if (from && to) from->set_route(*to, order.payloads);
}

void Plane::Impl::execute(const ClearRoute& order, Turn&) const {
  Leg* from = find(order.from);
  Leg* to = find(order.to);
  if (from && to) from->clear_route(*to);
}

void Plane::Impl::execute(const StartTone& order, Turn& turn) {
  Leg* leg = find(order.to);
  if (!leg) return;
  leg->start_tone(order, turn.now);
  deadlines.hasten(*leg);
}

void Plane::Impl::execute(const StartSound& order, Turn& turn) {
  Leg* leg = find(order.to);
  const auto index = static_cast<std::size_t>(order.sound);
  if (!leg || index >= settings.sounds.size() || !settings.sounds[index]) return;
  leg->start_sound(order, settings.sounds[index], turn.now);
  deadlines.hasten(*leg);
}

void Plane::Impl::execute(const ExpectMedia& order, Turn& turn) {
  Leg* leg = find(order.leg);
  if (!leg) return;
  leg->expect(order.within, turn.now);
  deadlines.hasten(*leg);
}

void Plane::Impl::execute(const StopTone& order, Turn&) const {
  if (Leg* leg = find(order.to)) leg->stop_tone();
}

void Plane::Impl::execute(const DetectDigits& order, Turn&) const {
  if (Leg* leg = find(order.leg)) leg->detect(order);
}

void Plane::Impl::execute(const SendDigit& order, Turn& turn) {
  Leg* leg = find(order.to);
  if (!leg) return;
  leg->send_digit(order, turn.now);
  deadlines.hasten(*leg);
}

void Plane::Impl::execute(const QueryStatistics& order, Turn& turn) const {
  Leg* leg = find(order.leg);
  LegStatistics statistics;
  if (leg != nullptr) statistics = order.ends_interval ? leg->end_interval() : leg->statistics();
  turn.events.emplace_back(StatisticsReported{order.leg, order.query, statistics});
}

void Plane::Impl::execute(const JudgeMedia& order, Turn& turn) const {
  if (const Leg* leg = find(order.leg)) turn.events.emplace_back(leg->judge(turn.now));
}

std::optional<SocketIndex> Plane::Impl::socket_at(SocketSpec::Use use,
                                                  const SocketAddress& local) const {
  auto found = trunk_sockets.find(local);
  if (found == trunk_sockets.end()) {
    const IpAddress any = local.ip.is_v6() ? IpAddress::v6({}) : IpAddress::v4({});
    found = trunk_sockets.find({any, local.port});
  }
  if (found == trunk_sockets.end() || sockets[found->second].use != use) return std::nullopt;
  return found->second;
}

// -------------------------------------------------------------------------------------- packets

void Plane::Impl::receive_browser(const ice::Tuple& source, Packet packet, Turn& turn) {
  const SocketIndex socket = source.local_socket;
  switch (rtp::classify(packet.bytes())) {
    case rtp::DatagramKind::stun:
      return receive_stun(source, packet, turn);
    case rtp::DatagramKind::dtls:
    case rtp::DatagramKind::rtp: {
      BrowserLeg* leg = browsers.by_source(source);
      if (!leg) return drop(socket, DropReason::unknown_source);
      if (leg->receive(packet, source, turn)) handshaking.push_back(leg);
      deadlines.hasten(*leg);
      return;
    }
    case rtp::DatagramKind::zrtp:
    case rtp::DatagramKind::turn:
    case rtp::DatagramKind::unknown:
    case rtp::DatagramKind::count_:
      return drop(socket, DropReason::unknown_protocol);
  }
}

void Plane::Impl::receive_stun(const ice::Tuple& source, Packet packet, Turn& turn) {
  const auto message = ice::StunMessage::parse(packet.bytes());
  BrowserLeg* leg = message ? browsers.by_ufrag(message->receiver_ufrag()) : nullptr;
  if (!leg) return drop(source.local_socket, DropReason::stun);
  if (is_connection(source.local_socket)) {
    // One connection serves one session: what stays of it elsewhere would outlive it.
    const BrowserLeg* owner = browsers.by_source(source);
    if (owner && owner != leg) return drop(source.local_socket, DropReason::stun);
  }
  const ice::CheckOutcome outcome = leg->receive_stun(*message, source, turn);
  browsers.on_check(*leg, source, outcome, turn.now);
  deadlines.hasten(*leg);
}

void Plane::Impl::shake_hands(Turn& turn) {
  for (int step = 0; step < kHandshakeSteps && !handshaking.empty(); ++step) {
    BrowserLeg* leg = handshaking.front();
    handshaking.pop_front();
    if (leg->shake_hands(turn)) handshaking.push_back(leg);
    deadlines.hasten(*leg);
  }
}

void Plane::Impl::receive_trunk(SocketIndex socket, const SocketAddress& from, Packet packet,
                                Turn& turn) {
  TrunkLeg* leg = trunk_by_socket[socket];
  if (!leg) return drop(socket, DropReason::unknown_source);
  leg->receive(packet, from, socket, turn);
  deadlines.hasten(*leg);
}

// ---------------------------------------------------------------------------------------- Plane

Plane::Plane(PlaneSettings settings, const DtlsIdentity& identity, std::vector<SocketSpec> sockets,
             Random& random)
    : impl_(std::make_unique<Impl>(settings, identity, std::move(sockets), random)) {}

Plane::~Plane() = default;

void Plane::execute(const Command& command, TimePoint now, Outbox& out,
                    std::vector<Event>& events) {
  Turn turn{now, out, events};
  std::visit([&](const auto& order) { impl_->execute(order, turn); }, command);
}

void Plane::receive(SocketIndex socket, const SocketAddress& from, Packet packet, TimePoint now,
                    Outbox& out, std::vector<Event>& events) {
  if (!is_connection(socket) && socket >= impl_->sockets.size()) return;
  if (packet.size == 0 || packet.size > kMaxDatagram) return impl_->drop(socket, DropReason::size);
  Turn turn{now, out, events};
  if (impl_->is_browser(socket)) {
    impl_->receive_browser({from, socket}, packet, turn);
  } else {
    impl_->receive_trunk(socket, from, packet, turn);
  }
}

void Plane::receive(const TranscodedFrame& frame, TimePoint now, Outbox& out,
                    std::vector<Event>& events) {
  Leg* to = impl_->find(frame.to);
  const Leg* from = impl_->find(frame.from);
  if (!to) return;
  const PayloadRoute* route = from ? from->transcoded_route(*to, frame.codec) : nullptr;
  if (!route) return to->drop(DropReason::no_route);
  Turn turn{now, out, events};
  to->forward(frame, *route, turn);
  impl_->deadlines.hasten(*to);
}

void Plane::receive(const DigitHeard& digit, std::vector<Event>& events) {
  if (Leg* leg = impl_->find(digit.leg)) leg->heard_digit(digit.digit, events);
}

void Plane::on_deadline(TimePoint now, Outbox& out, std::vector<Event>& events) {
  Turn turn{now, out, events};
  impl_->shake_hands(turn);
  // Each leg has one turn at most: what is due again at once waits for the next call.
  for (std::size_t turns = impl_->legs.size(); turns > 0; --turns) {
    if (impl_->deadlines.deadline() > now || out.nearly_full()) return;
    Leg& leg = *impl_->deadlines.first();
    leg.on_deadline(turn);
    impl_->deadlines.settle(leg);
  }
}

TimePoint Plane::deadline() const {
  return impl_->handshaking.empty() ? impl_->deadlines.deadline() : TimePoint{};
}

void Plane::close_connection(SocketIndex connection, TimePoint now) {
  BrowserLeg* leg = impl_->browsers.forget_connection(connection);
  if (!leg) return;
  leg->close_connection(connection, now);
  impl_->deadlines.settle(*leg);
}

bool Plane::serves(SocketIndex connection) const {
  return impl_->browsers.by_source({{}, connection}) != nullptr;
}

std::size_t Plane::legs() const {
  return impl_->legs.size();
}
const MetricSource& Plane::metrics() const {
  return impl_->counters;
}

}  // namespace trunkline::media
