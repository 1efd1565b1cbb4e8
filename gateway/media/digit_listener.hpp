#pragma once
#include "base/time.hpp"
#include "media/playout.hpp"

#include <memory>
#include <optional>

namespace trunkline::media {

/// Hears DTMF digits in the sound of one source (ITU-T Q.23, Q.24): of its play-out, so that a
/// packet that is late or lost makes no second digit of one. Sans I/O, one thread.
class DigitListener {
 public:
  DigitListener();
  ~DigitListener();

  void receive(const CodedPacket& packet, TimePoint now) { playout_.receive(packet, now); }
  /// A digit that has begun in what is due, each once; called until it says none.
  std::optional<char> next(TimePoint now);
  TimePoint deadline() const { return playout_.deadline(); }
  const PlayoutStatistics& statistics() const { return playout_.statistics(); }

 private:
  struct Detector;
  Playout playout_{AudioCodec::none};
  std::unique_ptr<Detector> detector_;
};

}  // namespace trunkline::media
