#pragma once
#include "base/ids.hpp"
#include "base/metrics.hpp"
#include "base/time.hpp"
#include "media/digit_listener.hpp"
#include "media/outbox.hpp"
#include "media/transcoder.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace trunkline::media {

/// A packet on its way to the transcoding thread: a value with its own octets.
struct TranscodeOrder : CodedAudio {
  TimePoint arrived{};
  std::uint16_t size = 0;
  std::array<std::uint8_t, JitterBuffer::kMaxPayload> payload;
};

/// A DTMF digit that was heard in the sound of a leg's peer.
struct DigitHeard {
  LegId leg;
  char digit = '0';
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
/// the first packet of its direction and goes when it has been silent. So is what listens for
/// digits: audio that is to become no other codec is for it alone. Sans I/O, one thread.
class TranscodingRoom {
 public:
  /// Legs that are listened to at once; packets of one more are dropped and counted.
  static constexpr std::size_t kMaxListeners = 1000;

  /// `max_streams`: directions at once; packets of one more are dropped and counted.
  explicit TranscodingRoom(std::size_t max_streams) : max_streams_(max_streams) {}

  void receive(const TranscodeOrder& order);
  /// Appends the frames that are due, and the digits that are in what is due.
  void on_deadline(TimePoint now, std::vector<TranscodedFrame>& frames,
                   std::vector<DigitHeard>& digits);
  TimePoint deadline() const;

  std::size_t streams() const { return streams_.size(); }
  std::size_t listeners() const { return listeners_.size(); }

  /// Cells written by the room's thread.
  struct Counters {
    Cell streams, listeners;  ///< gauges
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
    PlayoutStatistics counted;
  };

  Stream* stream_for(const TranscodeOrder& order);
  void listen(const TranscodeOrder& order);
  void count(Stream& stream);

  std::size_t max_streams_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::unordered_map<LegId, std::unique_ptr<DigitListener>> listeners_;
  std::uint32_t made_ = 0;
  Counters counters_;
};

}  // namespace trunkline::media
