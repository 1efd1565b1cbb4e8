// The least that a relay between SRTP and RTP can do, as the limit for the media bench: recvmmsg,
// the gateway's fastest SRTP, sendmmsg. One thread, one port for all encrypted sides and one for
// each plain side; no statistics, no RTCP, no check beyond SRTP's own.
//   {"encrypted_side": "127.1.0.1:5000", "plain_side": "127.2.0.1:6000", "ssrc": N,
//    "profile": NAME, "send": HEX, "receive": HEX}
// a line on standard input adds a call; {"port": N}, its port for the plain side, is the answer.
#include "base/net_address.hpp"
#include "media/outbox.hpp"
#include "media/srtp.hpp"

#include "../keys.hpp"
#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace {

using namespace trunkline;
using Json = nlohmann::json;

constexpr std::uint64_t kInput = ~0ULL, kShared = ~1ULL;
constexpr std::size_t kSharedBatch = 32, kPlainBatch = 4, kMost = 64;
constexpr int kRounds = 4, kEvents = 256;
constexpr int kSharedBuffer = 4 << 20, kPlainBuffer = 256 << 10;

struct Call {
  int fd = -1;  ///< for the plain side
  sockaddr_in encrypted_side{}, plain_side{};
  std::uint32_t ssrc = 0;
  std::unique_ptr<media::SrtpSender> sender;
  std::unique_ptr<media::SrtpReceiver> receiver;
};

sockaddr_in native(const std::string& text) {
  const SocketAddress address = SocketAddress::parse(text).value();
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(address.port);
  std::memcpy(&name.sin_addr, address.ip.bytes().data(), 4);
  return name;
}

std::uint64_t key_of(const sockaddr_in& name) {
  return std::uint64_t{name.sin_addr.s_addr} << 16 | name.sin_port;
}

int bound(std::uint16_t port, int buffer) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
  sockaddr_in name = native("127.0.0.1:" + std::to_string(port));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) < 0)
    throw std::system_error(errno, std::generic_category(), "bind");
  return fd;
}

/// Packets received together and sent together.
struct Batch {
  Batch() {
    for (std::size_t i = 0; i < kMost; ++i) {
      in_parts[i] = {buffers[i].data() + media::kHeadRoom, media::kMaxDatagram};
      in[i].msg_hdr.msg_iov = &in_parts[i];
      in[i].msg_hdr.msg_iovlen = 1;
      in[i].msg_hdr.msg_name = &in_names[i];
      out[i].msg_hdr.msg_iov = &out_parts[i];
      out[i].msg_hdr.msg_iovlen = 1;
      out[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
    }
  }
  std::size_t receive(int fd, std::size_t from, std::size_t most) {
    for (std::size_t i = from; i < from + most; ++i)
      in[i].msg_hdr.msg_namelen = sizeof(sockaddr_in);
    const int got = ::recvmmsg(fd, &in[from], static_cast<unsigned>(most), MSG_DONTWAIT, nullptr);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  media::Packet packet(std::size_t at) {
    return {static_cast<std::uint8_t*>(in_parts[at].iov_base), in[at].msg_len};
  }
  void put(std::size_t at, const media::Packet& packet, sockaddr_in& to) {
    out_parts[at] = {packet.data, packet.size};
    out[at].msg_hdr.msg_name = &to;
  }
  void send(int fd, std::size_t first, std::size_t last) {
    while (first < last) {
      const int sent = ::sendmmsg(fd, &out[first], static_cast<unsigned>(last - first),
                                  MSG_DONTWAIT | MSG_NOSIGNAL);
      first += sent > 0 ? static_cast<std::size_t>(sent) : 1;
    }
  }

  std::array<std::array<std::uint8_t, media::kHeadRoom + media::kMaxDatagram + media::kTailRoom>,
             kMost>
      buffers{};
  std::array<iovec, kMost> in_parts{}, out_parts{};
  std::array<sockaddr_in, kMost> in_names{};
  std::array<mmsghdr, kMost> in{}, out{};
};

class Relay {
 public:
  explicit Relay(std::uint16_t port)
      : epoll_(::epoll_create1(EPOLL_CLOEXEC)), shared_(bound(port, kSharedBuffer)) {
    watch(STDIN_FILENO, kInput);
    watch(shared_, kShared);
  }

  void run() {
    std::array<epoll_event, kEvents> ready{};
    for (;;) {
      const int count = ::epoll_wait(epoll_, ready.data(), kEvents, -1);
      for (int i = 0; i < count; ++i) {
        const std::uint64_t key = ready[static_cast<std::size_t>(i)].data.u64;
        if (key == kShared) {
          from_encrypted();
        } else if (key != kInput) {
          from_plain(calls_[key]);
        } else if (!read_order()) {
          return;
        }
      }
      flush();
    }
  }

 private:
  void watch(int fd, std::uint64_t key) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = key;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  bool read_order() {
    std::string line;
    if (!std::getline(std::cin, line)) return false;
    const Json order = Json::parse(line);
    const media::SrtpProfile profile = bench::profile_named(order.at("profile"));
    Call call;
    call.fd = bound(0, kPlainBuffer);
    call.encrypted_side = native(order.at("encrypted_side"));
    call.plain_side = native(order.at("plain_side"));
    call.ssrc = order.at("ssrc");
    call.sender = media::make_srtp_sender(media::SrtpEngineKind::automatic, profile,
                                          bench::master_key(profile, order.at("send")), call.ssrc);
    call.receiver = media::make_srtp_receiver(media::SrtpEngineKind::automatic, profile,
                                              bench::master_key(profile, order.at("receive")));
    sockaddr_in name{};
    socklen_t size = sizeof(name);
    ::getsockname(call.fd, reinterpret_cast<sockaddr*>(&name), &size);
    watch(call.fd, calls_.size());
    by_address_[key_of(call.encrypted_side)] = calls_.size();
    calls_.push_back(std::move(call));
    std::cout << Json{{"port", ntohs(name.sin_port)}} << std::endl;
    return true;
  }

  void from_encrypted() {
    for (int round = 0; round < kRounds; ++round) {
      const std::size_t got = shared_in_.receive(shared_, 0, kSharedBatch);
      for (std::size_t i = 0; i < got; ++i) {
        const auto found = by_address_.find(key_of(shared_in_.in_names[i]));
        if (found == by_address_.end()) continue;
        Call& call = calls_[found->second];
        media::Packet packet = shared_in_.packet(i);
        if (call.receiver->unprotect_rtp(packet) != media::SrtpVerdict::ok) continue;
        shared_in_.put(i, packet, call.plain_side);
        shared_in_.send(call.fd, i, i + 1);
      }
      if (got < kSharedBatch) return;
    }
  }

  void from_plain(Call& call) {
    if (waiting_ + kPlainBatch > kMost) flush();
    const std::size_t first = waiting_;
    const std::size_t got = plain_in_.receive(call.fd, first, kPlainBatch);
    for (std::size_t i = first; i < first + got; ++i) {
      media::Packet packet = plain_in_.packet(i);
      if (packet.size < 12) continue;
      store32(packet.bytes(), 8, call.ssrc);
      if (call.sender->protect_rtp(packet) != media::SrtpVerdict::ok) continue;
      if (i != waiting_) std::swap(plain_in_.in_parts[i], plain_in_.in_parts[waiting_]);
      plain_in_.put(waiting_++, packet, call.encrypted_side);
    }
  }

  void flush() {
    plain_in_.send(shared_, 0, waiting_);
    waiting_ = 0;
  }

  int epoll_, shared_;
  std::vector<Call> calls_;
  std::unordered_map<std::uint64_t, std::size_t> by_address_;
  Batch shared_in_, plain_in_;
  std::size_t waiting_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: media_relay PORT\n";
    return 64;
  }
  try {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    std::make_unique<Relay>(static_cast<std::uint16_t>(std::stoi(arguments[1])))->run();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
