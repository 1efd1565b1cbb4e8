#include "batch_socket.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <unistd.h>

namespace trunkline::bench {
namespace {

constexpr int kBuffer = 16 << 20;
constexpr std::int64_t kSecond = 1'000'000'000;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof(value));
}

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * kSecond + time.tv_nsec;
}

}  // namespace

std::int64_t system_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

BatchSocket::BatchSocket(std::uint16_t port)
    : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      buffers_(std::make_unique<std::array<Buffer, 2 * kBatch>>()) {
  // Without the right to force it, as much as the system allows.
  set_option(fd_, SOL_SOCKET, SO_RCVBUF, kBuffer);
  set_option(fd_, SOL_SOCKET, SO_SNDBUF, kBuffer);
  set_option(fd_, SOL_SOCKET, SO_RCVBUFFORCE, kBuffer);
  set_option(fd_, SOL_SOCKET, SO_SNDBUFFORCE, kBuffer);
  set_option(fd_, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  set_option(fd_, SOL_SOCKET, SO_RXQ_OVFL, 1);
  set_option(fd_, IPPROTO_IP, IP_PKTINFO, 1);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) < 0) fail("bind");
  for (std::size_t i = 0; i < kBatch; ++i) {
    in_parts_[i] = {(*buffers_)[i].data() + media::kHeadRoom, media::kMaxDatagram};
    in_[i].msg_hdr.msg_iov = &in_parts_[i];
    in_[i].msg_hdr.msg_iovlen = 1;
    in_[i].msg_hdr.msg_name = &in_names_[i];
    out_parts_[i] = {(*buffers_)[kBatch + i].data() + media::kHeadRoom, 0};
    msghdr& out = out_[i].msg_hdr;
    out.msg_iov = &out_parts_[i];
    out.msg_iovlen = 1;
    out.msg_name = &out_names_[i];
    out.msg_namelen = sizeof(sockaddr_in);
    out.msg_control = out_controls_[i].octets.data();
    out.msg_controllen = CMSG_SPACE(sizeof(in_pktinfo));
    cmsghdr* control = CMSG_FIRSTHDR(&out);
    control->cmsg_level = IPPROTO_IP;
    control->cmsg_type = IP_PKTINFO;
    control->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  }
}

BatchSocket::~BatchSocket() {
  ::close(fd_);
}

media::Packet BatchSocket::room() {
  if (waiting_ == kBatch) flush();
  return {static_cast<std::uint8_t*>(out_parts_[waiting_].iov_base), 0};
}

void BatchSocket::commit(Host own, const sockaddr_in& to, std::size_t size, std::int64_t* sent_at) {
  out_parts_[waiting_].iov_len = size;
  out_names_[waiting_] = to;
  in_pktinfo info{};
  info.ipi_spec_dst.s_addr = htonl(own);
  std::memcpy(CMSG_DATA(CMSG_FIRSTHDR(&out_[waiting_].msg_hdr)), &info, sizeof(info));
  stamps_[waiting_++] = sent_at;
}

void BatchSocket::flush() {
  if (waiting_ == 0) return;
  const std::int64_t now = system_nanoseconds();
  for (std::size_t i = 0; i < waiting_; ++i) {
    if (stamps_[i] != nullptr) *stamps_[i] = now;
  }
  for (std::size_t first = 0; first < waiting_;) {
    const int sent =
        ::sendmmsg(fd_, &out_[first], static_cast<unsigned>(waiting_ - first), MSG_NOSIGNAL);
    if (sent > 0) {
      first += static_cast<std::size_t>(sent);
    } else if (errno != EINTR) {
      ++refused_;
      ++first;
    }
  }
  waiting_ = 0;
}

std::size_t BatchSocket::receive_batch() {
  for (std::size_t i = 0; i < kBatch; ++i) {
    msghdr& header = in_[i].msg_hdr;
    header.msg_namelen = sizeof(sockaddr_in);
    header.msg_control = in_controls_[i].octets.data();
    header.msg_controllen = kControl;
  }
  const int got = ::recvmmsg(fd_, in_.data(), kBatch, MSG_DONTWAIT, nullptr);
  if (got <= 0) return 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
    Arrival& arrival = arrivals_[i];
    arrival.from = in_names_[i];
    arrival.packet = {static_cast<std::uint8_t*>(in_parts_[i].iov_base), in_[i].msg_len};
    read_control(in_[i].msg_hdr, arrival);
  }
  return static_cast<std::size_t>(got);
}

void BatchSocket::read_control(msghdr& header, Arrival& arrival) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof(info));
      arrival.own = ntohl(info.ipi_addr.s_addr);
    } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
      timespec time{};
      std::memcpy(&time, CMSG_DATA(part), sizeof(time));
      arrival.at = nanoseconds(time);
    } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL) {
      std::uint32_t dropped = 0;
      std::memcpy(&dropped, CMSG_DATA(part), sizeof(dropped));
      overflows_ = dropped;
    }
  }
}

}  // namespace trunkline::bench
