#include "media/leg.hpp"

#include "media/transcoding.hpp"

#include <algorithm>

namespace trunkline::media {
namespace {

constexpr std::uint8_t kComfortNoise = 13;  // payload type of RFC 3551 §6

Silence one_way_to(LegKind leg) {
  return leg == LegKind::webrtc ? Silence::one_way_to_browser : Silence::one_way_to_trunk;
}

/// What a receiver's own buffer and packets add to the delay: 20 ms of audio, and twice the jitter.
constexpr double kPacketSeconds = 0.02, kBufferedJitters = 2;

double mos_of(double loss, double jitter_seconds, const std::optional<double>& round_trip) {
  const double delay =
      round_trip.value_or(0) / 2 + kPacketSeconds + kBufferedJitters * jitter_seconds;
  return rtp::mos(loss, delay * 1000, rtp::kG711WithConcealment);
}

/// Of packets that were due; nothing if none was. Late ones may have made good what was lost.
std::optional<double> loss_of(std::uint64_t lost, std::uint64_t expected) {
  if (expected == 0) return std::nullopt;
  return std::min(1.0, static_cast<double>(lost) / static_cast<double>(expected));
}

constexpr std::uint64_t grown(std::uint64_t now, std::uint64_t then) {
  return now > then ? now - then : 0;
}

}  // namespace

Route::Route(Leg& to, std::vector<PayloadRoute> payloads)
    : to_(&to), payloads_(std::move(payloads)) {
  if (payloads_.size() > Leg::kMaxPayloads) payloads_.resize(Leg::kMaxPayloads);
  for (std::size_t i = 0; i < payloads_.size(); ++i) {
    index_[payloads_[i].from & 0x7f] = static_cast<std::uint8_t>(i + 1);
  }
}

const PayloadRoute* Route::transcoded(AudioCodec codec) const {
  for (const PayloadRoute& payload : payloads_) {
    if (payload.transcoded() && payload.encode == codec) return &payload;
  }
  return nullptr;
}

Leg::Leg(LegId id, LegKind kind, std::uint32_t ssrc, std::string cname, WorkerContext& worker)
    : id_(id),
      kind_(kind),
      worker_(worker),
      line_(ssrc, worker.random),
      rtcp_(std::move(cname), worker.settings.rtcp_interval, worker.random) {}

void Leg::set_route(Leg& to, const std::vector<PayloadRoute>& payloads) {
  const auto same = std::find_if(routes_.begin(), routes_.end(),
                                 [&to](const Route& route) { return &route.to() == &to; });
  if (same != routes_.end()) {
    *same = Route(to, payloads);
    return;
  }
  if (routes_.size() == kMaxRoutes) return;
  routes_.emplace_back(to, payloads);
  to.sources_.push_back(this);
  to.line_.splice();
}

void Leg::clear_route(Leg& to) {
  std::erase_if(routes_, [&to](const Route& route) { return &route.to() == &to; });
  std::erase(to.sources_, this);
}

void Leg::detach() {
  while (!routes_.empty())
    clear_route(routes_.back().to());
  while (!sources_.empty())
    sources_.back()->clear_route(*this);
}

const PayloadRoute* Leg::find_route(std::uint8_t payload_type) const {
  for (const Route& route : routes_) {
    if (const PayloadRoute* found = route.find(payload_type)) return found;
  }
  return nullptr;
}

void Leg::drop(DropReason reason) {
  ++dropped_;
  switch (reason) {
    case DropReason::unknown_source:
      ++since_.from_others;
      break;
    case DropReason::srtp:
      ++since_.unsealed;
      break;
    case DropReason::unknown_payload:
      ++since_.unknown_payload;
      break;
    case DropReason::malformed:
      ++since_.malformed;
      break;
    case DropReason::size:
    case DropReason::unknown_protocol:
    case DropReason::rate:
    case DropReason::stun:
    case DropReason::dtls_limit:
    case DropReason::not_ready:
    case DropReason::no_route:
    case DropReason::held:
    case DropReason::late:
    case DropReason::replaced:
    case DropReason::queue:
    case DropReason::count_:
      break;
  }
  worker_.counters.dropped[kind_][reason].add();
}

void Leg::count_srtp(SrtpVerdict verdict) {
  ++srtp_failures_;
  worker_.counters.srtp_errors[kind_][verdict].add();
}

bool Leg::within_rate(TimePoint now) {
  if (rate_.allow(now)) return true;
  drop(DropReason::rate);
  return false;
}

void Leg::receive_rtp(Packet packet, const SocketAddress& from, Turn& turn) {
  const auto header = rtp::parse_header(packet.bytes());
  if (!header) return drop(DropReason::malformed);
  const PayloadRoute* route = find_route(header->payload_type);
  const bool event = route && route->telephone_event;
  received_.update(header->ssrc, header->sequence, header->timestamp,
                   route ? route->from_clock : 8000, turn.now - packet.age,
                   event || header->marker);
  octets_received_ += header->payload_size;
  worker_.counters.packets[kind_][Direction::received].add();
  worker_.counters.bytes[kind_][Direction::received].add(
      static_cast<std::int64_t>(header->payload_size));
  last_heard_ = turn.now;
  if (route || routes_.empty()) taken(*header, from, turn);
  const bool kept = listen(packet, *header, turn);
  if (!route) return drop(routes_.empty() ? DropReason::no_route : DropReason::unknown_payload);
  if (event) {
    receive_event(packet.bytes().subspan(header->payload_at, header->payload_size), *header, *route,
                  turn);
  }
  distribute(packet, *header, kept, turn);
}

void Leg::taken(const rtp::Header& header, const SocketAddress& from, Turn& turn) {
  taken_at_ = turn.now;
  since_ = {};
  paused_ = header.payload_type == kComfortNoise;
  if (stall_at_ == kNever) stall_at_ = turn.now + kStalled;
  if (heard_) return;
  heard_ = true;
  turn.events.emplace_back(FirstPacket{id_, from});
}

void Leg::look_for_stall(Turn& turn) {
  stall_at_ = taken_at_ + kStalled;
  if (stall_at_ > turn.now) return;
  stall_at_ = kNever;
  if (paused_) return;
  heard_ = false;
  turn.events.emplace_back(judge(turn.now));
}

MediaJudged Leg::judge(TimePoint now) const {
  MediaJudged judged{id_};
  const bool heard = taken_at_ != kNever && now - taken_at_ < kStalled;
  if (!heard) {
    ReceivingFacts facts;
    facts.leg = kind_;
    facts.from_others = since_.from_others;
    facts.unsealed = since_.unsealed;
    facts.unknown_payload = since_.unknown_payload;
    facts.malformed = since_.malformed;
    add_transport_facts(facts);
    judged.received = why_silent(facts);
  }
  if (hearing_.deaf()) judged.sent = one_way_to(kind_);
  return judged;
}

void Leg::receive_event(ByteView payload, const rtp::Header& header, const PayloadRoute& route,
                        Turn& turn) {
  const auto event = rtp::parse_event(payload);
  if (!event) return;
  report_digits(events_.receive(header.ssrc, header.timestamp, *event, route.from_clock, turn.now),
                turn);
}

void Leg::report_digits(const rtp::Digits& digits, Turn& turn) {
  for (const rtp::Digit& digit : digits) {
    worker_.counters.digits[kind_][Direction::received].add();
    turn.events.emplace_back(
        DigitReceived{id_, digit.digit, static_cast<std::uint32_t>(digit.duration.count())});
  }
}

bool Leg::listen(const Packet& packet, const rtp::Header& header, Turn& turn) {
  if (detection_.codec == AudioCodec::none || header.payload_type != detection_.payload_type)
    return false;
  const bool queued = turn.out.push(Outbox::Coded{{id_, id_, detection_.codec, AudioCodec::none,
                                                   header.ssrc, header.sequence, header.timestamp},
                                                  packet.data + header.payload_at,
                                                  header.payload_size});
  if (!queued) drop(DropReason::queue);
  return queued;
}

void Leg::heard_digit(char digit, std::vector<Event>& events) {
  if (detection_.codec == AudioCodec::none) return;
  worker_.counters.tones[kind_][Direction::received].add();
  events.emplace_back(DigitReceived{id_, digit, 0, true});
}

void Leg::distribute(Packet packet, const rtp::Header& header, bool kept, Turn& turn) {
  // The last taker gets the packet itself, the others a copy.
  const Route* last = nullptr;
  for (const Route& route : routes_) {
    const PayloadRoute* payload = route.find(header.payload_type);
    if (!payload) continue;
    last = &route;
    kept = kept || payload->transcoded();
  }
  // What a transcoder or a listener gets lies where it is, as it is, until the turn is over.
  if (kept) last = nullptr;
  for (const Route& route : routes_) {
    const PayloadRoute* payload = route.find(header.payload_type);
    if (!payload) continue;
    if (payload->reported_only) {
      route.to().line_.leave_out(header, *payload, id_);
      continue;
    }
    if (payload->transcoded()) {
      transcode(packet, header, *payload, route.to().id(), turn);
      continue;
    }
    Packet own = packet;
    if (&route != last) {
      own = turn.out.scratch();
      if (!own.data) {
        drop(DropReason::queue);
        continue;
      }
      own.size = packet.size;
      std::copy_n(packet.data, packet.size, own.data);
    }
    route.to().forward(own, header, *payload, id_, turn);
  }
}

void Leg::forward(Packet packet, const rtp::Header& header, const PayloadRoute& route, LegId source,
                  Turn& turn) {
  if (const auto reason = line_.rewrite(packet, header, route, source, turn.now)) {
    return drop(*reason);
  }
  send(packet, turn);
}

void Leg::transcode(const Packet& packet, const rtp::Header& header, const PayloadRoute& route,
                    LegId to, Turn& turn) {
  const bool queued = turn.out.push(Outbox::Coded{
      {id_, to, route.decode, route.encode, header.ssrc, header.sequence, header.timestamp},
      packet.data + header.payload_at,
      header.payload_size});
  if (!queued) drop(DropReason::queue);
}

const PayloadRoute* Leg::transcoded_route(const Leg& to, AudioCodec codec) const {
  for (const Route& route : routes_) {
    if (&route.to() == &to) return route.transcoded(codec);
  }
  return nullptr;
}

void Leg::forward(const TranscodedFrame& frame, const PayloadRoute& route, Turn& turn) {
  Packet packet = turn.out.scratch();
  if (!packet.data) return drop(DropReason::queue);
  std::copy_n(frame.payload.begin(), frame.size, packet.data + rtp::kFixedHeaderSize);
  rtp::Header header;
  header.marker = frame.marker;
  header.sequence = frame.sequence;
  header.timestamp = frame.timestamp;
  header.ssrc = frame.stream;
  header.payload_size = frame.size;
  if (const auto reason = line_.number_transcoded(packet, header, route, frame.from, turn.now)) {
    return drop(*reason);
  }
  send(packet, turn);
}

void Leg::send(Packet& packet, Turn& turn) {
  const std::size_t payload = packet.size - rtp::kFixedHeaderSize;
  if (const auto reason = transmit(packet, Stream::rtp, turn)) return drop(*reason);
  line_.count_sent(payload, turn.now);
  worker_.counters.packets[kind_][Direction::sent].add();
  worker_.counters.bytes[kind_][Direction::sent].add(static_cast<std::int64_t>(payload));
}

void Leg::receive_rtcp(ByteView compound, Turn& turn) {
  if (!rtcp_.receive(compound, line_, received_, turn.now)) return drop(DropReason::malformed);
  last_heard_ = turn.now;
  const auto& report = rtcp_.last_report();
  if (!report) return;
  // A browser has a block on each stream that it gets; some carriers have none, ever.
  const bool always = kind_ == LegKind::webrtc;
  if (hearing_.reported(report->highest ? &*report->highest : nullptr, line_.packets_sent(),
                        always)) {
    MediaJudged judged{id_};
    judged.sent = one_way_to(kind_);
    turn.events.emplace_back(judged);
  }
}

void Leg::send_report(Turn& turn, bool bye) {
  Packet packet = turn.out.scratch();
  if (!packet.data) return;
  packet.size =
      rtcp_.write({packet.data, kMaxDatagram - kTailRoom}, line_, received_, turn.now, bye);
  if (packet.size > 0) transmit(packet, Stream::rtcp, turn);
}

void Leg::on_deadline(Turn& turn) {
  on_transport_deadline(turn);
  if (turn.now >= events_.deadline()) report_digits(events_.on_deadline(turn.now), turn);
  if (rtcp_.due(turn.now)) send_report(turn, false);
  if (turn.now >= stall_at_) look_for_stall(turn);
  if (turn.now >= silent_at()) {
    silent_within_ = {};
    turn.events.emplace_back(MediaSilent{id_});
  }
  const std::uint64_t begun = line_.digits_begun(), sounded = line_.digits_sounded();
  while (turn.now >= line_.deadline()) {
    Packet packet = turn.out.scratch();
    if (!packet.data || !line_.next_own(packet, turn.now)) break;
    send(packet, turn);
  }
  worker_.counters.digits[kind_][Direction::sent].add(
      static_cast<std::int64_t>(line_.digits_begun() - begun));
  worker_.counters.tones[kind_][Direction::sent].add(
      static_cast<std::int64_t>(line_.digits_sounded() - sounded));
}

TimePoint Leg::deadline() const {
  return std::min({transport_deadline(), events_.deadline(), rtcp_.deadline(), line_.deadline(),
                   stall_at_, silent_at()});
}

void Leg::close(Turn& turn) {
  if (line_.packets_sent() > 0) send_report(turn, true);
  close_transport(turn);
}

LegStatistics Leg::statistics() const {
  LegStatistics statistics;
  statistics.packets_received = received_.received();
  statistics.bytes_received = octets_received_;
  statistics.packets_sent = line_.packets_sent();
  statistics.bytes_sent = line_.octets_sent();
  statistics.packets_expected = received_.expected();
  statistics.packets_lost = received_.lost();
  statistics.packets_dropped = dropped_;
  statistics.srtp_failures = srtp_failures_;
  statistics.jitter_seconds = received_.jitter_seconds();
  if (rtcp_.round_trip()) {
    statistics.round_trip_seconds = std::chrono::duration<double>(*rtcp_.round_trip()).count();
  }
  const auto judge = [&statistics](double loss) {
    return mos_of(loss, statistics.jitter_seconds, statistics.round_trip_seconds);
  };
  if (const auto loss = loss_of(received_.lost(), received_.expected()))
    statistics.mos = judge(*loss);
  statistics.interval_loss = loss_of(grown(received_.lost(), interval_lost_),
                                     grown(received_.expected(), interval_expected_));
  if (statistics.interval_loss) statistics.interval_mos = judge(*statistics.interval_loss);
  if (const auto& there = rtcp_.at_peer()) {
    statistics.at_peer = {
        there->loss, there->jitter_seconds,
        mos_of(there->loss, there->jitter_seconds, statistics.round_trip_seconds)};
  }
  return statistics;
}

LegStatistics Leg::end_interval() {
  const LegStatistics statistics = this->statistics();
  interval_lost_ = received_.lost();
  interval_expected_ = received_.expected();
  return statistics;
}

}  // namespace trunkline::media
