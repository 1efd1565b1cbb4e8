#pragma once
#include "base/bytes.hpp"
#include "base/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace trunkline::bench {

inline constexpr Duration kPacketTime = milliseconds{20};
inline constexpr std::size_t kPayload = 160, kRtpPacket = 12 + kPayload;  ///< G.711

/// What all flows of one talk saw together.
struct Tally {
  std::uint64_t sent = 0, received = 0;
  std::uint64_t lost = 0;       ///< numbers that never came
  std::uint64_t reordered = 0;  ///< came after a later one, or twice
  std::uint64_t altered = 0;    ///< payload, sequence, timestamp or SSRC not as they must be
  std::vector<std::int64_t> latencies;  ///< nanoseconds
  double gap = 0;                       ///< ms, the longest between two packets of a flow
  double added_gap = 0;                 ///< the same without what the sender itself was late
};

/// One way of a call: what its sender numbers, and what its receiver makes of that. The payload
/// says whose packet it is, so that whatever the server rewrites is seen.
class Flow {
 public:
  Flow(std::uint32_t id, std::uint32_t ssrc, std::uint16_t sequence)
      : id_(id), ssrc_(ssrc), sequence_(sequence) {}

  /// Writes the next packet, `kRtpPacket` octets; its time is `period` packets after the start of
  /// all. Returns where the time is to be put at which it was sent.
  std::int64_t* write(MutableBytes packet, std::uint32_t period);
  /// An RTP packet that arrived at `at` (system nanoseconds).
  void read(ByteView packet, std::int64_t at);
  /// A new talk: numbers go on, what was lost before does not count.
  void begin();
  void end(Tally& tally);

 private:
  static constexpr std::size_t kRemembered = 512;  ///< 10 s of packets

  std::uint32_t id_, ssrc_;
  std::uint16_t sequence_;
  std::uint32_t sent_ = 0, begun_ = 0;
  std::array<std::int64_t, kRemembered> sent_at_{};

  bool heard_ = false;
  std::uint32_t next_ = 0;  ///< number that should come
  std::uint32_t last_ssrc_ = 0, last_timestamp_ = 0, last_written_ = 0;
  std::uint16_t last_sequence_ = 0;
  std::int64_t last_arrival_ = 0, last_sent_ = 0;
  std::array<std::uint32_t, kRemembered> written_{};  ///< timestamps as they were sent
  Tally tally_;
};

}  // namespace trunkline::bench
