#pragma once
#include "base/ids.hpp"
#include "base/metrics.hpp"
#include "base/time.hpp"
#include "media/outbox.hpp"
#include "media/transcoder.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace trunkline::media {

/// A packet on its way to the transcoding thread: a value with its own octets.
struct TranscodeOrder : CodedAudio {
  TimePoint arrived{};
  std::uint16_t size = 0;
  std::array<std::uint8_t, JitterBuffer::kMaxPayload> payload;
};

/// What it made of them.
struct TranscodedFrame {
  LegId from, to;
  AudioCodec codec = AudioCodec::none;
  std::uint32_t stream = 0;  ///< changes when the numbers begin anew
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  bool marker = false;
  std::uint16_t size = 0;
  std::array<std::uint8_t, kMaxEncoded> payload;
};

/// All transcoders of one media worker. They run on a thread of their own, beside the packets that
/// are only relayed: nothing here is quick enough to stand in their way. A transcoder is made by
/// the first packet of its direction and goes when it has been silent. Sans I/O, one thread.
class TranscodingRoom {
 public:
  /// `max_streams`: directions at once; packets of one more are dropped and counted.
  explicit TranscodingRoom(std::size_t max_streams) : max_streams_(max_streams) {}

  void receive(const TranscodeOrder& order);
  /// Appends the frames that are due.
  void on_deadline(TimePoint now, std::vector<TranscodedFrame>& frames);
  TimePoint deadline() const;

  std::size_t streams() const { return streams_.size(); }

  /// Cells written by the room's thread.
  struct Counters {
    Cell streams;  ///< gauge
    Cell packets, frames, lost, late, malformed, starved, shortened, refused;
    void collect(MetricSink& sink) const;
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Stream {
    Stream(LegId from_leg, LegId to_leg, AudioCodec codec, std::uint32_t made)
        : from(from_leg), to(to_leg), number(made), transcoder(codec) {}
    LegId from, to;
    std::uint32_t number;
    Transcoder transcoder;
    TranscoderStatistics counted;
  };

  Stream* stream_for(const TranscodeOrder& order);
  void count(Stream& stream);

  std::size_t max_streams_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::uint32_t made_ = 0;
  Counters counters_;
};

}  // namespace trunkline::media
