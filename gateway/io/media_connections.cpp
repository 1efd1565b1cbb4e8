#include "io/media_connections.hpp"

#include "base/log.hpp"
#include "io/native_address.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace trunkline::io {
namespace {

constexpr Duration kSweep = seconds{1};
constexpr int kAcceptsAtOnce = 16;
// What waits in the kernel is late audio. It takes a flight of DTLS, and a fifth of a second.
constexpr int kSendBuffer = 32 << 10, kUnsent = 4 << 10;  // octets

void set_options(int fd, bool v6) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsent);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kSendBuffer);
  if (v6) {
    set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, kExpeditedForwarding);
  } else {
    set_option(fd, IPPROTO_IP, IP_TOS, kExpeditedForwarding);
  }
}

bool is_out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

MediaConnections::MediaConnections(const std::vector<MediaSockets::Listener>& listeners, int epoll,
                                   const MediaConnectionLimits& limits, Counters& counters)
    : listeners_(listeners), epoll_(epoll), limits_(limits), counters_(counters) {
  limits_.connections = std::min(limits_.connections, media::kMaxConnections);
  watch_listeners(true);
}

void MediaConnections::watch_listeners(bool on) {
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kListener + i;
    ::epoll_ctl(epoll_, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listeners_[i].fd.get(), &event);
  }
}

void MediaConnections::watch(media::SocketIndex connection, const Connection& open,
                             int operation) const {
  epoll_event event{};
  event.events = EPOLLIN | (open.rest.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
  event.data.u64 = connection;
  ::epoll_ctl(epoll_, operation, open.fd.get(), &event);
}

void MediaConnections::accept(std::uint64_t listener, TimePoint now) {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    NativeAddress from;
    UniqueFd fd(::accept4(listeners_[listener - kListener].fd.get(), from.get(), &from.size,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      admit(std::move(fd), from_native(from.get()), now);
      continue;
    }
    // Until some are closed there would be nothing but this event.
    if (!is_out_of_descriptors(errno) || paused_) return;
    paused_ = true;
    next_sweep_ = now + kSweep;
    watch_listeners(false);
    return log::warn("no descriptor for a browser's TCP connection");
  }
}

void MediaConnections::admit(UniqueFd fd, const SocketAddress& remote, TimePoint now) {
  std::size_t& of_address = of_address_[remote.ip];
  if (open_ >= limits_.connections || of_address >= limits_.per_address) {
    if (of_address == 0) of_address_.erase(remote.ip);
    return counters_.refused.add();
  }
  set_options(fd.get(), remote.ip.is_v6());
  auto number = media::kFirstConnection + static_cast<media::SocketIndex>(connections_.size());
  if (free_.empty()) {
    connections_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  auto& place = connections_[number - media::kFirstConnection];
  place = std::make_unique<Connection>();
  place->fd = std::move(fd);
  place->remote = remote;
  place->last_input = place->last_served = now;
  if (open_ == 0) next_sweep_ = now + kSweep;
  ++of_address;
  ++open_;
  counters_.accepted.add();
  counters_.open.set(static_cast<std::int64_t>(open_));
  watch(number, *place, EPOLL_CTL_ADD);
}

MediaConnections::Connection* MediaConnections::find(media::SocketIndex connection) const {
  const std::size_t place = connection - media::kFirstConnection;
  return place < connections_.size() ? connections_[place].get() : nullptr;
}

bool MediaConnections::advance(media::SocketIndex connection, TimePoint now) {
  Connection* open = find(connection);
  if (open == nullptr) return true;  // closed in this turn
  if (!open->rest.empty() && !write_rest(connection, *open)) {
    counters_.closed.add();
    return false;
  }
  const MutableBytes room = open->reader.room();
  const auto got = ::recv(open->fd.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) {
    counters_.closed.add();
    return false;
  }
  open->reader.filled(static_cast<std::size_t>(got));
  open->last_input = now;
  return true;
}

std::optional<ByteView> MediaConnections::next_frame(media::SocketIndex connection) {
  Connection* open = find(connection);
  return open == nullptr ? std::nullopt : open->reader.next();
}

bool MediaConnections::is_broken(media::SocketIndex connection) {
  const Connection* open = find(connection);
  if (open == nullptr || !open->reader.failed()) return false;
  counters_.framing.add();
  return true;
}

const SocketAddress& MediaConnections::remote(media::SocketIndex connection) const {
  static const SocketAddress kNone;
  const Connection* open = find(connection);
  return open == nullptr ? kNone : open->remote;
}

void MediaConnections::send(media::SocketIndex connection, ByteView packet) {
  Connection* open = find(connection);
  if (open == nullptr) return;
  if (!open->rest.empty()) return counters_.dropped.add();
  std::array<std::uint8_t, rtp::kFrameHeaderSize> header{};
  store16(header, 0, static_cast<std::uint16_t>(packet.size()));
  std::array<iovec, 2> parts{
      {{header.data(), header.size()}, {const_cast<std::uint8_t*>(packet.data()), packet.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const auto sent = ::sendmsg(open->fd.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  // A connection that is broken tells so when it is read.
  if (sent <= 0) return counters_.dropped.add();
  auto taken = static_cast<std::size_t>(sent);
  if (taken == header.size() + packet.size()) return;
  // The rest must follow, or no frame behind it could be read.
  for (; taken < header.size(); ++taken)
    open->rest.push_back(header[taken]);
  const ByteView unsent = packet.subspan(taken - header.size());
  open->rest.insert(open->rest.end(), unsent.begin(), unsent.end());
  watch(connection, *open, EPOLL_CTL_MOD);
}

bool MediaConnections::write_rest(media::SocketIndex connection, Connection& open) const {
  const auto sent =
      ::send(open.fd.get(), open.rest.data(), open.rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  open.rest.erase(open.rest.begin(), open.rest.begin() + sent);
  if (open.rest.empty()) watch(connection, open, EPOLL_CTL_MOD);
  return true;
}

void MediaConnections::sweep(TimePoint now, const std::function<bool(media::SocketIndex)>& serves,
                             const std::function<void(media::SocketIndex)>& closed) {
  next_sweep_ = now + kSweep;
  if (std::exchange(paused_, false)) watch_listeners(true);
  for (std::size_t place = 0; place < connections_.size(); ++place) {
    Connection* open = connections_[place].get();
    if (open == nullptr) continue;
    const auto number = media::kFirstConnection + static_cast<media::SocketIndex>(place);
    if (serves(number)) open->last_served = now;
    const bool stranger = now - open->last_served >= limits_.stranger;
    const bool idle = now - open->last_input >= limits_.idle;
    if (!stranger && !idle) continue;
    (stranger ? counters_.stranger : counters_.idle).add();
    close(number);
    closed(number);
  }
}

void MediaConnections::close(media::SocketIndex connection) {
  Connection* open = find(connection);
  if (open == nullptr) return;
  const auto of_address = of_address_.find(open->remote.ip);
  if (--of_address->second == 0) of_address_.erase(of_address);
  connections_[connection - media::kFirstConnection].reset();
  closed_.push_back(connection);
  --open_;
  counters_.open.set(static_cast<std::int64_t>(open_));
}

void MediaConnections::release() {
  free_.insert(free_.end(), closed_.begin(), closed_.end());
  closed_.clear();
}

}  // namespace trunkline::io
