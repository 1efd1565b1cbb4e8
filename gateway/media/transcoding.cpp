#include "media/transcoding.hpp"

#include <algorithm>

namespace trunkline::media {

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
  Stream* stream = stream_for(order);
  if (stream == nullptr) return counters_.refused.add();
  stream->transcoder.receive({order.decode, order.ssrc, order.sequence, order.timestamp,
                              ByteView(order.payload).first(order.size)},
                             order.arrived);
}

void TranscodingRoom::on_deadline(TimePoint now, std::vector<TranscodedFrame>& frames) {
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
  return first;
}

void TranscodingRoom::count(Stream& stream) {
  const TranscoderStatistics& now = stream.transcoder.statistics();
  const auto add = [&](Cell& cell, std::uint64_t TranscoderStatistics::*member) {
    cell.add(static_cast<std::int64_t>(now.*member - stream.counted.*member));
  };
  add(counters_.packets, &TranscoderStatistics::packets);
  add(counters_.lost, &TranscoderStatistics::lost);
  add(counters_.late, &TranscoderStatistics::late);
  add(counters_.malformed, &TranscoderStatistics::malformed);
  add(counters_.starved, &TranscoderStatistics::starved);
  add(counters_.shortened, &TranscoderStatistics::shortened);
  stream.counted = now;
}

void TranscodingRoom::Counters::collect(MetricSink& sink) const {
  const auto value = [](const Cell& cell) { return static_cast<double>(cell.get()); };
  sink.gauge("trunkline_transcoded_streams", "Directions of calls that are transcoded.", {},
             value(streams));
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
