#pragma once
#include "base/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace trunkline::rtp {

/// RFC 4571 §2: on a stream each packet stands behind its length, two octets in network order.
inline constexpr std::size_t kFrameHeaderSize = 2;

/// Cuts a stream into the packets that were framed into it. Allocates at construction only.
class FrameReader {
 public:
  /// A frame longer than `max_frame` octets is refused: there is no way back into the stream.
  explicit FrameReader(std::size_t max_frame);

  /// Where the next octets of the stream go, never empty; `filled` tells how many came.
  MutableBytes room();
  void filled(std::size_t octets) { end_ += octets; }
  /// The next whole packet, in place until `room` is called. Null packets (§2) are passed over.
  std::optional<ByteView> next();
  bool failed() const { return failed_; }

 private:
  std::size_t max_frame_;
  std::vector<std::uint8_t> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  bool failed_ = false;
};

}  // namespace trunkline::rtp
