#pragma once
#include "base/time.hpp"
#include "media/api.hpp"
#include "media/clip.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace trunkline::media {

/// The sixteen digits of DTMF as sound (ITU-T Q.23), each between two halves of its pause. Prepared
/// once, in every codec; all threads may read it.
class DigitTones {
 public:
  static Result<std::shared_ptr<const DigitTones>> make();
  /// Null: that is no digit.
  const std::shared_ptr<const Clip>& of(char digit) const;

 private:
  std::array<std::shared_ptr<const Clip>, 16> clips_;
  std::shared_ptr<const Clip> none_;
};

/// Digits that wait to be played, one after the other.
class DigitQueue {
 public:
  /// False: as many wait as may.
  bool push(const SendDigit& order);
  /// The next one leaves the queue.
  std::optional<SendDigit> pop();
  bool empty() const { return size_ == 0; }

 private:
  struct Item {
    char digit = '0';
    std::uint8_t payload_type = 0;
    AudioCodec codec = AudioCodec::none;
  };
  std::array<Item, kMaxQueuedDigits> items_{};
  std::size_t first_ = 0, size_ = 0;
};

}  // namespace trunkline::media
