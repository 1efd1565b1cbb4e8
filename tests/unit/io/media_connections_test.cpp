#include "io/media_connections.hpp"

#include "io/native_address.hpp"

#include "unit/io/loopback.hpp"
#include <algorithm>
#include <gmock/gmock.h>
#include <poll.h>
#include <set>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace trunkline::io {
namespace {

using media::SocketIndex;
using testing::ElementsAre;
using testing::IsEmpty;

std::string frame(std::string_view packet) {
  return std::string{static_cast<char>(packet.size() >> 8), static_cast<char>(packet.size())} +
         std::string(packet);
}

/// The loop of a media worker, turned by hand. Sockets are the kernel's, the time is the test's.
class MediaConnectionsTest : public ::testing::Test {
 protected:
  MediaConnectionsTest() {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const NativeAddress any(loopback());
    ::bind(fd.get(), any.get(), any.size);
    ::listen(fd.get(), 64);
    NativeAddress bound;
    ::getsockname(fd.get(), bound.get(), &bound.size);
    listeners.push_back({std::move(fd), from_native(bound.get())});
  }
  void begin(const MediaConnectionLimits& limits = {}) {
    connections.emplace(listeners, epoll.get(), limits, counters);
  }
  PeerSocket browser() const { return PeerSocket::tcp_to(listeners.front().local); }

  /// Handles what the kernel has to tell, until `done`.
  bool turn_until(const std::function<bool()>& done) {
    for (int i = 0; i < 6000 && !done(); ++i) {
      std::array<epoll_event, 16> ready{};
      const int count = ::epoll_wait(epoll.get(), ready.data(), 16, 10);
      for (int event = 0; event < count; ++event)
        handle(ready[static_cast<std::size_t>(event)].data.u64);
      connections->release();
    }
    return done();
  }
  void handle(std::uint64_t which) {
    if (which >= MediaConnections::kListener) return connections->accept(which, now);
    const auto number = static_cast<SocketIndex>(which);
    if (!connections->advance(number, now)) return close(number);
    while (const auto packet = connections->next_frame(number)) {
      received.emplace_back(as_text(*packet));
      from = number;
    }
    if (connections->is_broken(number)) close(number);
  }
  void close(SocketIndex number) {
    connections->close(number);
    closed.push_back(number);
  }
  void sweep() {
    connections->sweep(
        now, [this](SocketIndex number) { return served.contains(number); },
        [this](SocketIndex number) { closed.push_back(number); });
    connections->release();
  }
  bool turn_until_open(std::int64_t count) {
    return turn_until([&] { return counters.open.get() == count; });
  }

  TimePoint now = TimePoint{} + seconds{1000};
  std::vector<MediaSockets::Listener> listeners;
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  MediaConnections::Counters counters;
  std::optional<MediaConnections> connections;
  std::vector<std::string> received;
  SocketIndex from = 0;
  std::vector<SocketIndex> closed;
  std::set<SocketIndex> served;
};

TEST_F(MediaConnectionsTest, carries_packets_in_frames_both_ways) {
  begin();
  PeerSocket peer = browser();
  peer.send(frame("one") + frame("two"));
  ASSERT_TRUE(turn_until([&] { return received.size() == 2; }));
  EXPECT_THAT(received, ElementsAre("one", "two"));
  EXPECT_EQ(connections->remote(from), peer.local());
  connections->send(from, as_bytes("answer"));
  ASSERT_TRUE(turn_until([&] { return peer.gather().size() >= 8; }));
  EXPECT_EQ(peer.gathered(), frame("answer"));
}

TEST_F(MediaConnectionsTest, joins_a_packet_that_comes_in_parts) {
  begin();
  const PeerSocket peer = browser();
  peer.send(std::string_view("\0", 1));
  ASSERT_TRUE(turn_until_open(1));
  peer.send("\5hel");
  peer.send("lo");
  ASSERT_TRUE(turn_until([&] { return !received.empty(); }));
  EXPECT_THAT(received, ElementsAre("hello"));
}

// RFC 4571 §2: a packet that is too long ends the connection [ice-tcp-framing]
TEST_F(MediaConnectionsTest, closes_one_that_frames_too_much) {
  begin();
  PeerSocket peer = browser();
  peer.send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(turn_until([&] { return !closed.empty(); }));
  EXPECT_EQ(counters.framing.get(), 1);
  EXPECT_THAT(received, IsEmpty());
}

TEST_F(MediaConnectionsTest, is_told_when_the_browser_closes) {
  begin();
  PeerSocket peer = browser();
  ASSERT_TRUE(turn_until_open(1));
  peer.close();
  ASSERT_TRUE(turn_until_open(0));
  EXPECT_EQ(counters.closed.get(), 1);
}

TEST_F(MediaConnectionsTest, gives_a_number_away_again_only_after_the_turn) {
  begin();
  PeerSocket first = browser();
  first.send(frame("first"));
  ASSERT_TRUE(turn_until([&] { return !received.empty(); }));
  const SocketIndex number = from;
  connections->close(number);
  connections->send(number, as_bytes("too late"));
  EXPECT_FALSE(connections->next_frame(number));
  const PeerSocket second = browser();
  pollfd wait{listeners.front().fd.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait, 1, 60000), 1);
  connections->accept(MediaConnections::kListener, now);
  second.send(frame("second"));
  ASSERT_TRUE(turn_until([&] { return received.size() == 2; }));
  EXPECT_NE(from, number);
  const PeerSocket third = browser();
  third.send(frame("third"));
  ASSERT_TRUE(turn_until([&] { return received.size() == 3; }));
  EXPECT_EQ(from, number);
}

// RFC 6544 §11: connections are limited [ice-tcp-limits]
TEST_F(MediaConnectionsTest, refuses_more_than_its_limits) {
  begin({.connections = 3, .per_address = 2});
  std::vector<PeerSocket> peers;
  for (int i = 0; i < 3; ++i)
    peers.push_back(browser());
  ASSERT_TRUE(turn_until([&] { return counters.accepted.get() + counters.refused.get() == 3; }));
  EXPECT_EQ(counters.open.get(), 2);
  EXPECT_EQ(counters.refused.get(), 1);
  peers.clear();
  ASSERT_TRUE(turn_until_open(0));
  const PeerSocket again = browser();
  EXPECT_TRUE(turn_until_open(1)) << "the places are free again";
}

// RFC 6544 §11: one that no session uses is closed [ice-tcp-limits]
TEST_F(MediaConnectionsTest, closes_strangers_soon) {
  begin();
  const PeerSocket stranger = browser();
  PeerSocket known = browser();
  known.send(frame("check"));
  ASSERT_TRUE(turn_until([&] { return !received.empty() && counters.open.get() == 2; }));
  served = {from};
  now += seconds{9};
  sweep();
  EXPECT_THAT(closed, IsEmpty());
  now += seconds{1};
  sweep();
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_NE(closed.front(), from);
  EXPECT_EQ(counters.stranger.get(), 1);
  served.clear();
  now += seconds{10};
  sweep();
  EXPECT_EQ(counters.stranger.get(), 2) << "its leg has ended";
}

TEST_F(MediaConnectionsTest, closes_one_that_is_silent_too_long) {
  begin();
  PeerSocket peer = browser();
  peer.send(frame("check"));
  ASSERT_TRUE(turn_until([&] { return !received.empty(); }));
  served = {from};
  now += seconds{59};
  sweep();
  peer.send(frame("check"));
  ASSERT_TRUE(turn_until([&] { return received.size() == 2; }));
  now += seconds{59};
  sweep();
  EXPECT_THAT(closed, IsEmpty());
  now += seconds{1};
  sweep();
  EXPECT_EQ(counters.idle.get(), 1);
}

// RFC 6544 §11: late audio is not queued [ice-tcp-limits]
TEST_F(MediaConnectionsTest, drops_what_finds_the_connection_blocked_and_keeps_the_frames_whole) {
  begin();
  PeerSocket peer = browser();
  peer.shrink_receive_buffer();
  peer.send(frame("check"));
  ASSERT_TRUE(turn_until([&] { return !received.empty(); }));
  const std::string packet(1200, 'x');
  constexpr std::int64_t kPackets = 2000;
  for (std::int64_t i = 0; i < kPackets; ++i)
    connections->send(from, as_bytes(packet));
  const std::int64_t dropped = counters.dropped.get();
  ASSERT_GT(dropped, kPackets / 2);
  const auto expected = static_cast<std::size_t>(kPackets - dropped) * frame(packet).size();
  ASSERT_TRUE(turn_until([&] { return peer.gather().size() >= expected; }));
  EXPECT_EQ(peer.gathered().size(), expected);
  peer.gathered().clear();
  connections->send(from, as_bytes("last"));
  ASSERT_TRUE(turn_until([&] { return peer.gather().size() >= 6; }));
  EXPECT_EQ(peer.gathered(), frame("last")) << "behind a whole frame";
}

}  // namespace
}  // namespace trunkline::io
