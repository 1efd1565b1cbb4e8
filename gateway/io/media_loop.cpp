#include "io/media_loop.hpp"

#include "io/native_address.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <sys/epoll.h>
#include <utility>

namespace trunkline::io {
namespace {

constexpr std::uint64_t kCommands = UINT64_MAX;
constexpr milliseconds kLongestWait{1000};  // also the beat by which the worker shows that it lives

socklen_t to_name(const SocketAddress& address, sockaddr_in6& name) {
  const auto& bytes = address.ip.bytes();
  if (address.ip.is_v6()) {
    name = {};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(address.port);
    std::memcpy(&name.sin6_addr, bytes.data(), 16);
    return sizeof(sockaddr_in6);
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(address.port);
  std::memcpy(&four.sin_addr, bytes.data(), 4);
  std::memcpy(&name, &four, sizeof(four));
  return sizeof(four);
}

Duration as_duration(const timespec& time) {
  return seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

Duration wall_clock() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return as_duration(time);
}

/// How long ago the kernel received what is in the message. None of what can't be: the wall clock
/// may have been put in between.
Duration age_of(msghdr& message, Duration wall) {
  const cmsghdr* told = CMSG_FIRSTHDR(&message);
  if (told == nullptr || told->cmsg_level != SOL_SOCKET || told->cmsg_type != SCM_TIMESTAMPNS)
    return {};
  timespec stamp{};
  std::memcpy(&stamp, CMSG_DATA(told), sizeof stamp);
  const Duration age = wall - as_duration(stamp);
  return age > Duration{} && age < kLongestWait ? age : Duration{};
}

}  // namespace

MediaLoop::MediaLoop(const MediaSockets& sockets, media::Plane& plane,
                     TranscodingThread& transcoding, const Wakeup& commands, Counters& counters)
    : sockets_(sockets),
      plane_(plane),
      transcoding_(transcoding),
      commands_(commands),
      counters_(counters),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      connections_(sockets.listeners, epoll_.get(), {}, counters.connections),
      now_(Clock::now()),
      ended_(now_),
      buffers_(std::make_unique<std::array<Buffer, kBuffers>>()) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kCommands;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, commands_.fd(), &event);
  for (std::size_t i = 0; i < sockets_.sockets.size(); ++i) {
    event.data.u64 = i;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, sockets_.sockets[i].fd.get(), &event);
  }
  for (std::size_t i = 0; i < kBuffers; ++i) {
    in_parts_[i] = {(*buffers_)[i].octets.data() + media::kHeadRoom, media::kMaxDatagram};
    in_[i].msg_hdr.msg_iov = &in_parts_[i];
    in_[i].msg_hdr.msg_iovlen = 1;
    in_[i].msg_hdr.msg_name = &in_names_[i];
    in_[i].msg_hdr.msg_namelen = sizeof(Name);
    in_[i].msg_hdr.msg_control = in_told_[i].octets.data();
    in_[i].msg_hdr.msg_controllen = in_told_[i].octets.size();
  }
  for (std::size_t i = 0; i < media::Outbox::kCapacity; ++i) {
    out_[i].msg_hdr.msg_iov = &out_parts_[i];
    out_[i].msg_hdr.msg_iovlen = 1;
    out_[i].msg_hdr.msg_name = &out_names_[i];
  }
}

int MediaLoop::timeout(TimePoint now) const {
  const TimePoint deadline = plane_.deadline();
  if (deadline <= now) return 0;
  if (deadline - now >= kLongestWait) return static_cast<int>(kLongestWait.count());
  return static_cast<int>(std::chrono::ceil<milliseconds>(deadline - now).count());
}

/// Waits until the next turn may begin; returns that time. `now_` is when the last one did.
TimePoint MediaLoop::gather() const {
  const TimePoint next = std::min(now_ + pace_.interval(), plane_.deadline());
  if (next <= ended_) return ended_;
  const timespec left{0, std::chrono::nanoseconds(next - ended_).count()};
  ::nanosleep(&left, nullptr);
  return next;
}

bool MediaLoop::turn(std::vector<media::Event>& events) {
  const TimePoint begin = gather();
  const int count = ::epoll_wait(epoll_.get(), ready_.data(), kEvents, timeout(begin));
  now_ = Clock::now();
  wall_ = wall_clock();
  bool commanded = false;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t which = ready_[static_cast<std::size_t>(i)].data.u64;
    if (which == kCommands) {
      commands_.clear();
      commanded = true;
    } else if (which >= MediaConnections::kListener) {
      connections_.accept(which, now_);
    } else if (media::is_connection(static_cast<media::SocketIndex>(which))) {
      receive_frames(static_cast<media::SocketIndex>(which), events);
    } else {
      forwarded_ = true;
      receive(static_cast<media::SocketIndex>(which), events);
    }
  }
  if (outbox_.nearly_full()) flush();
  if (const TimePoint due = plane_.deadline(); due <= now_) {
    counters_.lag.observe(std::chrono::duration<double>(now_ - due).count());
    plane_.on_deadline(now_, outbox_, events);
  }
  if (connections_.next_sweep() <= now_) {
    connections_.sweep(
        now_, [this](media::SocketIndex connection) { return plane_.serves(connection); },
        [this](media::SocketIndex connection) { plane_.close_connection(connection, now_); });
  }
  return commanded;
}

void MediaLoop::execute(const media::Command& command, std::vector<media::Event>& events) {
  if (outbox_.nearly_full()) flush();
  plane_.execute(command, now_, outbox_, events);
}

void MediaLoop::receive(const media::TranscodedFrame& frame, std::vector<media::Event>& events) {
  if (outbox_.nearly_full()) flush();
  plane_.receive(frame, now_, outbox_, events);
}

void MediaLoop::receive(const media::DigitHeard& digit, std::vector<media::Event>& events) {
  plane_.receive(digit, events);
}

void MediaLoop::end_turn() {
  ended_ = Clock::now();
  if (std::exchange(forwarded_, false) && ++turns_ % kSampled == 0)
    counters_.forwarding.observe(std::chrono::duration<double>(ended_ - now_).count());
  counters_.busy_microseconds.add(
      std::chrono::duration_cast<std::chrono::microseconds>(ended_ - now_).count());
  counters_.last_turn.set(ended_.time_since_epoch().count());
  pace_.end_turn(ended_);
}

// ------------------------------------------------------------------------------------ receiving

void MediaLoop::receive(media::SocketIndex socket, std::vector<media::Event>& events) {
  const MediaSockets::Socket& from = sockets_.sockets[socket];
  const bool browser = from.spec.use == media::SocketSpec::Use::browser;
  const std::size_t batch = browser ? kBrowserBatch : kTrunkBatch;
  for (int round = browser ? kBrowserRounds : 1; round > 0; --round) {
    if (used_ + batch > kBuffers || outbox_.nearly_full()) flush();
    const int got =
        ::recvmmsg(from.fd.get(), &in_[used_], static_cast<unsigned>(batch), MSG_DONTWAIT, nullptr);
    if (got <= 0) return;
    pace_.count(static_cast<std::size_t>(got));
    const auto end = used_ + static_cast<std::size_t>(got);
    for (; used_ < end; ++used_) {
      mmsghdr& message = in_[used_];
      const Duration age = age_of(message.msg_hdr, wall_);
      // The kernel had put its own lengths there.
      message.msg_hdr.msg_namelen = sizeof(Name);
      message.msg_hdr.msg_controllen = in_told_[used_].octets.size();
      // One octet over the limit is what the plane drops and counts as too large.
      const bool cut = (message.msg_hdr.msg_flags & MSG_TRUNC) != 0;
      const std::size_t size = cut ? media::kMaxDatagram + 1 : message.msg_len;
      const media::Packet packet{static_cast<std::uint8_t*>(in_parts_[used_].iov_base), size, age};
      const auto* name = reinterpret_cast<const sockaddr*>(&in_names_[used_]);
      plane_.receive(socket, from_native(name), packet, now_, outbox_, events);
    }
    if (static_cast<std::size_t>(got) < batch) return;
  }
}

void MediaLoop::receive_frames(media::SocketIndex connection, std::vector<media::Event>& events) {
  if (!connections_.advance(connection, now_)) return close(connection);
  while (const auto frame = connections_.next_frame(connection)) {
    if (used_ == kBuffers || outbox_.nearly_full()) flush();
    auto* place = static_cast<std::uint8_t*>(in_parts_[used_++].iov_base);
    std::copy(frame->begin(), frame->end(), place);
    plane_.receive(connection, connections_.remote(connection), {place, frame->size()}, now_,
                   outbox_, events);
  }
  if (connections_.is_broken(connection)) close(connection);
}

void MediaLoop::close(media::SocketIndex connection) {
  connections_.close(connection);
  plane_.close_connection(connection, now_);
}

// ------------------------------------------------------------------------------------ sending

void MediaLoop::flush() {
  const auto entries = outbox_.entries();
  // Socket first, then place: one call a socket, and each socket's packets stay in order.
  for (std::size_t i = 0; i < entries.size(); ++i)
    order_[i] = (std::uint64_t{entries[i].socket} << 32) | i;
  const auto end = order_.begin() + static_cast<std::ptrdiff_t>(entries.size());
  if (entries.size() > 1) std::sort(order_.begin(), end);
  std::size_t first = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const media::Outbox::Entry& entry = entries[order_[i] & UINT32_MAX];
    out_parts_[i] = {const_cast<std::uint8_t*>(entry.data), entry.size};
    out_[i].msg_hdr.msg_namelen = to_name(entry.to, out_names_[i]);
    const bool last_of_socket = i + 1 == entries.size() || order_[i + 1] >> 32 != order_[i] >> 32;
    if (!last_of_socket) continue;
    send_run(entry.socket, first, i + 1);
    first = i + 1;
  }
  transcoding_.give(outbox_.coded(), now_);
  outbox_.clear();
  connections_.release();
  used_ = 0;
}

void MediaLoop::send_run(media::SocketIndex socket, std::size_t first, std::size_t last) {
  if (media::is_connection(socket)) {
    for (; first < last; ++first) {
      const iovec& part = out_parts_[first];
      connections_.send(socket, {static_cast<const std::uint8_t*>(part.iov_base), part.iov_len});
    }
    return;
  }
  if (socket >= sockets_.sockets.size()) return;
  const int fd = sockets_.sockets[socket].fd.get();
  while (first < last) {
    const int sent = ::sendmmsg(fd, &out_[first], static_cast<unsigned>(last - first),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      first += static_cast<std::size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS) {
      counters_.dropped_full.add(static_cast<std::int64_t>(last - first));
      return;
    }
    // The first of them is the one that can't be sent.
    counters_.dropped_error.add();
    ++first;
  }
}

}  // namespace trunkline::io
