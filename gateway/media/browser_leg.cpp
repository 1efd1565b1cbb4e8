#include "media/browser_leg.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::media {

namespace {

std::optional<std::string> ufrag_of(const std::optional<IceCredentials>& credentials) {
  if (!credentials) return std::nullopt;
  return credentials->ufrag;
}

DtlsResult result_of(MediaFailure failure) {
  switch (failure) {
    case MediaFailure::dtls_fingerprint:
      return DtlsResult::fingerprint;
    case MediaFailure::dtls_alert:
      return DtlsResult::alert;
    case MediaFailure::dtls_profile:
      return DtlsResult::profile;
    case MediaFailure::dtls_timeout:
    case MediaFailure::ice_timeout:
    case MediaFailure::consent_expired:
    case MediaFailure::dtls_closed:
    case MediaFailure::count_:
      break;
  }
  return DtlsResult::timeout;
}

bool is_ice_failure(MediaFailure failure) {
  return failure == MediaFailure::ice_timeout || failure == MediaFailure::consent_expired;
}

}  // namespace

BrowserLeg::BrowserLeg(const AddBrowserLeg& order, const DtlsIdentity& identity,
                       WorkerContext& context, Turn& turn)
    : Leg(order.leg, LegKind::webrtc, order.ssrc, order.cname, context),
      ice_({.connect_timeout = context.settings.ice_connect_timeout,
            .consent_timeout = context.settings.consent_timeout},
           {order.local_ice.ufrag, order.local_ice.pwd}, ufrag_of(order.remote.ice), turn.now),
      dtls_(identity, context.handshakes, context.settings.dtls_timeout) {
  // A call may ring for minutes; the DTLS role is settled when offer and answer are both known.
  if (order.remote.role == DtlsRole::undecided) {
    ice_.await_descriptions();
  } else {
    described_ = turn.now;
  }
  dtls_.describe(order.remote, turn.now);
}

void BrowserLeg::update(const BrowserRemote& remote, Turn& turn) {
  if (remote.local_ice && remote.local_ice->ufrag != ice_.local_ufrag()) {
    ice_.restart({remote.local_ice->ufrag, remote.local_ice->pwd}, ufrag_of(remote.ice), turn.now);
    if (failed_ && is_ice_failure(*failed_)) failed_.reset();
  } else if (remote.ice) {
    ice_.set_remote_ufrag(remote.ice->ufrag);
  }
  // ICE comes back with new credentials, DTLS with a new association.
  if (failed_ && !is_ice_failure(*failed_) && dtls_.is_new_association(remote)) failed_.reset();
  if (failed_) return;
  if (remote.role != DtlsRole::undecided) {
    ice_.begin_connecting(turn.now);
    described_ = std::min(described_, turn.now);
  }
  handle(dtls_.describe(remote, turn.now), turn);
}

ice::CheckOutcome BrowserLeg::receive_stun(const ice::StunMessage& message, const ice::Tuple& from,
                                           Turn& turn) {
  if (failed_) {
    drop(DropReason::stun);
    return {};
  }
  checked_ = true;
  ice::IceLite::Reply reply;
  const ice::CheckOutcome outcome =
      ice_.receive(message, from.remote, from.local_socket, turn.now, reply);
  if (outcome.reply_size > 0) {
    Packet packet = turn.out.scratch();
    if (!packet.data) {
      drop(DropReason::queue);
    } else {
      packet.size = outcome.reply_size;
      std::copy_n(reply.begin(), outcome.reply_size, packet.data);
      if (!turn.out.push(from.local_socket, from.remote, packet)) drop(DropReason::queue);
    }
  }
  if (outcome.verdict != ice::CheckVerdict::valid) {
    drop(DropReason::stun);
    return outcome;
  }
  last_heard_ = turn.now;
  if (outcome.connected) {
    MediaCounters& counters = worker().counters;
    counters.ice[IceResult::connected].add();
    const bool v6 = from.remote.ip.is_v6();
    auto& pairs =
        is_connection(from.local_socket) ? counters.selected_tcp_pairs : counters.selected_pairs;
    pairs[v6 ? Family::ipv6 : Family::ipv4].add();
    counters.ice_connect.observe(
        std::chrono::duration<double>(turn.now - std::min(described_, turn.now)).count());
    handshake_begun_ = turn.now;
    turn.events.emplace_back(IceConnected{id(), from.remote});
    handle(dtls_.begin(turn.now), turn);
  }
  return outcome;
}

bool BrowserLeg::receive(Packet packet, const ice::Tuple& from, Turn& turn) {
  if (failed_ || !ice_.is_validated(from)) {
    drop(DropReason::unknown_source);
    return false;
  }
  if (!within_rate(turn.now)) return false;
  if (rtp::classify(packet.bytes()) == rtp::DatagramKind::dtls)
    return receive_dtls(packet, from, turn);
  receive_srtp(packet, from, rtp::is_rtcp(packet.bytes()), turn);
  return false;
}

bool BrowserLeg::receive_dtls(Packet packet, const ice::Tuple& from, Turn& turn) {
  // What is cheap has its turn at once, unless it would overtake what waits.
  if (waiting_.empty() && !dtls_.is_costly(packet.bytes())) {
    dtls_peer_ = from;
    handle(dtls_.receive(packet.bytes(), turn.now), turn);
    return false;
  }
  if (waiting_.size() >= kWaiting) {
    drop(DropReason::dtls_limit);
    return false;
  }
  waiting_.push_back({from, {packet.data, packet.data + packet.size}});
  return waiting_.size() == 1;
}

bool BrowserLeg::shake_hands(Turn& turn) {
  if (waiting_.empty()) return false;
  const Waiting next = std::move(waiting_.front());
  waiting_.erase(waiting_.begin());
  if (waiting_.empty()) waiting_ = {};  // its room too: a call has one handshake, mostly
  if (!failed_ && ice_.is_validated(next.from)) {
    dtls_peer_ = next.from;
    handle(dtls_.receive(next.datagram, turn.now), turn);
  }
  return !waiting_.empty();
}

void BrowserLeg::receive_srtp(Packet packet, const ice::Tuple& tuple, bool rtcp, Turn& turn) {
  if (!receiver_) return drop(DropReason::not_ready);
  const SrtpVerdict verdict =
      rtcp ? receiver_->unprotect_rtcp(packet) : receiver_->unprotect_rtp(packet);
  if (verdict != SrtpVerdict::ok) {
    count_srtp(verdict);
    return drop(DropReason::srtp);
  }
  last_heard_ = turn.now;
  ice_.on_traffic(tuple, turn.now);
  if (rtcp) {
    receive_rtcp(packet.bytes(), turn);
  } else {
    receive_rtp(packet, tuple.remote, turn);
  }
}

std::optional<DropReason> BrowserLeg::transmit(Packet& packet, Stream stream, Turn& turn) {
  if (failed_ || !sender_) return DropReason::not_ready;
  const auto destination = ice_.destination();
  if (!destination) return DropReason::held;
  const SrtpVerdict verdict =
      stream == Stream::rtp ? sender_->protect_rtp(packet) : sender_->protect_rtcp(packet);
  if (verdict != SrtpVerdict::ok) {
    count_srtp(verdict);
    return DropReason::srtp;
  }
  if (!turn.out.push(destination->local_socket, destination->remote, packet)) {
    return DropReason::queue;
  }
  return std::nullopt;
}

void BrowserLeg::handle(const DtlsTransport::Outcome& outcome, Turn& turn) {
  send_dtls(turn);
  if (outcome.refused) drop(DropReason::dtls_limit);
  if (outcome.failure) {
    if (*outcome.failure != MediaFailure::dtls_closed) {
      worker().counters.dtls[result_of(*outcome.failure)].add();
    }
    return fail(*outcome.failure, turn);
  }
  if (outcome.connected) use_keys(turn);
}

void BrowserLeg::use_keys(Turn& turn) {
  const DtlsSrtpKeys& keys = *dtls_.keys();
  const SrtpEngineKind engine = worker().settings.srtp_engines[keys.profile];
  sender_ = make_srtp_sender(engine, keys.profile, keys.send, line().ssrc());
  receiver_ = make_srtp_receiver(engine, keys.profile, keys.receive);
  if (!sender_ || !receiver_) return fail(MediaFailure::dtls_profile, turn);
  worker().counters.dtls[DtlsResult::connected].add();
  if (handshake_begun_ != kNever) {
    const Duration took = turn.now - std::exchange(handshake_begun_, kNever);
    worker().counters.dtls_handshake.observe(std::chrono::duration<double>(took).count());
  }
  turn.events.emplace_back(DtlsConnected{id(), std::string(traits(keys.profile).name)});
  start_rtcp(turn.now);
}

void BrowserLeg::send_dtls(Turn& turn) {
  // A browser may handshake on one pair before it nominates another: the answer goes back the way
  // the question came.
  const bool known = dtls_peer_ && ice_.is_validated(*dtls_peer_);
  const auto destination = known ? dtls_peer_ : ice_.destination();
  for (const auto& datagram : dtls_.take_datagrams()) {
    Packet packet = turn.out.scratch();
    if (!packet.data || !destination || datagram.size() > kMaxDatagram) continue;
    std::copy(datagram.begin(), datagram.end(), packet.data);
    packet.size = datagram.size();
    turn.out.push(destination->local_socket, destination->remote, packet);
  }
}

void BrowserLeg::fail(MediaFailure failure, Turn& turn) {
  if (failed_) return;
  failed_ = failure;
  turn.events.emplace_back(LegFailed{id(), failure});
}

void BrowserLeg::on_transport_deadline(Turn& turn) {
  if (failed_) return;
  if (turn.now >= ice_.deadline()) {
    const ice::TimeOutcome outcome = ice_.on_deadline(turn.now);
    if (outcome.failure) {
      const bool consent = *outcome.failure == ice::IceFailure::consent_expired;
      worker().counters.ice[consent ? IceResult::consent_expired : IceResult::timeout].add();
      return fail(consent ? MediaFailure::consent_expired : MediaFailure::ice_timeout, turn);
    }
  }
  if (turn.now >= dtls_.deadline()) handle(dtls_.on_deadline(turn.now), turn);
}

TimePoint BrowserLeg::transport_deadline() const {
  return failed_ ? kNever : std::min(ice_.deadline(), dtls_.deadline());
}

void BrowserLeg::add_transport_facts(ReceivingFacts& facts) const {
  facts.checked = checked_;
  facts.connected = ice_.connected();
  facts.handshake_begun = dtls_peer_.has_value();
  facts.keys = receiver_ != nullptr;
  facts.failed = failed_.has_value();
}

void BrowserLeg::close_transport(Turn& turn) {
  if (failed_) return;
  dtls_.close();
  send_dtls(turn);
}

}  // namespace trunkline::media
