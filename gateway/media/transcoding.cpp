#include "media/transcoding.hpp"

#include <algorithm>

namespace trunkline::media {
namespace {

CodedPacket packet_of(const TranscodeOrder& order) {
  return {order.decode, order.ssrc, order.sequence, order.timestamp,
          ByteView(order.payload).first(order.size)};
}

}  // namespace

TranscodingRoom::Stream* TranscodingRoom::stream_for(const TranscodeOrder& order) {
  const auto found = std::find_if(streams_.begin(), streams_.end(), [&order](const auto& stream) {
    return stream->from == order.from && stream->to == order.to;
  });
  if (found != streams_.end()) {
    if ((*found)->transcoder.to() != order.encode) {
      *found = std::make_unique<Stream>(order.from, order.to, order.encode, ++made_);
    }
    return found->get();
  }
  if (streams_.size() >= max_streams_) return nullptr;
  counters_.streams.add();
  return streams_
      .emplace_back(std::make_unique<Stream>(order.from, order.to, order.encode, ++made_))
      .get();
}

void TranscodingRoom::receive(const TranscodeOrder& order) {
  if (order.encode == AudioCodec::none) return listen(order);
  Stream* stream = stream_for(order);
  if (stream == nullptr) return counters_.refused.add();
  stream->transcoder.receive(packet_of(order), order.arrived);
}

void TranscodingRoom::listen(const TranscodeOrder& order) {
  const auto found = listeners_.find(order.from);
  if (found != listeners_.end()) return found->second->receive(packet_of(order), order.arrived);
  if (listeners_.size() >= kMaxListeners) return counters_.refused.add();
  counters_.listeners.add();
  const auto made = listeners_.emplace(order.from, std::make_unique<DigitListener>());
  made.first->second->receive(packet_of(order), order.arrived);
}

void TranscodingRoom::on_deadline(TimePoint now, std::vector<TranscodedFrame>& frames,
                                  std::vector<DigitHeard>& digits) {
  for (const auto& [leg, listener] : listeners_) {
    if (listener->deadline() > now) continue;
    while (const auto digit = listener->next(now))
      digits.push_back({leg, *digit});
  }
  const auto silent = std::erase_if(
      listeners_, [](const auto& entry) { return entry.second->deadline() == kNever; });
  counters_.listeners.add(-static_cast<std::int64_t>(silent));
  for (const auto& stream : streams_) {
    if (stream->transcoder.deadline() > now) continue;
    while (true) {
      TranscodedFrame& frame = frames.emplace_back();
      const auto made = stream->transcoder.next(frame.payload, now);
      if (!made) {
        frames.pop_back();
        break;
      }
      frame.from = stream->from;
      frame.to = stream->to;
      frame.codec = stream->transcoder.to();
      frame.stream = stream->number;
      frame.sequence = made->sequence;
      frame.timestamp = made->timestamp;
      frame.marker = made->marker;
      frame.size = static_cast<std::uint16_t>(made->size);
      counters_.frames.add();
    }
    count(*stream);
  }
  const auto gone = std::erase_if(
      streams_, [](const auto& stream) { return stream->transcoder.deadline() == kNever; });
  counters_.streams.add(-static_cast<std::int64_t>(gone));
}

TimePoint TranscodingRoom::deadline() const {
  TimePoint first = kNever;
  for (const auto& stream : streams_)
    first = std::min(first, stream->transcoder.deadline());
  for (const auto& [leg, listener] : listeners_)
    first = std::min(first, listener->deadline());
  return first;
}

void TranscodingRoom::count(Stream& stream) {
  const PlayoutStatistics& now = stream.transcoder.statistics();
  const auto add = [&](Cell& cell, std::uint64_t PlayoutStatistics::*member) {
    cell.add(static_cast<std::int64_t>(now.*member - stream.counted.*member));
  };
  add(counters_.packets, &PlayoutStatistics::packets);
  add(counters_.lost, &PlayoutStatistics::lost);
  add(counters_.late, &PlayoutStatistics::late);
  add(counters_.malformed, &PlayoutStatistics::malformed);
  add(counters_.starved, &PlayoutStatistics::starved);
  add(counters_.shortened, &PlayoutStatistics::shortened);
  stream.counted = now;
}

void TranscodingRoom::Counters::collect(MetricSink& sink) const {
  const auto value = [](const Cell& cell) { return static_cast<double>(cell.get()); };
  sink.gauge("trunkline_transcoded_streams", "Directions of calls that are transcoded.", {},
             value(streams));
  sink.gauge("trunkline_dtmf_listeners", "Legs whose sound is searched for DTMF digits.", {},
             value(listeners));
  const auto event = [&](const char* what, const Cell& cell) {
    sink.counter("trunkline_transcoding_total", "What became of the audio that is transcoded.",
                 {{"event", what}}, value(cell));
  };
  event("packet", packets);
  event("frame", frames);
  event("lost", lost);
  event("late", late);
  event("malformed", malformed);
  event("starved", starved);
  event("shortened", shortened);
  event("refused", refused);
}

}  // namespace trunkline::media
