#pragma once
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>

namespace trunkline::media {

/// A sliding window over packet indices (RFC 3711 §3.3.2): which of the last `Bits` were seen.
template <std::size_t Bits>
class ReplayWindow {
 public:
  /// False when `index` was seen or lies before the window.
  bool acceptable(std::uint64_t index) const {
    if (index > highest_) return true;
    const std::uint64_t age = highest_ - index;
    return age < Bits && !seen_[slot(index)];
  }
  void add(std::uint64_t index) {
    if (index > highest_) {
      if (index - highest_ >= Bits) {
        seen_.reset();
      } else {
        for (std::uint64_t skipped = highest_ + 1; skipped < index; ++skipped)
          seen_.reset(slot(skipped));
      }
      highest_ = index;
    }
    seen_.set(slot(index));
  }
  std::uint64_t highest() const { return highest_; }

 private:
  static std::size_t slot(std::uint64_t index) { return static_cast<std::size_t>(index % Bits); }
  std::uint64_t highest_ = 0;
  std::bitset<Bits> seen_;
};

/// The 48-bit index of an RTP packet from its sequence number and the highest index so far (RFC
/// 3711 §3.3.1). Before the first roll-over the counter is not guessed below 0.
inline std::uint64_t estimate_rtp_index(std::uint64_t highest, std::uint16_t sequence) {
  std::uint64_t roll_over = highest >> 16;
  const auto last = static_cast<std::uint32_t>(highest & 0xffff);
  if (last < 0x8000) {
    if (sequence > last + 0x8000 && roll_over > 0) --roll_over;
  } else if (last - 0x8000 > sequence) {
    ++roll_over;
  }
  return (roll_over << 16) | sequence;
}

/// The indices that the first packet of a stream may have, the likely one first: at first the
/// roll-over counter is 0; but a sender may have begun shortly before 65535 and have wrapped before
/// its first packet reached us, or go on where it stood under another key (`before`, 0: nowhere).
struct FirstIndices {
  std::array<std::uint64_t, 3> all{};
  std::size_t size = 0;
  FirstIndices(std::uint64_t before, std::uint16_t sequence) {
    if (before > 0xffff) add(estimate_rtp_index(before, sequence));
    add(sequence);
    if (sequence < 0x8000) add((std::uint64_t{1} << 16) | sequence);
  }

 private:
  void add(std::uint64_t index) {
    for (std::size_t i = 0; i < size; ++i) {
      if (all[i] == index) return;
    }
    all[size++] = index;
  }
};

inline constexpr std::size_t kRtpReplayWindow = 1024, kRtcpReplayWindow = 128;
inline constexpr std::uint64_t kMaxRtpIndex = (std::uint64_t{1} << 48) - 1;
inline constexpr std::uint64_t kMaxRtcpIndex = (std::uint64_t{1} << 31) - 1;

}  // namespace trunkline::media
