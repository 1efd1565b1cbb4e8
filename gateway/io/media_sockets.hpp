#pragma once
#include "base/result.hpp"
#include "call/settings.hpp"
#include "io/settings.hpp"
#include "io/unique_fd.hpp"
#include "media/plane.hpp"

#include <cstddef>
#include <vector>

namespace trunkline::io {

/// The sockets of one media worker: a browser port for each bind address, by UDP and TCP, and its
/// share of the RTP port pairs on each bind address and each trunk bind address.
struct MediaSockets {
  struct Socket {
    UniqueFd fd;
    media::SocketSpec spec;
  };
  /// Takes browsers' TCP connections, on the number of a browser port.
  struct Listener {
    UniqueFd fd;
    SocketAddress local;
  };
  std::vector<Socket> sockets;
  std::vector<Listener> listeners;
  call::MediaResources::Worker resources;
  std::size_t pairs_missing = 0;  ///< pairs that something else holds
};

/// Fails when a browser port, or every RTP port, can't be bound. Single taken RTP ports are left
/// out.
Result<MediaSockets> bind_media_sockets(const MediaSettings& settings, std::size_t worker);

/// Lets the process open as many descriptors as the system grants it: each RTP port is one.
void raise_descriptor_limit();

}  // namespace trunkline::io
