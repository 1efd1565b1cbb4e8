#include "io/media_sockets.hpp"

#include "base/log.hpp"
#include "io/native_address.hpp"

#include <algorithm>
#include <cerrno>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <system_error>

namespace trunkline::io {
namespace {

using Use = media::SocketSpec::Use;

constexpr int kBrowserBuffer = 4 << 20, kTrunkBuffer = 256 << 10;  // octets of the kernel
constexpr int kBacklog = 256;

/// An invalid descriptor and errno, if it can't be had.
UniqueFd bind_socket(const SocketAddress& local, Use use) {
  const bool v6 = local.ip.is_v6();
  UniqueFd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  const int buffer = use == Use::browser ? kBrowserBuffer : kTrunkBuffer;
  set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, buffer);
  set_option(fd.get(), SOL_SOCKET, SO_SNDBUF, buffer);
  set_option(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, 1);
  if (v6) {
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_option(fd.get(), IPPROTO_IPV6, IPV6_TCLASS, kExpeditedForwarding);
  } else {
    set_option(fd.get(), IPPROTO_IP, IP_TOS, kExpeditedForwarding);
  }
  const NativeAddress native(local);
  if (::bind(fd.get(), native.get(), native.size) == 0) return fd;
  const int error = errno;
  fd = UniqueFd();
  errno = error;
  return fd;
}

/// Listens by TCP; else as `bind_socket`.
UniqueFd listen_at(const SocketAddress& local) {
  const bool v6 = local.ip.is_v6();
  UniqueFd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (v6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  const NativeAddress native(local);
  if (::bind(fd.get(), native.get(), native.size) == 0 && ::listen(fd.get(), kBacklog) == 0)
    return fd;
  const int error = errno;
  fd = UniqueFd();
  errno = error;
  return fd;
}

SocketAddress bound_to(int fd) {
  NativeAddress native;
  if (::getsockname(fd, native.get(), &native.size) != 0) return {};
  return from_native(native.get());
}

std::vector<IpAddress> trunk_addresses(const MediaSettings& settings) {
  std::vector<IpAddress> addresses = settings.bind;
  for (const IpAddress& ip : settings.trunk_binds) {
    if (std::find(addresses.begin(), addresses.end(), ip) == addresses.end())
      addresses.push_back(ip);
  }
  return addresses;
}

/// A UDP socket and, if wanted, a TCP listener of the same number. Of a port that the system
/// chooses, the number may be taken by TCP: then it chooses again.
Result<void> bind_browser_port(SocketAddress local, bool tcp, MediaSockets& out) {
  constexpr int kChoices = 16;
  const bool chosen = local.port == 0;
  for (int choice = 1;; ++choice) {
    UniqueFd fd = bind_socket(local, Use::browser);
    if (!fd)
      return fail("can't bind " + local.text() +
                  "/udp (media.webrtc_port): " + std::generic_category().message(errno));
    const SocketAddress bound = bound_to(fd.get());
    UniqueFd listener = tcp ? listen_at(bound) : UniqueFd();
    if (tcp && !listener) {
      if (chosen && errno == EADDRINUSE && choice < kChoices) continue;
      return fail("can't bind " + bound.text() + "/tcp (media.webrtc_port, media.ice_tcp): " +
                  std::generic_category().message(errno));
    }
    if (listener) out.listeners.push_back({std::move(listener), bound});
    out.sockets.push_back({std::move(fd), {Use::browser, bound}});
    return {};
  }
}

Result<void> bind_browser_ports(const MediaSettings& settings, std::size_t worker,
                                MediaSockets& out) {
  for (std::size_t i = 0; i < settings.bind.size(); ++i) {
    SocketAddress local{settings.bind[i], settings.webrtc_port};
    if (local.port != 0) local.port = static_cast<std::uint16_t>(local.port + worker);
    if (auto bound = bind_browser_port(local, settings.ice_tcp, out); !bound) return bound;
    local = out.sockets.back().spec.local;
    const IpAddress told = i < settings.advertise.size() ? settings.advertise[i] : settings.bind[i];
    out.resources.candidates.push_back({told, local.port});
  }
  out.resources.ice_tcp = settings.ice_tcp;
  // RFC 8421 §4: IPv6 before IPv4, as in the order of RFC 6724.
  std::ranges::stable_partition(out.resources.candidates, [](const SocketAddress& candidate) {
    return candidate.ip.is_v6();
  });
  return {};
}

/// False: something else holds one of the two ports.
bool bind_pair(const IpAddress& ip, std::uint16_t port, MediaSockets& out) {
  const SocketAddress rtp{ip, port}, rtcp{ip, static_cast<std::uint16_t>(port + 1)};
  UniqueFd first = bind_socket(rtp, Use::trunk_rtp);
  UniqueFd second = first ? bind_socket(rtcp, Use::trunk_rtcp) : UniqueFd();
  if (!first || !second) return false;
  out.sockets.push_back({std::move(first), {Use::trunk_rtp, rtp}});
  out.sockets.push_back({std::move(second), {Use::trunk_rtcp, rtcp}});
  out.resources.trunk_ports[ip].push_back(port);
  return true;
}

}  // namespace

Result<MediaSockets> bind_media_sockets(const MediaSettings& settings, std::size_t worker) {
  MediaSockets out;
  if (auto bound = bind_browser_ports(settings, worker, out); !bound) return fail(bound.error());
  const std::uint32_t first = (settings.rtp_port_first + 1u) & ~1u;
  std::size_t pairs = 0;
  int error = 0;
  for (const IpAddress& ip : trunk_addresses(settings)) {
    for (std::uint32_t port = first; port + 1 <= settings.rtp_port_last; port += 2) {
      if ((port - first) / 2 % settings.workers != worker) continue;
      ++pairs;
      if (bind_pair(ip, static_cast<std::uint16_t>(port), out)) continue;
      error = errno;
      ++out.pairs_missing;
    }
  }
  if (out.pairs_missing == 0) return out;
  if (out.pairs_missing == pairs) {
    return fail("can't bind any of the RTP ports " + std::to_string(settings.rtp_port_first) + "-" +
                std::to_string(settings.rtp_port_last) + ": " +
                std::generic_category().message(error));
  }
  log::warn("RTP ports left out", {{"worker", worker},
                                   {"pairs", out.pairs_missing},
                                   {"why", std::generic_category().message(error)}});
  return out;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warn("can't raise the descriptor limit");
}

}  // namespace trunkline::io
