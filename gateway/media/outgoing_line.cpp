#include "media/outgoing_line.hpp"

#include "media/audio_codec.hpp"

#include <algorithm>

namespace trunkline::media {

namespace {

static_assert(rtp::EventSender::kMaxQueued == kMaxQueuedDigits);

constexpr Duration kEventSilence = milliseconds{200};
// Sources of a line are legs, by their ids; tones count down from here and never meet them.
constexpr std::uint64_t kToneSource = ~std::uint64_t{0};
constexpr std::uint64_t kTranscodedSource = std::uint64_t{1} << 62;

rtp::SourcePacket source_packet(const rtp::Header& header, const PayloadRoute& route,
                                LegId source) {
  return {.source = source.value,
          .ssrc = header.ssrc,
          .sequence = header.sequence,
          .timestamp = header.timestamp,
          .marker = header.marker,
          .clock = route.from_clock,
          .telephone_event = route.telephone_event};
}

}  // namespace

std::optional<DropReason> OutgoingLine::rewrite(Packet& packet, const rtp::Header& header,
                                                const PayloadRoute& route, LegId source,
                                                TimePoint now) {
  if (plays()) {
    interrupted_ = true;
    return DropReason::replaced;
  }
  std::optional<rtp::EventPayload> event;
  if (route.telephone_event) {
    event = rtp::parse_event(packet.bytes().subspan(header.payload_at, header.payload_size));
    if (!event) return DropReason::malformed;
  }
  auto position = place(header, route, source, now);
  if (!position) return DropReason::late;
  const rtp::Extent extent = rtp::strip(packet.bytes(), header);
  packet.data += extent.offset;
  packet.size = extent.size;
  if (event) {
    rewrite_event(packet, header, route, *event, *position, now);
  }
  write(packet, route.to, *position, packet.size - rtp::kFixedHeaderSize);
  return std::nullopt;
}

std::optional<rtp::LinePosition> OutgoingLine::place(const rtp::Header& header,
                                                     const PayloadRoute& route, LegId source,
                                                     TimePoint now) {
  // The audio beside this event has been numbered by a transcoder: the leg's own numbers mean
  // nothing on the line.
  if (route.telephone_event && transcoded_ == source) {
    return timeline_.insert(timeline_.timestamp_at(now), header.marker, now);
  }
  transcoded_ = {};
  if (std::exchange(interrupted_, false)) timeline_.splice();
  return timeline_.map(source_packet(header, route, source), now);
}

void OutgoingLine::leave_out(const rtp::Header& header, const PayloadRoute& route, LegId source) {
  timeline_.skip(source_packet(header, route, source));
}

std::optional<DropReason> OutgoingLine::number_transcoded(Packet& packet, const rtp::Header& header,
                                                          const PayloadRoute& route, LegId source,
                                                          TimePoint now) {
  if (plays() || relayed_.open) {
    interrupted_ = true;
    return DropReason::replaced;
  }
  if (std::exchange(interrupted_, false)) timeline_.splice();
  transcoded_ = source;
  const auto position = timeline_.map({.source = kTranscodedSource | source.value,
                                       .ssrc = header.ssrc,
                                       .sequence = header.sequence,
                                       .timestamp = header.timestamp,
                                       .marker = header.marker,
                                       .clock = rtp_clock(route.encode),
                                       .telephone_event = false},
                                      now);
  if (!position) return DropReason::late;
  write(packet, route.to, *position, header.payload_size);
  return std::nullopt;
}

void OutgoingLine::rewrite_event(Packet& packet, const rtp::Header& header,
                                 const PayloadRoute& route, const rtp::EventPayload& payload,
                                 rtp::LinePosition& position, TimePoint now) {
  const auto converted = converter_.convert(header.ssrc, header.timestamp, payload,
                                            route.from_clock, route.to_clock, position.timestamp);
  position.timestamp = converted.timestamp;
  // RFC 4733 §2.2.2: the marker is the begin of an event. Firefox, beside Opus, has it on each of
  // the three packets that it sends of one.
  if (relayed_.payload_type == route.to && relayed_.timestamp == converted.timestamp)
    position.marker = false;
  packet.size = rtp::kFixedHeaderSize + rtp::kEventPayloadSize;
  rtp::write_event(packet.bytes().subspan(rtp::kFixedHeaderSize), converted.payload);
  relayed_ = {.open = !converted.payload.end,
              .payload_type = route.to,
              .timestamp = converted.timestamp,
              .payload = converted.payload,
              .last = now,
              .ends_to_send = 0};
}

void OutgoingLine::start_tone(const StartTone& order, TimePoint now) {
  sound_.reset();
  tone_.emplace(order, now);
  ++tones_;
}

void OutgoingLine::start_sound(const StartSound& order, std::shared_ptr<const Clip> clip,
                               TimePoint now) {
  if (sound_ && sound_->plays(order)) return;
  tone_.reset();
  sound_.emplace(order, std::move(clip), now);
  ++tones_;
}

void OutgoingLine::stop_tone() {
  tone_.reset();
  sound_.reset();
}

bool OutgoingLine::queue_digit(const SendDigit& order,
                               const std::shared_ptr<const DigitTones>& tones, TimePoint now) {
  if (order.tone != AudioCodec::none) {
    if (!tones || !tones->of(order.digit) || !sounding_digits_.push(order)) return false;
    digit_tones_ = tones;
    if (!sounding_) sound_next_digit(now);
    return true;
  }
  if (!timeline_.started()) timeline_.set_clock(order.clock, now);
  digit_payload_type_ = order.payload_type;
  return digits_.queue(order.digit, milliseconds{order.duration_ms}, order.clock, now);
}

void OutgoingLine::sound_next_digit(TimePoint begin) {
  sounding_.reset();
  const auto order = sounding_digits_.pop();
  if (!order) {
    interrupted_ = true;
    return;
  }
  ++tones_;
  const StartSound sound{order->to, Sound::play, order->tone, order->payload_type};
  sounding_.emplace(sound, digit_tones_->of(order->digit), begin);
}

bool OutgoingLine::next_own(Packet& packet, TimePoint now) {
  return write_relayed_end(packet, now) || write_digit(packet, now) ||
         write_sounding_digit(packet, now) || write_source(tone_, packet, now) ||
         write_source(sound_, packet, now);
}

TimePoint OutgoingLine::deadline() const {
  TimePoint first = digits_.deadline();
  if (tone_) first = std::min(first, tone_->deadline());
  if (sound_) first = std::min(first, sound_->deadline());
  if (sounding_) first = std::min(first, sounding_->deadline());
  if (relayed_.open) first = std::min(first, relayed_.last + kEventSilence);
  if (relayed_.ends_to_send > 0) first = std::min(first, relayed_.last);
  return first;
}

bool OutgoingLine::write_relayed_end(Packet& packet, TimePoint now) {
  if (relayed_.open && now >= relayed_.last + kEventSilence) {
    relayed_.open = false;
    relayed_.payload.end = true;
    relayed_.ends_to_send = rtp::EventSender::kEndPackets;
  }
  if (relayed_.ends_to_send == 0) return false;
  --relayed_.ends_to_send;
  const auto position = timeline_.insert(relayed_.timestamp, false, now);
  rtp::write_event({packet.data + rtp::kFixedHeaderSize, rtp::kEventPayloadSize}, relayed_.payload);
  write(packet, relayed_.payload_type, position, rtp::kEventPayloadSize);
  return true;
}

bool OutgoingLine::write_digit(Packet& packet, TimePoint now) {
  const auto event = digits_.next(timeline_.timestamp_at(now), now);
  if (!event) return false;
  if (event->marker) ++digits_begun_;
  const auto position = timeline_.insert(event->timestamp, event->marker, now);
  rtp::write_event({packet.data + rtp::kFixedHeaderSize, rtp::kEventPayloadSize}, event->payload);
  write(packet, digit_payload_type_, position, rtp::kEventPayloadSize);
  interrupted_ = true;
  return true;
}

bool OutgoingLine::write_sounding_digit(Packet& packet, TimePoint now) {
  if (!sounding_ || now < sounding_->deadline()) return false;
  if (sounding_->first()) ++digits_sounded_;
  const bool written = write_frame(*sounding_, packet, now);
  if (sounding_->played()) sound_next_digit(sounding_->deadline());
  return written;
}

template <class Source>
bool OutgoingLine::write_source(std::optional<Source>& source, Packet& packet, TimePoint now) {
  if (!source || now < source->deadline()) return false;
  if (!dials()) return write_frame(*source, packet, now);
  source->next({packet.data + rtp::kFixedHeaderSize, kMaxEncoded}, now);
  interrupted_ = true;
  return false;
}

template <class Source>
bool OutgoingLine::write_frame(Source& source, Packet& packet, TimePoint now) {
  const rtp::SourcePacket numbers{.source = kToneSource - tones_,
                                  .ssrc = 0,
                                  .sequence = source.sequence(),
                                  .timestamp = source.timestamp(),
                                  .marker = source.first(),
                                  .clock = source.clock(),
                                  .telephone_event = false};
  const std::size_t size = source.next({packet.data + rtp::kFixedHeaderSize, kMaxEncoded}, now);
  if (size == 0) return false;
  if (std::exchange(interrupted_, false)) timeline_.splice();
  const auto position = timeline_.map(numbers, now);
  if (!position) return false;
  write(packet, source.payload_type(), *position, size);
  return true;
}

void OutgoingLine::write(Packet& packet, std::uint8_t payload_type,
                         const rtp::LinePosition& position, std::size_t payload_size) {
  packet.size = rtp::kFixedHeaderSize + payload_size;
  rtp::Header header;
  header.marker = position.marker;
  header.payload_type = payload_type;
  header.sequence = position.sequence;
  header.timestamp = position.timestamp;
  header.ssrc = timeline_.ssrc();
  rtp::write_header(packet.bytes(), header);
}

void OutgoingLine::count_sent(std::size_t payload_octets, TimePoint now) {
  ++packets_sent_;
  octets_sent_ += payload_octets;
  last_sent_ = now;
}

}  // namespace trunkline::media
