#pragma once
#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/net_address.hpp"
#include "base/time.hpp"
#include "media/api.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace trunkline::media {

/// Room before a received packet (for what grows at its front) and behind it (SRTP tag, padding).
inline constexpr std::size_t kHeadRoom = 64, kTailRoom = 128, kMaxDatagram = 1500;

/// One datagram in place: `data` may be rewritten, moved forward into `kHeadRoom` and extended into
/// `kTailRoom`.
struct Packet {
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  Duration age{};  ///< since the kernel received it: a turn may begin much later
  MutableBytes bytes() const { return {data, size}; }
};

/// A worker's sockets by their place in the list given to `Plane`.
using SocketIndex = std::uint32_t;

/// TCP connections of browsers (RFC 6544) are numbered from here on, behind all sockets; a number
/// is another connection's only after `Plane::close_connection`.
inline constexpr SocketIndex kFirstConnection = 1u << 24;
inline constexpr std::size_t kMaxConnections = 2000;
inline constexpr bool is_connection(SocketIndex socket) {
  return socket >= kFirstConnection;
}

/// One packet of audio that is to be made anew: from where to where, and its place in its stream.
struct CodedAudio {
  LegId from, to;
  AudioCodec decode = AudioCodec::none, encode = AudioCodec::none;
  std::uint32_t ssrc = 0;
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
};

/// What one turn of a worker wants to send: a fixed array that the worker flushes with `sendmmsg`.
/// Entries point into the worker's receive buffers or into scratch buffers of the outbox; both stay
/// valid until `clear()`. No allocation.
class Outbox {
 public:
  static constexpr std::size_t kCapacity = 256, kScratch = 128;

  struct Entry {
    SocketIndex socket = 0;
    SocketAddress to;
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
  };

  /// Audio that goes to the transcoding thread instead; `data` as in `Entry`.
  struct Coded : CodedAudio {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
  };

  Outbox() : scratch_(std::make_unique<Buffers>()) {}

  /// A buffer of `kHeadRoom + kMaxDatagram + kTailRoom` octets for a packet that we make; its
  /// `data` stands after the head room. Null data when all are used: the caller drops the packet
  /// and counts it.
  Packet scratch() {
    if (scratch_used_ == kScratch) return {};
    return {(*scratch_)[scratch_used_++].data() + kHeadRoom, 0};
  }
  /// False when full: the packet is dropped, the caller counts it.
  bool push(SocketIndex socket, const SocketAddress& to, const Packet& packet) {
    if (size_ == kCapacity) return false;
    entries_[size_++] = {socket, to, packet.data, packet.size};
    return true;
  }
  bool push(const Coded& audio) {
    if (coded_size_ == kCapacity) return false;
    coded_[coded_size_++] = audio;
    return true;
  }
  std::span<const Entry> entries() const { return {entries_.data(), size_}; }
  std::span<const Coded> coded() const { return {coded_.data(), coded_size_}; }
  /// The worker flushes before it goes on when little is left.
  bool nearly_full() const {
    return size_ + 64 > kCapacity || coded_size_ + 64 > kCapacity || scratch_used_ + 32 > kScratch;
  }
  void clear() { size_ = coded_size_ = scratch_used_ = 0; }

 private:
  using Buffers =
      std::array<std::array<std::uint8_t, kHeadRoom + kMaxDatagram + kTailRoom>, kScratch>;
  std::array<Entry, kCapacity> entries_{};
  std::array<Coded, kCapacity> coded_{};
  std::size_t size_ = 0, coded_size_ = 0;
  std::unique_ptr<Buffers> scratch_;
  std::size_t scratch_used_ = 0;
};

}  // namespace trunkline::media
