#include "rtp/stream_framing.hpp"

#include <algorithm>

namespace trunkline::rtp {
namespace {

/// Frames that one read may bring.
constexpr std::size_t kFramesAtOnce = 3;

}  // namespace

FrameReader::FrameReader(std::size_t max_frame)
    : max_frame_(max_frame), buffer_(kFramesAtOnce * (kFrameHeaderSize + max_frame)) {}

MutableBytes FrameReader::room() {
  // What is left of an unfinished frame is moved to the front: behind it is room for its rest.
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= begin_;
  begin_ = 0;
  return MutableBytes(buffer_).subspan(end_);
}

std::optional<ByteView> FrameReader::next() {
  while (!failed_ && end_ - begin_ >= kFrameHeaderSize) {
    const ByteView rest = ByteView(buffer_).subspan(begin_, end_ - begin_);
    const std::size_t size = load16(rest, 0);
    failed_ = size > max_frame_;
    if (failed_ || rest.size() < kFrameHeaderSize + size) break;
    begin_ += kFrameHeaderSize + size;
    if (size > 0) return rest.subspan(kFrameHeaderSize, size);
  }
  return std::nullopt;
}

}  // namespace trunkline::rtp
