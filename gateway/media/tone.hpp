#pragma once
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/api.hpp"

#include <cstdint>

namespace trunkline::media {

/// A sine wave in G.711, a packet of 20 ms at a time. Its clock does not drift: packet n is due at
/// begin + n · 20 ms.
class Tone {
 public:
  static constexpr std::size_t kSamples = 160;
  static constexpr Duration kInterval = milliseconds{20};

  Tone(const StartTone& order, TimePoint now);

  static constexpr std::uint32_t clock() { return 8000; }
  std::uint8_t payload_type() const { return payload_type_; }
  std::uint16_t sequence() const { return sequence_; }
  std::uint32_t timestamp() const { return timestamp_; }
  bool first() const { return sequence_ == 0 && timestamp_ == 0; }
  /// Writes `kSamples` octets, says so, and moves on to the next packet. When the worker has slept
  /// for more than 200 ms the packets in between are left out.
  std::size_t next(MutableBytes payload, TimePoint now);
  TimePoint deadline() const { return due_; }

 private:
  ToneCodec codec_;
  std::uint8_t payload_type_;
  std::uint32_t frequency_;
  std::uint16_t sequence_ = 0;
  std::uint32_t timestamp_ = 0;
  TimePoint due_;
};

}  // namespace trunkline::media
