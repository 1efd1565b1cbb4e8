#pragma once
#include "base/bytes.hpp"
#include "base/metrics.hpp"
#include "base/net_address.hpp"
#include "base/time.hpp"
#include "io/media_sockets.hpp"
#include "io/unique_fd.hpp"
#include "media/outbox.hpp"
#include "rtp/stream_framing.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace trunkline::io {

struct MediaConnectionLimits {
  std::size_t connections = media::kMaxConnections;  ///< at once; at most `kMaxConnections`
  std::size_t per_address = 200;                     ///< of them; many browsers may share one NAT
  Duration stranger = seconds{10};  ///< without a leg that has had a valid check over it
  Duration idle = seconds{60};      ///< without a frame: longer than any browser's checks are apart
};

/// The TCP connections of one worker's browsers: passive candidates (RFC 6544), frames (RFC 4571).
/// Audio that finds the connection blocked is dropped, never queued. The worker's thread only.
class MediaConnections {
 public:
  /// Cells written by the worker's thread.
  struct Counters {
    Cell open;
    Cell accepted, refused;  ///< refused: more than the limits allow
    Cell framing;            ///< closed for a frame that is too long
    Cell stranger, idle;     ///< closed for these limits
    Cell closed;             ///< by the browser or the network
    Cell dropped;            ///< frames that found the connection blocked
  };
  /// What `epoll_event::data` of a listener has; below it are the numbers of connections.
  static constexpr std::uint64_t kListener = std::uint64_t{1} << 32;

  /// `listeners` outlive it. It adds them and each connection to `epoll`.
  MediaConnections(const std::vector<MediaSockets::Listener>& listeners, int epoll,
                   const MediaConnectionLimits& limits, Counters& counters);

  void accept(std::uint64_t listener, TimePoint now);
  /// Reads once, and writes what is left of a frame. False: the connection is over.
  bool advance(media::SocketIndex connection, TimePoint now);
  /// The next frame of what was read, in place until `advance`. Nothing: all have been taken.
  std::optional<ByteView> next_frame(media::SocketIndex connection);
  /// After the last frame: what follows is none.
  bool is_broken(media::SocketIndex connection);
  const SocketAddress& remote(media::SocketIndex connection) const;
  void send(media::SocketIndex connection, ByteView packet);
  /// Closes those that are strangers or idle too long. `serves`: a leg has it; `closed` is told.
  void sweep(TimePoint now, const std::function<bool(media::SocketIndex)>& serves,
             const std::function<void(media::SocketIndex)>& closed);
  /// Its number is another's only after `release`, when nothing for it can be on its way.
  void close(media::SocketIndex connection);
  void release();
  TimePoint next_sweep() const { return open_ == 0 && !paused_ ? kNever : next_sweep_; }

 private:
  struct Connection {
    UniqueFd fd;
    SocketAddress remote;
    rtp::FrameReader reader{media::kMaxDatagram};
    std::vector<std::uint8_t> rest;  ///< of a frame that the kernel took half
    TimePoint last_input{}, last_served{};
  };

  Connection* find(media::SocketIndex connection) const;
  void admit(UniqueFd fd, const SocketAddress& remote, TimePoint now);
  void watch(media::SocketIndex connection, const Connection& open, int operation) const;
  void watch_listeners(bool on);
  bool write_rest(media::SocketIndex connection, Connection& open) const;

  const std::vector<MediaSockets::Listener>& listeners_;
  int epoll_;
  MediaConnectionLimits limits_;
  Counters& counters_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<media::SocketIndex> free_, closed_;
  std::unordered_map<IpAddress, std::size_t> of_address_;
  std::size_t open_ = 0;
  bool paused_ = false;  ///< out of descriptors
  TimePoint next_sweep_{};
};

}  // namespace trunkline::io
