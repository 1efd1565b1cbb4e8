#pragma once
#include "base/bytes.hpp"
#include "media/outbox.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>

namespace trunkline::bench {

/// Nanoseconds of the system's clock, which the kernel stamps received packets with.
std::int64_t system_nanoseconds();

/// An IPv4 address of the loopback network, in host order.
using Host = std::uint32_t;

/// One UDP port at every loopback address, so that a thousand peers cost the generator one socket:
/// sent by `sendmmsg` from whichever address is theirs, received by `recvmmsg` with the kernel's
/// time. One thread.
class BatchSocket {
 public:
  explicit BatchSocket(std::uint16_t port);
  ~BatchSocket();
  BatchSocket(const BatchSocket&) = delete;
  BatchSocket& operator=(const BatchSocket&) = delete;

  int fd() const { return fd_; }
  /// A packet's place, to be filled and given to `commit`; sends what waits when all are taken.
  media::Packet room();
  /// Sends the packet of the last `room` with the next `flush`, from an address of ours. `sent_at`
  /// then has the time, unless it is null.
  void commit(Host own, const sockaddr_in& to, std::size_t size, std::int64_t* sent_at);
  void flush();

  struct Arrival {
    Host own = 0;
    sockaddr_in from{};
    media::Packet packet;
    std::int64_t at = 0;  ///< system nanoseconds
  };
  /// Hands over all that waits.
  template <class Take>
  void receive(const Take& take) {
    for (std::size_t got = kBatch; got == kBatch;) {
      got = receive_batch();
      for (std::size_t i = 0; i < got; ++i)
        take(arrivals_[i]);
    }
  }
  /// Packets that came and found the kernel's buffer full: the generator's own loss.
  std::uint64_t overflows() const { return overflows_; }
  /// Packets that the kernel did not take.
  std::uint64_t refused() const { return refused_; }

 private:
  static constexpr std::size_t kBatch = 16, kControl = 128;
  using Buffer =
      std::array<std::uint8_t, media::kHeadRoom + media::kMaxDatagram + media::kTailRoom>;
  struct alignas(cmsghdr) Control {
    std::array<std::uint8_t, kControl> octets;
  };
  std::size_t receive_batch();
  void read_control(msghdr& header, Arrival& arrival);

  int fd_;
  std::unique_ptr<std::array<Buffer, 2 * kBatch>> buffers_;
  std::array<mmsghdr, kBatch> in_{}, out_{};
  std::array<iovec, kBatch> in_parts_{}, out_parts_{};
  std::array<sockaddr_in, kBatch> in_names_{}, out_names_{};
  std::array<Control, kBatch> in_controls_{}, out_controls_{};
  std::array<std::int64_t*, kBatch> stamps_{};
  std::array<Arrival, kBatch> arrivals_{};
  std::size_t waiting_ = 0;
  std::uint64_t overflows_ = 0, refused_ = 0;
};

}  // namespace trunkline::bench
