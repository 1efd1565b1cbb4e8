#pragma once
#include "base/metrics.hpp"
#include "io/counters.hpp"
#include "io/media_connections.hpp"
#include "io/media_sockets.hpp"
#include "io/transcoding_thread.hpp"
#include "io/turn_pace.hpp"
#include "io/wakeup.hpp"
#include "media/outbox.hpp"
#include "media/plane.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <vector>

namespace trunkline::io {

/// The packet path of one media worker: epoll, recvmmsg, media::Plane, sendmmsg. Its own thread
/// only; no allocation and no lock per packet.
class MediaLoop {
 public:
  /// Cells written by the worker's thread.
  struct Counters {
    Cell dropped_full;   ///< the kernel's send buffer was full
    Cell dropped_error;  ///< no route, not permitted
    Cell busy_microseconds;
    Cell last_turn;  ///< nanoseconds of `Clock`
    MediaConnections::Counters connections;
    HistogramCell lag = lag_histogram();  ///< how late deadlines of the plane were met
    /// Time from the wake-up for packets to their departure, of every `kSampled`th turn.
    HistogramCell forwarding{{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05}};
  };

  /// `sockets`, `plane` and `transcoding` outlive the loop; `commands` wakes it.
  MediaLoop(const MediaSockets& sockets, media::Plane& plane, TranscodingThread& transcoding,
            const Wakeup& commands, Counters& counters);

  /// Waits for packets, a command or a deadline, at high load also until some have gathered
  /// (`TurnPace`); handles the packets, fires deadlines. True: commands may be there.
  bool turn(std::vector<media::Event>& events);
  void execute(const media::Command& command, std::vector<media::Event>& events);
  /// A frame that the transcoding thread has made.
  void receive(const media::TranscodedFrame& frame, std::vector<media::Event>& events);
  void receive(const media::DigitHeard& digit, std::vector<media::Event>& events);
  /// Sends what the last turn and the commands left.
  void flush();
  /// After all work of a turn: counts the time it took.
  void end_turn();

 private:
  static constexpr std::size_t kBuffers = 128, kBrowserBatch = 32, kTrunkBatch = 4;
  static constexpr int kBrowserRounds = 4, kEvents = 256;
  static constexpr unsigned kSampled = 16;
  struct Buffer {
    std::array<std::uint8_t, media::kHeadRoom + media::kMaxDatagram + media::kTailRoom> octets;
  };
  using Name = sockaddr_in6;  // the larger of the two families
  /// What the kernel tells of a packet: when it came.
  struct alignas(cmsghdr) Told {
    std::array<std::byte, CMSG_SPACE(sizeof(timespec))> octets;
  };

  int timeout(TimePoint now) const;
  TimePoint gather() const;
  void receive(media::SocketIndex socket, std::vector<media::Event>& events);
  void receive_frames(media::SocketIndex connection, std::vector<media::Event>& events);
  void close(media::SocketIndex connection);
  void send_run(media::SocketIndex socket, std::size_t first, std::size_t last);

  const MediaSockets& sockets_;
  media::Plane& plane_;
  TranscodingThread& transcoding_;
  const Wakeup& commands_;
  Counters& counters_;
  UniqueFd epoll_;
  MediaConnections connections_;
  media::Outbox outbox_;
  TimePoint now_, ended_;  ///< of the last turn: its begin and its end
  Duration wall_{};        ///< its begin by the clock of the kernel's time stamps
  TurnPace pace_;
  std::array<epoll_event, kEvents> ready_{};
  std::unique_ptr<std::array<Buffer, kBuffers>> buffers_;
  std::array<iovec, kBuffers> in_parts_{};
  std::array<Name, kBuffers> in_names_{};
  std::array<Told, kBuffers> in_told_{};
  std::array<mmsghdr, kBuffers> in_{};
  std::size_t used_ = 0;
  bool forwarded_ = false;  ///< packets came in this turn
  unsigned turns_ = 0;      ///< with packets
  std::array<std::uint64_t, media::Outbox::kCapacity> order_{};
  std::array<iovec, media::Outbox::kCapacity> out_parts_{};
  std::array<Name, media::Outbox::kCapacity> out_names_{};
  std::array<mmsghdr, media::Outbox::kCapacity> out_{};
};

}  // namespace trunkline::io
