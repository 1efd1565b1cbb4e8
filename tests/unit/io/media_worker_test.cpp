#include "io/media_worker.hpp"

#include "unit/io/loopback.hpp"
#include <poll.h>

namespace trunkline::io {
namespace {

// Below the ports that the system gives to whoever asks for any.
constexpr std::uint16_t kFirstPort = 9400, kLastPort = 9419;

MediaSettings settings(std::size_t workers = 1) {
  MediaSettings chosen;
  chosen.bind = {loopback().ip};
  chosen.workers = workers;
  chosen.webrtc_port = 0;
  chosen.rtp_port_first = kFirstPort;
  chosen.rtp_port_last = kLastPort;
  return chosen;
}

std::string rtp_packet(std::uint16_t sequence, std::uint32_t timestamp) {
  std::string packet("\x80\x00", 2);
  packet += static_cast<char>(sequence >> 8);
  packet += static_cast<char>(sequence);
  for (int shift = 24; shift >= 0; shift -= 8)
    packet += static_cast<char>(timestamp >> shift);
  packet += "\x11\x22\x33\x44";
  return packet + std::string(160, '\x55');
}

/// Waits for the kernel to have something for `fd`; the worker has a thread of its own.
bool readable(int fd) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, 60000) == 1;
}

class MediaWorkerTest : public ::testing::Test {
 public:
  void begin(std::size_t index = 0, std::size_t workers = 1) {
    auto made = MediaWorker::make(index, settings(workers), {}, identity, wakeup);
    ASSERT_TRUE(made) << made.error().message;
    worker = std::move(*made);
    worker->start();
  }
  std::vector<std::uint16_t> ports() const {
    return worker->resources().trunk_ports.at(loopback().ip);
  }
  /// A trunk leg whose peer is `peer` and which sends back what it hears.
  void add_echo(LegId leg, std::uint16_t port, const SocketAddress& peer) {
    media::AddTrunkLeg add;
    add.leg = leg;
    add.local = loopback(port);
    add.remote.rtp = peer;
    add.remote.rtcp = {peer.ip, static_cast<std::uint16_t>(peer.port + 1)};
    add.ssrc = 77;
    add.cname = "test";
    worker->post(add);
    worker->post(media::SetRoute{leg, leg, {{.from = 0, .to = 0}}});
    worker->notify();
  }
  template <class Event>
  std::optional<Event> wait_for() {
    for (;;) {
      media::Event event;
      while (worker->take(event)) {
        if (auto* found = std::get_if<Event>(&event)) return *found;
      }
      if (!readable(wakeup.fd())) return std::nullopt;
      wakeup.clear();
    }
  }

  media::DtlsIdentity identity = std::move(*media::DtlsIdentity::make());
  Wakeup wakeup;
  std::unique_ptr<MediaWorker> worker;
};

// RFC 3550 §A.8: the arrival is that at this machine [jitter]
TEST_F(MediaWorkerTest, has_the_arrival_of_packets_from_the_kernel) {
  const auto bound = bind_media_sockets(settings(), 0);
  ASSERT_TRUE(bound);
  for (const MediaSockets::Socket& socket : bound->sockets) {
    int stamped = 0;
    socklen_t size = sizeof stamped;
    ASSERT_EQ(::getsockopt(socket.fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &stamped, &size), 0);
    EXPECT_EQ(stamped, 1);
  }
}

// RFC 8837 §5: on each port [traffic-class]
TEST_F(MediaWorkerTest, marks_audio_for_the_network) {
  const auto bound = bind_media_sockets(settings(), 0);
  ASSERT_TRUE(bound);
  for (const MediaSockets::Socket& socket : bound->sockets) {
    int mark = 0;
    socklen_t size = sizeof mark;
    ASSERT_EQ(::getsockopt(socket.fd.get(), IPPROTO_IP, IP_TOS, &mark, &size), 0);
    EXPECT_EQ(mark, 46 << 2);
  }
}

TEST_F(MediaWorkerTest, tells_what_it_has_bound) {
  begin();
  EXPECT_EQ(ports().size(), 10u);
  EXPECT_EQ(ports().front(), kFirstPort);
  ASSERT_EQ(worker->resources().candidates.size(), 1u);
  EXPECT_NE(worker->resources().candidates[0].port, 0);
  EXPECT_TRUE(worker->healthy(Clock::now()));
}

TEST_F(MediaWorkerTest, shares_the_port_pairs_among_workers) {
  begin(0, 2);
  auto other = MediaWorker::make(1, settings(2), {}, identity, wakeup);
  ASSERT_TRUE(other);
  std::vector<std::uint16_t> all = ports();
  const auto& theirs = (*other)->resources().trunk_ports.at(loopback().ip);
  all.insert(all.end(), theirs.begin(), theirs.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all.size(), 10u);
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

TEST_F(MediaWorkerTest, leaves_out_a_port_that_is_taken) {
  const PeerSocket other = PeerSocket::udp_on(kFirstPort + 3);
  begin();
  EXPECT_EQ(ports().size(), 9u);
  const std::vector<std::uint16_t> bound = ports();
  EXPECT_EQ(std::count(bound.begin(), bound.end(), kFirstPort + 2), 0);
}

TEST_F(MediaWorkerTest, says_which_browser_port_is_taken) {
  const PeerSocket other = PeerSocket::udp();
  MediaSettings taken = settings();
  taken.webrtc_port = other.local().port;
  const auto made = MediaWorker::make(0, taken, {}, identity, wakeup);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find(other.local().text()), std::string::npos);
}

// RFC 4961 §4: the echo comes from where it was sent [symmetric-rtp]
TEST_F(MediaWorkerTest, echoes_rtp_of_a_trunk_leg) {
  begin();
  const PeerSocket peer = PeerSocket::udp();
  const std::uint16_t port = ports()[2];
  add_echo(LegId{1}, port, peer.local());
  // The command is on its way, and what comes before it is dropped: so again, until something comes
  // back.
  std::string back;
  SocketAddress from;
  for (std::uint16_t i = 0; i < 500 && back.empty(); ++i) {
    peer.send_to(rtp_packet(i, i * 160u), loopback(port));
    pollfd wait{peer.fd(), POLLIN, 0};
    ::poll(&wait, 1, 20);
    back = peer.receive(&from);
  }
  ASSERT_EQ(back.size(), 172u);
  EXPECT_EQ(from, loopback(port));
  EXPECT_EQ(back.substr(8, 4), std::string("\0\0\0\x4d", 4));
  EXPECT_EQ(back.substr(12), rtp_packet(0, 0).substr(12));
  const auto first = wait_for<media::FirstPacket>();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->leg, LegId{1});
  EXPECT_EQ(first->remote, peer.local());
}

TEST_F(MediaWorkerTest, ends_a_leg_with_its_statistics) {
  begin();
  const PeerSocket peer = PeerSocket::udp();
  add_echo(LegId{1}, ports()[0], peer.local());
  worker->post(media::RemoveLeg{LegId{1}});
  worker->notify();
  const auto closed = wait_for<media::LegClosed>();
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->leg, LegId{1});
}

TEST_F(MediaWorkerTest, executes_every_command_of_a_burst_larger_than_its_ring) {
  begin();
  constexpr std::uint64_t kCommands = 20000;
  for (std::uint64_t i = 1; i <= kCommands; ++i) {
    ASSERT_NE(worker->post(media::RemoveLeg{LegId{i}}), MediaWorker::Posted::dropped);
  }
  worker->notify();
  std::uint64_t expected = 1;
  while (expected <= kCommands) {
    media::Event event;
    while (worker->take(event)) {
      ASSERT_EQ(std::get<media::LegClosed>(event).leg, LegId{expected});
      ++expected;
    }
    if (expected > kCommands) break;
    ASSERT_TRUE(readable(wakeup.fd())) << "stuck at " << expected;
    wakeup.clear();
    worker->retry();
  }
}

TEST_F(MediaWorkerTest, executes_what_it_was_told_before_it_stops) {
  begin();
  for (std::uint64_t i = 1; i <= 1000; ++i)
    worker->post(media::RemoveLeg{LegId{i}});
  worker->stop();
  media::Event event;
  int count = 0;
  while (worker->take(event))
    ++count;
  EXPECT_EQ(count, 1000);
}

}  // namespace
}  // namespace trunkline::io
