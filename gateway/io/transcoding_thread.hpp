#pragma once
#include "base/metrics.hpp"
#include "io/spsc_ring.hpp"
#include "io/wakeup.hpp"
#include "media/outbox.hpp"
#include "media/transcoding.hpp"

#include <atomic>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace trunkline::io {

/// The transcoders of one media worker on a thread of their own: coded audio in, coded audio and
/// heard digits out, all by value through bounded rings. The thread wakes when a frame is due, not
/// for each packet.
class TranscodingThread final : public MetricSource {
 public:
  /// `frames_wait` is signalled when `take` has something; it outlives the thread.
  TranscodingThread(std::string name, std::size_t max_streams, const Wakeup& frames_wait);
  ~TranscodingThread() override;

  void start();
  void stop();

  // ---------------------------------------- the worker's thread
  /// Copies what a turn has received; what finds no room is dropped and counted.
  void give(std::span<const media::Outbox::Coded> audio, TimePoint now);
  bool take(media::TranscodedFrame& frame) { return frames_.pop(frame); }
  bool take(media::DigitHeard& digit) { return digits_.pop(digit); }

  // ---------------------------------------- any thread
  void collect(MetricSink& sink) const override;

 private:
  void run();
  void wait(TimePoint deadline);
  void take_orders();
  void publish();

  std::string name_;
  const Wakeup& frames_wait_;
  media::TranscodingRoom room_;
  SpscRing<media::TranscodeOrder> orders_;
  SpscRing<media::TranscodedFrame> frames_;
  SpscRing<media::DigitHeard> digits_;
  std::vector<media::TranscodedFrame> fresh_;
  std::vector<media::DigitHeard> heard_;
  Wakeup orders_wait_;
  std::atomic<bool> idle_{false};  ///< it waits for an order, not for a time
  std::atomic<bool> stopping_{false};
  Cell dropped_;      ///< by the worker's thread: no room for an order
  Cell lost_frames_;  ///< by the thread itself: no room for a frame or a digit
  Cell busy_microseconds_;
  std::thread thread_;
};

}  // namespace trunkline::io
